"""A shop with everything that an exit has to carry: two versions, a contract, a request log,
labels, an attachment that was erased and one that was not.

Made once, by the commands that people type.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from freehold.app.drill.exit.leaving import Written, write
from freehold.app.drill.exit.reading import Joint, joints_of, read_joint
from freehold.app.site.opening import open_site
from freehold.app.traffic.requests import collect
from freehold.serving.prediction_log import Batch, log_part

SHOP = '''\
"""Will a basket be abandoned?"""

import lightgbm
import numpy as np
import polars as pl

from freehold import Candidate, Columns, pipeline, step


@step
def baskets(rows: int, seed: int) -> pl.DataFrame:
    chance = np.random.default_rng(seed)
    items, minutes = chance.poisson(4, rows), chance.gamma(2.0, 6.0, rows)
    device = np.where(chance.random(rows) < 0.6, "phone", "desk")
    pull = 0.12 * minutes - 0.35 * items + 0.8 * (device == "phone")
    left = chance.random(rows) < 1 / (1 + np.exp(-pull))
    return pl.DataFrame({"items": items, "minutes": minutes, "device": device, "left": left})


@step
def split(baskets: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    held_out = baskets.height // 4
    return baskets.head(-held_out), baskets.tail(held_out)


@step
def columns(training: pl.DataFrame) -> Columns:
    return Columns.fit(training, ["items", "minutes", "device"])


@step
def fit(training: pl.DataFrame, columns: Columns) -> lightgbm.Booster:
    rows = lightgbm.Dataset(columns.matrix(training), label=training["left"].to_numpy())
    given = {"objective": "binary", "verbosity": -1, "deterministic": True, "num_threads": 1}
    return lightgbm.train(given, rows, num_boost_round=20)


@step
def greeting(name: str) -> str:
    return f"hello {name}"


@pipeline
def train(rows: int = 8000, seed: int = 1) -> Candidate:
    training, evaluation = split(baskets(rows, seed))
    inputs = columns(training)
    return Candidate(
        model=fit(training, inputs),
        columns=inputs,
        training=training,
        evaluation=evaluation,
        target="left",
        groups=["device"],
    )


@pipeline
def greet(name: str = "nobody") -> str:
    return greeting(name)
'''
PROJECT = """\
project: shop
pipelines:
  train: shop:train
  greet: shop:greet
models:
  abandon:
    pipeline: train
policies: policies
contracts:
  - step: baskets
    suite: contracts/baskets.json
endpoint:
  model: abandon
"""
SUITE = {
    "name": "baskets",
    "expectations": [
        {"type": "expect_column_to_exist", "kwargs": {"column": "items"}},
        {
            "type": "expect_column_values_to_be_in_set",
            "kwargs": {"column": "device", "value_set": ["phone", "desk"]},
        },
    ],
    "meta": {},
}
MOMENT = 1_704_067_200_000_000


def freehold(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "freehold.cli.main", *arguments],
        cwd=folder,
        env={**os.environ, "LOGNAME": "ada", "PYTHONDONTWRITEBYTECODE": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def answered(rows: int) -> bytes:
    """A part of the request log, as an endpoint writes it."""
    batch = Batch(
        prediction_ids=[f"p{number}" for number in range(rows)],
        request_id="r0",
        at=MOMENT,
        asked_at=MOMENT,
        model="abandon",
        version=1,
        alias="champion",
        routing=1,
        score=[0.5] * rows,
        reference_score=None,
        latency_us=100.0,
        reference_latency_us=None,
        error=None,
        inputs={"items": [float(number) for number in range(rows)]},
        kinds={"items": "number"},
    )
    return log_part([batch], 0)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("shop")
    freehold(place, "init", "shop", "--template", "blank")
    folder = place / "shop"
    (folder / "shop.py").write_text(SHOP)
    (folder / "freehold.yaml").write_text(PROJECT)
    (folder / "contracts" / "baskets.json").write_text(json.dumps(SUITE))
    freehold(folder, "run", "train", "--yes")
    freehold(folder, "release", "abandon@1", "--yes")
    freehold(folder, "run", "train", "--yes", "--set", "seed=2")
    freehold(folder, "run", "greet", "--yes", "--set", "name=Grace")
    freehold(folder, "run", "greet", "--yes", "--set", "name=Blaise")
    runs = json.loads(freehold(folder, "runs", "--json"))["runs"]
    greeted = [one["run"] for one in runs if one["pipeline"] == "greet"]
    freehold(folder, "audit", "erase", greeted[0], "--yes")
    (folder / "labels.csv").write_text(
        "prediction_id,label,labelled_at\np0,1,2024-01-02T00:00:00Z\np1,0,2024-01-02T00:00:00Z\n"
    )
    freehold(folder, "labels", "labels.csv", "--yes")
    with open_site(folder) as site:
        log = site.serving / "log"
        log.mkdir(parents=True, exist_ok=True)
        (log / "0001.parquet").write_bytes(answered(7))
        collect(site, "abandon")
        (log / "0002.parquet").write_bytes(answered(3))
    return folder


@pytest.fixture
def shop(made: Path, tmp_path: Path) -> Path:
    """A project's folder that a test may damage."""
    return shutil.copytree(made, tmp_path / "shop")


@pytest.fixture(scope="session")
def once(made: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Written]:
    """The exit of the shop as it is."""
    folder = tmp_path_factory.mktemp("exit") / "left"
    with open_site(made) as site:
        written = write(site, folder, lambda *_: None)
    return folder, written


@dataclass(frozen=True)
class Left:
    """An exit that a test may damage before it is read back."""

    folder: Path

    def read(self, what: str, python: str = sys.executable) -> Joint:
        (listed,) = [one for one in joints_of(self.folder)[0] if one["what"] == what]
        return read_joint(self.folder, python, listed)

    def json(self, name: str) -> Any:
        return json.loads((self.folder / name).read_bytes())

    def change(self, name: str, change: Callable[[Any], Any]) -> None:
        """A JSON file, by what `change` makes of it."""
        path = self.folder / name
        path.write_text(json.dumps(change(json.loads(path.read_bytes()))))


@pytest.fixture
def left(once: tuple[Path, Written], tmp_path: Path) -> Left:
    return Left(shutil.copytree(once[0], tmp_path / "left"))


@pytest.fixture
def bare_python(tmp_path: Path) -> str:
    """An interpreter that has the standard library and nothing else."""
    script = tmp_path / "bare-python"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S "$@"\n')
    script.chmod(0o755)
    return str(script)
