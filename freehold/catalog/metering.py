"""What was consumed and is not metered yet, up to where a log has been metered, what it came to.

Fact
  usage.metered {until, rows, spent, tags, storage, replicas, moved}
`until` is a moment, microseconds since 1970 UTC. `spent`: the rows, summed: [{day, site, kind,
model, version, pipeline, run, currency, money, carbon, rows, unpriced}], where `unpriced` counts
rows of unknown price, `carbon` is kgCO2e or null, and what is not known is empty; `tags`: those of
the project then. `storage`: {name: {at, bytes}} as it was looked at last; `replicas`: {file: {beat,
seconds: {version: seconds}}}, `moved`: {file: {until, moves}}: up to where each is metered. The
rows are those of the `usage.recorded` that stands beside it; without rows there is none.

Law. It covers all that its writer's log, and the logs that this one went on from, had told before
it: so a log may be left, and what was cut off be told again under another name, and every fact
still stands in one part.

What a bundle's replica served comes as `bundle.told`, each time with all its seconds: what waits is
what it served since it told last.

Tables: `unmetered`, by writer and sequence: {fact, type, wall, body} of what waits; `metered`, by
writer: the body of its last `usage.metered`, with the fact's name; `logs_left`, by writer: the logs
that it went on from, the latest first; `spent`, by day, and `spent_by_run`: what was summed;
`spent_months`: those of which there is anything; `edge_replicas`, by site, model and start: {beat,
seconds} as a bundle's replica told last.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from freehold.domain.fact import Fact, site_of, writer_name
from freehold.domain.ordering import knew
from freehold.domain.projection import Change, Projection, State

WAITING = "unmetered"
METERED = "metered"
LEFT = "logs_left"
SPENT = "spent"
MONTHS = "spent_months"
SPENT_BY_RUN = "spent_by_run"
EDGE = "edge_replicas"
KEPT: Mapping[str, tuple[str, ...]] = {
    "log.recorded": ("model", "file", "rows", "answered", "variants", "edge"),
    "step.failed": ("run", "step", "attempt", "microseconds", "site", "machine", "spot"),
    "step.interrupted": ("run", "step", "attempt", "microseconds", "site", "machine", "spot"),
    "step.finished": ("run", "step", "microseconds", "site", "machine", "spot"),
}
"""Type of a fact → what of its body metering asks for, where it is there."""


@dataclass(frozen=True)
class Consumed:
    """A fact that tells of something consumed."""

    fact: str
    type: str
    wall: int
    """When it was recorded, microseconds since 1970 UTC."""
    body: Mapping[str, Any]


@dataclass(frozen=True)
class Spent:
    """Rows of one metering that agree in all but their amounts."""

    day: str
    """ISO date, UTC."""
    site: str
    kind: str
    model: str
    version: str
    pipeline: str
    run: str
    currency: str
    money: float
    carbon: float | None
    """kgCO2e; None where it is unknown of all rows."""
    rows: int
    unpriced: int
    tags: Mapping[str, str]
    """The project's."""
    by: str
    """The site that metered it."""

    @property
    def all_tags(self) -> dict[str, str]:
        named = ("site", "model", "version", "pipeline", "run")
        known = {name: getattr(self, name) for name in named}
        return {**self.tags, **{name: value for name, value in known.items() if value}}


def spent_in(state: State, since: str = "", until: str = "9999") -> Iterator[Spent]:
    """By day, ISO dates from `since` to before `until`; of all sites."""
    for month in _months(state, since, until):
        for _, row in state.scan(SPENT, f"{month}-"):
            if since <= row["day"] < until:
                yield Spent(**row)


def spent_by(state: State, run: str) -> tuple[Spent, ...]:
    """What a run has come to, so far as it is metered."""
    return tuple(Spent(**row) for _, row in state.scan(SPENT_BY_RUN, f"{run}/"))


def _months(state: State, since: str, until: str) -> list[str]:
    months = [key for key, _ in state.scan(MONTHS)]
    return [one for one in months if since[:7] <= one <= until[:7]]


def unmetered(state: State, writer: str) -> tuple[Consumed, ...]:
    """What a log, and the logs that it went on from, told and no part has yet; in their order."""
    return tuple(
        Consumed(row["fact"], row["type"], row["wall"], row["body"])
        for one in reversed((writer, *_logs_left(state, writer)))
        for _, row in state.scan(WAITING, f"{one}/")
    )


