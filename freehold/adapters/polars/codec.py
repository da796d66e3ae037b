"""Polars tables as Parquet, by Polars itself."""

import io
from pathlib import Path
from typing import Any

import polars as pl

from freehold.domain.errors import IntegrityError, NotSupported
from freehold.domain.stored_type import describe
from freehold.ports.codec import Codec, Shares


class PolarsCodec(Codec, Shares):
    format = "parquet"

    def encode(self, value: Any) -> bytes:
        if not isinstance(value, pl.DataFrame):
            raise NotSupported(
                f"a value of type {describe(type(value))} cannot be stored as a table",
                hint="return a polars.DataFrame; .collect() a LazyFrame, .to_frame() a Series",
                code="codec.unsupported",
            )
        buffer = io.BytesIO()
        try:
            value.write_parquet(buffer, compression="zstd")
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as exc:
            raise NotSupported(
                "this table cannot be stored as Parquet", why=str(exc), code="codec.unsupported"
            ) from exc
        return buffer.getvalue()

    def decode(self, data: bytes, kind: Any, workspace: Path) -> Any:
        del kind, workspace
        try:
            return pl.read_parquet(io.BytesIO(data))
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as exc:
            raise IntegrityError(
                "this is not a whole Parquet file", why=str(exc), code="artifact.unreadable"
            ) from exc

    def share(self, value: Any) -> Any:
        """A clone has columns of its own; their buffers are never changed in place."""
        return value.clone()
