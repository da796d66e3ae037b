"""Tracebacks, inputs, comments: what may have to be erased while every proof stays valid.

A fact refers to an attachment by a salted digest, so that nobody can find out by guessing what an
erased one said.
"""

import re
from collections.abc import Callable
from hashlib import sha256

from freehold.domain.errors import IntegrityError, NotFound
from freehold.ports.object_store import ObjectStore

_SALT = 16
_NAME = re.compile(r"salted-sha256:([0-9a-f]{64})")


class AttachmentStore:
    """Thread-safe if the object store is."""

    def __init__(self, store: ObjectStore, randomness: Callable[[int], bytes]) -> None:
        """`randomness(n)` gives n unpredictable bytes."""
        self._store = store
        self._randomness = randomness

    def put(self, data: bytes) -> str:
        """The name, `salted-sha256:<hex>`; another one each time, even for the same bytes."""
        salted = self._randomness(_SALT) + data
        name = "salted-sha256:" + sha256(salted).hexdigest()
        self._store.put(attachment_key(name), salted)
        return name

    def get(self, name: str) -> bytes:
        """Raises IntegrityError if it was erased (`attachment.erased`) or is not what was put
        (`attachment.altered`)."""
        try:
            salted = self._store.get(attachment_key(name))
        except KeyError:
            raise IntegrityError(
                f"attachment {name} was erased",
                why="its bytes are not in the store; the fact that refers to it still verifies",
                code="attachment.erased",
            ) from None
        check_attachment(name, salted)
        return salted[_SALT:]

    def erase(self, name: str) -> None:
        """Of no effect if it was erased already."""
        self._store.delete(attachment_key(name))


def check_attachment(name: str, salted: bytes) -> None:
    """Raises IntegrityError `attachment.altered` unless the bytes, as they lie, are the name's."""
    if "salted-sha256:" + sha256(salted).hexdigest() != name:
        raise IntegrityError(
            f"attachment {name} was altered",
            why="its bytes have another digest",
            code="attachment.altered",
            hint="restore it from a copy, or erase it",
        )


def attachment_key(name: str) -> str:
    """`salted-sha256:abcd…` → `attachments/ab/abcd…`. Raises NotFound for any other name."""
    match = _NAME.fullmatch(name)
    if match is None:
        raise NotFound(
            f"{name!r} is not the name of an attachment",
            code="attachment.malformed-name",
            hint="names look like salted-sha256: and 64 hexadecimal digits",
        )
    return f"attachments/{match[1][:2]}/{match[1]}"
