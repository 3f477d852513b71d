"""`python -m localcloud.storage --port 0 --root DIR`"""

import argparse
import tempfile
import threading
from pathlib import Path

from localcloud.storage.disk import Disk
from localcloud.storage.faults import Faults
from localcloud.storage.process import serve_until_told
from localcloud.storage.routes import Service
from localcloud.storage.server import Server
from localcloud.storage.sessions import Sessions
from localcloud.storage.store import Store


def main() -> None:
    parser = argparse.ArgumentParser(prog="localcloud.storage", description="Cloud Storage on one machine")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--root", type=Path, help="where objects are kept; a temporary directory without it")
    parser.add_argument("--latency-ms", type=float, default=0.0, help="what every request takes longer")
    parser.add_argument("--bytes-per-second", type=float, default=0.0, help="what the line carries; 0: any number")
    parser.add_argument("--exit-with-parent", action="store_true", help="end when stdin closes")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="storage-") as temporary:
        store = Store(Disk(given.root or Path(temporary)))
        service = Service(store, Sessions())
        server = Server(given.port, service, Faults(), given.latency_ms / 1000, given.bytes_per_second)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        serve_until_told({"service": "storage", "url": server.url}, exit_with_parent=given.exit_with_parent)


if __name__ == "__main__":
    main()
