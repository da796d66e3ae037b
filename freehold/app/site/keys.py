"""The own key's file while it is being replaced, and the public keys of others that are known."""

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from freehold.domain.errors import IntegrityError
from freehold.domain.signature import PublicKey
from freehold.replication.trust import fitting


def next_key_path(path: Path) -> Path:
    """Of the key that will follow the one at `path`."""
    return path.with_name("next.key")


def put_in_place(path: Path) -> None:
    """The new key takes the old one's name, which is kept beside it. Idempotent, whoever else does
    it; at each moment there is a key of this name, the old one or the new one."""
    following = next_key_path(path)
    # One that comes second would keep the new key as the old one.
    with path.with_name(".lock").open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        for suffix in (".pub", ".key"):
            new, old = following.with_suffix(suffix), path.with_suffix(suffix)
            if new.exists():
                if old.exists():
                    kept = old.with_suffix(f"{suffix}.old")
                    kept.unlink(missing_ok=True)
                    kept.hardlink_to(old)
                new.replace(old)


class KeyRing:
    """Public keys by fingerprint, as files. A key in it is known, not believed: what is believed
    is decided when a log is taken."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def add(self, key: PublicKey) -> None:
        path = self._folder / f"{key.fingerprint.removeprefix('sha256:')}.pub"
        if path.exists():
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        descriptor, part = tempfile.mkstemp(dir=self._folder)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(key.pem)
                file.flush()
                os.fsync(descriptor)
            Path(part).replace(path)
        finally:
            Path(part).unlink(missing_ok=True)

    def of(self, writer: str) -> PublicKey | None:
        """The key that signed a log of this name."""
        return next(fitting(writer, self._keys()), None)

    def _keys(self) -> Iterator[PublicKey]:
        for path in sorted(self._folder.glob("*.pub")):
            with suppress(IntegrityError):
                yield PublicKey(path.read_bytes())
