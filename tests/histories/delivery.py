"""Model versions, their verdicts, releases and aliases, bundles, and conflicts about them."""

from collections.abc import Sequence
from typing import Any

from freehold.catalog.bundles import next_number
from freehold.catalog.versions import next_version
from freehold.delivery.analysis import analysed
from freehold.delivery.bandit import Arm
from freehold.delivery.decision import Complete, Decide, Decision, Promote, Ready, Reweigh, Rollback
from freehold.delivery.observation import Observation
from freehold.delivery.orders import pause, resume
from freehold.delivery.releases import (
    Venue,
    aliases_of,
    conclude,
    confirm_back,
    releases_of,
    revoke,
    start,
    vouch,
)
from freehold.domain.errors import Conflict
from freehold.domain.fact import Draft
from freehold.domain.project import ReleaseSpec
from freehold.domain.projection import State
from freehold.domain.release import STRATEGIES, Release
from freehold.domain.statistics.estimate import Estimate
from freehold.replication.claims import conflicts_of, settle, unrecorded
from histories.desk import MODEL, PERSON, SITES, Act, Desk


def register(state: State, desk: Desk) -> Sequence[Draft]:
    """Sometimes under a number that another site takes too."""
    body = {
        "model": MODEL,
        "version": next_version(state, MODEL, desk.numbering),
        "run": f"run{desk.chance.randint(1, 3)}",
        "package": {"digest": desk.fresh_digest(), "size": 1},
        "attestations": {"evidence": desk.digest()},
        "headline": {"auc": 0.75},
        "champion": aliases_of(state, MODEL).get("champion"),
        "rows": {"training": 1, "evaluation": 1},
    }
    return [Draft("model.registered", body, actor=PERSON)]


def judge(state: State, desk: Desk) -> Sequence[Draft]:
    allowed = desk.likely(0.7)
    body = {
        "model": MODEL,
        "version": desk.version(state),
        "allowed": allowed,
        "rules": [] if allowed else [desk.any("fairness", "quality")],
        "policy": desk.digest(),
        "attestations": {"verdict": desk.fresh_digest()},
        "cost": desk.any(None, {"money": 1.5}),
    }
    return [Draft("model.judged", body, actor=PERSON)]


def bundle(state: State, desk: Desk) -> Sequence[Draft]:
    if desk.likely(0.5):
        body: dict[str, Any] = {
            "site": "edge",
            "model": MODEL,
            "version": desk.version(state),
            "package": desk.digest(),
            "number": next_number(state, "edge", MODEL, desk.numbering),
            "manifest": desk.digest(),
        }
        return [Draft("bundle.made", body, actor=PERSON)]
    replica = {"start": 1, "beat": 2, "ended": False, "seconds": {"1": 1.5}}
    box = {"box": desk.any("a", "b"), "number": 1, "files": desk.chance.randint(0, 3), "bytes": 7}
    kind, about = desk.any(
        ("event", {"type": "endpoint.refused", "at": 1, "code": "model.unsigned"}),
        ("replica", replica),
        ("state", {**box, "at": desk.chance.randint(1, 3)}),
    )
    body = {"site": "edge", "model": MODEL, "digest": desk.digest(), "kind": kind, "about": about}
    return [Draft("bundle.told", body, actor=PERSON)]


def begin(state: State, desk: Desk) -> Sequence[Draft]:
    where = tuple(sorted({desk.site, desk.any(*SITES)}))
    venue = Venue(desk.site, where, desk.numbering)
    how = desk.any(*STRATEGIES)
    try:
        return start(state, MODEL, desk.version(state), how, ReleaseSpec(), venue)
    except Conflict:
        return []


def _running(state: State, desk: Desk) -> Release | None:
    running = [one for one in releases_of(state, MODEL) if one.status == "running"]
    return desk.chance.choice(running) if running else None


def _ending(desk: Desk) -> Complete | Rollback:
    return Complete() if desk.likely(0.5) else Rollback("error-rate", 1, 0)


def move(state: State, desk: Desk) -> Sequence[Draft]:
    one = _running(state, desk)
    if one is None:
        return []
    effect = Estimate(0.5, 0.25, 0.75, count=9)
    arms = (Arm(9, 0.5, 0.25), Arm(9, 0.75, 0.25))
    if desk.likely(0.2):
        return conclude(state, one, _ending(desk), 10)
    ways: list[Decision] = [
        Decide("revenue", desk.any("version", "champion", "none"), effect),
        Reweigh(desk.any(20, 60), one.look + 1, 0.75, arms),
    ]
    if one.step + 1 < len(one.steps):
        ways.append(Promote(one.steps[one.step + 1]))
    return conclude(state, one, desk.chance.choice(ways), 10)


def look(state: State, desk: Desk) -> Sequence[Draft]:
    """At a running release: its figures, and a site's word on its step."""
    one = _running(state, desk)
    if one is None:
        return []
    seen = [Observation(10, 1)] * len(one.begun_at(desk.site))
    ready = vouch(state, one, Ready(desk.site), 10)
    return [analysed(one, _ending(desk), seen, desk.site), *ready]


def order(state: State, desk: Desk) -> Sequence[Draft]:
    one = _running(state, desk)
    return desk.any(pause, resume)(state, one.id) if one is not None else ()


def go_back(state: State, desk: Desk) -> Sequence[Draft]:
    back = [one for one in releases_of(state, MODEL) if one.status == "rolled-back"]
    return confirm_back(state, desk.chance.choice(back), desk.site) if back else ()


def point(state: State, desk: Desk) -> Sequence[Draft]:
    """A person moves an alias, or takes it away."""
    alias = desk.any("champion", "reference")
    body = {
        "model": MODEL,
        "alias": alias,
        "version": desk.any(None, desk.version(state), desk.version(state)),
        "previous": aliases_of(state, MODEL).get(alias),
        "release": "",
    }
    return [Draft("alias.moved", body, actor=PERSON)]


def take_out(state: State, desk: Desk) -> Sequence[Draft]:
    return revoke(state, MODEL, desk.version(state)) if desk.likely(0.1) else ()


def tell(state: State, desk: Desk) -> Sequence[Draft]:
    return unrecorded(state)


def end(state: State, desk: Desk) -> Sequence[Draft]:
    waiting = [one for one in conflicts_of(state) if one.open]
    return [settle(desk.chance.choice(waiting), PERSON)] if waiting else []


ACTS: tuple[Act, ...] = (
    *(register, judge, judge, bundle, begin, begin, move, move, move, look, look),
    *(order, order, go_back, point, take_out, tell, tell, end),
)
