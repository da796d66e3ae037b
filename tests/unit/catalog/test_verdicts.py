"""Verdicts of sites that did not know of each other."""

from collections.abc import Callable
from itertools import count, permutations

import pytest

from freehold.adapters.memory.ledger import MemoryLedger
from freehold.catalog.versions import ModelVersion, projection, version_of
from freehold.domain.fact import Draft
from freehold.ports.contracts.kept_logs import copy_all
from freehold.ports.contracts.signer import TransientSigner

NAMES = ("one", "two", "three")
HOUR = 3_600_000_000
Sites = dict[str, MemoryLedger]
Begin = Callable[..., Sites]
REGISTERED = {
    "model": "m",
    "version": 1,
    "run": "r",
    "package": {"digest": "sha256:" + "a" * 64, "size": 1},
    "attestations": {},
    "headline": {},
    "champion": None,
    "rows": {},
}


@pytest.fixture
def begun() -> Begin:
    def begin(ahead: tuple[int, ...]) -> Sites:
        sites = {
            name: MemoryLedger(
                writer=f"{name}-00000000",
                signer=TransientSigner(),
                clock=count(1_700_000_000_000_000 + hours * HOUR, 1000).__next__,
                projections=[projection],
            )
            for name, hours in zip(NAMES, ahead, strict=True)
        }
        sites["one"].append([Draft("model.registered", REGISTERED)])
        meet(sites)
        return sites

    return begin


def meet(sites: Sites) -> ModelVersion:
    """What they all hold then."""
    for one in sites.values():
        for other in sites.values():
            if one is not other:
                copy_all(one, other)
    first, *others = (version_of(ledger.state, "m", 1) for ledger in sites.values())
    assert all(other == first for other in others)
    return first


def judge(ledger: MemoryLedger, *rules: str) -> str:
    """Rules that say no; without any, it is allowed."""
    body = {
        "model": "m",
        "version": 1,
        "allowed": not rules,
        "rules": list(rules),
        "policy": "p",
        "attestations": {} if rules else {"admission": ledger.writer},
    }
    return ledger.append([Draft("model.judged", body)])[0].fact.name


AHEAD = list(permutations((0, 1, 2)))


@pytest.mark.parametrize("ahead", AHEAD)
def test_a_denial_holds_against_what_did_not_know_it(begun: Begin, ahead: tuple[int, ...]) -> None:
    sites = begun(ahead)
    denial = judge(sites["one"], "too-old")
    judge(sites["two"])
    judge(sites["three"])
    held = meet(sites)
    assert (held.allowed, held.denials, held.judged) == (False, ("too-old",), denial)


@pytest.mark.parametrize("ahead", AHEAD)
def test_who_knows_of_all_denials_takes_them_back(begun: Begin, ahead: tuple[int, ...]) -> None:
    sites = begun(ahead)
    judge(sites["one"], "too-old")
    judge(sites["two"], "too-bad")
    meet(sites)
    verdict = judge(sites["three"])
    held = meet(sites)
    assert (held.allowed, held.denials, held.judged) == (True, (), verdict)
    assert held.attestations == {"admission": "three-00000000"}


@pytest.mark.parametrize("ahead", AHEAD)
def test_a_denial_is_not_taken_back_with_another(begun: Begin, ahead: tuple[int, ...]) -> None:
    sites = begun(ahead)
    judge(sites["one"], "too-old")
    denial = judge(sites["two"], "too-bad")
    judge(sites["one"])
    held = meet(sites)
    assert (held.allowed, held.denials, held.judged) == (False, ("too-bad",), denial)
