"""Keys are judged before the first byte: a usable one is taken, any other is refused with its reason."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from localcloud.keys import PgpKey, gnupg_home, pgp_key
from pipeline.budget import Budget
from pipeline.errors import CredentialsUnavailable, KeyUnusable
from pipeline.pgp.encrypt import encrypt
from pipeline.pgp.keyring import Keyring, keyring
from pipeline.pgp.packets import without_recipient
from pipeline.pgp.reopen import opening
from tests.keyrings import (
    PARTNER,
    SIGNING,
    Held,
    People,
    add_subkey,
    gpg,
    of_algorithm,
    open_by_gpg,
    ring,
    secrets,
    settings,
    wait_until_gone,
    with_subkeys,
)

NAME = "Somebody <somebody@example.com>"
DAY = timedelta(days=1)


@pytest.fixture
def home() -> Iterator[Path]:
    """Where keys are made."""
    with gnupg_home() as made:
        yield made


@contextmanager
def refused(reason: str) -> Iterator[None]:
    """The block must be refused for this reason, with no key material in the sentence."""
    with pytest.raises(KeyUnusable, match=reason) as caught:
        yield
    assert "BEGIN PGP" not in str(caught.value)
    assert "correct horse" not in str(caught.value)


def today(offset: timedelta) -> str:
    """The date that a reason names."""
    return f"{datetime.now(UTC) + offset:%Y-%m-%d}"


def test_a_ring_holds_the_partners_key_and_ours_and_where_they_came_from(who: People, keys: Keyring) -> None:
    assert keys.partner.fingerprint == who.partner.fingerprint
    assert (keys.partner.secret, keys.partner.secret_version) == ("pgp-partner-key", "7")
    assert keys.signing is not None
    assert keys.signing.fingerprint == who.signer.fingerprint
    assert keys.signing.signers == (who.signer.fingerprint,)
    assert (keys.partner.expires, keys.signing.expires) == (None, None)


def test_a_ring_shows_no_passphrase(keys: Keyring) -> None:
    assert keys.passphrase
    assert "horse" not in repr(keys)


def test_a_ring_is_gone_afterwards(who: People) -> None:
    with ring(who) as keys:
        home = keys.home
        assert home.is_dir()
    assert not home.exists()
    assert wait_until_gone(home)


def test_a_ring_that_was_refused_is_gone_too(who: People, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(KeyUnusable), ring(who, passphrase=b"wrong"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_unsigned_by_setting_asks_for_no_signing_key(who: People) -> None:
    only_theirs = Held({"pgp-partner-key": who.partner.public})
    with keyring(settings(PGP_SIGN="false"), only_theirs) as keys:
        assert (keys.signing, keys.passphrase) == (None, None)


def test_a_key_without_passphrase_needs_no_secret_for_it(who: People) -> None:
    held = secrets(who, signing=who.stranger.private)
    del held["pgp-signing-passphrase"]
    unprotected = settings().model_copy(update={"signing_passphrase_secret": ""})
    with keyring(unprotected, Held(held)) as keys:
        assert keys.signing is not None
        assert keys.signing.fingerprint == who.stranger.fingerprint


@pytest.mark.parametrize("passphrase", ["correct horse ü", "пароль", "💶", " blanks ", "\\", '"%41"'])
def test_a_passphrase_may_hold_any_character(home: Path, who: People, passphrase: str) -> None:
    key = pgp_key(home, NAME, encryption=False, passphrase=passphrase)
    with ring(who, signing=key.private, passphrase=f"{passphrase}\r\n".encode()) as keys:
        assert keys.signing is not None


def test_a_passphrase_of_several_lines_is_no_passphrase(who: People) -> None:
    with pytest.raises(CredentialsUnavailable, match="must hold one line"), ring(who, passphrase=b"one\ntwo\n"):
        pass


def test_a_binary_key_is_a_key(home: Path, who: People) -> None:
    gpg(home, "--import", data=who.partner.public)
    binary = gpg(home, "--export", who.partner.fingerprint).stdout
    assert not binary.startswith(b"-----")
    with ring(who, partner=binary) as keys:
        assert keys.partner.fingerprint == who.partner.fingerprint


@dataclass(frozen=True)
class Unusable:
    """A key that must be refused, and why."""

    make: Callable[[Path], PgpKey]
    reason: str


PARTNERS = {
    "expired": Unusable(lambda home: pgp_key(home, NAME, expires_in=-DAY), f"has expired on {today(-DAY)}"),
    "revoked": Unusable(lambda home: pgp_key(home, NAME, revoked="key"), "is revoked"),
    "expired subkey": Unusable(
        lambda home: pgp_key(home, NAME, encryption_expires_in=-DAY),
        f"has no usable encryption subkey: subkey [0-9A-F]{{16}} has expired on {today(-DAY)}",
    ),
    "revoked subkey": Unusable(
        lambda home: pgp_key(home, NAME, revoked="encryption subkey"),
        "has no usable encryption subkey: subkey [0-9A-F]{16} is revoked",
    ),
    "only for signing": Unusable(lambda home: pgp_key(home, NAME, encryption=False), "has no encryption subkey"),
}
SIGNERS = {
    "expired": Unusable(lambda home: pgp_key(home, NAME, expires_in=-DAY, encryption=False), "has expired on"),
    "revoked": Unusable(lambda home: pgp_key(home, NAME, revoked="key", encryption=False), "is revoked"),
}


@pytest.mark.parametrize("case", PARTNERS)
def test_a_partners_key_that_cannot_be_encrypted_to_is_refused(home: Path, who: People, case: str) -> None:
    key = PARTNERS[case].make(home)
    with (
        refused(f"key {key.fingerprint} of secret pgp-partner-key version 7 {PARTNERS[case].reason}"),
        ring(who, partner=key.public),
    ):
        pass


@pytest.mark.parametrize("case", SIGNERS)
def test_a_key_of_ours_that_cannot_sign_is_refused(home: Path, who: People, case: str) -> None:
    key = SIGNERS[case].make(home)
    with (
        refused(f"key {key.fingerprint} of secret pgp-signing-key version 7 {SIGNERS[case].reason}"),
        ring(who, signing=key.private, passphrase=b"none"),
    ):
        pass


def test_a_wrong_passphrase_is_noticed_before_a_row_is_read(who: People) -> None:
    with (
        refused(f"key {who.signer.fingerprint} of secret pgp-signing-key version 7 does not sign.*passphrase"),
        ring(who, passphrase=b"wrong"),
    ):
        pass


def test_a_missing_passphrase_is_noticed_before_a_row_is_read(who: People) -> None:
    without = settings().model_copy(update={"signing_passphrase_secret": ""})
    with refused("does not sign"), keyring(without, Held(secrets(who))):
        pass


def test_a_public_key_does_not_sign(who: People) -> None:
    with (
        refused("secret pgp-signing-key version 7 must hold a private key to sign with; it holds a public one"),
        ring(who, signing=who.signer.public),
    ):
        pass


@pytest.mark.parametrize("secret", [PARTNER, SIGNING])
def test_two_keys_in_a_secret_are_one_too_many(who: People, secret: str) -> None:
    both = {
        PARTNER: who.partner.public + who.stranger.public,
        SIGNING: who.signer.private + who.stranger.private,
    }
    held = Held({**secrets(who), secret: both[secret]})
    with refused("must hold one PGP key; gpg finds 2 in it"), keyring(settings(), held):
        pass


@pytest.mark.parametrize(
    "value",
    [b"not a key", b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nAAAA\n-----END PGP PUBLIC KEY BLOCK-----\n", b"\0"],
)
@pytest.mark.parametrize("secret", [PARTNER, SIGNING])
def test_what_is_no_key_is_said_to_be_none(who: People, secret: str, value: bytes) -> None:
    held = Held({**secrets(who), secret: value})
    with refused("must hold one PGP key; gpg finds 0 in it"), keyring(settings(), held):
        pass


def test_a_key_expires_when_the_part_that_does_the_work_does(home: Path, who: People) -> None:
    key = pgp_key(home, NAME, expires_in=90 * DAY, encryption_expires_in=20 * DAY)
    with ring(who, partner=key.public) as keys:
        assert keys.partner.expires is not None
        assert abs(keys.partner.expires - datetime.now(UTC) - 20 * DAY) < timedelta(minutes=5)


def test_a_key_expires_no_later_than_its_primary_key(home: Path, who: People) -> None:
    key = pgp_key(home, NAME, expires_in=10 * DAY, encryption_expires_in=50 * DAY)
    with ring(who, partner=key.public) as keys:
        assert keys.partner.expires is not None
        assert abs(keys.partner.expires - datetime.now(UTC) - 10 * DAY) < timedelta(minutes=5)


def test_a_signing_subkey_signs_for_its_primary_key(home: Path, who: People) -> None:
    key = with_subkeys(home, "sign")
    with ring(who, signing=key.private, passphrase=b"none") as keys:
        assert keys.signing is not None
        assert keys.signing.signers[0] == key.fingerprint
        assert len(keys.signing.signers) == 2


def test_the_latest_of_several_encryption_subkeys_counts(home: Path, who: People) -> None:
    key = with_subkeys(home, "encr/10d", "encr/90d")
    with ring(who, partner=key.public) as keys:
        assert keys.partner.expires is not None
        assert keys.partner.expires - datetime.now(UTC) > 80 * DAY


def test_a_key_that_only_certifies_signs_nothing(home: Path, who: People) -> None:
    key = with_subkeys(home, "encr")
    with refused("has no signing subkey"), ring(who, signing=key.private, passphrase=b"none"):
        pass


CURVES = {
    "rsa3072": "SHA256",
    "ed25519": "SHA256",
    "nistp256": "SHA256",
    "nistp384": "SHA384",
    "nistp521": "SHA512",
    "brainpoolP256r1": "SHA256",
    "brainpoolP384r1": "SHA384",
    "brainpoolP512r1": "SHA512",
}


def delivered(
    who: People, partner: bytes | None = None, signing: bytes | None = None, passphrase: bytes | None = None
) -> tuple[bytes, list[list[str]]]:
    """What the partner opens of a message that was sealed with these secrets and opened again."""
    budget = Budget.of(60)
    with ring(who, partner=partner, signing=signing, passphrase=passphrase) as keys, opening(keys, budget) as opener:
        sealed = encrypt(iter([b"a,b"]), keys, compression="none", budget=budget, extra=(opener.recipient,))
        message = b"".join(without_recipient(opener.decrypting(sealed), opener.key_ids))
        assert opener.plaintext(keys.signing.signers if keys.signing else ()).size == 3
    return open_by_gpg(who, message)


@pytest.mark.parametrize("algorithm", CURVES)
def test_a_signing_key_of_any_algorithm_seals_with_a_digest_that_it_takes(
    home: Path, who: People, algorithm: str
) -> None:
    key = of_algorithm(home, algorithm)
    with ring(who, signing=key.private, passphrase=b"none") as keys:
        assert keys.signing is not None
        assert keys.signing.digest == CURVES[algorithm]
    assert delivered(who, signing=key.private, passphrase=b"none")[0] == b"a,b"


@pytest.mark.parametrize(
    "algorithm", ["rsa3072", "cv25519", "nistp256", "nistp384", "nistp521", "brainpoolP384r1", "brainpoolP512r1"]
)
def test_a_partners_key_of_any_algorithm_is_encrypted_to(home: Path, who: People, algorithm: str) -> None:
    key = of_algorithm(home, "ed25519", algorithm)
    with ring(replace(who, partner=key), partner=key.public) as keys:
        assert keys.partner.fingerprint == key.fingerprint
    assert delivered(replace(who, partner=key), partner=key.public)[0] == b"a,b"


def without_checksum(armor: bytes) -> bytes:
    """The armor without its line `=XXXX`, as RFC 9580 allows it."""
    bare = re.sub(rb"\n=[A-Za-z0-9+/]{4}\n", b"\n", armor)
    assert bare != armor
    return bare


SPELLINGS: dict[str, Callable[[bytes], bytes]] = {
    "a byte-order mark": lambda armor: b"\xef\xbb\xbf" + armor,
    "Windows' line ends": lambda armor: armor.replace(b"\n", b"\r\n"),
    "both": lambda armor: b"\xef\xbb\xbf" + armor.replace(b"\n", b"\r\n"),
    "UTF-16": lambda armor: armor.decode().encode("utf-16"),
    "UTF-16, big end first": lambda armor: b"\xfe\xff" + armor.decode().encode("utf-16-be"),
    "old line ends of a Mac": lambda armor: armor.replace(b"\n", b"\r"),
    "no checksum line": without_checksum,
    "blanks at the ends of lines": lambda armor: armor.replace(b"\n", b" \n"),
    "text around it": lambda armor: "Grüße,\n".encode() + armor + b"\nbye\n",
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_key_is_read_however_it_was_saved(who: People, spelling: str) -> None:
    spelled = SPELLINGS[spelling]
    assert delivered(who, partner=spelled(who.partner.public), signing=spelled(who.signer.private))[0] == b"a,b"


def test_a_key_that_was_damaged_on_its_way_is_refused(who: People) -> None:
    damaged = re.sub(rb"\n=[A-Za-z0-9+/]{4}\n", b"\n=AAAA\n", who.partner.public)
    with refused("gpg finds 0 in it"), ring(who, partner=damaged):
        pass


def test_a_primary_key_that_is_kept_offline_leaves_the_signing_to_its_subkey(home: Path, who: People) -> None:
    key = of_algorithm(home, "ed25519")
    add_subkey(home, key.fingerprint, "nistp384/ecdsa", "sign")
    offline = gpg(home, "--passphrase", "", "--armor", "--export-secret-subkeys", key.fingerprint).stdout
    with ring(who, signing=offline, passphrase=b"none") as keys:
        assert keys.signing is not None
        assert (keys.signing.in_use, keys.signing.digest) == (keys.signing.signers[1], "SHA384")
    assert delivered(who, signing=offline, passphrase=b"none")[0] == b"a,b"


def test_a_primary_key_that_is_kept_offline_and_has_no_signing_subkey_is_refused(home: Path, who: People) -> None:
    key = of_algorithm(home, "ed25519", "cv25519")
    offline = gpg(home, "--passphrase", "", "--armor", "--export-secret-subkeys", key.fingerprint).stdout
    with (
        refused("no usable signing subkey: subkey [0-9A-F]{16} is not in the secret, which holds only a stub of it"),
        ring(who, signing=offline, passphrase=b"none"),
    ):
        pass


@pytest.mark.parametrize("held", [0, 1, 2])
def test_of_several_signing_subkeys_the_one_that_the_secret_holds_signs(home: Path, who: People, held: int) -> None:
    fingerprint = with_subkeys(home, "sign").fingerprint
    for algorithm in ("nistp384/ecdsa", "rsa3072"):
        add_subkey(home, fingerprint, algorithm, "sign")
    listing = gpg(home, "--with-colons", "--list-keys").stdout.decode().splitlines()
    subkeys = [line.split(":")[9] for line in listing if line.startswith("fpr")][1:]
    secret = gpg(home, "--passphrase", "", "--armor", "--export-secret-subkeys", f"{subkeys[held]}!").stdout
    whole = gpg(home, "--armor", "--export", fingerprint).stdout
    with gnupg_home() as theirs:
        gpg(theirs, "--import", data=whole)
        gpg(theirs, "--import", data=secret)
        one_of_three = gpg(theirs, "--passphrase", "", "--armor", "--export-secret-keys", fingerprint).stdout
    with ring(who, signing=one_of_three, passphrase=b"none") as keys:
        assert keys.signing is not None
        assert keys.signing.in_use == subkeys[held]
    assert delivered(who, signing=one_of_three, passphrase=b"none")[0] == b"a,b"


def test_of_several_encryption_subkeys_a_revoked_one_leaves_the_other(home: Path, who: People) -> None:
    key = with_subkeys(home, "encr", "encr")
    gpg(home, "--command-fd", "0", "--edit-key", key.fingerprint, "key 2", "revkey", "save", data=b"y\n0\n\ny\n")
    public = gpg(home, "--armor", "--export", key.fingerprint).stdout
    theirs = replace(who, partner=replace(key, public=public))
    assert delivered(theirs, partner=public)[0] == b"a,b"
