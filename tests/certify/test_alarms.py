"""An alarm is raised once through the function's log, whoever finds its cause."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
from click.testing import CliRunner

from localcloud import sampledata
from localcloud.partner.faults import Fault
from localcloud.partner.running import running
from pipeline.__main__ import main as command
from pipeline.records.schema import Rejected
from pipeline.states import STATES
from pipeline.window import Slot, rfc3339
from tests.certify.conftest import Certifying
from tests.chain.test_punctual import promising
from tests.deployment import asking


def _file_cut_short(one: Certifying, slot: Slot) -> None:
    (file,) = one.deployment.received()
    file.write_bytes(file.read_bytes()[:-1])


def _late_rows(one: Certifying, slot: Slot) -> None:
    dataset = one.deployment.datasets["payments"]
    one.deployment.tables.load(dataset.table, sampledata.rows(dataset, slot.window, 3, seed=9))


def _rows_gone(one: Certifying, slot: Slot) -> None:
    one.deployment.tables.sql(f"DELETE FROM `{one.deployment.tables.name}.payments` WHERE payment_id LIKE '%7'")


def _record_gone(one: Certifying, slot: Slot) -> None:
    _delete(one, slot, "sealed-1")


def _plan_without_end(one: Certifying, slot: Slot) -> None:
    _delete(one, slot, "delivered-1-1")


def _everything_gone(one: Certifying, slot: Slot) -> None:
    for name in one.deployment.records(slot):
        _delete(one, slot, name.removeprefix("r1/"))


def _broken_off(one: Certifying, slot: Slot) -> None:
    one.cut(slot, resend=True)


def _file_gone(one: Certifying, slot: Slot) -> None:
    one.deployment.received()[0].unlink()


def _watermark_back(one: Certifying, slot: Slot) -> None:
    _everything_gone(one, slot)
    one.deployment.tables.sql(f"DELETE FROM `{one.deployment.tables.name}.watermark` WHERE TRUE")


def _stuck(one: Certifying, slot: Slot) -> None:
    _plan_without_end(one, slot)
    one.begun_earlier(slot)


def _rejected(one: Certifying, slot: Slot) -> None:
    folder = one.deployment.within().records.folder(slot).revision(1)
    folder.add_answer(Rejected(part=1, file_name="ERROR.txt", returned="returns/ERROR.txt/1-1.json"))


def _delete(one: Certifying, slot: Slot, name: str) -> None:
    bucket = one.deployment.cloud.storage.bucket(one.deployment.records_bucket)
    bucket.blob(f"deliveries/{slot.folder}/r1/{name}.json").delete()


FINDINGS: Final[dict[str, Callable[[Certifying, Slot], None]]] = {
    "partner mismatch": _file_cut_short,
    "late rows": _late_rows,
    "rows gone": _rows_gone,
    "archive mismatch": _record_gone,
    "missing": _everything_gone,
    "stalled": _stuck,
    "unsettled": _broken_off,
    "vanished": _file_gone,
    "source not ready": _watermark_back,
    "rejected by partner": _rejected,
}


def typed(one: Certifying, slot: Slot) -> int:
    """Type `certify` for the slot; its exit code."""
    return type_in(one, "certify", "--here", "--start", rfc3339(slot.window.start), "--dataset", slot.dataset)


def type_in(one: Certifying, *words: str) -> int:
    """Type a command; its exit code."""
    return CliRunner().invoke(command, words, env=one.deployment.environment(), catch_exceptions=False).exit_code


@pytest.mark.parametrize("verdict", FINDINGS)
def test_the_function_raises_what_a_typed_command_found_once(certifying: Certifying, verdict: str) -> None:
    deployment = certifying.deployment
    deployment.set(FIRST_HOUR="2026-01-01T00:00:00Z")
    slot = deployment.load()
    deployment.deliver(slot)
    FINDINGS[verdict](certifying, slot)
    assert typed(certifying, slot) == 1
    assert certifying.latest(slot)["verdict"] == verdict
    deployment.drain()  # what was published is carried out before the function certifies
    event = STATES[verdict].event  # type: ignore[index]  # a key of the table
    assert event is not None
    runs = [deployment.run({"action": "certify", "datasets": ["identity"]}) for _ in range(2)]
    found = [[one for one in ran.named(event) if one.get("dataset") == slot.dataset] for ran in runs]
    assert [len(events) for events in found] == [1, 0]


def test_every_verdict_with_an_alert_is_among_them() -> None:
    alerting = {name for name, state in STATES.items() if state.alert}
    assert alerting == set(FINDINGS)


def test_a_changed_host_key_that_a_typed_command_meets_is_raised_too(certifying: Certifying) -> None:
    deployment = certifying.deployment
    slot = deployment.load()
    deployment.deliver(slot)
    deployment.cloud.add_secret("other-host-keys", deployment.cloud.login_key.public)
    deployment.set(SFTP_HOST_KEYS_SECRET="other-host-keys")
    assert typed(certifying, slot) == 3
    ran = deployment.run({"action": "certify", "datasets": ["identity"]})
    assert len(ran.named("partner.untrusted")) == 1


def test_typed_commands_say_and_show_by_their_exit_code_that_the_partner_was_not_asked(certifying: Certifying) -> None:
    slot = certifying.deployment.load()
    certifying.deployment.deliver(slot)
    certifying.break_partner(Fault("connect", "error", times=9))
    words = ["certify", "--here", "--start", rfc3339(slot.window.start), "--dataset", slot.dataset]
    result = CliRunner().invoke(command, words, env=certifying.deployment.environment(), catch_exceptions=False)
    assert result.exit_code == 3
    assert "could not be asked" in result.stdout


@pytest.mark.parametrize(("name", "event"), [("errors.csv", "returns.error"), ("links", "returns.failed")])
def test_what_a_typed_collect_found_is_raised_once(
    certifying: Certifying, tmp_path: Path, name: str, event: str
) -> None:
    deployment = certifying.deployment
    deployment.load()
    with running(tmp_path, "aws") as server:
        deployment.cloud.add_secret("returns-key", server.client_key.private)
        deployment.cloud.add_secret("returns-host-keys", server.host_key.public)
        deployment.set(
            RETURNS_HOST=server.host,
            RETURNS_PORT=str(server.port),
            RETURNS_USER=server.user,
            RETURNS_KEY_SECRET="returns-key",
            RETURNS_HOST_KEYS_SECRET="returns-host-keys",
        )
        (server.root / name).mkdir() if name == "links" else (server.root / name).write_text("row 1 is refused")
        assert type_in(certifying, "collect", "--here") == 1
        runs = [deployment.run({"action": "collect"}) for _ in range(2)]
    assert [[one["file"] for one in ran.named(event)] for ran in runs] == [[name], []]


def test_rows_that_a_typed_delivery_refuses_are_raised_once(certifying: Certifying) -> None:
    deployment = certifying.deployment
    slot = deployment.load()
    deployment.tables.sql(f"UPDATE `{deployment.tables.name}.payments` SET currency = 'nothing' WHERE TRUE")
    hour = rfc3339(slot.window.start)
    assert type_in(certifying, "deliver", "--here", "--yes", "--start", hour, "--dataset", "payments") == 4
    runs = [deployment.run({"action": "certify", "datasets": ["identity"]}) for _ in range(2)]
    found = [[one["window"] for one in ran.named("rows.refused")] for ran in runs]
    assert found == [[str(slot.window)], []]


def test_a_delivery_by_hand_that_is_later_than_promised_is_raised_once(certifying: Certifying) -> None:
    deployment = certifying.deployment
    slot = deployment.load_sample(contract=promising(minutes=1))
    hour = rfc3339(slot.window.start)
    assert type_in(certifying, "deliver", "--here", "--yes", "--start", hour, "--dataset", slot.dataset) == 0
    runs = [deployment.run({"action": "certify"}) for _ in range(2)]
    assert [len(ran.named("delivery.late")) for ran in runs] == [1, 0]


def test_an_alarm_that_cannot_be_read_is_one_and_stops_neither_certify_nor_the_others(certifying: Certifying) -> None:
    deployment = certifying.deployment
    slot = deployment.load()
    deployment.deliver(slot)
    _file_gone(certifying, slot)
    assert typed(certifying, slot) == 1
    deployment.drain()
    deployment.cloud.storage.bucket(deployment.records_bucket).blob("alarms/0.json").upload_from_string(b"{}")
    first, second = (deployment.run({"action": "certify", **asking(slot)}) for _ in range(2))
    assert first.error is None
    assert not first.named("message.rejected")
    assert [len(ran.named("archive.damaged")) for ran in (first, second)] == [1, 0]
    assert len(first.named("window.vanished")) == 1
    assert certifying.latest(slot)["verdict"] == "certified"
