"""Arrow tables as Parquet."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from freehold.domain.errors import IntegrityError, NotSupported
from freehold.domain.stored_type import describe
from freehold.ports.codec import Codec, Shares


class ArrowCodec(Codec, Shares):
    format = "parquet"

    def encode(self, value: Any) -> bytes:
        if not isinstance(value, pa.Table):
            raise NotSupported(
                f"a value of type {describe(type(value))} cannot be stored as a table",
                hint="return a pyarrow.Table",
                code="codec.unsupported",
            )
        sink = pa.BufferOutputStream()
        try:
            pq.write_table(value, sink, compression="zstd")
        except pa.ArrowException as exc:
            raise NotSupported(
                "this table cannot be stored as Parquet", why=str(exc), code="codec.unsupported"
            ) from exc
        return bytes(sink.getvalue())

    def decode(self, data: bytes, kind: Any, workspace: Path) -> Any:
        del kind, workspace
        try:
            return pq.read_table(pa.BufferReader(data))
        except (pa.ArrowException, OSError) as exc:
            raise IntegrityError(
                "this is not a whole Parquet file", why=str(exc), code="artifact.unreadable"
            ) from exc

    def share(self, value: Any) -> Any:
        """Arrow tables are immutable."""
        return value