def last_metering(state: State, writer: str) -> dict[str, Any] | None:
    """The body of the last `usage.metered` of a log or of those that it went on from, with `fact`,
    its name; None if there is none."""
    for one in (writer, *_logs_left(state, writer)):
        row: dict[str, Any] | None = state.get(METERED, one)
        if row is not None:
            return row
    return None


def _logs_left(state: State, writer: str) -> tuple[str, ...]:
    return tuple(state.get(LEFT, writer) or ())


def _fold(fact: Fact, state: State) -> Iterable[Change]:
    body = fact.body
    if fact.type == "usage.metered":
        kept = {name: body[name] for name in ("until", "storage", "replicas", "moved")}
        yield Change(METERED, fact.writer, {**kept, "fact": fact.name})
        yield from _covered(fact, state, (fact.writer, *_logs_left(state, fact.writer)))
        yield from _spent(fact)
    elif fact.type == "log.continued":
        left = (str(body["left"]), *_logs_left(state, str(body["left"])))
        yield Change(LEFT, fact.writer, list(left))
        if state.get(METERED, fact.writer) is not None:
            # It was metered before it was cut off and told again here.
            yield from _covered(fact, state, left)
    elif fact.type == "key.replaced":
        new = writer_name(site_of(fact.writer), str(body["key"]))
        if state.get(LEFT, new) is None and new != fact.writer:
            yield Change(LEFT, new, [fact.writer, *_logs_left(state, fact.writer)])
    elif fact.type == "bundle.told":
        if body["kind"] == "replica":
            yield from _served(fact, state)
    elif _consumes(fact):
        kept = {name: body[name] for name in KEPT[fact.type] if name in body}
        row = {"body": kept, "fact": fact.name, "type": fact.type, "wall": fact.time.wall}
        yield Change(WAITING, f"{fact.writer}/{fact.sequence:012d}", row)


def _served(fact: Fact, state: State) -> Iterator[Change]:
    body, about = fact.body, fact.body["about"]
    key = f"{body['site']}/{body['model']}/{about['start']:020d}"
    before = state.get(EDGE, key) or {"beat": about["start"], "seconds": {}}
    known = before["seconds"]
    longer = {
        version: seconds
        for version, seconds in about["seconds"].items()
        if seconds > known.get(version, 0.0)
    }
    if not longer:
        return
    beat = max(before["beat"], about["beat"])
    yield Change(EDGE, key, {"beat": beat, "seconds": {**known, **longer}})
    kept = {
        "site": body["site"],
        "model": body["model"],
        "replica": about["start"],
        "start": before["beat"],
        "beat": beat,
        "seconds": {one: seconds - known.get(one, 0.0) for one, seconds in longer.items()},
    }
    row = {"body": kept, "fact": fact.name, "type": fact.type, "wall": fact.time.wall}
    yield Change(WAITING, f"{fact.writer}/{fact.sequence:012d}", row)


def _spent(fact: Fact) -> Iterator[Change]:
    for place, one in enumerate(fact.body["spent"]):
        row = {**one, "by": site_of(fact.writer), "tags": fact.body["tags"]}
        yield Change(MONTHS, row["day"][:7], {})
        yield Change(SPENT, f"{row['day']}/{fact.name}/{place:06d}", row)
        if row["run"]:
            yield Change(SPENT_BY_RUN, f"{row['run']}/{fact.name}/{place:06d}", row)


def _covered(fact: Fact, state: State, writers: Iterable[str]) -> Iterator[Change]:
    for writer in writers:
        for key, row in state.scan(WAITING, f"{writer}/"):
            if knew(state, fact, row["fact"]):
                yield Change(WAITING, key, None)


def _consumes(fact: Fact) -> bool:
    if fact.type == "log.recorded":
        return bool(fact.body["rows"] or fact.body.get("sampled_out"))
    return not fact.body.get("cached") and fact.body.get("microseconds", 0) > 0


projection = Projection(
    name="metering",
    version=3,
    types=frozenset({*KEPT, "bundle.told", "usage.metered", "log.continued", "key.replaced"}),
    fold=_fold,
)
