"""`python -m localcloud.partner`: run the partner's SFTP server until SIGTERM; SIGUSR1 stores late parts at once."""

import argparse
import asyncio
import getpass
import json
import os
import signal
import sys
import tempfile
from pathlib import Path

from localcloud.partner.aws import aws_server
from localcloud.partner.bucket import Bucket
from localcloud.partner.faults import Faults
from localcloud.partner.journal import Journal
from localcloud.partner.listener import Listener
from localcloud.partner.openssh import SshdMissing, openssh_server

_DENIABLE = ("stat", "list", "read", "rename", "remove")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m localcloud.partner", description=__doc__)
    parser.add_argument("--profile", choices=("aws", "openssh"), required=True)
    parser.add_argument("--root", type=Path, required=True, help="where files land, and are served from")
    parser.add_argument("--host-key", type=Path, required=True, help="private key file")
    parser.add_argument("--authorized-keys", type=Path, required=True)
    parser.add_argument("--user", help="aws: who may come in (default: amazon); openssh: always the current user")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--rtt-ms", type=float, default=0, help="round-trip time to add")
    parser.add_argument("--bytes-per-second", type=float, default=0, help="what the line carries; 0: any number")
    parser.add_argument("--exit-with-parent", action="store_true", help="end when stdin, a pipe, closes")
    parser.add_argument("--log", type=Path, help="aws: a JSON line a request; openssh: sshd's log of connections")
    aws = parser.add_argument_group("aws profile only")
    aws.add_argument("--faults-file", type=Path, help="orders to misbehave, see faults.py")
    aws.add_argument(
        "--collect", type=float, nargs="?", const=0, metavar="MS", help="take files away to <root>.collected on arrival"
    )
    aws.add_argument(
        "--late-parts", type=float, default=0, metavar="S", help="store what a dropped session left this much later"
    )
    for operation in _DENIABLE:
        aws.add_argument(f"--deny-{operation}", action="append_const", dest="denied", const=operation, default=[])
    return parser


def _listener(arguments: argparse.Namespace, workspace: Path) -> Listener:
    a = arguments
    a.root.mkdir(parents=True, exist_ok=True)
    if a.profile == "aws":
        journal, faults = Journal(a.log), Faults(a.faults_file)
        bucket = Bucket(a.root, None if a.collect is None else a.collect / 1000, a.late_parts)
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, bucket.store_late_parts)
        serve = aws_server(bucket, a.user, a.host_key, a.authorized_keys, faults, journal, frozenset(a.denied))
    else:
        journal, faults = Journal(), Faults(None)
        serve = openssh_server(a.root, a.host_key, a.authorized_keys, workspace, a.log)
    return Listener(a.host, a.port, serve, faults, journal, a.rtt_ms / 1000, a.bytes_per_second)


async def _run(arguments: argparse.Namespace) -> None:
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    if arguments.exit_with_parent:
        loop.add_reader(sys.stdin.fileno(), _end_at_eof, ended)
    with tempfile.TemporaryDirectory(prefix="partner-") as workspace:
        listener = _listener(arguments, Path(workspace))
        serving = asyncio.create_task(listener.run())
        ready = {
            "service": "partner",
            "profile": arguments.profile,
            "host": arguments.host,
            "port": listener.port,
            "user": arguments.user,
            "root": str(arguments.root),
        }
        print(json.dumps(ready), flush=True)
        waiting = asyncio.create_task(ended.wait())
        await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if serving.done():
            serving.result()
        serving.cancel()
        await asyncio.wait({serving})


def _end_at_eof(ended: asyncio.Event) -> None:
    if not os.read(sys.stdin.fileno(), 65536):
        ended.set()


def main() -> None:
    """Parse the command line, serve, and end with status 2 where the machine lacks what is asked for."""
    parser = _parser()
    arguments = parser.parse_args()
    if arguments.profile == "openssh" and (arguments.faults_file or arguments.collect is not None or arguments.denied):
        parser.error("faults, --collect and --deny-* need --profile aws")
    if arguments.profile == "openssh" and arguments.user not in (None, getpass.getuser()):
        parser.error("--profile openssh serves the current user alone")
    arguments.user = arguments.user or (getpass.getuser() if arguments.profile == "openssh" else "amazon")
    try:
        asyncio.run(_run(arguments))
    except SshdMissing as missing:
        parser.error(str(missing))


if __name__ == "__main__":
    main()
