"""The few words of gcloud that the runbook uses, spoken to the local cloud; any other is refused, as gcloud does."""

from __future__ import annotations

import argparse
from pathlib import Path

from google.cloud.secretmanager_v1.types import SecretPayload

from localcloud.cloud import PROJECT
from localcloud.deployment import LocalDeployment


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:  # type: ignore[override]
        raise ValueError(message)


def gcloud(deployment: LocalDeployment, words: list[str], directory: Path) -> str:
    """Carry out one command and give what it prints. Raises ValueError for a command that is not known."""
    match words:
        case ["secrets", "versions", "add", *rest]:
            given = _read(rest, "secret", "--data-file")
            parent = f"projects/{PROJECT}/secrets/{given.secret}"
            content = (directory / given.data_file).read_bytes()
            made = deployment.cloud.secrets.add_secret_version(parent=parent, payload=SecretPayload(data=content))
            return f"Created version [{made.name.rsplit('/', 1)[1]}] of the secret [{given.secret}]."
        case ["secrets", "versions", "list", *rest]:
            given = _read(rest, "secret")
            found = deployment.cloud.secrets.list_secret_versions(parent=f"projects/{PROJECT}/secrets/{given.secret}")
            return "\n".join(f"{one.name.rsplit('/', 1)[1]} {one.state.name.lower()}" for one in found)
        case ["secrets", "versions", "disable", *rest]:
            given = _read(rest, "version", "--secret")
            name = f"projects/{PROJECT}/secrets/{given.secret}/versions/{given.version}"
            deployment.cloud.secrets.disable_secret_version(name=name)
            return f"Disabled version [{given.version}] of the secret [{given.secret}]."
        case ["pubsub", "topics", "publish", *rest]:
            given = _read(rest, "topic", "--message")
            return f"messageIds: {deployment.publish(given.message.encode())}"
        case ["pubsub", "subscriptions", "pull", *rest]:
            given = _read(rest, "subscription", "--limit")
            name = f"projects/{PROJECT}/subscriptions/{given.subscription}"
            request = {"subscription": name, "max_messages": int(given.limit), "return_immediately": True}
            return "\n".join(
                str(one.message.data) for one in deployment.cloud.subscriber.pull(request=request).received_messages
            )
        case ["logging", "read", *rest]:
            given = _read(rest, "filter", "--freshness", "--limit")
            return f"(no log here: {given.filter})"
    raise ValueError(f"gcloud does not know: {' '.join(words)}")


def _read(words: list[str], *names: str) -> argparse.Namespace:
    parser = _Parser(add_help=False, allow_abbrev=False)
    for name in names:
        parser.add_argument(name)
    return parser.parse_args(words)
