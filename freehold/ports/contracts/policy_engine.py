"""What every engine of Rego policies must do."""

from typing import Any

import pytest

from freehold.domain.errors import ProjectInvalid
from freehold.domain.verdict import policy_digest
from freehold.ports.policy_engine import PolicyEngine, RunsPolicyTests

RISK = """package freehold.risk

import rego.v1

rules := {"too-high"}

requires := {"input.risk": "number", "data.limits.risk": "number"}

cleared contains "too-high" if input.risk <= data.limits.risk

deny contains {"rule": "too-high", "message": sprintf("risk is %v", [input.risk])} if {
\tnot "too-high" in cleared
}
"""
OWNER = """package freehold.owner

import rego.v1

rules := {"nobody"}

requires := {"input.owner": "string"}

cleared contains "nobody" if input.owner != ""

deny contains {"rule": "nobody", "message": sprintf("owner '%v'", [input.owner])} if {
\tinput.owner in {"", "nobody"}
}
"""
RISK_TEST = """package freehold.risk_test

import rego.v1

import data.freehold.risk

test_denies_above_the_limit if {
\tcount(risk.deny) == 1 with input as {"risk": 3} with data.limits.risk as 2
}

test_clears_the_limit_itself if {
\trisk.cleared == {"too-high"} with input as {"risk": 2} with data.limits.risk as 2
}

test_is_wrong if {
\tcount(risk.deny) == 1 with input as {"risk": 1} with data.limits.risk as 2
}
"""
MODULES = {"policies/owner.rego": OWNER, "policies/risk.rego": RISK}
LIMITS = {"limits": {"risk": 2}}
GOOD = {"risk": 1, "owner": "ann"}


def refused(engine: PolicyEngine, source: str, **question: Any) -> set[str]:
    """Rules by which a set of this one policy, `risk`, denies; fails if it allows."""
    verdict = engine.evaluate({"policies/risk.rego": source}, LIMITS, question or GOOD)
    assert not verdict.allowed
    assert verdict.denials
    assert all(denial.message for denial in verdict.denials)
    return {denial.rule for denial in verdict.denials}


class PolicyEngineContract:
    """Give the fixture `engine`."""

    def test_it_allows_what_every_rule_cleared(self, engine: PolicyEngine) -> None:
        verdict = engine.evaluate(MODULES, LIMITS, GOOD)
        assert verdict.allowed
        assert verdict.denials == ()
        assert verdict.rules == ("owner/nobody", "risk/too-high")

    def test_it_tells_every_denial_by_its_name(self, engine: PolicyEngine) -> None:
        verdict = engine.evaluate(MODULES, LIMITS, {"risk": 3, "owner": ""})
        assert not verdict.allowed
        assert [denial.rule for denial in verdict.denials] == ["owner/nobody", "risk/too-high"]
        assert verdict.denials[1].message == "risk is 3"

    def test_a_denial_holds_even_when_the_rule_is_cleared_too(self, engine: PolicyEngine) -> None:
        verdict = engine.evaluate(MODULES, LIMITS, {"risk": 1, "owner": "nobody"})
        assert [denial.rule for denial in verdict.denials] == ["owner/nobody"]

    def test_no_policies_allow_nothing(self, engine: PolicyEngine) -> None:
        for modules in ({}, {"policies/risk_test.rego": RISK_TEST}):
            verdict = engine.evaluate(modules, LIMITS, GOOD)
            assert [denial.rule for denial in verdict.denials] == ["engine/no-policies"]

    @pytest.mark.parametrize("question", [{}, {"owner": "ann"}, {"risk": {}}, {"risk": None}])
    def test_a_missing_field_denies(self, engine: PolicyEngine, question: dict[str, Any]) -> None:
        verdict = engine.evaluate(MODULES, LIMITS, question)
        assert "risk/missing-input" in {denial.rule for denial in verdict.denials}

    @pytest.mark.parametrize("risk", ["0", "", False, None, [], {}])
    def test_a_field_of_another_type_denies(self, engine: PolicyEngine, risk: Any) -> None:
        assert refused(engine, RISK, risk=risk) == {"risk/missing-input"}

    def test_missing_limits_deny(self, engine: PolicyEngine) -> None:
        cases: list[dict[str, Any]] = [{}, {"limits": {}}, {"limits": {"risk": "2"}}]
        for data in cases:
            verdict = engine.evaluate(MODULES, data, GOOD)
            assert [denial.rule for denial in verdict.denials] == ["risk/missing-input"]

    def test_a_rule_that_comes_to_no_decision_denies(self, engine: PolicyEngine) -> None:
        idle = RISK.replace("<= data.limits.risk", "< 0").replace(
            'not "too-high" in cleared', "false"
        )
        assert refused(engine, idle) == {"engine/not-evaluated"}

    def test_a_policy_that_cannot_be_read_denies(self, engine: PolicyEngine) -> None:
        assert refused(engine, "package freehold.risk\n\nallow :=") == {"engine/refused"}
        assert refused(engine, "") == {"engine/refused"}

    def test_one_bad_policy_is_enough(self, engine: PolicyEngine) -> None:
        verdict = engine.evaluate({**MODULES, "policies/other.rego": "package x"}, LIMITS, GOOD)
        assert not verdict.allowed

    @pytest.mark.parametrize("bad", [float("nan"), float("inf"), 2**70, "a\0b", b"x", {1: 2}])
    def test_what_is_not_plain_json_denies(self, engine: PolicyEngine, bad: Any) -> None:
        assert refused(engine, RISK, risk=1, more=bad) == {"engine/not-json"}
        verdict = engine.evaluate(MODULES, {"limits": {"risk": 2, "more": bad}}, GOOD)
        assert [denial.rule for denial in verdict.denials] == ["engine/not-json"]

    def test_a_bottomless_question_denies(self, engine: PolicyEngine) -> None:
        deep: Any = 1
        for _ in range(5000):
            deep = [deep]
        assert refused(engine, RISK, risk=1, more=deep) == {"engine/not-json"}

    @pytest.mark.parametrize(
        "text",
        [
            '"',
            "\\",
            'x", "rule": "y',
            '"}], "cleared": ["nobody"], "deny": [], "x": [{"y": "',
            "{x | x := 1}",
            "data.limits",
            "%d %s",
            "`",
            "# no",
            "line\nbreak\ttab",
            "é✓😀\u2028",
        ],
    )
    def test_texts_are_values_and_come_back_as_they_went_in(
        self, engine: PolicyEngine, text: str
    ) -> None:
        source = OWNER.replace('in {"", "nobody"}', '!= ""')
        verdict = engine.evaluate({"policies/owner.rego": source}, {}, {"owner": text})
        assert [denial.message for denial in verdict.denials] == [f"owner '{text}'"]

    def test_decisions_do_not_see_each_other(self, engine: PolicyEngine) -> None:
        good = engine.evaluate(MODULES, LIMITS, GOOD)
        bad = engine.evaluate(MODULES, LIMITS, {"risk": 9, "owner": ""})
        assert not bad.allowed
        assert refused(engine, "package freehold.risk\n\nallow :=") == {"engine/refused"}
        assert engine.evaluate(MODULES, LIMITS, GOOD) == good
        assert engine.evaluate(MODULES, LIMITS, {"risk": 9, "owner": ""}) == bad

    def test_order_changes_nothing(self, engine: PolicyEngine) -> None:
        reversed_modules = dict(reversed(MODULES.items()))
        question = {"owner": "", "risk": 7}
        assert engine.evaluate(reversed_modules, LIMITS, question) == engine.evaluate(
            MODULES, LIMITS, dict(reversed(question.items()))
        )

    def test_the_digest_covers_policies_and_data_but_no_test(self, engine: PolicyEngine) -> None:
        digest = engine.evaluate(MODULES, LIMITS, GOOD).policy_digest
        assert digest == policy_digest(MODULES, LIMITS)
        tested = {**MODULES, "policies/risk_test.rego": RISK_TEST}
        assert engine.evaluate(tested, LIMITS, GOOD).policy_digest == digest
        other = {**MODULES, "policies/risk.rego": RISK + "\n"}
        assert engine.evaluate(other, LIMITS, GOOD).policy_digest != digest
        assert engine.evaluate(MODULES, {"limits": {"risk": 3}}, GOOD).policy_digest != digest

    def test_sound_sources_have_no_faults(self, engine: PolicyEngine) -> None:
        assert engine.check({**MODULES, "policies/risk_test.rego": RISK_TEST}) == []

    def test_all_files_faults_are_told_by_line(self, engine: PolicyEngine) -> None:
        faults = engine.check(
            {
                "policies/a.rego": "package freehold.a\n\nrules := {\n",
                "policies/b.rego": RISK.replace("risk", "b") + "\nx := ]\n",
            }
        )
        assert {fault.code for fault in faults} == {"policy.syntax"}
        files = [fault.where.split(":")[0] for fault in faults]
        assert files == sorted(files)
        assert set(files) == {"policies/a.rego", "policies/b.rego"}
        last = RISK.count("\n") + 2
        assert f"policies/b.rego:{last}" in {fault.where for fault in faults}


