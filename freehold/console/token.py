"""The token that lets a client in: made once, in a file that only its owner can read."""

import os
import secrets
from contextlib import suppress
from pathlib import Path

from freehold.domain.errors import IntegrityError, StorageFailed

FILE = "console.token"
LENGTH = 32
"""Random bytes in a token; no shorter text passes for one."""


def token_path(folder: Path) -> Path:
    """Beside the keys, in a site's state folder."""
    return folder / "keys" / FILE


def token_of(folder: Path) -> str:
    """The token of a site's state folder; made if there is none.

    Raises IntegrityError `console.token-exposed`, `console.token-unreadable`; StorageFailed.
    """
    path = token_path(folder)
    try:
        if not path.exists():
            _make(path)
        mode, text = path.stat().st_mode, path.read_text("ascii").strip()
    except OSError as exc:
        raise StorageFailed(
            "the console's token could not be read or written",
            why=str(exc),
            hint=f"mend the permissions of {path} or of its disk",
        ) from exc
    except UnicodeDecodeError:
        mode, text = path.stat().st_mode, ""
    if mode & 0o077:
        raise IntegrityError(
            "others on this machine can read the console's token",
            why=f"{path} has the mode {mode & 0o777:o}",
            hint="remove the file: the console makes a new one when it starts",
            code="console.token-exposed",
        )
    if len(text) < LENGTH:
        raise IntegrityError(
            "the console's token cannot be used",
            why=f"{path} does not hold what a console wrote there",
            hint="remove the file: the console makes a new one when it starts",
            code="console.token-unreadable",
        )
    return text


def _make(path: Path) -> None:
    """Whole or not at all; of two that make one at the same time, the first counts."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{FILE}.{secrets.token_hex(8)}")
    descriptor = os.open(beside, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(LENGTH) + "\n")
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            path.hardlink_to(beside)
    finally:
        beside.unlink(missing_ok=True)
