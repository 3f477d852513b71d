"""Messages that can never succeed: each is rejected with a reason that says how to correct it, none is retried."""

from __future__ import annotations

import base64
import json
from typing import Final

import pytest

from tests.faults.harness import FaultHarness
from tests.faults.push import message, push

HOUR: Final = '"start": "2026-11-20T13:00:00Z", "end": "2026-11-20T14:00:00Z"'


def window(bounds: str = HOUR, rest: str = "") -> bytes:
    return f'{{"window": {{{bounds}}}{", " + rest if rest else ""}}}'.encode()


def bounds(start: str, end: str) -> bytes:
    return window(f'"start": "{start}", "end": "{end}"')


MALFORMED: Final[dict[str, tuple[bytes, str]]] = {
    "no JSON": (b"payments, please", "not JSON"),
    "half an object": (b'{"window": {', "not JSON"),
    "two objects": (b"{}{}", "not JSON"),
    "single quotes": (b"{'resend': true}", "not JSON"),
    "a trailing comma": (b'{"resend": true,}', "not JSON"),
    "not UTF-8": (b'{"cause": "\xff"}', "not JSON in UTF-8"),
    "UTF-16": ('{"resend": true}'.encode("utf-16"), "not JSON in UTF-8"),
    "a byte order mark": (b"\xef\xbb\xbf{}", "not JSON"),
    "nested too deeply": (b'{"window": ' + b"[" * 100_000, "not JSON"),
    "a list": (b"[]", "not an object"),
    "a string": (b'"payments"', "not an object"),
    "a number": (b"1", "not an object"),
    "null": (b"null", "not an object"),
    "true": (b"true", "not an object"),
    "a field twice": (b'{"resend": true, "resend": false}', "twice"),
    "an unknown field": (b'{"windows": {}}', "windows: no such field; there are"),
    "a field in capitals": (b'{"Window": {}}', "Window: no such field"),
    "a field without a name": (b'{"": 1}', "no such field"),
    "a field named self": (b'{"self": 1}', "self"),
    "an unknown field of the window": (window(f'{HOUR}, "zone": "UTC"'), "window.zone"),
    "a window that is text": (b'{"window": "2026-11-20T13"}', "window"),
    "a window that is a list": (b'{"window": ["a", "b"]}', "window"),
    "a window without an end": (window('"start": "2026-11-20T13:00:00Z"'), "window.end"),
    "a window without a start": (window('"end": "2026-11-20T13:00:00Z"'), "window.start"),
    "an empty window": (b'{"window": {}}', "window.start"),
    "a start that is a number": (window('"start": 1763643600, "end": "2026-11-20T14:00:00Z"'), "window.start"),
    "a start that is no time": (bounds("yesterday", "2026-11-20T14:00:00Z"), '"window.start" is not a time'),
    "a month 13": (bounds("2026-13-20T13:00:00Z", "2026-11-20T14:00:00Z"), '"window.start" is not a time'),
    "a hour 25": (bounds("2026-11-20T25:00:00Z", "2026-11-20T14:00:00Z"), '"window.start" is not a time'),
    "before year 1": (bounds("0001-01-01T00:00:00+12:00", "2026-11-20T14:00:00Z"), '"window.start" is not a time'),
    "no offset": (bounds("2026-11-20T13:00:00", "2026-11-20T14:00:00Z"), '"window.start" has no offset'),
    "a date alone": (bounds("2026-11-20", "2026-11-21"), '"window.start" has no offset'),
    "not on the hour": (bounds("2026-11-20T13:30:00Z", "2026-11-20T14:00:00Z"), "not on the hour"),
    "a second past": (bounds("2026-11-20T13:00:01Z", "2026-11-20T14:00:00Z"), "not on the hour"),
    "half an hour's offset": (bounds("2026-11-20T13:00:00+05:30", "2026-11-20T14:00:00Z"), "not on the hour"),
    "end before start": (bounds("2026-11-20T14:00:00Z", "2026-11-20T13:00:00Z"), "is not before"),
    "end at start": (bounds("2026-11-20T14:00:00Z", "2026-11-20T14:00:00Z"), "is not before"),
    "the future": (bounds("2099-11-20T13:00:00Z", "2099-11-20T14:00:00Z"), "in the future"),
    "years": (bounds("2020-01-01T00:00:00Z", "2026-01-01T00:00:00Z"), "Send several messages"),
    "no dataset": (b'{"datasets": []}', "datasets"),
    "an unknown dataset": (b'{"datasets": ["refunds"]}', 'there are contracts for "identity"'),
    "datasets as text": (b'{"datasets": "payments"}', "datasets"),
    "a dataset that is a number": (b'{"datasets": [1]}', "datasets.0"),
    "a dataset twice": (b'{"datasets": ["payments", "payments"]}', "twice"),
    "an unknown action": (b'{"action": "delete"}', "action"),
    "resend without a window": (b'{"resend": true}', 'need a "window"'),
    "resend and revise": (window(rest='"resend": true, "revise": true'), "ask for one of them"),
    "resend that is text": (window(rest='"resend": "yes"'), "resend"),
    "revise that is a number": (window(rest='"revise": 1'), "revise"),
    "a part without its revision": (window(rest='"part": 2'), 'needs the "revision"'),
    "a revision that is not there": (window(rest='"datasets": ["payments"], "revision": 7'), "no revision 7"),
    "a revision of everything": (window(rest='"revision": 1'), "one dataset in one hour"),
    "part 0": (window(rest='"revision": 1, "part": 0'), "part"),
    "a window for collect": (window(rest='"action": "collect"'), 'takes neither "window"'),
    "resend for certify": (window(rest='"action": "certify", "resend": true'), 'do not go with "action"'),
    "full without certify": (b'{"full": true}', '"full" goes with'),
    "an endless cause": (f'{{"cause": "{"x" * 200}"}}'.encode(), "cause"),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_message_is_rejected_with_a_usable_reason_and_never_comes_again(
    harness: FaultHarness, name: str
) -> None:
    data, reason = MALFORMED[name]
    pushed = message(data)
    harness.deployment.rejected()
    function = harness.function()
    harness.look()
    assert push(function.url, pushed).acknowledges
    (rejected,) = [json.loads(one) for one in harness.deployment.rejected()]
    assert base64.b64decode(rejected["data"]) == data
    assert rejected["message_id"] == pushed.id
    assert rejected["code"] == "message-rejected"
    assert reason in rejected["reason"]
    assert harness.event_names() == ["run.started", "message.rejected", "run.completed"]
    assert harness.deployment.published() == []


def test_fifty_kinds_are_tried() -> None:
    assert len(MALFORMED) >= 50
