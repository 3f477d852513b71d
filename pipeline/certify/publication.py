"""What certify leaves for people and outsiders after it has judged: the ledger's pages, and the page of all deliveries.

Neither may hold up the other, nor a certificate: a failure is logged and the next run makes up for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from functools import cache
from typing import Final

from pipeline import log
from pipeline.errors import PipelineError
from pipeline.pgp.keyring import Keyring, keyring
from pipeline.pgp.signature import detached
from pipeline.records import ledger
from pipeline.run import Run
from pipeline.status.grid import grid
from pipeline.status.history import histories
from pipeline.status.page import Subject, page
from pipeline.window import Window

SHOWN: Final = timedelta(hours=48)
"""How far back the page looks."""


def publish(run: Run) -> None:
    """Extend the ledger, and write the page of the last two days into the records bucket."""
    with _logged("ledger.failed"):
        extend_ledger(run)
    with _logged("page.failed"):
        write_page(run)


def extend_ledger(run: Run) -> None:
    """Make and sign the pages of the ledger that are due; nothing where no signing key is used.

    The key ring is opened for the first of them. Raises KeyUnusable, CredentialsUnavailable, ArchiveUnavailable,
    RecordDamaged, OutOfTime.
    """
    if not run.settings.pgp_sign:
        return
    with ExitStack() as ending:

        @cache
        def keys() -> Keyring:
            return ending.enter_context(keyring(run.settings, run.credentials))

        bucket = run.bucket(run.settings.records_bucket)
        for made in ledger.extend(bucket, run.now(), lambda content: detached(content, keys=keys())):
            log.emit("ledger.page", None, hour=made.hour.isoformat(), records=len(made.records), sha256=made.sha256)


def write_page(run: Run) -> None:
    """Write the page under a name of this hour, once; the log names it. Raises ArchiveUnavailable, OutOfTime."""
    last = Window.last_full_hour_before(run.now())
    if run.records.has_page(last.end):
        return
    names = tuple(sorted(run.deployment.datasets))
    hours = grid(histories(names, Window(last.end - SHOWN, last.end), run), run.now())
    subject = Subject(run.settings.google_cloud_project, run.settings.sftp_host, names, run.deployment.promises)
    written = run.records.add_page(last.end, page(subject, hours, [], "this page is made without them", run.now()))
    if written is not None:
        log.emit("page.written", None, object=written)


@contextmanager
def _logged(event: str) -> Iterator[None]:
    try:
        yield
    except PipelineError as error:
        log.emit(event, error.message, code=error.code)
