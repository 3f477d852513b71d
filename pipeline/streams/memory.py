"""Keep the process's memory flat: an instance has little, its file system is memory too, and streams need none more."""

from __future__ import annotations

import ctypes
import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # mallopt(3)
_ARENAS = 1
_KEPT = 32 * 1024 * 1024


def keep_flat() -> None:
    """Let freed memory be used again by every thread, instead of each holding its own.

    glibc gives threads arenas of their own, and Arrow's default pool keeps what it once had: with 540,000 rows the
    process peaked at 390 MB with them and at 250 MB without. But up to 32 MiB of what was freed are kept: buffers of
    megabytes come and go all the time, and to get each afresh from the system costs a twentieth of a delivery's time.
    That is worth 25 MB.

    To be called before Arrow is imported, which reads its variable once. Does nothing where the C library has no
    mallopt.
    """
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, _ARENAS)
        mallopt(_M_MMAP_THRESHOLD, _KEPT)
        mallopt(_M_TRIM_THRESHOLD, _KEPT)


@contextmanager
def kept_for_good() -> Iterator[None]:
    """Import in the block what the process keeps: Python's collector of garbage is off, and never looks at it again.

    It would look through all of it many times while modules are loaded, an eighth of the time that this takes, and in
    each instance that a server forks it would write to every page that they share (`gc.freeze`).
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
