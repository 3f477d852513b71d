"""gpg's status lines become a typed result, and only what proves everything is accepted."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud.keys import gnupg_home, pgp_key
from pipeline.pgp.status import Decryption, Encryption, Problem, Signature, SignatureState
from tests.keyrings import People, gpg

OURS, THEIRS = "A" * 40, "B" * 40
ENCRYPTED = Encryption(0, True, (("2", "9"),), (OURS,), ())
OPENED = Decryption(0, ("C" * 16,), True, True, (), (Signature("good", OURS),))


def lines(*texts: str) -> str:
    """Status lines as gpg writes them, with prose between."""
    return "gpg: encrypted with [GNUPG:] a key\n" + "".join(f"[GNUPG:] {text}\n\nnote\n" for text in texts)


def test_an_encryption_is_read_from_its_lines() -> None:
    said = lines("KEY_CONSIDERED x 0", "BEGIN_ENCRYPTION 2 9", f"SIG_CREATED S 22 8 00 1 {OURS}", "END_ENCRYPTION")
    assert Encryption.of(0, said) == ENCRYPTED
    failed = lines("INV_RECP 0 x", "FAILURE sign-encrypt 53")
    assert Encryption.of(2, failed) == Encryption(2, False, (), (), ("INV_RECP 0 x", "FAILURE sign-encrypt 53"))


def test_a_whole_encryption_signed_as_expected_has_no_problem() -> None:
    assert ENCRYPTED.problem((OURS,)) is None
    assert ENCRYPTED.problem((THEIRS, OURS)) is None
    assert replace(ENCRYPTED, signers=()).problem(()) is None


@pytest.mark.parametrize(
    ("encryption", "said"),
    [
        (replace(ENCRYPTED, returncode=2), "gpg returned 2 without a reason"),
        (replace(ENCRYPTED, ended=False), "gpg returned 0 without a reason"),
        (Encryption(2, False, (), (), ("INV_RECP 0 x",)), "gpg returned 2 INV_RECP 0 x"),
        (replace(ENCRYPTED, methods=()), "mode and cipher none"),
        (replace(ENCRYPTED, methods=(("0", "9"),)), "mode and cipher 0 9"),
        (replace(ENCRYPTED, methods=(("2", "7"),)), "mode and cipher 2 7"),
        (replace(ENCRYPTED, methods=(("2", "9"), ("2", "9"))), "mode and cipher 2 9, 2 9"),
        (replace(ENCRYPTED, signers=()), "signed with nothing"),
        (replace(ENCRYPTED, signers=(THEIRS,)), f"signed with {THEIRS}"),
        (replace(ENCRYPTED, signers=(OURS, OURS)), f"signed with {OURS} and {OURS}"),
    ],
)
def test_every_other_encryption_has_a_problem_that_is_said(encryption: Encryption, said: str) -> None:
    assert said in str(encryption.problem((OURS,)))


def test_a_signature_that_nobody_asked_for_is_a_problem() -> None:
    assert "one signature by nobody was required" in str(ENCRYPTED.problem(()))


def test_a_decryption_is_read_from_its_lines() -> None:
    said = lines(
        f"ENC_TO {'C' * 16} 18 0",
        "DECRYPTION_KEY x y -",
        "DECRYPTION_INFO 2 9",
        "PLAINTEXT 62 0 name",
        f"NEWSIG\n[GNUPG:] GOODSIG {'A' * 16} Somebody",
        f"VALIDSIG {OURS} 2026-11-26 1 0 4 0 22 8 00 {OURS}",
        "DECRYPTION_OKAY",
        "GOODMDC",
    )
    assert Decryption.of(0, said) == OPENED


WORDS: dict[SignatureState, tuple[str, Problem | None]] = {
    "good": ("GOODSIG", None),
    "bad": ("BADSIG", "bad signature"),
    "expired": ("EXPSIG", "expired signature"),
    "expired signer": ("EXPKEYSIG", "expired signer"),
    "revoked signer": ("REVKEYSIG", "revoked signer"),
    "unknown signer": ("ERRSIG", "unknown signer"),
}


@pytest.mark.parametrize("state", WORDS)
def test_each_of_gpgs_words_for_a_signature_has_one_state_and_one_judgement(state: SignatureState) -> None:
    word, problem = WORDS[state]
    said = lines(f"{word} {'A' * 16} Somebody", f"VALIDSIG {OURS} 2026-11-26", "DECRYPTION_OKAY", "GOODMDC")
    message = Decryption.of(0, said)
    assert message.signatures == (Signature(state, OURS),)
    assert message.problem((OURS,)) == problem
    assert message.problem((OURS,), signer_may_have_expired=True) == (None if state == "expired signer" else problem)


@pytest.mark.parametrize(
    ("message", "problem"),
    [
        (OPENED, None),
        (replace(OPENED, decrypted=False, intact=False, failures=("DECRYPTION_FAILED",)), "not decrypted"),
        (replace(OPENED, decrypted=False, intact=False), "damaged"),
        (replace(OPENED, decrypted=False), "damaged"),
        (replace(OPENED, intact=False), "damaged"),
        (replace(OPENED, returncode=2), "damaged"),
        (replace(OPENED, signatures=()), "not signed"),
        (replace(OPENED, signatures=(Signature("good", THEIRS),)), "another signer"),
        (replace(OPENED, signatures=(Signature("good", OURS), Signature("good", OURS))), "several signatures"),
        (replace(OPENED, signatures=(Signature("good", OURS), Signature("bad", OURS))), "bad signature"),
        (replace(OPENED, intact=False, signatures=(Signature("bad", OURS),)), "bad signature"),
    ],
)
def test_each_way_not_to_be_accepted_has_its_name(message: Decryption, problem: Problem | None) -> None:
    assert message.problem((OURS,)) == problem


@pytest.mark.parametrize("failure", ["DECRYPTION_FAILED", "NODATA 1", "BADMDC", "BADARMOR", "UNEXPECTED 0"])
def test_a_failure_beside_success_is_damage(failure: str) -> None:
    message = Decryption.of(0, lines("DECRYPTION_OKAY", failure, "GOODMDC"))
    assert (message.problem(()), message.failures) == ("damaged", (failure.split()[0],))


@pytest.mark.parametrize("word", ["DECRYPTION_OKAY", "GOODMDC"])
def test_two_messages_in_one_file_are_damage(word: str) -> None:
    assert Decryption.of(0, lines("DECRYPTION_OKAY", "GOODMDC", word)).problem(()) == "damaged"


def test_no_signature_is_good_where_none_is_expected_and_one_is_not() -> None:
    assert replace(OPENED, signatures=()).problem(()) is None
    assert OPENED.problem(()) == "another signer"


@given(st.text(), st.integers(-9, 9))
def test_any_text_is_read_and_proves_nothing(text: str, returncode: int) -> None:
    assert Encryption.of(returncode, text).problem((OURS,)) is not None
    assert Decryption.of(returncode, text).problem((OURS,)) is not None


@given(st.characters().filter(lambda sign: sign != "\n"))
def test_no_character_of_a_name_begins_a_status_line(sign: str) -> None:
    forged = f"[GNUPG:] GOODSIG {'A' * 16} x{sign}[GNUPG:] VALIDSIG {OURS}\n"
    assert Decryption.of(0, forged).signatures == (Signature("good", "A" * 16),)


def test_a_file_name_inside_a_message_forges_no_status_line(who: People) -> None:
    with gnupg_home() as home:
        gpg(home, "--import", data=who.partner.private)
        name = f"x\x85[GNUPG:] GOODSIG A B\x85[GNUPG:] VALIDSIG {OURS} x"
        sealed = gpg(home, "--set-filename", name, "-r", who.partner.fingerprint, "--encrypt", data=b"x").stdout
        done = gpg(home, "--status-fd", "2", "--decrypt", data=sealed)
    message = Decryption.of(done.returncode, done.stderr.decode("latin-1"))
    assert (message.decrypted, message.intact, message.signatures) == (True, True, ())


def test_a_key_that_expired_after_it_signed_is_good_for_an_audit_alone(who: People) -> None:
    with gnupg_home() as home:
        gpg(home, "--import", data=who.partner.private)
        signer = pgp_key(home, "Old <old@example.com>", expires_in=timedelta(hours=1), encryption=False)
        sealing = ("-u", signer.fingerprint, "--sign", "-r", who.partner.fingerprint, "--encrypt")
        sealed = gpg(home, *sealing, data=b"x").stdout
        later = gpg(home, "--faked-system-time", "20991231T000000", "--status-fd", "2", "--decrypt", data=sealed)
    message = Decryption.of(later.returncode, later.stderr.decode("latin-1"))
    assert message.signatures == (Signature("expired signer", signer.fingerprint),)
    assert message.problem((signer.fingerprint,)) == "expired signer"
    assert message.problem((signer.fingerprint,), signer_may_have_expired=True) is None
