"""Message -> Request: strict reading, pure, every refusal a short sentence that says how to correct the message."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from pipeline.errors import MessageRejected
from pipeline.window import Slot, Window, rfc3339

MAX_HOURS: Final = 92 * 24
"""Longest window of one message: a quarter. Longer backfills are several messages."""

MAX_NUMBER: Final = 10_000
"""Highest revision or part: more would not fit into the name of a record."""

MAX_BEHIND: Final = timedelta(days=1)
"""How far a machine's clock may be behind Pub/Sub's."""

EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)

ID: Final = re.compile(r"[ -~]{1,128}")
"""A message's id: Pub/Sub gives digits; an id of this kind fits into records, attributes and labels."""

FINER: Final = re.compile(r"[.,]\d{6}\d*[1-9]")
"""A fraction of a second that Python would cut off silently."""

INTERNAL: Final = ("cause", "revision", "part", "upload", "answer")
"""Fields of messages that the pipeline and its commands publish."""

NAMED: Final = 3
"""Problems of one message that are named; the others are counted."""

Action = Literal["deliver", "certify", "collect", "keys", "verify"]


@dataclass(frozen=True, slots=True)
class Request:
    """What a message asks for.

    `window` is whole hours; None for certify means the hours that certify looks back over. `cause` is the id of the
    message that people or the scheduler published, carried through fan-out, so that `resend` and `revise` happen once
    however often their message arrives. `revision`, `part` and `upload` are set on messages that the pipeline publishes
    itself: a part is sealed by one message, and uploaded by another (`upload`) once all parts are sealed.
    `answer`: somebody waits for what the action finds, in the record of that cause.
    """

    action: Action
    cause: str
    datasets: tuple[str, ...]
    window: Window | None = None
    resend: bool = False
    revise: bool = False
    full: bool = False
    revision: int | None = None
    part: int | None = None
    upload: bool = False
    answer: bool = False

    def singles(self) -> list[Request]:
        """One request for each dataset in each hour of the window, hour by hour; just this one where it is single."""
        return [replace(self, datasets=(slot.dataset,), window=slot.window) for slot in self.slots()]

    def slots(self) -> list[Slot]:
        """Every dataset in every hour of the window, hour by hour."""
        if self.window is None:
            return []
        return [Slot(dataset, hour) for hour in self.window.hours() for dataset in self.datasets]


