"""Runs a graph: one thread decides and records, an engine does the work.

Invariants
- Outputs are in the store before the fact that names them is appended, so that a crash at any
  point leaves a run that can be resumed.
- A lock on a step's key is released after its fact is appended: whoever waits then finds it.
- Hits of the cache wait for the next append, which takes them all.
- A failed step starts nothing new; what runs already ends and is recorded.
- What another site is asked follows, in the history, from all that it reads.
- A machine that is taken away costs no retry: the step goes on elsewhere, in the same run.
"""

import queue
import threading
from collections import deque
from collections.abc import Mapping
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from freehold.domain.artifact import Artifact
from freehold.domain.errors import (
    Conflict,
    FreeholdError,
    StepFailed,
)
from freehold.domain.fact import Draft
from freehold.domain.graph import Graph, Node, substitute
from freehold.domain.placement import Place
from freehold.domain.run import (
    INTERRUPTED,
    Failure,
    Progress,
    Result,
    RunOutcome,
    StepOutcome,
    StepStatus,
)
from freehold.ports.artifact_store import ArtifactStore
from freehold.ports.locks import Held, Locks
from freehold.running import record
from freehold.running.agenda import Agenda
from freehold.running.dispatch import Dispatch
from freehold.running.projection import run_row, steps_of
from freehold.running.readiness import Desk, Options, Ready
from freehold.running.surroundings import Gate, Observer, Surroundings

LOCK_POLL = 0.02
"""Seconds between two looks at a lock that another run holds."""
ASKED = 0.5
"""Seconds for which whoever asks whether a run is live may seem to drive it."""
LONGEST_REST = 60.0
"""Seconds between two attempts, at most."""
NOTES_POLL = 0.2
"""Seconds between two looks at what running steps have saved."""
TRIED_AGAIN = frozenset({"step.raised", "step.returned", "step.timeout", "step.unstorable"})
"""Codes of what a step itself did wrong. What a rule forbids is the same the next time."""


def execute(
    graph: Graph,
    world: Surroundings,
    options: Options,
    *,
    observer: Observer | None = None,
    gate: Gate | None = None,
) -> RunOutcome:
    """Run a pipeline as a new run.

    Raises PipelineInvalid before anything runs; StepFailed, what `gate` raised, or an error of
    store, ledger or engine after what was running has ended. The run can then be resumed.
    """
    _check(graph, world)
    run, cause = record.start(world.ledger, world.attachments, graph, options, world.clock())
    # Nobody else drives what has just begun: whoever holds it asks only whether it is live.
    with_lock = _own(world.locks, run, LONGEST_REST)
    try:
        facts = record.Facts(run, cause, options.actor)
        return _Execution(graph, world, options, facts, observer, gate).go()
    finally:
        with_lock.release()


def resume(
    run: str,
    graph: Graph,
    world: Surroundings,
    options: Options,
    *,
    observer: Observer | None = None,
    gate: Gate | None = None,
) -> RunOutcome:
    """Go on with a run that was interrupted or failed, from the steps that had not finished.

    A step counts as finished if its key is the same today and its outputs verify, even when the
    cache is off. Raises NotFound `run.unknown`, Conflict `run.finished` or `run.in-progress`,
    and what `execute` raises.
    """
    _check(graph, world)
    row = run_row(world.ledger.state, run)
    held = _own(world.locks, run, ASKED)
    try:
        if run_row(world.ledger.state, run)["status"] == "finished":
            raise Conflict(f"run {run} has finished", code="run.finished")
        facts = record.Facts(run, row["fact"], options.actor)
        world.ledger.append([facts.resumed()])
        return _Execution(graph, world, options, facts, observer, gate).go()
    finally:
        held.release()


def is_live(run: str, locks: Locks) -> bool:
    """Whether some process is executing the run now."""
    held = locks.take(f"run {run}")
    if held is None:
        return True
    held.release()
    return False


def _own(locks: Locks, run: str, patience: float) -> Held:
    """`patience`: seconds, since `is_live` holds the lock for as long as it asks."""
    pause = threading.Event()
    for _ in range(round(patience / LOCK_POLL)):
        held = locks.take(f"run {run}")
        if held is not None:
            return held
        pause.wait(LOCK_POLL)
    raise Conflict(
        f"run {run} is still going on in another process",
        code="run.in-progress",
        hint="wait for it, or stop that process first",
    )


