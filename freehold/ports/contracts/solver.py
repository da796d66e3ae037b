"""The contract of a solver: one test per law of the port."""

from abc import ABC, abstractmethod
from dataclasses import replace

import pytest

from freehold.domain.errors import PlacementImpossible, ProjectInvalid
from freehold.domain.placement import (
    Crossing,
    Flow,
    Objective,
    Option,
    Problem,
    Solution,
    Task,
)
from freehold.domain.placement_cost import cost_of, faults_of, objective_of
from freehold.ports.solver import Solver

FAR = Crossing(money=0.1, carbon=0.01, seconds=2.0)


def option(site: str, money: float, seconds: float, carbon: float = 1.0, **uses: float) -> Option:
    return Option(site, f"{site}-{money:g}", money, carbon, seconds, uses)


PREPARE = Task("prepare", (option("home", 2.0, 100.0), option("cloud", 1.0, 50.0, carbon=3.0)))
TRAIN = Task(
    "train",
    (
        option("home", 30.0, 4000.0, carbon=2.0, gpus=2.0),
        option("cloud", 8.0, 900.0, carbon=6.0, gpus=1.0),
        option("cloud", 20.0, 300.0, carbon=9.0, gpus=4.0),
    ),
)
PROBE = replace(TRAIN, name="probe")
REPORT = Task("report", (option("home", 1.0, 60.0), option("cloud", 0.9, 60.0)), after=("probe",))
RAW = Flow("raw", 50.0, ("prepare",), at=("home",))
CLEAN = Flow("clean", 10.0, ("train", "probe"), maker="prepare")
MODEL = Flow("model", 1.0, ("report",), maker="train")
EVERYWHERE = {(a, b): FAR for a in ("home", "cloud") for b in ("home", "cloud") if a != b}
PROBLEM = Problem((PREPARE, TRAIN, PROBE, REPORT), (RAW, CLEAN, MODEL), EVERYWHERE)


