"""Listings: what they show, page by page."""

import re
from datetime import UTC, datetime

import pytest
from google.cloud.storage import Bucket
from hypothesis import given
from hypothesis import strategies as st

from localcloud.storage.errors import Refused
from localcloud.storage.listing import Listing, glob_pattern, page
from localcloud.storage.resources import StoredObject

NAMES = st.sets(st.text("ab/", min_size=1, max_size=5), max_size=20)
TEXT = st.text("ab/", max_size=3)
MOMENT = datetime(2026, 1, 1, tzinfo=UTC)


def stored(name: str) -> StoredObject:
    return StoredObject(
        bucket="b",
        name=name,
        generation=1,
        size=0,
        crc32c="",
        time_created=MOMENT,
        time_finalized=MOMENT,
        updated=MOMENT,
    )


def all_pages(query: dict[str, str], names: list[str]) -> tuple[list[str], list[str], list[int]]:
    """Items, prefixes and the length of every page."""
    items: list[str] = []
    prefixes: list[str] = []
    lengths: list[int] = []
    token: str | None = ""
    while token is not None:
        found = page(Listing.read({**query, "pageToken": token}), names, lambda name: [stored(name)])
        items += [one.name for one in found.items]
        prefixes += found.prefixes
        lengths.append(len(found.items) + len(found.prefixes))
        token = found.token
    return items, prefixes, lengths


@given(names=NAMES, prefix=TEXT, start=TEXT, end=st.none() | TEXT, size=st.integers(1, 5), folded=st.booleans())
def test_the_pages_together_show_what_one_look_at_all_names_shows(
    names: set[str], prefix: str, start: str, end: str | None, size: int, folded: bool
) -> None:
    query = {"prefix": prefix, "startOffset": start, "maxResults": str(size)}
    query |= {"endOffset": end} if end is not None else {}
    query |= {"delimiter": "/"} if folded else {}
    items, prefixes, lengths = all_pages(query, sorted(names))
    wanted = [one for one in sorted(names) if one.startswith(prefix) and one >= start and (end is None or one < end)]
    tails = {one: one.removeprefix(prefix) for one in wanted}
    assert items == [one for one in wanted if not folded or "/" not in tails[one]]
    assert prefixes == sorted({prefix + tail.split("/")[0] + "/" for tail in tails.values() if folded and "/" in tail})
    assert all(length == size for length in lengths[:-1])


@pytest.mark.parametrize(
    ("glob", "name", "matches"),
    [
        ("a*c", "abc", True),
        ("a*c", "a/c", False),
        ("a**c", "a/b/c", True),
        ("a/**/c", "a/c", True),
        ("a/**/c", "a/b/b/c", True),
        ("**/*.csv", "x/y/z.csv", True),
        ("**/*.csv", "z.csv", True),
        ("?.csv", "é.csv", True),
        ("?.csv", "/.csv", False),
        ("[a-c]", "b", True),
        ("[!a-c]", "b", False),
        ("[!a-c]", "/", False),
        ("*.{csv,pgp}", "x.pgp", True),
        ("*.{csv,pgp}", "x.txt", False),
        ("a.b", "axb", False),
    ],
)
def test_a_glob_matches_as_documented(glob: str, name: str, matches: bool) -> None:
    assert bool(re.fullmatch(glob_pattern(glob), name)) is matches


def test_an_open_brace_is_refused() -> None:
    with pytest.raises(Refused):
        glob_pattern("{a,b")


def test_the_client_pages_through_names_and_folders(bucket: Bucket) -> None:
    for name in ("h/01/a.csv", "h/01/b.csv", "h/02/c.pgp", "h/x"):
        bucket.blob(name).upload_from_string(b"1")
    listed = bucket.list_blobs(prefix="h/", delimiter="/", page_size=1)
    assert [one.name for one in listed] == ["h/x"]
    assert listed.prefixes == {"h/01/", "h/02/"}
    assert [one.name for one in bucket.list_blobs(match_glob="h/**/*.csv")] == ["h/01/a.csv", "h/01/b.csv"]
    between = bucket.list_blobs(start_offset="h/01/b", end_offset="h/02/d", page_size=1)
    assert [one.name for one in between] == ["h/01/b.csv", "h/02/c.pgp"]
