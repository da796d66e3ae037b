"""What `status`, `signals` and `compare` tell of a loop."""

import contextlib
import io
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl
import pytest

from freehold.app.loop import proposals
from freehold.app.loop.compare import compare_months
from freehold.app.loop.proposals import approve, find_proposal, open_proposals, reject
from freehold.app.loop.signals import signals
from freehold.app.loop.status import ADDRESS, own_endpoint, status
from freehold.cli.main import run
from freehold.domain.errors import Conflict, NotFound


def typed(loop: Any, *arguments: str) -> tuple[int, Any]:
    out = io.StringIO()
    with (
        contextlib.chdir(loop.site.project.root),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        code = run([*arguments, "--json"])
    return code, json.loads(out.getvalue())


@pytest.fixture
def drifted(loop: Any) -> Any:
    loop.days(range(7), distance=2.0, ua=0.95)
    loop.turn()
    return loop


def test_status_of_a_loop_in_the_middle_of_a_release(drifted: Any) -> None:
    drifted.release(2)
    code, found = typed(drifted, "status")
    assert code == 0
    assert found == status(drifted.site)
    assert found.keys() == {"shape", "project", "site", "endpoint", "models", "unfinished_runs"}
    assert (found["shape"], found["project"], found["site"]) == (1, "tiny", "local")
    assert found["endpoint"] == {"url": "http://127.0.0.1:0", "up": False, "routing": None}
    assert found["unfinished_runs"] == []
    (model,) = found["models"]
    assessed = model.pop("assessed")
    assert (assessed["window_end"], assessed["version"]) == ("2024-01-07", 1)
    assert model == {
        "model": "delay",
        "versions": 2,
        "aliases": {"champion": 1, "challenger": 2},
        "release": {"id": "delay/2", "version": 2, "weight": 5, "held": ""},
        "logged_rows": 2101,
        "proposals": [{"proposal": "delay/2024-01-07", "standing": "made"}],
    }


def test_status_believes_no_stranger(loop: Any) -> None:
    """What listens where an endpoint did is believed only if it shows the site's key."""
    (loop.site.serving / ADDRESS).write_text(json.dumps({"url": "http://127.0.0.1:9"}))
    assert own_endpoint(loop.site) == ""
    assert status(loop.site)["endpoint"]["up"] is False


def test_signals_of_a_week(drifted: Any) -> None:
    code, found = typed(drifted, "signals")
    assert code == 0
    assert found == signals(drifted.site) == signals(drifted.site, "delay")
    assert found.keys() == {"shape", "assessments", "signals", "proposals"}
    (assessed,) = found["assessments"]
    assert assessed.keys() == {
        *("model", "version", "window_start", "window_end", "rows", "labelled", "report", "fact"),
        *("score_psi", "score_ks", "score_js", "features", "not_watched"),
        *("auc", "accuracy", "baseline_accuracy", "net_accuracy"),
    }
    assert assessed["features"].keys() == {"distance", "carrier"}
    report = json.loads(drifted.site.artifacts.get(assessed["report"]))
    assert report["drift"]["score"]["psi"]["value"] == assessed["score_psi"]
    assert report["quality"] is None
    assert {one["kind"] for one in found["signals"]} == {"score-drift", "feature-drift"}
    for one in found["signals"]:
        assert one.keys() == {
            *("kind", "severity", "model", "version", "feature", "value", "limit"),
            *("low", "high", "level", "rows", "window_start", "window_end"),
        }
        assert one["low"] <= one["value"] <= one["high"]
    (proposal,) = found["proposals"]
    assert proposal["proposal"] == "delay/2024-01-07"
    assert (proposal["action"], proposal["standing"]) == ("retrain", "made")


def test_before_anything_was_measured_they_are_empty(loop: Any) -> None:
    empty = {"shape": 1, "assessments": [], "signals": [], "proposals": []}
    assert typed(loop, "signals") == (0, empty)
    assert status(loop.site)["models"][0]["assessed"] is None


def test_a_persons_word_for_a_proposal_and_no_second_one(drifted: Any) -> None:
    name = "delay/2024-01-07"
    assert approve(drifted.site, name).standing == "approved"
    (fact,) = drifted.facts("proposal.approved")
    assert fact["actor"] == drifted.site.actor
    assert fact["cause"] == [drifted.facts("proposal.made")[0]["name"]]
    for word in (approve, reject):
        with pytest.raises(Conflict) as caught:
            word(drifted.site, name)
        assert caught.value.code == "proposal.not-open"
    assert [one.name for one in open_proposals(drifted.site, "delay")] == [name]


def test_of_two_words_at_once_the_first_counts(
    drifted: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one is refused, though it was open when that person looked."""
    name = "delay/2024-01-07"

    def found_and_rejected_meanwhile(site: Any, name: str) -> Any:
        monkeypatch.undo()
        found = find_proposal(site, name)
        reject(site, name)
        return found

    monkeypatch.setattr(proposals, "find_proposal", found_and_rejected_meanwhile)
    with pytest.raises(Conflict) as caught:
        approve(drifted.site, name)
    assert caught.value.code == "proposal.not-open"
    assert drifted.facts("proposal.approved") == []
    assert find_proposal(drifted.site, name).standing == "rejected"


def test_a_persons_word_against_it(drifted: Any) -> None:
    name = "delay/2024-01-07"
    code, said = typed(drifted, "approve", name, "--reject", "--yes")
    assert (code, said["standing"]) == (0, "rejected")
    assert open_proposals(drifted.site, "delay") == []
    assert drifted.turn().acted is None


def test_a_proposal_that_is_not_there(drifted: Any) -> None:
    with pytest.raises(NotFound) as caught:
        find_proposal(drifted.site, "delay/2024-01-08")
    assert caught.value.code == "proposal.not-found"
    assert "delay/2024-01-07" in caught.value.why


def auc(scores: Any, labels: Any) -> float:
    """Share of pairs in the right order, a tie counting half: Mann and Whitney."""
    above = np.subtract.outer(scores[labels == 1], scores[labels == 0])
    return float((above > 0).mean() + (above == 0).mean() / 2)


def test_compare_by_hand(loop: Any, world: Any) -> None:
    """Of each month: what answered, beside what a version that stayed would have."""
    expected = {}
    for month, version in ((1, 1), (2, 2)):
        at = datetime(2024, month, 10, tzinfo=UTC)
        asked = world.asked_rows(200, seed=month)
        distance = asked["distance"].to_numpy()
        frozen = world.scores_of(distance)
        live = np.random.default_rng(month).random(200) if version == 2 else frozen
        answered = loop.answered(version, asked, live, at=at)
        labels = world.outcomes(frozen, seed=month)
        known = labels[:180]
        loop.labelled(answered.head(180), known)
        expected[f"2024-{month:02d}"] = (auc(live[:180], known), auc(frozen[:180], known))
    loop.turn()
    months = compare_months(loop.site, "delay@1")
    assert [(one.month, one.rows) for one in months] == [("2024-01", 180), ("2024-02", 180)]
    for one in months:
        live, frozen = expected[one.month]
        assert one.live.value == pytest.approx(live)
        assert one.frozen.value == pytest.approx(frozen)
        assert one.gained.value == pytest.approx(live - frozen)
    assert months[1].live.value < months[1].frozen.value
    code, said = typed(loop, "compare", "delay@1")
    assert code == 0
    assert said["months"] == [one.as_json() for one in months]


def test_compare_counts_a_prediction_once_and_its_last_label(loop: Any, world: Any) -> None:
    asked = world.asked_rows(100)
    scores = world.scores_of(asked["distance"].to_numpy())
    labels = world.outcomes(scores)
    answered = loop.answered(1, asked, scores)
    part = next(iter((loop.site.serving / "log").glob("*.parquet")))
    again = pl.read_parquet(part).with_columns(score=1 - pl.col("score"))
    again.write_parquet(part.with_name("9" * 16 + "-000001.parquet"))
    loop.labelled(answered, 1 - labels)
    loop.labelled(answered, labels)
    loop.turn()
    (month,) = compare_months(loop.site, "delay@1")
    assert month.rows == 100
    assert month.live.value == pytest.approx(auc(scores, labels))


@pytest.mark.parametrize("labels", [0, 5])
def test_compare_without_what_it_needs(loop: Any, labels: int) -> None:
    answered = loop.day(0, rows=10)
    if labels:
        loop.labelled(answered.head(labels), [0] * labels)
    with pytest.raises(NotFound) as caught:
        compare_months(loop.site, "delay@1")
    assert caught.value.code == "labels.none"


def test_the_lines_of_a_turn_are_for_people(loop_of: Callable[..., Any]) -> None:
    loop = loop_of("release: {steps: [50, 100], minimum_rows: 10}\n")
    loop.release(2)
    for _ in range(2):
        loop.canary(2, 10)
        loop.turn()
    assert loop.told == [
        "delay@2 goes to 100 %, after 10 rows at 50 %",
        "delay@2 is the champion, after 10 rows at 100 %",
    ]
