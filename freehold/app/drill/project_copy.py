"""A project's files at another place: what a person would check out there."""

import shutil
from pathlib import Path

NOT_COPIED = (".freehold", ".git", ".venv", "__pycache__", "node_modules")


def copy_project(root: Path, to: Path) -> None:
    """All files, as they are, but for state, history and environments. `to` must not be there."""
    shutil.copytree(root, to, symlinks=True, ignore=shutil.ignore_patterns(*NOT_COPIED))
