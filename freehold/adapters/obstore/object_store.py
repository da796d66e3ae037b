"""What S3 and Azure Blob Storage have in common."""

import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import obstore

from freehold.adapters.obstore.connection import Address, Clients
from freehold.adapters.obstore.faults import (
    LIBRARY,
    code_of,
    fault,
    is_absent,
    is_beyond,
    is_condition,
    is_partial_refused,
)
from freehold.adapters.obstore.listing import keys_of
from freehold.adapters.obstore.transfers import CountingReader
from freehold.ports.object_store import (
    ComparesAndSets,
    CreatesOnce,
    Moved,
    MovesFiles,
    ObjectStore,
    SignsUrls,
    check_key,
)
from freehold.ports.remote_store import (
    PARTS_AT_ONCE,
    Interrupted,
    arriving,
    changing,
    fetch_by_parts,
    in_doubt,
    part_size,
    persist,
    unreachable,
)

T = TypeVar("T")

_LARGE = 2**20
"""Bytes from which an object may take the time of a part."""
_ATTEMPT = "attempt"
"""Metadata of what was written under a condition: who wrote it, should the answer be lost."""
_READS = 5
"""Times that a file is begun anew because its object was replaced meanwhile."""


class RemoteObjectStore(ObjectStore, MovesFiles, CreatesOnce, ComparesAndSets, SignsUrls):
    def __init__(self, address: Address, timeout: float, clients: Clients) -> None:
        self._where = str(address)
        self._timeout = timeout
        self._client = clients.requests
        self._large = clients.large
        self._parts = clients.parts
        self._bucket_seen = False
        self._ranges_honoured = True

    def put(self, key: str, data: bytes) -> None:
        check_key(key)
        if len(data) <= part_size(len(data)):
            client = self._client if len(data) < _LARGE else self._large
            self._ask(key, lambda: obstore.put(client, key, data, use_multipart=False))
        else:
            self._put_parts(key, data, part_size(len(data)))

    def get(self, key: str, start: int = 0, stop: int | None = None) -> bytes:
        check_key(key)
        if start == 0 and stop is None:
            return self._read(key)
        if stop is not None and stop <= start:
            self._present(key)
            return b""
        return self._read_range(key, start, stop)

    def size(self, key: str) -> int | None:
        found = self._head(key)
        return None if found is None else int(found["size"])

    def keys(self, prefix: str = "", after: str = "") -> Iterator[str]:
        return keys_of(self._client, self._where, self._timeout, prefix, after)

    def delete(self, key: str) -> None:
        check_key(key)

        def attempt() -> None:
            try:
                obstore.delete(self._client, key)
            except LIBRARY as exc:
                # Some servers fail to delete what is absent because it is a folder of theirs.
                if code_of(exc) == "InternalError" and self._head(key) is None:
                    return
                raise fault(exc, self._where, key) from None

        try:
            persist(attempt, self._where, self._timeout)
        except KeyError:
            self._see_bucket()

    def upload(self, key: str, path: Path, moved: Moved = lambda _: None) -> None:
        check_key(key)
        size = path.stat().st_size
        step = part_size(size)
        if size <= step:
            self.put(key, path.read_bytes())
            moved(size)
            return
        with path.open("rb") as file:
            self._put_parts(key, CountingReader(file, moved), step)

    def download(self, key: str, path: Path, moved: Moved = lambda _: None) -> None:
        check_key(key)
        for _ in range(_READS):
            try:
                self._download(key, path, moved)
                return
            except _Replaced:
                continue
        raise changing(self._where, key)

    def create(self, key: str, data: bytes) -> bool:
        return self._put_if(key, data, "create")

    def version(self, key: str) -> str | None:
        found = self._head(key)
        return None if found is None else found["e_tag"]

    def replace(self, key: str, data: bytes, version: str) -> bool:
        return self._put_if(key, data, {"e_tag": version})

    def signed_url(self, key: str, seconds: int) -> str:
        check_key(key)
        time = timedelta(seconds=seconds)
        return str(self._ask(key, lambda: obstore.sign(self._client, "GET", key, time)))

    def _ask(self, key: str, call: Callable[[], T]) -> T:
        """Raises KeyError and the port's errors."""

        def attempt() -> T:
            try:
                return call()
            except LIBRARY as exc:
                raise fault(exc, self._where, key) from None

        return persist(attempt, self._where, self._timeout)

    def _read(self, key: str) -> bytes:
        def whole() -> bytes:
            found = obstore.get(self._client, key)
            first, end = found.range
            data = bytes(found.bytes())
            if len(data) != end - first:
                raise Interrupted(f"{len(data)} bytes came, {end - first} were announced")
            return data

        return self._ask(key, whole)

    def _read_range(self, key: str, start: int, stop: int | None, tag: str | None = None) -> bytes:
        """Of the version that has this tag, where one is given. Raises _Replaced."""
        wanted = {"offset": start} if stop is None else (start, stop)
        options: Any = {"range": wanted} | ({"if_match": tag} if tag else {})

        def part() -> bytes | None:
            try:
                found = obstore.get(self._client, key, options=options)
                first, end = found.range
                data = bytes(found.bytes())
            except LIBRARY as exc:
                if is_beyond(exc):
                    return b""
                if is_partial_refused(exc):
                    return None
                if is_condition(exc):
                    raise _Replaced from None
                raise
            if first != start or len(data) != end - first:
                raise Interrupted("less came than was announced")
            return data

        data = self._ask(key, part) if self._ranges_honoured else None
        if data is None:
            self._ranges_honoured = False
            return self._read(key)[start:stop]
        if not data:
            self._present(key)
        return data

    def _present(self, key: str) -> None:
        if self._head(key) is None:
            raise KeyError(key)

    def _head(self, key: str) -> Any:
        """Its metadata, or None if absent."""
        check_key(key)
        try:
            found = self._ask(key, lambda: obstore.head(self._client, key))
        except KeyError:
            self._see_bucket()
            return None
        self._bucket_seen = True
        return found

    def _see_bucket(self) -> None:
        """An answer without content does not tell an absent object from an absent bucket."""
        if not self._bucket_seen:
            next(self.keys(), None)
            self._bucket_seen = True

    def _put_parts(self, key: str, data: Any, step: int) -> None:
        """Not begun again as a whole: the library has tried each part, and who reads `data` is at
        its end."""
        try:
            obstore.put(self._parts, key, data, chunk_size=step, max_concurrency=PARTS_AT_ONCE)
        except LIBRARY as exc:
            found = fault(exc, self._where, key)
            if isinstance(found, Interrupted):
                raise unreachable(self._where, str(found)) from None
            raise found from None

    def _download(self, key: str, path: Path, moved: Moved) -> None:
        found = self._head(key)
        if found is None:
            raise KeyError(key)
        size, tag = found["size"], found["e_tag"]
        if size and self._ranges_honoured:
            self._read_range(key, 0, 1, tag)
        if self._ranges_honoured:
            fetch_by_parts(path, size, lambda a, b: self._read_range(key, a, b, tag), moved)
        else:
            self._ask(key, lambda: self._stream(key, path, moved))

    def _stream(self, key: str, path: Path, moved: Moved) -> None:
        """For a store without ranges: one answer, in flat memory."""
        with arriving(path) as descriptor, open(descriptor, "wb", closefd=False) as file:
            found = obstore.get(self._client, key)
            for chunk in found.stream(min_chunk_size=_LARGE):
                file.write(chunk)
                moved(len(chunk))
            if file.tell() != found.meta["size"]:
                raise Interrupted(f"{file.tell()} of {found.meta['size']} bytes came")

    def _put_if(self, key: str, data: bytes, mode: Any) -> bool:
        check_key(key)
        name = uuid.uuid4().hex
        is_in_doubt = False

        def attempt() -> bool:
            nonlocal is_in_doubt
            try:
                obstore.put(self._client, key, data, mode=mode, attributes={_ATTEMPT: name})
                return True
            except LIBRARY as exc:
                if is_condition(exc) or is_absent(exc):
                    return self._is_mine(key, name) if is_in_doubt else False
                found = fault(exc, self._where, key)
                is_in_doubt |= isinstance(found, Interrupted) and found.in_doubt
                raise found from None

        return persist(attempt, self._where, self._timeout)

    def _is_mine(self, key: str, name: str) -> bool:
        """Whether the attempt whose answer was lost had put it. Raises Unreachable if somebody
        has written since, who may have followed it or gone before it."""
        try:
            found = self._ask(
                key, lambda: obstore.get(self._client, key, options={"head": True}).attributes
            )
        except KeyError:
            raise in_doubt(self._where, key) from None
        if found.get(_ATTEMPT) != name:
            raise in_doubt(self._where, key)
        return True


class _Replaced(Exception):
    """The object has another version than the one that is being read."""
