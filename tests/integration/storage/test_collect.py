"""What a collection removes, and what it leaves, on a real site."""

from threading import Thread
from typing import Any

import pytest

from freehold.app.costs.meter import meter
from freehold.app.history.facts import facts_of
from freehold.app.site.opening import LEDGER
from freehold.app.storage import gc, hold
from freehold.app.storage.inspection import explain
from freehold.app.storage.notes import FILE
from freehold.app.storage.survey import survey
from freehold.domain.errors import Conflict, ProjectInvalid, StorageFailed
from freehold.domain.fact import Draft
from tests.collected import collected_once
from tests.later_release import append_later


def made_by(finished: Any) -> set[str]:
    return {o.digest for step in finished.outcome.steps.values() for o in step.outputs}


def test_what_is_past_its_days_goes_at_the_second_look(place: Any) -> None:
    with place.open() as site:
        old = made_by(place.run(site, 4))
        place.pass_days(31)
        young = made_by(place.run(site, 5))
        first = place.collect(site)
        assert (first.objects, first.noted) == (0, len(old - young))
        assert old <= place.digests(site)
        place.pass_days(0.9)
        assert place.collect(site).objects == 0, "a day must go by"
        place.pass_days(0.2)
        second = place.collect(site)
        assert (second.objects, second.noted) == (len(old - young), 0)
        assert place.digests(site) == young
        (fact,) = facts_of(site, "storage.collected")
        assert fact.body["objects"] == second.objects
        assert fact.body["bytes"] == second.bytes > 0
        assert all(type(value) is int for value in fact.body.values())


def test_what_is_made_again_after_it_went_is_there_again(place: Any) -> None:
    with place.open() as site:
        old = made_by(place.run(site))
        place.pass_days(40)
        place.collect(site)
        place.pass_days(2)
        assert place.collect(site).objects == len(old)
        again = place.run(site)
        assert not any(step.cached for step in again.outcome.steps.values())
        assert made_by(again) == old == place.digests(site)


def test_a_run_that_uses_the_cache_keeps_what_it_used(place: Any) -> None:
    with place.open() as site:
        old = made_by(place.run(site))
        place.pass_days(40)
        place.collect(site)
        place.pass_days(2)
        assert all(step.cached for step in place.run(site).outcome.steps.values())
        assert place.collect(site).objects == 0
        assert place.digests(site) == old


def test_nothing_goes_while_a_run_is_under_way(place: Any, stray: str) -> None:
    with place.open() as site:
        place.run(site)
        place.pass_days(40)
        site.objects.put(stray, b"x")
        place.collect(site)
        place.pass_days(2)
        assert survey(site).goes
        begun = {"pipeline": "sums", "run": "r", "steps": 1, "environment": "", "parameters": {}}
        site.ledger.append([Draft("run.started", begun, 2)])
        held = site.locks.take("run r")
        assert held is not None
        before = place.digests(site)
        found = place.collect(site)
        assert (found.objects, found.held_up) == (0, ("run r",))
        assert place.digests(site) == before
        held.release()
        site.ledger.append([Draft("run.finished", {"run": "r", "status": "finished"})])
        assert place.collect(site).objects == len(before)


def test_what_may_belong_to_an_open_run_stays(place: Any, stray: str) -> None:
    """Its manifest, or the output of a step that was killed before its fact."""
    with place.open() as site:
        begun = {"pipeline": "sums", "run": "r", "steps": 1, "environment": "", "parameters": {}}
        site.ledger.append([Draft("run.started", begun, 2)])
        site.ledger.append([Draft("run.finished", {"run": "r", "status": "failed"})])
        site.objects.put(stray, b"x")
        site.objects.put("results/sha256/" + "cd" * 32, b"x")
        for _ in range(3):
            place.collect(site)
            place.pass_days(20)
        assert site.objects.size(stray) == 1
        told = explain(site, "sha256:abababab")
        assert (told.verdict, told.reason, told.by) == ("kept", "may belong to an open run", "r")
        place.run(site)
        assert place.collect(site).objects == 2
        assert list(site.objects.keys("results/")) == []


def test_what_a_hold_names_stays_until_it_is_released(place: Any) -> None:
    with place.open() as site:
        finished = place.run(site)
        placed = hold.place_hold(site, *hold.name_of(site, finished.outcome.run), "case 7")
        assert hold.reason_of(site, placed) == "case 7"
        for _ in range(3):
            place.pass_days(40)
            place.collect(site)
        assert made_by(finished) <= place.digests(site)
        hold.release_hold(site, placed.hold)
        place.collect(site)
        place.pass_days(2)
        place.collect(site)
        assert place.digests(site) == set()
        assert hold.reason_of(site, placed) == "case 7", "attachments are not collected"


def test_a_hold_that_is_placed_after_the_look_still_holds(place: Any) -> None:
    with place.open() as site:
        finished = place.run(site)
        place.pass_days(40)
        place.collect(site)
        place.pass_days(2)
        seen = survey(site)
        assert len(seen.going) == 2
        kept = sorted(made_by(finished))[0]
        hold.place_hold(site, *hold.name_of(site, kept[:20]))
        assert gc.collect(site, seen).objects == 1
        assert place.digests(site) == {kept}


def test_what_a_fact_of_an_unknown_type_names_stays(place: Any, stray: str) -> None:
    with place.open() as site:
        site.objects.put(stray, b"x")
        site.ledger.append([Draft("moon.landed", {"flags": [{"at": "sha256:" + "ab" * 32}]})])
        for _ in range(3):
            place.collect(site)
            place.pass_days(40)
        assert explain(site, "sha256:abababab").reason == "unread fact"


