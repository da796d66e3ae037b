"""Traffic and what it came to, signals and proposals, money, holds, and whose log is believed."""

from collections.abc import Sequence
from typing import Any

from freehold.catalog import spending
from freehold.catalog.budgets import BudgetRequest, requests_of, word
from freehold.catalog.endpoint_events import draft_of
from freehold.catalog.metering import last_metering, unmetered
from freehold.catalog.retention import holds
from freehold.domain.checkpoint import Checkpoint
from freehold.domain.fact import Draft
from freehold.domain.project import MonitoringSpec
from freehold.domain.projection import State
from freehold.domain.signal import Kind, Signal, Window
from freehold.monitoring import proposals
from freehold.monitoring.assessments import assessed
from freehold.monitoring.signals import Observation
from freehold.replication.installed import told
from histories.desk import DAY, DAYS, MODEL, PERSON, SITES, Act, Desk

_NEXT: dict[str, tuple[proposals.Settling, ...]] = {
    "made": ("approved", "rejected"),
    "approved": ("done", "failed"),
}


def _file(desk: Desk) -> str:
    return f"part-{desk.chance.randint(1, 4)}.parquet"


def answer(state: State, desk: Desk) -> Sequence[Draft]:
    """A part of a request log; of a name that may be another's too."""
    first = DAY * desk.chance.randint(20_000, 20_002) + 7
    body = {
        "model": MODEL,
        "file": _file(desk),
        "digest": desk.digest(),
        "rows": desk.any(0, 9),
        "sampled_out": desk.any(0, 3),
        "first": first,
        "last": first + 5,
        "answered": first + desk.any(6, DAY),
        "variants": [{"version": 1, "requests": 4, "rows": 8, "failed": desk.any(0, 1)}],
    }
    return [Draft("log.recorded", {**body, "edge": "edge"} if desk.likely(0.2) else body)]


def come_true(state: State, desk: Desk) -> Sequence[Draft]:
    body = {"model": MODEL, "artifact": desk.digest(), "rows": 5, "first": 1, "last": DAY}
    return [Draft("labels.added", body, actor=PERSON)]


def serve(state: State, desk: Desk) -> Sequence[Draft]:
    variants = [{"version": 1, "digest": desk.digest(), "weight": 100, "alias": "champion"}]
    routing = desk.chance.randint(1, 5)
    event = desk.any(
        {"type": "endpoint.loaded", "at": 1, "model": MODEL, "routing": routing}
        | {"variants": variants},
        {"type": "endpoint.refused", "at": 1, "code": "model.unsigned"},
        {"type": "endpoint.stopped", "at": 1, "rows": 9, "dropped": 0},
        {"type": "endpoint.log-failed", "at": 1, "code": "storage.failed"},
    )
    return [draft_of(f"{desk.chance.randint(1, 6)}.json", event)]


def watch(state: State, desk: Desk) -> Sequence[Draft]:
    """What a day's look records: figures, signals, and what is proposed for them."""
    day, version = desk.any(*DAYS), desk.version(state)
    window = Window("2026-11-01", day)
    drafts = [assessed(Observation(MODEL, version, window), desk.fresh_digest())]
    kinds: tuple[Kind, ...] = ("score-drift", "quality", "objective")
    kind = desk.any(*kinds)
    value = desk.any(0.5, 0.75)
    signal = Signal(kind, MODEL, version, None, value, 0.25, 0.3, 0.9, 0.95, 700, window)
    if desk.likely(0.7):
        drafts.append(proposals.raised(signal, ("+0",)))
    history = proposals.proposals_of(state, MODEL)
    wish = proposals.propose([signal], history, day, MonitoringSpec(cool_down_days=0))
    return drafts if wish is None else [*drafts, proposals.made(wish)]


def act(state: State, desk: Desk) -> Sequence[Draft]:
    known = [one for one in proposals.proposals_of(state, MODEL) if one.open]
    if not known:
        return []
    one = desk.chance.choice(known)
    how, version = desk.any(*_NEXT[one.standing]), desk.version(state)
    return [
        proposals.settle(
            one, how, desk.any(*DAYS), actor=PERSON, made_version=version, code="run.failed"
        )
    ]


