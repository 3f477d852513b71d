"""gpg's double, see gpg.py: `gpg_double.py ORDERS REAL ARGUMENTS...`. A program of the standard library alone."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

SMALL = 4096


def main() -> int:
    orders, real, arguments = Path(sys.argv[1]), sys.argv[2], sys.argv[3:]
    try:
        order = json.loads(orders.read_text())
        if order["operation"] not in arguments:
            raise FileNotFoundError
        orders.rename(orders.with_suffix(".struck.draft"))
    except FileNotFoundError:  # none, or one that another call was faster to take
        os.execv(real, [real, *arguments])  # noqa: S606  # no shell is wanted
    action, after = order["action"], order["after"]
    errors = subprocess.DEVNULL if action == "mute" else None
    with subprocess.Popen([real, *arguments], stdout=subprocess.PIPE, stderr=errors) as gpg:
        assert gpg.stdout is not None
        passed = 0
        while action in ("fail", "mute") or passed < after:
            piece = os.read(gpg.stdout.fileno(), SMALL)
            if not piece:
                break
            piece = piece if action in ("fail", "mute") else piece[: after - passed]
            passed += len(piece)
            _out(piece)
        orders.with_suffix(".struck.draft").replace(orders.with_suffix(".struck"))
        if action in ("die", "hang"):
            gpg.kill()
            while action == "hang":
                time.sleep(3600)
            os.kill(os.getpid(), signal.SIGKILL)
        if action == "flip":
            first = os.read(gpg.stdout.fileno(), SMALL)
            _out(bytes([first[0] ^ 1]) + first[1:] if first else b"")
        while piece := os.read(gpg.stdout.fileno(), SMALL):
            if action == "flip":
                _out(piece)
    return 2 if action == "fail" else gpg.returncode


def _out(piece: bytes) -> None:
    while piece:
        piece = piece[os.write(1, piece) :]


if __name__ == "__main__":
    sys.exit(main())
