"""What gpg's status lines say, as typed results: one for encryption, one for decryption; pure.

The lines are those of gpg's `--status-fd`, as its doc/DETAILS lists them. Their words alone prove nothing: gpg writes
END_ENCRYPTION over a full disk, and DECRYPTION_OKAY over a signature that nobody knows. So each result is judged as a
whole, here and nowhere else, against the signatures that were expected.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

MDC_AES256: Final = ("2", "9")
"""BEGIN_ENCRYPTION's fields for integrity protection (MDC) and AES-256: what every receiver can read."""

SignatureState = Literal["good", "bad", "expired", "expired signer", "revoked signer", "unknown signer"]

_STATES: Final[dict[str, SignatureState]] = {
    "GOODSIG": "good",
    "BADSIG": "bad",
    "EXPSIG": "expired",
    "EXPKEYSIG": "expired signer",
    "REVKEYSIG": "revoked signer",
    "ERRSIG": "unknown signer",
}
_FAILURES: Final = frozenset({"DECRYPTION_FAILED", "NODATA", "BADMDC", "BADARMOR", "UNEXPECTED"})
_REASONS: Final = frozenset({"INV_RECP", "INV_SGNR", "FAILURE", "KEYEXPIRED"})

Problem = Literal[
    "not decrypted",
    "damaged",
    "bad signature",
    "expired signature",
    "expired signer",
    "revoked signer",
    "unknown signer",
    "another signer",
    "not signed",
    "several signatures",
]
"""Why a decrypted message is not accepted. `not decrypted`: no key of ours opens it. `another signer`: the signature is
good, and by a key that was not expected, or none was."""

_PROBLEMS: Final[dict[SignatureState, Problem]] = {
    "bad": "bad signature",
    "expired": "expired signature",
    "revoked signer": "revoked signer",
    "unknown signer": "unknown signer",
    "expired signer": "expired signer",
}


@dataclass(frozen=True, slots=True)
class Encryption:
    """What gpg reported about one message that it signed and encrypted.

    `methods` holds protection and cipher of each encrypted packet, `signers` the fingerprint of each signature made,
    `reasons` gpg's own words for a failure.
    """

    returncode: int
    ended: bool
    methods: tuple[tuple[str, ...], ...]
    signers: tuple[str, ...]
    reasons: tuple[str, ...]

    @classmethod
    def of(cls, returncode: int, stderr: str) -> Encryption:
        """Read gpg's return code and stderr."""
        lines = _lines(stderr)
        return cls(
            returncode,
            any(line[0] == "END_ENCRYPTION" for line in lines),
            tuple(tuple(line[1:3]) for line in lines if line[0] == "BEGIN_ENCRYPTION"),
            tuple(line[-1] for line in lines if line[0] == "SIG_CREATED"),
            tuple(" ".join(line) for line in lines if line[0] in _REASONS),
        )

    def problem(self, signers: tuple[str, ...]) -> str | None:
        """Why this does not prove that all was encrypted with MDC and AES-256, and signed by one of `signers`.

        No `signers` means that no signature is expected. None where it is proven; else a sentence.
        """
        if self.returncode != 0 or not self.ended:
            return f"gpg returned {self.returncode} {'; '.join(self.reasons) or 'without a reason'}."
        if self.methods != (MDC_AES256,):
            used = ", ".join(" ".join(method) for method in self.methods) or "none"
            return f"gpg encrypted with mode and cipher {used}; MDC and AES-256 (2 9) are required."
        if len(self.signers) != bool(signers) or not set(self.signers) <= set(signers):
            used, wanted = " and ".join(self.signers) or "nothing", " or ".join(signers) or "nobody"
            return f"gpg signed with {used}; one signature by {wanted} was required."
        return None


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature of a message; `signer` is the fingerprint of the signing key, its ID where gpg does not know it."""

    state: SignatureState
    signer: str


@dataclass(frozen=True, slots=True)
class Decryption:
    """What gpg reported about one message that it decrypted.

    `recipients` are the key IDs that the message is encrypted to. `decrypted`: a key of ours opened it. `intact`: just
    one encrypted message was there, whole, and its integrity protection held; gpg does not get so far where a
    signature is bad. `failures` are gpg's own words.
    """

    returncode: int
    recipients: tuple[str, ...]
    decrypted: bool
    intact: bool
    failures: tuple[str, ...]
    signatures: tuple[Signature, ...]

    @classmethod
    def of(cls, returncode: int, stderr: str) -> Decryption:
        """Read gpg's return code and stderr."""
        lines = _lines(stderr)
        words = [line[0] for line in lines]
        failures = tuple(word for word in words if word in _FAILURES)
        return cls(
            returncode,
            tuple(line[1] for line in lines if line[0] == "ENC_TO"),
            "DECRYPTION_KEY" in words,
            words.count("DECRYPTION_OKAY") == 1 and words.count("GOODMDC") == 1 and not failures,
            failures,
            tuple(_signatures(lines)),
        )

    def problem(self, signers: tuple[str, ...], *, signer_may_have_expired: bool = False) -> Problem | None:
        """Why the content is not accepted as a whole message signed once, by one of `signers`; None where it is.

        No `signers` means that no signature is expected. What was signed in time stays good after the key's end:
        whoever looks at an old message says `signer_may_have_expired`.
        """
        if self.recipients and not self.decrypted:  # gpg 2.4 tries no key on a message that is cut short
            return "not decrypted" if "DECRYPTION_FAILED" in self.failures else "damaged"
        for signature in self.signatures:
            allowed = signature.state == "expired signer" and signer_may_have_expired
            if signature.state != "good" and not allowed:
                return _PROBLEMS[signature.state]
        if self.returncode != 0 or not self.intact:
            return "damaged"
        if len(self.signatures) > 1:
            return "several signatures"
        if any(signature.signer not in signers for signature in self.signatures):
            return "another signer"
        return "not signed" if signers and not self.signatures else None

    @property
    def signer(self) -> str | None:
        """Fingerprint of the key of the first signature; None where there is none."""
        return self.signatures[0].signer if self.signatures else None


def _signatures(lines: Iterable[list[str]]) -> Iterable[Signature]:
    """One for each signature: its state, then, unless it is bad or unknown, VALIDSIG with the fingerprint."""
    signature: Signature | None = None
    for line in lines:
        if line[0] in _STATES:
            if signature is not None:
                yield signature
            signature = Signature(_STATES[line[0]], line[1])
        elif line[0] == "VALIDSIG" and signature is not None:
            signature = Signature(signature.state, line[1])
    if signature is not None:
        yield signature


def _lines(stderr: str) -> list[list[str]]:
    """The status lines, cut into words. Only a line feed ends a line: a name may hold any other character."""
    lines = (line.split(" ")[1:] for line in stderr.split("\n") if line.startswith("[GNUPG:] "))
    return [line for line in lines if line[0]]
