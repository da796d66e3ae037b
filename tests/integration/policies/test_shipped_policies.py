"""The policies that templates ship, asked about evidence that the statistics really make."""

import copy
from collections.abc import Iterator
from dataclasses import replace
from importlib.resources import files
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.adapters.rego.engine import RegoEngine
from freehold.domain.evidence import Evidence
from freehold.domain.verdict import Verdict
from freehold.governance.policy import ReleaseCase, policy_input
from freehold.governance.policy_set import PolicySet, policy_set
from freehold.training.evidence import evaluate

ENGINE = RegoEngine()
ROWS = 4000
ATTACHMENTS = ("bom.cdx.json", "card.md", "lineage.json")


def shipped(template: str) -> PolicySet:
    folder = files("freehold").joinpath("templates", template, "policies")
    return policy_set(
        {f"policies/{one.name}": one.read_text(encoding="utf-8") for one in folder.iterdir()}
    )


FLIGHTS = shipped("flights")


def evidence(skill: float = 1.0, *, worse_for: str = "", champion: float | None = None) -> Evidence:
    """Of a model whose log-odds follow the truth with `skill`; at 0 it knows nothing."""
    rng = np.random.default_rng(7)
    truth = rng.normal(-1.4, 1.0, ROWS)
    labels = rng.random(ROWS) < 1 / (1 + np.exp(-2 * truth))
    carrier = rng.choice(["AA", "B6", "UA"], ROWS)
    noise = rng.normal(-1.4, 1.0, ROWS)

    def scores(share: float) -> Any:
        each = np.where(carrier == worse_for, 0.0, share)
        return 1 / (1 + np.exp(-2 * (each * truth + (1 - each) * noise)))

    return evaluate(
        scores(skill),
        labels,
        pl.DataFrame({"carrier": carrier, "origin": rng.choice(["EWR", "JFK"], ROWS)}),
        contributions=rng.normal(size=(ROWS, 2)),
        columns=("hour", "carrier"),
        reference_scores=None if champion is None else scores(champion),
    )


CASE = ReleaseCase(
    model="flight-delay",
    version=2,
    package="sha256:" + "ab" * 32,
    evidence=evidence().as_json(),
    champion=None,
    contracts_checked=1,
    contracts_failed=0,
    signature_valid=True,
    attachments=ATTACHMENTS,
)
QUESTION = policy_input(CASE)


def ask(case: ReleaseCase, policies: PolicySet = FLIGHTS) -> Verdict:
    return ENGINE.evaluate(policies.modules, policies.data, policy_input(case))


def denied(case: ReleaseCase) -> set[str]:
    verdict = ask(case)
    assert verdict.allowed == (not verdict.denials)
    return {denial.rule for denial in verdict.denials}


@pytest.mark.parametrize("template", ["flights", "blank"])
def test_shipped_policies_have_no_faults_and_pass_their_tests(template: str) -> None:
    policies = shipped(template)
    assert policies.faults == ()
    assert ENGINE.check(policies.modules) == []
    results = ENGINE.test(policies.modules, policies.data)
    assert [one for one in results if not one.passed] == []
    assert len(results) > 25


@pytest.mark.parametrize("template", ["flights", "blank"])
def test_a_sound_version_is_allowed(template: str) -> None:
    verdict = ask(CASE, shipped(template))
    assert verdict.denials == ()
    assert verdict.allowed
    assert {rule.split("/")[0] for rule in verdict.rules} == {
        "baseline",
        "champion",
        "contract",
        "evidence",
        "fairness",
        "signature",
    }


def test_a_blank_project_needs_neither_contract_nor_groups() -> None:
    bare = {**evidence().as_json(), "groups": {}}
    case = replace(CASE, evidence=bare, contracts_checked=0)
    assert ask(case, shipped("blank")).allowed
    assert denied(case) == {"contract/not-checked", "fairness/group-not-measured"}


def test_a_model_that_learned_nothing_is_denied_by_name() -> None:
    assert "baseline/auc-not-better" in denied(replace(CASE, evidence=evidence(0.0).as_json()))


def test_accuracy_below_the_majority_is_denied() -> None:
    """Good order, bad threshold: AUC alone would pass."""
    always = evidence().as_json()
    always["overall"]["net_accuracy"] |= {"value": -0.1, "low": -0.11, "high": -0.09}
    assert denied(replace(CASE, evidence=always)) == {"baseline/accuracy-below-majority"}


def test_one_good_group_cannot_hide_a_bad_one() -> None:
    found = evidence(worse_for="B6")
    assert denied(replace(CASE, evidence=found.as_json())) == {"fairness/group-gap"}


def test_the_champion_is_the_measure_when_there_is_one() -> None:
    better = evidence(1.0, champion=0.6).as_json()
    worse = evidence(0.6, champion=1.0).as_json()
    same = evidence(1.0, champion=1.0).as_json()
    assert denied(replace(CASE, evidence=better, champion=1)) == set()
    assert denied(replace(CASE, evidence=same, champion=1)) == set()
    assert denied(replace(CASE, evidence=worse, champion=1)) == {"champion/worse-than-champion"}
    assert denied(replace(CASE, champion=1)) == {"champion/worse-than-champion"}


