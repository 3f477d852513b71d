"""Requests without the client, for what it has no word for."""

import requests
from google.cloud.storage import Bucket


def began(url: str, bucket: Bucket, name: str, **headers: str) -> str:
    """The URL of a resumable upload that has begun."""
    path = f"/upload/storage/v1/b/{bucket.name}/o?uploadType=resumable&name={name}"
    answer = requests.post(url + path, headers=headers, timeout=5)
    answer.raise_for_status()
    return answer.headers["Location"]


def put(session: str, data: bytes, content_range: str, **headers: str) -> requests.Response:
    return requests.put(session, data=data, headers={"Content-Range": content_range, **headers}, timeout=5)


def install(faults: str, **fault: object) -> None:
    requests.post(faults, json=fault, timeout=5).raise_for_status()
