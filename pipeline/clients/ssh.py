"""SSH as we accept it: where a server is, which algorithms, which host keys; pure, without a connection."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from pipeline.budget import Budget
from pipeline.clients.material import cleaned
from pipeline.errors import CredentialsUnavailable

KEY_EXCHANGES: Final = (
    "mlkem768x25519-sha256",
    "mlkem768nistp256-sha256",
    "mlkem1024nistp384-sha384",
    "curve25519-sha256",
    "curve25519-sha256@libssh.org",
    "ecdh-sha2-nistp256",
    "ecdh-sha2-nistp384",
    "ecdh-sha2-nistp521",
    "diffie-hellman-group16-sha512",
    "diffie-hellman-group18-sha512",
    "diffie-hellman-group14-sha256",
)
"""By preference: hybrid post-quantum first, as the security policies of AWS Transfer offer it since 2025. Neither SHA-1
nor rsa2048-sha256 (RFC 9142), nor a group exchange, in which a server may choose a group of 1,024 bits."""

CIPHERS: Final = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "aes256-ctr", "aes192-ctr", "aes128-ctr")
MACS: Final = ("hmac-sha2-256-etm@openssh.com", "hmac-sha2-512-etm@openssh.com", "hmac-sha2-256", "hmac-sha2-512")
SIGNATURES: Final = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "rsa-sha2-512",
    "rsa-sha2-256",
)
"""Of host keys and of our login key. `ssh-rsa` is a kind of key, and a signature with SHA-1, which is not accepted."""

_POST_QUANTUM: Final = ("mlkem", "sntrup")


@dataclass(frozen=True, slots=True)
class Server:
    """Where a partner's server is and how we prove ourselves, for one run and within its budget.

    `host_keys` are the only ones that are trusted.
    """

    host: str
    port: int
    user: str
    directory: str
    key: bytes = field(repr=False)
    host_keys: bytes = field(repr=False)
    budget: Budget

    def path(self, name: str) -> str:
        """The name within our directory."""
        return f"{self.directory.rstrip('/')}/{name}" if self.directory else name

    @property
    def address(self) -> str:
        """User, host and port, for messages."""
        return f"{self.user}@{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Protection:
    """How one connection was protected: the algorithms agreed on, and whether the key exchange is post-quantum."""

    kex: str
    cipher: str
    mac: str
    post_quantum: bool


@dataclass(frozen=True, slots=True)
class Offer:
    """What a server says in its first packet that it can, in its order of preference."""

    key_exchanges: tuple[str, ...]
    host_keys: tuple[str, ...]
    ciphers: tuple[str, ...]
    macs: tuple[str, ...]

    @classmethod
    def of(cls, packet: bytes) -> Offer:
        """Read a KEXINIT packet (RFC 4253, section 7.1): type, 16 random bytes, then lists of names.

        The third and the fifth list are ciphers and MACs from the client to the server. A packet that ends early leaves
        the lists empty that it does not hold.
        """
        names = [*_name_lists(packet[17:])]
        names += [()] * (6 - len(names))
        return cls(names[0], names[1], names[2], names[4])

    def protection(self, cipher: str, mac: str) -> Protection:
        """How a connection to such a server is protected: of the key exchanges, the client's first common one is used.

        `cipher` and `mac` are those agreed on from the client to the server.
        """
        kex = next((name for name in KEY_EXCHANGES if name in self.key_exchanges), "unknown")
        return Protection(kex, cipher, mac, _is_post_quantum(kex))

    @property
    def acceptable(self) -> bool:
        """Whether we have an algorithm of each kind in common."""
        cipher = next((name for name in CIPHERS if name in self.ciphers), None)
        return (
            cipher is not None
            and ("gcm" in cipher or not set(MACS).isdisjoint(self.macs))
            and not set(KEY_EXCHANGES).isdisjoint(self.key_exchanges)
            and not set(SIGNATURES).isdisjoint(self.host_keys)
        )

    @property
    def summary(self) -> str:
        """What of this we accept, and whether the server can exchange keys so that quantum computers cannot read it."""
        quantum = [name for name in self.key_exchanges if _is_post_quantum(name)]
        common = [name for name in quantum if name in KEY_EXCHANGES]
        if common:
            exchange = "key exchange is post-quantum"
        elif quantum:
            exchange = f"key exchange is not post-quantum, as we lack what the server offers ({', '.join(quantum)})"
        else:
            exchange = "key exchange is not post-quantum, as the server offers none"
        lists = (
            ("key exchange", KEY_EXCHANGES, self.key_exchanges),
            ("ciphers", CIPHERS, self.ciphers),
            ("MACs", MACS, self.macs),
        )
        accepted = "; ".join(
            f"{kind} {', '.join(name for name in ours if name in theirs)}" for kind, ours, theirs in lists
        )
        return f"{exchange}; accepted of what it offers: {accepted}"


@dataclass(frozen=True, slots=True)
class HostKey:
    """A server's public key: the `line` that pins it, such as `ssh-ed25519 AAAA...`."""

    line: str

    @property
    def kind(self) -> str:
        """`ssh-ed25519`, `ssh-rsa`, `ecdsa-sha2-nistp256` ..."""
        return self.line.split()[0]

    @property
    def fingerprint(self) -> str:
        """SHA-256 as `ssh-keygen -l` shows it."""
        digest = hashlib.sha256(base64.b64decode(self.line.split()[1])).digest()
        return f"SHA256:{base64.b64encode(digest).decode().rstrip('=')}"

    def __str__(self) -> str:
        return f"{self.fingerprint} ({self.line})"