def _check(graph: Graph, world: Surroundings) -> None:
    graph.check()
    world.codecs.check(graph)
    for node in graph.nodes:
        if world.place_of(node.name).site == world.here:
            world.engine_for(node)


@dataclass
class _Attempt:
    ready: Ready
    held: Held | None
    place: Place
    number: int = 1
    brings: bool = False
    """What it reads is on its way to this site."""


class _Execution:
    def __init__(
        self,
        graph: Graph,
        world: Surroundings,
        options: Options,
        facts: record.Facts,
        observer: Observer | None,
        gate: Gate | None,
    ) -> None:
        self._graph, self._world, self._facts = graph, world, facts
        self._observer, self._gate = observer, gate
        self._desk = Desk(graph, options, world.ledger.state, ArtifactStore(world.objects))
        self._dispatch = Dispatch(graph, world, self._desk, facts)
        self._finished_before = {
            step: row
            for step, row in steps_of(world.ledger.state, facts.run).items()
            if row["status"] == "finished"
        }
        self._asked_before = world.others.asked_before(facts.run) if world.others else {}
        self._agenda = Agenda(graph)
        self._misses: deque[_Attempt] = deque()
        self._far: deque[_Attempt] = deque()
        self._locked_out: list[_Attempt] = []
        self._running: dict[str, _Attempt] = {}
        self._resting: dict[str, _Attempt] = {}
        self._events: queue.SimpleQueue[tuple[str, Future[Result] | None]] = queue.SimpleQueue()
        self._pending: list[Draft] = []
        self._to_release: list[Held] = []
        self._outputs: dict[str, tuple[Artifact, ...]] = {}
        self._steps: dict[str, StepOutcome] = {}
        self._problem: BaseException | None = None

    def go(self) -> RunOutcome:
        started = self._world.clock()
        try:
            self._advance()
            while self._running or (self._is_held_up() and not self._problem):
                self._flush()
                self._await()
                self._advance()
            if self._problem is not None:
                self._stop(self._problem)
            self._pending.append(self._facts.ended("finished"))
            self._flush()
        finally:
            self._release_all()
        result = substitute(
            self._graph.result, lambda found: self._outputs[found.node][found.output]
        )
        elapsed = self._world.clock() - started
        return RunOutcome(self._facts.run, self._graph.name, self._steps, result, elapsed)

    def _is_held_up(self) -> bool:
        return bool(self._resting or self._locked_out)

    def _advance(self) -> None:
        """Start all that can be started."""
        while not self._problem:
            node = self._agenda.next()
            if node is not None:
                self._look_up(node)
            elif self._far:
                self._begin(self._far.popleft())
            elif self._misses and self._running_here() < self._world.engine.width:
                self._begin(self._misses.popleft())
            else:
                return

    def _running_here(self) -> int:
        return sum(self._is_here(one) and not one.brings for one in self._running.values())

    def _is_here(self, attempt: _Attempt) -> bool:
        return attempt.place.site == self._world.here

    def _wait_for_turn(self, attempt: _Attempt) -> None:
        (self._misses if self._is_here(attempt) else self._far).append(attempt)

    def _look_up(self, node: Node) -> None:
        ready = self._desk.ready(node, self._outputs)
        place = self._world.place_of(node.name)
        row = self._finished_before.get(node.name)
        if row is not None and row["key"] == ready.key.digest:
            made = self._desk.believed(row, ready) or self._made_elsewhere(row, ready)
            if made is not None:
                how = record.Done(cached=True, site=row["site"], machine=row["machine"])
                self._complete(ready, made, how, recorded=True)
                return
        made = self._desk.made_before(ready)
        if made is None:
            key, standing = self._asked_before.get(node.name, ("", place))
            place = standing if key == ready.key.digest else place
            self._wait_for_turn(_Attempt(ready, None, place))
        else:
            self._complete(ready, made, record.Done(cached=True, site=self._world.here))

    def _made_elsewhere(self, row: Mapping[str, Any], ready: Ready) -> tuple[Artifact, ...] | None:
        """What this run made at another site and nothing here reads: it lies there as long as the
        run is open."""
        others = self._world.others
        if others is None or row["site"] == self._world.here or others.needs_here(row["step"]):
            return None
        return self._desk.labelled(row, ready)

    def _begin(self, attempt: _Attempt) -> None:
        ready = attempt.ready
        if ready.cacheable and attempt.held is None:
            attempt.held = self._world.locks.take(f"step {ready.key.digest}")
            if attempt.held is None:
                self._locked_out.append(attempt)
                return
            made = self._desk.made_before(ready)
            if made is not None:
                attempt.held.release()
                done = record.Done(cached=True, site=self._world.here)
                self._complete(ready, made, done)
                return
        if not self._is_here(attempt):
            self._ask(attempt)
        elif not self._bring(attempt):
            self._submit(attempt)

    def _submit(self, attempt: _Attempt) -> None:
        ready, name = attempt.ready, attempt.ready.node.name
        task = self._dispatch.task(ready, attempt.number)
        self._running[name] = attempt
        self._tell(name, "started")
        self._expect(name, self._world.engine_for(ready.node).submit(task))

    def _ask(self, attempt: _Attempt) -> None:
        """Another site. Whatever it reads is in the history before it is asked for."""
        self._flush()
        others, name = self._world.others, attempt.ready.node.name
        assert others is not None  # else every place is here
        self._running[name] = attempt
        self._tell(name, "asked", site=attempt.place.site, machine=attempt.place.machine)
        self._expect(
            name, others.ask(self._dispatch.attempt(attempt.ready, attempt.number, attempt.place))
        )

    def _bring(self, attempt: _Attempt) -> bool:
        """Whether something that it reads has to come from another site first."""
        others, objects = self._world.others, self._world.objects
        if others is None or attempt.brings:
            attempt.brings = False
            return False
        found = {one.digest: one for one in attempt.ready.inputs.values()}
        lacking = [one for one in found.values() if objects.size(one.key) is None]
        if not lacking:
            return False
        self._flush()
        attempt.brings = True
        self._running[attempt.ready.node.name] = attempt
        self._expect(attempt.ready.node.name, others.bring(lacking, attempt.ready.node.name))
        return True

    def _expect(self, name: str, future: Future[Result]) -> None:
        future.add_done_callback(lambda done: self._events.put((name, done)))

    def _await(self) -> None:
        """Take in the next event and whatever has come with it."""
        try:
            self._take_in(*self._events.get(timeout=self._patience()))
            while True:
                self._take_in(*self._events.get_nowait())
        except queue.Empty:
            for attempt in self._locked_out:
                self._wait_for_turn(attempt)
            self._locked_out.clear()
        if self._resuming():
            self._dispatch.record_checkpoints()

    def _patience(self) -> float | None:
        if self._locked_out:
            return LOCK_POLL
        return NOTES_POLL if self._resuming() else None

    def _resuming(self) -> bool:
        return any(
            one.ready.node.step.resumes and self._is_here(one) for one in self._running.values()
        )

    def _take_in(self, name: str, done: Future[Result] | None) -> None:
        if done is None:
            attempt = self._resting.pop(name)
            if not self._problem:
                self._wait_for_turn(attempt)
            elif attempt.held is not None:
                self._to_release.append(attempt.held)
            return
        attempt = self._running.pop(name)
        if attempt.ready.node.step.resumes and self._is_here(attempt):
            self._dispatch.record_checkpoints()
        error = done.exception()
        if error is None and (failure := done.result().failure) is not None:
            how = self._how(attempt, done.result())
            if failure.code == INTERRUPTED:
                self._interrupted(attempt, how)
            else:
                self._fail(attempt, failure, how)
            return
        if error is None and attempt.brings:
            self._wait_for_turn(attempt)
            return
        if attempt.held is not None:
            self._to_release.append(attempt.held)
        if error is not None:
            self._problem = self._problem or error
            return
        result = done.result()
        how = self._how(attempt, result)
        labelled = tuple(replace(one, labels=attempt.ready.labels) for one in result.outputs)
        row = self._finished_before.get(name)
        recorded = row is not None and _says(row, attempt.ready, labelled)
        self._complete(attempt.ready, labelled, how, result.warnings, recorded=recorded)

    def _how(self, attempt: _Attempt, result: Result) -> record.Done:
        place = attempt.place
        site, machine = result.site or self._world.here, result.machine or place.machine
        spot = place.spot and (site, machine) == (place.site, place.machine)
        return record.Done(result.microseconds, result.cached, site, machine, spot)

    def _complete(
        self,
        ready: Ready,
        outputs: tuple[Artifact, ...],
        how: record.Done,
        warnings: tuple[str, ...] = (),
        *,
        recorded: bool = False,
    ) -> None:
        """`recorded`: this run's history says so already.

        What the gate refuses does not count as finished: when the run is gone on with, the step
        runs again, on data that may have been mended.
        """
        name = ready.node.name
        if self._gate is not None:
            try:
                self._gate(ready.node, outputs)
            except FreeholdError as exc:
                self._problem = self._problem or exc
                self._tell(name, "failed", attempt=1, summary=exc.what)
                return
        self._outputs[name] = outputs
        self._steps[name] = StepOutcome(
            ready.key.digest, outputs, how.cached, how.microseconds, how.site
        )
        if not recorded:
            self._pending.append(self._facts.finished(ready, outputs, how))
        for unread in self._agenda.done(name):
            for artifact in self._outputs[unread]:
                self._dispatch.workplace.values.forget(artifact.digest)
        told: dict[str, Any] = {"microseconds": how.microseconds}
        if how.site != self._world.here:
            told |= {"machine": how.machine, "site": how.site}
        if warnings:
            told["warnings"] = warnings
        self._tell(name, "cached" if how.cached else "finished", **told)

    def _interrupted(self, attempt: _Attempt, lost: record.Done) -> None:
        """Only this step is redone, from its newest checkpoint, and no retry is used up."""
        name, others = attempt.ready.node.name, self._world.others
        assert others is not None  # nobody else gives this failure
        place = others.replace(self._dispatch.attempt(attempt.ready, attempt.number, attempt.place))
        self._pending.append(self._facts.interrupted(name, lost, attempt.number))
        self._flush()
        self._tell(name, "interrupted", site=lost.site, machine=lost.machine, goes_on=place.site)
        if self._problem:
            if attempt.held is not None:
                self._to_release.append(attempt.held)
            return
        self._wait_for_turn(replace(attempt, place=place))

    def _fail(self, attempt: _Attempt, failure: Failure, how: record.Done) -> None:
        ready, name = attempt.ready, attempt.ready.node.name
        attachment = ""
        if failure.traceback:
            attachment = self._world.attachments.put(failure.traceback.encode())
        self._pending.append(self._facts.failed(ready, failure, attempt.number, attachment, how))
        told: dict[str, int | str] = {"attempt": attempt.number, "summary": failure.summary}
        again = failure.code in TRIED_AGAIN and attempt.number <= ready.node.step.retries
        if again and not self._problem:
            self._tell(name, "retrying", **told)
            self._resting[name] = replace(attempt, number=attempt.number + 1)
            pause = min(2.0 ** (attempt.number - 1), LONGEST_REST)
            threading.Thread(target=partial(self._rest, name, pause), daemon=True).start()
            return
        if attempt.held is not None:
            self._to_release.append(attempt.held)
        self._tell(name, "failed", **told)
        self._problem = self._problem or _step_failed(name, failure, attempt.number)

    def _rest(self, name: str, seconds: float) -> None:
        self._world.sleep(seconds)
        self._events.put((name, None))

    def _flush(self) -> None:
        """Append what has happened, then let go of the locks that stood for it."""
        if self._pending:
            self._world.ledger.append(self._pending)
            self._pending = []
        while self._to_release:
            self._to_release.pop().release()

    def _stop(self, problem: BaseException) -> None:
        """Record that the run failed, unless recording is what failed; raise the problem."""
        if isinstance(problem, FreeholdError):
            self._pending.append(self._facts.ended("failed"))
            with suppress(FreeholdError):
                self._flush()
        raise problem

    def _release_all(self) -> None:
        waiting = [*self._misses, *self._far, *self._locked_out]
        attempts = [*self._running.values(), *self._resting.values(), *waiting]
        for held in [*self._to_release, *(one.held for one in attempts if one.held)]:
            held.release()

    def _tell(self, step: str, status: StepStatus, **detail: Any) -> None:
        if self._observer is not None:
            done, total = len(self._outputs), len(self._graph.nodes)
            self._observer(Progress(self._facts.run, step, status, done, total, detail))


def _says(row: Mapping[str, Any], ready: Ready, outputs: tuple[Artifact, ...]) -> bool:
    """Whether a finished step's row says this already."""
    made = [one["digest"] for one in row["outputs"]]
    return row["key"] == ready.key.digest and made == [one.digest for one in outputs]


def _step_failed(name: str, failure: Failure, attempts: int) -> StepFailed:
    tried = f" after {attempts} attempts" if attempts > 1 else ""
    place = f" ({failure.frame})" if failure.frame else ""
    return StepFailed(
        f"step '{name}' failed{tried}",
        why=failure.summary + place,
        hint="mend it, then `freehold run --resume` goes on from here",
        code=failure.code,
    )
