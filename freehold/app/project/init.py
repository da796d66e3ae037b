"""`freehold init`: a new project from a template."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from freehold.domain.errors import NotFound, Refused, StorageFailed

TEMPLATES = Path(__file__).parents[2] / "templates"
IGNORED = ".gitignore"
"""Written into every project: what is made there is no part of it."""


@dataclass(frozen=True)
class NewProject:
    folder: Path
    template: str
    files: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        return {
            "folder": str(self.folder),
            "template": self.template,
            "files": list(self.files),
        }


def template_names() -> tuple[str, ...]:
    return tuple(sorted(path.name for path in TEMPLATES.iterdir() if path.is_dir()))


def plan_init(folder: Path, template: str) -> NewProject:
    """What would be written. Raises NotFound, Refused."""
    if template not in template_names():
        raise NotFound(
            f"no template is named '{template}'",
            why=f"there are: {', '.join(template_names())}",
            hint="`freehold init FOLDER --template blank` begins with the smallest",
            code="template.not-found",
        )
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise Refused(
            f"'{folder}' is there already",
            why="it is not an empty folder",
            hint="choose another name",
            code="project.exists",
        )
    source = TEMPLATES / template
    files = sorted(
        path.relative_to(source).as_posix()
        for path in source.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    )
    return NewProject(folder, template, tuple(sorted({*files, IGNORED})))


def init(folder: Path, template: str) -> NewProject:
    """Write the template's files. A failure removes what was written."""
    new = plan_init(folder, template)
    existed = folder.exists()
    try:
        for name in new.files:
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if name == IGNORED:
                target.write_text(".freehold/\n__pycache__/\n")
            else:
                shutil.copyfile(TEMPLATES / template / name, target)
        _name(folder / "freehold.yaml", folder.resolve().name)
    except OSError as exc:
        for name in new.files:
            (folder / name).unlink(missing_ok=True)
        if not existed:
            shutil.rmtree(folder, ignore_errors=True)
        raise StorageFailed(
            f"could not write the project to '{folder}'",
            why=str(exc),
            hint="make room or choose another folder, and repeat the command",
        ) from exc
    return new


def _name(path: Path, name: str) -> None:
    """Put the folder's name on the template's first line that begins with `project:`."""
    safe = "".join(c if c.isalnum() or c in "-_" else "-" for c in name).strip("-") or "project"
    lines = path.read_text().splitlines(keepends=True)
    for index, line in enumerate(lines):
        if line.startswith("project:"):
            lines[index] = f"project: {safe}\n"
            break
    path.write_text("".join(lines))
