"""Bytes that went wrong on the disk: artifacts, tables, keys, the history, a disk without room."""

import resource
import sqlite3
from collections.abc import Callable
from contextlib import chdir, closing
from io import BytesIO
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from freehold.app.loop.advance import advance
from freehold.app.site.opening import open_site


def flipped(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "one bit changed": flipped,
    "cut in half": lambda data: data[: len(data) // 2],
    "emptied": lambda _: b"",
    "longer": lambda data: data + b"\0",
}


def made_by(project: Any, step: str) -> Path:
    """The file of what a step of the last run made."""
    (digest,) = [
        fact["body"]["outputs"][0]["digest"]
        for fact in project.entries()
        if fact["type"] == "step.finished" and fact["body"]["step"] == step
    ][-1:]
    (path,) = [one for one in project.objects() if one.name == digest.removeprefix("sha256:")]
    return Path(path)


@pytest.mark.parametrize("step", ["numbers", "doubled", "total"])
@pytest.mark.parametrize("damage", DAMAGE)
def test_a_corrupt_artifact_is_never_believed(project: Any, step: str, damage: str) -> None:
    assert project.freehold("run", "--yes").code == 0
    path = made_by(project, step)
    whole = path.read_bytes()
    path.write_bytes(DAMAGE[damage](whole))
    plan = {row["step"]: row["action"] for row in project.freehold("plan", "--json").json["steps"]}
    assert plan[step] == "run"
    said = project.freehold("run", "--yes", "--json")
    assert said.code == 0
    assert {name: one["cached"] for name, one in said.json["steps"].items()} == {
        name: name != step for name in ("numbers", "doubled", "total")
    }
    assert path.read_bytes() == whole
    assert project.marks() == ["numbers", "doubled", "total", step]


def test_an_artifact_that_is_gone_is_made_again(project: Any) -> None:
    assert project.freehold("run", "--yes").code == 0
    path = made_by(project, "doubled")
    path.unlink()
    assert project.freehold("run", "--yes").code == 0
    assert path.exists()
    assert project.marks() == ["numbers", "doubled", "total", "doubled"]


def test_an_interrupted_run_does_not_go_on_from_corrupt_bytes(project: Any) -> None:
    project.change("steps.py", '    mark("total")', '    assert MARKS.with_name("go").exists()')
    assert project.freehold("run", "--yes").code == 1
    path = made_by(project, "doubled")
    whole = path.read_bytes()
    path.write_bytes(flipped(whole))
    project.write("go", "")
    assert project.freehold("run", "--resume", "--yes").code == 0
    assert project.marks() == ["numbers", "doubled", "doubled"]
    assert path.read_bytes() == whole


def half_of_a_table() -> bytes:
    buffer = BytesIO()
    pl.DataFrame({"prediction_id": ["a"] * 1000, "label": [1] * 1000}).write_parquet(buffer)
    return buffer.getvalue()[: len(buffer.getvalue()) // 2]


@pytest.mark.parametrize("data", [half_of_a_table(), b"", b"PAR1", b"PAR1" * 1000], ids=len)
def test_labels_in_a_parquet_file_cut_in_half(serving: Any, refused: Any, data: bytes) -> None:
    (serving.folder / "labels.parquet").write_bytes(data)
    error = refused("labels", "labels.parquet")
    assert error["code"] == "labels.unreadable"
    assert "labels.parquet" in error["what"]


def test_labels_that_are_none(serving: Any, refused: Any) -> None:
    serving.write("labels.csv", "id,label\na,1\n")
    error = refused("labels", "labels.csv")
    assert {fault["what"] for fault in error["faults"]} == {
        "there is no column 'prediction_id'",
        "there is no column 'labelled_at'",
    }
    serving.write("labels.csv", "prediction_id,label,labelled_at\na,yes,2026-01-01T00:00:00Z\n")
    assert refused("labels", "labels.csv")["faults"][0]["code"] == "labels.values"
    serving.write("labels.csv", "prediction_id,label,labelled_at\na,7,2026-01-01T00:00:00Z\n")
    assert refused("labels", "labels.csv")["faults"][0]["code"] == "labels.values"
    assert refused("labels", "absent.csv")["code"] == "labels.no-file"


def test_a_request_log_cut_in_half_is_named_and_not_recorded(serving: Any) -> None:
    log = serving.folder / ".freehold" / "serving" / "log"
    log.mkdir()
    (log / "0001.parquet").write_bytes(half_of_a_table())
    before = serving.entries()
    told: list[str] = []
    with chdir(serving.folder), open_site() as site:
        advance(site, "delay", told.append)
    (line,) = told
    assert "log.unreadable" in line and "0001.parquet" in line
    assert serving.entries() == before


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620])
def test_a_key_that_others_can_read(project: Any, refused: Any, mode: int) -> None:
    assert project.freehold("run", "--yes").code == 0
    key = project.folder / ".freehold" / "keys" / "site.key"
    key.chmod(mode)
    for verb in (["run", "--yes"], ["status"], ["plan"], ["audit", "verify"], ["models"]):
        error = refused(*verb)
        assert error["code"] == "key.readable-by-others"
        assert f"{mode:04o}" in error["because"]
        assert error["hint"].startswith("chmod 600 ")
    key.chmod(0o600)
    assert project.freehold("run", "--yes").code == 0


