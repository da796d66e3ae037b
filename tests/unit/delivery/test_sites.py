"""Releases and conflicts of sites that did not know of each other."""

from collections.abc import Callable, Iterable
from itertools import count, permutations
from typing import cast

import pytest

from freehold.adapters.memory.ledger import MemoryLedger
from freehold.app.site.opening import PROJECTIONS
from freehold.delivery.decision import Complete, Rollback
from freehold.delivery.releases import (
    Venue,
    aliases_of,
    conclude,
    release_of,
    releases_of,
    revoke,
    running_release,
    start,
)
from freehold.domain.errors import Conflict
from freehold.domain.fact import Draft
from freehold.domain.numbering import Numbering
from freehold.domain.project import ReleaseSpec
from freehold.domain.projection import State
from freehold.ports.contracts.kept_logs import MergingLedger, copy_all
from freehold.ports.contracts.signer import TransientSigner
from freehold.replication.claims import conflict_of, conflicts_of, settle, unrecorded

NAMES = ("onprem", "aws", "azure")
HOUR = 3_600_000_000
SETTINGS = ReleaseSpec()
Sites = dict[str, MergingLedger]
Begin = Callable[..., Sites]


def ledger(site: str, wall: int) -> MergingLedger:
    return cast(
        MergingLedger,
        MemoryLedger(
            writer=f"{site}-00000000",
            signer=TransientSigner(),
            clock=count(wall, 1000).__next__,
            projections=PROJECTIONS,
        ),
    )


@pytest.fixture
def begun() -> Begin:
    """Three sites that know of champion 1, their clocks wrong by the hours that are given."""

    def begin(*, ahead: Iterable[float] = (0, 0, 0)) -> Sites:
        wall = 1_700_000_000_000_000
        sites = {
            name: ledger(name, wall + int(hours * HOUR))
            for name, hours in zip(NAMES, ahead, strict=True)
        }
        release(sites, "onprem", 1)
        meet(sites)
        return sites

    return begin


def venue(site: str) -> Venue:
    return Venue(site, (site,), Numbering(NAMES.index(site), 3))


def release(sites: Sites, site: str, version: int, at: str = "") -> str:
    """Immediate."""
    place = venue(site) if not at else Venue(site, (at,), Numbering(NAMES.index(site), 3))

    def decision(state: State) -> tuple[Draft, ...]:
        drafts = start(state, "m", version, "immediate", SETTINGS, place)
        if len(drafts) > 2 or drafts[1].type == "release.completed":
            return drafts
        return (drafts[0],)

    name = str(sites[site].decide(decision)[0].fact.body["release"])
    if release_of(sites[site].state, name).status == "running":
        one = release_of(sites[site].state, name)
        sites[site].decide(lambda state: conclude(state, one, Complete(), 10))
    return name


def canary(sites: Sites, site: str, version: int) -> str:
    entries = sites[site].decide(
        lambda state: start(state, "m", version, "canary", SETTINGS, venue(site))
    )
    return str(entries[0].fact.body["release"])


def complete(sites: Sites, site: str, name: str) -> None:
    sites[site].decide(lambda state: conclude(state, release_of(state, name), Complete(), 900))


def roll_back(sites: Sites, site: str, name: str) -> None:
    word = Rollback("person", 0, 0)
    sites[site].decide(lambda state: conclude(state, release_of(state, name), word, 0))


def meet(sites: Sites) -> None:
    for _ in range(2):
        for source in sites.values():
            for target in sites.values():
                if source is not target:
                    copy_all(source, target)


def champion(sites: Sites) -> int | None:
    found = {aliases_of(site.state, "m").get("champion") for site in sites.values()}
    assert len(found) == 1
    return found.pop()


@pytest.mark.parametrize("ahead", [(0, 0, 0), (1, 0, 0), (0, 1, 0), (-1, 1, 0)])
def test_two_promotions_are_a_conflict_and_one_holds_everywhere(
    begun: Begin, ahead: tuple[float, ...]
) -> None:
    sites = begun(ahead=ahead)
    release(sites, "onprem", 2)
    release(sites, "aws", 3)
    meet(sites)
    first, second = champion(sites), [list(conflicts_of(s.state)) for s in sites.values()]
    assert first in (2, 3)
    assert second[0] == second[1] == second[2]
    (conflict,) = second[0]
    assert (conflict.kind, conflict.about, conflict.open) == ("alias", "m/champion", True)
    assert {side.value for side in conflict.sides} == {"@2", "@3"}
    assert conflict.sides[-1].value == f"@{first}"


def test_a_clock_that_is_ahead_does_not_win_for_ever(begun: Begin) -> None:
    sites = begun(ahead=(1, 0, 0))
    release(sites, "onprem", 2)
    meet(sites)
    release(sites, "aws", 3)
    meet(sites)
    assert champion(sites) == 3
    assert not list(conflicts_of(sites["azure"].state))


def test_each_site_serves_what_was_released_there(begun: Begin) -> None:
    sites = begun()
    release(sites, "onprem", 2)
    release(sites, "aws", 3)
    meet(sites)
    for place, version in (("onprem", 2), ("aws", 3)):
        for one in sites.values():
            assert list(releases_of(one.state, "m", place))[-1].version == version


