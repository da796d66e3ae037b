"""The sketches of many parts say what their rows say, and no row is read."""

import json
from typing import Any

import polars as pl
import pytest

from freehold.app.traffic.requests import collect, requests
from freehold.app.traffic.sketches import asked, sketches
from freehold.cli import signals
from freehold.domain.errors import IntegrityError
from freehold.monitoring.sketches import described


def test_parts_add_up_to_what_the_rows_say(
    loop: Any, world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for day in range(3):
        loop.day(day, rows=40 + day)
    assert collect(loop.site, "delay") == 3
    rows = requests(loop.site, "delay")
    assert rows is not None

    def unread(*_: object, **__: object) -> None:
        raise AssertionError("rows are read")

    monkeypatch.setattr(pl, "read_parquet", unread)
    found = sketches(loop.site, "delay")
    assert list(found) == [1]
    assert found[1].rows == rows.height == 123
    told = described(found[1])
    score = rows["score"]
    assert told["score"]["mean"] == pytest.approx(score.mean(), rel=1e-12)
    assert told["score"]["deviation"] == pytest.approx(score.std(), rel=1e-9)
    median = score.sort()[61]
    assert told["score"]["quantiles"]["0.5"] == pytest.approx(median, rel=told["error"])
    inputs = {name.removeprefix("input_") for name in rows.columns if name.startswith("input_")}
    assert set(told["inputs"]) == inputs
    for name in inputs:
        column = rows[f"input_{name}"]
        one = told["inputs"][name]
        assert (one["rows"], one["missing"]) == (123, column.null_count())
        if one["kind"] == "category":
            counts = column.drop_nulls().value_counts(sort=True)
            usual = dict(zip(counts[column.name], counts["count"], strict=True))
            assert one["values"] == dict(sorted(usual.items(), key=lambda it: (-it[1], it[0]))[:10])
    second = int(world.MONDAY.timestamp()) * 1_000_000 + 86_400_000_000
    assert sketches(loop.site, "delay", second, 2 * 86_400_000_000 + second)[1].rows == 83
    assert sketches(loop.site, "delay", 0, second)[1].rows == 40
    assert sketches(loop.site, "other") == {}


def test_the_last_days_are_told_by_version_and_column(
    loop: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    for day in range(3):
        loop.day(day, rows=40 + day)
    collect(loop.site, "delay")
    (all_of_it,) = asked(loop.site, "delay", 36_500)
    assert (all_of_it["model"], all_of_it["version"], all_of_it["rows"]) == ("delay", 1, 123)
    assert asked(loop.site, "", 36_500) == [all_of_it]
    signals._asked([all_of_it], as_json=False)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("delay@1, 123 rows")
    named = [line.split()[0] for line in lines if line.strip()]
    assert {"score", *all_of_it["inputs"]} <= set(named)
    signals._asked([all_of_it], as_json=True)
    assert json.loads(capsys.readouterr().out) == {"shape": 1, "versions": [all_of_it]}


def test_a_part_that_changed_is_refused(loop: Any) -> None:
    loop.day(0, rows=3)
    collect(loop.site, "delay")
    (part,) = (loop.site.serving / "log").glob("*.parquet")
    part.write_bytes(part.read_bytes()[:-1])
    with pytest.raises(IntegrityError):
        sketches(loop.site, "delay")
