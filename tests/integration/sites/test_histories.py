"""Random histories of three sites, of the product's own facts, fold to one state everywhere.

The sites keep theirs in SQLite and fold what arrives as it arrives; a ledger in memory that folds
everything at once says what is right.
"""

import random
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from typing import cast

import pytest

from freehold.adapters.memory.ledger import MemoryLedger
from freehold.adapters.sqlite.ledger import SqliteLedger
from freehold.app.site.opening import PROJECTIONS
from freehold.delivery.decision import Complete, Promote, Ready, Rollback
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
from freehold.delivery.standing import is_revoked
from freehold.domain.errors import Conflict
from freehold.domain.fact import Draft
from freehold.domain.numbering import Numbering
from freehold.domain.project import ReleaseSpec
from freehold.domain.projection import State
from freehold.domain.release import STRATEGIES
from freehold.ports.contracts.kept_logs import MergingLedger, copy_all, size_of, stretch
from freehold.ports.contracts.signer import TransientSigner
from freehold.replication.claims import conflicts_of, settle, unrecorded

NAMES = ("onprem", "aws", "azure")
HOUR = 3_600_000_000
TABLES = (
    "accused",
    "aliases",
    "cache",
    "claims",
    "conflicts",
    "recent_steps",
    "releases",
    "revoked",
    "runs",
    "seen",
    "steps",
    "stopped",
    "versions",
    "wanted",
)
Act = Callable[[State, str, random.Random], Sequence[Draft]]


def _version(state: State, chance: random.Random) -> int:
    known = [row["version"] for _, row in state.scan("versions")]
    return chance.choice(known or [1])


def register(state: State, site: str, chance: random.Random) -> Sequence[Draft]:
    """Sometimes under a number that another site takes too."""
    known = [row["version"] for _, row in state.scan("versions")]
    numbering = Numbering(NAMES.index(site), 3) if chance.random() < 0.7 else Numbering()
    number = numbering.after(max(known, default=0))
    body = {
        "model": "m",
        "version": number,
        "run": f"r{number}{site}",
        "package": {"digest": f"sha256:{site}{number}", "size": 1},
        "attestations": {},
        "headline": {},
        "champion": None,
        "rows": {"training": 1, "evaluation": 1},
    }
    judged = {
        "model": "m",
        "version": number,
        "allowed": chance.random() < 0.9,
        "rules": [],
        "policy": "p",
        "attestations": {},
    }
    return [Draft("model.registered", body), Draft("model.judged", judged)]


def begin(state: State, site: str, chance: random.Random) -> Sequence[Draft]:
    where = tuple(sorted({site, chance.choice(NAMES)}))
    venue = Venue(site, where, Numbering(NAMES.index(site), 3))
    how = chance.choice(list(STRATEGIES))
    try:
        return start(state, "m", _version(state, chance), how, ReleaseSpec(), venue)  # type: ignore[arg-type]
    except Conflict:
        return []


def move(state: State, site: str, chance: random.Random) -> Sequence[Draft]:
    running = [one for one in releases_of(state, "m") if one.status == "running"]
    if not running:
        return []
    one = chance.choice(running)
    ways = [Complete(), Rollback("error-rate", 1, 0)]
    if one.step + 1 < len(one.steps):
        ways.append(Promote(one.steps[one.step + 1]))  # type: ignore[arg-type]
    return conclude(state, one, chance.choice(ways), 10)


def say(state: State, site: str, chance: random.Random) -> Sequence[Draft]:
    """A person's words to a release, a site's word on its step, and that it went back."""
    found = list(releases_of(state, "m"))
    if not found:
        return []
    one = chance.choice(found)
    if one.status == "rolled-back":
        return confirm_back(state, one, site)
    if one.status == "completed":
        return []
    way = chance.choice([pause, resume, None])
    return way(state, one.id) if way else vouch(state, one, Ready(site), 10)


def take_out(state: State, site: str, chance: random.Random) -> Sequence[Draft]:
    return revoke(state, "m", _version(state, chance)) if chance.random() < 0.3 else []


