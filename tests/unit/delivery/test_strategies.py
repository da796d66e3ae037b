"""Blue-green and rolling: sites move by their own word, and what goes back goes newest first."""

import json
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.delivery.decision import (
    MINUTE,
    Complete,
    Hold,
    Promote,
    Ready,
    Rollback,
    advance,
    ready,
)
from freehold.delivery.observation import Observation
from freehold.delivery.reversal import goes_back
from freehold.delivery.traffic import traffic
from freehold.domain.canonical import canonical
from freehold.domain.project import (
    ABTestSpec,
    BanditSpec,
    BlueGreenSpec,
    ReleaseSpec,
    RollingSpec,
    ShadowSpec,
)
from freehold.domain.release import OWN_SETTINGS, STRATEGIES, Release, Strategy
from freehold.domain.routing import RoutingTable
from freehold.domain.statistics.estimate import Estimate

SETTINGS = ReleaseSpec(
    minimum_rows=300,
    blue_green=BlueGreenSpec(keep_minutes=60),
    rolling=RollingSpec(batch=1, soak_minutes=30, reversal_minutes=5),
)
DIGESTS = {1: "sha256:a", 2: "sha256:b"}
SITES = ("zurich", "dublin", "oregon", "osaka")
QUIET, NONE = Observation(300, 0), Observation(0, 0)
FAILED = Observation(300, 200, Estimate(0.66, 0.6, 0.7, 0.99, 300))


def begun(strategy: Strategy, **more: object) -> Release:
    whole = Release("m/2", "m", 2, 1, strategy, SETTINGS, sites=SITES, driver="osaka", begun=(0,))
    return replace(whole, **more)  # type: ignore[arg-type]


def shares(release: Release, site: str, now: int = 0) -> dict[int, float]:
    table = traffic(release, 1, DIGESTS, site, now)
    assert isinstance(table, RoutingTable)
    return {one.version: one.weight for one in table.variants}


def test_blue_green_is_loaded_everywhere_before_it_gets_anything() -> None:
    now = begun("blue-green")
    assert now.steps == (0, 100)
    assert {str(shares(now, site)) for site in SITES} == {str({1: 100.0, 2: 0.0})}
    for count, site in enumerate(SITES):
        assert advance(now, NONE) == Hold("sites", count, 4, site)
        assert ready(now, site, NONE, now=0, loaded=False) is None
        assert ready(now, site, NONE, now=0, loaded=True) == Ready(site)
        now = replace(now, ready={**now.ready, site: 0})
        assert ready(now, site, NONE, now=0, loaded=True) is None
    assert advance(now, NONE) == Promote(100)


def test_after_the_switch_the_old_one_is_kept_for_its_time() -> None:
    now = begun("blue-green", step=1, begun=(0, 10 * MINUTE))
    assert shares(now, "osaka") == {1: 0.0, 2: 100.0}
    assert advance(now, Observation(299, 0), now=99 * MINUTE) == Hold("rows", 299, 300)
    assert advance(now, QUIET, now=69 * MINUTE) == Hold("time", 59 * 60, 60 * 60)
    assert advance(now, QUIET, now=70 * MINUTE) == Complete()
    assert isinstance(advance(now, FAILED, now=11 * MINUTE), Rollback)
    assert shares(replace(now, status="rolled-back"), "osaka") == {1: 100.0}


def test_a_rolling_release_takes_all_of_one_site_after_the_other() -> None:
    now = begun("rolling")
    assert now.steps == (25, 50, 75, 100)
    assert [shares(now, site) for site in SITES] == [{1: 0.0, 2: 100.0}, *[{1: 100.0}] * 3]
    assert advance(now, QUIET) == Hold("sites", 0, 1, "zurich")
    assert ready(now, "zurich", QUIET, now=29 * MINUTE, loaded=True) is None
    assert ready(now, "zurich", Observation(299, 0), now=30 * MINUTE, loaded=True) is None
    assert ready(now, "zurich", FAILED, now=30 * MINUTE, loaded=True) is None
    assert ready(now, "dublin", QUIET, now=30 * MINUTE, loaded=True) is None
    assert ready(now, "zurich", QUIET, now=30 * MINUTE, loaded=True) == Ready("zurich")
    now = replace(now, ready={"zurich": 0})
    assert advance(now, NONE) == Promote(50)
    now = replace(now, step=1, begun=(0, 1))
    assert advance(now, NONE) == Hold("sites", 0, 1, "dublin")
    last = replace(now, step=3, begun=(0, 1, 2, 3), ready={"osaka": 3})
    assert advance(last, NONE) == Complete()


@given(st.integers(1, 60), st.integers(1, 60))
def test_the_shares_of_sites_grow_to_all_of_them(count: int, batch: int) -> None:
    sites = tuple(f"s{n}" for n in range(count))
    settings = replace(SETTINGS, rolling=RollingSpec(batch=batch))
    now = replace(begun("rolling"), sites=sites, settings=settings)
    assert list(now.steps) == sorted(set(now.steps)) and now.steps[-1] == 100
    assert [site for part in now.batches for site in part] == list(sites)
    assert max(map(len, now.batches)) <= batch


