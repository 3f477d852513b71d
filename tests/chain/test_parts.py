"""A large delivery: nothing leaves before all parts are sealed, and no death in between loses or repeats a part."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline.window import Slot
from tests.deployment import InProcessDeployment, Ran


def in_parts(deployment: InProcessDeployment) -> tuple[Slot, list[bytes]]:
    """An hour of several parts that is planned, and the messages that its parts are sealed by."""
    slot = deployment.load(count=300)
    deployment.set(MAX_PART_ROWS="100")
    assert deployment.deliver(slot, message_id="m").error is None
    messages = deployment.published()
    assert len(messages) > 2
    return slot, messages


def delivered(deployment: InProcessDeployment, slot: Slot) -> list[str]:
    """The names of the `delivered` records of the first revision."""
    return sorted(name for name in deployment.records(slot) if name.startswith("r1/delivered-"))


def asked(messages: list[bytes]) -> list[tuple[int, bool]]:
    """Which part each message is about, and whether it is to be uploaded."""
    contents: list[dict[str, Any]] = [json.loads(message) for message in messages]
    return sorted((content["part"], content.get("upload", False)) for content in contents)


def whole(deployment: InProcessDeployment, slot: Slot, parts: int) -> bool:
    """Every part was delivered once, and together they are the hour."""
    once = delivered(deployment, slot) == sorted(f"r1/delivered-{part}-1" for part in range(1, parts + 1))
    return once and deployment.identical(slot, *deployment.received())


def test_nothing_is_sent_before_every_part_is_sealed(any_deployment: InProcessDeployment) -> None:
    slot, messages = in_parts(any_deployment)
    *others, last = messages
    for message in others:
        ran = any_deployment.run(message)
        assert (ran.error, ran.names[-2]) == (None, "delivery.waiting")
        assert (any_deployment.received(), any_deployment.published()) == ([], [])
    ran = any_deployment.run(last)
    assert (ran.error, any_deployment.received()) == (None, [])
    uploads = any_deployment.published()
    assert asked(uploads) == [(part, True) for part in range(1, len(messages) + 1)]
    assert [any_deployment.run(message).error for message in uploads] == [None] * len(messages)
    assert whole(any_deployment, slot, len(messages))
    assert any_deployment.published() == []


def test_a_row_that_breaks_the_contract_in_one_part_stops_all_of_them(deployment: InProcessDeployment) -> None:
    slot = deployment.load(count=300)
    table = f"`{deployment.tables.name}.payments`"
    (row, *_) = deployment.tables.sql(f"SELECT MIN(payment_id) AS id FROM {table} WHERE in_program")
    deployment.tables.sql(f"UPDATE {table} SET currency = 'broken' WHERE payment_id = '{row['id']}'")
    deployment.set(MAX_PART_ROWS="100")
    deployment.deliver(slot)
    ran = deployment.drain()
    assert len([one for one in ran if one.named("rows.refused")]) == 1
    assert not any(one.named("upload.started") for one in ran)
    assert deployment.received() == []


def test_parts_that_are_sealed_at_the_same_time_are_sent_once(deployment: InProcessDeployment) -> None:
    slot, messages = in_parts(deployment)
    for message in messages:
        deployment.run(message)
    for message in messages[-2:]:  # each of the last two found all parts sealed, and so both publish
        deployment.run(message)
    assert len(deployment.published()) == 3 * len(messages)
    for message in messages[-2:]:
        deployment.run(message)
    ran = deployment.drain()
    assert [one.error for one in ran] == [None] * 2 * len(messages)
    assert whole(deployment, slot, len(messages))


def test_a_death_between_the_last_seal_and_the_messages_for_it_loses_nothing(deployment: InProcessDeployment) -> None:
    slot, messages = in_parts(deployment)
    *others, last = messages
    for message in others:
        deployment.run(message)
    deployment.set(TIME_BUDGET_SECONDS="10")
    deployment.cloud.break_topics({"match": "Publish", "action": "error", "times": 10_000})
    ran = deployment.run(last)
    assert ran.named("seal.completed")
    assert ran.error is not None
    assert ran.error.retryable
    deployment.cloud.end_faults()
    again = deployment.run(last)
    assert (again.error, again.named("seal.started")) == (None, [])
    deployment.drain()
    assert whole(deployment, slot, len(messages))


@pytest.mark.parametrize("number", [0, -1])
def test_any_partss_message_that_comes_again_goes_on(deployment: InProcessDeployment, number: int) -> None:
    slot, messages = in_parts(deployment)
    for message in messages:
        deployment.run(message)
    deployment.published()  # lost
    deployment.run(messages[number])
    deployment.drain()
    assert whole(deployment, slot, len(messages))


def test_a_message_to_upload_a_part_seals_it_where_that_is_still_to_be_done(deployment: InProcessDeployment) -> None:
    slot, messages = in_parts(deployment)
    early = {**json.loads(messages[0]), "upload": True}
    ran = deployment.run(early)
    assert (ran.error, ran.names[-2], deployment.received()) == (None, "delivery.waiting", [])
    for message in messages[1:]:
        deployment.run(message)
    deployment.drain()
    assert whole(deployment, slot, len(messages))


def test_resend_of_a_large_delivery_sends_every_part_once_more(deployment: InProcessDeployment) -> None:
    slot, messages = in_parts(deployment)
    for message in messages:
        deployment.run(message)
    deployment.drain()
    before = {file.name: file.read_bytes() for file in deployment.received()}
    deployment.deliver(slot, message_id="again", resend=True)
    ran: list[Ran] = deployment.drain()
    assert len([one for one in ran if one.named("upload.completed")]) == len(messages)
    assert {file.name: file.read_bytes() for file in deployment.received()} == before
