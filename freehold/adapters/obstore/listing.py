"""Keys by pages, from any key on."""

import itertools
from collections.abc import Iterator
from typing import Any

import obstore

from freehold.adapters.obstore.faults import LIBRARY, fault
from freehold.ports.object_store import is_key
from freehold.ports.remote_store import persist, unsorted

_PAGE = 1000
"""Keys in one answer of a store, at most."""
_LETTERS = "-.0123456789=ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"


def keys_of(client: Any, where: str, timeout: float, prefix: str, after: str) -> Iterator[str]:
    """As the port's `keys`. A page that fails is asked for again from the last key that came."""
    folder, _, name = prefix.rpartition("/")
    last = max(after, _before(prefix) if name else "")
    pages: Iterator[list[str]] | None = None

    def next_page() -> list[str]:
        nonlocal pages
        if pages is None:
            pages = _pages(client, where, folder, last)
        try:
            return next(pages, [])
        except LIBRARY as exc:
            pages = None
            raise fault(exc, where) from None

    while page := persist(next_page, where, timeout):
        for key in page:
            if key <= last:
                continue
            last = key
            if key.startswith(prefix):
                if is_key(key):
                    yield key
            elif key > prefix:
                return


def _pages(client: Any, where: str, folder: str, after: str) -> Iterator[list[str]]:
    """The library lists folders only, not what begins alike."""
    for page in obstore.list(client, folder or None, offset=after or None, chunk_size=_PAGE):
        keys = [entry["path"] for entry in page]
        if any(left >= right for left, right in itertools.pairwise(keys)):
            raise unsorted(where)
        yield keys


def _before(prefix: str) -> str:
    """A key, or nothing, that sorts before whatever starts with the prefix, and not far before."""
    place = _LETTERS.find(prefix[-1])
    return prefix[:-1] + _LETTERS[place - 1] if place > 0 else prefix[:-1].rstrip("/")
