"""What the project file says about placement, and what plans and runs make of it."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from freehold.app.run.plan import PlannedRun, plan_run
from freehold.domain.errors import PlacementImpossible


def placement(shop: Any, *lines: str) -> None:
    told = "".join(f"  {line}\n" for line in lines)
    shop.change("freehold.yaml", "  policies: placing\n", f"  policies: placing\n{told}")


def planned(shop: Any) -> PlannedRun:
    with shop.open() as site:
        return plan_run(site)


def sites(found: PlannedRun) -> dict[str, str]:
    return {step: place.site for step, place in found.places.items()}


@pytest.fixture
def clean(shop: Any) -> Any:
    """Any site may be chosen; that at home has nearly no carbon, and is the dearest for fit."""
    shop.change("shop.py", ', "pii": ""', "")
    shop.change("freehold.yaml", "carbon: 380", "carbon: 0.01")
    return shop


def test_money_is_made_small_unless_something_else_is_said(clean: Any) -> None:
    found = planned(clean)
    assert sites(found)["fit"] == "aws"
    assert found.plan.placed is not None
    assert found.plan.placed.minimises == "money"


def test_carbon_is_made_small(clean: Any) -> None:
    dear = planned(clean).plan.placed
    placement(clean, "minimise: carbon")
    found = planned(clean)
    assert set(sites(found).values()) == {"onprem"}
    assert found.plan.placed is not None
    assert dear is not None
    assert found.plan.placed.cost.carbon < dear.cost.carbon
    assert found.plan.placed.cost.money > dear.cost.money


@pytest.mark.parametrize(("price", "site"), [(0.001, "aws"), (10_000.0, "onprem")])
def test_both_are_weighed_by_the_price_of_carbon(clean: Any, price: float, site: str) -> None:
    placement(clean, "minimise: both", f"carbon_price: {price}")
    found = planned(clean)
    assert sites(found)["fit"] == site
    placed = found.plan.placed
    assert placed is not None
    weighed = placed.cost.money + price * placed.cost.carbon
    assert placed.solution.objective == pytest.approx(weighed)


def test_a_machine_of_unknown_carbon_is_refused_where_carbon_counts(shop: Any) -> None:
    shop.change("freehold.yaml", "    carbon: 380\n", "")
    placement(shop, "minimise: carbon")
    with pytest.raises(PlacementImpossible) as raised:
        planned(shop)
    assert "its carbon is unknown" in raised.value.faults[0].what


def test_a_budget_of_a_run_is_kept_or_refused_with_the_least(clean: Any) -> None:
    placed = planned(clean).plan.placed
    assert placed is not None
    placement(clean, f"budget: {placed.cost.money * 1.01}")
    assert sites(planned(clean))["fit"] == "aws"
    clean.change("freehold.yaml", f"budget: {placed.cost.money * 1.01}", "budget: 0.001")
    with pytest.raises(PlacementImpossible) as raised:
        planned(clean)
    assert raised.value.code == "plan.budget"
    assert f"{placed.cost.money:g}"[:6] in str(raised.value)


def test_a_budget_may_cost_carbon(clean: Any) -> None:
    """The cleanest place is too dear."""
    cheap = planned(clean).plan.placed
    assert cheap is not None
    placement(clean, "minimise: carbon", f"budget: {cheap.cost.money * 1.05}")
    assert sites(planned(clean))["fit"] == "aws"


def test_a_deadline_that_cannot_be_kept_is_refused_with_the_soonest(shop: Any) -> None:
    placement(shop, "deadline_hours: 0.5")
    with pytest.raises(PlacementImpossible) as raised:
        planned(shop)
    assert raised.value.code == "plan.deadline"
    assert "4020 s" in str(raised.value)


def test_a_quota_of_a_site_keeps_what_is_larger_away(clean: Any) -> None:
    clean.change("freehold.yaml", "region: eu-north-1", "region: eu-north-1\n    quota: {cpus: 2}")
    found = planned(clean)
    assert sites(found)["fit"] != "aws"
    assert found.plan.placed is not None
    told = [str(one) for one in found.plan.placed.step("fit").refused if one.rule == "quota"]
    assert told
    assert all("cpus" in one for one in told)


def test_no_more_machines_are_used_at_once_than_there_are(shop: Any) -> None:
    """Two steps at the same time, both at home, where there are two racks; then one."""
    shop.change("shop.py", "report(fit(load(rows)))", "report(larger(fit(data), fit(data)))")
    shop.change("shop.py", "    return report(", "    data = load(rows)\n    return report(")
    shop.change(
        "shop.py",
        "@pipeline",
        "@step\ndef larger(one: float, other: float) -> float:\n    return max(one, other)\n\n\n"
        "@pipeline",
    )
    assert set(sites(planned(shop)).values()) == {"onprem"}
    shop.change("freehold.yaml", "count: 2", "count: 1")
    with pytest.raises(PlacementImpossible) as raised:
        planned(shop)
    assert raised.value.code == "plan.quota"
    assert "onprem/rack" in str(raised.value)


# Waiting for cleaner power.


@pytest.fixture
def dirty_now(shop: Any) -> Any:
    """At home power is dirty for three hours from this one on, and there is time until it is
    not."""
    hour = datetime.now(UTC).hour
    grams = [400.0 if (one - hour) % 24 <= 2 else 20.0 for one in range(24)]
    shop.change("freehold.yaml", "carbon: 380", f"carbon_hours: {grams}")
    placement(shop, "minimise: carbon", "deadline_hours: 12")
    return shop


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds for which a run would have waited."""
    found: list[float] = []
    monkeypatch.setattr("freehold.cli.run.sleep", found.append)
    return found


def test_a_run_waits_for_cleaner_hours_within_its_deadline(
    dirty_now: Any, freehold: Callable[..., Any], slept: list[float]
) -> None:
    wait = freehold("plan", "--json").data["wait"]
    assert 1 < wait["hours"] <= 4
    assert wait["carbon"] < wait["at_once"]
    assert "for cleaner power" in freehold("plan").out
    said = freehold("run", "--yes", "--json")
    assert said.code == 0, said.err
    assert "for cleaner power" in said.err
    assert [seconds / 3600 for seconds in slept] == [pytest.approx(wait["hours"], abs=1.0)]


def test_a_run_that_is_wanted_now_does_not_wait(
    dirty_now: Any, freehold: Callable[..., Any], slept: list[float]
) -> None:
    assert freehold("run", "--yes", "--now").code == 0
    assert slept == []


@pytest.mark.parametrize("taken", ["  deadline_hours: 12\n", "  minimise: carbon\n"])
def test_without_a_deadline_or_for_money_alone_nothing_waits(
    dirty_now: Any, freehold: Callable[..., Any], slept: list[float], taken: str
) -> None:
    dirty_now.change("freehold.yaml", taken, "")
    assert freehold("plan", "--json").data["wait"] is None
    assert freehold("run", "--yes").code == 0
    assert slept == []


def test_what_moves_while_a_run_waits_stops_it(
    dirty_now: Any, freehold: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def moved(_: float) -> None:
        dirty_now.change("freehold.yaml", "purchase: 9000", "purchase: 9001")

    monkeypatch.setattr("freehold.cli.run.sleep", moved)
    said = freehold("run", "--yes", "--json")
    assert said.code == 1
    assert said.data["error"]["code"] == "plan.moved"
    with dirty_now.open() as site:
        assert list(site.state.scan("runs")) == []
