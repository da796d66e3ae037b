"""What a run would do, and why."""

from typing import Any

import pytest

from freehold import pipeline, step
from freehold.running.preview import preview

Stage = Any
"""Of conftest.py."""


@step
def first(number: int, scale: int = 1) -> int:
    return number * scale


@step
def second(number: int) -> int:
    return number + 1


@step(cache=False)
def third(number: int) -> int:
    return number


@pipeline
def chain(number: int, scale: int = 1) -> Any:
    return third(second(first(number, scale)))


def look(stage: Stage, **given: Any) -> list[tuple[str, str, tuple[str, ...]]]:
    options = given.pop("options", stage.options)
    graph = chain.trace({"number": 3, **given})
    forecasts = preview(graph, stage.world.ledger.state, stage.artifacts, options)
    return [(one.step, one.action, one.reasons) for one in forecasts]


def test_nothing_has_run_yet(stage: Stage) -> None:
    assert look(stage) == [
        ("first", "run", ("never run",)),
        ("second", "run", ("never run", "after first")),
        ("third", "run", ("never run", "cache off", "after second")),
    ]
    assert stage.facts() == []


def test_all_is_cached_but_what_is_never_cached(stage: Stage) -> None:
    stage.run(chain.trace({"number": 3}))
    assert look(stage) == [
        ("first", "cached", ()),
        ("second", "cached", ()),
        ("third", "run", ("cache off",)),
    ]


def test_new_parameters_and_what_depends_on_them(stage: Stage) -> None:
    stage.run(chain.trace({"number": 3}))
    assert look(stage, scale=2) == [
        ("first", "run", ("new parameters",)),
        ("second", "depends", ("after first",)),
        ("third", "run", ("cache off", "after second")),
    ]


def test_new_inputs(stage: Stage) -> None:
    stage.run(chain.trace({"number": 3}))
    first_only = pipeline(_first_only)
    stage.run(first_only.trace({"number": 3, "scale": 2}))
    assert look(stage, scale=2)[:2] == [
        ("first", "cached", ()),
        ("second", "run", ("new inputs",)),
    ]


def _first_only(number: int, scale: int) -> Any:
    return first(number, scale)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"sources": {__name__: b"x = 1"}}, "new code"),
        ({"environment": "other"}, "new environment"),
        ({"cache": False}, "cache off"),
    ],
)
def test_new_code_a_new_environment_and_no_cache(
    stage: Stage, change: dict[str, Any], reason: str
) -> None:
    stage.run(chain.trace({"number": 3}))
    options = type(stage.options)(**change)
    module = first.definition.module
    if "sources" in change:
        options = type(stage.options)(sources={module: b"x = 1"})
    forecasts = look(stage, options=options)
    assert forecasts[0] == ("first", "run", (reason,))
    assert forecasts[1] == ("second", "run", (reason, "after first"))


def test_missing_bytes(stage: Stage) -> None:
    outcome = stage.run(chain.trace({"number": 3}))
    stage.world.objects.delete(outcome.steps["first"].outputs[0].key)
    assert look(stage)[0] == ("first", "run", ("bytes missing",))
