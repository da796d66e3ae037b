"""What steps are expected to take and to make, by what was measured, stated or assumed."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from freehold.domain.artifact import Artifact
from freehold.domain.graph import Graph
from freehold.domain.offer import Figure, Offer
from freehold.domain.placement import Objective
from freehold.domain.step import StepDefinition
from freehold.planning.estimate import Estimate, Measured, estimate, lying
from freehold.planning.ground import Ground, Laws
from freehold.planning.labelling import labels_of
from freehold.planning.options import Question, situations


def step(returns: int = 1, **more: Any) -> StepDefinition:
    return StepDefinition("fit", "m", lambda: None, (), returns=(Any,) * returns, **more)


def test_the_median_on_that_machine_comes_before_that_of_all() -> None:
    found = estimate(step(), Measured({"big": (10.0, 30.0, 11.0), "small": (90.0,)}), 60.0)
    assert found.on("big") == Figure(11.0, "s", "median of 3 run(s) on big")
    assert found.on("small").value == 90.0
    assert found.on("other") == Figure(20.5, "s", "median of 4 run(s) on other machines")


def test_what_ran_on_no_named_machine_counts_for_all() -> None:
    found = estimate(step(), Measured({"": (7.0,)}), 60.0)
    assert found.by_machine == {}
    assert found.on("big").value == 7.0


def test_what_never_ran_is_as_stated_and_else_assumed() -> None:
    stated = estimate(
        step(expected_seconds=300.0, expected_bytes=6_000_000_000, where="m.py:3"), Measured(), 9
    )
    assert stated.seconds == Figure(300.0, "s", "stated by the step at m.py:3")
    assert stated.outputs == (Figure(6e9, "B", "stated by the step at m.py:3"),)
    assumed = estimate(step(), Measured(), 9.0)
    assert (assumed.seconds.value, assumed.outputs[0].value) == (9.0, 0.0)
    assert assumed.seconds.source.startswith("assumed")
    assert assumed.outputs[0].source.startswith("unknown")


def test_the_latest_run_says_how_much_comes_out_unless_there_are_other_outputs_now() -> None:
    measured = Measured({"": (1.0,)}, (100, 200), "run-7")
    found = estimate(step(2, expected_bytes=6), measured, 60.0)
    assert found.outputs == tuple(Figure(size, "B", "as run run-7 made") for size in (100.0, 200.0))
    changed = estimate(step(3, expected_bytes=6), measured, 60.0)
    assert [one.value for one in changed.outputs] == [2.0, 2.0, 2.0]


def test_what_lies_at_a_site_costs_nothing_there_and_is_made_anew_elsewhere(
    draw: Callable[..., Graph], offer: Callable[..., Offer], ground: Callable[..., Ground]
) -> None:
    graph = draw({"a": []})
    made = Artifact("sha256:1", "json", 5_000_000_000)
    expected = Estimate(Figure(3600.0, "s", "a test's"), {}, (Figure(1.0, "B", "a test's"),))
    found = lying(expected, [made], ["there"])
    assert found.outputs[0].value == 5e9
    assert "sha256:1, which lies at there" in found.outputs[0].source
    stands = replace(
        ground(offer("there", price=9.0, boot=60.0), offer("here", price=1.0)),
        storage={"there": Figure(0.02, "USD/GB/month", "a test's")},
    )
    free = Laws(lambda _labels, _site: "", lambda _labels, _origin, _destination: "")
    question = Question(stands, free, Objective())
    (situation,) = situations(graph.nodes, labels_of(graph), {"a": found}, question)
    spent = {one.offer.site: one.option for one in situation.choices}
    assert (spent["there"].money, spent["there"].seconds) == (0.0, 0.0)
    assert spent["here"].money == pytest.approx(1.0)


def test_what_a_site_keeps_anyway_is_not_paid_for_twice(ground: Callable[..., Ground]) -> None:
    """A copy is counted by itself: as all results are, or only a registered model."""
    outputs = (Figure(1e9, "B", ""), Figure(2e9, "B", ""))
    one = Estimate(Figure(1.0, "s", ""), {}, outputs, registered=frozenset({1}))
    for kinds, kept in ((set(), 3e9), ({"results"}, 0.0), ({"models"}, 1e9), ({"aliases"}, 1e9)):
        stands = ground(sites=("a", "b"), replicas={"a": frozenset(kinds)} if kinds else {})
        assert one.kept("a", stands) == kept
        assert one.kept("b", stands) == 3e9
    assert replace(one, lies_at=frozenset({"b"})).kept("b", ground(sites=("a", "b"))) == 0.0
