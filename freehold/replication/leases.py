"""Work that is asked of a site, leased to one of its agents at a time.

Facts (numbers, names and codes only)
  work.requested {work, site, pipeline, parameters, parameters_attachment}
                 parameters: those that are not text; the others are in the attachment, if any
                 version 2, one attempt of a step: also {kind: step, run, step, key, ordinal,
                 attempt, machine, spot, inputs, labels, back, needs}; its manifest is attached
  lease.taken    {work, fence, seconds}   fence: 1 + the highest that its writer knew of this work
  lease.renewed  {work, fence}
  lease.released {work, fence}            given back unfinished
  work.completed {work, fence, run, status, version, code}
                 status `finished` or `failed`, version null where none was made, code of the error
                 version 2, of a step: also {outputs, machine, microseconds, cached, failure}
  work.cancelled {work}

Laws
- A lease is taken by a writer of the site that was asked. It keeps agents from doing the same
  twice; that nothing is accepted twice does not rest on it.
- One completion is accepted: the first, in the common order of facts, whose writer holds a lease
  of its fence, has not released it, and knew neither a lease with a higher fence nor a
  cancellation. All others are kept as superseded.
- The state is a function of the set of facts. A completion that arrives later and stands earlier
  in the common order takes the place of the one that was accepted until then, on every site.
- A cancellation holds unless work is completed by a writer that did not know of it.
- No clocks of two machines are compared. Whether a lease has run out is for each agent to say, by
  its own monotonic clock, from when it itself saw the last sign of life: `Sightings`.

Table `work`, by work, as Work.as_json() gives it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import fields, replace
from typing import Any

from freehold.domain.errors import Conflict, NotFound
from freehold.domain.fact import Draft, Fact, site_of
from freehold.domain.ordering import knew
from freehold.domain.projection import Change, Projection, State
from freehold.replication.work import AskedStep, Completion, Lease, Work

WORK = "work"


class Sightings:
    """When an agent saw the last sign of life of each lease, by its own monotonic clock.

    It forgets everything when the agent ends: a new one waits the whole time again.
    """

    def __init__(self) -> None:
        self._seen: dict[str, tuple[tuple[str, ...], float]] = {}

    def run_out(self, work: Work, now: float, grace: float) -> bool:
        """Whether nobody has shown, since this agent looked first, that the work is being done.

        `now` and `grace` in seconds. To be asked at every look at the work.
        """
        pulses = tuple(lease.pulse for lease in work.standing_leases)
        if not pulses:
            return True
        before, since = self._seen.get(work.name, ((), now))
        if before != pulses:
            since = now
        self._seen[work.name] = (pulses, since)
        longest = max(lease.seconds for lease in work.standing_leases)
        return now - since > longest + grace

    def forget(self, names: Iterable[str]) -> None:
        """All but these."""
        kept = set(names)
        self._seen = {name: seen for name, seen in self._seen.items() if name in kept}


def all_work(state: State, site: str = "") -> Iterator[Work]:
    """Asked of this site, or of any, by name."""
    for _, row in state.scan(WORK):
        if not site or row["site"] == site:
            yield Work.from_json(row)


def open_work(state: State, site: str = "") -> list[Work]:
    """What is neither completed nor cancelled; asked first, first."""
    found = [one for one in all_work(state, site) if one.open]
    return sorted(found, key=lambda one: (one.wall, one.name))


def work_of(state: State, name: str) -> Work:
    """Raises NotFound `work.not-found`."""
    row = state.get(WORK, name)
    if row is None:
        raise NotFound(
            f"there is no work {name}",
            why="nobody asked for it, or this site has not heard of it yet",
            hint="`freehold work` lists what was asked; `freehold sync` brings news",
            code="work.not-found",
        )
    return Work.from_json(row)


def attachments_wanted(state: State, site: str) -> tuple[str, ...]:
    """Names of the attachments without which the site cannot do what is asked of it."""
    found = (one.parameters_attachment for one in open_work(state, site))
    return tuple(sorted({name for name in found if name}))


def steps_asked(state: State, run: str, step: str = "") -> Iterator[Work]:
    """Attempts of a run's steps, or of one of them, that were asked of other sites, by name."""
    for one in all_work(state):
        if one.step is not None and one.step.run == run and step in ("", one.step.step):
            yield one


def ask_step(state: State, name: str, asked: AskedStep, manifest: str, actor: str) -> list[Draft]:
    """`manifest` is the name of the attachment. None if it was asked already, by whom ever: the
    name says which attempt it is. Call it inside `decide`."""
    if state.get(WORK, name) is not None:
        return []
    run = state.get("runs", asked.run) or {}
    body = {
        **asked.as_json(),
        "kind": "step",
        "parameters": {},
        "parameters_attachment": manifest,
        "pipeline": run.get("pipeline", ""),
        "site": asked.place.site,
        "work": name,
    }
    cause = (run["fact"],) if "fact" in run else ()
    return [Draft("work.requested", body, 2, cause=cause, actor=actor)]


def take(state: State, seen: Work, seconds: float, actor: str) -> tuple[Draft, ...]:
    """Takes work that is free as it was seen; none if anything was said of it since. Call it
    inside `Ledger.decide`."""
    now = work_of(state, seen.name)
    if not now.open or now.standing_leases != seen.standing_leases or now.fence != seen.fence:
        return ()
    body = {"work": now.name, "fence": now.fence + 1, "seconds": seconds}
    return (Draft("lease.taken", body, cause=(now.requested,), actor=actor),)


