"""What a choice comes to, reckoned by hand."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.domain.errors import PlacementImpossible, ProjectInvalid
from freehold.domain.placement import Crossing, Flow, Objective, Option, Problem, Task
from freehold.domain.placement_check import check, problem_faults
from freehold.domain.placement_cost import (
    busiest_of,
    cost_of,
    crossings_of,
    exceeds,
    faults_of,
    latest_ends_of,
    options_of,
    peaks_of,
    spans_of,
)
from freehold.domain.placement_refusal import budget_refused, deadline_refused

CROSSINGS = {
    ("x", "y"): Crossing(money=0.1, carbon=0.01, seconds=3.0),
    ("x", "z"): Crossing(money=0.2, carbon=0.02, seconds=1.0),
    ("y", "z"): Crossing(money=0.4, carbon=0.04, seconds=1.0),
}


def at(name: str, site: str, seconds: float, **uses: float) -> Task:
    return Task(name, (Option(site, "m", 1.0, 2.0, seconds, uses),))


MADE = Flow("made", 10.0, ("b", "c", "d"), maker="a")
LIES = Flow("lies", 5.0, ("a",), at=("x",))
TASKS = (at("a", "x", 100.0), at("b", "y", 10.0), at("c", "y", 20.0), at("d", "z", 5.0))
PROBLEM = Problem(TASKS, (MADE, LIES), CROSSINGS)
CHOSEN = {"a": 0, "b": 0, "c": 0, "d": 0}


def test_a_flow_crosses_once_for_each_other_site() -> None:
    found = crossings_of(PROBLEM, options_of(PROBLEM, CHOSEN))
    assert [(c.flow.name, c.source, c.destination) for c in found] == [
        ("made", "x", "y"),
        ("made", "x", "z"),
    ]
    cost = cost_of(PROBLEM, CHOSEN)
    assert cost.money == pytest.approx(4 * 1.0 + 10 * 0.1 + 10 * 0.2)
    assert cost.carbon == pytest.approx(4 * 2.0 + 10 * 0.01 + 10 * 0.02)


def test_a_task_starts_when_all_is_there() -> None:
    spans = spans_of(PROBLEM, options_of(PROBLEM, CHOSEN))
    assert (spans["a"].start, spans["b"].start, spans["d"].start) == (0.0, 130.0, 110.0)
    assert cost_of(PROBLEM, CHOSEN).seconds == 150.0


def test_what_follows_says_by_when_a_task_must_have_ended() -> None:
    """`c` ends last, after 100 + 30 of crossing + 20 seconds: by a deadline of 180, `a` has 30
    more."""
    timed = replace(PROBLEM, deadline=180.0)
    latest = latest_ends_of(timed, options_of(timed, CHOSEN))
    assert latest == {"a": 130.0, "b": 180.0, "c": 180.0, "d": 180.0}
    waited = replace(timed, tasks=(*TASKS[:3], replace(TASKS[3], after=("c",))))
    assert latest_ends_of(waited, options_of(waited, CHOSEN)) == {
        "a": 125.0,
        "b": 180.0,
        "c": 175.0,
        "d": 180.0,
    }


@given(
    st.lists(st.floats(0.0, 100.0), min_size=6, max_size=6),
    st.lists(st.lists(st.integers(0, 4), max_size=3), min_size=6, max_size=6),
    st.floats(0.0, 300.0),
    st.integers(0, 5),
)
def test_a_task_that_ends_by_its_latest_makes_nobody_late(
    seconds: list[float], after: list[list[int]], deadline: float, longer: int
) -> None:
    """A task may take longer by just what its latest end leaves, and no more."""
    tasks = tuple(
        replace(at(str(n), "x", time), after=tuple({str(b) for b in before if b < n}))
        for n, (time, before) in enumerate(zip(seconds, after, strict=True))
    )
    problem = Problem(tasks, deadline=deadline)
    chosen = {task.name: 0 for task in tasks}
    latest = latest_ends_of(problem, options_of(problem, chosen))
    spans = spans_of(problem, options_of(problem, chosen))
    in_time = not any(exceeds(spans[name].end, latest[name]) for name in chosen)
    assert in_time == (not faults_of(problem, chosen))
    slack = latest[str(longer)] - spans[str(longer)].end
    if in_time:
        option = tasks[longer].options[0]
        slower = replace(option, seconds=option.seconds + slack)
        stretched = replace(tasks[longer], options=(slower,))
        changed = replace(problem, tasks=(*tasks[:longer], stretched, *tasks[longer + 1 :]))
        assert cost_of(changed, chosen).seconds == pytest.approx(deadline, abs=1e-6)


def test_after_is_waited_for() -> None:
    tasks = (*TASKS[:3], replace(TASKS[3], after=("c",)))
    assert cost_of(replace(PROBLEM, tasks=tasks), CHOSEN).seconds == 155.0


def test_what_lies_somewhere_takes_its_time_to_come() -> None:
    flow = Flow("lies", 5.0, ("a",), at=("x", "y"))
    problem = Problem((at("a", "z", 1.0),), (flow,), CROSSINGS)
    cost = cost_of(problem, {"a": 0})
    assert (cost.money, cost.seconds) == (pytest.approx(1.0 + 5 * 0.2), 5.0 + 1.0)


def test_the_cheapest_source_is_the_objective_s() -> None:
    crossings = {
        ("x", "z"): Crossing(money=1.0, carbon=9.0, seconds=0.0),
        ("y", "z"): Crossing(money=2.0, carbon=1.0, seconds=0.0),
    }
    flow = Flow("lies", 1.0, ("a",), at=("x", "y"))
    problem = Problem((at("a", "z", 1.0),), (flow,), crossings)
    assert cost_of(problem, {"a": 0}).money == 2.0
    clean = replace(problem, objective=Objective(0.0, 1.0))
    assert cost_of(clean, {"a": 0}).money == 3.0


def test_barred_crossings_are_all_told() -> None:
    barred = replace(PROBLEM, crossings={})
    with pytest.raises(PlacementImpossible) as refused:
        cost_of(barred, CHOSEN)
    assert refused.value.code == "plan.crossing"
    assert len(refused.value.faults) == 2
    assert faults_of(barred, CHOSEN) == refused.value.faults


def test_who_starts_when_another_ends_does_not_meet_it() -> None:
    tasks = (at("a", "x", 0.1, gpus=1.0), at("b", "x", 0.2, gpus=1.0), at("c", "x", 1.0, gpus=2.0))
    tasks = (tasks[0], replace(tasks[1], after=("a",)), replace(tasks[2], after=("b",)))
    problem = Problem(tasks)
    options = options_of(problem, {"a": 0, "b": 0, "c": 0})
    assert peaks_of(options, spans_of(problem, options)) == {"gpus": 2.0}


def test_a_task_that_takes_no_time_is_in_nobody_s_way() -> None:
    problem = Problem((at("a", "x", 0.0, gpus=5.0), at("b", "x", 1.0, gpus=1.0)))
    options = options_of(problem, {"a": 0, "b": 0})
    busiest = busiest_of(options, spans_of(problem, options))
    assert busiest == {"gpus": (1.0, frozenset({"b"}))}


def test_every_limit_that_is_passed_is_told() -> None:
    tasks = tuple(replace(t, options=(replace(t.options[0], uses={"p": 1.0}),)) for t in TASKS)
    limited = replace(PROBLEM, tasks=tasks, deadline=149.0, budget=6.9, quotas={"p": 1.0})
    assert [fault.code for fault in faults_of(limited, CHOSEN)] == [
        "plan.deadline",
        "plan.budget",
        "plan.quota",
    ]
    assert faults_of(replace(limited, deadline=150.0, budget=7.0, quotas={"p": 3.0}), CHOSEN) == ()


def test_a_problem_that_is_right_has_no_faults() -> None:
    assert tuple(problem_faults(PROBLEM)) == ()


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        (replace(PROBLEM, tasks=(*TASKS, TASKS[0])), "plan.twice"),
        (replace(PROBLEM, tasks=(replace(TASKS[0], options=()), *TASKS[1:])), "plan.no-options"),
        (replace(PROBLEM, tasks=(replace(TASKS[0], after=("b",)), *TASKS[1:])), "plan.cycle"),
        (replace(PROBLEM, tasks=TASKS[:3]), "plan.unknown-task"),
        (replace(PROBLEM, flows=(replace(MADE, maker="e"),)), "plan.unknown-task"),
        (replace(PROBLEM, flows=(replace(MADE, maker=""),)), "plan.flow"),
        (replace(PROBLEM, flows=(replace(MADE, at=("x",)),)), "plan.flow"),
        (replace(PROBLEM, flows=(replace(MADE, gigabytes=-1.0),)), "plan.figure"),
        (replace(PROBLEM, crossings={("x", "y"): Crossing(0.0, 0.0, float("inf"))}), "plan.figure"),
        (replace(PROBLEM, objective=Objective(0.0, 0.0)), "plan.objective"),
        (replace(PROBLEM, objective=Objective(-1.0, 1.0)), "plan.figure"),
        (replace(PROBLEM, deadline=float("nan")), "plan.figure"),
        (replace(PROBLEM, budget=-1.0), "plan.figure"),
        (replace(PROBLEM, quotas={"p": float("nan")}), "plan.figure"),
        (Problem((at("a", "x", float("nan")),)), "plan.figure"),
        (Problem((at("a", "x", 1.0, gpus=-1.0),)), "plan.figure"),
    ],
)
def test_each_fault_is_found(wrong: Problem, code: str) -> None:
    assert {fault.code for fault in problem_faults(wrong)} == {code}
    with pytest.raises(ProjectInvalid) as refused:
        check(wrong)
    assert refused.value.code == "plan.problem"


@pytest.mark.parametrize("figure", [1234567.8, 0.1 + 0.2, 99999.95, 1e-7 / 3, 7.0])
def test_what_a_refusal_hints_at_suffices(figure: float) -> None:
    for refused in (
        deadline_refused(replace(PROBLEM, deadline=1.0), figure),
        budget_refused(replace(PROBLEM, budget=1.0), figure),
    ):
        hinted = float(refused.hint.split()[1].rstrip(","))
        assert figure <= hinted <= figure * 1.0001
