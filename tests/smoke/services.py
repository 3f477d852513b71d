"""The calls to Cloud Storage, Secret Manager and Pub/Sub."""

from __future__ import annotations

from typing import Any

from google.cloud.secretmanager_v1.types import Secret, SecretPayload
from google.pubsub_v1 import PubsubMessage

from tests.smoke.place import Place
from tests.smoke.steps import failed, step


@step("bucket: create-only objects, once and again")
def _(place: Place) -> str:
    place.storage.create_bucket(place.bucket, location=place.location)
    blob = place.storage.bucket(place.bucket).blob("records/one.json")
    blob.upload_from_string(b"{}", if_generation_match=0)

    def again() -> None:
        with place.storage.bucket(place.bucket).blob("records/one.json").open("wb", if_generation_match=0) as file:
            file.write(b"{}")

    once_more = failed(place, lambda: blob.upload_from_string(b"{}", if_generation_match=0))
    return f"{once_more.split(':')[0]}; resumable {failed(place, again).split(':')[0]}"


@step("bucket: an upload that is broken off leaves nothing; a whole one is listed and read")
def _(place: Place) -> str:
    bucket = place.storage.bucket(place.bucket)
    try:
        with bucket.blob("archive/part").open("wb", if_generation_match=0) as file:
            file.write(b"x" * 300_000)
            raise TimeoutError
    except TimeoutError:
        pass
    with bucket.blob("archive/whole").open("wb", if_generation_match=0) as file:
        file.write(b"x" * 300_000)
    names = [blob.name for blob in place.storage.list_blobs(place.bucket, prefix="archive/")]
    found = bucket.get_blob("archive/whole")
    return f"{names} {found.size} {found.crc32c} {len(found.download_as_bytes())}"


@step("secret: a version, read, disabled; one that is not there")
def _(place: Place) -> str:
    parent = f"projects/{place.project}"
    place.secrets.create_secret(parent=parent, secret_id=place.name, secret=Secret(replication={"automatic": {}}))
    made = place.secrets.add_secret_version(parent=place.secret, payload=SecretPayload(data=b"word"))
    latest = f"{place.secret}/versions/latest"
    read = place.secrets.access_secret_version(name=latest)
    place.secrets.disable_secret_version(name=made.name)
    absent = f"projects/{place.project}/secrets/{place.name}-absent/versions/latest"
    disabled = failed(place, lambda: place.secrets.access_secret_version(name=latest)).split(":")[0]
    missing = failed(place, lambda: place.secrets.access_secret_version(name=absent)).split(":")[0]
    return f"{read.payload.data!r} version {read.name.rpartition('/')[2]}; {disabled}; {missing}"


@step("topic: published, pulled, acknowledged")
def _(place: Place) -> str:
    place.publisher.create_topic(name=place.topic)
    place.subscriber.create_subscription(name=place.subscription, topic=place.topic)
    message = PubsubMessage(data=b"{}", attributes={"source": "smoke"})
    ids = place.publisher.publish(topic=place.topic, messages=[message]).message_ids
    pulled = place.subscriber.pull(subscription=place.subscription, max_messages=5, timeout=60).received_messages
    place.subscriber.acknowledge(subscription=place.subscription, ack_ids=[one.ack_id for one in pulled])
    return f"{len(ids)} published, {[one.message.data for one in pulled]} {dict(pulled[0].message.attributes)}"


@step("push: a subscription as Terraform makes it, kept as it was asked for")
def _(place: Place) -> str:
    made: Any = place.subscriber.create_subscription(
        request={
            "name": f"{place.subscription}-push",
            "topic": place.topic,
            "ack_deadline_seconds": 600,
            "message_retention_duration": {"seconds": 7 * 24 * 3600},
            "expiration_policy": {},
            "push_config": {"push_endpoint": place.push_endpoint},
            "retry_policy": {"minimum_backoff": {"seconds": 10}, "maximum_backoff": {"seconds": 600}},
        }
    )
    found = place.subscriber.get_subscription(subscription=made.name)
    kept = found.push_config.push_endpoint == place.push_endpoint
    backoff = found.retry_policy
    return f"{kept} {found.ack_deadline_seconds} {backoff.minimum_backoff} {backoff.maximum_backoff}"
