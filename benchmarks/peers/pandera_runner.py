"""Pandera on a Polars frame, the ten checks of `benchmarks.contracts`: TABLE.parquet REPEATS."""

import sys
import time
from statistics import median

STARTED = time.perf_counter()

import pandera.polars as pa  # noqa: E402
import polars as pl  # noqa: E402

IMPORTED = time.perf_counter() - STARTED

from benchmarks.peers.figures import figure, seconds  # noqa: E402

COUNTRIES = ["DE", "FR", "US", "GB", "CN"]


def mean_of_income(data: pa.PolarsData) -> pl.LazyFrame:
    return data.lazyframe.select(pl.col(data.key).mean().is_between(40_000, 60_000))


def mostly_there(data: pa.PolarsData) -> pl.LazyFrame:
    return data.lazyframe.select(pl.col(data.key).is_not_null().mean() >= 0.99)


def main() -> None:
    schema = pa.DataFrameSchema(
        {
            "id": pa.Column(pl.Int64, unique=True),
            "age": pa.Column(pl.Int64, pa.Check.in_range(18, 100)),
            "score": pa.Column(pl.Float64, pa.Check.in_range(0, 1)),
            "income": pa.Column(pl.Float64, pa.Check(mean_of_income)),
            "country": pa.Column(pl.String, pa.Check.isin(COUNTRIES)),
            "email": pa.Column(pl.String, pa.Check.str_matches(r"^[^@]+@[^@]+\.com$")),
            "amount": pa.Column(pl.Float64, pa.Check(mostly_there), nullable=True),
            "flag": pa.Column(pl.Int64, pa.Check.isin([0, 1])),
        }
    )
    figure("import_s", IMPORTED)
    frame = pl.read_parquet(sys.argv[1])

    def validate() -> None:
        schema.validate(frame, lazy=True)
        assert 1 <= frame.height <= 2_000_000

    validate()
    figure("validate_s", median(seconds(validate) for _ in range(int(sys.argv[2]))))


if __name__ == "__main__":
    main()
