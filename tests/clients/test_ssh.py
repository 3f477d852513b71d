"""What we accept of SSH, without a connection: offers, protections, pinned keys."""

from __future__ import annotations

import asyncssh
import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud.keys import SshAlgorithm, ssh_key
from pipeline.clients import ssh
from pipeline.clients.ssh import HostKey, Offer

NAMES = st.lists(st.from_regex(r"[a-z0-9@.-]{1,20}", fullmatch=True), max_size=5)


def packet(lists: list[list[str]]) -> bytes:
    """A KEXINIT packet with these lists of names."""
    bodies = [",".join(names).encode() for names in lists]
    return b"\x14" + bytes(16) + b"".join(len(body).to_bytes(4, "big") + body for body in bodies) + bytes(5)


@given(st.lists(NAMES, min_size=10, max_size=10))
def test_an_offer_is_read_from_the_first_packet(lists: list[list[str]]) -> None:
    offer = Offer.of(packet(lists))
    assert (offer.key_exchanges, offer.host_keys) == (tuple(lists[0]), tuple(lists[1]))
    assert (offer.ciphers, offer.macs) == (tuple(lists[2]), tuple(lists[4]))


@given(st.binary())
def test_any_bytes_are_an_offer_of_something_or_nothing(content: bytes) -> None:
    assert isinstance(Offer.of(content).summary, str)
    assert Offer.of(content[:16]) == Offer((), (), (), ())


@pytest.mark.parametrize(
    ("offered", "kex", "post_quantum"),
    [
        (("curve25519-sha256", "mlkem768x25519-sha256"), "mlkem768x25519-sha256", True),
        (("diffie-hellman-group14-sha256", "curve25519-sha256"), "curve25519-sha256", False),
        (("sntrup761x25519-sha512@openssh.com", "ecdh-sha2-nistp256"), "ecdh-sha2-nistp256", False),
        ((), "unknown", False),
    ],
)
def test_of_the_key_exchanges_our_first_that_the_server_has_is_used(
    offered: tuple[str, ...], kex: str, post_quantum: bool
) -> None:
    protection = Offer(offered, (), (), ()).protection("aes256-ctr", "hmac-sha2-256")
    assert (protection.kex, protection.post_quantum) == (kex, post_quantum)
    assert (protection.cipher, protection.mac) == ("aes256-ctr", "hmac-sha2-256")


def test_nothing_that_we_accept_is_known_to_be_weak() -> None:
    for names in (ssh.KEY_EXCHANGES, ssh.CIPHERS, ssh.MACS, ssh.SIGNATURES):
        assert [name for name in names if any(word in name for word in ("sha1", "md5", "cbc", "96", "rsa2048"))] == []
    assert "ssh-rsa" not in ssh.SIGNATURES


@pytest.mark.parametrize("kind", ["ssh-ed25519", "ecdsa-sha2-nistp256", "ssh-rsa"])
def test_a_pinned_key_has_the_fingerprint_that_ssh_keygen_shows(kind: SshAlgorithm) -> None:
    public = ssh_key(kind).public
    (key,) = ssh.pinned(b"sftp.example.com " + public + b" comment\n")
    assert key.fingerprint == str(asyncssh.import_public_key(public).get_fingerprint())
    assert key.line.encode() == b" ".join(public.split()[:2])
    assert key.kind == kind


def test_a_server_is_asked_for_the_pinned_kinds_of_key_first_and_then_for_all_others() -> None:
    order = ssh.signatures_for((HostKey("ssh-rsa AAAA"), HostKey("ecdsa-sha2-nistp384 AAAA")))
    assert order[:3] == ["ecdsa-sha2-nistp384", "rsa-sha2-512", "rsa-sha2-256"]
    assert sorted(order) == sorted(ssh.SIGNATURES)
