"""A refusal, in the words and the JSON of Google's REST services."""

import json


class Refused(Exception):
    """The request is answered with an error and nothing was changed.

    `status` is the HTTP status, `reason` Google's short word for the kind of error.
    """

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message

    def body(self) -> bytes:
        """The error as the JSON that Google's clients read."""
        detail = {"message": self.message, "domain": "global", "reason": self.reason}
        return json.dumps({"error": {"code": self.status, "message": self.message, "errors": [detail]}}).encode()


def not_found(what: str) -> Refused:
    return Refused(404, "notFound", f"{what} does not exist.")


def invalid(message: str) -> Refused:
    return Refused(400, "invalid", message)


def not_here(what: str) -> Refused:
    """Something the real service may know and this one does not."""
    return Refused(501, "notImplemented", f"The local Cloud Storage does not know {what}.")
