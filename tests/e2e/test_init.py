"""`freehold init`, as typed."""

from pathlib import Path
from typing import Any


def files_of(folder: Path) -> list[str]:
    return sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
    )


def test_a_dry_run_shows_just_what_would_be_written(project: Any) -> None:
    before = project.standing()
    planned = project.freehold("init", "new", "--dry-run", "--json").json
    shown = project.freehold("init", "new", "--dry-run")
    assert project.standing() == before
    assert not (project.folder / "new").exists()
    assert (planned["shape"], planned["written"]) == (1, False)
    assert shown.out.split() == [f"new/{name}" for name in planned["files"]]
    assert "freehold init new --template blank" in shown.err

    made = project.freehold("init", "new", "--json").json
    assert made == {**planned, "written": True}
    assert files_of(project.folder / "new") == sorted(planned["files"])


def test_a_dry_run_refuses_what_the_command_would_refuse(project: Any, refused: Any) -> None:
    assert refused("init", ".", "--dry-run")["code"] == "project.exists"
    said = refused("init", "new", "--template", "absent", "--dry-run")
    assert said["code"] == "template.not-found"
