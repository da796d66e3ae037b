"""`freehold gc` and `freehold hold`, as they are typed."""

import contextlib
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from freehold.app.site.opening import open_site
from freehold.domain.fact import Draft

SOON = """
retention:
  runs_days: 0
  versions: 0
  grace_hours: 0
"""


@pytest.fixture
def tidy(serving: Any) -> Any:
    """Two versions, the first in traffic; what nothing refers to may go at the second look."""
    serving.write("freehold.yaml", (serving.folder / "freehold.yaml").read_text() + SOON)
    return serving


def package(project: Any, version: int) -> str:
    rows = project.freehold("models", "--json").json
    listed = rows["models"] if isinstance(rows, dict) else rows
    return str(next(row["package"] for row in listed if row["version"] == version))


def names(project: Any) -> set[str]:
    return {"sha256:" + path.name for path in project.objects()}


def test_a_dry_run_tells_and_changes_nothing(tidy: Any) -> None:
    before = tidy.standing()
    said = tidy.freehold("gc", "--dry-run")
    assert said.code == 0
    assert "waits: nothing refers to it, noted too recently" in said.out
    assert "package" in said.out
    assert "live: a version in traffic" in said.out
    assert "evidence: what was attested" in said.out
    assert "nothing goes now" in said.out
    assert said.err == "next: freehold gc\n"
    assert tidy.standing() == before


def test_what_nothing_refers_to_is_noted_and_then_goes(tidy: Any) -> None:
    live, other = package(tidy, 1), package(tidy, 2)
    said = tidy.freehold("gc")
    assert (said.code, "1 objects are noted" in said.out) == (0, True), said
    assert {live, other} <= names(tidy)
    shown = tidy.freehold("gc", "--dry-run")
    assert "goes: nothing refers to it, for long enough" in shown.out
    said = tidy.freehold("gc", "--yes")
    assert "1 objects are gone: " in said.out
    assert live in names(tidy)
    assert other not in names(tidy)
    assert tidy.types()[-1] == "storage.collected"
    assert tidy.freehold("audit", "verify").code == 0
    assert tidy.freehold("why", "delay@2").code == 0


def test_it_asks_before_anything_goes(tidy: Any, refused: Callable[..., dict[str, Any]]) -> None:
    assert tidy.freehold("gc").code == 0
    assert refused("gc", exit_code=2)["code"] == "usage.needs-yes"


def test_machines_get_figures(tidy: Any) -> None:
    first = tidy.freehold("gc", "--json").json
    assert first["shape"] == 1
    assert first["dry_run"] is False
    assert [(row["kind"], row["objects"]) for row in first["waits"]] == [("package", 1)]
    assert first["goes"] == first["under_way"] == []
    assert {row["reason"] for row in first["kept"]} == {"live", "evidence"}
    assert first["collected"]["objects"] == 0
    second = tidy.freehold("gc", "--json", "--yes").json
    size = second["goes"][0]["bytes"]
    assert second["collected"] == {
        "objects": 1,
        "bytes": size,
        "parts": 0,
        "part_bytes": 0,
        "noted": 0,
        "held_up": [],
    }
    assert tidy.freehold("gc", "--dry-run", "--json").json["collected"] is None


def test_one_object_is_explained(tidy: Any, refused: Callable[..., dict[str, Any]]) -> None:
    live, other = package(tidy, 1), package(tidy, 2)
    said = tidy.freehold("gc", "--explain", live)
    assert said.out.splitlines()[0] == live
    assert "stays: a version in traffic" in said.out
    assert "(delay@1)" in said.out
    told = tidy.freehold("gc", "--explain", other[:20], "--json").json
    assert (told["verdict"], told["kind"], told["reason"]) == (
        "waits",
        "package",
        "noted too recently",
    )
    tidy.freehold("gc")
    told = tidy.freehold("gc", "--explain", other, "--json").json
    assert (told["verdict"], told["reason"]) == ("goes", None)
    assert "goes with the next `freehold gc`" in tidy.freehold("gc", "--explain", other).out
    assert refused("gc", "--explain", "sha256:" + "0" * 64)["code"] == "storage.unknown-digest"
    assert refused("gc", "--explain", "package", exit_code=2)["code"] == "usage.digest"


def test_a_version_on_hold_stays(tidy: Any) -> None:
    said = tidy.freehold("hold", "add", "delay@2", "--reason", "case 7", "--yes")
    (row,) = tidy.freehold("hold", "list", "--json").json["holds"]
    assert said.out.splitlines() == [
        "version delay@2 is to stay until the hold is released",
        f"{row['hold']} holds version delay@2",
    ]
    for _ in range(2):
        tidy.freehold("gc", "--yes")
    assert package(tidy, 2) in names(tidy)
    (row,) = tidy.freehold("hold", "list", "--json").json["holds"]
    assert (row["kind"], row["name"], row["reason"]) == ("version", "delay@2", "case 7")
    assert "case 7" in tidy.freehold("hold", "list").out
    assert "case 7" not in str(tidy.entries()), "words are no part of the history"
    assert tidy.freehold("hold", "release", row["hold"], "--yes").code == 0
    assert tidy.freehold("hold", "list").out == "nothing is on hold\n"
    for _ in range(2):
        tidy.freehold("gc", "--yes")
    assert package(tidy, 2) not in names(tidy)
    assert tidy.types()[-3:] == ["hold.placed", "hold.released", "storage.collected"]


