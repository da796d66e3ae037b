"""Objects in a bucket of Google Cloud Storage. A version is a generation of the vendor's."""

import uuid
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from google.api_core.exceptions import PreconditionFailed, RequestRangeNotSatisfiable

from freehold.adapters.gcs.bucket import Bucket
from freehold.adapters.gcs.connection import LIBRARY, Connection, fault
from freehold.adapters.gcs.parts import upload_by_parts
from freehold.domain.errors import StorageFailed
from freehold.ports.object_store import (
    ComparesAndSets,
    CreatesOnce,
    Moved,
    MovesFiles,
    ObjectStore,
    Opens,
    SignsUrls,
    StoreSettings,
    check_key,
    is_key,
)
from freehold.ports.remote_store import (
    PART,
    Interrupted,
    changing,
    fetch_by_parts,
    in_doubt,
)

_ATTEMPT = "attempt"
"""Metadata of what was written under a condition: who wrote it, should the answer be lost."""
_READS = 5
"""Times that a file is begun anew because its object was replaced meanwhile."""


class GcsObjectStore(ObjectStore, Opens, MovesFiles, CreatesOnce, ComparesAndSets, SignsUrls):
    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self._seen = False

    @classmethod
    def open(cls, settings: StoreSettings) -> "GcsObjectStore":
        return cls(Bucket(Connection(settings)))

    def put(self, key: str, data: bytes) -> None:
        check_key(key)
        self._bucket.put(key, data)

    def get(self, key: str, start: int = 0, stop: int | None = None) -> bytes:
        check_key(key)
        data = b""
        if stop is None or stop > start:
            data = self._read(key, start, stop)
        if not data and self._head(key) is None:
            raise KeyError(key)
        return data

    def size(self, key: str) -> int | None:
        found = self._head(key)
        return None if found is None else int(found.size)

    def keys(self, prefix: str = "", after: str = "") -> Iterator[str]:
        return filter(is_key, self._bucket.names(prefix, after))

    def delete(self, key: str) -> None:
        check_key(key)
        if not self._bucket.drop(key):
            self._see()

    def upload(self, key: str, path: Path, moved: Moved = lambda _: None) -> None:
        check_key(key)
        size = path.stat().st_size
        if size <= PART:
            self.put(key, path.read_bytes())
            moved(size)
        else:
            upload_by_parts(self._bucket, key, path, moved)

    def download(self, key: str, path: Path, moved: Moved = lambda _: None) -> None:
        for _ in range(_READS):
            found = self._head(key)
            if found is None:
                raise KeyError(key)
            fetch = partial(self._read, key, generation=found.generation)
            try:
                fetch_by_parts(path, found.size, fetch, moved)
                return
            except _Replaced:
                continue
        raise changing(self._bucket.where, key)

    def create(self, key: str, data: bytes) -> bool:
        return self._put_if(key, data, 0)

    def version(self, key: str) -> str | None:
        found = self._head(key)
        return None if found is None else str(found.generation)

    def replace(self, key: str, data: bytes, version: str) -> bool:
        # Generation 0 would mean that there must be no object.
        return version.isdigit() and int(version) > 0 and self._put_if(key, data, int(version))

    def signed_url(self, key: str, seconds: int) -> str:
        check_key(key)
        try:
            return str(
                self._bucket.blob(key).generate_signed_url(
                    version="v4",
                    expiration=timedelta(seconds=seconds),
                    api_access_endpoint=self._bucket.endpoint or None,
                )
            )
        except (AttributeError, *LIBRARY):
            raise StorageFailed(
                f"the credentials for the store {self._bucket.where} cannot sign a URL",
                why="only a service account's key signs",
                hint="give the secret service_account, or do without signed URLs",
                code="storage.cannot-sign",
            ) from None

    def _read(self, key: str, start: int, stop: int | None, generation: int | None = None) -> bytes:
        """Of this generation, where one is given. Raises _Replaced."""

        def attempt() -> bytes:
            try:
                return bytes(
                    self._bucket.blob(key).download_as_bytes(
                        start=start or None,
                        end=None if stop is None else stop - 1,
                        if_generation_match=generation,
                        raw_download=True,
                        **self._bucket.limits,
                    )
                )
            except RequestRangeNotSatisfiable:
                return b""
            except PreconditionFailed:
                raise _Replaced from None

        try:
            return self._bucket.ask(key, attempt)
        except KeyError:
            self._see()
            raise

    def _head(self, key: str) -> Any:
        """Its metadata, or None if absent."""
        check_key(key)
        blob = self._bucket.blob(key)

        def reload() -> None:
            blob.reload(**self._bucket.limits)

        try:
            self._bucket.ask(key, reload)
        except KeyError:
            self._see()
            return None
        self._seen = True
        return blob

    def _see(self) -> None:
        """The answer for an absent object is that for an absent bucket."""
        if not self._seen:
            next(self.keys(), None)
            self._seen = True

    def _put_if(self, key: str, data: bytes, generation: int) -> bool:
        check_key(key)
        name = uuid.uuid4().hex
        is_in_doubt = False

        def attempt() -> bool:
            nonlocal is_in_doubt
            blob = self._bucket.blob(key)
            blob.metadata = {_ATTEMPT: name}
            try:
                self._bucket.send(blob, data, if_generation_match=generation)
                return True
            except PreconditionFailed:
                return self._is_mine(key, name) if is_in_doubt else False
            except LIBRARY as exc:
                found = fault(exc, self._bucket.where, key)
                is_in_doubt |= isinstance(found, Interrupted) and found.in_doubt
                raise

        return self._bucket.write(key, attempt)

    def _is_mine(self, key: str, name: str) -> bool:
        """Whether the attempt whose answer was lost had put it. Raises Unreachable if somebody
        has written since, who may have followed it or gone before it."""
        found = self._head(key)
        if found is None or (found.metadata or {}).get(_ATTEMPT) != name:
            raise in_doubt(self._bucket.where, key)
        return True


class _Replaced(Exception):
    """The object has another generation than the one that is being read."""
