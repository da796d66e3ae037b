"""The file: a JSON Web Key Set (RFC 7517), written whole or not at all, one process at a time."""

import base64
import fcntl
import json
import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from freehold.domain.canonical import canonical
from freehold.domain.errors import Conflict, IntegrityError, NotFound, StorageFailed

KEY_BYTES = 32
_OTHERS = stat.S_IRWXG | stat.S_IRWXO

Keys = dict[str, bytes]
"""By id, the newest last."""


def read(path: Path) -> Keys:
    """Raises NotFound, IntegrityError (others can use it, not such a file), StorageFailed."""
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            text = file.read()
    except FileNotFoundError as exc:
        raise NotFound(
            f"there is no key file {path}",
            why="it was never made here, or has gone",
            code="keys.missing",
            hint="copy it from a place that reads the same store; without it nothing can be read",
        ) from exc
    except OSError as exc:
        raise _not_stored(path, "read", exc) from exc
    if mode & _OTHERS:
        raise IntegrityError(
            f"the key file {path} can be used by others on this machine",
            why=f"its mode is {mode:04o}",
            code="key.readable-by-others",
            hint=f"chmod 600 {path}",
        )
    try:
        return _parsed(text)
    except (ValueError, TypeError, KeyError, AttributeError):
        raise IntegrityError(
            f"{path} is not a key file",
            why="it is no JSON Web Key Set of 256-bit keys, each with its thumbprint as `kid`",
            code="key.unreadable",
            hint="copy it from a place that reads the same store, or from a backup",
        ) from None


def create(path: Path) -> None:
    """A file with one new key. Raises Conflict if the file is there, which stays as it is."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise _not_stored(path, "written", exc) from exc
    try:
        _write(path, _new(), replace=False)
    except FileExistsError as exc:
        raise Conflict(
            f"there is a key file {path} already",
            why="whatever was encrypted with its keys needs it",
            code="key.exists",
            hint="use it, or choose another file: a lost key cannot be made again",
        ) from exc
    except OSError as exc:
        raise _not_stored(path, "written", exc) from exc


def change(path: Path, changed: Callable[[Keys], Keys]) -> Keys:
    """The keys afterwards. Two processes that change the file at once do so one after the other."""
    try:
        with _alone(path):
            keys = changed(read(path))
            _write(path, keys, replace=True)
            return keys
    except OSError as exc:
        raise _not_stored(path, "written", exc) from exc


def with_new(keys: Keys) -> Keys:
    return {**keys, **_new()}


def _new() -> Keys:
    key = os.urandom(KEY_BYTES)
    return {_id(key): key}


def _id(key: bytes) -> str:
    """The thumbprint of RFC 7638; section 7 allows that of a secret which cannot be guessed."""
    thumbprint = sha256(canonical({"k": _text(key), "kty": "oct"})).digest()
    return f"file:{_text(thumbprint)}"


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _parsed(text: bytes) -> Keys:
    found = {}
    for key in json.loads(text)["keys"]:
        data = base64.b64decode(key["k"] + "=", altchars=b"-_", validate=True)
        if key["kty"] != "oct" or len(data) != KEY_BYTES or key["kid"] != _id(data):
            raise ValueError("not a key of this kind")
        found[key["kid"]] = data
    if not found:
        raise ValueError("no key")
    return found


def _write(path: Path, keys: Keys, *, replace: bool) -> None:
    """On the disk before it returns. Raises FileExistsError unless it may replace."""
    listed = [
        {"alg": "A256GCM", "k": _text(key), "kid": name, "kty": "oct", "use": "enc"}
        for name, key in keys.items()
    ]
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    new = Path(name)
    try:
        with os.fdopen(descriptor, "w") as file:
            os.fchmod(descriptor, 0o600)
            json.dump({"keys": listed}, file, indent=2)
            file.write("\n")
            file.flush()
            os.fsync(descriptor)
        if replace:
            new.replace(path)
        else:
            path.hardlink_to(new)
    finally:
        new.unlink(missing_ok=True)
    _sync(path.parent)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Holds the folder, since the file itself is replaced."""
    descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _not_stored(path: Path, done: str, exc: OSError) -> StorageFailed:
    return StorageFailed(
        f"the key file {path} could not be {done}",
        why=exc.strerror or str(exc),
        code="keys.denied",
        hint="make sure that its disk has room and that you may use it, and repeat the command",
    )