def test_an_alias_is_held_as_the_version_it_stands_for(tidy: Any) -> None:
    assert (
        tidy.freehold("hold", "add", "delay@champion", "--yes", "--json").json["name"] == "delay@1"
    )


def test_an_object_is_held_by_the_beginning_of_its_digest(tidy: Any) -> None:
    digest = package(tidy, 2)
    held = tidy.freehold("hold", "add", digest[:19], "--yes", "--json").json
    assert (held["kind"], held["name"], held["reason"]) == ("digest", digest, "")
    elsewhere = "sha256:" + "ab" * 32
    assert tidy.freehold("hold", "add", elsewhere, "--yes", "--json").json["name"] == elsewhere


@pytest.mark.parametrize(
    ("words", "code", "exit_code"),
    [
        (("hold", "add", "delay@7", "--yes"), "model.not-found", 1),
        (("hold", "add", "20010101-000000-0000", "--yes"), "run.unknown", 1),
        (("hold", "add", "sha256:00000000", "--yes"), "storage.unknown-digest", 1),
        (("hold", "add", "sha256:", "--yes"), "usage.digest", 2),
        (("hold", "add", "delay@1"), "usage.needs-yes", 2),
        (("hold", "release", "hold-00000000", "--yes"), "hold.not-found", 1),
    ],
)
def test_what_cannot_be_held_is_refused(
    tidy: Any,
    refused: Callable[..., dict[str, Any]],
    words: tuple[str, ...],
    code: str,
    exit_code: int,
) -> None:
    assert refused(*words, exit_code=exit_code)["code"] == code


def test_a_run_of_another_process_is_let_be(project: Any) -> None:
    """It is stopped in its second step until the collection is over."""
    project.write("freehold.yaml", (project.folder / "freehold.yaml").read_text() + SOON)
    project.change(
        "steps.py",
        '    mark("doubled")',
        '    mark("doubled")\n    import time\n    while not MARKS.with_name("go").exists():\n'
        "        time.sleep(0.01)",
    )
    running = project.start("run", "--yes")
    while "doubled" not in project.marks():
        assert running.poll() is None
        time.sleep(0.01)
    for _ in range(2):
        said = project.freehold("gc", "--json", "--yes").json
        (name,) = said["under_way"]
        assert name.startswith("run 2")
        assert said["collected"]["objects"] == 0
        assert said["collected"]["held_up"] == [name]
    assert "is under way: nothing goes until it has ended" in project.freehold("gc").out
    project.write("go", "")
    assert project.finish(running).code == 0


def record(project: Any, log: Path) -> None:
    """Facts about parts of long ago, and one of today."""
    with contextlib.chdir(project.folder), open_site() as site:
        now, day = site.clock(), 86_400_000_000
        (log / "newest.parquet").write_bytes(b"newest")
        for name, age in (("old", 90), ("changed", 90), ("newest", 0)):
            path = log / f"{name}.parquet"
            at = now - age * day
            body = {
                "model": "delay",
                "file": path.name,
                "digest": "sha256:" + sha256(path.read_bytes()).hexdigest(),
                "rows": 1,
                "first": at,
                "last": at,
                "answered": at,
            }
            site.ledger.append([Draft("log.recorded", body)])


def test_old_parts_of_the_log_go_and_strange_ones_stay(tidy: Any) -> None:
    """Parts that were recorded and are what was recorded; the rest is not known here."""
    log = tidy.folder / ".freehold" / "serving" / "log"
    log.mkdir(parents=True)
    for name in ("old.parquet", "changed.parquet", "unknown.parquet"):
        (log / name).write_bytes(name.encode())
    record(tidy, log)
    (log / "changed.parquet").write_bytes(b"something else")
    tidy.change("freehold.yaml", "runs_days: 0", "runs_days: 0\n  logs_days: 30")
    shown = tidy.freehold("gc", "--dry-run", "--json").json
    assert {name: shown["goes"][0][name] for name in ("kind", "objects")} == {
        "kind": "request log",
        "objects": 2,
    }
    assert tidy.freehold("gc", "--yes", "--json").json["collected"]["parts"] == 1
    assert sorted(path.name for path in log.iterdir()) == [
        "changed.parquet",
        "newest.parquet",
        "unknown.parquet",
    ]
