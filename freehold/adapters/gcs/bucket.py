"""Single requests to a bucket, tried again where they may be, in the port's errors."""

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from google.api_core.exceptions import NotFound

from freehold.adapters.gcs.connection import LIBRARY, Connection, fault
from freehold.ports.remote_store import no_bucket, persist, unsorted

T = TypeVar("T")

_TYPE = "application/octet-stream"


class Bucket:
    """What lies below the prefix of a connection, by whole names, the prefix left out."""

    def __init__(self, connection: Connection) -> None:
        self.where = connection.where
        self.endpoint = connection.endpoint
        self.limits = connection.limits
        self._at = connection

    def blob(self, name: str) -> Any:
        return self._at.client.bucket(self._at.bucket).blob(self._at.prefix + name)

    def ask(self, name: str, call: Callable[[], T]) -> T:
        """Raises KeyError and the port's errors."""

        def attempt() -> T:
            try:
                return call()
            except LIBRARY as exc:
                raise fault(exc, self.where, name) from None

        return persist(attempt, self.where, self._at.timeout)

    def put(self, name: str, data: bytes) -> None:
        self.write(name, lambda: self.send(self.blob(name), data))

    def write(self, name: str, call: Callable[[], T]) -> T:
        """As `ask`; what is absent is the bucket."""
        try:
            return self.ask(name, call)
        except KeyError:
            raise no_bucket(self.where) from None

    def send(self, blob: Any, data: bytes, **conditions: Any) -> None:
        """Once. Raises what the library raises."""
        blob.upload_from_string(data, content_type=_TYPE, **conditions, **self.limits)

    def compose(self, name: str, parts: list[str]) -> None:
        def attempt() -> None:
            target = self.blob(name)
            target.content_type = _TYPE
            target.compose([self.blob(part) for part in parts], **self.limits)

        self.ask(name, attempt)

    def drop(self, name: str) -> bool:
        """Whether it was there."""
        try:
            self.ask(name, lambda: self.blob(name).delete(**self.limits))
        except KeyError:
            return False
        return True

    def names(self, prefix: str, after: str) -> Iterator[str]:
        """Sorted, by pages; those that the service does not skip by itself are skipped here."""
        last = after
        pages: Iterator[list[str]] | None = None

        def next_page() -> list[str]:
            nonlocal pages
            if pages is None:
                pages = self._pages(prefix, last)
            try:
                return next(pages, [])
            except NotFound:
                raise no_bucket(self.where) from None
            except LIBRARY as exc:
                pages = None
                raise fault(exc, self.where) from None

        while page := persist(next_page, self.where, self._at.timeout):
            for name in page:
                if name > last:
                    last = name
                    yield name

    def _pages(self, prefix: str, after: str) -> Iterator[list[str]]:
        start = self._at.prefix
        found = self._at.client.list_blobs(
            self._at.bucket,
            prefix=start + prefix or None,
            start_offset=start + after if after else None,
            fields="items(name),nextPageToken",
            **self.limits,
        )
        last = ""
        for page in found.pages:
            names = [blob.name.removeprefix(start) for blob in page]
            for name in names:
                if name < last:
                    raise unsorted(self.where)
                last = name
            if names:
                yield names
