"""Steps of a run that other sites execute: asked as work, waited for by meeting in the stores.

The run stays here: its history, its cache, its retries. What another site is asked has a name made
of run, step and attempt, so that a run that was interrupted waits for the same work again.
"""

import json
import time
from collections.abc import Callable, Collection
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from threading import Condition, Thread

from freehold.app.run.held import held_microseconds
from freehold.app.site.exchange import Exchanged, exchange
from freehold.app.site.labelled import Labelled
from freehold.app.site.opening import Site
from freehold.app.site.wanted import is_here
from freehold.app.site.ways import no_way
from freehold.domain.artifact import Artifact
from freehold.domain.errors import FreeholdError, IntegrityError, Unreachable
from freehold.domain.fact import Draft
from freehold.domain.labels import inherited
from freehold.domain.placement import Place
from freehold.domain.projection import State
from freehold.domain.run import INTERRUPTED, Failure, Result
from freehold.replication import leases
from freehold.replication.asking import asked_for
from freehold.replication.leases import Sightings, steps_asked, work_of
from freehold.replication.work import AskedStep, Completion, Work
from freehold.running.checkpoints import newest_first
from freehold.running.projection import attempts_ended
from freehold.running.surroundings import Attempt, OtherSites

Replace = Callable[[str, Place], Place | None]
"""Given a step and the place that it lost, where it goes on; None leaves it to the default."""
Leaves = Callable[[str, Place, bool, int], Place | None]
"""Given a step, its place, whether it has a machine there and the number of its newest checkpoint:
where it goes now, or None if it stays."""
Tell = Callable[[str], None]
LABELS = "label.barred"
NEWS = 3
"""Meetings after which a failure is told without its text, if that has not come."""


@dataclass(frozen=True)
class Elsewhere:
    """What a run's caller says of steps at other sites, and how long is waited for what."""

    replace: Replace = lambda _step, _lost: None
    """Where a step goes on whose machine was taken away."""
    leaves: Leaves = lambda _step, _place, _runs, _saved: None
    """Asked at each meeting of every step whose machine may be taken away."""
    tell: Tell = lambda _: None
    """Told what is waited for, as people read it."""

    every: float = 1.0
    """Seconds between two meetings."""
    grace: float = 20.0
    """How much longer than a lease lasts news may take."""
    patience: float = 60.0
    """Seconds for which another agent of the same site may take over work that was given back or
    whose agent shows no sign of life; none for a machine that may be taken away."""


@dataclass
class _Asked:
    name: str
    step: AskedStep
    future: Future[Result]
    lost_since: float | None = None
    looks: int = 0
    said: str = ""


@dataclass
class _Brought:
    digests: tuple[str, ...]
    future: Future[Result] = field(default_factory=Future)


USUAL = Elsewhere()


