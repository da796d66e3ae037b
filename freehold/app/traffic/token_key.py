"""The site's key for tokens: who has it can find what a token in the request log stands for.

It is made once and lies in the serving folder, outside the log, readable by its owner only. It goes
nowhere else: no fact, no store, no exit has it. Whoever removes the file makes every token so far
meaningless; the next publication makes another key, and a table that names it.
"""

import os
import tempfile
from pathlib import Path

from freehold.app.site.opening import Site
from freehold.domain.errors import IntegrityError, StorageFailed
from freehold.serving.tokens import KEY_BYTES, TokenKey

TOKEN_KEY = "tokens.key"


def token_key(site: Site) -> TokenKey:
    """Makes it where there is none. Raises StorageFailed, IntegrityError `key.unreadable`."""
    path = site.serving / TOKEN_KEY
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            _make(path, TokenKey(os.urandom(KEY_BYTES)))
        return TokenKey.parse(path.read_bytes())
    except OSError as exc:
        raise StorageFailed(
            f"the key for tokens, {path}, can be neither read nor made",
            why=str(exc),
            hint="make room, or mend its permissions, and repeat the command",
        ) from exc
    except ValueError as exc:
        raise IntegrityError(
            f"{path} is no key for tokens",
            why=str(exc),
            hint="put it back; or remove it: another is made, and tokens so far tell nothing more",
            code="key.unreadable",
        ) from exc


def _make(path: Path, key: TokenKey) -> None:
    """Whole, on the disk, and never in place of one that another process made meanwhile."""
    # Readable by nobody else from the first moment.
    opened, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    beside = Path(name)
    try:
        with os.fdopen(opened, "wb") as file:
            file.write(key.as_text())
            file.flush()
            os.fsync(file.fileno())
        try:
            path.hardlink_to(beside)
        except FileExistsError:
            return
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    finally:
        beside.unlink(missing_ok=True)
