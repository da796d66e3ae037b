"""A run that was given text is gone on with by the same text, though no fact has it."""

import json
from typing import Any

STEPS = """
@step
def greeted(note: str, rows: int) -> str:
    mark("greeted")
    raise ValueError("not yet")


@pipeline
def greeting(note: str, rows: int = 2) -> str:
    return greeted(note, rows)
"""
NOTE = "for Ada, hunter2"


def test_it_is_gone_on_with(project: Any) -> None:
    before = "  sums: steps:sums"
    project.change("freehold.yaml", before, f"{before}\n  greeting: steps:greeting")
    project.write("steps.py", (project.folder / "steps.py").read_text() + STEPS)
    given = ["--set", f"note={NOTE}", "--set", "rows=3"]
    assert project.freehold("run", "greeting", "--yes", *given).code == 1
    (row,) = project.freehold("runs", "--json").json["runs"]
    assert row["parameters"] == {"note": NOTE, "rows": 3}

    project.change("steps.py", 'raise ValueError("not yet")', "return note")
    said = project.freehold("run", "--resume", "--yes", "--json")
    assert (said.code, said.json["run"]) == (0, row["run"])
    assert json.dumps(NOTE).encode() in [path.read_bytes() for path in project.objects()]
    assert NOTE not in json.dumps(project.entries())


def test_it_is_not_gone_on_with_once_the_text_was_erased(project: Any) -> None:
    before = "  sums: steps:sums"
    project.change("freehold.yaml", before, f"{before}\n  greeting: steps:greeting")
    project.write("steps.py", (project.folder / "steps.py").read_text() + STEPS)
    project.freehold("run", "greeting", "--yes", "--set", f"note={NOTE}")
    (row,) = project.freehold("runs", "--json").json["runs"]
    assert project.freehold("audit", "erase", row["run"], "--yes").code == 0
    said = project.freehold("run", "--resume", row["run"], "--yes", "--json")
    assert said.code == 1
    assert said.json["error"]["code"] == "run.parameters-erased"
