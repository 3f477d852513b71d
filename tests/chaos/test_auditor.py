"""The auditor notices each of the things that it says are not there."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from localcloud import keys
from localcloud.opened import decrypt, partner_home
from pipeline.window import Slot
from tests.chaos.auditor import Audit, audit
from tests.chaos.sights import Seen
from tests.faults.harness import DATASET, FaultHarness, fault_harness
from tests.faults.proof import files
from tests.faults.push import asking_for, push

ROWS = 30


@pytest.fixture(scope="module")
def harness() -> Iterator[FaultHarness]:
    with fault_harness() as made:
        yield made


@pytest.fixture
def slot(harness: FaultHarness) -> Iterator[Slot]:
    """An hour that is delivered, and that the auditor finds in order; its files are put back afterwards."""
    made = harness.slot(ROWS)
    assert push(harness.function().url, asking_for(made.window, DATASET)).acknowledges
    kept = {path: path.read_bytes() for path in harness.deployment.received()}
    assert audited(harness, made) == Audit(files=len(kept), rows=audited(harness, made).rows)
    yield made
    for path in harness.deployment.files.iterdir():
        if path not in kept:
            path.unlink()
    for path, content in kept.items():
        path.write_bytes(content)


def audited(harness: FaultHarness, *slots: Slot, seen: tuple[Seen, ...] = (), left: tuple[str, ...] = ()) -> Audit:
    return audit(harness.deployment, slots, [harness.cloud.partner_key], seen=seen, left=left)


def resealed(harness: FaultHarness, file: Path, old: bytes, new: bytes) -> None:
    """Change the content and seal it as we would: only who compares with the warehouse and the records can tell."""
    ours, partner = harness.cloud.signing_key, harness.cloud.partner_key
    with partner_home(partner, ours) as home:
        content = decrypt(home, file, ours.fingerprint)
        assert old in content
        import_ours = ["gpg", "--homedir", str(home), "--batch", "--pinentry-mode", "loopback", "--passphrase-fd", "0"]
        secret = f"{ours.passphrase}\n".encode()
        subprocess.run([*import_ours, "--import"], input=secret + ours.private, check=True, capture_output=True)
        plain = home / "plain"
        plain.write_bytes(content.replace(old, new, 1))
        sealing = ["--trust-model", "always", "--yes", "--sign", "--local-user", ours.fingerprint, "--encrypt"]
        sealing += ["--recipient", partner.fingerprint, "--output", str(file), str(plain)]
        subprocess.run([*import_ours, *sealing], input=secret, check=True, capture_output=True)


def test_a_file_that_is_gone_is_rows_lost(harness: FaultHarness, slot: Slot) -> None:
    (file,) = files(harness, slot)
    file.unlink()
    found = audited(harness, slot)
    assert found.lost > 0
    assert not found.clean


def test_a_row_that_came_later_to_the_warehouse_is_lost_until_it_is_sent(harness: FaultHarness, slot: Slot) -> None:
    harness.deployment.fill(slot.window.start, {DATASET: 3}, seed=77)
    harness.deployment.tables.complete([DATASET], harness.end)
    assert 0 < audited(harness, slot).lost <= 3


def test_a_changed_row_under_our_own_signature_is_altered_lost_and_unchecked(harness: FaultHarness, slot: Slot) -> None:
    (file,) = files(harness, slot)
    resealed(harness, file, b"-000000", b"-900000")
    found = audited(harness, slot)
    assert (found.altered, found.lost) == (1, 1)
    assert found.unchecked == file.stat().st_size


def test_a_file_that_is_cut_off_is_unchecked(harness: FaultHarness, slot: Slot) -> None:
    (file,) = files(harness, slot)
    file.write_bytes(file.read_bytes()[:-50])
    found = audited(harness, slot)
    assert found.unchecked == file.stat().st_size
    assert found.lost > 0


def test_a_file_that_nobody_recorded_is_unchecked_and_its_rows_are_foreign(harness: FaultHarness, slot: Slot) -> None:
    (file,) = files(harness, slot)
    file.with_name(file.name.replace("1of1", "2of2")).write_bytes(file.read_bytes())
    found = audited(harness, slot)
    assert found.unchecked == file.stat().st_size
    assert found.altered > 0


def test_other_content_that_was_seen_for_a_moment_is_noticed_and_half_a_file_is_not(
    harness: FaultHarness, slot: Slot
) -> None:
    (file,) = files(harness, slot)
    half = file.read_bytes()[:100]
    seen = (Seen(file.name, half), Seen(file.name, None), Seen(file.name, b"\x00" + half))
    assert audited(harness, slot, seen=seen[:2]).clean
    assert audited(harness, slot, seen=seen).altered == 1


def test_temporary_names_and_what_others_found_are_leftovers(harness: FaultHarness, slot: Slot) -> None:
    (harness.deployment.files / ".name.part").touch()
    assert audited(harness, slot, left=("gpg-agent",)).leftovers == 2


def test_a_slot_that_was_never_planned_is_lost_even_without_rows(harness: FaultHarness, slot: Slot) -> None:
    assert audited(harness, slot, harness.slot(0)).lost == 1


def test_another_key_of_the_partner_opens_nothing(harness: FaultHarness, slot: Slot) -> None:
    with keys.gnupg_home() as home:
        other = keys.pgp_key(home, "Partner <partner@example.com>")
    found = audit(harness.deployment, [slot], [other])
    assert found.unchecked == sum(path.stat().st_size for path in harness.deployment.received())
