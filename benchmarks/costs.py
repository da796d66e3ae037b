"""How long does it take to sum ten million usage rows by model and day?

`python -m benchmarks.costs [--json]`. Rows of FOCUS 1.2 with all columns, a year of 40 models, in
40 Parquet files as metering writes them. Ours sums two costs and carbon, currencies apart, from the
files. Beside it: DuckDB with the same question, and the limit, decoding the same six columns and
adding the costs up with nothing to group. Aim: under 1 s.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter, process_time

import duckdb
import numpy as np
import polars as pl

from benchmarks.report import report
from freehold.costs.focus import schema
from freehold.costs.summary import totals
from freehold.costs.usage import Usage, frame_of_usage

QUESTION = "How long does it take to sum ten million usage rows by model and day?"
ROWS, PARTS, MODELS, DAYS, REPEATS = 10_000_000, 40, 40, 365, 7


def part(place: int, rows: int) -> pl.DataFrame:
    """Metered rows of every kind that models have, drawn from a pattern of each model."""
    random = np.random.default_rng(place)
    patterns = frame_of_usage(pattern(model) for model in range(MODELS))
    frame = patterns[random.integers(0, MODELS, rows)]
    first = place * DAYS // PARTS
    days = random.integers(first, first + DAYS // PARTS + 1, rows)
    seconds = days * 86_400 + random.integers(0, 82_800, rows)
    start = pl.lit(datetime(2025, 1, 1, tzinfo=UTC)) + pl.duration(seconds=pl.Series(seconds))
    quantity = pl.Series(random.exponential(0.5, rows))
    costs = ("BilledCost", "ContractedCost", "EffectiveCost", "ListCost")
    return frame.with_columns(
        start.alias("ChargePeriodStart"),
        (start + pl.duration(hours=1)).alias("ChargePeriodEnd"),
        *((quantity * pl.col("ListUnitPrice")).alias(name) for name in costs),
        *(quantity.alias(name) for name in ("PricingQuantity", "ConsumedQuantity")),
        (quantity * 0.03).alias("x_CarbonKilograms"),
        pl.Series("x_RowId", random.integers(0, 2**62, rows)).cast(pl.String()),
    ).sort("ChargePeriodStart")


def pattern(model: int) -> Usage:
    start = datetime(2025, 1, 1, tzinfo=UTC)
    tags = {"project": "acme", "team": f"team-{model % 7}", "model": f"model-{model}"}
    return Usage(
        kind="step" if model % 2 else "endpoint",
        site=("racks", "frankfurt", "dublin")[model % 3],
        provider=("Acme", "aws", "azure")[model % 3],
        region=("hamburg", "eu-central-1", "northeurope")[model % 3],
        resource_id=f"resource/{model}",
        resource_type="Machine",
        sku="m5.xlarge",
        quantity=1.0,
        unit="Hours",
        unit_price=0.1 + model / 100,
        currency="EUR" if model % 3 == 0 else "USD",
        start=start,
        end=start + timedelta(hours=1),
        tags=tags,
        carbon=0.1,
    )


@contextmanager
def files() -> Iterator[list[Path]]:
    with TemporaryDirectory() as folder:
        made = []
        for place in range(PARTS):
            made.append(Path(folder) / f"{place:02d}.parquet")
            part(place, ROWS // PARTS).write_parquet(made[-1])
        yield made


def ours(made: list[Path]) -> pl.DataFrame:
    rows = pl.scan_parquet(made, schema=schema(), missing_columns="insert", extra_columns="ignore")
    return totals(rows, ["model", "day"]).collect(engine="streaming")


def by_duckdb(made: list[Path]) -> list[tuple[object, ...]]:
    with duckdb.connect() as database:
        database.execute("SET TimeZone = 'UTC'")
        return database.execute(
            "SELECT x_Model, ChargePeriodStart::DATE, BillingCurrency, sum(EffectiveCost),"
            " sum(BilledCost), sum(x_CarbonKilograms), count(*)"
            f" FROM read_parquet({[str(path) for path in made]}) GROUP BY 1, 2, 3"
        ).fetchall()


def scan(made: list[Path]) -> float:
    """Decodes the columns, and adds up what can be added."""
    rows = pl.scan_parquet(made).select(
        pl.col("EffectiveCost", "BilledCost", "x_CarbonKilograms").sum(),
        pl.col("x_Model", "BillingCurrency").count(),
        pl.col("ChargePeriodStart").max(),
    )
    return float(rows.collect(engine="streaming").item(0, 0))


def alike(mine: pl.DataFrame, theirs: list[tuple[object, ...]], whole: float) -> None:
    """Raises if the sums are not the same."""
    known = {row[:3]: row[3:] for row in theirs}
    for model, day, currency, *sums in mine.iter_rows():
        if not np.allclose(sums, np.array(known.pop((model, day, currency)), dtype=float)):
            raise AssertionError(f"{model} on {day} in {currency} differs")
    if known or not np.isclose(mine["effective"].sum(), whole):
        raise AssertionError(f"{len(known)} groups are missing")


def alternately(*works: Callable[[], object]) -> list[float]:
    """Median seconds of each, taken in turns, since a shared machine has slow minutes."""
    taken: list[list[float]] = [[] for _ in works]
    for _ in range(REPEATS):
        for place, work in enumerate(works):
            start = perf_counter()
            work()
            taken[place].append(perf_counter() - start)
    return [median(one) for one in taken]


def measured() -> dict[str, float]:
    with files() as made:
        alike(ours(made), by_duckdb(made), scan(made))
        mine, duck, limit = alternately(
            lambda: ours(made), lambda: by_duckdb(made), lambda: scan(made)
        )
        begin = process_time()
        ours(made)
        processor = process_time() - begin
        size = sum(path.stat().st_size for path in made)
    return {
        "freehold_s": mine,
        "freehold_processor_s": processor,
        "duckdb_s": duck,
        "scan_alone_s": limit,
        "freehold_million_rows_per_s": ROWS / mine / 1e6,
        "bytes_per_row": size / ROWS,
    }


def main() -> None:
    figures = measured()
    report(
        QUESTION,
        figures,
        {
            "freehold / duckdb": figures["freehold_s"] / figures["duckdb_s"],
            "freehold / scan alone": figures["freehold_s"] / figures["scan_alone_s"],
        },
        {name: version(name) for name in ("duckdb", "polars")},
    )


if __name__ == "__main__":
    main()