class RunsPolicyTestsContract:
    """Give the fixture `runner`."""

    def test_only_what_is_true_passes(self, runner: RunsPolicyTests) -> None:
        modules = {"policies/risk.rego": RISK, "policies/risk_test.rego": RISK_TEST}
        results = runner.test(modules, LIMITS)
        assert [(one.name, one.passed) for one in results] == [
            ("test_clears_the_limit_itself", True),
            ("test_denies_above_the_limit", True),
            ("test_is_wrong", False),
        ]
        assert {one.file for one in results} == {"policies/risk_test.rego"}
        assert all(bool(one.output) != one.passed for one in results)

    def test_a_policy_without_tests_does_not_pass(self, runner: RunsPolicyTests) -> None:
        [result] = runner.test({"policies/risk.rego": RISK}, LIMITS)
        assert (result.file, result.name, result.passed) == ("policies/risk.rego", "", False)

    @pytest.mark.parametrize("value", ["false", "1", '"true"', "{}", "[]"])
    def test_what_is_only_like_true_does_not_pass(
        self, runner: RunsPolicyTests, value: str
    ) -> None:
        source = f"package freehold.risk_test\n\nimport rego.v1\n\ntest_it := {value}\n"
        results = runner.test(
            {"policies/risk.rego": RISK, "policies/risk_test.rego": source}, LIMITS
        )
        assert [one.passed for one in results] == [False]

    def test_faults_are_raised_before_any_test_runs(self, runner: RunsPolicyTests) -> None:
        with pytest.raises(ProjectInvalid) as caught:
            runner.test({"policies/risk.rego": "package freehold.risk\n\nallow :="}, LIMITS)
        assert caught.value.code == "policy.invalid"
        assert caught.value.faults

    def test_a_test_file_without_tests_is_a_fault(self, runner: RunsPolicyTests) -> None:
        source = "package freehold.risk_test\n\nimport rego.v1\n\nhelper := 1\n"
        with pytest.raises(ProjectInvalid) as caught:
            runner.test({"policies/risk.rego": RISK, "policies/risk_test.rego": source}, LIMITS)
        assert [fault.code for fault in caught.value.faults] == ["policy.no-tests"]
