"""A feature view over a table of people: whatever is made from the view bears the table's labels,
is made and kept only where they allow it, and goes nowhere else."""

import json
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml

from freehold.adapters.disk.object_store import DiskObjectStore
from freehold.app.artifact.fetch import fetch, plan_fetch
from freehold.app.release.release import plan_release
from freehold.app.run.plan import plan_run
from freehold.app.run.run import run
from freehold.app.site.exchange import exchange
from freehold.app.site.labelled import Labelled
from freehold.app.site.opening import Site, open_site
from freehold.app.site.trusting import trust
from freehold.app.traffic.requests import collect
from freehold.catalog.versions import ModelVersion, version_of
from freehold.domain.errors import PlacementImpossible, PolicyDenied
from freehold.domain.fact import Draft
from freehold.replication.holdings import what_store_has
from freehold.serving.prediction_log import Batch, log_part

SHOP = '''\
"""Will a basket be abandoned? Visits are of people in Europe; prices are anybody's."""

from datetime import UTC, datetime

import lightgbm
import numpy as np
import polars as pl

from freehold import Candidate, Columns, FeatureView, pipeline, point_in_time, step
from freehold.authoring.feature_view import Entity, FromRow, Latest, Lookup, RateOver, Source

VISITS = Source("visits", keys=("shopper",), event_time="at")
PRICES = Source("prices", keys=("item",))
VIEW = FeatureView(
    name="basket",
    entity=Entity("basket", key="basket"),
    asked_at="asked_at",
    features={
        "items": FromRow("items"),
        "price": Lookup(PRICES, on="item", column="price"),
        "minutes": Latest(VISITS, by="shopper", column="minutes"),
        "bought": RateOver(VISITS, by="shopper", column="bought", window="7d"),
    },
)
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
SHOPPERS = 50


def moments(hours: np.ndarray) -> pl.Series:
    return pl.Series([BEGIN], dtype=pl.Datetime("us", "UTC")).new_from_index(0, len(hours)) + (
        pl.Series(hours * 3_600_000_000).cast(pl.Duration("us"))
    )


@step
def baskets(rows: int) -> pl.DataFrame:
    chance = np.random.default_rng(1)
    items = chance.poisson(4, rows)
    return pl.DataFrame(
        {
            "basket": np.arange(rows),
            "shopper": chance.integers(0, SHOPPERS, rows),
            "item": chance.integers(0, 5, rows),
            "items": items,
            "left": chance.random(rows) < 1 / (1 + np.exp(0.5 * items - 2)),
        }
    ).with_columns(asked_at=moments(chance.integers(200, 400, rows)))


@step(labels={"residency": "EU", "pii": ""})
def visits() -> pl.DataFrame:
    chance = np.random.default_rng(2)
    who = np.repeat(np.arange(SHOPPERS), 20)
    rows = {"shopper": who, "minutes": chance.gamma(2, 6, len(who))}
    rows["bought"] = chance.random(len(who)) < 0.5
    return pl.DataFrame(rows).with_columns(at=moments(chance.integers(0, 400, len(who))))


@step
def prices() -> pl.DataFrame:
    return pl.DataFrame({"item": [0, 1, 2, 3, 4], "price": [1.0, 2.5, 4.0, 8.0, 20.0]})


@step(cpus=8)
def features(
    baskets: pl.DataFrame, visits: pl.DataFrame, prices: pl.DataFrame
) -> pl.DataFrame:
    return point_in_time(VIEW, baskets, {"visits": visits, "prices": prices})


@step
def split(features: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    held_out = features.height // 4
    return features.head(-held_out), features.tail(held_out)


@step
def columns(training: pl.DataFrame) -> Columns:
    return Columns.fit(training, VIEW.names)


@step
def fit(training: pl.DataFrame, columns: Columns) -> lightgbm.Booster:
    rows = lightgbm.Dataset(columns.matrix(training), label=training["left"].to_numpy())
    given = {"objective": "binary", "verbosity": -1, "deterministic": True, "num_threads": 1}
    return lightgbm.train(given, rows, num_boost_round=5)


@pipeline
def train(rows: int = 2000) -> Candidate:
    table = features(baskets(rows), visits(), prices())
    training, evaluation = split(table)
    inputs = columns(training)
    return Candidate(fit(training, inputs), inputs, training, evaluation, "left")
'''
PROJECT = """\
project: shop
pipelines: {{train: "shop:train"}}
models: {{abandon: {{pipeline: train}}}}
policies: policies
site: berlin
sites:
  berlin:
    store: {{at: "file://{stores}/berlin"}}
    jurisdiction: EU
    accepts: [pii]
  paris:
    store: {{at: "file://{stores}/paris"}}
    jurisdiction: EU
    accepts: [pii]
    keeps: [models, results]
  ohio:
    store: {{at: "file://{stores}/ohio"}}
    jurisdiction: US
    accepts: [pii]
    keeps: [aliases, models, results]
"""
MACHINES = {
    "berlin": {"small": {"cpus": 4, "memory": "16 GiB", "price": 2}},
    "paris": {"big": {"cpus": 16, "memory": "64 GiB", "price": 4}},
    "ohio": {"big": {"cpus": 16, "memory": "64 GiB", "price": 1}},
}
POLICY = """\
package freehold.anything

import rego.v1

rules := {"anything"}

requires := {"input.freehold": "number"}

cleared contains "anything" if input.freehold > 0

deny contains {"rule": "anything", "message": "no"} if not "anything" in cleared
"""
BORNE = {"pii": "", "residency": "EU"}
RULE = "residency=EU: the site's jurisdiction is US"
OF_PEOPLE = {"visits", "features", "split", "columns", "fit"}
OF_NOBODY = {"baskets", "prices"}


