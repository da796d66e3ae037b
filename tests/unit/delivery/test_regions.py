"""Which sites go together, and what each strategy is when it goes region after region."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.delivery.bandit import Arm
from freehold.delivery.decision import (
    DAY,
    MINUTE,
    Complete,
    Decide,
    Hold,
    Promote,
    Ready,
    Reweigh,
    Rollback,
    advance,
    ready,
)
from freehold.delivery.observation import Observation
from freehold.delivery.regions import ReleaseSite, risk_of, stages
from freehold.delivery.reversal import goes_back
from freehold.delivery.traffic import traffic
from freehold.domain.project import (
    ABTestSpec,
    BanditSpec,
    BlueGreenSpec,
    MetricSpec,
    ReleaseSpec,
    RollingSpec,
    ShadowSpec,
)
from freehold.domain.release import GUARDRAILS, Release, Strategy
from freehold.domain.routing import RoutingTable
from freehold.domain.statistics.estimate import Estimate

REGIONS = (("zurich", "bern"), ("oregon",), ("osaka",))
SITES = ("zurich", "bern", "oregon", "osaka")
SETTINGS = ReleaseSpec(
    steps=(5, 100),
    minimum_rows=300,
    metrics={"money": MetricSpec(drop=0.5)},
    by_region=True,
    ab_test=ABTestSpec(metric="money", share=50, days=1, then="winner"),
    bandit=BanditSpec(metric="money", days=1, floor=5, then="winner"),
    blue_green=BlueGreenSpec(keep_minutes=2),
    rolling=RollingSpec(soak_minutes=10, reversal_minutes=5),
    shadow=ShadowSpec(share=10, hours=1, then="canary"),
)
DIGESTS = {1: "sha256:a", 2: "sha256:b"}
STAGED: tuple[Strategy, ...] = ("canary", "blue-green", "rolling", "ab-test", "bandit", "shadow")
NONE, QUIET = Observation(0, 0), Observation(300, 0)
FAILED = Observation(300, 200, Estimate(0.66, 0.6, 0.7, 0.99, 300))
BETTER = replace(QUIET, effect=Estimate(1.0, 0.5, 1.5, 0.95, 300))
EARNED = replace(QUIET, arms=(Arm(900, 3.0, 1.0, False), Arm(900, 4.0, 1.0, False)))


def begun(strategy: Strategy, **more: object) -> Release:
    whole = Release(
        "m/2",
        "m",
        2,
        1,
        strategy,
        SETTINGS,
        sites=SITES,
        driver="osaka",
        begun=(0,),
        stages=REGIONS,
    )
    return replace(whole, **more)  # type: ignore[arg-type]


def at_step(strategy: Strategy, step: int, **more: object) -> Release:
    """Each step began a minute after the one before."""
    return begun(strategy, step=step, begun=tuple(n * MINUTE for n in range(step + 1)), **more)


def table(release: Release, site: str, now: int = 0) -> RoutingTable:
    found = traffic(release, 1, DIGESTS, site, now)
    assert found is not None
    return found


def share(release: Release, site: str, now: int = 0) -> float:
    variants = table(release, site, now).variants
    return sum(one.weight for one in variants if one.version == 2)


def shares(release: Release) -> list[float]:
    return [share(release, site) for site in SITES]


places = st.lists(
    st.builds(
        ReleaseSite,
        st.integers(0, 10**6).map("s{}".format),
        st.sampled_from(("", "", "eu", "us", "asia")),
        st.integers(0, 1000),
        st.just(5),
        st.integers(0, 5),
    ),
    min_size=1,
    max_size=12,
    unique_by=lambda one: one.site,
)
wanted = st.builds(
    RollingSpec,
    batch=st.integers(1, 4),
    at_most=st.sampled_from((5.0, 20.0, 50.0, 100.0)),
    order=st.sampled_from(("declared", "traffic", "risk")),
)


@given(places, wanted)
def test_every_site_has_a_stage_that_is_no_larger_than_it_may_be(
    named: list[ReleaseSite], rule: RollingSpec
) -> None:
    found = stages(named, rule)
    assert sorted(site for stage in found for site in stage) == sorted(one.site for one in named)
    by_site, whole = {one.site: one for one in named}, sum(one.rows for one in named)
    for stage in found:
        members = [by_site[site] for site in stage]
        assert len({one.region or one.site for one in members}) <= rule.batch
        rows = sum(one.rows for one in members)
        if len(stage) > 1 and rule.at_most < 100:
            assert whole and rows <= rule.at_most / 100 * whole + 1e-6
    for name in {one.region for one in named} - {""}:
        inside = [one for one in named if one.region == name]
        reached = {n for n, stage in enumerate(found) for one in inside if one.site in stage}
        fits = not whole or sum(one.rows for one in inside) <= rule.at_most / 100 * whole
        if fits and (whole or rule.at_most == 100):
            assert len(reached) == 1


@given(places)
def test_regions_stay_as_they_are_named_where_nothing_tells_them_apart(
    named: list[ReleaseSite],
) -> None:
    alike = [replace(one, rows=0, failed=0, region="") for one in named]
    for order in ("declared", "traffic", "risk"):
        rule = RollingSpec(order=order)  # type: ignore[arg-type]
        assert stages(alike, rule) == tuple((one.site,) for one in named)


def test_the_least_traffic_and_the_least_risk_come_first() -> None:
    named = (
        ReleaseSite("zurich", "eu", 300, 8, 7),
        ReleaseSite("oregon", "us", 500, 8, 0),
        ReleaseSite("bern", "eu", 100, 8, 0),
        ReleaseSite("osaka", "", 100, 8, 1),
    )
    assert stages(named, RollingSpec()) == (("zurich", "bern"), ("oregon",), ("osaka",))
    by_traffic = stages(named, RollingSpec(order="traffic"))
    assert by_traffic == (("osaka",), ("zurich", "bern"), ("oregon",))
    # Zurich's releases fail: 0.3 × 0.8 + 0.1 × 0.1 against 0.5 × 0.1 and 0.1 × 0.2.
    assert risk_of(named[0], 1000) == pytest.approx(0.24)
    by_risk = stages(named, RollingSpec(order="risk"))
    assert by_risk == (("osaka",), ("oregon",), ("zurich", "bern"))


def test_a_stage_reaches_no_more_of_the_traffic_than_it_may() -> None:
    named = [
        ReleaseSite(name, region, rows)
        for name, region, rows in (
            ("zurich", "eu", 25),
            ("bern", "eu", 10),
            ("oregon", "us", 15),
            ("osaka", "asia", 50),
        )
    ]
    assert stages(named, RollingSpec(batch=4, at_most=40)) == (
        ("zurich", "bern"),
        ("oregon",),
        ("osaka",),
    )
    assert stages(named, RollingSpec(batch=4, at_most=50)) == (
        ("zurich", "bern", "oregon"),
        ("osaka",),
    )
    assert stages(named, RollingSpec(batch=4, at_most=30)) == (
        ("zurich",),
        ("bern", "oregon"),
        ("osaka",),
    )
    unknown = [replace(one, rows=0) for one in named]
    assert len(stages(unknown, RollingSpec(batch=4, at_most=50))) == 4
    assert len(stages(unknown, RollingSpec(batch=4))) == 1


def test_a_canary_takes_its_steps_in_one_region_after_the_other() -> None:
    assert begun("canary").steps == (5, 100) * 3
    walk = [shares(at_step("canary", step)) for step in range(6)]
    assert walk == [
        [5, 5, 0, 0],
        [100, 100, 0, 0],
        [100, 100, 5, 0],
        [100, 100, 100, 0],
        [100, 100, 100, 5],
        [100, 100, 100, 100],
    ]
    assert [one.version for one in table(begun("canary"), "osaka").variants] == [1]
    assert len(table(at_step("canary", 4), "zurich").variants) == 2, "it can still go back"


def test_a_region_is_left_when_each_of_its_sites_has_soaked() -> None:
    assert advance(begun("canary"), QUIET) == Promote(100), "within a region, its lead's rows count"
    now = at_step("canary", 1)
    assert advance(now, QUIET, now=60 * MINUTE) == Hold("sites", 0, 2, "zurich")
    for site in ("zurich", "bern"):
        assert ready(now, site, QUIET, now=10 * MINUTE, loaded=True) is None
        assert ready(now, site, Observation(299, 0), now=11 * MINUTE, loaded=True) is None
        assert ready(now, site, FAILED, now=11 * MINUTE, loaded=True) is None
        assert ready(now, site, QUIET, now=11 * MINUTE, loaded=False) == Ready(site)
    assert ready(now, "oregon", QUIET, now=99 * MINUTE, loaded=True) is None
    now = replace(now, ready={"zurich": 1, "bern": 1})
    assert advance(now, QUIET) == Promote(5)
    assert advance(replace(at_step("canary", 5), ready={"osaka": 5}), NONE) == Complete()
    assert isinstance(advance(now, QUIET, FAILED), Rollback)


@pytest.mark.parametrize("strategy", STAGED)
def test_the_site_that_decides_sees_the_regions_traffic(strategy: Strategy) -> None:
    each = len(begun(strategy).steps) // 3
    leads = [at_step(strategy, step).lead for step in range(0, 3 * each, each)]
    assert leads == (["osaka"] * 3 if strategy == "rolling" else ["zurich", "oregon", "osaka"])
    assert begun("canary", driver="bern").lead == "bern"
    assert begun("canary", stages=()).lead == "osaka"


def test_green_is_loaded_in_each_region_before_it_is_switched() -> None:
    now = begun("blue-green")
    assert (now.steps, shares(now)) == ((0, 100) * 3, [0, 0, 0, 0])
    assert now.unready == ("zurich", "bern")
    assert ready(now, "zurich", NONE, now=0, loaded=True) == Ready("zurich")
    assert ready(now, "oregon", NONE, now=0, loaded=True) is None
    now = at_step("blue-green", 2)
    assert shares(now) == [100, 100, 0, 0]
    assert now.unready == ("oregon",)
    kept = replace(SETTINGS, blue_green=BlueGreenSpec(keep_minutes=30))
    now = replace(at_step("blue-green", 3), settings=kept)
    assert ready(now, "oregon", QUIET, now=32 * MINUTE, loaded=True) is None
    assert ready(now, "oregon", QUIET, now=33 * MINUTE, loaded=True) == Ready("oregon")


def test_a_shadow_stands_in_one_region_at_a_time() -> None:
    def shadows(release: Release) -> list[bool]:
        return [table(release, site).shadow is not None for site in SITES]

    assert begun("shadow").steps == (0, 5, 100) * 3
    assert shadows(begun("shadow")) == [True, True, False, False]
    assert shadows(at_step("shadow", 1)) == [False] * 4
    again = at_step("shadow", 3)
    assert shadows(again) == [False, False, True, False]
    assert shares(again) == [100, 100, 0, 0]
    assert isinstance(advance(again, QUIET, now=62 * MINUTE), Hold), "hours of its own region"
    assert advance(again, QUIET, now=63 * MINUTE) == Promote(5)


@pytest.mark.parametrize(("strategy", "seen"), [("ab-test", BETTER), ("bandit", EARNED)])
def test_a_trial_is_told_and_acted_on_in_each_region(strategy: Strategy, seen: Observation) -> None:
    now = begun(strategy)
    assert (now.steps, shares(now)) == ((50, 100) * 3, [50, 50, 0, 0])
    told = advance(now, seen, now=DAY)
    assert isinstance(told, Decide) and told.winner == "version"
    assert advance(replace(now, winner="version"), seen, now=DAY) == Promote(100)
    assert advance(replace(now, winner="champion"), seen) == Rollback("trial", 0.0, 0.0)
    assert advance(replace(now, winner="none"), seen) == Hold("decided", 300, 0, "none")
    soaks = at_step(strategy, 1)
    assert advance(soaks, seen, now=9 * DAY) == Hold("sites", 0, 2, "zurich")
    after = at_step(strategy, 2)
    assert shares(after) == [100, 100, 50, 0]
    assert not isinstance(advance(after, seen, now=DAY), Decide), "a time of its own"
    assert isinstance(advance(after, seen, now=DAY + 2 * MINUTE), Decide)


def test_a_bandits_shares_are_those_of_its_region() -> None:
    now = at_step("bandit", 2, look=3, share=20, weighed=2 * MINUTE)
    assert shares(now) == [100, 100, 20, 0]
    moved = advance(now, EARNED, now=62 * MINUTE)
    assert isinstance(moved, Reweigh) and moved.look == 4


def test_a_site_looks_since_the_steps_of_its_own_region() -> None:
    now = at_step("canary", 3)
    times = {site: now.begun_at(site) for site in SITES}
    assert times["zurich"] == times["bern"] == (0, MINUTE)
    assert times["oregon"] == (2 * MINUTE, 3 * MINUTE)
    assert times["osaka"] == (3 * MINUTE,)
    assert begun("canary", stages=(), begun=(0, 1)).begun_at("osaka") == (0, 1)


@pytest.mark.parametrize("strategy", STAGED)
def test_the_stated_rate_is_shared_by_what_may_be_looked_at(strategy: Strategy) -> None:
    """Every guardrail, at every site, since each of its own region's steps began."""
    each = len(begun(strategy).steps) // 3
    last = at_step(strategy, 3 * each - 1)
    looks = sum(len(last.begun_at(site)) for site in SITES)
    guardrails = len(GUARDRAILS) + len(SETTINGS.metrics)
    assert last.risk * guardrails * looks == pytest.approx(SETTINGS.false_rollbacks)