def pinned(content: bytes) -> tuple[HostKey, ...]:
    """The host keys of a secret: a line each, `ssh-ed25519 AAAA...`; a host name before it is ignored.

    Raises CredentialsUnavailable where a line cannot be read or none is there.
    """
    keys = []
    for number, line in enumerate(cleaned(content).decode("utf-8", "replace").splitlines(), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if not words[0].startswith(("ssh-", "ecdsa-")):
            words = words[1:]
        if not _is_public_key(words):
            raise unreadable(number)
        keys.append(HostKey(" ".join(words[:2])))
    if not keys:
        raise CredentialsUnavailable("No host key is pinned; add the partner's host keys to the secret, a line each.")
    return tuple(keys)


def unreadable(number: int) -> CredentialsUnavailable:
    """The error of a line that pins no key."""
    return CredentialsUnavailable(
        f"Line {number} of the pinned host keys is not a public key such as: ssh-ed25519 AAAA..."
    )


def signatures_for(keys: tuple[HostKey, ...]) -> list[str]:
    """The signatures to ask a server for: those of the pinned keys first, then all others that we accept.

    A server with another kind of key than the pinned one then shows it, and is refused as untrusted.
    """
    kinds = {key.kind for key in keys}
    return sorted(SIGNATURES, key=lambda name: ("ssh-rsa" if name.startswith("rsa-") else name) not in kinds)


def _is_public_key(words: list[str]) -> bool:
    """Whether these are a kind of key and a key of that kind, which begins with the kind's length and name."""
    try:
        blob = base64.b64decode(words[1], validate=True)
    except (IndexError, binascii.Error):
        return False
    kind = words[0].encode()
    return len(blob) > len(kind) + 8 and blob.startswith(len(kind).to_bytes(4, "big") + kind)


def _is_post_quantum(kex: str) -> bool:
    return kex.startswith(_POST_QUANTUM)


def _name_lists(data: bytes) -> Iterator[tuple[str, ...]]:
    """Lists of names, each with its length in four bytes before it, as long as the data holds whole ones."""
    while len(data) >= 4:
        end = 4 + int.from_bytes(data[:4], "big")
        if end > len(data):
            return
        yield tuple(name for name in data[4:end].decode("ascii", "replace").split(",") if name)
        data = data[end:]
