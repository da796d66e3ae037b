"""Whether a problem of placement can be read as one: all that is wrong with it, at once."""

from collections import Counter
from collections.abc import Iterable, Iterator
from graphlib import CycleError
from math import inf, isfinite

from freehold.domain.errors import Fault, ProjectInvalid
from freehold.domain.placement import Flow, Option, Problem, Task
from freehold.domain.placement_cost import order_of


def check(problem: Problem) -> None:
    """Raises ProjectInvalid, code `plan.problem`, with every fault."""
    faults = tuple(problem_faults(problem))
    if faults:
        raise ProjectInvalid(
            f"no placement can be reckoned from this: {len(faults)} fault(s)",
            code="plan.problem",
            hint="correct the figures and names that are listed",
            faults=faults,
        )


def problem_faults(problem: Problem) -> Iterator[Fault]:
    yield from _twice((task.name for task in problem.tasks), "tasks")
    yield from _twice((flow.name for flow in problem.flows), "flows")
    names = {task.name for task in problem.tasks}
    for task in problem.tasks:
        yield from _task_faults(task, names)
    for flow in problem.flows:
        yield from _flow_faults(flow, names)
    listed = {id(one): one for one in map(problem.crossings_of, problem.flows)}
    for crossings in (problem.crossings, *listed.values()):
        for (source, destination), crossing in crossings.items():
            yield from _figures(vars(crossing), f"crossings.{source}→{destination}")
    yield from _figures(vars(problem.objective), "objective")
    if problem.objective.money == 0.0 and problem.objective.carbon == 0.0:
        yield Fault("plan.objective", "nothing is to be made small", "objective")
    limits = {"deadline": problem.deadline, "budget": problem.budget}
    yield from _figures({name: v for name, v in limits.items() if v is not None}, "")
    yield from _figures(dict(problem.quotas), "quotas")
    yield from _cycle(problem, names)


def _task_faults(task: Task, names: set[str]) -> Iterator[Fault]:
    where = f"tasks.{task.name}"
    if not task.options:
        yield Fault("plan.no-options", f"'{task.name}' has no machine at any site", where)
    yield from _unknown(task.after, names, f"{where}.after")
    for number, option in enumerate(task.options):
        # Hundreds of thousands of options; nearly none has a fault, and no number that is none
        # passes a comparison.
        if not (
            0.0 <= option.money < inf
            and 0.0 <= option.carbon < inf
            and 0.0 <= option.seconds < inf
            and all(0.0 <= units < inf for units in option.uses.values())
        ):
            yield from _option_faults(option, f"{where}.options[{number}]")


def _option_faults(option: Option, where: str) -> Iterator[Fault]:
    figures = {"money": option.money, "carbon": option.carbon, "seconds": option.seconds}
    yield from _figures(figures, where)
    yield from _figures(dict(option.uses), f"{where}.uses")


def _flow_faults(flow: Flow, names: set[str]) -> Iterator[Fault]:
    where = f"flows.{flow.name}"
    yield from _figures({"gigabytes": flow.gigabytes}, where)
    yield from _unknown(flow.readers, names, f"{where}.readers")
    yield from _twice(flow.readers, f"{where}.readers")
    if flow.maker:
        yield from _unknown((flow.maker,), names, f"{where}.maker")
    if bool(flow.maker) == bool(flow.at):
        words = "both a maker and sites where it lies" if flow.maker else "no maker and no site"
        yield Fault("plan.flow", f"'{flow.name}' has {words}", where, "give one of the two")


def _figures(figures: dict[str, float], where: str) -> Iterator[Fault]:
    for name, value in figures.items():
        if not isfinite(value) or value < 0.0:
            place = f"{where}.{name}" if where else name
            yield Fault("plan.figure", f"{value!r} is no figure that can be counted", place)


def _unknown(mentioned: Iterable[str], names: set[str], where: str) -> Iterator[Fault]:
    for name in mentioned:
        if name not in names:
            yield Fault("plan.unknown-task", f"there is no task '{name}'", where)


def _twice(names: Iterable[str], where: str) -> Iterator[Fault]:
    for name, count in Counter(names).items():
        if count > 1:
            yield Fault("plan.twice", f"'{name}' stands there {count} times", where)


def _cycle(problem: Problem, names: set[str]) -> Iterator[Fault]:
    mentioned = {name for task in problem.tasks for name in task.after}
    mentioned |= {name for flow in problem.flows for name in (*flow.readers, flow.maker) if name}
    if mentioned - names:
        return
    try:
        order_of(problem)
    except CycleError as error:
        # Neighbours stand in the order in which the first must end before the second.
        circle = " → ".join(error.args[1])
        yield Fault("plan.cycle", f"these wait for each other: {circle}", "tasks")
