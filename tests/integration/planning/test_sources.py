"""Every figure of a plan says where it comes from, and what nobody stated is said to be assumed."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from freehold.adapters.highs.solver import HighsSolver
from freehold.app.run.plan import plan_run
from freehold.domain.offer import Figure
from freehold.domain.placement import Solution
from freehold.planning.placed import Placed

FIGURE = re.compile(r"^  ([a-z]+( [\w.]+)*): (\S+) (\S+): (.+)$", re.MULTILINE)


@pytest.fixture
def spread(shop: Any) -> Any:
    """Three steps at two sites, with what crosses and what is copied."""
    shop.change("shop.py", ', "pii": ""', "")
    shop.change("freehold.yaml", "region: eastus\n", "region: eastus\n    keeps: [results]\n")
    shop.change("freehold.yaml", "jurisdiction: US", "jurisdiction: EU")
    shop.change("freehold.yaml", "boot_seconds: 90}", "boot_seconds: 90, price: 9.0}")
    return shop


def placed_of(shop: Any) -> Placed:
    with shop.open() as site:
        placed = plan_run(site).plan.placed
    assert placed is not None
    return placed


def every_figure(placed: Placed) -> Iterator[tuple[str, Figure]]:
    for one in (*placed.steps, *placed.crossings, *placed.kept):
        yield from one.figures.items()


def reckoned(formula: str) -> float:
    """A formula of a plan, by its numbers and signs; seconds are paid by the hour."""
    seconds = formula.replace("USD/h", "/ 3600")
    numbers = re.sub(r"(?<![\w.])[A-Za-z]+(/[A-Za-z]+)?", "", seconds)
    return float(eval(numbers.replace("×", "*")))


def test_every_figure_has_a_source_and_every_amount_its_figures(spread: Any) -> None:
    placed = placed_of(spread)
    assert {one.place.site for one in placed.steps} == {"onprem", "aws"}
    assert placed.crossings
    assert placed.kept
    assert all(figure.source and figure.unit for _, figure in every_figure(placed))
    for step in placed.steps:
        assert {"price", "boot", "work", "carbon", "output 0"} <= step.figures.keys()
        # The result is a copy there, which is counted by itself.
        is_kept = step.place.site == "aws" and step.step != "report"
        assert ("storage" in step.figures) == is_kept
        assert ("kept" in step.figures) == is_kept
        assert {"interruptions", "checkpoints"} <= step.figures.keys() or not step.place.spot
        rate = step.figures["carbon"].value
        assert step.carbon == pytest.approx(rate * step.seconds / 3600)
    for way in placed.crossings:
        assert way.money == pytest.approx(way.gigabytes * way.figures["price"].value)
        assert way.carbon == pytest.approx(way.gigabytes * way.figures["carbon"].value)
        assert way.seconds == pytest.approx(way.gigabytes * way.figures["time"].value)
    (copies,) = placed.kept
    assert copies.money == pytest.approx(reckoned(copies.formula), rel=1e-4)
    assert placed.copies > 0
    parts = [one.money for one in (*placed.steps, *placed.crossings, *placed.kept)]
    assert placed.cost.money == pytest.approx(sum(parts))


def test_a_steps_formula_holds_all_its_money(spread: Any) -> None:
    placed = placed_of(spread)
    fit = placed.step("fit")
    assert fit.place.spot
    assert "a month × 90 days" in fit.formula
    assert "interruptions/h" in fit.formula
    for step in placed.steps:
        assert reckoned(step.formula) == pytest.approx(step.money, rel=1e-3), step.formula


def test_what_is_explained_shows_each_of_them(spread: Any, freehold: Callable[..., Any]) -> None:
    placed = placed_of(spread)
    out = freehold("plan", "--explain").out
    shown = [(found[1], found[5]) for found in FIGURE.finditer(out)]
    wanted = [
        (name, f"{one.source}, {one.date}" if one.date else one.source)
        for name, one in every_figure(placed)
    ]
    assert sorted(shown) == sorted(wanted)
    for crossing in placed.crossings:
        assert f"{crossing.output}: {crossing.origin} → {crossing.destination}" in out
    only = freehold("plan", "--explain", "load").out
    assert "load.0: onprem → aws" in only
    assert "report.0: aws" not in only


def test_a_default_is_called_assumed_and_what_is_stated_has_its_line(shop: Any) -> None:
    shop.change("shop.py", ', "pii": ""', "")
    before = placed_of(shop)
    load, fit = before.step("load"), before.step("fit")
    assert "assumed, since not stated: `pue` 1.5" in load.figures["price"].source
    assert "overhead assumed:" in load.figures["carbon"].source
    assert "freehold.yaml:" in load.figures["carbon"].source  # its watts are stated
    assert load.figures["boot"].source.startswith("assumed:")
    assert fit.figures["interruptions"].source.startswith("assumed:")
    assert fit.figures["kept"].source.startswith("assumed:")
    assert fit.figures["checkpoints"].source.startswith("assumed")
    shop.change("freehold.yaml", "utilisation: 0.4", "utilisation: 0.4, pue: 1.2")
    shop.change("freehold.yaml", "spot: true", "spot: true, interruptions: 0.1")
    shop.change("freehold.yaml", "site: onprem", "site: onprem\nretention: {runs_days: 30}")
    after = placed_of(shop)
    load, fit = after.step("load"), after.step("fit")
    lines = (shop.root / "freehold.yaml").read_text().splitlines()
    for source, stated in (
        (load.figures["carbon"].source, "pue: 1.2"),
        (fit.figures["interruptions"].source, "interruptions: 0.1"),
        (fit.figures["kept"].source, "runs_days: 30"),
        (fit.figures["boot"].source, "boot_seconds: 90"),
    ):
        said = [lines[int(number) - 1] for number in re.findall(r"freehold\.yaml:(\d+)", source)]
        assert any(stated in line for line in said), (source, stated)
        assert "assumed" not in source


def test_an_assumed_price_of_carbon_is_called_so(shop: Any) -> None:
    shop.change("freehold.yaml", "  policies: placing", "  policies: placing\n  minimise: both")
    assert placed_of(shop).minimises == "money, and carbon at 0.1 a kg, which is assumed"
    shop.change("freehold.yaml", "minimise: both", "minimise: both\n  carbon_price: 0.1")
    assert placed_of(shop).minimises == "money, and carbon at 0.1 a kg"


def test_how_near_to_the_best_a_plan_is_is_always_told(
    shop: Any, freehold: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    said = freehold("plan", "--explain").out
    assert "; proven best of money" in said and "found by highs" in said
    solve = HighsSolver.solve

    def cut_short(solver: HighsSolver, *question: Any) -> Solution:
        found = solve(solver, *question)
        note = "stopped after 60 s, before the gap was as small as asked"
        return replace(found, bound=found.objective * 0.975, notes=(note,))

    monkeypatch.setattr(HighsSolver, "solve", cut_short)
    said = freehold("plan", "--explain").out
    assert "; within 2.5 % of the best of money" in said
    assert ": within 2.5 % of the best; no plan has less than" in said
    assert "stopped after 60 s, before the gap was as small as asked" in said
    solved = freehold("plan", "--json").data["placement"]["solution"]
    assert solved["bound"] == pytest.approx(0.975 * solved["objective"])
