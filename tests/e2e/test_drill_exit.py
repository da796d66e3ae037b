"""`freehold drill exit` as it is typed."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

EMPTY = {"model", "model signature"}
"""What a project has nothing of whose pipeline makes a number."""


@pytest.fixture
def bare(tmp_path: Path) -> str:
    """An interpreter that has the standard library and nothing else."""
    script = tmp_path / "bare-python"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S "$@"\n')
    script.chmod(0o755)
    return str(script)


def test_a_project_without_a_model_leaves_whole(project: Any, tmp_path: Path) -> None:
    assert project.freehold("run", "--yes").code == 0
    before = project.standing()
    said = project.freehold("drill", "exit", "--to", str(tmp_path / "left"), "--json")
    assert project.standing() == before
    assert said.code == 0, said.err
    report = said.json
    assert report["shape"] == 1
    assert (report["passed"], report["faults"], report["absent"]) == (True, [], [])
    proven = {one["what"]: one["proven"] for one in report["joints"]}
    assert {what for what, how in proven.items() if how == "nothing there"} == EMPTY
    assert {how for what, how in proven.items() if what not in EMPTY} <= {"yes", "shape only"}
    assert proven["tables, request logs"] == proven["policies"] == proven["history"] == "yes"
    assert {one["format"] for one in report["not_written"]} >= {"OTLP", "Feast repository"}
    for one in report["joints"]:
        assert one["alone"]["freehold_modules"] == []


def test_people_see_what_is_proven_and_what_is_not(project: Any, tmp_path: Path) -> None:
    assert project.freehold("run", "--yes").code == 0
    said = project.freehold("drill", "exit", "--to", str(tmp_path / "left"))
    assert said.code == 0, said.err
    (line,) = [one for one in said.out.splitlines() if one.startswith("tables, request logs")]
    assert "DuckDB" in line and "2 tables, 1 file of usage, 11 rows" in line
    assert "not written: traces as OTLP: nothing is traced yet" in said.out
    (line,) = [one for one in said.out.splitlines() if one.startswith("costs")]
    assert "FOCUS" in line and "1 files, 3 rows" in line
    assert "not proven here: contracts: read by Great Expectations" in said.out
    assert "fault" not in said.out
    assert "reading back without Freehold" in said.err
    assert f"next: cat {tmp_path / 'left' / 'README.md'}" in said.err


def test_a_missing_tool_fails_the_drill(project: Any, tmp_path: Path, bare: str) -> None:
    assert project.freehold("run", "--yes").code == 0
    said = project.freehold("drill", "exit", "--to", str(tmp_path / "one"), "--python", bare)
    assert said.code == 1
    assert "fault: tables, request logs: duckdb is not installed: pip install duckdb" in said.out
    assert said.err.splitlines()[-3].startswith("error[drill.failed]: ")
    said = project.freehold(
        "drill", "exit", "--to", str(tmp_path / "two"), "--python", bare, "--json"
    )
    assert said.code == 1
    assert said.json["passed"] is False


def test_a_model_that_no_other_tool_loads_fails_the_drill(serving: Any, tmp_path: Path) -> None:
    """The fixture's packages have no MLmodel: nothing but Freehold would know what they are."""
    said = serving.freehold("drill", "exit", "--to", str(tmp_path / "left"), "--json")
    assert said.code == 1
    assert [one for one in said.json["faults"] if one.startswith("model: delay@1: MlflowException")]
    (signature,) = [one for one in said.json["joints"] if one["what"] == "model signature"]
    assert signature["proven"] == "yes"


def test_a_folder_that_is_there_is_left_alone(
    project: Any, refused: Callable[..., dict[str, Any]]
) -> None:
    assert project.freehold("run", "--yes").code == 0
    project.write("mine/note.txt", "mine")
    assert refused("drill", "exit", "--to", "mine")["code"] == "drill.folder-exists"
    inside = refused("drill", "exit", "--to", ".freehold/left")
    assert inside["code"] == "drill.folder-inside-state"


def test_an_interpreter_that_is_not_there_is_refused(project: Any, tmp_path: Path) -> None:
    assert project.freehold("run", "--yes").code == 0
    said = project.freehold(
        "drill", "exit", "--to", str(tmp_path / "left"), "--python", "/nowhere/python", "--json"
    )
    assert (said.code, said.json["error"]["code"]) == (1, "drill.no-python")