OWN = ReleaseSpec(
    steps=(10, 100),
    ab_test=ABTestSpec(metric="money", days=3),
    bandit=BanditSpec(metric="money", floor=9),
    blue_green=BlueGreenSpec(keep_minutes=1),
    rolling=RollingSpec(batch=3),
    shadow=ShadowSpec(share=7),
)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_what_is_kept_of_a_release_is_all_that_it_goes_by(strategy: Strategy) -> None:
    """Other strategies' settings are no matter of its."""
    whole = begun(strategy, settings=OWN, paused=True, ready={"zurich": 0}, share=None)
    kept = Release.from_json(json.loads(canonical(whole.as_json())))
    assert replace(kept, settings=OWN) == whole
    assert (kept.steps, kept.batches, kept.trial) == (whole.steps, whole.batches, whole.trial)
    assert kept.as_json() == whole.as_json()
    own = OWN_SETTINGS.get(strategy)
    for other in OWN_SETTINGS.values():
        kept_alike = getattr(kept.settings, other) == getattr(OWN, other)
        assert kept_alike == (other == own)


def test_the_stated_rate_is_shared_by_sites_too() -> None:
    alone = replace(begun("canary"), sites=("zurich",))
    assert begun("canary").risk == pytest.approx(alone.risk / 4)


events = st.lists(
    st.tuples(st.sampled_from(SITES), st.integers(0, 600), st.booleans()), max_size=60
)


@given(events, st.integers(1, 3))
def test_no_site_moves_before_those_ahead_of_it_are_ready(
    told: list[tuple[str, int, bool]], batch: int
) -> None:
    """Sites look in any order, with few rows or many, with failures or none."""
    settings = replace(SETTINGS, rolling=RollingSpec(batch=batch, soak_minutes=1))
    now, clock = replace(begun("rolling"), settings=settings), 0
    served = {site for site in SITES if now.reaches(site)}
    for site, rows, fails in told:
        clock += MINUTE // 2
        seen = replace(FAILED, rows=300) if fails and now.reaches(site) else Observation(rows, 0)
        word = ready(now, site, seen, now=clock, loaded=True)
        if word is not None:
            assert now.reaches(site) and rows >= 300
            now = replace(now, ready={**now.ready, site: now.step})
        decision = advance(now, seen, now=clock)
        if isinstance(decision, Rollback):
            assert fails
            return
        if isinstance(decision, Complete):
            assert all(now.reaches(each) for each in SITES)
            return
        if isinstance(decision, Promote):
            assert all(now.ready.get(each) == now.step for each in now.batches[now.step])
            now = replace(now, step=now.step + 1, begun=(*now.begun, clock))
        reached = {each for each in SITES if now.reaches(each)}
        assert served <= reached
        assert {each for each in SITES if shares(now, each) == {1: 0.0, 2: 100.0}} == reached
        served = reached


def left_in_order(stopped: Release, silent: Sequence[str]) -> list[tuple[int, str]]:
    """When each site's traffic is free of it: those that answer say so, a minute later."""
    found: list[tuple[int, str]] = []
    for minute in range(60):
        free = [one for one in SITES if stopped.reaches(one) and one not in silent]
        for site in free:
            if goes_back(stopped, site, minute * MINUTE) and all(site != one for _, one in found):
                found.append((minute, site))
        said = [one for _, one in found]
        stopped = replace(stopped, gone_back=tuple(said))
    return found


@given(
    st.integers(0, 3), st.sets(st.sampled_from(SITES)), st.sampled_from(["person", "error-rate"])
)
def test_what_goes_back_does_so_newest_first_and_nobody_waits_for_long(
    step: int, silent: set[str], guardrail: str
) -> None:
    stopped = begun("rolling", status="rolled-back", step=step, guardrail=guardrail)
    stopped = replace(stopped, stopped_at=SITES[step])
    found = left_in_order(stopped, sorted(silent))
    reached = SITES[: step + 1]
    assert {site for _, site in found} == set(reached) - silent
    order = [SITES.index(site) for _, site in found]
    assert order == sorted(order, reverse=True)
    for minute, site in found:
        newer = reached[SITES.index(site) + 1 :]
        assert minute <= 5 * len(newer)
        if not silent & set(newer):
            assert minute <= len(newer)


def test_a_revoked_version_and_the_failed_site_wait_for_nobody() -> None:
    stopped = begun("rolling", status="rolled-back", step=3, guardrail="error-rate")
    assert not goes_back(stopped, "zurich", 0)
    assert goes_back(replace(stopped, stopped_at="zurich"), "zurich", 0)
    aborted = replace(stopped, stopped_at="zurich", guardrail="person")
    assert not goes_back(aborted, "zurich", 0)
    for word in ("revoked", "elsewhere"):
        assert all(goes_back(replace(stopped, guardrail=word), site, 0) for site in SITES)
    assert shares(aborted, "zurich") == {1: 0.0, 2: 100.0}
    assert shares(aborted, "osaka") == {1: 100.0}
    assert shares(aborted, "zurich", 15 * MINUTE) == {1: 100.0}
