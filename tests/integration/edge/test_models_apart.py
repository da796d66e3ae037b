"""Bundles of models that answer in processes of their own: a graph with a function, MLflow's Python
function, and a network of PyTorch, whose environment is not Freehold's."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from torch_environment import HERE, python

from freehold.app.project.init import init
from freehold.domain.bundle import MANIFEST, read_manifest
from freehold.endpoint.endpoint_process import EndpointProcess

GRAPH = """\
from typing import TypedDict
import numpy as np
import polars as pl
import lightgbm
from freehold import Candidate, Columns, ModelGraph, Number, pipeline, step, trained, transformer


class Basket(TypedDict):
    items: Number


class Pace(TypedDict):
    pace: Number


def paced(basket: Basket) -> Pace:
    return {"pace": basket["items"] / 2}


@step
def baskets(rows: int) -> pl.DataFrame:
    chance = np.random.default_rng(1)
    items = chance.poisson(4, rows)
    return pl.DataFrame({"items": items, "left": chance.random(rows) < items / 9})


@step
def columns(training: pl.DataFrame) -> Columns:
    return Columns.fit(training, ["items"])


@step
def fit(training: pl.DataFrame, columns: Columns) -> ModelGraph:
    given = {"objective": "binary", "num_leaves": 7, "num_threads": 1, "verbose": -1}
    rows = lightgbm.Dataset(columns.matrix(training), label=training["left"].to_numpy())
    model = trained(lightgbm.train(given, rows, 5), columns)
    return ModelGraph(columns, transformer(paced) >> model)


@pipeline
def train(rows: int = 2000) -> Candidate:
    table = baskets(rows)
    inputs = columns(table)
    return Candidate(
        model=fit(table, inputs), columns=inputs, training=table, evaluation=table, target="left"
    )
"""
PROJECT = """\
project: shop
pipelines: {train: "shop:train"}
models: {abandon: {pipeline: train}}
policies: policies
endpoint: {model: abandon, port: 0}
"""
BASKETS = [{"items": items, "minutes": 31.5, "device": "phone"} for items in (1, 4, None)]
RUN = [sys.executable, "-I", "-S"]


def released(folder: Path, source: str, program: str) -> None:
    """A project, whose first version is trained by a Python and served."""
    init(folder, "blank")
    shutil.rmtree(folder / "contracts")
    (folder / "shop.py").write_text(source)
    (folder / "freehold.yaml").write_text(PROJECT)
    for words in (("run", "--yes"), ("release", "abandon@1", "--yes")):
        command = [program, "-m", "freehold.cli.main", *words]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


def bundled(folder: Path, installed: Path, *arguments: str, **environment: str) -> Any:
    command = [sys.executable, "-m", "freehold.cli.main", "bundle", "abandon", "--site", "local"]
    done = subprocess.run(
        [*command, *arguments, "--json"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(installed), **environment},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


@contextmanager
def running(root: Path) -> Iterator[str]:
    """Its URL, with an environment in which nothing of the maker's can be found."""
    process = subprocess.Popen(
        [*RUN, str(root / "run"), "serve", "--port", "0"],
        stdout=subprocess.PIPE,
        text=True,
        env={"PATH": os.defpath, "HOME": "/nowhere"},
    )
    assert process.stdout is not None
    try:
        yield json.loads(process.stdout.readline())["url"]
    finally:
        process.terminate()
        process.communicate()
    assert process.returncode == 0


def scores(url: str, rows: list[Mapping[str, Any]]) -> list[float]:
    body = json.dumps(rows).encode()
    asked = Request(f"{url}/v1/models/abandon/predict", body, {"Content-Type": "application/json"})
    with urlopen(asked) as reply:
        return [row["score"] for row in json.load(reply)]


def at_home(folder: Path, rows: list[Mapping[str, Any]]) -> list[float]:
    with EndpointProcess.start(folder / ".freehold/serving") as endpoint:
        return scores(endpoint.url, rows)


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("graph") / "shop"
    released(folder, GRAPH, sys.executable)
    return folder


@pytest.mark.parametrize("runtime", ["graph", "pyfunc"])
def test_code_of_ones_own_answers_in_a_process_of_the_bundles(
    graph: Path, installed: Path, tmp_path: Path, runtime: str
) -> None:
    made = bundled(graph, installed, "--into", str(tmp_path / "box"), "--runtime", runtime)
    assert made["runtime"] == runtime
    libraries = "distributions" if runtime == "graph" else "model_distributions"
    assert "lightgbm" in made[libraries] and "mlflow" not in made[libraries]
    rows: list[Mapping[str, Any]] = [{"items": row["items"]} for row in BASKETS]
    with running(tmp_path / "box") as url:
        assert scores(url, rows) == pytest.approx(at_home(graph, rows), rel=1e-12)
    # What was signed is as it was, and its scratch is empty again.
    assert not list((tmp_path / "box" / "state" / "scratch").iterdir())
    check = [*RUN, str(tmp_path / "box" / "run"), "check"]
    assert subprocess.run(check, capture_output=True).returncode == 0


@pytest.mark.long  # PyTorch alone is copied, compiled and verified for a minute
def test_a_network_answers_by_the_libraries_of_its_own_environment(
    installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "shop"
    released(folder, (HERE / "shop.py").read_text(), python())
    made = bundled(
        folder, installed, "--into", str(tmp_path / "box"), FREEHOLD_MODEL_PYTHON=python()
    )
    manifest = read_manifest((tmp_path / "box" / "current" / MANIFEST).read_bytes())
    assert made["runtime"] == "torch"
    assert {"torch", "numpy"} <= set(manifest.model_distributions)
    assert "torch" not in manifest.distributions
    with running(tmp_path / "box") as url:
        told = scores(url, BASKETS)
    monkeypatch.setenv("FREEHOLD_MODEL_PYTHON", python())
    assert told == at_home(folder, BASKETS)


def test_an_environment_of_another_python_is_refused(
    graph: Path, installed: Path, tmp_path: Path
) -> None:
    other = tmp_path / "python"
    other.write_text(
        '#!/bin/sh\necho \'{"paths": [], "python": {"implementation": "CPython", "version": "3.9",'
        ' "abi": ".so", "machine": "x86_64"}}\'\n'
    )
    other.chmod(0o755)
    command = [sys.executable, "-m", "freehold.cli.main", "bundle", "abandon", "--site", "local"]
    done = subprocess.run(
        [*command, "--into", str(tmp_path / "box"), "--runtime", "pyfunc"],
        cwd=graph,
        env={**os.environ, "PYTHONPATH": str(installed), "FREEHOLD_MODEL_PYTHON": str(other)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "bundle.runtime" in done.stderr and "CPython 3.9" in done.stderr
    assert not (tmp_path / "box").exists()
