"""The rebuild drill on folders: same bytes, other bytes within and beyond tolerance, other code."""

import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from subprocess import Popen

import pytest

from freehold.app.drill.offline.places import Places, spawn
from freehold.app.drill.production import standing
from freehold.app.drill.rebuild.drill import rebuild_drill, require_rebuilt
from freehold.app.project.reading import OpenProject
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
