"""An object store seen by digest: what is read is checked, so a lie of the store is an error."""

from hashlib import sha256

from freehold.domain.artifact import object_key
from freehold.domain.errors import IntegrityError
from freehold.ports.object_store import ObjectStore


class ArtifactStore:
    """Puts and gets immutable bytes by their SHA-256 digest. Thread-safe if the store is."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def put(self, data: bytes) -> str:
        """The digest. Bytes that are there already, whole, are not written again.

        An object of the right name and size may still be damaged, so that what is present is
        read and compared: a cache must not heal into a lie.
        """
        digest = "sha256:" + sha256(data).hexdigest()
        key = object_key(digest)
        if self._store.size(key) != len(data) or self._store.get(key) != data:
            self._store.put(key, data)
        return digest

    def get(self, digest: str) -> bytes:
        """Raises IntegrityError if the bytes are absent or not those of the digest."""
        key = object_key(digest)
        try:
            data = self._store.get(key)
        except KeyError:
            raise IntegrityError(
                f"artifact {digest} is not in the store",
                code="artifact.missing",
                hint="run the step that made it again, or copy the object back",
            ) from None
        if "sha256:" + sha256(data).hexdigest() != digest:
            raise IntegrityError(
                f"artifact {digest} is corrupt",
                why="its bytes have another digest",
                code="artifact.corrupt",
                hint=f"delete the object {key} and run the step that made it again",
            )
        return data

    def holds(self, digest: str) -> bool:
        """Whether the bytes are there and verify."""
        try:
            self.get(digest)
        except IntegrityError:
            return False
        return True
