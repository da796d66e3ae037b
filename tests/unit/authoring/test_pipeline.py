"""Tracing: a pipeline becomes a graph, and everything wrong with it is told before it runs."""

from datetime import date
from typing import Any

import polars as pl
import pytest

from freehold import Candidate, pipeline, step
from freehold.domain.errors import PipelineInvalid, ProjectInvalid, WrongUsage
from freehold.domain.graph import Graph, Node, Reference
from freehold.domain.step import Parameter, StepDefinition


@step
def load(start: date, names: list[str]) -> pl.DataFrame:
    return pl.DataFrame({"start": [start] * len(names), "name": names})


@step
def split(table: pl.DataFrame, share: float = 0.5) -> tuple[pl.DataFrame, pl.DataFrame]:
    cut = int(table.height * share)
    return table.head(cut), table.tail(table.height - cut)


@step
def count(table: pl.DataFrame) -> int:
    return table.height


@step
def scale(number: float) -> float:
    return 2 * number


@step
def total(numbers: list[int], named: dict[str, float]) -> int:
    return sum(numbers) + int(sum(named.values()))


@step
def shout(text: str) -> str:
    return text.upper()


@pipeline
def counting(start: date, names: list[str], share: float = 0.5, loud: bool = False) -> Any:
    first, second = split(load(start, names), share)
    return {"sizes": (count(first), count(second)), "loud": loud}


@pipeline
def outer(start: date) -> Any:
    return counting(start, ["a", "b"])


GIVEN = {"start": "2013-01-01", "names": "a, b,c"}


def test_tracing_records_calls_and_runs_nothing() -> None:
    graph = counting.trace(GIVEN)
    graph.check()
    assert [node.name for node in graph.nodes] == ["load", "split", "count", "count-2"]
    assert graph.node("split").arguments == {"table": Reference("load"), "share": 0.5}
    assert graph.node("count-2").arguments == {"table": Reference("split", 1)}
    assert graph.result == {"sizes": (Reference("count"), Reference("count-2")), "loud": False}
    assert graph.parents()["count-2"] == ("split",)


def test_text_is_converted_by_annotation() -> None:
    graph = counting.trace({**GIVEN, "share": "0.25", "loud": "yes"})
    assert graph.parameters == {
        "start": date(2013, 1, 1),
        "names": ["a", "b", "c"],
        "share": 0.25,
        "loud": True,
    }


def test_all_bad_parameters_are_told_at_once() -> None:
    with pytest.raises(WrongUsage) as caught:
        counting.trace({"start": "soon", "share": "half", "loud": 3, "colour": "red"})
    assert caught.value.code == "usage.parameter"
    assert [fault.where for fault in caught.value.faults] == [
        "colour",
        "start",
        "names",
        "share",
        "loud",
    ]


def test_an_integer_that_history_cannot_hold_is_refused() -> None:
    with pytest.raises(WrongUsage):
        numbered.trace({"seed": str(2**53)})
    assert numbered.trace({"seed": 7}).parameters == {"seed": 7}


@pipeline
def numbered(seed: int) -> Any:
    return scale(seed)


@pipeline
def strange(table: pl.DataFrame, text) -> Any:  # type: ignore[no-untyped-def]
    return count(table)


def test_parameters_that_no_command_line_can_give_are_faults() -> None:
    with pytest.raises(ProjectInvalid) as caught:
        strange.trace({})
    assert [fault.code for fault in caught.value.faults] == ["pipeline.parameter"] * 2


def test_outside_a_trace_it_runs() -> None:
    assert counting(date(2013, 1, 1), ["a", "b", "c"]) == {"sizes": (1, 2), "loud": False}


def test_a_pipeline_composes_in_another() -> None:
    graph = outer.trace({"start": "2013-01-01"})
    graph.check()
    assert [node.name for node in graph.nodes] == ["load", "split", "count", "count-2"]
    assert graph.name == "outer"


@pipeline
def candidate() -> Any:
    train, test = split(load(date(2013, 1, 1), ["a"]))
    return Candidate(
        model=count(train),
        columns=count(test),
        training=train,
        evaluation=test,
        target="late",
        groups=["origin"],
        parameters={"rounds": count(train)},
    )


def test_a_candidate_may_hold_promises() -> None:
    graph = candidate.trace()
    graph.check()
    assert isinstance(graph.result, Candidate)
    assert graph.result.training == Reference("split", 0)
    assert graph.result.parameters == {"rounds": Reference("count-3")}


@pipeline
def fans_in() -> Any:
    numbers = [count(load(date(2013, 1, 1), [name])) for name in ("a", "b")]
    return total(numbers, {"one": 1.5, "two": numbers[0]})


def test_lists_and_dictionaries_of_promises() -> None:
    graph = fans_in.trace()
    graph.check()
    assert graph.node("total").arguments == {
        "numbers": [Reference("count"), Reference("count-2")],
        "named": {"one": 1.5, "two": Reference("count")},
    }


