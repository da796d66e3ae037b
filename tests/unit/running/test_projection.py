"""A run that two sites took on, each thinking the other dead."""

from itertools import count

import pytest

from freehold.adapters.memory.ledger import MemoryLedger
from freehold.domain.fact import Draft
from freehold.ports.contracts.kept_logs import copy_all
from freehold.ports.contracts.signer import TransientSigner
from freehold.running.projection import attempts_ended, projection, run_row, steps_of

HOUR = 3_600_000_000
STARTED = {"run": "r", "pipeline": "p", "parameters": {}, "environment": "e", "steps": 1}


def ledger(name: str, ahead: int) -> MemoryLedger:
    clock = count(1_700_000_000_000_000 + ahead, 1000).__next__
    return MemoryLedger(
        writer=name, signer=TransientSigner(), clock=clock, projections=[projection]
    )


def ended(status: str) -> Draft:
    return Draft("run.finished", {"run": "r", "status": status})


RESUMED = Draft("run.resumed", {"run": "r"})


@pytest.mark.parametrize("ahead", [-HOUR, 0, HOUR])
@pytest.mark.parametrize("more", [[], [ended("failed")], [ended("failed"), RESUMED]])
def test_a_run_that_is_finished_stays_so(ahead: int, more: list[Draft]) -> None:
    one, other = ledger("a-00000000", 0), ledger("b-00000000", ahead)
    one.append([Draft("run.started", STARTED)])
    copy_all(one, other)
    (finished,) = one.append([ended("finished")])
    other.append([RESUMED, *more])
    copy_all(one, other)
    copy_all(other, one)
    rows = [run_row(at.state, "r") for at in (one, other)]
    assert rows[0] == rows[1]
    assert (rows[0]["status"], rows[0]["ending"]) == ("finished", finished.fact.name)
    assert rows[0]["ended"] == finished.fact.time.wall


def test_who_knows_that_it_failed_can_take_it_on() -> None:
    one, other = ledger("a-00000000", 0), ledger("b-00000000", 0)
    one.append([Draft("run.started", STARTED), ended("failed")])
    copy_all(one, other)
    other.append([RESUMED])
    row = run_row(other.state, "r")
    assert (row["status"], row["ended"], row["ending"]) == ("running", None, "")


FINISHED = {
    "cached": False,
    "components": {},
    "function": "m:f",
    "inputs": [],
    "key": "k",
    "microseconds": 7,
    "outputs": [],
    "run": "r",
    "step": "fit",
}


def test_a_step_that_an_older_release_finished_ran_where_that_was_recorded() -> None:
    one = ledger("aws-00000000", 0)
    later = {**FINISHED, "machine": "m5.xlarge", "site": "azure", "step": "score"}
    one.append([Draft("run.started", STARTED), Draft("step.finished", FINISHED)])
    one.append([Draft("step.finished", later, 2)])
    rows = steps_of(one.state, "r")
    assert (rows["fit"]["site"], rows["fit"]["machine"]) == ("aws", "")
    assert (rows["score"]["site"], rows["score"]["machine"]) == ("azure", "m5.xlarge")


def test_every_attempt_that_ended_is_counted() -> None:
    one = ledger("a-00000000", 0)
    failed = {"attachment": "", "attempt": 1, "code": "c", "function": "m:f", "run": "r"}
    lost = {"attempt": 1, "machine": "", "run": "r", "site": "aws", "step": "fit"}
    one.append([Draft("run.started", STARTED), Draft("step.failed", {**failed, "step": "fit"})])
    one.append([Draft("step.interrupted", lost), Draft("step.finished", FINISHED)])
    assert attempts_ended(one.state, "r", "fit") == 2
    assert attempts_ended(one.state, "r", "other") == 0
