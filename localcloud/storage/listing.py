"""Which names a listing shows, page by page. Pure."""

import base64
import bisect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

from localcloud.storage.errors import invalid
from localcloud.storage.resources import StoredObject

LARGEST_PAGE = 1000
AFTER_ALL = "\U0010ffff"


@dataclass(frozen=True, slots=True)
class Listing:
    """What was asked for. `resume` is where the page before ended: "=" and a name, or "/" and a common prefix."""

    prefix: str = ""
    delimiter: str = ""
    start: str = ""
    end: str | None = None
    glob: re.Pattern[str] | None = None
    versions: bool = False
    size: int = LARGEST_PAGE
    resume: str | None = None

    @classmethod
    def read(cls, query: Mapping[str, str]) -> Self:
        """Raises: Refused 400 for a page size or a token that is none."""
        size, token = query.get("maxResults", str(LARGEST_PAGE)), query.get("pageToken")
        if not size.isdigit() or int(size) < 1:
            raise invalid(f"Invalid value for maxResults: {size}")
        try:
            resume = base64.urlsafe_b64decode(token).decode() if token else None
        except ValueError as error:
            raise invalid("Invalid pageToken.") from error
        return cls(
            prefix=query.get("prefix", ""),
            delimiter=query.get("delimiter", ""),
            start=query.get("startOffset", ""),
            end=query.get("endOffset"),
            glob=re.compile(glob_pattern(query["matchGlob"]), re.DOTALL) if "matchGlob" in query else None,
            versions=query.get("versions", "").lower() == "true",
            size=min(int(size), LARGEST_PAGE),
            resume=resume,
        )


@dataclass(slots=True)
class Page:
    items: list[StoredObject] = field(default_factory=list)
    prefixes: list[str] = field(default_factory=list)
    token: str | None = None


def page(asked: Listing, names: Sequence[str], versions: Callable[[str], Sequence[StoredObject]]) -> Page:
    """The next page of sorted `names`. The generations of a name stay together: a page of versions may run over."""
    found = Page()
    at = bisect.bisect_left(names, max(asked.prefix, asked.start))
    last = asked.resume
    if last is not None:
        at = max(at, _behind(names, last))
    while at < len(names) and names[at].startswith(asked.prefix) and (asked.end is None or names[at] < asked.end):
        name = names[at]
        at += 1
        if asked.glob is not None and not asked.glob.fullmatch(name):
            continue
        shown = [one for one in versions(name) if asked.versions or one.time_deleted is None]
        if not shown:
            continue
        if len(found.items) + len(found.prefixes) >= asked.size:
            found.token = base64.urlsafe_b64encode((last or "").encode()).decode()
            return found
        cut = name.find(asked.delimiter, len(asked.prefix)) if asked.delimiter else -1
        if cut < 0:
            found.items.extend(shown)
            last = f"={name}"
        else:
            folded = name[: cut + len(asked.delimiter)]
            found.prefixes.append(folded)
            last = f"/{folded}"
            at = _behind(names, last)
    return found


def _behind(names: Sequence[str], last: str) -> int:
    """Where to go on after a name, or after everything below a common prefix."""
    kind, text = last[:1], last[1:]
    return bisect.bisect_left(names, text + AFTER_ALL) if kind == "/" else bisect.bisect_right(names, text)


def glob_pattern(glob: str) -> str:
    """The regular expression of a matchGlob: `*` within a folder, `**` across folders, `?`, `[...]` and `{a,b}`.

    Source: "List objects and prefixes using glob" in the Cloud Storage documentation.
    """
    translated, depth, at = "", 0, 0
    while at < len(glob):
        rest, char = glob[at:], glob[at]
        at += 1
        if rest.startswith("**/"):
            translated += "(?:.*/)?"
            at += 2
        elif rest.startswith("**"):
            translated += ".*"
            at += 1
        elif char in "*?":
            translated += "[^/]*" if char == "*" else "[^/]"
        elif char == "[" and "]" in rest[2:]:
            close = rest.index("]", 2)
            inside = rest[1:close]
            negated = inside[0] in "!^"
            body = re.sub(r"([\\\[\]^&~|])", r"\\\1", inside[1:] if negated else inside)
            translated += f"[{'^/' if negated else ''}{body}]"
            at += close
        elif char == "{":
            translated, depth = translated + "(?:", depth + 1
        elif char == "}" and depth:
            translated, depth = translated + ")", depth - 1
        elif char == "," and depth:
            translated += "|"
        else:
            translated += re.escape(char)
    if depth:
        raise invalid(f"Invalid matchGlob: {glob}")
    return translated