@given(
    st.sampled_from(STAGED),
    st.integers(0, 8),
    st.sets(st.sampled_from(SITES)),
    st.sampled_from(("person", "error-rate", "trial")),
)
def test_regions_go_back_newest_first(
    strategy: Strategy, step: int, silent: set[str], guardrail: str
) -> None:
    step %= len(begun(strategy).steps)
    now = at_step(strategy, step, guardrail=guardrail)
    reached = now.batches[: now.stage + 1]
    kept = {site: share(now, site) for batch in reached[:-1] for site in batch}
    stopped = replace(now, status="rolled-back", stopped_at=reached[-1][0])
    left: list[tuple[int, str]] = []
    for minute in range(60):
        known = [site for _, site in left]
        for site in (one for batch in reached for one in batch):
            free = goes_back(stopped, site, minute * MINUTE)
            found = share(stopped, site, minute * MINUTE)
            assert found == (0 if free else kept.get(site, 0))
            if free and site not in silent and site not in known:
                left.append((minute, site))
        stopped = replace(stopped, gone_back=tuple(site for _, site in left))
    stage = {site: at for at, batch in enumerate(reached) for site in batch}
    assert {site for _, site in left} == set(stage) - silent
    order = [stage[site] for _, site in left]
    assert order == sorted(order, reverse=True)
    assert all(minute <= 5 * (len(reached) - 1 - stage[site]) for minute, site in left)
    unreached = set(SITES) - set(stage)
    assert all(share(stopped, site) == 0 for site in unreached)


