"""Reads an exit back without Freehold: each joint by a script of its own, in a process of its own.

The process is Python in isolated mode (`-I`: no variables of the environment, nothing of the folder
it starts in), in which `without_freehold.py` refuses to import `freehold` and to open any file of
it. What each script found out, and that nothing of Freehold was loaded, it says as JSON.
"""

import json
import os
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from freehold.domain.errors import AdapterFailed, IntegrityError

SCRIPTS, JOINTS = "read_back", "joints.json"
LONELY = "without_freehold.py"
Proven = Literal["yes", "shape only", "no", "tool missing", "nothing there"]
"""`shape only`: plain JSON of the right members; the tool that it is meant for was not asked."""


@dataclass(frozen=True)
class Joint:
    """One kind of thing that is open to other tools."""

    what: str
    format: str
    read_by: tuple[str, ...]
    """Tools with their versions."""
    proven: Proven
    figures: str = ""
    faults: tuple[str, ...] = ()
    not_proven: tuple[str, ...] = ()
    """What could not be shown here and fails nothing."""
    alone: Mapping[str, Any] | None = None
    """How Freehold was kept out of the process that read it."""

    def as_json(self) -> dict[str, Any]:
        return {
            "what": self.what,
            "format": self.format,
            "read_by": list(self.read_by),
            "proven": self.proven,
            "figures": self.figures,
            "faults": list(self.faults),
            "not_proven": list(self.not_proven),
            "alone": dict(self.alone) if self.alone else None,
        }


@dataclass(frozen=True)
class NotWritten:
    what: str
    format: str
    why: str


def joints_of(folder: Path) -> tuple[list[dict[str, str]], tuple[NotWritten, ...]]:
    """What is read back, and what is promised and not written yet. Raises IntegrityError."""
    path = folder / SCRIPTS / JOINTS
    try:
        listed = json.loads(path.read_bytes())
        return listed["joints"], tuple(NotWritten(**one) for one in listed["not_written"])
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise IntegrityError(
            f"'{folder}' is no exit that can be read back",
            why=str(exc),
            hint="write it again",
            code="drill.not-an-exit",
        ) from exc


def read_back(folder: Path, python: str, tell: Callable[[str], None]) -> tuple[Joint, ...]:
    """`python`: the interpreter that has the reading tools. `tell` is given each joint's name.

    Raises IntegrityError `drill.not-an-exit`, AdapterFailed `drill.no-python`.
    """
    found = []
    for listed in joints_of(folder)[0]:
        tell(listed["what"])
        found.append(read_joint(folder, python, listed))
    return tuple(found)


def read_joint(folder: Path, python: str, listed: Mapping[str, str]) -> Joint:
    """One row of `joints.json`, by its script."""
    done = _run(folder, python, listed["script"])
    try:
        said = json.loads(done.stdout.splitlines()[-1])
        alone = said["alone"]
    except (ValueError, IndexError, KeyError, TypeError):
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        return _unread(listed, f"{listed['script']} ended with {done.returncode}: {last}")
    if alone["freehold_modules"]:
        return _unread(listed, f"Freehold was loaded: {', '.join(alone['freehold_modules'])}")
    if "missing" in said:
        install = listed["install"] or f"install {said['missing']}"
        return _unread(listed, f"{said['missing']} is not installed: {install}", "tool missing")
    proven: Proven = "shape only" if said.get("shape_only") else "yes"
    if not said["checks"]:
        proven = "nothing there"
    return Joint(
        what=listed["what"],
        format=listed["format"],
        read_by=tuple(said["read_by"]),
        proven="no" if said["faults"] else proven,
        figures=said["figures"],
        faults=tuple(said["faults"]),
        not_proven=tuple(said.get("not_proven", ())),
        alone=alone,
    )


def _unread(listed: Mapping[str, str], fault: str, proven: Proven = "no") -> Joint:
    return Joint(listed["what"], listed["format"], (), proven, faults=(fault,))


def _run(folder: Path, python: str, script: str) -> "subprocess.CompletedProcess[str]":
    scripts = folder.resolve() / SCRIPTS
    command = [python, "-I", "-B", str(scripts / LONELY), str(scripts / script)]
    with TemporaryDirectory(prefix="freehold-exit-") as home:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PYTHON", "FREEHOLD"))
        }
        try:
            return subprocess.run(
                [*command, str(folder.resolve())],
                cwd=home,
                env={**kept, "HOME": home, "DO_NOT_TRACK": "true"},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
            )
        except OSError as exc:
            raise AdapterFailed(
                f"'{python}' cannot be started",
                why=str(exc),
                hint="name a Python interpreter that has the tools: --python PATH",
                code="drill.no-python",
            ) from exc
