"""Facts make releases and aliases; a rollback beats whatever else was decided."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import count, permutations
from typing import Any

import pytest

from freehold.delivery.bandit import Arm
from freehold.delivery.decision import (
    Complete,
    Decide,
    Decision,
    Hold,
    Promote,
    Reweigh,
    Rollback,
)
from freehold.delivery.releases import (
    Venue,
    aliases_of,
    conclude,
    release_of,
    releases_of,
    revoke,
    running_release,
    served_before,
    start,
)
from freehold.delivery.standing import projection
from freehold.delivery.traffic import must_leave, traffic
from freehold.domain.errors import Conflict, NotFound
from freehold.domain.fact import Draft, Fact
from freehold.domain.hybrid_time import HybridTime
from freehold.domain.project import BanditSpec, MetricSpec, ReleaseSpec
from freehold.domain.release import Strategy
from freehold.domain.statistics.estimate import Estimate

SETTINGS = ReleaseSpec()
STAGED = ReleaseSpec(
    by_region=True, metrics={"money": MetricSpec(0.5)}, bandit=BanditSpec(metric="money")
)
HERE = Venue.alone("w")
ROLLBACK = Rollback("score-shift", 1.5, 0.25)


class Folded:
    """State after the facts that it was told."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], Any] = {}
        self.count = 0

    def get(self, table: str, key: str) -> Any | None:
        return self.rows.get((table, key))

    def scan(self, table: str, prefix: str = "") -> Iterator[tuple[str, Any]]:
        for (where, key), value in sorted(self.rows.items()):
            if where == table and key.startswith(prefix):
                yield key, value

    def tell(self, drafts: Sequence[Draft]) -> "Folded":
        for draft in drafts:
            time = HybridTime(1_000_000 * self.count, 0)
            fact = Fact(
                draft.type, 1, "w", self.count, time, {}, draft.cause, draft.actor, draft.body
            )
            fact.encoded()
            self.count += 1
            assert draft.type in projection.types
            for change in projection.fold(fact, self):
                if change.value is None:
                    self.rows.pop((change.table, change.key), None)
                else:
                    self.rows[change.table, change.key] = change.value
        return self


def with_champion() -> Folded:
    state = Folded()
    return state.tell(start(state, "m", 1, "canary", SETTINGS, HERE))


def with_canary() -> Folded:
    state = with_champion()
    return state.tell(start(state, "m", 2, "canary", SETTINGS, HERE))


def test_the_first_release_has_nothing_to_stand_beside() -> None:
    state = with_champion()
    first = release_of(state, "m/1")
    assert (first.strategy, first.status, first.weight) == ("immediate", "completed", 100)
    assert aliases_of(state, "m") == {"champion": 1}
    table = traffic(first, 1, {1: "sha256:a"})
    assert table is not None and [v.weight for v in table.variants] == [100.0]


def test_a_canary_walks_up_and_becomes_champion() -> None:
    state = with_canary()
    digests = {1: "sha256:a", 2: "sha256:b"}
    weights = []
    for decision in (Promote(25), Promote(100), Complete()):
        now = running_release(state, "m")
        assert now is not None and now.fact
        table = traffic(now, state.count, digests)
        assert table is not None and table.reference == 1 and table.salt == "m/2"
        weights.append([v.weight for v in table.variants])
        state.tell(conclude(state, now, decision, 300))
    assert weights == [[95.0, 5.0], [75.0, 25.0], [0.0, 100.0]]
    assert aliases_of(state, "m") == {"champion": 2}
    assert running_release(state, "m") is None
    assert [r.status for r in releases_of(state)] == ["completed", "completed"]


def test_a_rollback_gives_everything_back() -> None:
    state = with_canary()
    now = release_of(state, "m/2")
    drafts = conclude(state, now, ROLLBACK, 310, cause=("w/1",))
    assert drafts[0].body["guardrail"] == "score-shift" and drafts[0].cause == ("w/1",)
    state.tell(drafts)
    back = release_of(state, "m/2")
    assert (back.status, back.weight, back.guardrail) == ("rolled-back", 0, "score-shift")
    assert aliases_of(state, "m") == {"champion": 1}
    table = traffic(back, 9, {1: "sha256:a", 2: "sha256:b"})
    assert table is not None and [v.version for v in table.variants] == [1]


