import json

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.domain.canonical import canonical
from freehold.domain.errors import Refused
from freehold.domain.evidence import Evidence
from freehold.domain.statistics.ranking import auc
from freehold.domain.statistics.rows import scored
from freehold.training.evidence import STRONGEST, evaluate, strongest


def drawn(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    scores = 1 / (1 + np.exp(1 - generator.normal(size=count)))
    return scores, (generator.random(count) < scores).astype(np.int64)


def unequal() -> tuple[np.ndarray, np.ndarray, pl.DataFrame]:
    """Scores mean nothing in group B; group C is small; some rows have no group."""
    scores, labels = drawn(4000)
    names: list[str | None] = ["A"] * 1800 + ["B"] * 1800 + ["C"] * 30 + [None] * 370
    scores[1800:3600] = np.random.default_rng(1).permutation(scores[1800:3600])
    return scores, labels, pl.DataFrame({"origin": names, "even": [0, 1] * 2000})


def test_evidence_has_every_group_and_says_which_are_too_small() -> None:
    scores, labels, groups = unequal()
    found = evaluate(scores, labels, groups)
    origin = found.groups["origin"]
    assert [one.group for one in origin.measured] == ["A", "B", None]
    assert [(one.group, one.rows) for one in origin.too_small] == [("C", 30)]
    assert sum(one.measures.rows for one in origin.measured) + 30 == 4000
    first = scored(scores[:1800], labels[:1800])
    assert origin.measured[0].measures.auc == auc(first)


def test_the_gap_is_between_the_extremes_and_wider_than_a_pair_would_say() -> None:
    scores, labels, groups = unequal()
    found = evaluate(scores, labels, groups).groups
    gap = found["origin"].gap
    areas = {one.group: one.measures.auc for one in found["origin"].measured}
    assert gap.worst == "B" and gap.best in ("A", None)
    assert gap.difference.value == pytest.approx(areas[gap.best].value - areas["B"].value)
    assert gap.difference.low > 0
    even = found["even"].gap.difference
    assert even.low == 0 <= even.value <= even.high


def test_a_group_alone_has_no_gap_and_one_of_one_class_is_too_small() -> None:
    scores, labels = drawn(600)
    late = labels.astype(bool)
    found = evaluate(scores, labels, pl.DataFrame({"all": ["x"] * 600, "late": late}))
    assert found.groups["all"].gap is None
    assert len(found.groups["late"].too_small) == 2


def test_gaps_of_equal_groups_hold_nothing_as_often_as_they_say() -> None:
    false = 0
    for seed in range(60):
        scores, labels = drawn(2000, seed)
        groups = pl.DataFrame({"g": np.arange(2000) % 8})
        false += evaluate(scores, labels, groups).groups["g"].gap.difference.low > 0
    assert false <= 8


def test_the_champion_is_compared_on_the_same_rows() -> None:
    scores, labels = drawn(2000)
    worse = scores + np.random.default_rng(2).normal(scale=0.3, size=2000)
    found = evaluate(scores, labels, pl.DataFrame(), reference_scores=worse).champion
    assert found.difference.low > 0 and found.p < 0.01
    assert found.reference == auc(scored(worse, labels))
    assert evaluate(scores, labels, pl.DataFrame()).champion is None


def test_features_come_by_strength() -> None:
    columns = [f"f{i}" for i in range(14)]
    contributions = np.random.default_rng(3).normal(size=(200, 14)) * np.arange(14)
    found = strongest(contributions, columns)
    assert [one.name for one in found] == [f"f{i}" for i in range(13, 3, -1)]
    assert len(found) == STRONGEST and sum(one.share for one in found) < 1
    assert found[0].mean == pytest.approx(np.abs(contributions[:, 13]).mean())
    assert strongest(np.zeros((3, 2)), ["a", "b"])[0].share == 0
    assert strongest(np.zeros((0, 2)), ["a", "b"]) == ()


def test_evidence_survives_canonical_json() -> None:
    scores, labels, groups = unequal()
    found = evaluate(
        scores,
        labels,
        groups,
        contributions=np.ones((4000, 2), dtype=np.float32),
        columns=["a", "b"],
        reference_scores=scores**2,
    )
    assert Evidence.from_json(json.loads(canonical(found.as_json()))) == found
    bare = evaluate(scores, labels, pl.DataFrame())
    assert Evidence.from_json(json.loads(canonical(bare.as_json()))) == bare
    with pytest.raises(ValueError, match="shape 2"):
        Evidence.from_json({"shape": 2})
    with pytest.raises(ValueError, match="not evidence"):
        Evidence.from_json({"shape": 1})


@pytest.mark.parametrize("labels", [[0, 0, 0], [0, 1, float("nan")], [0, 1, 5]])
def test_evidence_of_poor_labels_says_why_and_is_still_json(labels: list[float]) -> None:
    found = evaluate([0.1, 0.2, 0.3], labels, pl.DataFrame({"g": ["a", "a", "b"]}))
    assert found.overall.auc.reason in ("one-class", "not-finite", "not-binary")
    assert found.groups["g"].gap is None
    assert canonical(found.as_json())
    assert canonical(evaluate([], [], pl.DataFrame({"g": []})).as_json())


def test_rows_that_do_not_belong_together_are_refused_all_at_once() -> None:
    with pytest.raises(Refused) as refused:
        evaluate([0.1, 0.2], [1], pl.DataFrame({"g": [1, 2, 3]}), reference_scores=[0.5])
    assert refused.value.code == "evidence.shape"
    assert {fault.where for fault in refused.value.faults} == {
        "labels",
        "groups",
        "reference scores",
    }
    with pytest.raises(Refused, match="not one number a row"):
        evaluate([[0.1]], [1], pl.DataFrame())
    with pytest.raises(Refused, match="not for 3 columns"):
        strongest(np.zeros((2, 4)), ["a", "b", "c"])
    with pytest.raises(Refused, match="NaN"):
        strongest(np.array([[np.nan]]), ["a"])


@given(st.permutations(range(40)))
def test_the_order_of_rows_does_not_matter(order: list[int]) -> None:
    scores, labels = drawn(40)
    groups = pl.DataFrame({"g": ["a", "b"] * 20})
    first = evaluate(scores, labels, groups, minimum_rows=5)
    second = evaluate(scores[order], labels[order], groups[order], minimum_rows=5)
    assert second.overall.auc.value == pytest.approx(first.overall.auc.value)
    assert second.overall.net_accuracy == first.overall.net_accuracy
    assert [one.group for one in second.groups["g"].measured] == [
        one.group for one in first.groups["g"].measured
    ]
