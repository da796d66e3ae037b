"""Codecs, and what is particular to each."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from freehold.adapters.arrow.codec import ArrowCodec
from freehold.adapters.documents.codec import JsonCodec
from freehold.adapters.files.codec import FileCodec
from freehold.adapters.pandas.codec import PandasCodec
from freehold.adapters.polars.codec import PolarsCodec
from freehold.domain.errors import NotSupported
from freehold.ports.codec import Codec
from freehold.ports.contracts.codec import CodecContract


@dataclass(frozen=True)
class Settings:
    day: date
    sizes: tuple[float, ...]
    name: str | None = None


class TestJsonCodec(CodecContract):
    def make(self) -> Codec:
        return JsonCodec()

    def samples(self, folder: Path) -> Sequence[tuple[Any, Any]]:
        return [
            (None, None),
            (bool, True),
            (int, 2**70),
            (float, 3.0),
            (str, "žluťoučký\n"),
            (date, date(2013, 1, 1)),
            (datetime, datetime(2013, 1, 1, 5, 17, tzinfo=UTC)),
            (Settings, Settings(date(2013, 1, 1), (1.5, 2.0))),
            (dict[str, Settings | None], {"b": Settings(date(2013, 1, 1), ()), "a": None}),
            (list[Any], []),
            (list[dict[str, Any]], [{"b": [1, 2.0, None], "a": "x"}]),
        ]

    def equal(self, one: Any, other: Any) -> bool:
        return bool(one == other and type(one) is type(other))

    def change(self, value: Any) -> None:
        value[0]["b"].append(4)

    def foreign(self) -> Any:
        return {"a": [float("nan")]}

    def test_keys_keep_their_order_and_floats_their_type(self, tmp_path: Path) -> None:
        decoded = JsonCodec().decode(JsonCodec().encode({"b": 3.0, "a": 3}), Any, tmp_path)
        assert list(decoded) == ["b", "a"]
        assert [type(item) for item in decoded.values()] == [float, int]

    @pytest.mark.parametrize("value", [{1: 2}, object(), {"a"}, b"bytes"])
    def test_what_json_does_not_have_is_refused(self, value: Any) -> None:
        with pytest.raises(NotSupported):
            JsonCodec().encode(value)


def _rows() -> dict[str, list[Any]]:
    return {
        "carrier": ["UA", None, "ž"],
        "delay": [1.5, None, -3.0],
        "hour": [5, 6, 7],
        "late": [True, False, None],
    }


class TestPolarsCodec(CodecContract):
    def make(self) -> Codec:
        return PolarsCodec()

    def samples(self, folder: Path) -> Sequence[tuple[Any, Any]]:
        table = pl.DataFrame(_rows()).with_columns(
            time=pl.lit(datetime(2013, 1, 1, tzinfo=UTC)).cast(pl.Datetime("us", "UTC")),
            kind=pl.col("carrier").cast(pl.Categorical),
            listed=pl.lit([1, 2]),
        )
        return [(pl.DataFrame, table.clear()), (pl.DataFrame, table)]

    def equal(self, one: Any, other: Any) -> bool:
        return bool(one.schema == other.schema and one.equals(other))

    def change(self, value: Any) -> None:
        value[0, "hour"] = 23
        value.insert_column(0, pl.Series("new", [1, 2, 3]))
        value.columns = [name.upper() for name in value.columns]

    def foreign(self) -> Any:
        return pl.LazyFrame({"a": [1]})

    def test_others_read_it(self, tmp_path: Path) -> None:
        path = tmp_path / "table.parquet"
        path.write_bytes(PolarsCodec().encode(pl.DataFrame(_rows())))
        assert duckdb.sql(f"select sum(hour) from '{path}'").fetchall() == [(18,)]


class TestArrowCodec(CodecContract):
    def make(self) -> Codec:
        return ArrowCodec()

    def samples(self, folder: Path) -> Sequence[tuple[Any, Any]]:
        table = pa.table(_rows())
        return [(pa.Table, table.slice(0, 0)), (pa.Table, table)]

    def equal(self, one: Any, other: Any) -> bool:
        return bool(one.schema == other.schema and one.equals(other))

    def change(self, value: Any) -> None:
        with pytest.raises(TypeError):
            value["hour"] = [1, 2, 3]

    def foreign(self) -> Any:
        return pa.array([1])


class TestPandasCodec(CodecContract):
    def make(self) -> Codec:
        return PandasCodec()

    def samples(self, folder: Path) -> Sequence[tuple[Any, Any]]:
        table = pd.DataFrame(_rows(), index=pd.Index([10, 20, 30], name="row"))
        return [(pd.DataFrame, table.head(0)), (pd.DataFrame, table)]

    def equal(self, one: Any, other: Any) -> bool:
        return bool(one.equals(other) and (one.dtypes == other.dtypes).all())

    def change(self, value: Any) -> None:
        value.loc[10, "hour"] = 23
        value["new"] = 1

    def foreign(self) -> Any:
        return pd.DataFrame({"a": [object()]})

    def test_other_types_are_refused(self) -> None:
        with pytest.raises(NotSupported):
            PandasCodec().encode(pd.Series([1]))


class TestFileCodec(CodecContract):
    def make(self) -> Codec:
        return FileCodec()

    def samples(self, folder: Path) -> Sequence[tuple[Any, Any]]:
        empty, full = folder / "empty.bin", folder / "full.bin"
        empty.write_bytes(b"")
        full.write_bytes(bytes(range(256)))
        return [(Path, empty), (Path, full)]

    def equal(self, one: Any, other: Any) -> bool:
        return bool(one.read_bytes() == other.read_bytes())

    def change(self, value: Path) -> None:
        if value.name != "full.bin":
            value.write_bytes(b"changed")

    def foreign(self) -> Any:
        return Path("/nowhere/at/all")

    def mangled(self, data: bytes) -> Sequence[bytes]:
        """Any bytes are a file."""
        return ()

    def test_a_folder_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(NotSupported):
            FileCodec().encode(tmp_path)