def test_each_other_lack_is_denied_by_its_rule() -> None:
    assert denied(replace(CASE, contracts_failed=1)) == {"contract/failed"}
    assert denied(replace(CASE, contracts_checked=0)) == {"contract/not-checked"}
    assert denied(replace(CASE, signature_valid=False)) == {"signature/not-valid"}
    assert denied(replace(CASE, attachments=("card.md",))) == {"evidence/attachment-missing"}
    missing = denied(replace(CASE, evidence=None))
    assert {rule.split("/")[1] for rule in missing} == {"missing-input"}


def test_evidence_of_one_class_is_denied() -> None:
    one = evaluate(np.full(2000, 0.5), np.zeros(2000), pl.DataFrame({"carrier": ["AA"] * 2000}))
    rules = denied(replace(CASE, evidence=one.as_json()))
    assert {"baseline/missing-input", "evidence/figure-missing"} <= rules


def needed_paths() -> list[tuple[str | int, ...]]:
    """Every field that some shipped rule reads, and all that lies above it."""
    overall = QUESTION["evidence"]["overall"]
    leaves: list[tuple[str | int, ...]] = [
        *((name,) for name in QUESTION if name != "cost"),
        *(("evidence", name) for name in ("champion", "features", "groups", "overall")),
        ("contract", "checked"),
        ("contract", "failed"),
        ("signature", "valid"),
        ("evidence", "overall", "rows"),
        *(
            ("evidence", "overall", figure, part)
            for figure in FLIGHTS.data["limits"]["evidence"]["figures"]
            for part in ("value", "low", "high")
        ),
        *(("evidence", "groups", column) for column in ("carrier", "origin")),
        *(("evidence", "groups", column, "gap") for column in ("carrier", "origin")),
        *(
            ("evidence", "groups", column, "gap", part)
            for column in ("carrier", "origin")
            for part in ("best", "difference", "worst")
        ),
        *(
            ("evidence", "groups", column, "gap", "difference", "low")
            for column in ("carrier", "origin")
        ),
    ]
    assert set(FLIGHTS.data["limits"]["evidence"]["figures"]) <= set(overall)
    return leaves


PATHS = needed_paths()


def without(question: dict[str, Any], paths: set[tuple[str | int, ...]]) -> dict[str, Any]:
    rest: Any = copy.deepcopy(question)
    for path in sorted(paths, key=len, reverse=True):
        place = rest
        for part in path[:-1]:
            place = place[part]
        del place[path[-1]]
    return dict(rest)


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, dict):
        for name, member in value.items():
            yield from leaves(member, (*path, name))
    else:
        yield path


def assert_never_allowed(question: dict[str, Any], data: Any) -> None:
    verdict = ENGINE.evaluate(FLIGHTS.modules, data, question)
    assert not verdict.allowed
    assert verdict.denials


@pytest.mark.parametrize("path", PATHS, ids=lambda path: ".".join(map(str, path)))
def test_no_single_field_can_go_missing(path: tuple[str | int, ...]) -> None:
    assert_never_allowed(without(QUESTION, {path}), FLIGHTS.data)


@settings(max_examples=25, deadline=None)
@given(st.sets(st.sampled_from(PATHS), min_size=1))
def test_whatever_goes_missing_nothing_is_allowed(paths: set[tuple[str | int, ...]]) -> None:
    assert_never_allowed(without(QUESTION, paths), FLIGHTS.data)


@pytest.mark.long
@settings(max_examples=1500, deadline=None)
@given(st.sets(st.sampled_from(PATHS), min_size=1))
def test_whatever_goes_missing_nothing_is_allowed_long(
    paths: set[tuple[str | int, ...]],
) -> None:
    assert_never_allowed(without(QUESTION, paths), FLIGHTS.data)


@pytest.mark.parametrize("path", list(leaves(FLIGHTS.data)), ids=".".join)
def test_no_limit_can_go_missing_or_become_a_text(path: tuple[str, ...]) -> None:
    assert_never_allowed(QUESTION, without(FLIGHTS.data, {path}))
    changed: Any = copy.deepcopy(FLIGHTS.data)
    place = changed
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = "0"
    assert_never_allowed(QUESTION, changed)


def test_no_shipped_policy_asks_what_it_costs() -> None:
    """That is for people to demand: the guide to costs has a policy that does."""
    for cost in (None, {"training": 1e9}, "junk"):
        verdict = ENGINE.evaluate(FLIGHTS.modules, FLIGHTS.data, {**QUESTION, "cost": cost})
        assert verdict.allowed


JUNK = st.one_of(
    st.none(), st.booleans(), st.text(max_size=5), st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2), st.just(float("nan")),
)  # fmt: skip


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(sorted(name for name in QUESTION if name not in ("champion", "cost"))), JUNK)
def test_junk_in_place_of_a_part_is_never_allowed(name: str, junk: Any) -> None:
    if name in ("model", "package") and isinstance(junk, str) and "\0" not in junk:
        return
    assert_never_allowed({**QUESTION, name: junk}, FLIGHTS.data)
