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
