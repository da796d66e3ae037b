"""What was consumed and is not metered yet, and up to where a log has been metered.

Fact
  usage.metered {until, rows, unpriced, costs: {currency: money}, carbon, storage, replicas, moved}
`until` is a moment, microseconds since 1970 UTC. `storage` is the sample that was taken last:
{at, stores: {name: bytes}}, or null; `replicas`: the endpoint replicas that were looked at, and up
to which moment each is metered; `moved`: names of the spooled counters that are in. Its rows are
those of the `usage.recorded` that stands beside it; without rows there is none.

Law. It covers all that its writer's log, and the logs that this one went on from, had told before
it: so a log may be left, and what was cut off be told again under another name, and every fact
still stands in one part.

Tables: `unmetered`, by writer and sequence: {fact, type, wall, …} of what waits; `metered`, by
writer: the body of its last `usage.metered`, with the fact's name; `logs_left`, by writer: the logs
that it went on from, the latest first.
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
KEPT: Mapping[str, tuple[str, ...]] = {
    "log.recorded": ("model", "file", "rows", "answered", "variants"),
    "step.failed": ("run", "step", "attempt", "microseconds", "site", "machine", "spot"),
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
        yield Change(METERED, fact.writer, {**body, "fact": fact.name})
        yield from _covered(fact, state, (fact.writer, *_logs_left(state, fact.writer)))
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
    elif _consumes(fact):
        kept = {name: body[name] for name in KEPT[fact.type] if name in body}
        row = {"body": kept, "fact": fact.name, "type": fact.type, "wall": fact.time.wall}
        yield Change(WAITING, f"{fact.writer}/{fact.sequence:012d}", row)


def _covered(fact: Fact, state: State, writers: Iterable[str]) -> Iterator[Change]:
    for writer in writers:
        for key, row in state.scan(WAITING, f"{writer}/"):
            if knew(state, fact, row["fact"]):
                yield Change(WAITING, key, None)


def _consumes(fact: Fact) -> bool:
    if fact.type == "log.recorded":
        return bool(fact.body["rows"])
    return not fact.body.get("cached") and fact.body.get("microseconds", 0) > 0


projection = Projection(
    name="metering",
    version=1,
    types=frozenset({*KEPT, "usage.metered", "log.continued", "key.replaced"}),
    fold=_fold,
)
