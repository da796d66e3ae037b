"""What a run keeps beside the history can be erased, and every proof still holds."""

import json
from typing import Any

import pytest

SECRET = "hunter2"
STEP_THAT_RAISES = """
@step
def failing(note: str) -> int:
    raise ValueError(note)


@pipeline
def noted(note: str, rows: int = 2) -> int:
    return failing(note)
"""


@pytest.fixture
def failed(project: Any) -> str:
    """A run that was given a secret, and whose traceback has it too."""
    project.change(
        "freehold.yaml", "  sums: steps:sums", "  sums: steps:sums\n  noted: steps:noted"
    )
    project.write("steps.py", (project.folder / "steps.py").read_text() + STEP_THAT_RAISES)
    assert project.freehold("run", "noted", "--yes", "--set", f"note=for {SECRET}").code == 1
    (row,) = project.freehold("runs", "--json").json["runs"]
    return str(row["run"])


def everywhere(project: Any) -> list[str]:
    """Files of the site in which the secret stands."""
    folder = project.folder / ".freehold"
    return [
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and SECRET.encode() in path.read_bytes()
    ]


def test_it_stands_in_attachments_only(project: Any, failed: str) -> None:
    found = everywhere(project)
    assert len(found) == 2
    assert all(name.startswith("objects/attachments/") for name in found)
    shown = project.freehold("runs", failed)
    assert f"parameters: note=for {SECRET}, rows=2" in shown.out
    assert f"ValueError: for {SECRET}" in shown.out


def test_erasing_asks_first_and_leaves_nothing_but_the_fact_that_it_was(
    project: Any, failed: str
) -> None:
    asked = project.freehold("audit", "erase", failed)
    assert asked.code == 2
    assert "parameters  salted-sha256:" in asked.out
    assert "traceback  salted-sha256:" in asked.out
    assert "could not be resumed" in asked.out
    assert len(everywhere(project)) == 2

    checkpoint = project.write("kept-elsewhere.json", project.freehold("audit", "checkpoint").out)
    before = project.entries()
    said = project.freehold("audit", "erase", failed, "--yes", "--json")
    assert said.code == 0
    assert [one["kind"] for one in said.json["erased"]] == ["parameters", "traceback"]
    assert everywhere(project) == []
    assert project.entries()[: len(before)] == before
    erased = project.entries()[len(before) :]
    assert [fact["type"] for fact in erased] == ["attachment.erased"] * 2
    names = {fact["body"]["attachment"] for fact in erased}
    assert names == {one["attachment"] for one in said.json["erased"]}
    assert all(name in json.dumps(before) for name in names)

    verified = project.freehold("audit", "verify", "--against", str(checkpoint), "--json")
    assert (verified.code, verified.json["holds"]) == (0, True)


def test_what_was_erased_is_told_and_is_not_erased_again(project: Any, failed: str) -> None:
    project.freehold("audit", "erase", failed, "--yes")
    shown = project.freehold("runs", failed)
    assert shown.code == 0
    assert "parameters: rows=2" in shown.out
    assert "its parameters that were text were erased" in shown.err
    assert "its traceback was erased" in shown.err
    before = project.entries()
    again = project.freehold("audit", "erase", failed)
    assert again.code == 0
    assert "keeps nothing that could be erased" in again.out
    assert project.entries() == before


def test_a_run_that_is_not_there(project: Any, failed: str, refused: Any) -> None:
    error = refused("audit", "erase", "absent", "--yes")
    assert error["code"] == "run.unknown"
    assert failed in error["because"]


def test_an_erasure_that_was_interrupted_is_seen_through(project: Any, failed: str) -> None:
    """The bytes were gone, and the fact had not been written."""
    for name in everywhere(project):
        (project.folder / ".freehold" / name).unlink()
    said = project.freehold("audit", "erase", failed, "--yes", "--json")
    assert len(said.json["erased"]) == 2
    assert project.types().count("attachment.erased") == 2
    assert project.freehold("audit", "verify").code == 0


@pytest.mark.parametrize("verb", [["runs", "absent"], ["models", "absent"]], ids=" ".join)
def test_a_name_that_stands_for_nothing_is_an_error(
    project: Any, refused: Any, verb: list[str]
) -> None:
    project.freehold("runs")
    assert refused(*verb)["code"] in ("run.unknown", "model.not-found")
