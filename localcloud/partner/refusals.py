"""The SFTP requests that AWS Transfer Family refuses in front of S3. Each refusal is entered in the journal."""

from typing import NoReturn

import asyncssh
from asyncssh import SFTPAttrs

from localcloud.partner.handle import handle_of, shown
from localcloud.partner.journal import Entry, Journal

_WORDS = {
    asyncssh.FX_NO_SUCH_FILE: "no such file",
    asyncssh.FX_PERMISSION_DENIED: "permission denied",
    asyncssh.FX_OP_UNSUPPORTED: "unsupported",
    asyncssh.FX_CONNECTION_LOST: "cut",
}


def in_words(error: asyncssh.SFTPError) -> str:
    """Return the journal's word for an SFTP status."""
    return _WORDS.get(error.code, "failure")


class Refusals(asyncssh.SFTPServer):
    """Says no to whatever needs a file system: attributes, directories, links, atomic replacement."""

    def __init__(self, channel: "asyncssh.SSHServerChannel[bytes]", root: bytes, journal: Journal) -> None:
        super().__init__(channel, root)
        self.journal = journal

    def setstat(self, path: bytes, attrs: SFTPAttrs) -> NoReturn:
        """Refuse: S3 has no modes, owners or times to set."""
        self._refuse("setstat", path)

    def fsetstat(self, file_obj: object, attrs: SFTPAttrs) -> NoReturn:
        """Refuse, as `setstat`."""
        self._refuse("setstat", handle_of(file_obj).path.encode())

    def lsetstat(self, path: bytes, attrs: SFTPAttrs) -> NoReturn:
        """Refuse, as `setstat`."""
        self._refuse("setstat", path)

    def mkdir(self, path: bytes, attrs: SFTPAttrs) -> NoReturn:
        """Refuse: the partner lays out its own directories."""
        self._refuse("mkdir", path, asyncssh.SFTPPermissionDenied("Access denied"))

    def rmdir(self, path: bytes) -> NoReturn:
        """Refuse, as `mkdir`."""
        self._refuse("rmdir", path, asyncssh.SFTPPermissionDenied("Access denied"))

    def posix_rename(self, oldpath: bytes, newpath: bytes) -> NoReturn:
        """Refuse: an extension that AWS does not offer."""
        self._refuse("posix-rename", oldpath)

    def symlink(self, oldpath: bytes, newpath: bytes) -> NoReturn:
        """Refuse: S3 knows no links."""
        self._refuse("symlink", newpath)

    def link(self, oldpath: bytes, newpath: bytes) -> NoReturn:
        """Refuse: S3 knows no links."""
        self._refuse("link", newpath)

    def readlink(self, path: bytes) -> NoReturn:
        """Refuse: S3 knows no links."""
        self._refuse("readlink", path)

    def statvfs(self, path: bytes) -> NoReturn:
        """Refuse: S3 is no file system."""
        self._refuse("statvfs", path)

    def fstatvfs(self, file_obj: object) -> NoReturn:
        """Refuse, as `statvfs`."""
        self._refuse("statvfs", handle_of(file_obj).path.encode())

    def fsync(self, file_obj: object) -> NoReturn:
        """Refuse: an extension that AWS does not offer."""
        self._refuse("fsync", handle_of(file_obj).path.encode())

    def _refuse(self, operation: str, path: bytes, error: asyncssh.SFTPError | None = None) -> NoReturn:
        error = error or asyncssh.SFTPOpUnsupported(f"{operation} is not supported")
        self.journal.add(Entry(operation, shown(path), answer=in_words(error)))
        raise error
