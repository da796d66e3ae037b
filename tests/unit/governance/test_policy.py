"""The question that policies are asked, and the folder that they come from."""

import json
from dataclasses import replace

import pytest

from freehold.domain.canonical import canonical
from freehold.domain.verdict import Denial, Verdict, policy_digest
from freehold.governance.policy import ReleaseCase, policy_input
from freehold.governance.policy_set import policy_set

CASE = ReleaseCase(
    model="flight-delay",
    version=2,
    package="sha256:" + "ab" * 32,
    evidence={"shape": 1},
    champion=1,
    contracts_checked=2,
    contracts_failed=0,
    signature_valid=True,
    attachments=("lineage.json", "card.md"),
)


def test_the_question_has_a_fixed_shape() -> None:
    assert policy_input(CASE) == {
        "freehold": 2,
        "model": "flight-delay",
        "version": 2,
        "package": "sha256:" + "ab" * 32,
        "evidence": {"shape": 1},
        "champion": {"version": 1},
        "contract": {"checked": 2, "failed": 0},
        "signature": {"valid": True},
        "attachments": ["card.md", "lineage.json"],
        "cost": None,
    }


def test_what_it_costs_is_told_where_it_is_known() -> None:
    cost = {
        "currency": "USD",
        "training": 0.8,
        "per_thousand_predictions": 0.002,
        "champion_per_thousand_predictions": None,
    }
    assert policy_input(replace(CASE, cost=cost))["cost"] == cost


def test_what_is_not_there_is_null_and_not_left_out() -> None:
    question = policy_input(replace(CASE, evidence=None, champion=None))
    assert question["evidence"] is None
    assert question["champion"] is None
    assert json.loads(canonical(question)) == question


def test_a_folder_is_sorted_into_sources_and_limits() -> None:
    found = policy_set(
        {
            "policies/a.rego": "package freehold.a",
            "policies/a_test.rego": "package freehold.a_test",
            "policies/limits.json": '{"limits": {"a": {"b": 0.5}}}',
            "policies/README.md": "words",
        }
    )
    assert sorted(found.modules) == ["policies/a.rego", "policies/a_test.rego"]
    assert found.data == {"limits": {"a": {"b": 0.5}}}
    assert found.faults == ()


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ('{\n  "limits": {\n    "a": \n}}', "policies/limits.json:4"),
        ('{"limits": [1]}', "policies/limits.json:1"),
        ('{"limits": {}, "freehold": {}}', "policies/limits.json:1"),
        ("[]", "policies/limits.json:1"),
        ('{"limits": {"a": 1, "a": 2}}', "policies/limits.json:1"),
        ('{"limits": {"a": NaN}}', "policies/limits.json:1"),
        ("", "policies/limits.json:1"),
    ],
)
def test_limits_that_cannot_be_read_are_a_fault_and_no_limits(text: str, where: str) -> None:
    found = policy_set({"policies/limits.json": text})
    assert found.data == {}
    [fault] = found.faults
    assert (fault.code, fault.where) == ("policy.limits", where)
    assert fault.what


def test_a_verdict_cannot_allow_what_was_denied() -> None:
    with pytest.raises(ValueError, match="baseline/auc-not-better"):
        Verdict(True, (Denial("baseline/auc-not-better", "AUC is 0.5"),))
    said = Verdict(False, (Denial("a/b", "c"),), ("a/b",), "sha256:0").as_json()
    assert Verdict.from_json(said).as_json() == said
    with pytest.raises(ValueError, match="a/b"):
        Verdict.from_json({**said, "allowed": True})


def test_the_digest_is_of_content_and_not_of_order() -> None:
    first = policy_digest({"a": "1", "b": "2"}, {"limits": {"x": 1, "y": 2}})
    assert first == policy_digest({"b": "2", "a": "1"}, {"limits": {"y": 2, "x": 1}})
    assert first != policy_digest({"a": "12", "b": ""}, {"limits": {"x": 1, "y": 2}})
    assert first.startswith("sha256:")
