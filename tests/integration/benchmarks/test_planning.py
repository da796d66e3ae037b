"""Whole plans of drawn projects are timed by their parts; how fast is no test's concern."""

from pathlib import Path

import pytest

from benchmarks.planning.parts import Spans
from benchmarks.planning.projects import write_project
from benchmarks.planning.whole import PARTS, whole


def texts(root: Path) -> dict[str, str]:
    return {
        one.relative_to(root).as_posix(): one.read_text()
        for one in root.rglob("*")
        if one.is_file()
    }


def test_the_same_seed_draws_the_same_project_and_another_another(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("one", "same", "other")]
    for folder, seed in zip(folders, (1, 1, 2), strict=True):
        folder.mkdir()
        write_project(folder, seed, steps=30, sites=4)
    one, same, other = map(texts, folders)
    assert one == same
    assert one["steps.py"] != other["steps.py"]
    assert {"freehold.yaml", "placing/limits.json", "placing/placing.rego"} < one.keys()
    assert "residency" in one["steps.py"] + other["steps.py"]


def test_a_whole_plan_takes_what_its_parts_take() -> None:
    found = whole(seed=1, steps=30, sites=4)
    assert set(found.parts) == set(found.entered) == set(PARTS)
    assert all(times >= 1 for times in found.entered.values()), "each part of a plan is measured"
    assert sum(found.parts.values()) == pytest.approx(found.seconds, rel=0.02)
    assert 0 < found.denied < found.verdicts <= 30 * 4
    assert 0 <= found.gap <= 0.01


def test_what_is_within_a_part_is_not_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = iter([0.0, 1.0, 3.0, 6.0])
    monkeypatch.setattr("benchmarks.planning.parts.perf_counter", lambda: next(moments))
    spans = Spans(("outer", "inner"))
    with spans.of("outer"), spans.of("inner"):
        pass
    assert spans.seconds == {"outer": 4.0, "inner": 2.0}
    assert spans.entered == {"outer": 1, "inner": 1}
