"""pandas tables as Parquet, index and all."""

import io
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from freehold.domain.errors import IntegrityError, NotSupported
from freehold.domain.stored_type import describe
from freehold.ports.codec import Codec


class PandasCodec(Codec):
    format = "parquet"

    def encode(self, value: Any) -> bytes:
        if not isinstance(value, pd.DataFrame):
            raise NotSupported(
                f"a value of type {describe(type(value))} cannot be stored as a table",
                hint="return a pandas.DataFrame; .to_frame() a Series",
                code="codec.unsupported",
            )
        buffer = io.BytesIO()
        try:
            value.to_parquet(buffer, engine="pyarrow", compression="zstd")
        except (pa.ArrowException, ValueError, TypeError) as exc:
            raise NotSupported(
                "this table cannot be stored as Parquet", why=str(exc), code="codec.unsupported"
            ) from exc
        return buffer.getvalue()

    def decode(self, data: bytes, kind: Any, workspace: Path) -> Any:
        del kind, workspace
        try:
            return pd.read_parquet(io.BytesIO(data), engine="pyarrow")
        except (pa.ArrowException, OSError) as exc:
            raise IntegrityError(
                "this is not a whole Parquet file", why=str(exc), code="artifact.unreadable"
            ) from exc
