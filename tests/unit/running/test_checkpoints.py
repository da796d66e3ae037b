"""Checkpoints of steps that run here: recorded, labelled, gone on with, and no danger to a step."""

from collections.abc import Callable
from typing import Any

import pytest

from freehold import checkpoint, pipeline, step
from freehold.adapters.memory.object_store import MemoryObjectStore
from freehold.authoring.checkpoint import kept_by
from freehold.domain.errors import StepFailed, StorageFailed
from freehold.running.checkpoints import KEPT, NOTES, newest_first

Stage = Any
breaks: list[int] = []


@step(labels={"pii": ""})
def numbers(count: int) -> list[int]:
    return list(range(count))


@step(resumes=True, retries=1)
def summed(given: list[int], weight: int) -> list[int]:
    saved = checkpoint.latest()
    done, total = map(int, saved.split(b",")) if saved else (0, 0)
    began = done
    for number in given[done:]:
        if breaks and breaks[0] == done:
            breaks.pop(0)
            raise RuntimeError("power cut")
        done, total = done + 1, total + weight * number
        checkpoint.save(f"{done},{total}".encode())
    return [began, total]


@pipeline
def summing(weight: int = 1) -> Any:
    return summed(numbers(6), weight)


@step
def secretive(given: int) -> int:
    checkpoint.save(b"x")
    return given


@pipeline
def keeping_secrets() -> Any:
    return secretive(1)


@pytest.fixture
def stage(make_stage: Callable[..., Stage]) -> Stage:
    breaks.clear()
    return make_stage(keeping=kept_by)


def result(stage: Stage, outcome: Any) -> Any:
    return stage.artifacts.get(outcome.result.digest)


def test_a_retry_begins_at_the_newest(stage: Stage) -> None:
    breaks.append(4)
    outcome = stage.run(summing.trace({}))
    assert result(stage, outcome) == b"[4,15]"
    told = [fact.body for fact in stage.facts("step.checkpointed")]
    assert [body["number"] for body in told] == [1, 2, 3, 4, 5, 6]
    assert {body["run"] for body in told} == {outcome.run}
    assert all(body["labels"] == {"pii": ""} for body in told)
    assert stage.artifacts.get(told[-1]["artifact"]) == b"6,15"
    assert not list(stage.world.objects.keys(NOTES)), "what is recorded is taken away"
    for body in told:
        assert stage.world.ledger.state.get("labels", body["artifact"]) == {"pii": ""}


def test_a_resumed_run_begins_at_the_newest(stage: Stage) -> None:
    breaks.extend((2, 4))
    with pytest.raises(StepFailed):
        stage.run(summing.trace({}))
    (run,) = [fact.body["run"] for fact in stage.facts("run.started")]
    assert result(stage, stage.resume(run, summing.trace({}))) == b"[4,15]"


def test_other_inputs_and_another_run_begin_anew(stage: Stage) -> None:
    breaks.extend((2, 4))
    with pytest.raises(StepFailed):
        stage.run(summing.trace({}))
    (run,) = [fact.body["run"] for fact in stage.facts("run.started")]
    assert result(stage, stage.run(summing.trace({}), cache=False)) == b"[0,15]"
    assert result(stage, stage.resume(run, summing.trace({"weight": 2}))) == b"[0,30]"


def test_what_does_not_verify_is_passed_over(stage: Stage) -> None:
    breaks.extend((2, 4))
    with pytest.raises(StepFailed):
        stage.run(summing.trace({}))
    (run,) = [fact.body["run"] for fact in stage.facts("run.started")]
    key = stage.facts("step.checkpointed")[0].body["key"]
    found = newest_first(stage.world.ledger.state, run, "summed", key)
    assert [one.number for one in found] == [4, 3, 2][:KEPT]
    stage.world.objects.put(f"artifacts/sha256/{found[0].digest[7:9]}/{found[0].digest[7:]}", b"9")
    assert result(stage, stage.resume(run, summing.trace({}))) == b"[3,15]"
    numbers = [fact.body["number"] for fact in stage.facts("step.checkpointed")]
    assert numbers == [1, 2, 3, 4, 5, 6, 7], "no number is given twice"


class FullForCheckpoints(MemoryObjectStore):
    """Refuses whatever looks like one of this test's."""

    def put(self, key: str, data: bytes) -> None:
        if b"," in data and len(data) < 6 and b"[" not in data:
            raise StorageFailed("the disk is full")
        super().put(key, data)


def test_a_store_that_fails_loses_no_step_and_is_told(make_stage: Callable[..., Stage]) -> None:
    breaks.clear()
    stage = make_stage(keeping=kept_by, objects=FullForCheckpoints())
    assert result(stage, stage.run(summing.trace({}))) == b"[0,15]"
    assert stage.facts("step.checkpointed") == []
    (told,) = [one for one in stage.seen if one.step == "summed" and one.status == "finished"]
    assert len(told.detail["warnings"]) == 6
    assert "the disk is full" in told.detail["warnings"][0]


def test_a_step_must_say_that_it_resumes(stage: Stage) -> None:
    with pytest.raises(StepFailed) as caught:
        stage.run(keeping_secrets.trace({}))
    assert "does not say so" in caught.value.why
