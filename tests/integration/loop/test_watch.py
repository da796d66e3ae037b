"""A full week of the champion's own traffic is measured, once; what crosses a line is a signal."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from freehold.app.loop.proposals import reject
from freehold.app.loop.watch import evidence_of, watch
from freehold.app.traffic.requests import collect
from freehold.catalog.versions import version_of
from tests.collected import collected_once

WEEK = range(7)
MEASURED = ("monitoring.assessed", "signal.raised", "proposal.made")


def kinds(turn: Any) -> list[tuple[str, str, str | None]]:
    return [(one.kind, one.severity, one.feature) for one in turn.signals]


def test_a_usual_week_is_measured_and_raises_nothing(loop: Any) -> None:
    loop.days(WEEK)
    assert loop.turn().signals == ()
    (assessed,) = loop.facts(*MEASURED)
    body = assessed["body"]
    assert (body["window_start"], body["window_end"]) == ("2024-01-01", "2024-01-07")
    assert (body["version"], body["rows"], body["labelled"]) == (1, 2100, 0)
    assert body["score_psi"] < 0.05
    assert body["auc"] is None


def test_a_scores_drift_raises_a_signal_and_makes_a_proposal(loop: Any) -> None:
    loop.days(WEEK, distance=2.0)
    turn = loop.turn()
    assert ("score-drift", "action", None) in kinds(turn)
    (score,) = (one for one in turn.signals if one.kind == "score-drift")
    assert score.value > score.limit == 0.3
    assert score.rows == 2100
    (made,) = loop.facts("proposal.made")
    assert made["body"]["proposal"] == "delay/2024-01-07"
    assert made["body"]["signals"] == [
        {"feature": None, "kind": "score-drift", "window_end": "2024-01-07"}
    ]
    assert any(line.startswith("action: score-drift of the score") for line in loop.told)


def test_what_is_measured_raised_and_proposed_stands_in_one_append(loop: Any) -> None:
    """Each caused by the one before: the proposal by the signals that asked for it."""
    loop.days(WEEK, distance=2.0, ua=0.95)
    collect(loop.site, "delay")
    size = loop.count()
    heads = {checkpoint.size for checkpoint in loop.site.ledger.checkpoints()}
    watched = watch(loop.site, "delay")
    facts = loop.facts()[size:]
    assessed, *signals, made = facts
    assert [fact["type"] for fact in (assessed, made)] == [MEASURED[0], MEASURED[2]]
    assert {fact["type"] for fact in signals} == {"signal.raised"}
    assert len(signals) == len(watched) == 3
    assert all(fact["cause"] == [assessed["name"]] for fact in signals)
    pressing = [fact["name"] for fact in signals if fact["body"]["severity"] == "action"]
    assert made["cause"] == pressing
    after = {checkpoint.size for checkpoint in loop.site.ledger.checkpoints()}
    assert after - heads == {size + len(facts)}


@pytest.mark.parametrize("days", [range(1), range(6)])
def test_less_than_a_full_week_raises_nothing(loop: Any, days: range) -> None:
    loop.days(days, distance=3.0)
    assert loop.turn().signals == ()
    assert loop.facts(*MEASURED) == []


def test_a_day_that_still_goes_on_is_not_judged(loop: Any) -> None:
    for day in WEEK:
        loop.day(day, distance=3.0)
    assert loop.turn().signals == ()
    assert loop.facts(*MEASURED) == []


def test_a_drift_before_the_window_is_forgotten(loop: Any) -> None:
    for day in range(3):
        loop.day(day, distance=3.0)
    loop.days(range(3, 10))
    assert loop.turn().signals == ()
    (assessed,) = loop.facts(*MEASURED)
    assert assessed["body"]["rows"] == 2100


def test_a_features_drift_only_warns(loop: Any) -> None:
    loop.days(WEEK, ua=0.95)
    assert kinds(loop.turn()) == [("feature-drift", "warning", "carrier")]
    assert loop.facts("proposal.made") == []


def test_what_another_version_answered_or_a_client_chose_is_no_traffic_of_the_champion(
    loop: Any, world: Any
) -> None:
    for day in WEEK:
        asked = world.asked_rows(300, seed=day, distance=4.0)
        scores = world.scores_of(asked["distance"].to_numpy())
        at = world.MONDAY + timedelta(days=day)
        loop.answered(2, asked, scores, at=at, alias="challenger")
        loop.answered(1, asked, scores, at=at, routing=None)
    loop.days(WEEK)
    assert loop.turn().signals == ()
    (assessed,) = loop.facts(*MEASURED)
    assert assessed["body"]["rows"] == 2100


def test_a_week_without_enough_rows_raises_nothing(loop: Any) -> None:
    loop.days(WEEK, rows=71, distance=3.0)
    assert loop.turn().signals == ()
    (assessed,) = loop.facts(*MEASURED)
    assert (assessed["body"]["rows"], assessed["body"]["score_psi"]) == (497, None)


def test_net_accuracy_that_fell_raises_a_signal(loop: Any, world: Any) -> None:
    answered = loop.days(WEEK)
    labels = np.random.default_rng(5).integers(0, 2, answered.height)
    loop.labelled(answered, labels)
    turn = loop.turn()
    assert kinds(turn) == [("quality", "action", None)]
    (signal,) = turn.signals
    assert signal.value > signal.limit == 0.05
    (made,) = loop.facts("proposal.made")
    assert made["body"]["signals"][0]["kind"] == "quality"
    hits = (answered["score"].to_numpy() >= 0.5) == labels
    majority = max(labels.mean(), 1 - labels.mean())
    (assessed,) = loop.facts("monitoring.assessed")
    assert assessed["body"]["labelled"] == answered.height
    assert assessed["body"]["net_accuracy"] == pytest.approx(hits.mean() - majority)


def test_labels_as_good_as_the_evidence_raise_nothing(loop: Any, world: Any) -> None:
    answered = loop.days(WEEK)
    loop.labelled(answered, world.outcomes(answered["score"].to_numpy()))
    assert loop.turn().signals == ()


def net_accuracy_fallen_by(answered: pl.DataFrame, fall: float, reference: float) -> Any:
    """Labels, half of them positive, under which net accuracy is the reference less a fall."""
    said = answered["score"].to_numpy() >= 0.5
    yes, no = np.flatnonzero(said), np.flatnonzero(~said)
    right = round((0.5 + reference - fall) * answered.height)
    right_yes = (right + answered.height // 2 - len(no)) // 2
    labels = np.zeros(answered.height)
    labels[yes[:right_yes]] = 1
    labels[no[right - right_yes :]] = 1
    return labels


@pytest.mark.parametrize(
    ("rows", "fall", "is_signal"), [(2000, 0.08, True), (2000, 0.03, False), (20, 0.08, False)]
)
def test_a_fall_counts_over_its_line_and_beyond_chance(
    loop_of: Callable[..., Any], rows: int, fall: float, is_signal: bool
) -> None:
    loop = loop_of("monitoring: {minimum_rows: 100}\n")
    answered = loop.days(WEEK, rows=rows)
    version = evidence(loop)
    loop.labelled(answered, net_accuracy_fallen_by(answered, fall, version))
    assert [one.kind for one in loop.turn().signals] == ["quality"] * is_signal
    (assessed,) = loop.facts("monitoring.assessed")
    assert version - assessed["body"]["net_accuracy"] == pytest.approx(fall, abs=0.01)


def evidence(loop: Any) -> float:
    found = evidence_of(loop.site, version_of(loop.site.state, "delay", 1))
    value = found.overall.net_accuracy.value
    assert value is not None
    return value


def test_nothing_is_measured_twice(loop: Any) -> None:
    loop.days(WEEK, distance=2.0)
    loop.turn()
    before = loop.count()
    assert loop.turn().signals == ()
    loop.day(7, rows=5)
    assert loop.turn().signals == ()
    assert [fact["type"] for fact in loop.facts()[before:]] == ["log.recorded"]


def test_a_drift_that_lasts_is_raised_once_a_cool_down_and_proposed_once(loop: Any) -> None:
    loop.days(WEEK, distance=2.0)
    loop.turn()
    for day in range(7, 13):
        loop.days([day], distance=2.0)
        assert loop.turn().signals == ()
    assert len(loop.facts("monitoring.assessed")) == 7
    assert len(loop.facts("proposal.made")) == 1


def test_no_second_proposal_within_the_cool_down_and_one_after_it(
    loop_of: Callable[..., Any],
) -> None:
    loop = loop_of("monitoring: {cool_down_days: 3}\n")
    loop.days(WEEK, distance=2.0)
    loop.turn()
    reject(loop.site, "delay/2024-01-07")
    made = []
    for day in range(7, 11):
        loop.days([day], distance=2.0)
        loop.turn()
        made.append([fact["body"]["day"] for fact in loop.facts("proposal.made")][1:])
    assert made == [[], [], ["2024-01-10"], ["2024-01-10"]]


def test_an_open_proposal_is_the_only_one_however_long_it_waits(
    loop_of: Callable[..., Any],
) -> None:
    loop = loop_of("monitoring: {cool_down_days: 1}\n")
    loop.days(WEEK, distance=2.0)
    for day in range(7, 12):
        loop.turn()
        loop.days([day], distance=2.0)
    loop.turn()
    assert len(loop.facts("proposal.made")) == 1


def test_a_new_champion_is_watched_after_a_week_of_its_own(loop: Any) -> None:
    loop.days(WEEK)
    loop.turn()
    loop.release(2)
    for _ in range(3):
        loop.canary(2, 300)
        loop.turn()
    assert loop.aliases() == {"champion": 2}
    measured = len(loop.facts("monitoring.assessed"))
    for day in range(8, 14):
        loop.days([day], version=2, distance=3.0)
        assert loop.turn().signals == ()
    assert len(loop.facts("monitoring.assessed")) == measured
    loop.days([14], version=2, distance=3.0)
    assert "score-drift" in [one.kind for one in loop.turn().signals]


def test_a_champion_that_came_back_is_watched_after_a_week_of_its_own(loop: Any) -> None:
    """What it answered in an earlier reign does not make a few days a week."""
    loop.days(WEEK)
    loop.turn()
    for version, began in ((2, 8), (1, 12)):
        loop.release(version)
        for _ in range(3):
            loop.canary(version, 300)
            loop.turn()
        loop.days(range(began, began + 3), version=version)
        loop.turn()
    assert [fact["body"]["window_end"] for fact in loop.facts("monitoring.assessed")] == [
        "2024-01-07"
    ]


def test_rows_that_a_canary_answers_still_count_by_the_champions_own_score(
    loop: Any, world: Any
) -> None:
    """The canary's scores are far off; the champion's, on the same rows, are as they should be."""
    for day in WEEK:
        loop.day(day, rows=300 - 40 * day)
        asked = world.asked_rows(40 * day + 1, seed=50 + day)
        loop.answered(
            2,
            asked,
            np.full(asked.height, 0.99),
            world.scores_of(asked["distance"].to_numpy()),
            at=world.MONDAY + timedelta(days=day, hours=5),
            alias="challenger",
        )
    loop.day(7, rows=1)
    assert loop.turn().signals == ()
    (assessed,) = loop.facts("monitoring.assessed")
    assert (assessed["body"]["version"], assessed["body"]["rows"]) == (1, 7 * 301)
    assert assessed["body"]["score_psi"] < 0.05


def test_what_a_collection_let_go_of_is_measured_again(
    loop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop.days(WEEK, distance=2.0)
    collect(loop.site, "delay")
    size = loop.count()
    with monkeypatch.context() as patched:
        collected_once(loop.site, patched)
        assert watch(loop.site, "delay") == []
    assert loop.count() == size
    assert watch(loop.site, "delay")
    (assessed,) = loop.facts("monitoring.assessed")
    assert loop.site.artifacts.holds(assessed["body"]["report"])


def test_labels_that_a_collection_let_go_of_are_stored_again(
    loop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered = loop.days(WEEK)
    with monkeypatch.context() as patched:
        collected_once(loop.site, patched)
        loop.labelled(answered, np.ones(answered.height))
    (added,) = loop.facts("labels.added")
    assert loop.site.artifacts.holds(added["body"]["artifact"])