def budget(state: State, desk: Desk) -> Sequence[Draft]:
    asked = [one for one in requests_of(state) if one.standing == "asked"]
    if asked and desk.likely(0.6):
        return [word(desk.chance.choice(asked), desk.any("approved", "rejected"), PERSON)]
    share = desk.any(None, 7.5)
    name, month = desk.any("all", "train"), desk.any("2026-10", "2026-11")
    return [BudgetRequest(name, desk.digest(), month, "EUR", 100.0, 99.5, share).asking]


def meter(state: State, desk: Desk) -> Sequence[Draft]:
    """All that waits, as the product does: the rows, and up to where."""
    waiting = unmetered(state, desk.writer)
    last = last_metering(state, desk.writer) or {}
    spent = [
        {"day": desk.any(*DAYS), "site": desk.site, "kind": "step", "model": "", "version": ""}
        | {"pipeline": "train", "run": str(one.body.get("run", "")), "currency": "EUR"}
        | {"money": 0.25, "carbon": desk.any(None, 0.5), "rows": 1, "unpriced": 0}
        for one in waiting
    ]
    used = {
        "artifact": desk.fresh_digest(),
        "rows": len(spent),
        "first": desk.now,
        "last": desk.now,
    }
    body = {
        "until": desk.now,
        "rows": len(spent),
        "spent": spent,
        "tags": {"team": "flights"},
        "storage": {**last.get("storage", {}), desk.site: {"at": desk.now, "bytes": 9}},
        "replicas": {"r.json": {"beat": desk.now, "seconds": {"1": 1.5}}},
        "moved": {},
    }
    metered = Draft("usage.metered", body, actor=PERSON)
    if not spent:
        return [metered]
    return [
        Draft("usage.recorded", {**used, "kind": "mixed", "site": desk.site}, actor=PERSON),
        metered,
    ]


def bill(state: State, desk: Desk) -> Sequence[Draft]:
    provider, period = desk.any("AWS", "Azure"), desk.any("2026-09", "2026-10")
    before = spending.bill_of(state, provider, "1/2", period)
    body = {
        "artifact": desk.fresh_digest(),
        "digest": desk.digest(),
        "rows": 3,
        "provider": provider,
        "account": "1/2",
        "period": period,
        "currency": "EUR",
        "first": DAY,
        "last": 2 * DAY,
        "replaces": before.artifact if before else "",
    }
    return [Draft("bill.imported", body, actor=PERSON)]


def hold(state: State, desk: Desk) -> Sequence[Draft]:
    """Of a name that another site may give too, to something else."""
    standing = holds.holds_of(state)
    if standing and desk.likely(0.5):
        return [holds.release(state, desk.chance.choice(standing).hold)]
    about = ("somebody", desk.chance.randint(1, 3))
    return [holds.place(state, "digest", desk.any("", desk.digest()), "", about)]


def collect(state: State, desk: Desk) -> Sequence[Draft]:
    names = ("objects", "bytes", "parts", "part_bytes", "kept", "kept_bytes", "noted")
    body = {name: desk.chance.randint(0, 9) for name in names}
    return [Draft("storage.collected", body, actor=PERSON)]


def install(state: State, desk: Desk) -> Sequence[Draft]:
    """The first of a log says which release writes it; a later one says that another does."""
    release = desk.any("0.1.0", "0.2.0")
    if desk.likely(0.5):
        return [Draft("site.opened", {"site": desk.site, "key": "sha256:1", "freehold": release})]
    return told(state, desk.writer, release)


def believe(state: State, desk: Desk) -> Sequence[Draft]:
    body = {"site": desk.any(*SITES), "key": desk.digest()}
    return [Draft("site.trusted", body, actor=PERSON)]


def accuse(state: State, desk: Desk) -> Sequence[Draft]:
    """Of one of two logs that nobody of the three has."""
    writer = desk.any("edge-00000001", "edge-00000002")
    earlier, later = (
        Checkpoint(writer, size, f"{size:064x}", 1, desk.digest(), "00").as_json()
        for size in (3, 4)
    )
    ways: tuple[dict[str, Any], ...] = (
        {"code": "log.rewritten", "later": later, "seen_by": None},
        {"code": "log.disputed", "later": None, "seen_by": "aws-00000000/1"},
    )
    body = {**desk.any(*ways), "writer": writer, "earlier": earlier}
    return [Draft("log.accused", body)]


ACTS: tuple[Act, ...] = (
    *(answer, answer, come_true, serve, watch, watch, act, act, budget, budget),
    *(meter, bill, hold, hold, collect, install, believe, accuse),
)
