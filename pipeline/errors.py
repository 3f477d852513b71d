"""What can go wrong: one small tree, each kind with a stable code, retryable or not.

The rule for choosing: an error is *retryable* when the same message may succeed later without anybody changing the
message (source late, partner down, time over, key to be rotated): the function raises it and Pub/Sub sends the message
again, with backoff, for as long as the subscription keeps it. Everything else is published to the rejected topic with
its reason and acknowledged, so that it costs no retry.

Third-party errors are mapped to these in the one module that owns the client, and never quoted whole: a warehouse's
error text may hold values of rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar


class PipelineError(Exception):
    """Something that the pipeline expected might happen, said in full sentences.

    `code` and `retryable` belong to the class and never change meaning; `stage` and `delivery` are added on the way
    up by whoever knows them. `silent` names the service that gave no answer, where that is what happened.
    """

    code: ClassVar[str] = "pipeline"
    retryable: ClassVar[bool] = True
    next_step: ClassVar[str] = "Nothing was recorded by this attempt; the message is delivered again with backoff."

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message
        self.stage: str | None = None
        self.delivery: str | None = None
        self.silent: str | None = None

    def happened_in(self, stage: str, delivery: str | None = None) -> None:
        """Remember the stage and the delivery, unless a closer place was named already."""
        self.stage = self.stage or stage
        self.delivery = self.delivery or delivery

    def __str__(self) -> str:
        place = " ".join(part for part in (self.stage, self.delivery) if part)
        return f"[{self.code}] {place + ': ' if place else ''}{self.message} {self.next_step}"


class MessageRejected(PipelineError):
    """The message can never succeed as it stands."""

    code = "message-rejected"
    retryable = False
    next_step = "The message was put on the rejected topic; publish a corrected one."


class SettingsInvalid(PipelineError):
    """The environment does not say what the function needs to know."""

    code = "settings-invalid"
    next_step = "Correct the settings and deploy again; messages wait in the subscription meanwhile."


class AnswerMissing(PipelineError):
    """The function did not answer a command in time."""

    code = "answer-missing"
    next_step = "The message stays on the topic and is carried out when that is possible; the log says what happens."


class ContractInvalid(PipelineError):
    """A contract file says something that cannot be carried out."""

    code = "contract-invalid"
    next_step = "Correct the contract and deploy again; messages wait in the subscription meanwhile."


class SourceNotReady(PipelineError):
    """The warehouse has not finished the window yet."""

    code = "source-not-ready"


class SourceUnavailable(PipelineError):
    """BigQuery did not answer, or refused what was asked."""

    code = "source-unavailable"


class SourceChanged(PipelineError):
    """What was read is not what the plan counted at the same snapshot."""

    code = "source-changed"


class RowsRefused(PipelineError):
    """Rows break the contract; the report is in the `refused` record."""

    code = "rows-refused"
    retryable = False
    next_step = (
        "The delivery is recorded as refused and nothing was sent. Fix the rows at the source, then republish the "
        "window: the next revision is planned."
    )


class ArchiveUnavailable(PipelineError):
    """Cloud Storage did not answer, or refused what was asked."""

    code = "archive-unavailable"


class ArchiveDamaged(PipelineError):
    """An archived object is not the one that its record describes."""

    code = "archive-damaged"
    retryable = False
    next_step = (
        "Nothing of it was sent. Find out who changed the object, then publish the window with "
        '"revise": true to extract it anew.'
    )


class RecordDamaged(PipelineError):
    """A record cannot be read back as it was written."""

    code = "record-damaged"
    retryable = False
    next_step = (
        "Nothing was sent. Restore the record from the bucket's versions, or publish the window with "
        '"revise": true to start a new revision.'
    )


class CredentialsUnavailable(PipelineError):
    """Secret Manager's answer is that a secret cannot be read, or the secret holds something else than is needed."""

    code = "credentials-unavailable"


class CredentialsUnreachable(CredentialsUnavailable):
    """Secret Manager did not answer; nothing is known of the secret."""

    code = "credentials-unreachable"


class KeyUnusable(PipelineError):
    """A key is expired, revoked, missing, or cannot do what it is for."""

    code = "key-unusable"
    next_step = "Nothing was sealed. Add a usable key as a new version of the secret; the next attempt uses it."


class SealFailed(PipelineError):
    """gpg did not prove that it signed and encrypted everything."""

    code = "seal-failed"


class OpenedDiffers(PipelineError):
    """The sealed file, opened again, is not the file that was sealed."""

    code = "opened-differs"


class PartnerUnavailable(PipelineError):
    """The partner's server did not answer, or broke off."""

    code = "partner-unavailable"


class PartnerUntrusted(PipelineError):
    """The partner's server showed a host key that is not pinned."""

    code = "partner-untrusted"
    next_step = (
        "The connection was closed before authentication and nothing was sent. Ask the partner whether the key was "
        "changed; if so, add the new one to the secret beside the old."
    )


class PartnerRefused(PartnerUnavailable):
    """The partner's server refused our key, or an operation."""

    code = "partner-refused"


class UploadDiffers(PipelineError):
    """The partner's server holds another size than was sent."""

    code = "upload-differs"


class UploadTooSlow(PipelineError):
    """The partner takes a file so slowly that no invocation can finish its upload."""

    code = "upload-too-slow"
    retryable = False
    next_step = (
        "The file is not at the partner. Lower MAX_PART_BYTES to a half of what an invocation can send, "
        'deploy, and publish the window with "revise": true; or ask the partner for more speed.'
    )


class TopicUnavailable(PipelineError):
    """Pub/Sub did not confirm a message that had to be published."""

    code = "topic-unavailable"


class OutOfTime(PipelineError):
    """The invocation's time budget is over; the stage stopped by itself."""

    code = "out-of-time"


class FunctionCrashed(PipelineError):
    """A defect of ours; the log names the place, never the data."""

    code = "function-crashed"


def kinds() -> list[type[PipelineError]]:
    """All kinds of error, most general first, for the documentation and its test."""
    kinds_met: list[type[PipelineError]] = []
    queue: list[type[PipelineError]] = [PipelineError]
    while queue:
        kind = queue.pop(0)
        kinds_met.append(kind)
        queue += kind.__subclasses__()
    return kinds_met


@contextmanager
def during(stage: str, delivery: str) -> Iterator[None]:
    """Name a part of a stage's work in any pipeline error that passes, unless a closer place was named already."""
    try:
        yield
    except PipelineError as error:
        error.happened_in(stage, delivery)
        raise
