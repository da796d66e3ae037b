"""Runs a graph: one thread decides and records, an engine does the work.

Invariants
- Outputs are in the store before the fact that names them is appended, so that a crash at any
  point leaves a run that can be resumed.
- A lock on a step's key is released after its fact is appended: whoever waits then finds it.
- Hits of the cache wait for the next append, which takes them all.
- A failed step starts nothing new; what runs already ends and is recorded.
"""

import queue
import threading
from collections import deque
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

from freehold.domain.artifact import Artifact
from freehold.domain.errors import Conflict, FreeholdError, StepFailed
from freehold.domain.fact import Draft
from freehold.domain.graph import Graph, Node, substitute
from freehold.domain.run import Failure, Progress, Result, RunOutcome, StepOutcome, StepStatus
from freehold.ports.artifact_store import ArtifactStore
from freehold.ports.locks import Held, Locks
from freehold.running import record
from freehold.running.agenda import Agenda
from freehold.running.projection import run_row, steps_of
from freehold.running.readiness import Desk, Options, Ready
from freehold.running.surroundings import Gate, Observer, Surroundings
from freehold.running.work import StepTask, Workplace, manifest_of

LOCK_POLL = 0.02
"""Seconds between two looks at a lock that another run holds."""
LONGEST_REST = 60.0
"""Seconds between two attempts, at most."""


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
    with_lock = _own(world.locks, run)
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
    held = _own(world.locks, run)
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


def _own(locks: Locks, run: str) -> Held:
    held = locks.take(f"run {run}")
    if held is None:
        raise Conflict(
            f"run {run} is still going on in another process",
            code="run.in-progress",
            hint="wait for it, or stop that process first",
        )
    return held


def _check(graph: Graph, world: Surroundings) -> None:
    graph.check()
    world.codecs.check(graph)
    for node in graph.nodes:
        world.engine_for(node)


@dataclass
class _Attempt:
    ready: Ready
    held: Held | None
    number: int = 1


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
        self._makers = {node.name: node.step for node in graph.nodes}
        steps = {node.step.address: node.step for node in graph.nodes}
        self._workplace = Workplace(
            world.objects, world.codecs, world.clock, world.workspace, steps.__getitem__
        )
        self._finished_before = {
            step: row
            for step, row in steps_of(world.ledger.state, facts.run).items()
            if row["status"] == "finished"
        }
        self._agenda = Agenda(graph)
        self._misses: deque[_Attempt] = deque()
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
            elif self._misses and len(self._running) < self._world.engine.width:
                self._begin(self._misses.popleft())
            else:
                return

    def _look_up(self, node: Node) -> None:
        ready = self._desk.ready(node, self._outputs)
        row = self._finished_before.get(node.name)
        if row is not None and row["key"] == ready.key.digest:
            made = self._desk.believed(row, ready)
            if made is not None:
                self._complete(ready, made, 0, cached=True, recorded=True)
                return
        made = self._desk.made_before(ready)
        if made is None:
            self._misses.append(_Attempt(ready, None))
        else:
            self._complete(ready, made, 0, cached=True)

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
                self._complete(ready, made, 0, cached=True)
                return
        self._submit(attempt)

    def _submit(self, attempt: _Attempt) -> None:
        ready, name = attempt.ready, attempt.ready.node.name
        about = {
            "attempt": attempt.number,
            "labels": dict(ready.labels),
            "modules": list(self._desk.modules(ready.node)),
            "run": self._facts.run,
            "started": self._world.clock(),
        }
        inputs = {found: (one, self._makers[found.node]) for found, one in ready.inputs.items()}
        manifest = manifest_of(ready.node, inputs, about)
        task = StepTask(name, ready.node.step.timeout, manifest, self._workplace)
        self._running[name] = attempt
        self._tell(name, "started")
        future = self._world.engine_for(ready.node).submit(task)
        future.add_done_callback(lambda done: self._events.put((name, done)))

    def _await(self) -> None:
        """Take in the next event and whatever has come with it."""
        try:
            self._take_in(*self._events.get(timeout=LOCK_POLL if self._locked_out else None))
            while True:
                self._take_in(*self._events.get_nowait())
        except queue.Empty:
            self._misses.extend(self._locked_out)
            self._locked_out.clear()

    def _take_in(self, name: str, done: Future[Result] | None) -> None:
        if done is None:
            attempt = self._resting.pop(name)
            if not self._problem:
                self._misses.appendleft(attempt)
            return
        attempt = self._running.pop(name)
        error = done.exception()
        if error is None and (failure := done.result().failure) is not None:
            self._fail(attempt, failure)
            return
        if attempt.held is not None:
            self._to_release.append(attempt.held)
        if error is not None:
            self._problem = self._problem or error
            return
        result = done.result()
        self._complete(attempt.ready, result.outputs, result.microseconds, cached=False)

    def _complete(
        self,
        ready: Ready,
        outputs: tuple[Artifact, ...],
        microseconds: int,
        *,
        cached: bool,
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
        self._steps[name] = StepOutcome(ready.key.digest, outputs, cached, microseconds)
        if not recorded:
            self._pending.append(self._facts.finished(ready, outputs, microseconds, cached))
        for unread in self._agenda.done(name):
            for artifact in self._outputs[unread]:
                self._workplace.values.forget(artifact.digest)
        self._tell(name, "cached" if cached else "finished", microseconds=microseconds)

    def _fail(self, attempt: _Attempt, failure: Failure) -> None:
        ready, name = attempt.ready, attempt.ready.node.name
        attachment = ""
        if failure.traceback:
            attachment = self._world.attachments.put(failure.traceback.encode())
        self._pending.append(self._facts.failed(ready, failure, attempt.number, attachment))
        told: dict[str, int | str] = {"attempt": attempt.number, "summary": failure.summary}
        if attempt.number <= ready.node.step.retries and not self._problem:
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
        attempts = [*self._running.values(), *self._resting.values(), *self._misses]
        for held in [*self._to_release, *(one.held for one in attempts if one.held)]:
            held.release()

    def _tell(self, step: str, status: StepStatus, **detail: int | str) -> None:
        if self._observer is not None:
            done, total = len(self._outputs), len(self._graph.nodes)
            self._observer(Progress(self._facts.run, step, status, done, total, detail))


def _step_failed(name: str, failure: Failure, attempts: int) -> StepFailed:
    tried = f" after {attempts} attempts" if attempts > 1 else ""
    place = f" ({failure.frame})" if failure.frame else ""
    return StepFailed(
        f"step '{name}' failed{tried}",
        why=failure.summary + place,
        hint="mend it, then `freehold run --resume` goes on from here",
        code=failure.code,
    )
