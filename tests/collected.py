"""A collection that comes at the worst time."""

from typing import Any

import pytest

from freehold.domain.artifact import object_key


def collected_once(site: Any, patched: pytest.MonkeyPatch) -> None:
    """The next artifact that is stored is gone before a fact can name it."""
    put = site.artifacts.put

    def put_and_lose(data: bytes) -> str:
        patched.setattr(site.artifacts, "put", put)
        digest: str = put(data)
        site.objects.delete(object_key(digest))
        return digest

    patched.setattr(site.artifacts, "put", put_and_lose)


def collected_until(site: Any, patched: pytest.MonkeyPatch, name: str) -> list[str]:
    """Every artifact that is stored is gone at once, until a decision of that function's name is
    asked. Returns the digests, as they go."""
    put, decide = site.artifacts.put, site.ledger.decide
    gone: list[str] = []

    def put_and_lose(data: bytes) -> str:
        digest: str = put(data)
        site.objects.delete(object_key(digest))
        gone.append(digest)
        return digest

    def decided(decision: Any) -> Any:
        if decision.__qualname__.startswith(name):
            patched.setattr(site.artifacts, "put", put)
        return decide(decision)

    patched.setattr(site.artifacts, "put", put_and_lose)
    patched.setattr(site.ledger, "decide", decided)
    return gone
