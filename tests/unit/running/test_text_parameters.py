"""Parameters that are text stand in no fact; with the others they are what the run was given."""

from datetime import date
from typing import Any

import pytest

from freehold import pipeline, step
from freehold.catalog.lineage import lineage_of
from freehold.domain.errors import IntegrityError
from freehold.running.projection import run_row
from freehold.running.record import parameters_of

Stage = Any
"""Of conftest.py."""
SECRET = "hunter2"


@step
def made(number: int) -> int:
    return number


@pipeline
def noted(
    number: int,
    share: float,
    until: date,
    note: str,
    tags: list[str],
    quick: bool = False,
    empty: str = "",
) -> Any:
    return made(number)


@pipeline
def counted(number: int) -> Any:
    return made(number)


PLAIN = {
    "empty": "",
    "number": 3,
    "quick": True,
    "share": 0.25,
    "until": "2013-04-01",
}
TEXTS = {"note": f"for Ada, {SECRET}", "tags": [SECRET, "plain-code"]}


@pytest.fixture
def run(stage: Stage) -> str:
    return str(stage.run(noted.trace({**PLAIN, **TEXTS})).run)


def test_the_fact_has_numbers_truths_dates_and_nothing_else(stage: Stage, run: str) -> None:
    (fact,) = stage.facts("run.started")
    assert fact.body["parameters"] == PLAIN
    assert fact.body["parameters_attachment"].startswith("salted-sha256:")
    lines = b"".join(line for _, line in stage.world.ledger.lines())
    assert SECRET.encode() not in lines
    assert b"plain-code" not in lines


def test_a_run_without_text_has_no_attachment(stage: Stage) -> None:
    run = stage.run(counted.trace({"number": 1})).run
    row = run_row(stage.world.ledger.state, run)
    assert row["parameters_attachment"] == ""
    assert parameters_of(row, stage.world.attachments) == {"number": 1}


def test_all_are_there_again_for_whoever_goes_on_with_it(stage: Stage, run: str) -> None:
    row = run_row(stage.world.ledger.state, run)
    given = parameters_of(row, stage.world.attachments)
    assert given == {**PLAIN, **TEXTS}
    assert noted.trace(given).parameters == noted.trace({**PLAIN, **TEXTS}).parameters


def test_erased_ones_are_an_error_that_says_so(stage: Stage, run: str) -> None:
    row = run_row(stage.world.ledger.state, run)
    stage.world.attachments.erase(row["parameters_attachment"])
    with pytest.raises(IntegrityError) as caught:
        parameters_of(row, stage.world.attachments)
    assert caught.value.code == "run.parameters-erased"
    assert run in caught.value.what


def test_altered_ones_are_not_taken_for_erased(stage: Stage, run: str) -> None:
    row = run_row(stage.world.ledger.state, run)
    (key,) = stage.world.objects.keys("attachments/")
    stage.world.objects.delete(key)
    stage.world.objects.put(key, b"x" * 16 + b"{}")
    with pytest.raises(IntegrityError) as caught:
        parameters_of(row, stage.world.attachments)
    assert caught.value.code == "attachment.altered"


def test_the_lineage_of_a_version_has_no_text_either(stage: Stage, run: str) -> None:
    lineage = lineage_of(stage.world.ledger.state, run, "sha256:0")
    assert lineage["parameters"] == PLAIN
    assert SECRET not in str(lineage)
    assert lineage["parameters_attachment"].startswith("salted-sha256:")