def test_a_completed_release_can_be_rolled_back_by_a_person() -> None:
    state = with_canary()
    for decision in (Promote(25), Promote(100), Complete()):
        now = running_release(state, "m")
        assert now is not None
        state.tell(conclude(state, now, decision, 300))
    state.tell(conclude(state, release_of(state, "m/2"), Rollback("person", 0.0, 0.0), 0))
    assert aliases_of(state, "m") == {"champion": 1}
    assert release_of(state, "m/2").status == "rolled-back"


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_a_rollback_beats_concurrent_promotions_in_any_order(order: tuple[int, ...]) -> None:
    state = with_canary()
    now = release_of(state, "m/2")
    decisions = [ROLLBACK, Promote(25), Complete()]
    drafts = [conclude(state, now, decision, 300) for decision in decisions]
    for index in order:
        state.tell(drafts[index])
    assert release_of(state, "m/2").status == "rolled-back"
    assert aliases_of(state, "m") == {"champion": 1}


def test_a_stale_promotion_is_refused() -> None:
    state = with_canary()
    stale = release_of(state, "m/2")
    state.tell(conclude(state, stale, Promote(25), 300))
    with pytest.raises(Conflict) as caught:
        conclude(state, stale, Promote(25), 300)
    assert caught.value.code == "release.finished"
    assert conclude(state, stale, Hold("rows", 1, 300), 1) == ()


def test_one_release_at_a_time() -> None:
    state = with_canary()
    with pytest.raises(Conflict) as caught:
        start(state, "m", 3, "canary", SETTINGS, HERE)
    assert caught.value.code == "release.running"
    with pytest.raises(Conflict) as caught:
        start(with_champion(), "m", 1, "canary", SETTINGS, HERE)
    assert caught.value.code == "release.is-champion"


def test_a_plan_made_while_another_process_releases_is_a_plan() -> None:
    """What it is for finds, with the lock held, that the world has moved."""

    class Meanwhile(Folded):
        """Another begins when the releases there are have been read."""

        def scan(self, table: str, prefix: str = "") -> Iterator[tuple[str, Any]]:
            read = list(super().scan(table, prefix))
            if table == "releases" and next(reads) == 1:
                self.tell(start(self, "m", 2, "immediate", SETTINGS, HERE))
            yield from read

    reads = count()
    state = Meanwhile()
    state.rows = with_champion().rows
    planned = start(state, "m", 2, "immediate", SETTINGS, HERE)
    assert release_of(state, "m/2").status == "completed"
    assert {one.body["release"] for one in planned if "release" in one.body} == {"m/2"}


def test_models_do_not_meet() -> None:
    state = with_canary()
    state.tell(start(state, "m2", 1, "canary", SETTINGS, HERE))
    assert [r.id for r in releases_of(state, "m2")] == ["m2/1"]
    assert aliases_of(state, "m") == {"champion": 1, "challenger": 2}
    with pytest.raises(NotFound):
        release_of(state, "m2/9")


def test_an_alias_that_a_person_moves() -> None:
    body = {"model": "m", "alias": "night", "version": 4, "previous": None, "release": ""}
    assert aliases_of(Folded().tell([Draft("alias.moved", body)]), "m") == {"night": 4}


def test_a_release_is_rolled_back_once() -> None:
    state = Folded()
    state.tell(start(state, "m", 1, "canary", SETTINGS, HERE))
    state.tell(start(state, "m", 2, "canary", SETTINGS, HERE))
    release = running_release(state, "m")
    assert release is not None
    first = conclude(state, release, ROLLBACK, 40)
    assert first[0].type == "release.rolled-back"
    state.tell(first)
    assert conclude(state, release, ROLLBACK, 41) == ()


def test_one_package_does_not_stand_beside_itself() -> None:
    now = running_release(with_canary(), "m")
    assert now is not None
    table = traffic(now, 3, {1: "sha256:a", 2: "sha256:a"})
    assert table is not None
    assert [(one.version, one.weight) for one in table.variants] == [(2, 100.0)]


def test_what_was_rolled_back_or_revoked_must_leave() -> None:
    state = with_canary()
    digests = {1: "sha256:a", 2: "sha256:b"}
    now = running_release(state, "m")
    assert now is not None
    beside = traffic(now, 3, digests)
    assert beside is not None and not must_leave(state, beside)
    state.tell(conclude(state, now, ROLLBACK, 10))
    assert must_leave(state, beside)
    alone = traffic(release_of(state, "m/2"), 5, digests)
    assert alone is not None and not must_leave(state, alone)
    state.tell(revoke(state, "m", 1))
    assert must_leave(state, alone)


