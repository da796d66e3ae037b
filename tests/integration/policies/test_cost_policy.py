"""The policy of the guide to costs, asked by the engine."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from freehold.adapters.rego.engine import RegoEngine
from freehold.governance.policy import ReleaseCase, policy_input
from freehold.governance.policy_set import PolicySet, policy_set

GUIDE = Path(__file__).parents[3] / "docs" / "guides" / "costs.md"
CASE = ReleaseCase(
    model="delay",
    version=2,
    package="sha256:" + "ab" * 32,
    evidence=None,
    champion=1,
    contracts_checked=1,
    contracts_failed=0,
    signature_valid=True,
    attachments=(),
)


@pytest.fixture(scope="module")
def policies() -> PolicySet:
    written = dict(re.findall(r"```rego (policies/\S+)\n(.*?)```", GUIDE.read_text(), re.S))
    assert len(written) == 2
    limits = '{"limits": {"cost": {"worth_of_auc": 2}}}'
    found = policy_set({**written, "policies/limits.json": limits})
    assert found.faults == () and not RegoEngine().check(found.modules)
    return found


def allowed(policies: PolicySet, case: ReleaseCase) -> bool:
    verdict = RegoEngine().evaluate(policies.modules, policies.data, policy_input(case))
    assert verdict.allowed or {one.rule for one in verdict.denials} == {"cost/gain-does-not-pay"}
    return verdict.allowed


def case(price: float | None, gain: float | None, **more: Any) -> ReleaseCase:
    cost = {
        "currency": "USD",
        "training": 1.0,
        "per_thousand_predictions": price,
        "champion_per_thousand_predictions": 0.01,
        **more,
    }
    evidence = {"champion": {"difference": {"value": gain}}}
    return replace(CASE, cost=cost, evidence=evidence)


def test_a_gain_has_to_pay_for_its_price(policies: PolicySet) -> None:
    assert allowed(policies, case(0.03, 0.01))
    assert not allowed(policies, case(0.0301, 0.01))
    assert allowed(policies, case(0.001, 0.0))
    assert allowed(policies, case(0.009, -0.2)), "it is cheaper; the champion's rule asks the rest"


def test_what_is_not_known_is_denied(policies: PolicySet) -> None:
    assert not allowed(policies, case(None, 0.01))
    assert not allowed(policies, case(0.02, None))
    assert not allowed(policies, case(0.02, 0.01, champion_per_thousand_predictions=None))
    assert not allowed(policies, replace(case(0.02, 0.01), cost=None))


def test_a_first_version_has_nothing_to_be_compared_with(policies: PolicySet) -> None:
    assert allowed(policies, replace(CASE, champion=None, cost=None, evidence={"champion": None}))


def test_the_guides_own_tests_pass(policies: PolicySet) -> None:
    results = RegoEngine().test(policies.modules, policies.data)
    assert len(results) == 5 and all(one.passed for one in results)
