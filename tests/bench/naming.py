"""Requests by service and in a few words, as a trace shows them."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote, urlsplit

import requests

NAME: Final = re.compile(rb'"name": "[^"]*?([^"/]+)"')


def named(request: requests.PreparedRequest) -> tuple[str, str]:
    """The service, and what is asked of it: `GET list`, `POST plan.json`, `GET sealed-1.json`, `POST queries`."""
    url = urlsplit(str(request.url))
    if "/bigquery/" in url.path:
        return "bigquery", f"{request.method} {url.path.rpartition('/projects/')[2].partition('/')[2].split('/')[0]}"
    name = unquote(url.path.rpartition("/o/")[2]).rpartition("/")[2] if "/o/" in url.path else ""
    found = NAME.search(request.body) if isinstance(request.body, bytes) else None
    if found is not None:
        name = found[1].decode()
    elif not name:
        name = "upload" if "upload" in url.path else "list"
    return "storage", f"{request.method} {name}"
