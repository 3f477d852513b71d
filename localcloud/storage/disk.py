"""The files under the root: `<bucket>/bucket.json`, and `<generation>.data` with `<generation>.json` for every object.

Enough to go on after a restart of the service. Nothing is forced to the disk: a power cut may lose what was
acknowledged. What was being uploaded is forgotten at a restart; the real service keeps it for a week.
"""

import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

from localcloud.storage.resources import Resource, StoredBucket, StoredObject

UPLOADS = ".uploads"


class Disk:
    """Reads and writes the files; decides nothing."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._uploads = root / UPLOADS
        shutil.rmtree(self._uploads, ignore_errors=True)
        self._uploads.mkdir(parents=True)

    def new_upload(self) -> Path:
        """A path that nothing else uses, in the file system of the objects."""
        return self._uploads / uuid.uuid4().hex

    def data(self, stored: StoredObject) -> Path:
        return self._root / stored.bucket / f"{stored.generation}.data"

    def add_bucket(self, bucket: StoredBucket) -> None:
        (self._root / bucket.name).mkdir()
        self.save_bucket(bucket)

    def save_bucket(self, bucket: StoredBucket) -> None:
        self._save(self._root / bucket.name / "bucket.json", bucket)

    def remove_bucket(self, name: str) -> None:
        shutil.rmtree(self._root / name)

    def add_object(self, stored: StoredObject, content: Path) -> None:
        """Takes the content over. The JSON comes last: an object without it never existed."""
        content.rename(self.data(stored))
        self.save_object(stored)

    def save_object(self, stored: StoredObject) -> None:
        self._save(self.data(stored).with_suffix(".json"), stored)

    def remove_object(self, stored: StoredObject) -> None:
        self.data(stored).with_suffix(".json").unlink()
        self.data(stored).unlink()

    def load_buckets(self) -> Iterator[StoredBucket]:
        for path in sorted(self._root.glob("*/bucket.json")):
            yield StoredBucket.model_validate_json(path.read_bytes())

    def load_objects(self, bucket: str) -> Iterator[StoredObject]:
        """In the order of their generations."""
        for path in sorted(self._root.joinpath(bucket).glob("*[0-9].json"), key=lambda path: int(path.stem)):
            yield StoredObject.model_validate_json(path.read_bytes())

    def _save(self, path: Path, resource: Resource) -> None:
        draft = self.new_upload()
        draft.write_text(resource.model_dump_json(by_alias=True, exclude_none=True), encoding="utf-8")
        draft.replace(path)
