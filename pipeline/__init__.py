"""A payment service provider's hourly data share with Amazon: from the warehouse to the partner, with proof.

CHAIN is the whole of it as a table, in the order in which an hour goes through: `python -m pipeline chain` prints it.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from pipeline.memory import keep_flat

keep_flat()


class Step(NamedTuple):
    """One step of the chain: what it is called, the module that does it, what it takes and what it gives."""

    step: str
    module: str
    takes: str
    gives: str


CHAIN: Final[tuple[Step, ...]] = (
    Step("read", "pipeline.requests", "a message", "a request: datasets, window, what to do"),
    Step("cut", "pipeline.deliver", "a request for many hours", "one message for each dataset, hour and part"),
    Step("plan", "pipeline.plan", "a dataset and an hour", "record plan: snapshot, rows, control totals, parts"),
    Step("extract", "pipeline.source", "a plan", "Arrow batches of that snapshot"),
    Step("check", "pipeline.rows", "batches", "frames in the contract's order; violations, totals"),
    Step("write", "pipeline.csvfile", "frames", "CSV bytes"),
    Step("archive", "pipeline.archive", "CSV bytes, sealed bytes", "objects that are created once"),
    Step("seal", "pipeline.seal", "CSV bytes", "one signed and encrypted OpenPGP message"),
    Step("open again", "pipeline.reopen", "sealed bytes", "proof that they are what was sealed"),
    Step("record", "pipeline.prepare", "all of these proofs", "record sealed"),
    Step("send", "pipeline.send", "record sealed and its archived object", "record delivered"),
    Step("put", "pipeline.partner", "sealed bytes", "a file at the partner, confirmed"),
    Step("certify", "pipeline.certify", "source, records, archive, partner", "record certificate; holes republished"),
    Step("collect", "pipeline.collect", "the partner's returned files", "archived, opened, matched, record returned"),
    Step("look at keys", "pipeline.keys", "secrets and servers", "days left, and what is wrong with a key"),
)
