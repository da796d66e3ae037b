"""How far the clocks of two sites are apart, told by what each had seen of the other.

A head was signed before it was seen. So where a fact of B had seen a head of A, the reading of B's
clock at the fact less that of A's at the head is at least the difference of the clocks: a bound
from above of clock(B) - clock(A); and one from below where A had seen B. Nothing else is known:
the message may have lain in a store for any time. (Bounds from messages in both directions are
those of Marzullo and Owicki, "Maintaining the Time in a Distributed System", 1983.)

Readings are those in checkpoints: the time of a fact itself never goes back, so that after a
clock was set back it would tell of a clock that is no more.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import orjson

from freehold.app.site.health.finding import Finding, Standing, duration
from freehold.domain.checkpoint import Checkpoint
from freehold.domain.fact import Fact, site_of
from freehold.ports.ledger import HeldLog, KeepsLogs
from freehold.replication.witness import sightings_of

WARNING, BAD = 60.0, 600.0
"""Seconds that two clocks are apart for certain."""
RECENT = 2000
"""Newest entries of a log that are looked through."""
SIGHTINGS = 50
"""Newest sightings of one log by another that count."""


@dataclass(frozen=True)
class Skew:
    """By how much one clock is ahead of another: seconds, negative where it is behind."""

    least: float | None = None
    """None: no bound from below."""
    most: float | None = None

    @property
    def contradicts(self) -> bool:
        """No single difference explains all: a clock was set in between."""
        return self.least is not None and self.most is not None and self.least > self.most

    @property
    def certain(self) -> float:
        """Seconds apart that nothing else explains."""
        return max(self.least or 0.0, -(self.most or 0.0), 0.0)


Pair = tuple[int, int]
"""Readings in microseconds: of whoever saw, at its fact; of whom it saw, at the head."""


def examine_clocks(ledger: KeepsLogs, own: str, now: int) -> list[Finding]:
    """Of each two sites whose logs are held. `own`: this site's name; `now`: its clock's reading
    in microseconds."""
    logs = _newest_logs(ledger.logs())
    seen = {site: _sightings(ledger, log) for site, log in logs.items()}
    findings = []
    for one, other in combinations(sorted(logs, key=lambda name: (name != own, name)), 2):
        ours = seen[one].get(logs[other].writer, [])
        theirs = seen[other].get(logs[one].writer, [])
        skew = bounds(ours, theirs)
        newest = logs[other].checkpoint
        if one == own and newest is not None:
            # What is here was signed before now.
            least = (newest.wall - now) / 1e6
            skew = Skew(max(least, skew.least if skew.least is not None else least), skew.most)
        findings.append(_judged(one, other, skew, bounds(ours[-1:], theirs[-1:])))
    return findings


def bounds(ours: Sequence[Pair], theirs: Sequence[Pair]) -> Skew:
    """Of the other clock against ours, the tightest. `ours`: what we saw of the other."""
    least = [(seen - reading) / 1e6 for reading, seen in ours]
    most = [(reading - seen) / 1e6 for reading, seen in theirs]
    return Skew(max(least, default=None), min(most, default=None))


def standing_of(apart: float) -> Standing:
    return "bad" if apart > BAD else "warning" if apart > WARNING else "good"


def told(skew: Skew) -> str:
    """`3 s to 5 s ahead`; as much as is known of it."""
    least, most = skew.least, skew.most
    if least is not None and least > 0:
        upper = f" and at most {duration(most)}" if most is not None else ""
        return f"ahead by at least {duration(least)}{upper}"
    if most is not None and most < 0:
        upper = f" and at most {duration(least)}" if least is not None else ""
        return f"behind by at least {duration(most)}{upper}"
    ahead = f"at most {duration(most)} ahead" if most is not None else ""
    behind = f"at most {duration(least)} behind" if least is not None else ""
    return ", ".join(part for part in (ahead, behind) if part)


def _judged(one: str, other: str, skew: Skew, latest: Skew) -> Finding:
    changed = skew.contradicts
    if changed:
        skew = latest
    if skew.least is None and skew.most is None:
        what = f"the clocks of {other} and {one} cannot be compared yet"
        return Finding("clock", "good", what, why="neither saw the other's facts", about=other)
    why = "bounds from which facts had seen which; the truth lies between them"
    if changed:
        why = "a clock was set in between: the newest facts alone do not give one difference"
        if not skew.contradicts:
            why = "by the newest facts alone, since a clock was set in between"
    what = f"{other}'s clock against {one}'s: {told(skew)}"
    if changed and skew.contradicts:
        what = f"{other}'s clock or {one}'s was set to another time since they met"
        return Finding("clock", "warning", what, why=why, hint="freehold sync", about=other)
    standing = standing_of(skew.certain)
    hint = (
        "" if standing == "good" else f"set the clock that is wrong, of {other} or of {one}: {NTP}"
    )
    return Finding("clock", standing, what, why=why, hint=hint, about=other)


NTP = "`timedatectl set-ntp true`; nothing that was recorded has to change"


def _newest_logs(logs: Sequence[HeldLog]) -> dict[str, HeldLog]:
    """By site, the log that it wrote to last: sightings in older ones tell of older clocks."""
    found: dict[str, HeldLog] = {}
    for log in logs:
        if log.checkpoint is None or log.checkpoint.writer != log.writer:
            continue
        known = found.get(site_of(log.writer))
        known_wall = known.checkpoint.wall if known and known.checkpoint else -1
        if log.checkpoint.wall > known_wall:
            found[site_of(log.writer)] = log
    return found


def _sightings(ledger: KeepsLogs, log: HeldLog) -> Mapping[str, list[Pair]]:
    """By the writer that was seen, the newest last."""
    found: dict[str, list[Pair]] = defaultdict(list)
    for fact in _seeing(ledger, log):
        after = _checkpoint_of(ledger, log.writer, fact.sequence + 1, exact=False)
        for seen in sightings_of(fact):
            # Another checkpoint than the one that was seen may be later, and bounds nothing.
            before = _checkpoint_of(ledger, seen.writer, seen.size, exact=True)
            if after is not None and before is not None:
                found[seen.writer].append((after.wall, before.wall))
    return {writer: pairs[-SIGHTINGS:] for writer, pairs in found.items()}


def _seeing(ledger: KeepsLogs, log: HeldLog) -> Iterator[Fact]:
    for _, line in ledger.log_lines(log.writer, max(0, log.size - RECENT)):
        if b'"seen":{}' in line:
            continue
        try:
            fact = Fact.from_json(orjson.loads(line))
        except ValueError:
            continue  # damaged: `freehold audit verify` names it
        if fact.seen:
            yield fact


def _checkpoint_of(ledger: KeepsLogs, writer: str, size: int, *, exact: bool) -> Checkpoint | None:
    """The first that covers so many entries."""
    found = next(ledger.log_checkpoints(writer, size - 1), None)
    if found is None or found.writer != writer or (exact and found.size != size):
        return None
    return found