def test_what_served_before_and_may_again_latest_first() -> None:
    state = with_champion()
    for version in (2, 3, 4):
        state.tell(start(state, "m", version, "immediate", SETTINGS, HERE))
    assert served_before(state, "m", "w") == [4, 3, 2, 1]
    assert served_before(state, "m", "elsewhere") == []
    state.tell(revoke(state, "m", 3))
    assert served_before(state, "m", "w") == [4, 2, 1]
    state.tell(start(state, "m", 2, "canary", SETTINGS, HERE))
    assert served_before(state, "m", "w") == [4, 1]
    now = running_release(state, "m")
    assert now is not None
    state.tell(conclude(state, now, ROLLBACK, 10))
    assert served_before(state, "m", "w") == [4, 1]


REGIONS = (("w",), ("far", "farther"))


def with_regions(strategy: Strategy) -> Folded:
    state = with_champion()
    venue = Venue("w", ("w", "far", "farther"), stages=REGIONS)
    return state.tell(start(state, "m", 2, strategy, STAGED, venue))


def conclude_at(state: Folded, decision: Decision) -> Folded:
    return state.tell(conclude(state, release_of(state, "m/2"), decision, 300))


def test_steps_of_one_region_follow_those_of_the_other() -> None:
    state = with_regions("canary")
    walked = []
    for weight in (25, 100, 5, 25, 100):
        one = release_of(state, "m/2")
        walked.append((one.stage, one.weight, one.lead))
        conclude_at(state, Promote(weight))
    first, second = [(0, n, "w") for n in (5, 25, 100)], [(1, n, "far") for n in (5, 25)]
    assert walked == first + second
    last = release_of(state, "m/2")
    assert (last.step, len(last.begun), last.batches) == (5, 6, REGIONS)
    conclude_at(state, Complete())
    assert (release_of(state, "m/2").status, aliases_of(state, "m")) == (
        "completed",
        {"champion": 2},
    )


def test_what_was_told_of_one_regions_trial_is_no_matter_of_the_next() -> None:
    state = with_regions("bandit")
    conclude_at(state, Reweigh(80, 1, 0.9, (Arm(9), Arm(9))))
    assert (release_of(state, "m/2").weight, release_of(state, "m/2").look) == (80, 1)
    before = release_of(state, "m/2")
    late = conclude(state, before, Reweigh(90, 2, 0.9, (Arm(9), Arm(9))), 300)
    word = conclude(state, before, Decide("money", "version", Estimate.unknown("empty")), 300)
    conclude_at(state, Promote(100))
    assert release_of(state, "m/2").weight == 100
    conclude_at(state, Promote(50))
    state.tell((*late, *word))
    after = release_of(state, "m/2")
    assert (after.weight, after.look, after.winner, after.weighed) == (50, 1, "", 0)


def test_steps_that_two_persons_took_unseen_keep_their_times() -> None:
    """One went a step, the other two: both were at the first when they spoke."""
    state = with_regions("canary")
    first = release_of(state, "m/2")
    skipped = replace(first, step=1)
    state.tell(conclude(Folded(), skipped, Promote(100), 0))
    after = release_of(state, "m/2")
    assert (after.step, len(after.begun), len(set(after.begun))) == (2, 3, 2)
    assert after.begun_at("w") == after.begun


def test_a_version_whose_champion_was_revoked_stands_alone_at_every_site() -> None:
    state = with_regions("canary")
    state.tell(revoke(state, "m", 1))
    alone = release_of(state, "m/2")
    assert (alone.strategy, alone.previous, alone.is_staged) == ("immediate", None, False)
    table = traffic(alone, 3, {2: "sha256:b"}, "far")
    assert table is not None and [one.weight for one in table.variants] == [100.0]


def test_a_release_of_before_regions_is_still_read() -> None:
    state = with_champion()
    body = dict(start(state, "m", 2, "rolling", SETTINGS, Venue("w", ("w", "far")))[0].body)
    del body["stages"]
    state.tell([Draft("release.started", body, 4)])
    one = release_of(state, "m/2")
    assert (one.batches, one.steps) == ((("w",), ("far",)), (50, 100))