class Shop:
    """Its model was made at berlin; the others have met it."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def at(self, name: str) -> Site:
        return open_site(self.root / "shop", site=name)

    def do(self, name: str, act: Callable[[Site], Any]) -> Any:
        with self.at(name) as site:
            return act(site)

    def meet(self) -> None:
        for _ in range(3):
            for name in MACHINES:
                assert self.do(name, exchange).faults == []

    def with_machines(self) -> None:
        """From now on a plan chooses where each step runs."""
        file = self.root / "shop" / "freehold.yaml"
        said = yaml.safe_load(file.read_text())
        for name, machines in MACHINES.items():
            said["sites"][name]["machines"] = machines
        file.write_text(yaml.safe_dump(said, sort_keys=False))


def begun(root: Path) -> Shop:
    folder = root / "shop"
    (folder / "policies").mkdir(parents=True)
    (folder / "policies" / "anything.rego").write_text(POLICY)
    (folder / "shop.py").write_text(SHOP)
    (folder / "freehold.yaml").write_text(PROJECT.format(stores=root / "stores"))
    shop = Shop(root)
    with ExitStack() as stack:
        sites = {name: stack.enter_context(shop.at(name)) for name in MACHINES}
        for site in sites.values():
            for name, other in sites.items():
                if other is not site:
                    trust(site, name, other.signer.public.fingerprint)
        run(sites["berlin"], plan_run(sites["berlin"]))
    return shop


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "dont_write_bytecode", True)
        patch.setattr(sys, "path", list(sys.path))
        root = tmp_path_factory.mktemp("made")
        begun(root)
        yield root
    sys.modules.pop("shop", None)


@pytest.fixture
def shop(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    """A copy, in which a test may do what it likes."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setattr(sys, "path", list(sys.path))
    folder = shutil.copytree(made / "shop", tmp_path / "shop")
    text = (folder / "freehold.yaml").read_text()
    (folder / "freehold.yaml").write_text(text.replace(str(made), str(tmp_path)))
    yield Shop(tmp_path)
    sys.modules.pop("shop", None)


def version(site: Site) -> ModelVersion:
    return version_of(site.state, "abandon", 1)


def outputs(site: Site) -> dict[str, list[dict[str, Any]]]:
    """By step, what it made."""
    return {row["step"]: row["outputs"] for _, row in site.state.scan("steps")}


def package(site: Site) -> set[str]:
    """And all that vouches for it: evidence, cards, lineage, signature."""
    found = version(site)
    return {found.package, *found.attestations.values()}


def wanted(place: str, *digests: str) -> Draft:
    """As a site says that does not look at labels."""
    return Draft("artifact.wanted", {"site": place, "digests": sorted(digests)})


def test_what_is_made_from_the_view_bears_its_tables_labels(shop: Shop) -> None:
    with shop.at("berlin") as site:
        made, labelled = outputs(site), Labelled(site.state)
        assert made.keys() == OF_PEOPLE | OF_NOBODY
        for step in OF_PEOPLE:
            assert all(one["labels"] == BORNE for one in made[step]), step
        for step in OF_NOBODY:
            assert all(one["labels"] == {} for one in made[step]), step
        assert len(package(site)) > 5
        for digest in package(site):
            assert labelled.of([digest]) == BORNE


