"""The shipped files, each read once and only as far as it is asked about."""

import csv
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import polars

from freehold.domain.offer import Figure, Hardware

DATA = Path(__file__).parent / "data"
GIB = 2**30
Row = Mapping[str, str]


@dataclass(frozen=True)
class Size:
    hardware: Hardware
    processor: str
    """A row of `processors.csv`; empty for the provider's average."""


@dataclass(frozen=True)
class Listed:
    """What the price file has for one type and region, USD an hour."""

    on_demand: float | None
    spot: float | None
    before_mending: float | None
    """The file's own entry, where another price stands in its place."""


@cache
def digest() -> str:
    """SHA-256 of every file's name and content."""
    whole = hashlib.sha256()
    for path in sorted(DATA.iterdir()):
        whole.update(f"{path.name}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return f"sha256:{whole.hexdigest()}"


@cache
def rows(name: str) -> tuple[Row, ...]:
    """A CSV file of ours."""
    with (DATA / f"{name}.csv").open(newline="", encoding="utf-8") as file:
        return tuple(csv.DictReader(file))


@cache
def keyed(name: str, *columns: str) -> Mapping[tuple[str, ...], Row]:
    """The same, by the columns that tell its rows apart."""
    return {tuple(row[column] for column in columns): row for row in rows(name)}


def figure(value: float, unit: str, source: str, *, about: str = "", note: str = "") -> Figure:
    """A number of a row with the words and date of its source, what it is of, and a remark."""
    told = keyed("sources", "source")[(source,)]
    words = ", ".join(part for part in (told["words"], about) if part)
    return Figure(value, unit, f"{words} ({note})" if note else words, told["date"])


@cache
def origin() -> Mapping[str, str]:
    """`name` and `date` of the price file."""
    told: dict[str, str] = json.loads((DATA / "origin.json").read_text())
    return told


@cache
def price_file_regions(provider: str) -> frozenset[str]:
    found = (
        polars.scan_parquet(DATA / "prices.parquet")
        .filter(polars.col("provider") == provider)
        .select(polars.col("region").unique())
        .collect()
    )
    return frozenset(found["region"])


@cache
def listed(provider: str, region: str) -> Mapping[str, Listed]:
    """By machine type; types of unknown price too."""
    here = (polars.col("provider") == provider) & (polars.col("region") == region)
    found = polars.scan_parquet(DATA / "prices.parquet").filter(here).collect()
    return {
        row["machine"]: Listed(row["on_demand"], row["spot"], row["listed"])
        for row in found.iter_rows(named=True)
    }


@cache
def sizes(provider: str) -> Mapping[str, Size]:
    """By machine type, wherever it is sold."""
    found = (
        polars.scan_parquet(DATA / "sizes.parquet")
        .filter(polars.col("provider") == provider)
        .collect()
    )
    made = {
        row["machine"]: _size(row, row["memory"], row["processor"])
        for row in found.iter_rows(named=True)
    }
    ours = (row for row in rows("listed_sizes") if row["provider"] == provider)
    return made | {row["machine"]: _size(row, row["memory_gib"], row["processor"]) for row in ours}


def _size(row: Mapping[str, str | float], gib: str | float, processor: str) -> Size:
    return Size(
        Hardware(
            cpus=float(row["cpus"]),
            memory=round(float(gib) * GIB),
            accelerators=int(row["accelerators"]),
            accelerator=str(row["accelerator"]),
        ),
        processor,
    )