def test_what_a_fact_names_of_which_this_release_can_make_nothing_stays(
    place: Any, stray: str
) -> None:
    """Labels as a later release may tell them: their type is known, their times are elsewhere."""
    with place.open() as site:
        site.objects.put(stray, b"x")
        ledger, writer, signer = site.project.state / LEDGER, site.ledger.writer, site.signer
    told = {"model": "m", "artifact": "sha256:" + "ab" * 32, "times": [1, 2]}
    append_later(ledger, writer, signer, place.clock, Draft("labels.added", told, version=2))
    with place.open() as site:
        for _ in range(3):
            place.collect(site)
            place.pass_days(40)
        assert explain(site, "sha256:abababab").reason == "unread fact"


def test_what_is_no_object_of_ours_is_left_alone(place: Any) -> None:
    with place.open() as site:
        strangers = ["artifacts/readme.txt", "packs/one.zip", "notes/ab/cd", "results/odd"]
        for key in strangers:
            site.objects.put(key, b"x")
        for _ in range(3):
            place.collect(site)
            place.pass_days(40)
        assert all(site.objects.size(key) == 1 for key in strangers)


def test_a_run_cannot_begin_between_the_last_look_and_the_removal(place: Any) -> None:
    """A run begins at the worst moment: it waits until the batch is gone, and makes it anew."""
    with place.open() as site, place.open() as other:
        old = made_by(place.run(site))
        place.pass_days(40)
        place.collect(site)
        place.pass_days(2)
        runs: list[Any] = []
        beginner = Thread(target=lambda: runs.append(place.run(other)))
        entries_at_removal = []
        remove = site.objects.delete

        def slowly(key: str) -> None:
            if not beginner.is_alive() and not runs:
                beginner.start()
                beginner.join(0.3)
            entries_at_removal.append(sum(1 for _ in other.ledger.lines()))
            remove(key)

        seen = survey(site)
        object.__setattr__(site.objects, "delete", slowly)
        assert gc.collect(site, seen).objects == len(old)
        beginner.join()
        assert len(set(entries_at_removal)) == 1, "a fact was appended meanwhile"
        assert made_by(runs[0]) == old == place.digests(other)
        assert all(other.artifacts.holds(digest) for digest in old)


def test_a_history_that_grows_is_looked_at_again(place: Any) -> None:
    with place.open() as site:
        place.run(site)
        place.pass_days(40)
        place.collect(site)
        place.pass_days(2)
        seen = survey(site)
        site.ledger.append([Draft("moon.landed", {})])
        assert gc.collect(site, seen).objects == 2


def test_one_collection_at_a_time(place: Any) -> None:
    with place.open() as site, place.open() as other:
        held = site.locks.take("gc")
        assert held is not None
        with pytest.raises(Conflict) as refused:
            place.collect(other)
        assert refused.value.code == "storage.collecting"
        held.release()
        place.collect(other)


def test_notes_that_cannot_be_read_cost_a_grace_period_and_nothing_else(place: Any) -> None:
    with place.open() as site:
        place.run(site)
        place.pass_days(40)
        place.collect(site)
        for text in ("", "[]", '{"shape": 9}', '{"shape": 1, "noted": {"a": 3}}', '{"shape": 1}'):
            place.pass_days(2)
            (site.folder / FILE).write_text(text)
            assert place.collect(site).objects == 0
        place.pass_days(2)
        assert place.collect(site).objects == 2


def test_a_clock_that_is_set_back_does_not_make_a_note_older(place: Any) -> None:
    with place.open() as site:
        place.run(site)
        place.pass_days(40)
        place.collect(site)
        place.pass_days(-9)
        place.collect(site)
        place.pass_days(0.5)
        assert place.collect(site).objects == 0


def test_a_retention_below_0_is_refused(place: Any) -> None:
    place.settings("runs_days: 30", "runs_days: -1")
    with place.open() as site, pytest.raises(ProjectInvalid) as refused:
        survey(site)
    (fault,) = refused.value.faults
    assert fault.where == "freehold.yaml:5"


def test_what_was_removed_before_the_store_failed_is_recorded(place: Any) -> None:
    with place.open() as site:
        place.settings("runs_days: 30", "runs_days: 1")
        for rows in range(40):
            place.run(site, rows)
        place.pass_days(40)
    with place.open() as site:
        place.collect(site)
        place.pass_days(2)
        total, remove = len(place.digests(site)), site.objects.delete
        calls = 0

        def failing(key: str) -> None:
            nonlocal calls
            calls += 1
            if calls > gc.BATCH + 3:
                raise StorageFailed("the disk is gone")
            remove(key)

        object.__setattr__(site.objects, "delete", failing)
        with pytest.raises(StorageFailed):
            place.collect(site)
        object.__setattr__(site.objects, "delete", remove)
        assert place.collect(site).noted == 0
        assert place.digests(site) == set()
        told = [fact.body["objects"] for fact in facts_of(site, "storage.collected")]
        assert sum(told) == total


def test_rows_of_usage_that_went_before_they_were_named_are_made_again(
    place: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with place.open() as site:
        with monkeypatch.context() as patched:
            # What a run used is metered at its end.
            patched.setattr("freehold.app.costs.meter.meter", lambda _site: None)
            place.run(site)
        with monkeypatch.context() as patched:
            collected_once(site, patched)
            assert meter(site) is not None
        (part,) = place.metered(site)
        assert site.artifacts.holds(part)
