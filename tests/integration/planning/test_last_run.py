"""Planned, run, planned again: what steps took and made takes the place of what they state."""

from collections.abc import Callable
from typing import Any

import pytest

from freehold.app.run.placement.measured import LATEST
from freehold.app.run.plan import plan_run
from freehold.planning.placed import Placed


def anew(shop: Any) -> Placed:
    """The plan if nothing were cached."""
    with shop.open() as site:
        placed = plan_run(site, cache=False).plan.placed
    assert placed is not None
    return placed


def recorded(shop: Any, step: str) -> list[dict[str, Any]]:
    """Rows of the runs that made a step anew, the latest last."""
    with shop.open() as site:
        began = {name: row["started"] for name, row in site.state.scan("runs")}
        rows = [row for _, row in site.state.scan("steps") if row["step"] == step]
    made = [row for row in rows if row["status"] == "finished" and not row["cached"]]
    return sorted(made, key=lambda row: began[row["run"]])


def test_sizes_and_seconds_are_those_of_the_last_run(
    shop: Any, freehold: Callable[..., Any]
) -> None:
    before = anew(shop)
    assert before.step("load").figures["output 0"].value == 2e9
    assert freehold("run", "--yes").code == 0
    (row,) = recorded(shop, "load")
    after = anew(shop).step("load")
    assert after.figures["output 0"].value == row["outputs"][0]["size"]
    assert after.figures["output 0"].source == f"as run {row['run']} made"
    assert after.figures["work"].value == pytest.approx(row["microseconds"] / 1e6)
    assert after.figures["work"].source == "median of 1 run(s) on rack"
    assert after.money < before.step("load").money


def test_what_crosses_is_as_large_as_the_last_run_made_it(
    shop: Any, freehold: Callable[..., Any]
) -> None:
    """Once fit needs an accelerator, it reads at aws what is loaded at home."""
    assert freehold("run", "--yes").code == 0
    (row,) = recorded(shop, "load")
    shop.change("shop.py", ', "pii": ""', "")
    shop.change("shop.py", "cpus=4", "cpus=4, accelerators=1")
    placed = anew(shop)
    assert placed.step("fit").place.site == "aws"
    assert "on other machines" in placed.step("fit").figures["work"].source
    (crossing,) = [one for one in placed.crossings if one.output == "load.0"]
    assert crossing.size.value == row["outputs"][0]["size"]
    assert crossing.size.source == f"as run {row['run']} made"


def test_the_median_of_the_latest_counts_and_neither_hits_nor_failures_do(
    shop: Any, freehold: Callable[..., Any]
) -> None:
    for _ in range(LATEST + 1):
        assert freehold("run", "--no-cache", "--yes").code == 0
    assert freehold("run", "--yes").code == 0
    shop.change("shop.py", 'return f"{mean:.2f}"', 'raise ValueError("no")')
    assert freehold("run", "--no-cache", "--yes").code == 1
    times = sorted(row["microseconds"] / 1e6 for row in recorded(shop, "report")[-LATEST:])
    work = anew(shop).step("report").figures["work"]
    assert work.source == f"median of {LATEST} run(s) on rack"
    assert work.value == pytest.approx(times[LATEST // 2])


def test_a_step_of_another_name_has_nothing_measured(
    shop: Any, freehold: Callable[..., Any]
) -> None:
    assert freehold("run", "--yes").code == 0
    shop.change("shop.py", "def fit(", "def fitted(")
    shop.change("shop.py", "report(fit(", "report(fitted(")
    placed = anew(shop)
    assert placed.step("fitted").figures["work"].source.startswith("stated by the step at shop.py:")
    assert placed.step("fitted").figures["output 0"].value == 5e7
    assert placed.step("load").figures["work"].source == "median of 1 run(s) on rack"
