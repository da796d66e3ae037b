"""An export carries the script that verifies it, and the hint works as it is typed."""

import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

EXAMPLE = Path(__file__).parents[2] / "examples" / "verify_ledger.py"


def verified(project: Any, hint: str) -> "subprocess.CompletedProcess[str]":
    """What the command after `next:` answers, in the project's folder."""
    (line,) = [one for one in hint.splitlines() if one.startswith("next: ")]
    typed = shlex.split(line.removeprefix("next: "))
    assert typed.pop(0) == "python"
    return subprocess.run(
        [sys.executable, *typed], cwd=project.folder, capture_output=True, text=True
    )


def test_the_hint_verifies_the_export(project: Any) -> None:
    assert project.freehold("run", "--yes").code == 0
    root = project.freehold("audit", "verify", "--json").json["root"]
    said = project.freehold("audit", "export", "--to", "the history")
    assert said.code == 0
    done = verified(project, said.err)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"root {root}" in done.stdout
    entries = project.folder / "the history" / "entries.jsonl"
    entries.write_bytes(entries.read_bytes().replace(b'"numbers"', b'"number_"', 1))
    assert verified(project, said.err).returncode == 1


def test_there_is_one_copy_of_the_script(project: Any) -> None:
    project.freehold("runs")
    assert project.freehold("audit", "export", "--to", "history", "--json").code == 0
    assert (project.folder / "history" / "verify_ledger.py").read_bytes() == EXAMPLE.read_bytes()
    assert EXAMPLE.is_symlink()
