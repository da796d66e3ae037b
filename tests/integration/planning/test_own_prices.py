"""A project's own figures in its plans: of a provider that no table has, and before those of one
that they have."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from freehold.app.costs.tariff import tariff_of
from freehold.app.run.plan import plan_run
from freehold.app.site.opening import open_site
from freehold.domain.errors import ProjectInvalid
from freehold.planning.placed import Placed

FILE = """\
project: shop
pipelines: {train: "rented:train"}
currency: EUR
PRICES
site: home
sites:
  home:
    store: {at: "file://ROOT/stores/home"}
    HOME
    machines: {box: {cpus: 2, memory: 4 GiB, price: 99.0}}
  there:
    store: {at: "file://ROOT/stores/there"}
    provider: PROVIDER
    region: REGION
    machines: {MACHINE: {}}
"""
PRICES = """\
currency: EUR
usd: 1.25
machines:
  - {provider: hetzner, region: fsn1, name: ccx33, price: 0.09, cpus: 8, memory: 32, watts: 60}
  - {provider: aws, region: eu-north-1, name: m5.xlarge, price: 0.05, source: contract 7}
grid:
  - {provider: hetzner, region: fsn1, grams_per_kwh: 30}
  - {provider: aws, region: eu-north-1, grams_per_kwh: 7}
overhead: [{provider: hetzner, ratio: 1.16}]
storage:
  - {provider: hetzner, region: fsn1, price: 0.021}
  - {provider: aws, region: eu-north-1, price: 0.5}
transfer: [{from: hetzner, to: own, price: 0.02}, {from: aws, to: own, price: 0.03}]
"""
CODE = """\
from freehold import pipeline, step


@step(cpus=2, seconds=3600, output="10GB")
def one() -> int:
    return 1


@pipeline
def train() -> int:
    return one()
"""


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Plans at a provider, whatever the file of prices says."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def plan(
        provider: str,
        region: str,
        machine: str,
        named: str = "prices: own.yaml",
        home: str = "private: false",
    ) -> Placed:
        text = FILE
        for name, value in (
            ("HOME", home),
            ("PRICES", named),
            ("ROOT", str(tmp_path)),
            ("PROVIDER", provider),
            ("REGION", region),
            ("MACHINE", machine),
        ):
            text = text.replace(name, value)
        (tmp_path / "freehold.yaml").write_text(text)
        (tmp_path / "own.yaml").write_text(PRICES)
        (tmp_path / "rented.py").write_text(CODE)
        with open_site(tmp_path) as site:
            placed = plan_run(site, "train").plan.placed
        assert placed is not None
        return placed

    yield plan
    sys.modules.pop("rented", None)


@pytest.mark.parametrize(
    ("provider", "region", "machine", "price", "grid", "storage", "transfer"),
    [
        ("hetzner", "fsn1", "ccx33", 0.09, 30, 0.021, 0.02),
        ("aws", "eu-north-1", "m5.xlarge", 0.05, 7, 0.5, 0.03),
    ],
)
def test_each_of_them_stands_in_a_plan_and_says_where_it_is_from(
    shop: Any,
    provider: str,
    region: str,
    machine: str,
    price: float,
    grid: float,
    storage: float,
    transfer: float,
) -> None:
    placed = shop(provider, region, machine)
    step = placed.step("one")
    assert (step.place.site, step.place.machine) == ("there", machine)
    (way,) = placed.crossings
    for figures, name, value in (
        (step.figures, "price", price),
        (step.figures, "storage", storage),
        (way.figures, "price", transfer),
    ):
        assert figures[name].value == pytest.approx(value), name
        assert figures[name].unit.startswith("EUR/")
        assert "the project's own, own.yaml: " in figures[name].source
    assert f"{grid:g} g/kWh" in step.figures["carbon"].source
    assert "the project's own, own.yaml: grid." in step.figures["carbon"].source
    assert step.money == pytest.approx(price, abs=storage * 10 * 3.1)
    assert way.money == pytest.approx(10 * transfer)


def test_what_a_place_of_ones_own_keeps_is_paid_too(shop: Any, tmp_path: Path) -> None:
    """A month of 10 GB at 5 EUR a GB and month: dearer than the machine of 99 an hour."""
    assert "home: what keeping a GB costs" in shop("aws", "eu-north-1", "m5.xlarge").missing
    shop("aws", "eu-north-1", "m5.xlarge", home="storage_price: 5")
    with open_site(tmp_path) as site:
        placed = plan_run(site, "train", what_if=["down=there"]).plan.placed
        hourly = tariff_of(site.project).storage_of("home")
    assert placed is not None
    step = placed.step("one")
    assert step.figures["storage"].value == 5
    assert step.figures["storage"].source == "freehold.yaml:9, `storage_price`"
    assert "10 GB × 5 EUR/GB a month" in step.formula
    assert step.money == pytest.approx(99 + 10 * 5 * step.figures["kept"].value / 30, rel=0.05)
    assert "home: what keeping a GB costs" not in placed.missing
    assert hourly is not None and (hourly.value, hourly.unit) == (5, "EUR/GB/month")


def test_a_price_of_keeping_that_is_none_is_refused(shop: Any) -> None:
    with pytest.raises(ProjectInvalid) as caught:
        shop("aws", "eu-north-1", "m5.xlarge", named="prices: own.yaml", home="storage_price: -1")
    (fault,) = caught.value.faults
    assert (fault.what, fault.where) == ("a storage price of -1", "freehold.yaml:9")
    assert "above 0" in fault.hint


def test_a_provider_that_neither_tables_nor_the_file_know_is_refused(shop: Any) -> None:
    with pytest.raises(ProjectInvalid) as caught:
        shop("hetzer", "fsn1", "ccx33")
    (fault,) = caught.value.faults
    assert fault.code == "price.unknown-provider"
    assert "hetzer" in fault.what and "freehold.yaml:" in fault.where
    with pytest.raises(ProjectInvalid) as caught:
        shop("hetzner", "fsn1", "ccx33", named="")
    (fault,) = caught.value.faults
    assert "there is no provider 'hetzner'" in fault.what and "prices:" in fault.hint
