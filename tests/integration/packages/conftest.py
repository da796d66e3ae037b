"""A model of delayed departures with raw columns: strings, numbers, gaps in both."""

from dataclasses import dataclass
from pathlib import Path
from platform import python_version

import lightgbm
import numpy as np
import polars as pl
import pytest

from freehold.adapters.lightgbm.codec import BoosterCodec
from freehold.adapters.lightgbm.framework import LightGBMFramework
from freehold.adapters.onnx.converter import OnnxConverter
from freehold.catalog.package import PackageContents, assemble, unpack
from freehold.domain.columns import Column, Columns
from freehold.domain.package import PackedPayload

CARRIERS = ("UA", "B6", "EV", "DL", "AA", "MQ", "US", "9E", "WN", "VX", "FL", "AS", "F9", "HA")
COLUMNS = Columns(
    (
        Column("carrier", "category", CARRIERS),
        Column("origin", "category", ("EWR", "JFK", "LGA")),
        *(Column(f"number_{at}", "number") for at in range(18)),
    )
)


def flights(rows: int, seed: int) -> tuple[pl.DataFrame, np.ndarray]:
    random = np.random.default_rng(seed)
    gaps = random.random(rows) < 0.05
    carrier = random.choice([*CARRIERS, "ZZ"], rows).astype(object)
    carrier[random.random(rows) < 0.02] = None
    table = {
        "carrier": carrier.tolist(),
        "origin": random.choice(["EWR", "JFK", "LGA"], rows).tolist(),
    }
    for at in range(18):
        values = random.normal(size=rows).round(at % 4) * 10 ** (at % 5)
        table[f"number_{at}"] = np.where(gaps & (at % 3 == 0), np.nan, values)
    score = np.isin(carrier, ["EV", "F9", "FL"]) + (np.array(table["origin"]) == "EWR") * 0.5
    score = score + np.nan_to_num(table["number_0"]) + table["number_5"] / 4
    labels = score + random.normal(size=rows) > 1
    return pl.DataFrame(table, nan_to_null=True, strict=False), labels


@dataclass(frozen=True)
class Made:
    model: bytes
    payload: PackedPayload
    table: pl.DataFrame
    """Rows that the model did not see."""
    expected: np.ndarray
    """LightGBM's own answers to them."""


@pytest.fixture(scope="session")
def made() -> Made:
    table, labels = flights(20_000, seed=1)
    parameters = {"objective": "binary", "verbose": -1, "num_leaves": 63, "seed": 1}
    parameters |= {"num_threads": 1, "deterministic": True}
    rows = lightgbm.Dataset(
        COLUMNS.matrix(table), labels, categorical_feature=[0, 1], params={"verbose": -1}
    )
    model = BoosterCodec().encode(lightgbm.train(parameters, rows, 100))
    framework = LightGBMFramework()
    payload = assemble(
        PackageContents(
            model=model,
            flavor=framework.flavor(model),
            columns=COLUMNS,
            profile={"rows": table.height},
            python=python_version(),
            onnx=OnnxConverter().convert(model, len(COLUMNS.columns)),
        )
    )
    unseen, _ = flights(20_000, seed=2)
    return Made(model, payload, unseen, framework.predict(model, COLUMNS.matrix(unseen)))


@pytest.fixture
def folder(made: Made, tmp_path: Path) -> Path:
    folder = tmp_path / "payload"
    for name, data in unpack(made.payload.data, made.payload.digest).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder
