"""The server as a program."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
from pathlib import Path

from . import storage_read, wire
from .rest import Rest
from .service import Service

JOBS = ("jobs.query", "jobs.insert")


def main() -> None:
    """Serve until SIGTERM or SIGINT, and with --exit-with-parent until stdin closes."""
    parser = argparse.ArgumentParser(prog="localcloud.bigquery", description="A local BigQuery over DuckDB.")
    parser.add_argument("--rest-port", type=int, default=0, help="0: any free port")
    parser.add_argument("--grpc-port", type=int, default=0, help="0: any free port")
    parser.add_argument("--database", type=Path, help="DuckDB file; in memory without it")
    parser.add_argument("--storage", type=Path, help="file with the address of Cloud Storage, for extract jobs")
    parser.add_argument("--latency-ms", type=float, default=0.0, help="added to every request")
    parser.add_argument("--job-ms", type=float, default=0.0, help="added to every query and load job")
    parser.add_argument("--exit-with-parent", action="store_true", help="end when stdin closes")
    arguments = parser.parse_args()

    service = Service(arguments.database, arguments.storage)
    latency, job = float(arguments.latency_ms) / 1000, float(arguments.job_ms) / 1000

    def delay(method: str) -> float:
        return latency + (job if method in JOBS else 0.0)

    rest = wire.server(arguments.rest_port, Rest(service).find, service.faults, delay)
    grpc_server, grpc_port = storage_read.serve(service, arguments.grpc_port, latency)
    threading.Thread(target=rest.serve_forever, name="rest", daemon=True).start()

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    if arguments.exit_with_parent:
        threading.Thread(target=_until_stdin_closes, args=(stop,), name="parent", daemon=True).start()
    address = {"service": "bigquery", "rest": f"http://127.0.0.1:{rest.server_port}", "grpc": f"127.0.0.1:{grpc_port}"}
    sys.stdout.write(json.dumps(address) + "\n")
    sys.stdout.flush()
    stop.wait()
    service.faults.stopping.set()
    rest.shutdown()
    grpc_server.stop(grace=0).wait()
    service.close()
    sys.stderr.flush()
    os._exit(0)  # a thread inside a long query must not hold the end up


def _until_stdin_closes(stop: threading.Event) -> None:
    while os.read(sys.stdin.fileno(), 1024):
        pass
    stop.set()


if __name__ == "__main__":
    main()