class RemoteSteps(OtherSites):
    """A context: within it, a thread meets the others as long as something is waited for."""

    def __init__(
        self,
        site: Site,
        needed: Collection[str],
        settings: Elsewhere = USUAL,
        *,
        meet: Callable[[Site], Exchanged] = exchange,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`needed`: steps whose outputs are read here. `meet` exchanges with the stores, `now` is
        in seconds, monotonic."""
        self._site, self._needed, self._replace = site, frozenset(needed), settings.replace
        self._waiting, self._tell = settings, settings.tell
        self._meet_others, self._now = meet, now
        self._sightings = Sightings()
        self._asked: dict[str, _Asked] = {}
        self._brought: list[_Brought] = []
        self._changed = Condition()
        self._closed = False
        self._silent = ""
        self._thread = Thread(target=self._keep, name="other-sites", daemon=True)

    def __enter__(self) -> "RemoteSteps":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """What was asked and has not ended stays asked: whoever resumes the run waits for it."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join()

    def asked_before(self, run: str) -> dict[str, tuple[str, Place]]:
        found = {}
        for work in steps_asked(self._site.state, run):
            step = work.step
            if step is None or (work.cancelled and work.completion is None):
                continue
            if step.ordinal > attempts_ended(self._site.state, run, step.step):
                found[step.step] = (step.key, step.place)
        return found

    def needs_here(self, step: str) -> bool:
        return step in self._needed

    def ask(self, attempt: Attempt) -> Future[Result]:
        future: Future[Result] = Future()
        place, name = attempt.place, work_name(attempt)
        if rule := self._barred(attempt):
            future.set_result(Result(failure=Failure(LABELS, rule), site=place.site))
            return future
        asked = _as_asked(attempt, self.needs_here(attempt.ready.node.name))
        self._withdraw(attempt, name)
        manifest = {**attempt.manifest, "world": _world_of(attempt)}
        self._request(name, asked, manifest)
        # What was asked before an interruption stands, whatever is planned today.
        standing = work_of(self._site.state, name).step or asked
        with self._changed:
            self._asked[name] = _Asked(name, standing, future)
            self._changed.notify_all()
        return future

    def bring(self, artifacts: Collection[Artifact], step: str) -> Future[Result]:
        brought = _Brought(tuple(one.digest for one in artifacts))
        labelled = Labelled(self._site.state)
        for one in artifacts:
            if rule := self._no_way(labelled, one.digest, one.labels, self._site.name):
                brought.future.set_result(Result(failure=Failure(LABELS, f"{step} reads: {rule}")))
                return brought.future
        self._want(brought.digests)
        with self._changed:
            self._brought.append(brought)
            self._changed.notify_all()
        return brought.future

    def look_for(self, digests: Collection[str]) -> None:
        labelled, here = Labelled(self._site.state), self._site.name
        allowed = [one for one in digests if not self._no_way(labelled, one, {}, here)]
        if allowed:
            self._want(allowed)
            self._meet()

    def replace(self, attempt: Attempt) -> Place:
        """As the caller says, where labels allow it; else here, or where it was."""
        lost, step = attempt.place, attempt.ready.node.name
        said, barred = self._replace(step, lost), set[Place]()
        while said is not None and said not in barred:
            if not self._barred(replace(attempt, place=said)):
                return said
            barred.add(said)
            said = self._replace(step, said)
        here = Place(self._site.name)
        return lost if self._barred(replace(attempt, place=here)) else here

    def _barred(self, attempt: Attempt) -> str:
        """The rule that forbids the step at its place, by what it reads and what it makes."""
        place, sites = attempt.place.site, self._site.project.spec.sites
        if place not in sites:
            return f"{place} is no site of this project"
        labelled = Labelled(self._site.state)
        for one in attempt.ready.inputs.values():
            if rule := self._no_way(labelled, one.digest, one.labels, place):
                return rule
        return no_way(attempt.ready.labels, [place], place, sites)

    def _no_way(
        self, labelled: Labelled, digest: str, labels: dict[str, str] | object, place: str
    ) -> str:
        bears = inherited([labelled.of([digest]), labels if isinstance(labels, dict) else {}])
        origins = sorted(labelled.places(digest))
        if is_here(self._site, digest):
            origins.insert(0, self._site.name)
        return no_way(bears, origins, place, self._site.project.spec.sites)

    def _request(self, name: str, asked: AskedStep, manifest: dict[str, object]) -> None:
        """Texts among the parameters may say something about a person: so the manifest is an
        attachment, which goes to the site that is asked and nowhere else."""
        if self._site.state.get(leases.WORK, name) is not None:
            return
        kept = self._site.attachments.put(json.dumps(manifest).encode())

        def decision(state: State) -> list[Draft]:
            return leases.ask_step(state, name, asked, kept, self._site.actor)

        self._site.ledger.decide(decision)

    def _withdraw(self, attempt: Attempt, name: str) -> None:
        """Earlier attempts that are still open: the code has changed since, or it was re-placed."""

        def decision(state: State) -> list[Draft]:
            step = attempt.ready.node.name
            return [
                leases.cancel(state, one.name, self._site.actor)
                for one in steps_asked(state, attempt.run, step)
                if one.open and one.name != name
            ]

        self._site.ledger.decide(decision)

    def _want(self, digests: Collection[str]) -> None:
        def decision(state: State) -> list[Draft]:
            new = sorted(set(digests) - asked_for(state, self._site.name))
            body = {"digests": new, "site": self._site.name}
            return [Draft("artifact.wanted", body, actor=self._site.actor)] if new else []

        self._site.ledger.decide(decision)

    def _keep(self) -> None:
        while True:
            with self._changed:
                while not (self._closed or self._asked or self._brought):
                    self._changed.wait()
                if self._closed:
                    return
            try:
                self._meet()
                self._look()
            except BaseException as error:  # noqa: BLE001 - told to who waits, who ends the run
                self._fail(error)
            with self._changed:
                if not self._closed and (self._asked or self._brought):
                    self._changed.wait(self._waiting.every)

    def _meet(self) -> None:
        """Stores that do not answer are told when that is news; the waiting goes on."""
        try:
            silent = ", ".join(sorted(self._meet_others(self._site).unreachable))
        except Unreachable as error:
            silent = str(error)
        if silent != self._silent:
            self._tell(f"not reached: {silent}" if silent else "all stores are reached again")
            self._silent = silent

    def _look(self) -> None:
        with self._changed:
            asked, brought = list(self._asked.values()), list(self._brought)
        for one in brought:
            if all(is_here(self._site, digest) for digest in one.digests):
                with self._changed:
                    self._brought.remove(one)
                one.future.set_result(Result())
        for waits in asked:
            result = self._result(waits, work_of(self._site.state, waits.name))
            if result is not None:
                with self._changed:
                    del self._asked[waits.name]
                waits.future.set_result(result)

    def _result(self, waits: _Asked, work: Work) -> Result | None:
        """None while it is waited for."""
        end, place = work.completion, waits.step.place
        if end is None:
            if work.cancelled:
                failure = Failure("work.cancelled", f"work {work.name} was cancelled")
                return Result(failure=failure, site=place.site)
            return self._unfinished(waits, work)
        waits.looks += 1
        if end.status == "failed":
            return self._failed(waits, work, end)
        if waits.step.back:
            labelled = Labelled(self._site.state)
            lacking = [one for one in end.outputs if not is_here(self._site, one.digest)]
            for one in lacking:
                rule = self._no_way(labelled, one.digest, dict(one.labels), self._site.name)
                if rule:
                    failure = Failure(LABELS, f"its outputs are read here: {rule}")
                    return Result(failure=failure, site=place.site)
            if lacking:
                return None
        return Result(
            end.outputs, end.microseconds, site=place.site, machine=end.machine, cached=end.cached
        )

    def _failed(self, waits: _Asked, work: Work, end: Completion) -> Result | None:
        """With what the site says of it, once that has come; it may be that it never comes."""
        failure = Failure(end.code, f"it failed at {work.site}; what it said stays there")
        if end.failure:
            try:
                failure = Failure.from_json(json.loads(self._site.attachments.get(end.failure)))
            except IntegrityError:
                if waits.looks < NEWS:
                    return None
        return Result((), end.microseconds, failure, site=work.site, machine=end.machine)

    def _unfinished(self, waits: _Asked, work: Work) -> Result | None:
        now, holder = self._now(), work.holder
        gone = self._sightings.run_out(work, now, self._waiting.grace)
        said = "waits for an agent" if holder is None else f"is done by {holder.writer}"
        if said != waits.said:
            waits.said = said
            self._tell(f"step {waits.step.step} at {work.site}: {said}")
        if not (work.leases and gone):
            waits.lost_since = None
            return self._left(waits, work)
        since = waits.lost_since = now if waits.lost_since is None else waits.lost_since
        if not waits.step.place.spot and now - since < self._waiting.patience:
            return None
        if not self._give_up(work.name):
            return None
        why = f"its agent at {waits.step.place.site} gave it back, or shows no sign of life"
        return self._lost(waits, work, why)

    def _left(self, waits: _Asked, work: Work) -> Result | None:
        """None unless the step goes elsewhere though its machine was not taken away."""
        step, place = waits.step, waits.step.place
        if not place.spot:
            return None
        known = newest_first(self._site.state, step.run, step.step, step.key)
        saved = max((one.number for one in known), default=0)
        goes = self._waiting.leaves(step.step, place, work.holder is not None, saved)
        if goes is None or not self._give_up(work.name):
            return None
        why = f"it left {place.site} for {goes.site} {goes.machine}, to end in time"
        return self._lost(waits, work, why)

    def _lost(self, waits: _Asked, work: Work, why: str) -> Result:
        """Its machine is paid for the time that it was seen to hold the step."""
        place, failure = waits.step.place, Failure(INTERRUPTED, why)
        took = held_microseconds(self._site, work, waits.step)
        return Result((), took, failure, site=place.site, machine=place.machine)

    def _give_up(self, name: str) -> bool:
        """False if it ended meanwhile. Who knows of it completes it no more."""

        def decision(state: State) -> list[Draft]:
            return [leases.cancel(state, name, self._site.actor)]

        try:
            self._site.ledger.decide(decision)
        except FreeholdError as error:
            if error.code != "work.over":
                raise
            return False
        return True

    def _fail(self, error: BaseException) -> None:
        with self._changed:
            futures = [one.future for one in self._asked.values()]
            futures += [one.future for one in self._brought]
            self._asked, self._brought = {}, []
        for future in futures:
            future.set_exception(error)


def work_name(attempt: Attempt) -> str:
    """The same for the same attempt, whoever resumes the run; other code or inputs are another."""
    key = attempt.ready.key.digest.rpartition(":")[2][:8]
    return f"{attempt.run}.{attempt.ready.node.name}.{attempt.ordinal}-{key}"


def _as_asked(attempt: Attempt, back: bool) -> AskedStep:
    ready, needs = attempt.ready, attempt.ready.node.step.needs
    labels = inherited([*(one.labels for one in ready.inputs.values()), ready.labels])
    return AskedStep(
        run=attempt.run,
        step=ready.node.name,
        key=ready.key.digest,
        ordinal=attempt.ordinal,
        attempt=attempt.number,
        place=attempt.place,
        inputs=tuple(sorted({one.digest for one in ready.inputs.values()})),
        labels=labels,
        back=back,
        needs={"accelerators": needs.accelerators, "cpus": needs.cpus, "memory": needs.memory},
    )


def _world_of(attempt: Attempt) -> dict[str, object]:
    """What must be the same there, or the cache would lie; and whether its cache may be used."""
    parts = attempt.ready.key.components
    return {
        "cacheable": attempt.ready.cacheable,
        "code": parts["code"],
        "environment": parts["environment"],
        "timeout": attempt.ready.node.step.timeout,
    }
