"""The rebuild drill on folders: same bytes, other bytes within and beyond tolerance, other code."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from subprocess import Popen

import pytest

from freehold.app.drill.offline.places import Places, spawn
from freehold.app.drill.production import standing
from freehold.app.drill.rebuild.drill import rebuild_drill, require_rebuilt
from freehold.app.project.reading import OpenProject
from freehold.cli import drill_rebuild
from freehold.domain.errors import Failed, NotFound

Check = Callable[[OpenProject], None]


def test_the_latest_run_is_rebuilt_bit_by_bit(shop: OpenProject, nothing_left: Check) -> None:
    before = standing(shop)
    report = rebuild_drill(shop, "aws")
    require_rebuilt(report)
    found = report.comparison
    assert found.identical
    assert {one.step for one in found.artifacts} == {
        *("baskets", "columns", "fit", "shaken", "split"),
    }
    assert len(found.artifacts) == 6, "split has two outputs"
    assert found.package[0] == found.package[1] != ""
    assert (found.rows, found.score_difference) == (1000, 0.0)
    assert report.same_environment
    assert report.removed >= 6
    assert standing(shop) == before
    nothing_left(shop)


def git(folder: Path, *arguments: str) -> str:
    who = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.org")
    command = ["git", *who, "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_the_commit_is_told_and_what_is_not_of_it(
    shop: OpenProject, nothing_left: Check, capsys: pytest.CaptureFixture[str]
) -> None:
    git(shop.root, "init", "--quiet")
    git(shop.root, "add", "--all")
    git(shop.root, "commit", "--quiet", "--message", "the shop")
    head = git(shop.root, "rev-parse", "HEAD")

    report = rebuild_drill(shop, "aws")
    assert (report.commit, report.uncommitted) == (head, ())
    assert report.comparison.identical
    drill_rebuild.show(report)
    shown = capsys.readouterr().out
    assert f"run {report.reference} at onprem on file, rebuilt at aws on file" in shown
    assert len([line for line in shown.splitlines() if line.endswith("same")]) == 7
    assert "1,000 rows scored by both models: largest difference 0, tolerance 0.005" in shown
    assert "every artifact is the same, bit by bit" in shown
    assert f"{report.files} files, {report.tree[:23]}, commit {head[:12]}\n" in shown
    assert "no file of the project is uncommitted" in shown
    assert f"production is as it was; {report.removed} objects of the drill removed" in shown

    (shop.root / "README.md").unlink()
    with (shop.root / "freehold.yaml").open("a") as file:
        file.write("# changed\n")
    (shop.root / "new file.txt").write_text("never added")
    dirty = rebuild_drill(shop, "aws")
    assert dirty.commit == head
    assert sorted(dirty.as_json()["uncommitted"]) == ["README.md", "freehold.yaml", "new file.txt"]
    drill_rebuild.show(dirty)
    shown = capsys.readouterr().out
    assert "3 files are not those of the commit: " in shown and "new file.txt" in shown
    assert "no file of the project is uncommitted" not in shown
    nothing_left(shop)


def test_without_version_control_no_commit_is_claimed(
    shop: OpenProject, capsys: pytest.CaptureFixture[str]
) -> None:
    report = rebuild_drill(shop, "aws")
    assert (report.commit, report.uncommitted) == ("", ())
    drill_rebuild.show(report)
    assert "commit" not in capsys.readouterr().out


def test_other_bytes_are_held_against_figures_and_scores(
    shop: OpenProject, monkeypatch: pytest.MonkeyPatch, nothing_left: Check
) -> None:
    monkeypatch.setenv("NOISE", "0.001")
    report = rebuild_drill(shop, "aws", tolerance=0.25)
    require_rebuilt(report)
    found = report.comparison
    assert not found.identical
    assert {"shaken", "fit", "package"} <= set(found.differing)
    assert {one.step for one in found.artifacts if one.same} >= {"baskets", "split"}
    assert 0 < found.score_difference <= 0.25
    nothing_left(shop)


def test_a_model_that_is_not_the_same_fails_the_drill(
    shop: OpenProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOISE", "30")
    report = rebuild_drill(shop, "aws")
    assert any("auc" in fault for fault in report.comparison.faults)
    assert any("score of a row" in fault for fault in report.comparison.faults)
    with pytest.raises(Failed) as caught:
        require_rebuilt(report)
    assert caught.value.code == "drill.failed"
    assert "shaken" in caught.value.why


def test_other_code_is_no_rebuild_unless_a_run_is_made_now(
    shop: OpenProject, nothing_left: Check
) -> None:
    source = shop.root / "shop.py"
    source.write_text(source.read_text().replace("num_boost_round=20", "num_boost_round=10"))
    sys.modules.pop("shop", None)
    with pytest.raises(Failed) as caught:
        rebuild_drill(shop, "aws")
    assert caught.value.code == "drill.code-changed"
    assert "fit" in caught.value.why
    nothing_left(shop)
    report = rebuild_drill(shop, "aws", run="now")
    assert report.made_now
    assert report.comparison.identical
    nothing_left(shop)


def test_a_project_that_never_ran_is_run_here_and_there(
    new_shop: OpenProject, nothing_left: Check
) -> None:
    report = rebuild_drill(new_shop, "aws")
    assert report.comparison.identical
    assert not (new_shop.root / ".freehold").exists()
    nothing_left(new_shop)


def test_what_is_not_there_is_refused(shop: OpenProject) -> None:
    with pytest.raises(NotFound) as caught:
        rebuild_drill(shop, "mars")
    assert caught.value.code == "site.unknown"
    with pytest.raises(NotFound) as caught:
        rebuild_drill(shop, "aws", run="20200101-000000-00000000")
    assert caught.value.code == "run.unknown"


def test_a_run_whose_artifacts_never_came_here_is_no_riddle(
    shop: OpenProject, nothing_left: Check
) -> None:
    shutil.rmtree(shop.state / "objects" / "artifacts")
    with pytest.raises(NotFound) as caught:
        rebuild_drill(shop, "aws")
    assert caught.value.code == "artifact.missing"
    assert "freehold fetch 2" in caught.value.hint
    nothing_left(shop)


def test_the_process_at_the_other_site_starts_in_its_place(shop: OpenProject) -> None:
    started: list[str] = []

    class Counting(Places):
        def start(
            self, site: str, command: Sequence[str], environment: Mapping[str, str]
        ) -> "Popen[str]":
            started.append(site)
            return spawn(command, environment)

        def cut(self, site: str) -> None: ...

        def heal(self, site: str) -> None: ...

        def close(self) -> None: ...

    assert rebuild_drill(shop, "aws", places=Counting()).comparison.identical
    assert started == ["aws"]
