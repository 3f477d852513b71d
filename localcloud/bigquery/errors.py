"""The one error that the server answers with, in BigQuery's own shape."""

from __future__ import annotations

import re
from typing import Any

import duckdb


class BigQueryError(Exception):
    """A request that failed: HTTP status, BigQuery's reason and a sentence.

    The reasons are those of https://cloud.google.com/bigquery/docs/error-messages.
    """

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message

    def proto(self) -> dict[str, str]:
        """The ErrorProto that a failed job carries."""
        return {"reason": self.reason, "message": self.message, "location": "query"}

    def body(self) -> dict[str, Any]:
        """The JSON body of a failed REST request."""
        entry = {"reason": self.reason, "message": self.message, "domain": "global"}
        return {"error": {"code": self.status, "message": self.message, "errors": [entry]}}


def not_found(what: str) -> BigQueryError:
    return BigQueryError(404, "notFound", f"Not found: {what}")


def already_exists(what: str) -> BigQueryError:
    return BigQueryError(409, "duplicate", f"Already Exists: {what}")


def invalid(message: str) -> BigQueryError:
    return BigQueryError(400, "invalid", message)


def invalid_query(message: str) -> BigQueryError:
    return BigQueryError(400, "invalidQuery", message)


def not_served(what: str) -> BigQueryError:
    """What the real service may do and this one does not: said aloud, never guessed at."""
    return BigQueryError(501, "notImplemented", f"The local BigQuery does not serve {what}")


def from_duckdb(error: duckdb.Error) -> BigQueryError:
    """DuckDB's refusal in BigQuery's words where there are such, else DuckDB's first line."""
    if isinstance(error, duckdb.InterruptException):
        return BigQueryError(400, "stopped", "Job execution was cancelled: User requested cancellation")
    text = re.sub(r"^[\w ]+ Error: ", "", str(error)).split("\n")[0]
    missing = re.search(r'Referenced column "(.*?)" not found', text)
    if missing:
        return invalid_query(f"Unrecognized name: {missing[1]}")
    null = re.search(r"NOT NULL constraint failed: \w+\.(\w+)", text)
    if null:
        return invalid_query(f"Required field {null[1]} cannot be null")
    function = re.search(r'Function with name "?(\w+)"? (?:does not exist|is not in)', text)
    if function:
        return not_served(f"the function {function[1]}")
    return invalid_query(text)
