"""The offline drill on folders: what it proves, and that each proof can fail."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest

from freehold.app.drill.offline import drill as offline
from freehold.app.drill.offline.account import OfflineReport
from freehold.app.drill.offline.drill import offline_drill
from freehold.app.drill.offline.places import Places, spawn
from freehold.app.drill.offline.stage import Stage
from freehold.app.drill.production import standing
from freehold.app.project.reading import OpenProject
from freehold.cli import drill_offline
from freehold.domain.errors import Failed, NotFound

Check = Callable[[OpenProject], None]
CLOSED = """\
package freehold.closed

import rego.v1

rules := {"closed"}

requires := {"input.model": "string"}

cleared contains "closed" if {
	count(input.model) == 0
}

deny contains {"rule": "closed", "message": "nothing is let in today"} if {
	not "closed" in cleared
}
"""


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
    shop: OpenProject,
    nothing_left: Check,
    told: Callable[[str], None],
    capsys: pytest.CaptureFixture[str],
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
        assert one.trained["allowed"] is True
        assert one.released["strategy"] == "immediate"
        assert one.released["approved"].endswith(one.site)
        assert one.predictions > 100
        assert one.entries["before"] < one.entries["at_return"] < one.entries["after"]
    assert aws.entries["before"] == onprem.entries["before"]
    assert aws.entries["after"] == onprem.entries["after"]
    assert 38 < report.spanned < 50
    _check_conflict(report)
    _check_logs(report)
    _check_probes(report)
    drill_offline.show(report)
    _check_shown(report, capsys.readouterr().out)


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


def _check_probes(report: OfflineReport) -> None:
    """Of stores; both sites are this machine, so that of peers nothing is claimed."""
    assert {one.partition(":")[0] for one in report.probes} == {
        "aws → store of aws",
        "onprem → store of aws",
    }
    assert sorted(report.not_probed) == [
        "aws → onprem: onprem has no network address of its own that is known here",
        "onprem → aws: aws has no network address of its own that is known here",
    ]
    assert report.as_json()["not_probed"] == report.not_probed


def _check_shown(report: OfflineReport, shown: str) -> None:
    """What a person reads is what the report has, figure by figure."""
    lines = shown.splitlines()
    assert lines[0] == "aws was cut off for 48 hours of its clock, and came back"
    assert [line for line in lines if line.startswith("  cut off: ")] == [
        f"  cut off: {one}" for one in report.probes
    ]
    assert [line for line in lines if line.startswith("  not tried: ")] == [
        f"  not tried: {one}" for one in report.not_probed
    ]
    tables = [line.split() for line in lines]
    assert ["site", "process", "endpoint", "before", "at", "return", "after", "predictions"] in (
        tables
    )
    for one in report.sites.values():
        held = (one.entries[when] for when in ("before", "at_return", "after"))
        figures = (one.pid, one.endpoint, *held, one.predictions)
        assert [one.site, *(str(figure) for figure in figures)] in tables
        (worked,) = [line for line in lines if line.startswith(f"{one.site}: version ")]
        assert f"version {one.trained['version']} from 1 of 1 snapshots that were local" in worked
        assert "; policy allowed it; " in worked
        assert f"approved as {one.released['approved']}, " in worked
        assert f"released at once as {one.released['release']}" in worked
        assert worked.endswith(f"; {one.predictions} predictions answered")
    for log in report.logs:
        held_at = ", ".join(f"{site} {size}" for site, size in log.at_return.items())
        assert [log.writer, str(log.before), *held_at.split(), str(log.after)] in tables
    conflict = report.conflict
    assert f"conflict {conflict['conflict']} about abandon/champion: " in shown
    assert f"; {conflict['holds']} holds until a person settles it\n" in shown
    assert f"entries of aws span {report.spanned:.1f} hours\n" in shown
    assert f"{report.kept} entries that a site had acknowledged are held by every site\n" in shown
    assert f"one state everywhere; {report.verified} logs verify, at all sites together\n" in shown
    standing_still = f"{report.production_entries} entries, {report.production_files} files"
    assert f"production is as it was: {standing_still}; {report.removed} objects" in shown


def test_a_version_that_policy_denies_ends_the_drill(
    shop: OpenProject, nothing_left: Check, told: Any
) -> None:
    """What was trained during the cut is let in nowhere, and nothing says that it was."""
    (shop.root / "policies" / "closed.rego").write_text(CLOSED)
    before = standing(shop)
    with pytest.raises(Failed) as caught:
        offline_drill(shop, "aws", tell=told)
    assert caught.value.code == "policy.denied"
    assert "at aws: policy does not allow abandon@2 into traffic" in caught.value.what
    assert "closed" in caught.value.why
    assert "aws is cut off" in "\n".join(told.lines), "it came that far"
    assert not [line for line in told.lines if "allowed" in line]
    assert standing(shop) == before
    nothing_left(shop)


def test_a_project_that_never_ran_makes_a_first_model_for_the_drill(
    new_shop: OpenProject, nothing_left: Check
) -> None:
    """As it is typed, for a person to read."""
    typed = ("drill", "offline", "--cut", "onprem", "--hours", "6")
    said = subprocess.run(
        [sys.executable, "-m", "freehold.cli.main", *typed],
        cwd=new_shop.root,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.returncode == 0, said.stderr
    first, second, *_ = said.stdout.splitlines()
    assert first == "onprem was cut off for 6 hours of its clock, and came back"
    assert second == "production had nothing to serve: abandon@2 was made first, for the drill", (
        "aws is the second site, and numbers so"
    )
    assert "production is as it was: 0 entries, " in said.stdout
    assert "next: freehold drill rebuild --at SITE" in said.stderr
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