@pipeline
def wrong() -> Any:
    table = load(date(2013, 1, 1), "not a list")  # type: ignore[arg-type]
    shout(table)  # type: ignore[arg-type]
    shout(count(split(table)[0]))  # type: ignore[arg-type]
    scale(count(table))
    scale(object())  # type: ignore[arg-type]
    count()  # type: ignore[call-arg]
    return total([shout("a")], {})  # type: ignore[list-item]


def test_every_fault_is_told_with_its_line() -> None:
    with pytest.raises(PipelineInvalid) as caught:
        wrong.trace().check()
    faults = caught.value.faults
    assert [fault.code for fault in faults] == [
        "pipeline.arguments",
        "pipeline.types",
        "pipeline.types",
        "pipeline.types",
        "pipeline.not-json",
        "pipeline.types",
    ]
    assert "asks for str as 'text', but 'load' gives polars.DataFrame" in faults[2].what
    assert all("test_pipeline.py:" in fault.where for fault in faults)
    lines = [int(fault.where.rpartition(":")[2]) for fault in faults]
    assert lines[1] < lines[2] < lines[3] < lines[4] < lines[0] < lines[5]


@pipeline
def peeks() -> Any:
    return 1 if count(load(date(2013, 1, 1), [])) else 2


@pipeline
def reaches() -> Any:
    return load(date(2013, 1, 1), []).height


def test_looking_into_a_promise_is_explained() -> None:
    for looks in (peeks, reaches):
        with pytest.raises(PipelineInvalid) as caught:
            looks.trace()
        assert caught.value.code == "pipeline.promise"
        assert "test_pipeline.py:" in caught.value.faults[0].where


@step(after=["later"])
def sooner(number: int) -> int:
    return number


@step
def later(number: int) -> int:
    return number


@step(after=["nowhere"])
def lost(number: int) -> int:
    return number


@pipeline
def circular() -> Any:
    return later(sooner(1)), lost(2)


def test_a_cycle_is_named() -> None:
    with pytest.raises(PipelineInvalid) as caught:
        circular.trace().check()
    unknown, cycle = caught.value.faults
    assert unknown.code == "pipeline.unknown-step"
    assert cycle.code == "pipeline.cycle"
    assert "later → sooner → later" in cycle.what or "sooner → later → sooner" in cycle.what


def _node(name: str, *inputs: str, step_name: str = "") -> Node:
    parameters = tuple(Parameter(f"p{i}", int) for i in range(len(inputs)))
    made = StepDefinition(step_name or name, f"m.{name}", int, parameters, (int,))
    return Node(name, made, {f"p{i}": Reference(one) for i, one in enumerate(inputs)})


def test_a_cycle_in_a_graph_built_by_hand_is_found() -> None:
    nodes = (_node("a"), _node("b", "a", "d"), _node("c", "b"), _node("d", "c"))
    (fault,) = Graph("g", nodes).all_faults()
    assert fault.code == "pipeline.cycle"
    assert fault.what.count("→") == 3


def test_duplicate_names_and_unknown_inputs_are_found() -> None:
    nodes = (_node("a"), _node("a"), _node("b", "nobody"), _node("c", step_name="b"))
    codes = [fault.code for fault in Graph("g", nodes).all_faults()]
    assert codes == [
        "pipeline.duplicate-name",
        "pipeline.duplicate-name",
        "pipeline.unknown-input",
    ]


@step
def untyped(one) -> int:  # type: ignore[no-untyped-def]
    return int(one)


@pipeline
def uses_untyped() -> Any:
    return untyped(1)


def test_faults_of_steps_are_faults_of_the_graph() -> None:
    with pytest.raises(PipelineInvalid) as caught:
        uses_untyped.trace().check()
    assert [fault.code for fault in caught.value.faults] == ["step.annotation"]


@step
def joined(halves: tuple[pl.DataFrame, pl.DataFrame]) -> pl.DataFrame:
    return pl.concat(halves)


@step
def numbered_pair(pair: tuple[int, str]) -> int:
    return pair[0]


@pipeline
def whole_tuples() -> Any:
    return joined(split(load(date(2013, 1, 1), [])))


@pipeline
def wrong_tuples() -> Any:
    halves = split(load(date(2013, 1, 1), []))
    return joined((halves[0],)), numbered_pair(halves)  # type: ignore[arg-type]


def test_a_tuple_is_passed_on_whole() -> None:
    graph = whole_tuples.trace()
    graph.check()
    assert graph.node("joined").arguments == {"halves": (Reference("split"), Reference("split", 1))}
    with pytest.raises(PipelineInvalid) as caught:
        wrong_tuples.trace().check()
    assert [fault.code for fault in caught.value.faults] == ["pipeline.types"] * 2
