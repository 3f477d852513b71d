"""A gpg that misbehaves on order: a program of that name, put first on the function's PATH, around the real one.

Without an order it becomes the real gpg at once. An order strikes the next call whose arguments hold `operation`:

    die     `after` bytes of output, then killed
    fail    all of the output, then return code 2
    hang    `after` bytes of output, then nothing more is read, written or ended
    flip    one bit turned at offset `after` of the output, and success
    short   `after` bytes of output, and success
    mute    all of the output, success, and no word on the status descriptor
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Literal

Action = Literal["die", "fail", "hang", "flip", "short", "mute"]

_PROGRAM = """#!/bin/sh
[ -e {orders} ] || exec {real} "$@"
exec {python} -S -E {double} {orders} {real} "$@"
"""


class Gpg:
    """The double in `directory`, which must come first on PATH; `order` and `struck` steer it from outside."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._orders, self._struck = directory / "orders.json", directory / "orders.struck"
        directory.mkdir()
        real = shutil.which("gpg")
        assert real is not None
        program = directory / "gpg"
        double = Path(__file__).with_name("gpg_double.py")
        program.write_text(_PROGRAM.format(orders=self._orders, real=real, python=sys.executable, double=double))
        program.chmod(0o755)

    def order(self, operation: str, action: Action, after: int = 0) -> None:
        """Let the next such call misbehave."""
        self._struck.unlink(missing_ok=True)
        draft = self.directory / "draft"
        draft.write_text(json.dumps({"operation": operation, "action": action, "after": after}))
        draft.replace(self._orders)

    @property
    def struck(self) -> bool:
        """The order was carried out, up to its `after` bytes."""
        return self._struck.exists()

    def forget(self) -> None:
        """Forget the order."""
        self._orders.unlink(missing_ok=True)
        self._struck.unlink(missing_ok=True)
