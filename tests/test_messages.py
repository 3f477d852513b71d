"""Messages are read strictly: what is valid means one thing, what is not is refused with a reason that helps."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import MessageRejected
from pipeline.messages import MAX_HOURS, Request, read, write
from pipeline.window import HOUR, Window

KNOWN = ("transactions", "identity", "payments")
NOW = datetime(2026, 11, 23, 14, 5, 7, tzinfo=UTC)
HOUR_13 = Window.hour(datetime(2026, 11, 23, 13, tzinfo=UTC))
BOUNDS = '"window": {"start": "2026-11-23T12:00:00Z", "end": "2026-11-23T13:00:00Z"}'


def asked(data: bytes | str, *, published: datetime = NOW, now: datetime = NOW) -> Request:
    """What a message with this data asks for."""
    content = data.encode() if isinstance(data, str) else data
    return read(content, message_id="m-1", published=published, now=now, known=KNOWN, max_age=timedelta(hours=36))


def bounds(start: str, end: str = "2026-11-23T13:00:00Z") -> str:
    """A message with these bounds as they stand."""
    return f'{{"window": {{"start": {json.dumps(start)}, "end": {json.dumps(end)}}}}}'


def answer(data: bytes | str) -> bool:
    """Whether what comes of the data is one of the two things that may; any other exception passes."""
    try:
        return asked(data).action in ("deliver", "certify", "collect", "keys")
    except MessageRejected as error:
        return error.message.endswith(".")


MALFORMED: dict[str, tuple[bytes | str, str]] = {
    "not JSON": ("now", "the data is not JSON in UTF-8. Send a JSON object"),
    "JSON that breaks off": ('{"window": ', "not JSON"),
    "two objects": ("{} {}", "not JSON"),
    "single quotes": ("{'resend': true}", "not JSON"),
    "a trailing comma": ('{"datasets": ["payments"],}', "not JSON"),
    "a comment": ('{} // "all"', "not JSON"),
    "UTF-16": ("{}".encode("utf-16"), "not JSON in UTF-8"),
    "Latin-1": ('{"datasets": ["é"]}'.encode("latin-1"), "not JSON in UTF-8"),
    "a byte order mark": (b"\xef\xbb\xbf{}", "not JSON"),
    "bytes that are no text": (b"\x00\xff\xfe", "not JSON in UTF-8"),
    "nesting without end": ("[" * 100_000, "not JSON"),
    "a number with more digits than Python reads": ('{"part": ' + "9" * 5000 + "}", "not JSON"),
    "a list": ("[]", "JSON, but not an object"),
    "a string": ('"payments"', "JSON, but not an object"),
    "a number": ("1", "JSON, but not an object"),
    "null": ("null", "JSON, but not an object"),
    "true": ("true", "JSON, but not an object"),
    "a field twice": ('{"resend": true, "resend": false}', "a field stands in it twice"),
    "a field twice inside": (
        '{"window": {"start": "a", "start": "b", "end": "c"}}',
        "a field stands in it twice",
    ),
    "a misspelt field": ('{"dataset": ["payments"]}', "dataset: no such field; there are action, window, datasets"),
    "a field in capitals": ('{"Datasets": ["payments"]}', "Datasets: no such field"),
    "a field without a name": ('{"": 1}', "no such field"),
    "a misspelt bound": ('{"window": {"from": "a", "start": "b", "end": "c"}}', "window.from: no such field"),
    "an unknown action": (
        '{"action": "delete"}',
        "action: Input should be 'deliver', 'certify', 'collect', 'keys' or 'verify'",
    ),
    "an answer for nobody": ('{"action": "keys", "answer": true}', '"answer" needs a "cause"'),
    "an answer elsewhere": ('{"action": "keys", "answer": true, "cause": "../x"}', '"answer" needs a "cause"'),
    "an answer to a delivery": ('{"answer": true, "cause": "c"}', 'any "action" but deliver'),
    "an empty action": ('{"action": ""}', "action: Input should be"),
    "an action that is null": ('{"action": null}', "action: Input should be"),
    "no start": ('{"window": {"end": "2026-11-23T13:00:00Z"}}', "window.start: Field required"),
    "no end": ('{"window": {"start": "2026-11-23T12:00:00Z"}}', "window.end: Field required"),
    "an empty window": ('{"window": {}}', "window.start: Field required"),
    "a window as text": ('{"window": "2026-11-23T12:00:00Z"}', "window: Input should be"),
    "a window as a list": ('{"window": ["a", "b"]}', "window: Input should be"),
    "seconds since 1970": ('{"window": {"start": 1, "end": 2}}', "window.start: Input should be a valid string"),
    "a start without offset": (bounds("2026-11-23T12:00:00"), '"window.start" has no offset; end it with Z'),
    "an end without offset": (bounds("2026-11-23T12:00:00Z", "2026-11-23T13:00:00"), '"window.end" has no offset'),
    "a date": (bounds("2026-11-23"), '"window.start" has no offset'),
    "a word for a time": (bounds("yesterday"), '"window.start" is not a time such as'),
    "an empty time": (bounds(""), '"window.start" is not a time'),
    "a day that does not exist": (bounds("2026-02-30T12:00:00Z"), '"window.start" is not a time'),
    "hour 25": (bounds("2026-11-23T25:00:00Z"), '"window.start" is not a time'),
    "an offset of two days": (bounds("2026-11-23T12:00:00+48:00"), '"window.start" is not a time'),
    "a time before all times": (bounds("0001-01-01T00:00:00+23:00"), '"window.start" is not a time'),
    "a start between hours": (bounds("2026-11-23T12:30:00Z"), "not on the hour. Name whole hours"),
    "a start a microsecond late": (bounds("2026-11-23T12:00:00.000001Z"), "not on the hour"),
    "an offset of half an hour": (bounds("2026-11-23T12:00:00+05:30"), "not on the hour"),
    "an end between hours": (bounds("2026-11-23T12:00:00Z", "2026-11-23T12:59:59Z"), "not on the hour"),
    "end before start": (bounds("2026-11-23T13:00:00Z", "2026-11-23T12:00:00Z"), "is not before end"),
    "an empty range": (bounds("2026-11-23T13:00:00Z", "2026-11-23T13:00:00Z"), "is not before end"),
    "an hour that is not over": (
        bounds("2026-11-23T14:00:00Z", "2026-11-23T15:00:00Z"),
        "ends at 2026-11-23T15:00:00Z, in the future",
    ),
    "a range that reaches into the future": (bounds("2026-11-23T12:00:00Z", "2027-01-01T00:00:00Z"), "in the future"),
    "a year": (bounds("2025-11-23T12:00:00Z"), f"one message may name {MAX_HOURS}. Send several messages"),
    "an unknown dataset": ('{"datasets": ["refunds"]}', '"datasets" names "refunds"; there are contracts for "id'),
    "a dataset in capitals": ('{"datasets": ["Payments"]}', '"datasets" names "Payments"'),
    "two unknown datasets": ('{"datasets": ["a", "payments", "b"]}', '"datasets" names "a", "b";'),
    "a dataset that is half a character": ('{"datasets": ["\\ud800"]}', '"datasets" names "\\ud800"'),
    "a dataset twice": ('{"datasets": ["payments", "payments"]}', "names a dataset twice"),
    "no dataset at all": ('{"datasets": []}', "datasets: List should have at least 1 item"),
    "a dataset as text": ('{"datasets": "payments"}', "datasets: Input should be a valid list"),
    "datasets that are numbers": ('{"datasets": [1]}', "datasets.0: Input should be a valid string"),
    "a flag as text": ('{"resend": "true"}', "resend: Input should be a valid boolean"),
    "a flag as a number": ('{"revise": 1}', "revise: Input should be a valid boolean"),
    "resend and revise": (
        f'{{{BOUNDS}, "resend": true, "revise": true}}',
        '"resend" sends the same bytes again, "revise" extracts anew: ask for one',
    ),
    "resend without a window": ('{"resend": true}', '"resend" and "revise" need a "window"'),
    "revise without a window": ('{"revise": true, "datasets": ["payments"]}', 'need a "window"'),
    "certify with resend": (f'{{{BOUNDS}, "action": "certify", "resend": true}}', 'do not go with "action": "certify"'),
    "keys with revise": (f'{{{BOUNDS}, "action": "keys", "revise": true}}', 'do not go with "action": "keys"'),
    "keys with a window": (f'{{{BOUNDS}, "action": "keys"}}', '"action": "keys" takes neither'),
    "collect with datasets": ('{"action": "collect", "datasets": ["payments"]}', '"action": "collect" takes neither'),
    "full without certify": ('{"full": true}', '"full" goes with "action": "certify" only'),
    "a part without its revision": (f'{{{BOUNDS}, "part": 2}}', '"part" needs the "revision"'),
    "part zero": (f'{{{BOUNDS}, "datasets": ["payments"], "revision": 1, "part": 0}}', "part: Input should be greater"),
    "a part that is true": (f'{{{BOUNDS}, "revision": 1, "part": true}}', "part: Input should be a valid integer"),
    "a fraction of a revision": (f'{{{BOUNDS}, "revision": 1.5}}', "revision: Input should be a valid integer"),
    "a revision below one": (f'{{{BOUNDS}, "datasets": ["payments"], "revision": -1}}', "revision: Input should be"),
    "a revision of several datasets": (f'{{{BOUNDS}, "revision": 1}}', '"revision" belongs to one dataset in one hour'),
    "a revision of several hours": (
        '{"window": {"start": "2026-11-23T11:00:00Z", "end": "2026-11-23T13:00:00Z"}, "datasets": ["payments"], '
        '"revision": 1}',
        '"revision" belongs to one dataset in one hour',
    ),
    "a window that is null": ('{"window": null}', "has a field that is null: name its value, or leave the field out"),
    "datasets that are null": ('{"datasets": null, "action": "certify"}', "has a field that is null"),
    "a time with a null byte": (bounds("2026-11-23T12:00:00Z\0"), '"window.start" is not a time'),
    "a time on two lines": (bounds("2026-11-23\n12:00:00Z"), '"window.start" is not a time'),
    "a leap second": (bounds("2026-11-23T11:59:60Z"), '"window.start" is not a time'),
    "the year 10000": (bounds("2026-11-23T12:00:00Z", "10000-01-01T00:00:00Z"), '"window.end" is not a time'),
    "an offset of 45 minutes": (bounds("2026-11-23T12:00:00+05:45"), "not on the hour"),
    "a field twice, once escaped": ('{"resend": true, "res\\u0065nd": false}', "a field stands in it twice"),
    "no number": ('{"part": NaN}', "part: Input should be a valid integer"),
    "a revision without end": ('{"revision": 1e400}', "revision: Input should be a valid integer"),
    "a null byte at the end": (b"{}\0", "not JSON"),
    "a dataset in other letters": ('{"datasets": ["p\u0430yments"]}', '"datasets" names "p\\u0430yments"'),
    "bounds beside a window": (f'{{{BOUNDS}, "start": "2026-11-23T12:00:00Z"}}', "start: no such field"),
    "an empty cause": ('{"cause": ""}', "cause: String should have at least 1 character"),
    "a start a nanosecond late": (bounds("2026-11-23T12:00:00.000000001Z"), "not on the hour"),
    "a start before our time": (bounds("0001-01-01T00:00:00Z", "0001-01-01T01:00:00Z"), "before the year 2000"),
    "a revision of 1,000 digits": (
        f'{{{BOUNDS}, "datasets": ["payments"], "revision": {"9" * 1000}}}',
        "revision: Input should be less than or equal to 10000",
    ),
    "a part of 1,000 digits": (
        f'{{{BOUNDS}, "datasets": ["payments"], "revision": 1, "part": {"9" * 1000}}}',
        "part: Input should be less than or equal to 10000",
    ),
    "a field whose name has no end": (json.dumps({"x" * 5_000_000: 1}), "no such field"),
    "100,000 fields": (json.dumps({f"x{number}": 1 for number in range(100_000)}), "and 99,997 more"),
    "a cause that is half a character": ('{"cause": "\\ud800"}', "cause: Input should be a valid string"),
    "an upload of no part": (f'{{{BOUNDS}, "datasets": ["payments"], "upload": true}}', '"upload" needs the "part"'),
    "a cause without end": ('{"cause": "' + "x" * 129 + '"}', "cause: String should have at most 128 characters"),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_a_malformed_message_is_rejected_with_a_reason_that_helps(case: str) -> None:
    data, reason = MALFORMED[case]
    with pytest.raises(MessageRejected) as caught:
        asked(data)
    assert reason in caught.value.message
    assert len(caught.value.message) < 600


def test_the_table_of_malformed_messages_is_not_a_short_one() -> None:
    assert len(MALFORMED) >= 50


@given(st.binary(max_size=200))
def test_whatever_bytes_come_the_answer_is_a_request_or_a_rejection(data: bytes) -> None:
    assert answer(data)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["start", "end", "window", "datasets", "action", "part", "x"]), inner)
    ),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(["window", "datasets", "resend", "action", "part", "cause", ""]), JSON))
def test_whatever_object_comes_the_answer_is_a_request_or_a_rejection(content: dict[str, object]) -> None:
    assert answer(json.dumps(content))


@pytest.mark.parametrize("data", ["", "{}", " {\n} "])
def test_nothing_means_every_dataset_in_the_last_full_hour_before_the_message(data: str) -> None:
    request = asked(data, published=NOW, now=NOW + timedelta(hours=20))
    assert request == Request("deliver", "m-1", ("identity", "payments", "transactions"), HOUR_13)


def test_a_message_names_datasets_and_a_range_of_hours() -> None:
    request = asked(
        '{"window": {"start": "2026-11-22T23:00:00+01:00", "end": "2026-11-23T01:00:00Z"}, "datasets": ["payments"]}'
    )
    start = datetime(2026, 11, 22, 22, tzinfo=UTC)
    assert request.window == Window(start, start + 3 * HOUR)
    assert [str(slot) for slot in request.slots()] == [
        "payments 20261122T220000Z/20261122T230000Z",
        "payments 20261122T230000Z/20261123T000000Z",
        "payments 20261123T000000Z/20261123T010000Z",
    ]


def test_the_longest_range_of_one_message_is_a_quarter() -> None:
    end = NOW.replace(minute=0, second=0)
    request = asked(bounds((end - MAX_HOURS * HOUR).isoformat(), end.isoformat()))
    assert len(request.slots()) == 3 * MAX_HOURS


@pytest.mark.parametrize("action", ["certify", "collect", "keys"])
def test_the_other_actions_need_no_window(action: str) -> None:
    request = asked(f'{{"action": "{action}"}}')
    assert (request.action, request.window, request.slots()) == (action, None, [])


def test_certify_takes_a_window_and_datasets() -> None:
    request = asked(f'{{{BOUNDS}, "action": "certify", "datasets": ["identity"], "full": true}}')
    assert (request.datasets, request.full) == (("identity",), True)
    assert request.window == Window.hour(datetime(2026, 11, 23, 12, tzinfo=UTC))


def test_a_message_is_rejected_when_it_is_older_than_it_may_be() -> None:
    assert asked("{}", now=NOW + timedelta(hours=36))
    with pytest.raises(MessageRejected, match=r"more than 1 day, 12:00:00 ago.*certify finds and republishes"):
        asked("{}", now=NOW + timedelta(hours=36, seconds=1))


@pytest.mark.parametrize(
    "message_id", ["", "x" * 200, "4711\n", "\ud800", "é", "a" * 129], ids=lambda one: ascii(one)[:20]
)
def test_an_id_that_pubsub_does_not_give_is_refused(message_id: str) -> None:
    with pytest.raises(MessageRejected, match="id"):
        read(b"{}", message_id=message_id, published=NOW, now=NOW, known=KNOWN, max_age=timedelta(hours=36))


@pytest.mark.parametrize("published", [datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, tzinfo=UTC)])
def test_a_time_of_publishing_that_cannot_be_is_refused(published: datetime) -> None:
    with pytest.raises(MessageRejected, match="was published at"):
        asked("{}", published=published)


def test_the_hour_of_a_message_is_over_even_where_this_machine_is_behind() -> None:
    behind = NOW - timedelta(minutes=90)
    assert asked(bounds("2026-11-23T13:00:00Z", "2026-11-23T14:00:00Z"), now=behind).window == HOUR_13
    with pytest.raises(MessageRejected, match="in the future"):
        asked(bounds("2026-11-23T14:00:00Z", "2026-11-23T15:00:00Z"), now=behind)


def test_the_longest_names_do_not_make_a_long_reason() -> None:
    with pytest.raises(MessageRejected) as caught:
        asked(json.dumps({"datasets": ["x" * 100_000]}))
    assert len(caught.value.message) < 300


REQUESTS = st.builds(
    lambda start, hours, datasets, cause, repeat: Request(
        "deliver", cause, tuple(datasets), Window(start, start + hours * HOUR), repeat == "resend", repeat == "revise"
    ),
    st.datetimes(datetime(2020, 1, 1), datetime(2026, 11, 1), timezones=st.just(UTC)).map(
        lambda instant: instant.replace(minute=0, second=0, microsecond=0)
    ),
    st.integers(1, 48),
    st.lists(st.sampled_from(KNOWN), min_size=1, unique=True),
    st.text(min_size=1, max_size=128),
    st.sampled_from(["", "resend", "revise"]),
)


@given(REQUESTS, st.none() | st.tuples(st.integers(1, 99), st.none() | st.integers(1, 999), st.booleans()))
def test_what_is_written_for_one_slot_is_read_back_as_the_same_request(
    request_: Request, numbers: tuple[int, int | None, bool] | None
) -> None:
    revision, part, upload = numbers or (None, None, False)
    numbered = replace(request_, revision=revision, part=part, upload=upload and part is not None)
    singles = numbered.singles()
    assert [asked(write(single)) for single in singles] == singles
    assert [slot for single in singles for slot in single.slots()] == request_.slots()
