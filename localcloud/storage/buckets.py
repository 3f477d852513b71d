"""Calls on buckets."""

from localcloud.storage.errors import invalid
from localcloud.storage.resources import BucketSettings, StoredBucket, merge, read_settings
from localcloud.storage.rules import Conditions, with_policy_dated
from localcloud.storage.store import Store, now
from localcloud.storage.wire import Request, Response, json_response


def create_bucket(store: Store, request: Request) -> Response:
    return json_response(store.create_bucket(read_settings(BucketSettings, request.json())).shown())


def list_buckets(store: Store, request: Request) -> Response:
    """All of them on one page, in the order of their names."""
    prefix = request.query.get("prefix", "")
    found = sorted((one for one in store.buckets() if one.name.startswith(prefix)), key=lambda one: one.name)
    return json_response({"kind": "storage#buckets", "items": [one.shown() for one in found]})


def get_bucket(store: Store, request: Request, name: str) -> Response:
    bucket = store.bucket(name)
    Conditions.read(request.query).check(0, bucket.metageneration, reading=True)
    return json_response(bucket.shown())


def change_bucket(store: Store, request: Request, name: str) -> Response:
    """PATCH merges, PUT replaces."""
    data = request.json()

    def change(before: StoredBucket) -> BucketSettings:
        wanted = merge(before.wire(), data) if request.method == "PATCH" else {"name": name, **data}
        return with_policy_dated(read_settings(BucketSettings, wanted), before.retention_policy, now())

    return json_response(store.change_bucket(name, Conditions.read(request.query), change).shown())


def delete_bucket(store: Store, request: Request, name: str) -> Response:
    store.delete_bucket(name, Conditions.read(request.query))
    return Response(204)


def lock_retention_policy(store: Store, request: Request, name: str) -> Response:
    """After this the policy can only become longer."""
    conditions = Conditions.read(request.query)
    if conditions.metageneration_match is None:
        raise invalid("Required parameter: ifMetagenerationMatch")

    def lock(before: StoredBucket) -> BucketSettings:
        if before.retention_policy is None:
            raise invalid("The bucket has no retention policy to lock.")
        policy = before.retention_policy.model_copy(update={"is_locked": True})
        return before.model_copy(update={"retention_policy": policy})

    return json_response(store.change_bucket(name, conditions, lock).shown())