def test_releases_are_numbered_apart(begun: Begin) -> None:
    sites = begun()
    names = {canary(sites, site, number) for number, site in enumerate(NAMES, 2)}
    assert len(names) == 3
    meet(sites)
    for site in NAMES:
        running = running_release(sites["aws"].state, "m", site)
        assert running is not None
        assert running.driver == site


@pytest.mark.parametrize("ahead", [(0, 0, 0), (1, 0, 0), (0, 1, 0)])
def test_a_rollback_beats_a_promotion_that_had_not_seen_it(
    begun: Begin, ahead: tuple[float, ...]
) -> None:
    sites = begun(ahead=ahead)
    name = canary(sites, "onprem", 2)
    meet(sites)
    complete(sites, "onprem", name)
    roll_back(sites, "aws", name)
    meet(sites)
    assert champion(sites) == 1
    for site in sites.values():
        assert release_of(site.state, name).status == "rolled-back"
        kinds = {(one.kind, one.about) for one in conflicts_of(site.state) if one.open}
        assert ("traffic", "m@2") in kinds


def test_it_also_beats_a_release_of_the_same_version_elsewhere(begun: Begin) -> None:
    sites = begun()
    name = canary(sites, "onprem", 2)
    meet(sites)
    roll_back(sites, "onprem", name)
    elsewhere = release(sites, "aws", 2)
    meet(sites)
    assert champion(sites) == 1
    assert release_of(sites["azure"].state, elsewhere).guardrail == "elsewhere"


def test_after_it_was_seen_the_version_may_be_promoted_again(begun: Begin) -> None:
    sites = begun()
    roll_back(sites, "onprem", canary(sites, "onprem", 2))
    meet(sites)
    release(sites, "aws", 2)
    meet(sites)
    assert champion(sites) == 2


@pytest.mark.parametrize("ahead", [(0, 0, 0), (1, 0, 0), (0, 1, 0)])
def test_a_revocation_beats_every_promotion(begun: Begin, ahead: tuple[float, ...]) -> None:
    sites = begun(ahead=ahead)
    sites["onprem"].decide(lambda state: revoke(state, "m", 2))
    name = release(sites, "aws", 2)
    meet(sites)
    assert champion(sites) == 1
    assert release_of(sites["azure"].state, name).status == "rolled-back"
    with pytest.raises(Conflict) as caught:
        release(sites, "azure", 2)
    assert caught.value.code == "release.revoked"


def test_a_conflict_is_recorded_once_and_settled_once(begun: Begin) -> None:
    sites = begun()
    release(sites, "onprem", 2)
    release(sites, "aws", 3)
    meet(sites)
    for site in NAMES:
        sites[site].decide(unrecorded)
    meet(sites)
    for site in sites.values():
        assert site.decide(unrecorded) == ()
        (conflict,) = conflicts_of(site.state)
        assert conflict.found
    name = conflict.name
    sites["azure"].decide(lambda state: [settle(conflict_of(state, name), "person-1")])
    meet(sites)
    for site in sites.values():
        assert not conflict_of(site.state, name).open
    release(sites, "aws", 4)
    meet(sites)
    assert [one.open for one in conflicts_of(sites["onprem"].state)] == [False]


def test_a_later_move_that_knew_both_ends_a_conflict(begun: Begin) -> None:
    sites = begun()
    release(sites, "onprem", 2)
    release(sites, "aws", 3)
    meet(sites)
    release(sites, "azure", 4)
    meet(sites)
    assert champion(sites) == 4
    assert [one.open for one in conflicts_of(sites["onprem"].state)] == [False]


def test_three_sides_are_one_conflict(begun: Begin) -> None:
    sites = begun()
    for number, site in enumerate(NAMES, 2):
        release(sites, site, number)
    meet(sites)
    (conflict,) = (one for one in conflicts_of(sites["aws"].state) if one.kind == "alias")
    assert len(conflict.sides) == 3


def test_the_same_word_at_two_sites_is_no_conflict(begun: Begin) -> None:
    sites = begun()
    release(sites, "onprem", 2)
    release(sites, "aws", 2)
    meet(sites)
    assert champion(sites) == 2
    assert not [one for one in conflicts_of(sites["aws"].state) if one.kind == "alias"]


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_the_order_of_arrival_changes_nothing(begun: Begin, order: tuple[int, ...]) -> None:
    sites = begun()
    name = canary(sites, "onprem", 2)
    meet(sites)
    complete(sites, "onprem", name)
    roll_back(sites, "aws", name)
    release(sites, "azure", 3)
    for place in order:
        for target in sites.values():
            source = sites[NAMES[place]]
            if source is not target:
                copy_all(source, target)
    meet(sites)
    tables = ("releases", "aliases", "claims", "conflicts", "stopped")
    states = [{table: list(site.state.scan(table)) for table in tables} for site in sites.values()]
    assert states[0] == states[1] == states[2]
    assert champion(sites) == 3
