"""The offline drill on folders: what it proves, and that each proof can fail."""

import os
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from subprocess import Popen

import pytest

from freehold.app.drill.offline import drill as offline
from freehold.app.drill.offline.account import OfflineReport
from freehold.app.drill.offline.drill import offline_drill
from freehold.app.drill.offline.places import Places, spawn
from freehold.app.drill.offline.stage import Stage
from freehold.app.drill.production import standing
from freehold.app.project.reading import OpenProject
from freehold.domain.errors import Failed, NotFound

Check = Callable[[OpenProject], None]


class Neighbours(Places):
    """Places that are never cut: what a drill must notice."""

    def start(
        self, site: str, command: Sequence[str], environment: Mapping[str, str]
    ) -> "Popen[str]":
        return spawn(command, environment)

    def cut(self, site: str) -> None:
        """Not at all."""

    def heal(self, site: str) -> None: ...

    def close(self) -> None: ...


def test_a_site_is_cut_off_works_alone_and_returns(
    shop: OpenProject, nothing_left: Check, told: Callable[[str], None]
) -> None:
    before = standing(shop)
    report = offline_drill(shop, "aws", tell=told)
    assert standing(shop) == before
    nothing_left(shop)
    assert (report.production_unchanged, report.began) == (True, "")
    aws, onprem = report.sites["aws"], report.sites["onprem"]
    assert {one.pid for one in (aws, onprem)}.isdisjoint({0, os.getpid()})
    for one in (aws, onprem):
        assert one.trained["snapshots"] == {"baskets": "local"}
        assert one.trained["computed"] == 4
        assert one.released["strategy"] == "immediate"
        assert one.released["approved"].endswith(one.site)
        assert one.predictions > 100
        assert one.entries["before"] < one.entries["at_return"] < one.entries["after"]
    assert aws.entries["before"] == onprem.entries["before"]
    assert aws.entries["after"] == onprem.entries["after"]
    assert 38 < report.spanned < 50
    _check_conflict(report)
    _check_logs(report)


def _check_conflict(report: OfflineReport) -> None:
    conflict = report.conflict
    assert conflict["about"] == "abandon/champion"
    assert {side["site"] for side in conflict["sides"]} == {"aws", "onprem"}
    values = {side["site"]: side["value"] for side in conflict["sides"]}
    # The other side's work was later, by all clocks.
    assert conflict["holds"] == values["onprem"]
    assert conflict["standing"] == "open"


def _check_logs(report: OfflineReport) -> None:
    assert len(report.logs) == 2
    for log in report.logs:
        site = log.writer.partition("-")[0]
        (other,) = {"aws", "onprem"} - {site}
        assert log.at_return[other] == log.before
        assert log.before < log.at_return[site] <= log.after


def test_a_project_that_never_ran_makes_a_first_model_for_the_drill(
    new_shop: OpenProject, nothing_left: Check
) -> None:
    report = offline_drill(new_shop, "onprem", hours=6)
    assert report.began == "abandon@2", "aws is the second site, and numbers so"
    assert report.production_entries == 0
    assert not (new_shop.root / ".freehold").exists()
    nothing_left(new_shop)


def test_places_that_do_not_cut_are_found_out(
    shop: OpenProject, nothing_left: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Stage, "cut", lambda stage: stage.places.cut("aws"))
    before = standing(shop)
    with pytest.raises(Failed, match="aws is not cut off") as caught:
        offline_drill(shop, "aws", places=Neighbours())
    assert caught.value.code == "drill.failed"
    assert "aws still reaches the store of aws" in caught.value.why
    assert "onprem still reaches the store of aws" in caught.value.why
    assert standing(shop) == before
    nothing_left(shop)


def test_a_process_that_dies_during_the_cut_ends_the_drill(
    shop: OpenProject, nothing_left: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = offline._Drill._cut_off

    def and_killed(self: "offline._Drill") -> None:
        whole(self)
        os.kill(next(iter(self._crew["aws"].pids)), signal.SIGKILL)

    monkeypatch.setattr(offline._Drill, "_cut_off", and_killed)
    with pytest.raises(Failed, match="the process of aws has ended") as caught:
        offline_drill(shop, "aws")
    assert caught.value.code == "drill.process-ended"
    nothing_left(shop)


def test_production_that_was_touched_is_found_out(
    shop: OpenProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    victim = next(p for p in (shop.state / "objects" / "artifacts").rglob("*") if p.is_file())

    def played(self: "offline._Drill") -> OfflineReport:
        """In place of the play: here only what follows it is looked at."""
        victim.write_bytes(b"other bytes")
        return self._report

    monkeypatch.setattr(offline._Drill, "play", played)
    with pytest.raises(Failed, match="production is not as it was") as caught:
        offline_drill(shop, "aws")
    assert victim.name in caught.value.why


def test_what_cannot_be_drilled_is_refused_before_anything_is_made(
    shop: OpenProject, tmp_path: Path
) -> None:
    with pytest.raises(NotFound) as caught:
        offline_drill(shop, "mars")
    assert caught.value.code == "site.unknown"
    assert not (shop.root / ".freehold" / "drills").exists()
