"""A rejected delivery is never certified, and each answer changes what it speaks of alone."""

from __future__ import annotations

import json

import pytest

from pipeline.status.history import returned_for
from pipeline.status.next_step import told
from pipeline.status.timeline import timeline
from tests.collect.conftest import AnsweringPartner
from tests.deployment import HOUR

ERRORS = """\
pattern: '^ERROR_'
means: error
format: csv
key: [payment_id]
reason: code
reasons: [BAD_IBAN, TOO_LARGE]
"""


def test_an_error_changes_the_verdict_at_once_and_raises_its_alarm_once(partner: AnsweringPartner) -> None:
    slot = partner.delivered()
    assert partner.certify(slot)[0] == "certified"
    (event,) = partner.answer(f"ERROR_{partner.sent()}.txt").named("returns.error")
    assert (event["severity"], event["dataset"], event["window"]) == ("ERROR", "payments", str(slot.window))
    assert partner.cell(slot).state == "rejected by partner"  # before any certify
    (judged,) = partner.deployment.drain()
    (alarm,) = judged.named("window.rejected")
    assert alarm["severity"] == "ERROR"
    assert f"rejected {partner.sent()}: it returned ERROR_{partner.sent()}.txt" in alarm["message"]
    assert partner.verdict(slot) == "rejected by partner"
    assert partner.certify(slot) == ("rejected by partner", [])
    assert partner.cell(slot).problems == told(partner.certificate(slot)["problems"])


def test_the_same_error_in_another_file_says_nothing_new(partner: AnsweringPartner) -> None:
    slot = partner.delivered()
    partner.answer(f"ERROR_{partner.sent()}.txt")
    partner.deployment.drain()
    assert len(partner.answer(f"ERROR_{partner.sent()}.again.txt").named("returns.error")) == 1
    (judged,) = partner.deployment.drain()
    assert not judged.named("window.rejected")
    assert partner.verdict(slot) == "rejected by partner"


def test_an_error_outweighs_an_acknowledgement_whichever_came_first(partner: AnsweringPartner) -> None:
    slot = partner.delivered()
    partner.answer(f"{partner.sent()}.ack")
    assert partner.certify(slot)[0] == "acknowledged"
    partner.answer(f"ERROR_{partner.sent()}.txt")
    partner.deployment.drain()
    assert partner.verdict(slot) == "rejected by partner"
    partner.answer(f"{partner.sent()}.second.ack")
    assert partner.certify(slot) == ("rejected by partner", [])


def test_a_delivery_is_acknowledged_when_each_of_its_parts_is(partner: AnsweringPartner) -> None:
    slot = partner.delivered(MAX_PART_ROWS="6")
    parts = len(partner.deployment.received())
    assert parts >= 3
    for part in range(1, parts):
        partner.answer(f"{partner.sent(part)}.ack")
    assert partner.certify(slot)[0] == "certified"
    partner.answer(f"{partner.sent(parts)}.ack")
    verdict, events = partner.certify(slot)
    assert (verdict, [event["event"] for event in events]) == ("acknowledged", ["window.acknowledged"])
    assert partner.cell(slot).well


def test_an_error_about_one_part_rejects_the_delivery_and_names_the_part(partner: AnsweringPartner) -> None:
    slot = partner.delivered(MAX_PART_ROWS="6")
    partner.answer(f"ERROR_{partner.sent(2)}")
    partner.deployment.drain()
    problem, _ = partner.certificate(slot)["problems"]
    assert partner.verdict(slot) == "rejected by partner"
    assert f"rejected {partner.sent(2)}" in problem
    records = partner.deployment.records(slot)
    assert [record["part"] for name, record in records.items() if "/rejected-" in name] == [2]


def test_the_answer_to_an_earlier_revision_changes_nothing(partner: AnsweringPartner) -> None:
    slot = partner.delivered()
    first = partner.sent()
    assert partner.deployment.deliver(slot, revise=True).error is None
    partner.answer(f"ERROR_{first}.txt")
    partner.deployment.drain()
    assert partner.certify(slot)[0] == "certified"
    run = partner.deployment.within()
    moments = timeline(slot, run.records.folder(slot).entries(), returned_for(slot, run))
    assert [moment.revision for moment in moments if moment.what == "rejected by partner"] == [1]


def test_rows_that_were_fixed_at_the_source_are_sent_as_a_revision_that_is_certified(partner: AnsweringPartner) -> None:
    slot = partner.delivered()
    partner.answer(f"ERROR_{partner.sent()}.txt")
    table = f"`{partner.deployment.tables.name}.payments`"
    partner.deployment.tables.sql(f"UPDATE {table} SET reference = 'fixed' WHERE updated_at >= '{HOUR.start}'")
    ran = partner.deployment.drain()
    assert [event["verdict"] for one in ran for event in one.named("window.republished")] == ["rejected by partner"]
    assert partner.certify(slot)[0] == "certified"
    assert partner.sent(revision=2) != partner.sent()


def test_an_error_stands_until_the_delivery_is_sent_again_on_somebody_s_word(partner: AnsweringPartner) -> None:
    slot = partner.delivered()
    partner.answer(f"ERROR_{partner.sent()}.txt")
    assert not [one for one in partner.deployment.drain() if one.named("window.resent")]
    assert partner.deployment.deliver(slot, resend=True, message_id="by-hand").error is None
    assert partner.cell(slot).state == "delivered"
    assert partner.certify(slot)[0] == "certified"
    partner.answer(f"ERROR_{partner.sent()}.2.txt")
    partner.deployment.drain()
    assert partner.verdict(slot) == "rejected by partner"