def renew(state: State, name: str, held: Lease, actor: str) -> tuple[Draft, ...]:
    """None when the lease no longer stands, or the work is over. Call it inside `decide`."""
    now = work_of(state, name)
    lease = now.lease_of(held.writer)
    if not now.open or lease is None or lease.fence != held.fence:
        return ()
    return (_of_lease("lease.renewed", name, held, actor),)


def release(state: State, name: str, held: Lease, actor: str) -> tuple[Draft, ...]:
    """Gives it back unfinished; none when there is nothing to give. Call it inside `decide`."""
    return tuple(replace(draft, type="lease.released") for draft in renew(state, name, held, actor))


def complete(state: State, name: str, held: Lease, end: Completion, actor: str) -> Draft | None:
    """None if this lease's completion stands already. Call it inside `decide`.

    It may be superseded at once: what the writer did stands in its log all the same.
    """
    now = work_of(state, name)
    before = (*now.superseded, *(() if now.completion is None else (now.completion,)))
    if any((one.writer, one.fence) == (held.writer, held.fence) for one in before):
        return None
    body = {
        "code": end.code,
        "fence": held.fence,
        "run": end.run,
        "status": end.status,
        "version": end.version,
        "work": name,
    }
    if now.step is None:
        return Draft("work.completed", body, cause=(held.taken,), actor=actor)
    told = end.as_json()
    body |= {one: told[one] for one in ("cached", "failure", "machine", "microseconds", "outputs")}
    return Draft("work.completed", body, 2, cause=(held.taken,), actor=actor)


def cancel(state: State, name: str, actor: str) -> Draft:
    """Call it inside `decide`. Raises NotFound, Conflict `work.over`."""
    now = work_of(state, name)
    if not now.open:
        raise Conflict(
            f"work {name} is over: {now.standing}",
            why="only what waits or is being done can be cancelled",
            hint=f"`freehold work` shows what became of it; `freehold run --at {now.site}` asks"
            " again",
            code="work.over",
        )
    return Draft("work.cancelled", {"work": name}, cause=(now.requested,), actor=actor)


def _of_lease(kind: str, name: str, held: Lease, actor: str) -> Draft:
    body = {"work": name, "fence": held.fence}
    return Draft(kind, body, cause=(held.taken,), actor=actor)


def _fold(fact: Fact, state: State) -> Iterable[Change]:
    row = state.get(WORK, fact.body["work"])
    if fact.type == "work.requested":
        if row is None:
            yield Change(WORK, fact.body["work"], _requested(fact).as_json())
        return
    if row is None:
        return
    before = Work.from_json(row)
    after = _after(before, fact, state)
    if after != before:
        yield Change(WORK, before.name, after.as_json())


def _requested(fact: Fact) -> Work:
    body = fact.body
    return Work(
        name=body["work"],
        site=body["site"],
        pipeline=body["pipeline"],
        parameters=body["parameters"],
        parameters_attachment=body["parameters_attachment"],
        requested=fact.name,
        wall=fact.time.wall,
        actor=fact.actor,
        step=AskedStep.from_json(body, body["site"]) if body.get("kind") == "step" else None,
    )


def _after(work: Work, fact: Fact, state: State) -> Work:
    match fact.type:
        case "lease.taken":
            return _taken(work, fact, state)
        case "lease.renewed":
            return _with_lease(work, fact, pulse=fact.name)
        case "lease.released":
            return _with_lease(work, fact, released=True)
        case "work.completed":
            return _completed(work, fact, state)
    return replace(work, cancelled=(*work.cancelled, fact.name))


def _taken(work: Work, fact: Fact, state: State) -> Work:
    known = [one.fence for one in work.leases if knew(state, fact, one.taken)]
    fence = fact.body["fence"]
    if site_of(fact.writer) != work.site or fence != 1 + max(known, default=0):
        return work
    lease = Lease(fence, fact.writer, fact.body["seconds"], fact.name, fact.name)
    return replace(work, leases=(*work.leases, lease))


def _with_lease(work: Work, fact: Fact, **changes: Any) -> Work:
    """The writer's own lease of the fact's fence, changed."""
    its = (fact.body["fence"], fact.writer)
    return replace(
        work,
        leases=tuple(
            replace(one, **changes) if (one.fence, one.writer) == its else one
            for one in work.leases
        ),
    )


def _completed(work: Work, fact: Fact, state: State) -> Work:
    body = fact.body
    told = {one: body[one] for one in _ENDING if one in body}
    end = Completion.from_json({**told, "fact": fact.name, "writer": fact.writer})
    if work.completion is None and _is_entitled(work, fact, state):
        return replace(work, completion=end)
    return replace(work, superseded=(*work.superseded, end))


_ENDING = tuple(one.name for one in fields(Completion))


def _is_entitled(work: Work, fact: Fact, state: State) -> bool:
    if any(knew(state, fact, name) for name in work.cancelled):
        return False
    fence, holds = fact.body["fence"], False
    for lease in work.leases:
        if lease.fence > fence and knew(state, fact, lease.taken):
            return False
        if (lease.fence, lease.writer) == (fence, fact.writer):
            holds = not lease.released
    return holds


projection = Projection(
    name="leases",
    version=2,
    types=frozenset(
        {
            "lease.released",
            "lease.renewed",
            "lease.taken",
            "work.cancelled",
            "work.completed",
            "work.requested",
        }
    ),
    fold=_fold,
)
