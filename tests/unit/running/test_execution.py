"""Runs: cached by content, parallel, recorded, resumable."""

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from freehold import Candidate, pipeline, step
from freehold.domain.artifact import Artifact
from freehold.domain.errors import (
    Conflict,
    ContractFailed,
    IntegrityError,
    NotFound,
    NotSupported,
    PipelineInvalid,
    StepFailed,
    StorageFailed,
)
from freehold.domain.graph import Node
from freehold.ports.locks import Held, Locks
from freehold.running import projection
from freehold.running.execution import is_live
from freehold.running.work import Workplace, read

Stage = Any
"""Of conftest.py."""

calls: list[str] = []
behaviour: dict[str, Any] = {}


@pytest.fixture(autouse=True)
def _reset() -> None:
    calls.clear()
    behaviour.clear()


@step(labels={"pii": "", "residency": "EU"})
def load(start: date, rows: int = 3) -> pl.DataFrame:
    calls.append("load")
    return pl.DataFrame({"day": [start] * rows, "n": range(rows)})


@step(labels={"residency": "US"})
def split(table: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    calls.append("split")
    return table.head(1), table.tail(table.height - 1)


@step
def height(table: pl.DataFrame) -> int:
    calls.append("height")
    return table.height + int(behaviour.get("extra", 0))


@step
def average(numbers: list[float]) -> float:
    calls.append("average")
    assert all(isinstance(number, float | int) for number in numbers)
    return sum(numbers) / len(numbers)


@step
def joined(halves: tuple[pl.DataFrame, pl.DataFrame], extra: dict[str, int]) -> int:
    assert isinstance(halves, tuple)
    return pl.concat(halves).height + extra["height"]


@pipeline
def joining() -> Any:
    halves = split(load(date(2013, 1, 1)))
    return joined(halves, {"height": height(halves[0])})


def test_tuples_and_dictionaries_arrive_as_they_were_given(stage: "Stage", tmp_path: Path) -> None:
    outcome = stage.run(joining.trace())
    assert read(outcome.result, int, workplace(stage, tmp_path)) == 4


@pipeline
def sizes(start: date, rows: int = 3) -> Any:
    first, second = split(load(start, rows))
    one, two = height(first), height(second)
    return {"average": average([one, two, 3.0]), "one": one, "table": second}


GRAPH = sizes.trace({"start": "2013-01-01"})


def workplace(stage: Stage, path: Path) -> Workplace:
    world = stage.world
    return Workplace(world.objects, world.codecs, world.clock, path, lambda _: load.definition)


def test_a_run_gives_what_the_pipeline_returns(stage: Stage, tmp_path: Path) -> None:
    outcome = stage.run(GRAPH)
    place = workplace(stage, tmp_path)
    assert read(outcome.result["average"], float, place) == 2.0
    assert read(outcome.result["one"], Any, place) == 1
    assert read(outcome.result["table"], pl.DataFrame, place)["n"].to_list() == [1, 2]
    assert sorted(calls) == ["average", "height", "height", "load", "split"]
    assert not any(one.cached for one in outcome.steps.values())


def test_every_step_is_a_fact_that_follows_from_the_start(stage: Stage) -> None:
    outcome = stage.run(GRAPH, actor="ada", environment="lock")
    facts = stage.facts()
    assert [fact.type for fact in facts] == [
        "run.started",
        *["step.finished"] * 5,
        "run.finished",
    ]
    assert facts[0].body == {
        "environment": "lock",
        "parameters": {"rows": 3, "start": "2013-01-01"},
        "parameters_attachment": "",
        "pipeline": "sizes",
        "run": outcome.run,
        "steps": 5,
    }
    assert all(fact.cause == (facts[0].name,) for fact in facts[1:])
    assert {fact.actor for fact in facts} == {"ada"}
    second = facts[2].body
    assert second["step"] == "split"
    assert second["inputs"] == [facts[1].body["outputs"][0]["digest"]]
    assert second["microseconds"] > 0
    assert facts[-1].body == {"run": outcome.run, "status": "finished"}


def test_labels_are_inherited(stage: Stage) -> None:
    outcome = stage.run(GRAPH)
    assert outcome.steps["load"].outputs[0].labels == {"pii": "", "residency": "EU"}
    for name in ("split", "height", "average"):
        for output in outcome.steps[name].outputs:
            assert output.labels == {"pii": "", "residency": "EU,US"}


def test_the_second_run_is_cached_and_takes_two_appends(stage: Stage) -> None:
    first = stage.run(GRAPH)
    calls.clear()
    before = len(list(stage.world.ledger.checkpoints()))
    second = stage.run(GRAPH)
    assert calls == []
    assert all(one.cached for one in second.steps.values())
    assert second.result == first.result
    assert second.run != first.run
    assert len(list(stage.world.ledger.checkpoints())) - before == 2


def test_another_parameter_runs_again_what_depends_on_it(stage: Stage) -> None:
    stage.run(GRAPH)
    calls.clear()
    outcome = stage.run(sizes.trace({"start": "2013-01-01", "rows": 4}))
    assert sorted(calls) == ["average", "height", "load", "split"]
    assert [name for name, one in outcome.steps.items() if one.cached] == ["height"]


def test_other_code_and_another_environment_run_again(stage: Stage) -> None:
    module = load.definition.module
    stage.run(GRAPH, sources={module: b"one = 1"})
    for options in ({"sources": {module: b"one = 2"}}, {"environment": "other"}):
        calls.clear()
        stage.run(GRAPH, **options)
        assert len(calls) == 5


def test_the_cache_can_be_switched_off_for_a_run(stage: Stage) -> None:
    stage.run(GRAPH)
    calls.clear()
    stage.run(GRAPH, cache=False)
    assert len(calls) == 5


@step(cache=False)
def toss() -> int:
    calls.append("toss")
    return 4


@pipeline
def tossing() -> Any:
    return average([toss()])


def test_the_cache_can_be_switched_off_for_a_step(stage: Stage) -> None:
    stage.run(tossing.trace())
    stage.run(tossing.trace())
    assert calls == ["toss", "average", "toss"]


def test_a_corrupt_artifact_is_made_again(stage: Stage, tmp_path: Path) -> None:
    outcome = stage.run(GRAPH)
    table = outcome.result["table"]
    stage.world.objects.put(table.key, stage.world.objects.get(table.key)[:-3])
    calls.clear()
    again = stage.run(GRAPH)
    assert calls == ["split"]
    assert again.result == outcome.result
    assert read(again.result["table"], Any, workplace(stage, tmp_path)).height == 2


def test_half_a_parquet_file_is_named(stage: Stage, tmp_path: Path) -> None:
    whole = stage.world.codecs.named("polars").encode(pl.DataFrame({"a": [1]}))
    digest = stage.artifacts.put(whole[: len(whole) // 2])
    with pytest.raises(IntegrityError) as caught:
        read(Artifact(digest, "parquet", 1), pl.DataFrame, workplace(stage, tmp_path))
    assert caught.value.code == "artifact.unreadable"
    assert digest in caught.value.what


@step
def together(number: int) -> int:
    behaviour["barrier"].wait(30)
    return number


@pipeline
def parallel() -> Any:
    return [together(number) for number in range(4)]


def test_independent_steps_overlap(stage: Stage) -> None:
    behaviour["barrier"] = threading.Barrier(4)
    stage.run(parallel.trace())


@pipeline
def twice() -> Any:
    return height(load(date(2013, 1, 1))), height(load(date(2013, 1, 1)))


def test_equal_calls_in_one_run_are_computed_once(stage: Stage) -> None:
    stage.run(twice.trace())
    assert sorted(calls) == ["height", "load"]


@step
def spoil(table: pl.DataFrame) -> int:
    table.columns = [name.upper() for name in table.columns]
    table[0, "N"] = 99
    return table.height


@step
def spoil_list(numbers: list[int]) -> int:
    numbers.append(1)
    return len(numbers)


@step
def listed() -> list[int]:
    return [1, 2]


@pipeline
def spoiling() -> Any:
    table, numbers = load(date(2013, 1, 1)), listed()
    return spoil(table), height(table), spoil_list(numbers), spoil_list(numbers)


def test_no_step_sees_what_another_does_to_its_inputs(make_stage: Callable[..., Stage]) -> None:
    stage = make_stage(width=1)
    outcome = stage.run(spoiling.trace(), cache=False)
    place = workplace(stage, stage.world.workspace)
    assert [read(one, int, place) for one in outcome.result] == [3, 3, 3, 3]


@step(retries=2)
def shaky(number: int) -> int:
    calls.append("shaky")
    if len(calls) <= behaviour["failures"]:
        raise ValueError(f"attempt {len(calls)}")
    return number


@pipeline
def shaking() -> Any:
    return average([shaky(1)])


def test_a_step_is_tried_again_with_growing_pauses(stage: Stage) -> None:
    behaviour["failures"] = 2
    stage.run(shaking.trace())
    assert stage.slept == [1.0, 2.0]
    assert [fact.body["attempt"] for fact in stage.facts("step.failed")] == [1, 2]
    assert [one.status for one in stage.seen if one.step == "shaky"] == [
        "started",
        "retrying",
        "started",
        "retrying",
        "started",
        "finished",
    ]


def test_a_step_that_keeps_failing_fails_the_run(stage: Stage) -> None:
    behaviour["failures"] = 9
    with pytest.raises(StepFailed) as caught:
        stage.run(shaking.trace())
    error = caught.value
    assert error.code == "step.raised"
    assert "after 3 attempts" in error.what
    assert error.why.startswith("ValueError: attempt 3")
    assert "test_execution.py:" in error.why
    assert "in shaky" in error.why
    assert "freehold run --resume" in error.hint
    assert stage.facts()[-1].body["status"] == "failed"


def test_a_traceback_is_an_erasable_attachment_with_the_users_frames_first(stage: Stage) -> None:
    behaviour["failures"] = 9
    with pytest.raises(StepFailed):
        stage.run(shaking.trace())
    fact = stage.facts("step.failed")[-1]
    assert "attempt 3" not in str(fact.body)
    text = stage.world.attachments.get(fact.body["attachment"]).decode()
    assert text.startswith("ValueError: attempt 3")
    assert "raise ValueError" in text
    assert "freehold/running" not in text
    stage.world.attachments.erase(fact.body["attachment"])


def test_a_failed_run_is_resumed_under_its_name(stage: Stage) -> None:
    behaviour["failures"] = 3
    with pytest.raises(StepFailed):
        stage.run(shaking.trace())
    (row,) = projection.unfinished(stage.world.ledger.state)
    assert row["status"] == "failed"
    outcome = stage.resume(row["run"], shaking.trace())
    assert outcome.run == row["run"]
    assert projection.unfinished(stage.world.ledger.state) == ()
    with pytest.raises(Conflict) as caught:
        stage.resume(row["run"], shaking.trace())
    assert caught.value.code == "run.finished"


@pipeline
def tossed_then_shaky() -> Any:
    return average([toss(), shaky(1)])


def test_resuming_keeps_finished_steps_even_with_the_cache_off(
    make_stage: Callable[..., Stage],
) -> None:
    stage = make_stage(width=1)
    behaviour["failures"] = 4
    with pytest.raises(StepFailed):
        stage.run(tossed_then_shaky.trace(), cache=False)
    assert calls.count("toss") == 1
    (row,) = projection.unfinished(stage.world.ledger.state)
    stage.resume(row["run"], tossed_then_shaky.trace(), cache=False)
    assert calls.count("toss") == 1


def test_only_what_is_there_and_idle_can_be_resumed(stage: Stage) -> None:
    with pytest.raises(NotFound):
        stage.resume("20260101-000000-0000", GRAPH)
    behaviour["failures"] = 9
    with pytest.raises(StepFailed):
        stage.run(shaking.trace())
    (row,) = projection.unfinished(stage.world.ledger.state)
    held = stage.world.locks.take(f"run {row['run']}")
    assert is_live(row["run"], stage.world.locks)
    with pytest.raises(Conflict) as caught:
        stage.resume(row["run"], shaking.trace())
    assert caught.value.code == "run.in-progress"
    held.release()
    assert not is_live(row["run"], stage.world.locks)


class AskedOften(Locks):
    """Somebody asks whether a run is live just when it is to be driven, and a while longer."""

    def __init__(self, locks: Locks, times: int) -> None:
        self._locks, self.left = locks, times

    def take(self, name: str) -> Held | None:
        if name.startswith("run ") and self.left:
            self.left -= 1
            return None
        return self._locks.take(name)


def test_who_asks_whether_a_run_is_live_does_not_stop_it(stage: Stage) -> None:
    asked = AskedOften(stage.world.locks, 5)
    stage.world = replace(stage.world, locks=asked)
    assert stage.run(GRAPH).run
    assert asked.left == 0


@step
def slow(number: int) -> int:
    behaviour["failed"].wait(30)
    calls.append("slow")
    return number


@step
def failing(number: int) -> int:
    raise RuntimeError("no")


@pipeline
def branches() -> Any:
    return average([slow(1), failing(2)]), average([slow(1)])


def test_what_runs_already_ends_and_is_recorded(stage: Stage) -> None:
    behaviour["failed"] = threading.Event()

    def observe(progress: Any) -> None:
        if progress.status == "failed":
            behaviour["failed"].set()

    stage.seen = type("Seen", (), {"append": staticmethod(observe)})()
    with pytest.raises(StepFailed):
        stage.run(branches.trace())
    assert calls == ["slow"]
    assert [fact.body["step"] for fact in stage.facts("step.finished")] == ["slow"]


class FillingStore:
    """Takes so many objects, then has no room."""

    def __init__(self, inner: Any, room: int) -> None:
        self._inner, self.room = inner, room

    def put(self, key: str, data: bytes) -> None:
        if self.room <= 0:
            raise StorageFailed("the disk is full", code="storage.full")
        self.room -= 1
        self._inner.put(key, data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def test_a_full_disk_leaves_a_run_that_can_be_resumed(make_stage: Callable[..., Stage]) -> None:
    stage = make_stage()
    store = FillingStore(stage.world.objects, 2)
    stage.world = replace(stage.world, objects=store)
    with pytest.raises(StorageFailed):
        stage.run(GRAPH)
    finished = {fact.body["step"] for fact in stage.facts("step.finished")}
    assert "load" in finished
    for fact in stage.facts("step.finished"):
        assert all(stage.artifacts.holds(one["digest"]) for one in fact.body["outputs"])
    store.room = 100
    calls.clear()
    (row,) = projection.unfinished(stage.world.ledger.state)
    stage.resume(row["run"], GRAPH)
    assert "load" not in calls


@step
def promised() -> tuple[int, str]:
    return behaviour["returned"]  # type: ignore[no-any-return]


@pipeline
def promising() -> Any:
    return promised()


@pytest.mark.parametrize("returned", [None, (1,), (1, 2), [1, "a"], (1, "a", 2)])
def test_a_step_must_return_what_it_promised(stage: Stage, returned: Any) -> None:
    behaviour["returned"] = returned
    with pytest.raises(StepFailed) as caught:
        stage.run(promising.trace())
    assert caught.value.code == "step.returned"
    assert "promised tuple[int, str]" in caught.value.why


@step
def anything() -> Any:
    return behaviour["returned"]


@pipeline
def any_result() -> Any:
    return anything()


def test_an_output_that_cannot_be_stored_is_the_steps_failure(stage: Stage) -> None:
    behaviour["returned"] = {"a": float("nan")}
    with pytest.raises(StepFailed) as caught:
        stage.run(any_result.trace())
    assert caught.value.code == "step.unstorable"


@step
def threaded() -> threading.Thread:
    return threading.Thread()


@pipeline
def unstorable() -> Any:
    return threaded()


def test_a_type_without_codec_is_refused_before_anything_runs(stage: Stage) -> None:
    with pytest.raises(PipelineInvalid) as caught:
        stage.run(unstorable.trace())
    assert caught.value.faults[0].code == "pipeline.unstorable"
    assert stage.facts() == []


@step(timeout=5.0)
def timed() -> int:
    return 1


@pipeline
def timing() -> Any:
    return timed()


def test_a_timeout_needs_an_engine_that_kills(stage: Stage) -> None:
    with pytest.raises(NotSupported) as caught:
        stage.run(timing.trace())
    assert caught.value.code == "engine.no-timeout"
    assert stage.facts() == []


def test_a_gate_stops_the_run_before_its_output_is_used(stage: Stage) -> None:
    def gate(node: Node, outputs: tuple[Artifact, ...]) -> None:
        if node.name == "load":
            assert stage.artifacts.holds(outputs[0].digest)
            raise ContractFailed("12 rows without a day")

    for times in (1, 2):
        with pytest.raises(ContractFailed):
            stage.run(GRAPH, gate)
        # What was refused is not taken for made: the data may be mended by the next run.
        assert calls == ["load"] * times
        assert list(stage.facts("step.finished")) == []
    assert stage.facts()[-1].body["status"] == "failed"


@step
def write(text: str) -> Path:
    path = Path(behaviour["folder"]) / "made.txt"
    path.write_text(text)
    return path


@step
def read_file(path: Path) -> str:
    text = path.read_text()
    path.write_text("changed")
    return text


@pipeline
def files() -> Any:
    path = write("hello")
    return Candidate(read_file(path), read_file(path), path, path, "late")


def test_files_and_candidates(make_stage: Callable[..., Stage], tmp_path: Path) -> None:
    stage = make_stage(width=1)
    behaviour["folder"] = tmp_path
    outcome = stage.run(files.trace(), cache=False)
    place = workplace(stage, tmp_path)
    assert isinstance(outcome.result, Candidate)
    assert read(outcome.result.model, str, place) == "hello"
    assert read(outcome.result.columns, str, place) == "hello"
    assert read(outcome.result.training, Path, place).read_text() == "hello"


def test_a_rebuilt_ledger_has_the_same_tables(stage: Stage) -> None:
    stage.run(GRAPH)
    behaviour["failures"] = 9
    with pytest.raises(StepFailed):
        stage.run(shaking.trace())
    state = stage.world.ledger.state
    tables = ("runs", "steps", "recent_steps", "cache")
    before = {table: list(state.scan(table)) for table in tables}
    assert all(before.values())
    stage.world.ledger.rebuild()
    assert {table: list(state.scan(table)) for table in tables} == before
