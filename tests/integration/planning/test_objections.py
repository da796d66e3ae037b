"""A plan that a budget stands against: it is shown, and what `run` would refuse is plain."""

from collections.abc import Callable
from typing import Any

import pytest


def budget(shop: Any, *more: str) -> None:
    given = ", ".join(["limit: 0.5", *more])
    shop.change("freehold.yaml", "site: onprem\n", f"site: onprem\nbudgets: {{all: {{{given}}}}}\n")


def test_a_plan_that_fits_has_no_objections(shop: Any, freehold: Callable[..., Any]) -> None:
    said = freehold("plan", "--json")
    assert (said.code, said.data["objections"]) == (0, [])


@pytest.mark.parametrize("saved", [(), ("--save", "plan.json")])
def test_what_run_would_refuse_is_shown_and_fails(
    shop: Any, freehold: Callable[..., Any], saved: tuple[str, ...]
) -> None:
    budget(shop)
    said = freehold("plan", *saved, "--json")
    assert said.code == 1
    (objection,) = said.data["objections"]
    assert objection["code"] == "budget.exceeded"
    assert objection["where"] == "budgets.all"
    assert "budget 'all' of 0.50 USD" in objection["what"]
    assert f"this would add {said.data['placement']['money']:.2f} USD" in objection["what"]
    shown = freehold("plan", *saved)
    assert shown.code == 1
    assert "onprem rack" in shown.out
    assert "not to be run so: [budget.exceeded] budgets.all: budget 'all'" in shown.err
    assert (shop.root / "plan.json").exists() is bool(saved)
    refused = freehold("run", "--yes", "--json")
    assert refused.code == 1
    assert refused.data["error"]["faults"][0]["what"] == objection["what"]


def test_what_a_person_may_allow_does_not_fail(shop: Any, freehold: Callable[..., Any]) -> None:
    budget(shop, "then: approve")
    said = freehold("plan", "--json")
    assert said.code == 0
    (objection,) = said.data["objections"]
    assert objection["code"] == "budget.needs-approval"
    assert objection["hint"].startswith("freehold approve ")
    shown = freehold("plan")
    assert shown.code == 0
    assert "[budget.needs-approval]" in shown.err
