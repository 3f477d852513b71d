"""The engine in this process: PyPI's `zetasql` holds GoogleSQL's local service compiled to WebAssembly.

Compiling it takes half a minute, so the machine code is kept in the virtual environment, by the hash of what it was
made from. The package's own client is not used: it copies byte by byte and imports for half a second.
"""

from __future__ import annotations

import atexit
import ctypes
import fcntl
import hashlib
import sys
import threading
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from google._upb._message import SetAllowOversizeProtos

# The tree of a statement with many columns is nested deeper than the 100 levels that are read otherwise.
SetAllowOversizeProtos(True)

PREFIX = "ZetaSqlLocalService_"
POINTER_BYTES = 4


class Refused(Exception):
    """What the engine answered in place of a result; `message` is Google's sentence with the place in the text."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def installed() -> bool:
    """Whether the engine's package is there; without it every statement is accepted."""
    return find_spec("zetasql") is not None and find_spec("wasmtime") is not None


def _wasm() -> Path:
    from zetasql.wasi import get_wasm_path

    return Path(get_wasm_path())


@cache
def identity() -> str:
    """Changes with the engine: names what was compiled, and what it accepted."""
    parts = [version("zetasql"), version("wasmtime"), str(_wasm().stat().st_size)]
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()[:16]


def kept() -> Path:
    """The directory of this virtual environment for what is made once."""
    directory = Path(sys.prefix) / "googlesql"
    directory.mkdir(exist_ok=True)
    return directory


def _configured() -> Any:
    from wasmtime import Config, Engine

    config = Config()
    config.shared_memory = True
    return Engine(config)


def compiled() -> Path:
    """The file of machine code; made here where it is not there yet, by one process of several."""
    from wasmtime import Module

    file = kept() / f"{identity()}.cwasm"
    with (kept() / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not file.exists():
            part = file.with_suffix(".part")
            part.write_bytes(Module.from_file(_configured(), str(_wasm())).serialize())
            part.replace(file)
    return file


class Engine:
    """One instance of the engine; calls take turns."""

    def __init__(self) -> None:
        import tzdata
        from wasmtime import Linker, Module, Store, WasiConfig

        engine = _configured()
        self._store = Store(engine)
        wasi = WasiConfig()
        wasi.inherit_stderr()
        wasi.preopen_dir(str(Path(tzdata.__file__).parent / "zoneinfo"), "/usr/share/zoneinfo")
        self._store.set_wasi(wasi)
        linker = Linker(engine)
        linker.define_wasi()
        instance: Any = linker.instantiate(self._store, Module.deserialize_file(engine, str(compiled())))
        self._exports: Any = instance.exports(self._store)
        self._turn = threading.Lock()
        self._exports["_initialize"](self._store)

    def call(self, method: str, request: Any) -> bytes:
        """One method of the local service: a message in, the bytes of its answer out. Raises Refused.

        They are not parsed here: the tree of a long expression is deeper than protobuf's parser goes.
        """
        data = request.SerializeToString()
        with self._turn:
            given, size = self._allocate(len(data)), self._allocate(POINTER_BYTES)
            try:
                ctypes.memmove(self._base + given, data, len(data))
                found = self._exports[PREFIX + method](self._store, given, len(data), size)
                if not found:
                    raise Refused(self._error())
                out = self._read(found, int.from_bytes(self._read(size, POINTER_BYTES), "little"))
                self._free(found)
            finally:
                self._free(given)
                self._free(size)
        return out

    @property
    def _base(self) -> int:
        """Where the engine's memory begins; it moves when the memory grows."""
        return int(ctypes.cast(self._exports["memory"].data_ptr(), ctypes.c_void_p).value or 0)

    def _allocate(self, size: int) -> int:
        return int(self._exports["wasm_malloc"](self._store, size))

    def _free(self, address: int) -> None:
        self._exports["wasm_free"](self._store, address)

    def _read(self, address: int, size: int) -> bytes:
        return ctypes.string_at(self._base + address, size)

    def _error(self) -> str:
        size = self._exports["wasm_get_last_error_size"](self._store)
        text = self._read(self._exports["wasm_get_last_error"](self._store), size).decode() if size else "unknown"
        return text.partition("Message: ")[2] or text


_first = threading.Lock()


def engine() -> Engine:
    """The instance of this process: one, since a catalog that one instance registered is unknown to another."""
    with _first:
        return _only()


@cache
def _only() -> Engine:
    """Gone before the interpreter takes apart what its end needs."""
    atexit.register(_only.cache_clear)
    return Engine()
