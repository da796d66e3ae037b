"""A file's bytes as they are."""

import tempfile
from pathlib import Path
from typing import Any

from freehold.domain.errors import NotSupported, StorageFailed
from freehold.ports.codec import Codec


class FileCodec(Codec):
    """Any bytes are a file, so none are unreadable."""

    format = "file"

    def encode(self, value: Any) -> bytes:
        try:
            return Path(value).read_bytes()
        except OSError as exc:
            raise NotSupported(
                f"'{value}' cannot be stored as a file",
                why=str(exc),
                hint="return the path of one file that is there; pack a folder first",
                code="codec.unsupported",
            ) from exc

    def decode(self, data: bytes, kind: Any, workspace: Path) -> Any:
        """A file of its own in the workspace."""
        del kind
        try:
            path = Path(tempfile.mkdtemp(dir=workspace)) / "file"
            path.write_bytes(data)
        except OSError as exc:
            raise StorageFailed("a step's input file was not written", why=str(exc)) from exc
        return path
