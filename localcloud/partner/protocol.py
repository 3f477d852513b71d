"""What asyncssh offers no switch for: which extensions are advertised, and whether a file was closed or abandoned."""

import asyncssh.sftp

from localcloud.partner.session import Session


class Protocol(asyncssh.sftp.SFTPServerHandler):
    """asyncssh's SFTP protocol, which advertises no extension and tells the session when the client is gone.

    AWS offers no posix-rename, and clients choose by what is offered.
    """

    _extensions = []  # noqa: RUF012  the base class declares it so

    async def _cleanup(self, exc: Exception | None) -> None:
        assert isinstance(self._server, Session)
        self._server.over = True
        await super()._cleanup(exc)


def install() -> None:
    """Have every SFTP session of this process speak `Protocol`."""
    asyncssh.sftp.SFTPServerHandler = Protocol  # type: ignore[misc]
