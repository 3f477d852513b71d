"""The shape that the code promises, where import-linter cannot say it: one importer a client, endpoints, events."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from localcloud.processes import repository
from pipeline import CHAIN, log

ROOT = repository()
CLIENTS = {
    "google.cloud.bigquery": "pipeline.clients.bigquery",
    "google.cloud.bigquery_storage_v1": "pipeline.clients.reads",
    "google.cloud.storage": "pipeline.clients.storage",
    "google.cloud.secretmanager": "pipeline.clients.secretmanager",
    "google.cloud.secretmanager_v1": "pipeline.clients.secretmanager",
    "google.cloud.pubsub_v1": "pipeline.clients.pubsub",
    "gnupg": "pipeline.pgp.home",
    "asyncssh": "pipeline.clients.connection",
}


@cache
def modules() -> dict[str, ast.Module]:
    """The function's modules by name."""
    files = [ROOT / "main.py", *sorted((ROOT / "pipeline").rglob("*.py"))]
    return {_name(file): ast.parse(file.read_text(encoding="utf-8")) for file in files}


def _name(file: Path) -> str:
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


@cache
def imported(module: str) -> frozenset[str]:
    """Everything that a module imports, wherever in its text, by full dotted name."""
    found: set[str] = set()
    for node in ast.walk(modules()[module]):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively"
            found |= {str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)}
    return frozenset(found)


def uses(module: str, name: str) -> bool:
    """Whether the module imports `name` or something in it."""
    return any(one == name or one.startswith(f"{name}.") for one in imported(module))


@pytest.mark.parametrize("client", CLIENTS)
def test_each_outside_system_has_one_module(client: str) -> None:
    assert [module for module in modules() if uses(module, client)] == [CLIENTS[client]]


def test_no_outside_client_has_been_forgotten_above() -> None:
    clients = {name for module in modules() for name in imported(module) if name.startswith("google.cloud.")}
    assert {name for name in clients if not any(name == one or name.startswith(f"{one}.") for one in CLIENTS)} == set()


def functions(tree: ast.AST, path: str = "") -> Iterator[tuple[str, ast.AST]]:
    """Every node of a module with the dotted name of the class and function that it stands in."""
    for node in ast.iter_child_nodes(tree):
        inside = path
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            inside = f"{path}.{node.name}"
        yield inside, node
        yield from functions(node, inside)


def test_only_the_makers_of_clients_know_of_an_emulator() -> None:
    knowing = {
        f"{module}{place}"
        for module, tree in modules().items()
        for place, node in functions(tree)
        if isinstance(node, ast.Attribute | ast.Name)
        and "emulator" in (node.attr if isinstance(node, ast.Attribute) else node.id).lower()
    }
    assert knowing == {
        "pipeline.clients.storage.Connections.__init__",
        "pipeline.clients.secretmanager.Connections.__init__",
        "pipeline.settings.Settings",
        "pipeline.clients.bigquery.Connections.__init__",
    }


def test_the_endpoint_of_an_emulator_decides_nothing_but_how_a_client_is_made() -> None:
    deciding = {
        f"{module}{place}"
        for module in ("pipeline.clients.bigquery", "pipeline.clients.secretmanager")
        for place, node in functions(modules()[module])
        if isinstance(node, ast.Attribute) and node.attr in ("_rest", "_grpc")
    }
    assert {name.rpartition(".")[2] for name in deciding} <= {"__init__", "_process", "_options", "_client", "reader"}


def test_no_code_asks_whether_it_is_being_tested_or_runs_on_this_machine() -> None:
    words = ("localhost", "127.0.0.1", "pytest", "localcloud", "local-psp")
    said = {
        (module, word)
        for module, tree in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        for word in words
        if word in node.value
    }
    assert said == {("pipeline.settings", "127.0.0.1")}  # an example in a description


def test_every_step_of_the_chain_names_a_module_that_there_is() -> None:
    assert [step.module for step in CHAIN if step.module not in modules()] == []


@cache
def emitted() -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    """Names given to `emit`, names given to `stage`, and every text that may be the name of an event."""
    events: set[str] = set()
    stages: set[str] = set()
    texts: set[str] = set()
    for module, tree in modules().items():
        if module == "pipeline.log":
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.add(node.value)
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or not node.args:
                continue
            first = node.args[0]
            if isinstance(first, ast.Constant) and ast.unparse(node.func) in ("log.emit", "run.stage"):
                (events if node.func.attr == "emit" else stages).add(str(first.value))
    return frozenset(events), frozenset(stages), frozenset(texts)


def test_every_event_that_is_emitted_is_in_the_table() -> None:
    events, stages, texts = emitted()
    assert events - set(log.EVENTS) == set()
    assert {f"{stage}.{end}" for stage in stages for end in ("started", "completed", "failed")} - set(
        log.EVENTS
    ) == set()
    families = {name.partition(".")[0] for name in log.EVENTS} - stages
    looks_like = {
        text for text in texts if text.partition(".")[0] in families and text.partition(".")[2].isidentifier()
    }
    assert looks_like - set(log.EVENTS) == set()


def test_every_event_of_the_table_is_emitted_somewhere() -> None:
    _, stages, texts = emitted()
    ends = {f"{stage}.{end}" for stage in stages for end in ("started", "completed", "failed")}
    assert set(log.EVENTS) - texts - ends == set()