class _Bounds(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    start: str
    end: str


class _Payload(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    action: Action = "deliver"
    window: _Bounds | None = None
    datasets: Annotated[list[str], Field(min_length=1)] | None = None
    resend: bool = False
    revise: bool = False
    full: bool = False
    cause: Annotated[str, Field(min_length=1, max_length=128)] | None = None
    revision: Annotated[int, Field(ge=1, le=MAX_NUMBER)] | None = None
    part: Annotated[int, Field(ge=1, le=MAX_NUMBER)] | None = None
    upload: bool = False
    answer: bool = False

    @model_validator(mode="after")
    def _fits_together(self) -> _Payload:
        if self.resend and self.revise:
            raise ValueError('"resend" sends the same bytes again, "revise" extracts anew: ask for one of them')
        if (self.resend or self.revise) and self.window is None:
            raise ValueError('"resend" and "revise" need a "window", so that no one repeats the wrong hour')
        if self.action != "deliver" and (self.resend or self.revise or self.part or self.revision):
            raise ValueError(f'"resend", "revise", "revision" and "part" do not go with "action": "{self.action}"')
        if self.action in ("collect", "keys", "verify") and (self.window or self.datasets):
            raise ValueError(f'"action": "{self.action}" takes neither "window" nor "datasets"')
        if self.full and self.action != "certify":
            raise ValueError('"full" goes with "action": "certify" only')
        if self.answer and (self.action == "deliver" or not re.fullmatch(r"[A-Za-z0-9._-]+", self.cause or "")):
            raise ValueError('"answer" needs a "cause" of letters and digits, and goes with any "action" but deliver')
        if self.part and not self.revision:
            raise ValueError('"part" needs the "revision" that it is a part of')
        if self.upload and not self.part:
            raise ValueError('"upload" needs the "part" that is to be uploaded')
        return self


def read(
    data: bytes, *, message_id: str, published: datetime, now: datetime, known: Collection[str], max_age: timedelta
) -> Request:
    """The request that a message carries; empty data and `{}` mean the last full hour before `published`.

    `published` is Pub/Sub's word: an hour that was over then is over, even where this host's clock is behind.

    `known` are the datasets that have a contract. Raises MessageRejected for whatever can never succeed: no JSON, an
    unknown field or dataset, a wrong type, a time without offset, not on the hour, in the future, end before start, a
    range over MAX_HOURS, an id that Pub/Sub does not give, or a message older than `max_age`.
    """
    if not ID.fullmatch(message_id):
        raise MessageRejected(f'The message\'s id is "{printable(message_id, 60)}", which Pub/Sub does not give.')
    if published - now > MAX_BEHIND:
        raise MessageRejected(
            f"The message was published at {published.isoformat()}, in the future (now: {rfc3339(now)})."
        )
    if now - published > max_age:
        raise MessageRejected(
            f"The message was published at {published.isoformat()}, more than {max_age} ago, so that its window is no "
            "longer what anybody waits for; certify finds and republishes what is missing."
        )
    payload = _parse(data)
    unknown = [name for name in payload.datasets or () if name not in known]
    if unknown:
        raise MessageRejected(f'"datasets" names {_list(unknown)}; there are contracts for {_list(sorted(known))}.')
    if len(set(payload.datasets or ())) != len(payload.datasets or ()):
        raise MessageRejected('"datasets" names a dataset twice; name each once.')
    window = _window(payload.window, max(now, published)) if payload.window else None
    if window is None and payload.action == "deliver":
        window = Window.last_full_hour_before(published)
    datasets = tuple(payload.datasets or sorted(known))
    if payload.revision and (window is None or len(window) != 1 or len(datasets) != 1):
        raise MessageRejected('"revision" belongs to one dataset in one hour; name one of each.')
    return Request(
        action=payload.action,
        cause=payload.cause or message_id,
        datasets=datasets,
        window=window,
        resend=payload.resend,
        revise=payload.revise,
        full=payload.full,
        revision=payload.revision,
        part=payload.part,
        upload=payload.upload,
        answer=payload.answer,
    )


def write(request: Request) -> bytes:
    """The message that asks for a delivery (or a part of it), or for a window to be certified; `read` gives it back."""
    assert request.window is not None, "a message that is written names its window"
    payload: dict[str, object] = {
        "action": None if request.action == "deliver" else request.action,
        "window": {"start": rfc3339(request.window.start), "end": rfc3339(request.window.end)},
        "datasets": list(request.datasets),
        "cause": request.cause,
        "full": request.full,
        "resend": request.resend,
        "revise": request.revise,
        "revision": request.revision,
        "part": request.part,
        "upload": request.upload,
    }
    return json.dumps({name: value for name, value in payload.items() if value}).encode()


def printable(text: str, most: int = 128) -> str:
    """Text from outside in at most so many printable ASCII characters, others spelled as escapes."""
    shown = text[: most + 1].encode("unicode_escape").decode("ascii")
    return shown if len(shown) <= most else f"{shown[: most - 3]}..."


def _parse(data: bytes) -> _Payload:
    try:
        content = json.loads(data.decode("utf-8") or "{}", object_pairs_hook=_no_duplicates)
    except (ValueError, RecursionError) as error:
        reason = str(error) if isinstance(error, _Duplicate) else "the data is not JSON in UTF-8"
        raise MessageRejected(f"The message cannot be read: {reason}. Send a JSON object, or {{}}.") from None
    if not isinstance(content, dict):
        raise MessageRejected("The message is JSON, but not an object. Send an object, or {}.")
    try:
        payload = _Payload(**content)
    except ValidationError as error:
        fields = ", ".join(name for name in _Payload.model_fields if name not in INTERNAL)
        problems = [
            f"{printable('.'.join(str(part) for part in item['loc']), 60) or 'message'}: "
            + (
                f"no such field; there are {fields}"
                if item["type"] == "extra_forbidden"
                else item["msg"].removeprefix("Value error, ")
            )
            for item in error.errors(include_input=False, include_url=False)
        ]
        named = problems[:NAMED] + [f"and {len(problems) - NAMED:,} more"] * (len(problems) > NAMED)
        raise MessageRejected(f"The message cannot be carried out. {'; '.join(named)}.") from None
    except TypeError:
        raise MessageRejected("The message has a field without a usable name.") from None
    if None in content.values():
        raise MessageRejected("The message has a field that is null: name its value, or leave the field out.")
    return payload


class _Duplicate(ValueError):
    pass


def _no_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names):
        raise _Duplicate("a field stands in it twice")
    return dict(pairs)


def _window(bounds: _Bounds, now: datetime) -> Window:
    start, end = _instant("start", bounds.start), _instant("end", bounds.end)
    try:
        window = Window(start, end)
    except ValueError as error:
        raise MessageRejected(
            f'"window": {error}. Name whole hours, "start" before "end", such as '
            '{"start": "2026-11-23T13:00:00Z", "end": "2026-11-23T15:00:00Z"}.'
        ) from None
    if window.start < EARLIEST:
        raise MessageRejected(f'"window" begins at {window.start.isoformat()}, before the year 2000.')
    if window.end > now:
        raise MessageRejected(
            f'"window" ends at {rfc3339(window.end)}, in the future (now: {rfc3339(now)}); an hour is shared when it '
            "is over."
        )
    if len(window) > MAX_HOURS:
        raise MessageRejected(
            f'"window" is {len(window)} hours long; one message may name {MAX_HOURS}. Send several messages.'
        )
    return window


def _instant(name: str, text: str) -> datetime:
    try:
        instant = datetime.fromisoformat(text if text.isprintable() else "")
        if instant.tzinfo is not None:
            if FINER.search(text):
                raise MessageRejected(f'"window.{name}" is not on the hour: it names a fraction of a second.')
            return instant.astimezone(UTC)
    except (ValueError, OverflowError):
        raise MessageRejected(f'"window.{name}" is not a time such as "2026-11-23T13:00:00Z".') from None
    raise MessageRejected(f'"window.{name}" has no offset; end it with Z for UTC, or +01:00.')


def _list(names: list[str]) -> str:
    return ", ".join(f'"{printable(name, 60)}"' for name in names[:NAMED]) + (
        f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    )