events = st.lists(
    st.tuples(
        st.sampled_from(SITES),
        st.sampled_from((NONE, QUIET, BETTER, EARNED, FAILED)),
        st.sampled_from((1, 5, 11, 61, 1440)),
    ),
    max_size=120,
)


@given(st.sampled_from(STAGED), events)
def test_no_region_moves_before_those_ahead_of_it_have_soaked(
    strategy: Strategy, told: list[tuple[str, Observation, int]]
) -> None:
    """Sites look in any order and at any time, with few rows or many, with failures or none."""
    now, clock = begun(strategy), 0
    least = dict.fromkeys(SITES, 0.0)
    for site, seen, minutes in told:
        clock += minutes * MINUTE
        if not now.reaches(site):
            seen = NONE
        word = ready(now, site, seen, now=clock, loaded=True)
        if word is not None:
            now = replace(now, ready={**now.ready, site: now.step})
        decision = advance(now, seen, now=clock)
        if isinstance(decision, Rollback):
            assert seen is FAILED
            return
        if now.lead != site:
            continue
        if isinstance(decision, Complete):
            assert shares(now) == [100] * 4
            assert all(now.ready[one] >= 0 for one in SITES)
            return
        if isinstance(decision, Promote):
            if now.is_last_within:
                assert all(now.ready[one] == now.step for one in now.batches[now.stage])
                assert clock - now.begun[-1] >= 10 * MINUTE
            step = now.step + 1
            now = replace(now, step=step, begun=(*now.begun, clock), winner="", share=None)
            assert now.weight == decision.weight
        elif isinstance(decision, Decide):
            now = replace(now, winner=decision.winner)
        elif isinstance(decision, Reweigh):
            now = replace(now, share=decision.weight, look=decision.look, weighed=clock)
        for one in SITES:
            given_now = share(now, one)
            assert given_now == 0 or now.reaches(one)
            assert given_now == 100 or not now.has_passed(one)
            if strategy != "bandit":
                assert given_now >= least[one]
            least[one] = given_now
