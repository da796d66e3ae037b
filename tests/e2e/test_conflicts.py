"""What two sites decided without knowing of each other, shown and settled as a person types it."""

from collections.abc import Callable
from typing import Any

import pytest

FILE = "project: tiny\npipelines: {sums: steps:sums}\n"
STEPS = """\
from freehold import pipeline, step


@step
def one() -> int:
    return 1


@pipeline
def sums() -> int:
    return one()
"""


def typed(checkout: Any, *arguments: str) -> Any:
    said = checkout.freehold(*arguments)
    assert said.code == 0, said.err
    return said


def champion(checkout: Any) -> int:
    (model,) = typed(checkout, "status", "--json").json["models"]
    return int(model["aliases"]["champion"])


@pytest.fixture
def quarrel(neighbours: Callable[..., tuple[Any, Any]]) -> tuple[Any, Any]:
    """Both have released another version at every site, and then they have met."""
    first, second = neighbours(FILE, STEPS, aws=", keeps: [models]")
    run = typed(first, "run", "--yes", "--json").json["run"]
    first.serve(1, 2, 3, run=run)
    second.serve()
    released = ("--strategy", "immediate", "--sites", "all", "--yes")
    typed(first, "release", "delay@1", *released)
    typed(first, "sync")
    typed(second, "sync")
    typed(first, "release", "delay@2", *released)
    typed(second, "release", "delay@3", *released)
    for one in (first, second, first):
        typed(one, "sync")
    return first, second


def test_a_conflict_is_settled_with_a_version_that_neither_had_chosen(
    quarrel: tuple[Any, Any],
) -> None:
    first, second = quarrel
    (found,) = typed(first, "conflicts", "--json").json["conflicts"]
    assert found["about"] == "delay/champion"
    assert champion(first) == champion(second) != 1
    shown = typed(first, "conflicts")
    name = shown.err.split("freehold conflicts settle ")[1].split()[0]
    unasked = first.freehold("conflicts", "settle", name, "--keep", "1")
    assert (unasked.code, "usage.needs-yes" in unasked.err) == (2, True)
    said = typed(first, "conflicts", "settle", name, "--keep", "1", "--yes")
    assert "it will be @1, released at every site" in said.out
    assert f"conflict {name} is settled: delay/champion is @1" in said.out
    assert champion(first) == 1
    typed(first, "sync")
    typed(second, "sync")
    assert champion(second) == 1
    for one in quarrel:
        assert "no conflict is open" in typed(one, "conflicts").out


def test_a_version_that_is_not_there_settles_nothing(quarrel: tuple[Any, Any]) -> None:
    first, _ = quarrel
    shown = typed(first, "conflicts").err
    name = shown.split("freehold conflicts settle ")[1].split()[0]
    before = first.types()
    said = first.freehold("conflicts", "settle", name, "--keep", "9", "--yes", "--json")
    assert (said.code, said.json["error"]["code"]) == (1, "model.not-found")
    assert first.types() == before
    assert len(typed(first, "conflicts", "--json").json["conflicts"]) == 1