def test_a_key_that_is_gone_or_anothers(project: Any, refused: Any) -> None:
    assert project.freehold("run", "--yes").code == 0
    key = project.folder / ".freehold" / "keys" / "site.key"
    whole = key.read_bytes()
    key.unlink()
    assert refused("status")["code"] == "key.missing"
    assert not key.exists()
    key.write_bytes(b"-----BEGIN NOTHING-----\n")
    key.chmod(0o600)
    assert refused("status")["code"] == "key.unreadable"
    key.write_bytes(whole)
    assert project.freehold("audit", "verify").code == 0


def test_a_history_with_a_byte_changed(project: Any) -> None:
    assert project.freehold("run", "--yes").code == 0
    with closing(sqlite3.connect(project.folder / ".freehold" / "ledger.db")) as connection:
        encoded = bytearray(
            connection.execute("SELECT encoded FROM entries WHERE sequence = 4").fetchone()[0]
        )
        place = encoded.index(b'"microseconds":') + len(b'"microseconds":')
        encoded[place] = ord("1") if encoded[place] != ord("1") else ord("2")
        connection.execute("UPDATE entries SET encoded = ? WHERE sequence = 4", (bytes(encoded),))
        connection.commit()
    said = project.freehold("audit", "verify")
    assert said.code == 1
    assert "first bad entry: 4" in said.out
    assert "error[audit.bad-entry]" in said.err
    found = project.freehold("audit", "verify", "--json")
    assert (found.code, found.json["first_bad"]) == (1, 4)


def limit_files(size: int) -> Callable[[], None]:
    """No file may grow beyond it: what a process sees of a disk that is full."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def test_an_artifact_that_finds_no_room(project: Any) -> None:
    project.change(
        "steps.py",
        'pl.DataFrame({"n": range(rows)})',
        'pl.DataFrame({"n": [1], "noise": [__import__("os").urandom(3_000_000)]})',
    )
    process = project.start("run", "--yes", preexec_fn=limit_files(2_000_000))
    said = project.finish(process)
    assert said.code == 1
    assert "error[storage.full]: the disk is full" in said.err
    assert "  because: " in said.err and "  hint: make room" in said.err
    assert "Traceback" not in said.err
    assert project.objects() == []
    assert list((project.folder / ".freehold" / "objects" / "~arriving").iterdir()) == []
    assert project.freehold("audit", "verify").code == 0
    (row,) = project.freehold("runs", "--json").json["runs"]
    assert row["status"] == "failed"
    assert project.freehold("run", "--resume", "--yes").code == 0
    assert project.marks() == ["numbers", "numbers", "doubled", "total"]


@pytest.mark.parametrize("size", [0, 500, 5_000, 40_000, 70_000, 100_000])
def test_a_history_that_finds_no_room(project: Any, size: int) -> None:
    """Wherever it stops, it stops with an error, and goes on when there is room."""
    said = project.finish(project.start("run", "--yes", preexec_fn=limit_files(size)))
    assert "Traceback" not in said.err, said.err
    assert said.code == 1
    assert "error[storage" in said.err
    assert "  because: " in said.err and "  hint: " in said.err
    assert project.freehold("run", "--yes").code == 0
    assert project.freehold("audit", "verify").code == 0


def test_a_history_that_finds_no_room_later(project: Any) -> None:
    assert project.freehold("run", "--yes").code == 0
    before = project.entries()
    said = project.finish(
        project.start("run", "--yes", "--set", "rows=5", preexec_fn=limit_files(3_000))
    )
    assert said.code == 1
    assert "Traceback" not in said.err
    assert "error[storage" in said.err
    assert project.entries()[: len(before)] == before
    assert project.freehold("audit", "verify").code == 0
    assert project.freehold("run", "--yes", "--set", "rows=5").code == 0
