"""Parts of the request log are recorded as they are, and believed only as they were recorded."""

from hashlib import sha256
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from freehold.app.traffic.requests import collect, requests
from freehold.catalog.versions import versions_of
from freehold.domain.errors import IntegrityError
from freehold.domain.fact import Draft


def parts(loop: Any) -> list[Path]:
    return sorted((loop.site.serving / "log").glob("*.parquet"))


def test_a_part_is_recorded_once_with_its_digest_and_times(loop: Any, world: Any) -> None:
    loop.day(0, rows=3)
    assert collect(loop.site, "delay") == 1
    assert collect(loop.site, "delay") == 0
    (fact,) = loop.facts("log.recorded")
    (part,) = parts(loop)
    first = int(world.MONDAY.timestamp()) * 1_000_000
    assert fact["body"] == {
        "model": "delay",
        "file": part.name,
        "digest": "sha256:" + sha256(part.read_bytes()).hexdigest(),
        "rows": 3,
        "first": first,
        "last": first + 2_000_000,
        "answered": loop.clock.now - 1_000_000,
        "labels": {},
        "sampled_out": 0,
        "variants": [{"version": 1, "requests": 3, "rows": 3, "failed": 0}],
    }


def test_a_part_bears_the_labels_of_the_versions_that_answered(loop: Any) -> None:
    """Of all that their runs read and made, and of no other version."""
    for version, labels in ((1, {"pii": ""}), (2, {"residency": "EU"})):
        loop.site.ledger.append([trained(loop.site, version, labels)])
    loop.day(0, rows=3)
    loop.day(0, rows=3, version=2)
    loop.shadowed(2, rows=3)
    collect(loop.site, "delay")
    first, second, both = (fact["body"]["labels"] for fact in loop.facts("log.recorded"))
    assert (first, second) == ({"pii": ""}, {"residency": "EU"})
    assert both == {"pii": "", "residency": "EU"}, "the other version's scores are in it, too"


def trained(site: Any, version: int, labels: dict[str, str]) -> Draft:
    """That a step of the version's run read a table with these labels."""
    row = next(one for one in versions_of(site.state, "delay") if one.version == version)
    output = {"digest": f"sha256:{version:064d}", "format": "parquet", "size": 7, "labels": labels}
    body = {
        "run": row.run,
        "step": "load",
        "function": "m:f",
        "key": f"{row.run}/load",
        "components": {},
        "inputs": [],
        "outputs": [output],
        "cached": False,
        "microseconds": 1,
    }
    return Draft("step.finished", body)


def test_rows_come_back_as_they_were_logged_and_from_the_time_asked_for(
    loop: Any, world: Any
) -> None:
    loop.day(0, rows=3)
    loop.day(1, rows=2)
    collect(loop.site, "delay")
    rows = requests(loop.site, "delay")
    assert rows is not None and rows.height == 5
    second = int(world.MONDAY.timestamp()) * 1_000_000 + 86_400_000_000
    later = requests(loop.site, "delay", since=second)
    assert later is not None
    assert later["prediction_id"].to_list() == ["p1-0", "p1-1"]
    assert requests(loop.site, "delay", since=second + 2_000_000) is None
    assert requests(loop.site, "delay", answered_since=loop.clock.now) is None


@pytest.mark.parametrize("damage", ["changed", "cut", "gone", "emptied", "other rows"])
def test_a_part_that_changed_after_it_was_recorded_is_refused(loop: Any, damage: str) -> None:
    loop.release(2)
    loop.canary(2, 200)
    loop.turn()
    (part,) = parts(loop)
    data = bytearray(part.read_bytes())
    if damage == "gone":
        part.unlink()
    elif damage == "other rows":
        pl.read_parquet(part).with_columns(score=pl.lit(0.5)).write_parquet(part)
    else:
        data[len(data) // 2] ^= 1
        part.write_bytes({"changed": data, "cut": data[: len(data) // 2], "emptied": b""}[damage])
    before = loop.count()
    with pytest.raises(IntegrityError) as caught:
        loop.turn()
    assert caught.value.code == "log.altered"
    assert part.name in caught.value.what
    assert caught.value.why and caught.value.hint
    assert loop.count() == before
    assert loop.shares() == {1: 95.0, 2: 5.0}


def test_a_part_of_another_model_is_left_alone(loop: Any, world: Any) -> None:
    asked = world.asked_rows(400)
    loop.release(2)
    loop.answered(2, asked, world.scores_of(asked["distance"].to_numpy()), model="other")
    (part,) = parts(loop)
    before = part.read_bytes()
    assert loop.turn().files == 0
    assert loop.facts("log.recorded") == []
    assert parts(loop) == [part] and part.read_bytes() == before


def test_a_part_of_two_models_counts_for_each_with_its_own_rows(loop: Any, world: Any) -> None:
    loop.day(0, rows=3)
    (part,) = parts(loop)
    rows = pl.read_parquet(part)
    other = rows.head(2).with_columns(model=pl.lit("other"))
    pl.concat([rows, other]).write_parquet(part)
    assert loop.turn().files == 1
    assert collect(loop.site, "other") == 1
    assert [fact["body"]["rows"] for fact in loop.facts("log.recorded")] == [3, 2]
    mine = requests(loop.site, "delay")
    assert mine is not None and mine["model"].to_list() == ["delay"] * 3


@pytest.mark.parametrize("content", ["half", "nothing", "no table", "other columns"])
def test_a_part_that_cannot_be_read_does_not_stop_the_loop(loop: Any, content: str) -> None:
    """It is told, left where it is, and recorded once it is whole."""
    loop.release(2)
    loop.canary(2, 100)
    (part,) = parts(loop)
    whole = part.read_bytes()
    if content == "other columns":
        pl.DataFrame({"a": [1]}).write_parquet(part)
    else:
        part.write_bytes({"half": whole[: len(whole) // 2], "nothing": b""}.get(content, b"x" * 99))
    loop.canary(2, 250, seed=1)
    turn = loop.turn()
    assert (turn.files, turn.move.decision.have) == (1, 250)
    (line,) = loop.told
    assert "log.unreadable" in line and part.name in line
    part.write_bytes(whole)
    turn = loop.turn()
    assert (turn.files, turn.move.observation.rows) == (1, 350)
    assert loop.shares() == {1: 75.0, 2: 25.0}


def test_a_part_at_which_the_reader_panics_does_not_stop_the_loop(
    loop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some damaged bytes make Polars raise what is no Exception."""
    loop.day(0, rows=3)

    def panic(*_: Any, **__: Any) -> None:
        raise pl.exceptions.PanicException("index out of bounds")

    monkeypatch.setattr(pl, "read_parquet", panic)
    assert loop.turn().files == 0
    assert "log.unreadable" in loop.told[0]


def test_a_part_that_is_being_written_is_not_looked_at(loop: Any) -> None:
    loop.day(0, rows=3)
    (part,) = parts(loop)
    writing = part.rename(part.with_name("." + part.name + ".tmp"))
    writing.write_bytes(writing.read_bytes()[:100])
    assert loop.turn().files == 0
    assert loop.told == []
