"""An alarm is raised once through the function's log, whoever finds its cause."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import pytest
from click.testing import CliRunner

from localcloud import sampledata
from localcloud.partner.faults import Fault
from pipeline.__main__ import main as command
from pipeline.states import STATES
from pipeline.window import Slot, rfc3339
from tests.certify.conftest import Certifying


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


def _delete(one: Certifying, slot: Slot, name: str) -> None:
    bucket = one.deployment.cloud.storage.bucket(one.deployment.records_bucket)
    bucket.blob(f"deliveries/{slot.folder}/r1/{name}.json").delete()


FINDINGS: Final[dict[str, Callable[[Certifying, Slot], None]]] = {
    "partner mismatch": _file_cut_short,
    "late rows": _late_rows,
    "rows gone": _rows_gone,
    "archive mismatch": _record_gone,
    "missing": _everything_gone,
    "unsettled": _broken_off,
    "vanished": _file_gone,
    "source not ready": _watermark_back,
}


def typed(one: Certifying, slot: Slot) -> int:
    """Type `certify` for the slot; its exit code."""
    words = ["certify", "--here", "--start", rfc3339(slot.window.start), "--dataset", slot.dataset]
    result = CliRunner().invoke(command, words, env=one.deployment.environment(), catch_exceptions=False)
    return result.exit_code


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
    assert alerting - {"stalled"} <= set(FINDINGS)  # `stalled` needs an hour: see test_stalled.py


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
