"""How long do ten checks of a million rows take, and are the verdicts those of Great Expectations?

`python -m benchmarks.contracts [--json]`; makes the peers' environments on its first run.
"""

import json
import statistics
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks.peers.agreement import disagreements
from benchmarks.peers.figures import seconds
from benchmarks.peers.setup import PEERS, run
from benchmarks.report import report, versions_of
from freehold.catalog.contracts import evaluate, parse

QUESTION = "How long do ten checks of a million rows take?"
ROWS = 1_000_000
COUNTRIES = ["DE", "FR", "US", "GB", "CN"]
EMAIL = r"^[^@]+@[^@]+\.com$"
REPEATS = 7
SUITE: list[tuple[str, dict[str, Any]]] = [
    ("expect_column_values_to_not_be_null", {"column": "id"}),
    ("expect_column_values_to_be_unique", {"column": "id"}),
    ("expect_column_values_to_be_between", {"column": "age", "min_value": 18, "max_value": 100}),
    ("expect_column_values_to_be_between", {"column": "score", "min_value": 0, "max_value": 1}),
    (
        "expect_column_mean_to_be_between",
        {"column": "income", "min_value": 40_000, "max_value": 60_000},
    ),
    ("expect_column_values_to_be_in_set", {"column": "country", "value_set": COUNTRIES}),
    ("expect_column_values_to_match_regex", {"column": "email", "regex": EMAIL}),
    ("expect_column_values_to_not_be_null", {"column": "amount", "mostly": 0.99}),
    ("expect_column_values_to_be_in_set", {"column": "flag", "value_set": [0, 1]}),
    ("expect_table_row_count_to_be_between", {"min_value": 1, "max_value": 2_000_000}),
]


def table() -> pl.DataFrame:
    """A million customers, of whom one in a thousand has no amount."""
    random = np.random.default_rng(20130101)
    amount = pl.Series(random.normal(100, 15, ROWS)).scatter(np.arange(0, ROWS, 1000), None)
    return pl.DataFrame(
        {
            "id": random.permutation(ROWS),
            "age": random.integers(18, 95, ROWS),
            "income": np.abs(random.normal(50_000, 9_000, ROWS)),
            "score": random.random(ROWS),
            "country": random.choice(COUNTRIES, ROWS),
            "email": [f"customer{number}@example.com" for number in range(ROWS)],
            "amount": amount,
            "flag": random.integers(0, 2, ROWS),
        }
    )


def by_hand(frame: pl.LazyFrame) -> bool:
    """What somebody who knows Polars would write for these ten checks: the limit."""
    column = pl.col
    found = frame.select(
        column("id").null_count().alias("no_id"),
        (pl.len() - column("id").n_unique()).alias("same_id"),
        (~column("age").is_between(18, 100)).sum().alias("age"),
        (~column("score").is_between(0, 1)).sum().alias("score"),
        column("income").mean().is_between(40_000, 60_000).alias("income"),
        (~column("country").is_in(COUNTRIES)).sum().alias("country"),
        (~column("email").str.contains(EMAIL)).sum().alias("email"),
        (column("amount").null_count() <= 0.01 * pl.len()).alias("amount"),
        (~column("flag").is_in([0, 1])).sum().alias("flag"),
        pl.len().is_between(1, 2_000_000).alias("rows"),
    ).collect()
    row = found.row(0, named=True)
    holds = row.pop("income") and row.pop("amount") and row.pop("rows")
    return holds and not any(row.values())


def alternately(*works: Any) -> list[float]:
    """Median seconds of each, taken in turns, since a shared machine has slow minutes."""
    for work in works:
        work()
    taken = [[seconds(work) for work in works] for _ in range(REPEATS)]
    return [statistics.median(column) for column in zip(*taken, strict=True)]


def checked(contract: Any, frame: pl.DataFrame | pl.LazyFrame) -> None:
    if not evaluate(contract, frame).passed:
        raise AssertionError("the table was made to satisfy the contract")


def measured(folder: Path) -> dict[str, float]:
    frame = table()
    parquet = folder / "table.parquet"
    frame.write_parquet(parquet)
    text = json.dumps(
        {
            "name": "customers",
            "expectations": [
                {"type": kind, "kwargs": kwargs, "meta": {"position": position}}
                for position, (kind, kwargs) in enumerate(SUITE)
            ],
        }
    )
    suite = folder / "suite.json"
    suite.write_text(text)
    contract = parse(text, suite.name)
    if not by_hand(frame.lazy()):
        raise AssertionError("the table was made to satisfy the ten checks")
    hand, ours = alternately(lambda: by_hand(frame.lazy()), lambda: checked(contract, frame))
    scan = pl.scan_parquet(parquet)
    hand_parquet, ours_parquet = alternately(lambda: by_hand(scan), lambda: checked(contract, scan))
    pandera = by_name(run("pandera", [str(parquet), str(REPEATS)], state=folder))
    gx = by_name(run("gx", [str(parquet), str(suite), "3"], state=folder))
    return {
        "polars_by_hand_s": hand,
        "freehold_s": ours,
        "polars_by_hand_parquet_s": hand_parquet,
        "freehold_parquet_s": ours_parquet,
        "freehold_parse_s": seconds(lambda: parse(text, suite.name)),
        "pandera_s": pandera["validate_s"],
        "pandera_import_s": pandera["import_s"],
        "great_expectations_boolean_s": gx["BOOLEAN_ONLY"],
        "great_expectations_summary_s": gx["SUMMARY"],
        "great_expectations_import_s": gx["import_s"],
    }


def by_name(lines: list[Any]) -> dict[str, float]:
    return {line["figure"]: line["value"] for line in lines if "figure" in line}


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        figures = measured(Path(folder))
        compared, different = disagreements(Path(folder))
    if different:
        raise SystemExit("verdicts differ from Great Expectations:\n" + "\n".join(different))
    ours = figures["freehold_s"]
    report(
        QUESTION,
        figures | {"verdicts_that_agree": compared},
        {
            "freehold / polars by hand (aim: 2)": ours / figures["polars_by_hand_s"],
            "freehold / polars by hand, parquet": figures["freehold_parquet_s"]
            / figures["polars_by_hand_parquet_s"],
            "freehold / pandera": ours / figures["pandera_s"],
            "freehold / great expectations": ours / figures["great_expectations_summary_s"],
        },
        versions_of("polars")
        | {PEERS[name].package: PEERS[name].version for name in ("pandera", "gx")},
    )


if __name__ == "__main__":
    main()