def test_a_rejected_file_that_the_partner_put_away_is_not_sent_again_by_itself(partner: AnsweringPartner) -> None:
    slot = partner.delivered()
    partner.answer(f"ERROR_{partner.sent()}.txt")
    (file,) = partner.deployment.received()
    file.unlink()
    (judged,) = partner.deployment.drain()
    assert not judged.named("window.resent")
    assert partner.verdict(slot) == "rejected by partner"


@pytest.mark.parametrize("change", [("_r1_", "_r7_"), ("1of1", "5of5"), ("payments_20", "payments_19")])
@pytest.mark.parametrize(("prefix", "event"), [("ERROR_", "returns.error"), ("", "returns.failed")])
def test_an_answer_about_what_was_never_sent_is_reported_and_judges_nothing(
    partner: AnsweringPartner, change: tuple[str, str], prefix: str, event: str
) -> None:
    slot = partner.delivered()
    (found,) = partner.answer(prefix + partner.sent().replace(*change)).named("returns.error", "returns.failed")
    assert found["event"] == event
    assert "which was never sent" in found["message"]
    assert partner.deployment.published() == []
    assert partner.certify(slot)[0] == "certified"


def test_an_error_about_an_hour_beyond_the_look_back_is_judged_too(partner: AnsweringPartner) -> None:
    partner.deployment.set(LOOK_BACK_HOURS="2")
    slot = partner.delivered()
    partner.answer(f"ERROR_{partner.sent()}.txt")
    (message,) = partner.deployment.published()
    assert json.loads(message)["action"] == "certify"
    assert partner.deployment.run(message).error is None
    assert partner.verdict(slot) == "rejected by partner"


def test_rejected_rows_are_counted_by_reason_and_digest_of_their_key_and_no_value_is_in_the_log(
    partner: AnsweringPartner,
) -> None:
    slot = partner.delivered()
    partner.describe("errors.yaml", ERRORS)
    content = b"payment_id,code\nP-1,BAD_IBAN\nP-2,BAD_IBAN\nP-3,Anna Schmidt is unknown\n"
    ran = partner.answer(f"ERROR_{partner.sent()}", content)
    (event,) = ran.named("returns.error")
    assert event["rows"] == 3
    (judged,) = partner.deployment.drain()
    problem, _ = partner.certificate(slot)["problems"]
    assert "3 rows: 2 BAD_IBAN, 1 other" in problem
    (record,) = [record for name, record in partner.deployment.records(slot).items() if "/rejected-" in name]
    assert [(one["reason"], one["rows"], len(one["keys"])) for one in record["reasons"]] == [
        ("BAD_IBAN", 2, 2),
        ("other", 1, 1),
    ]
    everything = json.dumps([ran.events, judged.events, partner.deployment.records(slot)])
    assert not any(value in everything for value in ("P-1", "P-3", "Schmidt"))


@pytest.mark.parametrize(
    ("content", "verdict"),
    [(b"payment_id,code\n", "acknowledged"), (b"payment_id,code\nP-1,X\n", "rejected by partner")],
)
def test_a_report_rejects_by_its_rows_whatever_its_name(
    partner: AnsweringPartner, content: bytes, verdict: str
) -> None:
    slot = partner.delivered()
    partner.describe("reports.yaml", "pattern: '[.]errors$'\nmeans: rows\nformat: csv\nreason: code\n")
    partner.answer(f"{partner.sent()}.errors", content)
    partner.certify(slot)
    assert partner.verdict(slot) == verdict


@pytest.mark.parametrize("content", [b"", b"code\n\xff\xfe\n", b"other\nx\n", b"code\nx,y\n", b'code\n"x\n'])
def test_a_report_whose_rows_cannot_be_read_counts_as_an_error_and_says_why(
    partner: AnsweringPartner, content: bytes
) -> None:
    slot = partner.delivered()
    partner.describe("reports.yaml", "pattern: '[.]report$'\nmeans: rows\nformat: csv\nreason: code\n")
    (event,) = partner.answer(f"{partner.sent()}.report", content).named("returns.error")
    assert "Its rows are not as reports.yaml says" in event["message"]
    partner.deployment.drain()
    assert partner.verdict(slot) == "rejected by partner"


def test_a_file_that_says_neither_is_archived_and_changes_nothing(partner: AnsweringPartner) -> None:
    slot = partner.delivered()
    partner.describe("receipts.yaml", "pattern: '[.]receipt$'\nmeans: neither\n")
    partner.answer(f"{partner.sent()}.receipt")
    assert partner.certify(slot)[0] == "certified"


def test_a_description_that_is_wrong_is_reported_and_stops_nothing(partner: AnsweringPartner) -> None:
    slot = partner.delivered()
    partner.describe("broken.yaml", "pattern: '('\nmeans: error\n")
    partner.describe("reports.yaml", "pattern: '[.]report$'\nmeans: rows\nformat: jsonl\nreason: code\n")
    ran = partner.answer(f"{partner.sent()}.report", b"")
    (event,) = ran.named("returns.failed")
    assert "returns/broken.yaml: pattern: Value error, is not a regular expression" in event["message"]
    assert partner.certify(slot)[0] == "acknowledged"
