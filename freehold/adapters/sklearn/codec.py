"""Estimators as skops files."""

from pathlib import Path
from typing import Any

from freehold.adapters.sklearn.persistence import read, written
from freehold.domain.errors import AdapterFailed, IntegrityError
from freehold.ports.codec import Codec


class EstimatorCodec(Codec):
    format = "sklearn"

    def encode(self, value: Any) -> bytes:
        return written(value)

    def decode(self, data: bytes, kind: Any, workspace: Path) -> Any:
        del kind, workspace
        try:
            return read(data)
        except AdapterFailed as exc:
            raise IntegrityError(exc.what, why=exc.why, code="artifact.unreadable") from exc
