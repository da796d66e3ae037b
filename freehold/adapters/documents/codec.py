"""JSON documents: plain values and dataclasses."""

import json
from pathlib import Path
from typing import Any

from freehold.domain.errors import IntegrityError, NotSupported
from freehold.domain.json_value import plain, typed
from freehold.domain.stored_type import describe
from freehold.ports.codec import Codec


class JsonCodec(Codec):
    """Keeps the order of keys and the difference between 3 and 3.0, as canonical JSON would not."""

    format = "json"

    def encode(self, value: Any) -> bytes:
        try:
            document = plain(value)
        except TypeError as exc:
            raise NotSupported(
                "this value cannot be stored as JSON",
                why=str(exc),
                hint="return plain values, a dataclass, a table or a path",
                code="codec.unsupported",
            ) from exc
        return json.dumps(
            document, ensure_ascii=False, allow_nan=False, separators=(",", ":")
        ).encode()

    def decode(self, data: bytes, kind: Any, workspace: Path) -> Any:
        del workspace
        try:
            return typed(kind, json.loads(data))
        except (ValueError, RecursionError) as exc:
            raise IntegrityError(
                f"this is not a JSON document of type {describe(kind)}",
                why=str(exc),
                code="artifact.unreadable",
            ) from exc
