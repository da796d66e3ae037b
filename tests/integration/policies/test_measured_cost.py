"""What answers cost is evidence: a challenger is measured where its price is known, and the policy
of the guide to costs decides by that."""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from freehold.app.release.release import plan_release, release
from freehold.app.run.plan import plan_run
from freehold.app.run.run import run
from freehold.app.site.opening import open_site
from freehold.domain.errors import PolicyDenied

GUIDE = Path(__file__).parents[3] / "docs" / "guides" / "costs.md"
PROJECT = """\
project: shop
pipelines: {train: "priced:train"}
models: {delay: {pipeline: train}}
policies: policies
endpoint: {model: delay, port: 0}
site: local
sites:
  local:
    store: {at: "file://ROOT/store"}
    machines: {box: {cpus: 2, memory: 4 GiB, price: 3.6}}
"""
STEPS = """\
import lightgbm
import numpy as np
import polars as pl

from freehold import Candidate, Columns, pipeline, step


@step
def flights(rows: int) -> pl.DataFrame:
    chance = np.random.default_rng(3)
    given = {name: chance.normal(size=rows) for name in "abcdef"}
    pull = sum(given.values()) + given["a"] * given["b"]
    return pl.DataFrame({**given, "late": chance.random(rows) < 1 / (1 + np.exp(-pull))})


@step
def columns(training: pl.DataFrame) -> Columns:
    return Columns.fit(training, list("abcdef"))


@step
def fit(training: pl.DataFrame, columns: Columns, trees: int) -> lightgbm.Booster:
    given = {"objective": "binary", "num_threads": 1, "verbose": -1, "deterministic": True}
    rows = lightgbm.Dataset(columns.matrix(training), label=training["late"].to_numpy())
    return lightgbm.train(given, rows, trees)


@pipeline
def train(rows: int = 4000, trees: int = 2) -> Candidate:
    table = flights(rows)
    inputs = columns(table)
    return Candidate(
        model=fit(table, inputs, trees),
        columns=inputs,
        training=table,
        evaluation=table,
        target="late",
    )
"""


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A policy on what answers cost, and no other; its first version is in traffic."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    (tmp_path / "freehold.yaml").write_text(PROJECT.replace("ROOT", str(tmp_path)))
    (tmp_path / "priced.py").write_text(STEPS)
    for name, text in re.findall(r"```rego (policies/\S+)\n(.*?)```", GUIDE.read_text(), re.S):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    worth(tmp_path, 0.0)
    with open_site(tmp_path) as site:
        assert run(site, plan_run(site, "train")).version is not None
        release(site, plan_release(site, "delay@1"))
    yield tmp_path
    sys.modules.pop("priced", None)


def worth(shop: Path, of_auc: float) -> None:
    limits = {"limits": {"cost": {"worth_of_auc": of_auc}}}
    (shop / "policies" / "limits.json").write_text(json.dumps(limits))


def judged(shop: Path, trees: int) -> tuple[str, Any]:
    """The name of the version with so many trees, and what its verdict says."""
    with open_site(shop) as site:
        version = run(site, plan_run(site, "train", {"trees": trees})).version
        facts = [json.loads(line) for _, line in site.ledger.lines()]
    assert version is not None
    (body,) = [
        one["body"]
        for one in facts
        if one["type"] == "model.judged" and one["body"]["version"] == version.version
    ]
    return version.name, body


def test_a_challenger_whose_gain_does_not_pay_is_denied_on_its_measured_price(shop: Path) -> None:
    name, body = judged(shop, 400)
    cost = body["cost"]
    assert cost["currency"] == "USD" and cost["training"] is not None
    # Two hundred times the trees: dearer, whatever else the machine does.
    assert cost["per_thousand_predictions"] > cost["champion_per_thousand_predictions"] > 0
    assert (body["allowed"], body["rules"]) == (False, ["cost/gain-does-not-pay"])
    with open_site(shop) as site, pytest.raises(PolicyDenied) as caught:
        plan_release(site, name)
    assert "cost/gain-does-not-pay" in caught.value.why


def test_the_same_challenger_is_allowed_where_its_gain_is_worth_it(shop: Path) -> None:
    worth(shop, 1e6)
    name, body = judged(shop, 400)
    assert body["allowed"] and body["rules"] == []
    assert body["cost"]["per_thousand_predictions"] > 0
    with open_site(shop) as site:
        assert plan_release(site, name).version.allowed
