"""Random histories of three sites, of facts of every type, fold to one state everywhere.

The sites keep theirs in SQLite and fold what arrives as it arrives. A ledger that gets the same
logs in another order, and one in memory that folds everything at once, say what is right.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
from histories.desk import MODEL, SITES
from histories.world import SIGNER, Clock, Row, World, opened, rows_of

from freehold.adapters.memory.ledger import MemoryLedger
from freehold.adapters.memory.state import MemoryState
from freehold.app.site.labelled import Labelled
from freehold.app.site.opening import PROJECTIONS
from freehold.delivery.releases import aliases_of, releases_of
from freehold.delivery.standing import is_revoked
from freehold.domain.fact import Fact
from freehold.domain.projection import UNREADABLE, Change, Projection, State
from freehold.replication.claims import conflicts_of
from freehold.replication.leases import all_work

FOLDED = frozenset[str]().union(*(projection.types for projection in PROJECTIONS))
Written = dict[str, set[str]]
"""By table, names of the projections that wrote to it."""


def _watched(projection: Projection, written: Written) -> Projection:
    def fold(fact: Fact, state: State) -> Iterable[Change]:
        changes = tuple(projection.fold(fact, state))
        for change in changes:
            written[change.table].add(projection.name)
        return changes

    return replace(projection, fold=fold)


def folded_at_once(world: World, written: Written) -> tuple[State, list[Row]]:
    judge = MemoryLedger(
        writer="judge-0",
        signer=SIGNER,
        clock=Clock(0),
        projections=[_watched(one, written) for one in PROJECTIONS],
    )
    logs = world.published.items()
    judge.receive([log.stretch(writer, 0, len(log.lines)) for writer, log in logs if log.lines])
    assert all(log.folded == log.size for log in judge.logs())
    tables: Mapping[str, Mapping[str, bytes]] = cast(MemoryState, judge.state).rows
    rows = [(table, key, one) for table, kept in tables.items() for key, one in kept.items()]
    return judge.state, sorted(rows)


def folded_in_another_order(world: World, folder: Path) -> list[Row]:
    path = folder / "reader.db"
    reader = opened(path, "reader-0", Clock(0))
    world.pull_all(reader)
    reader.close()
    return rows_of(path)


def history(folder: Path, seed: int, steps: int, written: Written) -> set[str]:
    """Returns the types of facts that were drawn."""
    folder.mkdir()
    world = World(folder, seed)
    world.play(steps)
    world.meet()
    state, right = folded_at_once(world, written)
    for site in SITES:
        assert _differing(rows_of(world.places[site].path), right) == [], site
    assert _differing(folded_in_another_order(world, folder), right) == []
    assert _differing(world.rebuilt(SITES[seed % len(SITES)]), right) == []
    _holds(state)
    world.close()
    return set(world.drawn)


def _differing(found: list[Row], right: list[Row]) -> list[Row]:
    return sorted(set(found) ^ set(right))


def _holds(state: State) -> None:
    """What is promised of any state."""
    assert list(state.scan(UNREADABLE)) == []
    aliases = aliases_of(state, MODEL)
    for alias in ("champion", "challenger"):
        assert not is_revoked(state, MODEL, aliases.get(alias, 0)), f"{alias} is a revoked version"
    for one in releases_of(state, MODEL):
        if is_revoked(state, MODEL, one.version):
            assert one.status == "rolled-back"
    abouts = [(one.kind, one.about) for one in conflicts_of(state) if one.open]
    assert len(abouts) == len(set(abouts)), "one open conflict about one thing"
    for work in all_work(state):
        ends = [one for one in (work.completion, *work.superseded) if one is not None]
        assert len({one.fact for one in ends}) == len(ends), "a completion counts once"
    Labelled(state)


def test_one_state_everywhere(tmp_path: Path) -> None:
    """In one test, since only together are the histories to draw every type there is."""
    drawn, written = set[str](), defaultdict[str, set[str]](set)
    for seed in range(24):
        try:
            drawn |= history(tmp_path / str(seed), seed, 50, written)
        except Exception as error:
            error.add_note(f"seed {seed}")
            raise
    assert drawn == FOLDED
    assert {table: names for table, names in written.items() if len(names) > 1} == {}


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 400))
def test_one_state_everywhere_long(tmp_path: Path, seed: int) -> None:
    history(tmp_path / "sites", seed, 120, defaultdict(set))
