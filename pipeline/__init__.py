"""A payment service provider's hourly data share with Amazon: from the warehouse to the partner, with proof.

CHAIN is the whole of it as a table, in the order in which an hour goes through: `python -m pipeline chain` prints it.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from pipeline.streams.memory import keep_flat

keep_flat()

VERSION: Final = "0.2.0"
"""Stands here alone: pyproject.toml reads it, and what is deployed is this source without pyproject.toml."""


class Step(NamedTuple):
    """One step of the chain: what it is called, the module that does it, what it takes and what it gives."""

    step: str
    module: str
    takes: str
    gives: str


CHAIN: Final[tuple[Step, ...]] = (
    Step("read", "pipeline.messages", "a message", "a request: datasets, window, what to do"),
    Step("fan out", "pipeline.deliver.delivery", "a request for many hours", "a message for each dataset, hour, part"),
    Step("plan", "pipeline.deliver.plan", "a dataset and an hour", "record plan: snapshot, totals, parts"),
    Step("extract", "pipeline.clients.bigquery", "a plan", "Arrow batches of that snapshot"),
    Step("check", "pipeline.deliver.rows", "batches", "frames in the contract's order; violations, totals"),
    Step("write", "pipeline.deliver.csvfile", "frames", "CSV bytes"),
    Step("archive", "pipeline.clients.storage", "CSV bytes, sealed bytes", "objects that are created once"),
    Step("encrypt", "pipeline.pgp.encrypt", "CSV bytes", "one signed and encrypted OpenPGP message"),
    Step("open again", "pipeline.pgp.reopen", "sealed bytes", "proof that they are what was sealed"),
    Step("seal", "pipeline.deliver.seal", "all of these proofs", "record sealed"),
    Step("upload", "pipeline.deliver.upload", "record sealed and its archived object", "record delivered"),
    Step("put", "pipeline.clients.sftp", "sealed bytes", "a file at the partner, confirmed"),
    Step("certify", "pipeline.certify.certification", "source, records, archive, partner", "record certificate"),
    Step(
        "collect",
        "pipeline.collect.collection",
        "the partner's returned files",
        "archived, opened, matched, recorded",
    ),
    Step("keys", "pipeline.keys", "secrets and servers", "days left, and what is wrong with a key"),
    Step("verify", "pipeline.verify", "everything that a run needs", "what was tried, how that went, what to do"),
)