class SolverContract(ABC):
    @abstractmethod
    def make(self) -> Solver: ...

    @pytest.fixture
    def solver(self) -> Solver:
        return self.make()

    def exact(self, solver: Solver, problem: Problem) -> Solution:
        found = solver.solve(problem, gap=0.0)
        assert faults_of(problem, found.chosen) == ()
        assert found.cost == cost_of(problem, found.chosen)
        assert found.objective == objective_of(problem, found.cost)
        assert found.bound <= found.objective
        assert found.gap == 0.0
        assert found.solver
        return found

    def sites(self, problem: Problem, found: Solution) -> dict[str, str]:
        return {task.name: task.options[found.chosen[task.name]].site for task in problem.tasks}

    def test_the_cheapest_of_all_counting_what_crosses(self, solver: Solver) -> None:
        found = self.exact(solver, PROBLEM)
        assert self.sites(PROBLEM, found) == {
            "prepare": "home",
            "train": "cloud",
            "probe": "cloud",
            "report": "cloud",
        }
        # Ten gigabytes cross once, though two tasks read them there.
        assert found.cost.money == pytest.approx(2.0 + 8.0 + 8.0 + 0.9 + 10 * 0.1)

    def test_carbon_may_be_what_is_made_small(self, solver: Solver) -> None:
        problem = replace(PROBLEM, objective=Objective(money=0.0, carbon=1.0))
        found = self.exact(solver, problem)
        assert set(self.sites(problem, found).values()) == {"home"}
        assert found.objective == pytest.approx(1.0 + 2.0 + 2.0 + 1.0)

    def test_what_lies_at_several_sites_comes_from_the_cheapest(self, solver: Solver) -> None:
        task = Task("t", (option("there", 1.0, 1.0),))
        flow = Flow("f", 10.0, ("t",), at=("dear", "cheap"))
        crossings = {
            ("dear", "there"): Crossing(0.5, 0.0, 0.0),
            ("cheap", "there"): Crossing(0.2, 0.0, 3.0),
        }
        found = self.exact(solver, Problem((task,), (flow,), crossings))
        assert found.cost.money == pytest.approx(1.0 + 10 * 0.2)
        assert found.cost.seconds == pytest.approx(30.0 + 1.0)

    def test_nothing_crosses_where_no_crossing_is_listed(self, solver: Solver) -> None:
        problem = replace(PROBLEM, crossings={("cloud", "home"): FAR})
        found = self.exact(solver, problem)
        assert set(self.sites(problem, found).values()) == {"home"}

    def test_not_even_what_has_no_size(self, solver: Solver) -> None:
        flows = (RAW, replace(CLEAN, gigabytes=0.0), MODEL)
        problem = replace(PROBLEM, flows=flows, crossings={("cloud", "home"): FAR})
        found = self.exact(solver, problem)
        assert self.sites(problem, found)["train"] == "home"

    def test_an_artifact_takes_none_but_its_own_ways(self, solver: Solver) -> None:
        """What is barred to one may be open to the others."""
        clean = replace(CLEAN, crossings={("cloud", "home"): FAR})
        found = self.exact(solver, replace(PROBLEM, flows=(RAW, clean, MODEL)))
        sites = self.sites(PROBLEM, found)
        assert sites["train"] == sites["prepare"], "or clean would go from home to the cloud"
        raw = replace(RAW, crossings={})
        found = self.exact(solver, replace(PROBLEM, flows=(raw, CLEAN, MODEL)))
        assert self.sites(PROBLEM, found)["prepare"] == "home"
        assert self.sites(PROBLEM, found)["train"] == "cloud"

    def test_a_deadline_is_kept(self, solver: Solver) -> None:
        free = self.exact(solver, PROBLEM)
        problem = replace(PROBLEM, deadline=500.0)
        found = self.exact(solver, problem)
        assert found.cost.seconds <= 500.0 < free.cost.seconds
        assert found.objective > free.objective

    def test_a_deadline_just_met_is_kept(self, solver: Solver) -> None:
        soonest = self.exact(solver, replace(PROBLEM, deadline=500.0)).cost.seconds
        assert self.exact(solver, replace(PROBLEM, deadline=soonest)).cost.seconds == soonest

    def test_a_budget_is_kept(self, solver: Solver) -> None:
        problem = replace(PROBLEM, objective=Objective(0.0, 1.0), budget=45.0)
        found = self.exact(solver, problem)
        assert found.cost.money <= 45.0
        assert set(self.sites(problem, found).values()) == {"home", "cloud"}

    def test_a_quota_is_kept_at_every_moment(self, solver: Solver) -> None:
        problem = replace(PROBLEM, deadline=1200.0, quotas={"gpus": 4.0})
        found = self.exact(solver, problem)
        machines = {n: PROBLEM.tasks[1].options[found.chosen[n]] for n in ("train", "probe")}
        assert sum(one.uses["gpus"] for one in machines.values()) <= 4.0

    def test_tasks_that_wait_for_each_other_share_a_quota(self, solver: Solver) -> None:
        tasks = (PREPARE, TRAIN, replace(PROBE, after=("train",)), REPORT)
        problem = replace(PROBLEM, tasks=tasks, quotas={"gpus": 1.0})
        found = self.exact(solver, problem)
        assert found.cost.money == pytest.approx(self.exact(solver, PROBLEM).cost.money)

    def test_the_order_of_the_parts_changes_nothing(self, solver: Solver) -> None:
        turned = replace(
            PROBLEM,
            tasks=tuple(replace(t, options=t.options[::-1]) for t in reversed(PROBLEM.tasks)),
            flows=tuple(replace(f, readers=f.readers[::-1]) for f in reversed(PROBLEM.flows)),
            crossings=dict(reversed(EVERYWHERE.items())),
        )
        one, other = self.exact(solver, PROBLEM), self.exact(solver, turned)
        options = {task.name: task.options for task in turned.tasks}
        for task in PROBLEM.tasks:
            name = task.name
            assert task.options[one.chosen[name]] == options[name][other.chosen[name]]
        assert one.cost == other.cost

    def test_no_task_costs_nothing(self, solver: Solver) -> None:
        found = self.exact(solver, Problem(()))
        assert (found.chosen, found.cost.money, found.cost.seconds) == ({}, 0.0, 0.0)

    def test_a_deadline_that_nothing_meets_is_told_with_the_soonest(self, solver: Solver) -> None:
        with pytest.raises(PlacementImpossible) as refused:
            solver.solve(replace(PROBLEM, deadline=300.0))
        assert refused.value.code == "plan.deadline"
        soonest = self.exact(solver, replace(PROBLEM, deadline=480.0)).cost.seconds
        assert f"{soonest:g} s" in refused.value.why

    def test_a_budget_that_nothing_keeps_is_told_with_the_least(self, solver: Solver) -> None:
        with pytest.raises(PlacementImpossible) as refused:
            solver.solve(replace(PROBLEM, budget=10.0))
        assert refused.value.code == "plan.budget"
        assert "19.9" in refused.value.why

    def test_a_quota_that_leaves_nothing_is_told_with_its_pool(self, solver: Solver) -> None:
        with pytest.raises(PlacementImpossible) as refused:
            solver.solve(replace(PROBLEM, quotas={"gpus": 1.0, "seats": 1.0}))
        assert refused.value.code == "plan.quota"
        assert [fault.where for fault in refused.value.faults] == ["quotas.gpus"]

    def test_a_barred_crossing_is_told_with_its_flow_and_sites(self, solver: Solver) -> None:
        abroad = replace(TRAIN, options=TRAIN.options[1:])
        problem = Problem((PREPARE, abroad), (RAW, replace(CLEAN, readers=("train",))), {})
        with pytest.raises(PlacementImpossible) as refused:
            solver.solve(problem)
        assert refused.value.code == "plan.crossing"
        told = " ".join(fault.what for fault in refused.value.faults)
        assert all(word in told for word in ("home", "cloud"))

    def test_without_time_nothing_wrong_is_answered(self, solver: Solver) -> None:
        try:
            found = solver.solve(PROBLEM, seconds=0.0)
        except PlacementImpossible as refused:
            assert refused.code == "plan.no-time"
        else:
            assert faults_of(PROBLEM, found.chosen) == ()
            assert found.bound <= self.exact(solver, PROBLEM).objective

    def test_all_that_is_wrong_with_a_problem_is_told(self, solver: Solver) -> None:
        wrong = Problem(
            (Task("a", (option("x", -1.0, 1.0),), after=("b", "nobody")), Task("b", ())),
            (Flow("f", float("nan"), ("a",)), Flow("g", 1.0, ("b", "b"), maker="a", at=("x",))),
        )
        with pytest.raises(ProjectInvalid) as refused:
            solver.solve(wrong)
        assert {fault.code for fault in refused.value.faults} == {
            "plan.figure",
            "plan.unknown-task",
            "plan.no-options",
            "plan.flow",
            "plan.twice",
        }
