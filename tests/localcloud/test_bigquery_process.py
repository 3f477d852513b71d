"""The local BigQuery as a process: start and end, a database kept in a file, misbehaviour on request."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from google.api_core import exceptions
from google.cloud.bigquery_storage_v1 import types

from localcloud.bigquery.client import ONCE, PROJECT, Local, running

ROWS = 200_000


@pytest.fixture(scope="module")
def server() -> Iterator[Local]:
    with running() as local:
        local.bigquery.create_dataset("d")
        local.rows(f"CREATE TABLE d.t AS SELECT n FROM UNNEST(GENERATE_ARRAY(1, {ROWS})) n")
        yield local


@pytest.fixture
def local(server: Local) -> Iterator[Local]:
    yield server
    requests.delete(f"{server.rest}/_faults", timeout=10).raise_for_status()


def open_stream(local: Local) -> str:
    wanted = types.ReadSession(table=f"projects/{PROJECT}/datasets/d/tables/t", data_format=types.DataFormat.ARROW)
    parent = f"projects/{PROJECT}"
    opened = local.storage.create_read_session(parent=parent, read_session=wanted, max_stream_count=1, retry=None)
    return str(opened.streams[0].name)


def counts(local: Local, stream: str, timeout: float = 30.0) -> Iterator[int]:
    """The row counts of the messages as they come; errors are not retried."""
    for message in local.storage.transport.read_rows(types.ReadRowsRequest(read_stream=stream), timeout=timeout):
        yield message.row_count


def until_error(messages: Iterator[int]) -> tuple[int, BaseException | None]:
    """Messages received, and what ended them."""
    received = 0
    try:
        for _ in messages:
            received += 1
    except Exception as error:  # noqa: BLE001 - whatever the transport raises is the answer
        return received, error
    return received, None


def test_it_ends_at_sigterm_and_when_its_parent_goes() -> None:
    with running() as local:
        local.process.terminate()
        assert local.process.wait(timeout=20) == 0
    with running() as local:
        assert local.process.stdin is not None
        local.process.stdin.close()
        assert local.process.wait(timeout=20) == 0


def test_without_the_option_it_outlives_its_stdin() -> None:
    command = [sys.executable, "-m", "localcloud.bigquery"]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert '"service": "bigquery"' in process.stdout.readline()
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=0.5)
        process.terminate()


def test_a_database_file_keeps_tables_and_their_past(tmp_path: Path) -> None:
    file = str(tmp_path / "warehouse.duckdb")
    with running("--database", file) as local:
        local.bigquery.create_dataset("d")
        local.rows("CREATE TABLE d.t (x INT64, n NUMERIC(5, 2)) OPTIONS (labels = [('a', 'b')])")
        local.rows("INSERT INTO d.t VALUES (1, 1), (2, 2)")
        (then,) = local.rows("SELECT CURRENT_TIMESTAMP()")[0]
        local.rows("DELETE FROM d.t WHERE x = 1")
        local.rows("CREATE VIEW d.v AS SELECT x FROM d.t")
        local.rows("CREATE TABLE d.gone AS SELECT 1 AS x")
        local.rows("DROP TABLE d.gone")
    with running("--database", file) as local:
        assert local.rows("SELECT x FROM d.t") == [(2,)]
        assert local.rows("SELECT x FROM d.v") == [(2,)]
        past = f"SELECT x FROM d.t FOR SYSTEM_TIME AS OF TIMESTAMP '{then.isoformat()}' ORDER BY x"
        assert local.rows(past) == [(1,), (2,)]
        assert local.bigquery.get_table("d.t").labels == {"a": "b"}
        local.rows("INSERT INTO d.t VALUES (3, 3)")
        assert local.rows(past) == [(1,), (2,)]
        assert local.rows("SELECT COUNT(*) FROM d.t") == [(2,)]
        with pytest.raises(exceptions.NotFound):
            local.rows("SELECT * FROM d.gone")


def test_latency_is_added_to_every_request() -> None:
    with running("--latency-ms", "150") as local:
        before = time.monotonic()
        list(local.bigquery.list_datasets())
        assert time.monotonic() - before >= 0.15


def test_a_running_query_can_be_cancelled(local: Local) -> None:
    many = "UNNEST(GENERATE_ARRAY(1, 2000000))"
    endless = f"SELECT COUNT(*) FROM {many} a, {many} b WHERE a * b = 7"
    job = local.bigquery.query(endless, job_retry=None)
    assert job.state == "RUNNING"
    job.cancel()
    with pytest.raises(exceptions.GoogleAPICallError, match="cancelled"):
        job.result(timeout=20)


@pytest.mark.parametrize(("after", "received"), [(0, 0), (3, 3), (-1, -(-ROWS // 32_768))])
@pytest.mark.parametrize("action", ["error", "close"])
def test_a_stream_breaks_where_it_is_ordered_to_and_the_next_is_whole(
    local: Local, action: str, after: int, received: int
) -> None:
    stream = open_stream(local)
    local.fault("ReadRows", action, after)
    got, error = until_error(counts(local, stream))
    assert got == received
    assert "UNAVAILABLE" in repr(error) or isinstance(error, exceptions.ServiceUnavailable)
    assert sum(counts(local, stream)) == ROWS


def test_the_client_resumes_a_broken_stream_by_itself(local: Local) -> None:
    stream = open_stream(local)
    local.fault("ReadRows", "error", 2)
    assert sum(message.row_count for message in local.storage.read_rows(stream)) == ROWS


def test_a_stream_hangs_until_the_client_gives_up(local: Local) -> None:
    stream = open_stream(local)
    local.fault("ReadRows", "hang", 2)
    got, error = until_error(counts(local, stream, timeout=1.0))
    assert got == 2
    assert "DEADLINE_EXCEEDED" in repr(error) or isinstance(error, exceptions.DeadlineExceeded)
    assert sum(counts(local, stream)) == ROWS


def test_wrong_rows_are_missing_from_a_stream_that_ends_well(local: Local) -> None:
    stream = open_stream(local)
    local.fault("ReadRows", "wrong-rows", 1)
    assert sum(counts(local, stream)) == ROWS - 32_768
    assert sum(counts(local, stream)) == ROWS


def test_a_lost_answer_leaves_the_work_done(local: Local) -> None:
    job_id = f"lost-{uuid.uuid4().hex}"
    body: dict[str, Any] = {
        "jobReference": {"jobId": job_id},
        "configuration": {"query": {"query": "CREATE TABLE d.made_unheard AS SELECT 1 AS x", "useLegacySql": False}},
    }
    jobs = f"{local.rest}/bigquery/v2/projects/{PROJECT}/jobs"
    local.fault("jobs.insert", "close", after=-1)
    with pytest.raises(requests.ConnectionError):
        requests.post(jobs, json=body, timeout=10)
    assert requests.post(jobs, json=body, timeout=10).status_code == 409
    assert local.rows("SELECT x FROM d.made_unheard") == [(1,)]


def test_a_request_that_is_dropped_before_its_work_leaves_nothing(local: Local) -> None:
    for action in ("close", "error"):
        local.fault("datasets.insert", action)
        with pytest.raises((exceptions.ServiceUnavailable, requests.ConnectionError)):
            local.bigquery.create_dataset("never", retry=ONCE)
        with pytest.raises(exceptions.NotFound):
            local.bigquery.get_dataset("never", retry=ONCE)


def test_a_hanging_request_lets_the_others_pass(local: Local) -> None:
    local.fault("datasets.get", "hang")
    hung = threading.Event()

    def ask() -> None:
        with pytest.raises(requests.Timeout):
            requests.get(f"{local.rest}/bigquery/v2/projects/{PROJECT}/datasets/d", timeout=2)
        hung.set()

    asking = threading.Thread(target=ask)
    asking.start()
    assert local.rows("SELECT 1") == [(1,)]
    asking.join()
    assert hung.is_set()
    assert local.bigquery.get_dataset("d").dataset_id == "d"


def test_a_hanging_post_keeps_its_client_waiting_whatever_it_has_sent(local: Local) -> None:
    local.fault("jobs.query", "hang")
    body = {"query": f"SELECT 1 -- {'x' * 100_000}", "useLegacySql": False}
    with pytest.raises(requests.ReadTimeout):
        requests.post(f"{local.rest}/bigquery/v2/projects/{PROJECT}/queries", json=body, timeout=1)


def test_a_session_can_be_refused_and_a_fault_strikes_as_often_as_ordered(local: Local) -> None:
    local.fault("CreateReadSession", "error", times=2)
    for _ in range(2):
        with pytest.raises(exceptions.ServiceUnavailable):
            open_stream(local)
    assert open_stream(local)
    response = requests.post(f"{local.rest}/_faults", json={"match": "ReadRows", "action": "nonsense"}, timeout=10)
    assert response.status_code == 400
