"""What the demonstration prints: lines and tables that fit 80 columns, with no value cut."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from localcloud.opened import Opened


def line(event: Mapping[str, Any]) -> str:
    """An event of the function: what, of which dataset, with which figures; what is wrong in a sentence."""
    figures = [f"{event['rows']:,} rows"] if "rows" in event else []
    figures += [f"{event['bytes']:,} bytes"] if "bytes" in event else []
    figures += [f"{event['seconds']:.2f} s"] if "seconds" in event else []
    trouble = f"\n      {event['message']}" if event["severity"] in ("WARNING", "ERROR", "CRITICAL") else ""
    return f"{event['event']:<19} {event.get('dataset', ''):<12} {', '.join(figures)}".rstrip() + trouble


def show_files(console: Console, opened: Mapping[str, Opened], events: Iterable[Mapping[str, Any]]) -> None:
    """What was sealed and sent, dataset by dataset, and what the partner's key makes of it."""
    table = Table("dataset", "rows", "bytes of CSV", "sent", "seconds", "opened")
    for name, one in opened.items():
        of = [event for event in events if event.get("dataset") == name]
        size = next((event["bytes"] for event in of if event["event"] == "seal.completed"), 0)
        seconds = sum(event["seconds"] for event in of if event["event"] in ("seal.completed", "upload.completed"))
        verdict = "[green]identical[/]" if one.identical else f"[red]{one.verdict}[/]"
        sent = f"{one.file.stat().st_size:,}"
        table.add_row(name, f"{one.rows:,}", f"{size:,}", sent, f"{seconds:.2f}", verdict)
    console.print(table)
    for one in opened.values():
        console.print(f"  received {one.file.name}", soft_wrap=True)
        console.print(f"  archived gs://archive/{one.folder}", soft_wrap=True)