def step(state: State, site: str, chance: random.Random) -> Sequence[Draft]:
    run, name = f"run{chance.randint(1, 3)}", f"step{chance.randint(1, 2)}"
    if state.get("runs", run) is None:
        body = {"run": run, "pipeline": "p", "parameters": {}, "steps": 2}
        return [Draft("run.started", body)]
    if chance.random() < 0.3:
        body = {"run": run, "step": name, "function": "f", "code": "c"}
        return [Draft("step.failed", {**body, "attachment": "", "attempt": 1})]
    output = {"digest": f"sha256:{site}{chance.random()}", "format": "json", "size": 1}
    body = {
        "run": run,
        "step": name,
        "function": "f",
        "key": f"k{chance.randint(1, 3)}",
        "components": {},
        "inputs": [],
        "outputs": [output],
        "cached": chance.random() < 0.2,
        "microseconds": 1,
    }
    return [Draft("step.finished", body)]


def tell(state: State, site: str, chance: random.Random) -> Sequence[Draft]:
    return unrecorded(state)


def end(state: State, site: str, chance: random.Random) -> Sequence[Draft]:
    waiting = [one for one in conflicts_of(state) if one.open]
    return [settle(chance.choice(waiting), "person-1")] if waiting else []


ACTS: tuple[Act, ...] = (
    *(register, begin, begin, move, move, say, take_out, step, step, tell, end),
)


def tables(state: State) -> dict[str, list[object]]:
    return {table: list(state.scan(table)) for table in TABLES}


def opened(folder: Path, site: str, wall: int) -> MergingLedger:
    return cast(
        MergingLedger,
        SqliteLedger(
            folder / f"{site}.db",
            writer=f"{site}-00000000",
            signer=TransientSigner(),
            clock=count(wall, 1000).__next__,
            projections=PROJECTIONS,
        ),
    )


def history(folder: Path, seed: int, length: int) -> None:
    chance = random.Random(seed)
    start_of = 1_700_000_000_000_000
    sites = {name: opened(folder, name, start_of + chance.randint(-HOUR, HOUR)) for name in NAMES}
    for _ in range(length):
        name = chance.choice(NAMES)
        ledger = sites[name]
        if chance.random() < 0.7:
            act = chance.choice(ACTS)
            ledger.decide(lambda state, act=act, name=name: act(state, name, chance))  # type: ignore[misc]
            continue
        # A part of one log, perhaps late, perhaps twice; the others are lost on the way.
        other = sites[chance.choice([one for one in NAMES if one != name])]
        writer = chance.choice([log.writer for log in other.logs()])
        checkpoints = list(other.log_checkpoints(writer, size_of(ledger, writer)))
        if writer != ledger.writer and checkpoints:
            found = stretch(other, writer, size_of(ledger, writer), chance.choice(checkpoints))
            for _ in range(chance.choice([1, 2])):
                ledger.receive([found])
    for _ in range(2):
        for source in sites.values():
            for target in sites.values():
                if source is not target:
                    copy_all(source, target)
    right = MemoryLedger(
        writer="judge-0", signer=TransientSigner(), clock=count(1).__next__, projections=PROJECTIONS
    )
    copy_all(sites["aws"], cast(MergingLedger, right))
    for ledger in sites.values():
        assert tables(ledger.state) == tables(right.state)
    _holds(right.state)
    for ledger in sites.values():
        ledger.close()


def _holds(state: State) -> None:
    """What is promised of any state."""
    for alias, version in aliases_of(state, "m").items():
        assert not is_revoked(state, "m", version), f"{alias} is a revoked version"
    for one in releases_of(state, "m"):
        if is_revoked(state, "m", one.version):
            assert one.status == "rolled-back"
    abouts = [(one.kind, one.about) for one in conflicts_of(state) if one.open]
    assert len(abouts) == len(set(abouts)), "one open conflict about one thing"


@pytest.mark.parametrize("seed", range(12))
def test_one_state_everywhere(tmp_path: Path, seed: int) -> None:
    history(tmp_path, seed, length=60)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 400))
def test_one_state_everywhere_long(tmp_path: Path, seed: int) -> None:
    history(tmp_path, seed, length=200)
