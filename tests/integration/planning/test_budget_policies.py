"""A policy that says for which plans a person may be asked to pass a budget."""

from collections.abc import Callable
from typing import Any

import pytest

POLICY = """\
package freehold.spending

import rego.v1

rules := {"within-twice"}

requires := {
	"input.adds": "number",
	"input.budget.committed": "number",
	"input.budget.currency": "string",
	"input.budget.limit": "number",
	"input.budget.spent": "number",
}

small if {
	input.budget.spent + input.budget.committed + input.adds <= 2 * input.budget.limit
}

cleared contains "within-twice" if {
	small
}

deny contains {
	"rule": "within-twice",
	"message": sprintf("%v %v is above twice the limit", [input.adds, input.budget.currency]),
} if {
	not small
}
"""


def budget(shop: Any, limit: float, then: str = "then: approve, policies: spending") -> None:
    text = f"budgets: {{all: {{limit: {limit}, {then}}}}}\n"
    shop.change("freehold.yaml", "site: onprem\n", f"site: onprem\n{text}")
    shop.write("spending/spending.rego", POLICY)


@pytest.fixture
def money(freehold: Callable[..., Any]) -> float:
    """What the plan would cost."""
    placed: float = freehold("plan", "--json").data["placement"]["money"]
    return placed


def test_what_the_policy_lets_pass_waits_for_a_person(
    shop: Any, freehold: Callable[..., Any], money: float
) -> None:
    budget(shop, money * 0.6)
    refused = freehold("run", "--yes", "--json")
    assert refused.data["error"]["code"] == "budget.needs-approval"
    (request,) = freehold("budgets", "--json").data["requests"]
    assert freehold("approve", request["request"], "--yes").code == 0
    assert freehold("plan", "--json").data["objections"] == []
    # The policy is asked as long as the plan is not run: a person's word does not outlive it.
    shop.change("spending/spending.rego", "<= 2 *", "<= 1 *")
    (objection,) = freehold("plan", "--json").data["objections"]
    assert objection["code"] == "budget.exceeded"


def test_what_the_policy_denies_is_refused_with_its_rule(
    shop: Any, freehold: Callable[..., Any], money: float
) -> None:
    budget(shop, money * 0.4)
    said = freehold("plan", "--json")
    (objection,) = said.data["objections"]
    assert (said.code, objection["code"]) == (1, "budget.exceeded")
    assert "; policy spending/within-twice: " in objection["what"]
    assert "USD is above twice the limit" in objection["what"]
    refused = freehold("run", "--yes", "--json")
    assert refused.data["error"]["faults"][0]["what"] == objection["what"]
    assert freehold("budgets", "--json").data["requests"] == []


def test_what_fits_asks_no_policy(shop: Any, freehold: Callable[..., Any], money: float) -> None:
    budget(shop, money * 1.1)
    shop.change("spending/spending.rego", "<= 2 *", "<= 0 *")
    assert freehold("plan", "--json").data["objections"] == []


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ("cleared contains", "unheard contains", "engine/undefined"),
        ("requires := {", 'requires := {\n\t"input.team": "string",', "spending/missing-input"),
    ],
)
def test_what_a_policy_does_not_prove_is_refused(
    shop: Any, freehold: Callable[..., Any], money: float, old: str, new: str, rule: str
) -> None:
    budget(shop, money * 0.6)
    shop.change("spending/spending.rego", old, new)
    (objection,) = freehold("plan", "--json").data["objections"]
    assert objection["code"] == "budget.exceeded"
    assert f"policy {rule}" in objection["what"]


def test_a_folder_with_no_policy_refuses(
    shop: Any, freehold: Callable[..., Any], money: float
) -> None:
    budget(shop, money * 0.6)
    (shop.root / "spending/spending.rego").unlink()
    (objection,) = freehold("plan", "--json").data["objections"]
    assert objection["code"] == "budget.exceeded"
    assert "policy engine/" in objection["what"]


def test_policies_that_are_broken_or_never_asked_are_faults(
    shop: Any, freehold: Callable[..., Any]
) -> None:
    budget(shop, 1.0, "policies: spending")
    (fault,) = freehold("check", "--json").data["error"]["faults"]
    assert fault["code"] == "project.wrong-value"
    assert "policies of budget 'all' are never asked" in fault["what"]
    assert fault["where"].startswith("freehold.yaml:")
    shop.change("freehold.yaml", "policies: spending", "then: approve, policies: spending")
    shop.write("spending/spending.rego", "package freehold.spending\n\nallow if {\n")
    said = freehold("check", "--json").data["error"]
    assert said["faults"][0]["where"].startswith("spending/spending.rego:")