def test_the_request_log_of_its_model_bears_them(shop: Shop) -> None:
    with shop.at("berlin") as site:
        log = site.serving / "log"
        log.mkdir(parents=True)
        answered = Batch(
            prediction_ids=["1"],
            request_id="1",
            at=site.clock(),
            asked_at=site.clock(),
            model="abandon",
            version=1,
            alias="champion",
            routing=1,
            score=[0.5],
            reference_score=None,
            latency_us=1.0,
            reference_latency_us=None,
            error=None,
            inputs={},
            kinds={},
        )
        (log / "0.parquet").write_bytes(log_part([answered], 0))
        assert collect(site, "abandon") == 1
        facts = [json.loads(line) for _, line in site.ledger.lines()]
        (recorded,) = [one["body"] for one in facts if one["type"] == "log.recorded"]
        assert recorded["labels"] == BORNE
    shop.meet()
    shop.do("ohio", lambda site: site.ledger.append([wanted("ohio", recorded["digest"])]))
    shop.meet()
    assert not shop.do("ohio", lambda site: site.artifacts.holds(recorded["digest"]))


def test_a_plan_makes_the_view_only_where_its_labels_allow(shop: Shop) -> None:
    """Though ohio is the cheapest, and takes all that is of nobody."""
    shop.with_machines()
    with shop.at("berlin") as site:
        placed = plan_run(site, cache=False).plan.placed
        assert placed is not None
        where = {one.step: one.place.site for one in placed.steps}
        assert {where[step] for step in OF_PEOPLE} == {"berlin", "paris"}
        assert where["features"] == "paris", "only a big machine does"
        assert {where[step] for step in OF_NOBODY} == {"ohio"}
        for step in OF_PEOPLE:
            rules = {(one.site, one.rule, one.why) for one in placed.step(step).refused}
            assert ("ohio", "label", RULE) in rules
        assert {o.destination for o in placed.crossings if o.labels} <= {"berlin", "paris"}
        copied = {
            site.site: {one.partition(".")[0] for one in site.outputs} for site in placed.kept
        }
        assert copied["ohio"] == OF_NOBODY
        assert copied["paris"] == OF_NOBODY | OF_PEOPLE


def test_without_the_label_the_same_steps_go_where_it_is_cheapest(shop: Shop) -> None:
    shop.with_machines()
    with shop.at("berlin") as site:
        placed = plan_run(site, cache=False, what_if=["unlabel=visits:residency"]).plan.placed
        assert placed is not None
        assert {one.place.site for one in placed.steps} == {"ohio"}


@pytest.mark.parametrize("machines", [False, True])
def test_nothing_is_planned_where_the_view_may_not_be_read(shop: Shop, machines: bool) -> None:
    if machines:
        shop.with_machines()
    with shop.at("ohio") as site, pytest.raises(PlacementImpossible) as refused:
        plan_run(site)
    assert refused.value.code == "plan.no-site"
    assert all(RULE in one.what for one in refused.value.faults)
    told = {step for step in OF_PEOPLE for one in refused.value.faults if f"'{step}'" in one.what}
    assert told == ({"split", "columns", "fit"} if machines else OF_PEOPLE)


def test_it_comes_to_no_site_that_its_labels_bar(shop: Shop) -> None:
    """Whether rules ask for copies, or a person does, or somebody who looks at no label."""
    shop.meet()
    with shop.at("berlin") as site:
        made, vouched = outputs(site), package(site)
        labelled = {one["digest"] for step in OF_PEOPLE for one in made[step]} | vouched
        free = {one["digest"] for step in OF_NOBODY for one in made[step]}
        (run_name, _) = next(site.state.scan("runs"))
    with shop.at("ohio") as site:
        for name in (run_name, "abandon@1", *(one["digest"] for one in made["features"])):
            with pytest.raises(PolicyDenied) as refused:
                plan_fetch(site, name)
            assert (refused.value.code, refused.value.why) == ("label.barred", RULE)
        site.ledger.append([wanted("ohio", *labelled)])
    with shop.at("paris") as site:
        fetch(site, plan_fetch(site, run_name))
        fetch(site, plan_fetch(site, "abandon@1"))
    shop.meet()
    with shop.at("paris") as site:
        assert all(site.artifacts.holds(one) for one in labelled | free)
    with shop.at("ohio") as site:
        assert not any(site.artifacts.holds(one) for one in labelled)
        assert all(site.artifacts.holds(one) for one in free)
    lying = what_store_has(DiskObjectStore(shop.root / "stores" / "ohio")).digests
    assert free <= set(lying)
    assert not labelled & set(lying)


def test_no_release_of_its_model_goes_there(shop: Shop) -> None:
    with shop.at("berlin") as site:
        assert plan_release(site, "abandon@1", sites=("berlin", "paris")).venue.sites
        with pytest.raises(PolicyDenied) as refused:
            plan_release(site, "abandon@1", sites=("berlin", "ohio"))
    assert refused.value.code == "label.barred"
    assert [(one.where, one.what) for one in refused.value.faults] == [("ohio", RULE)]
