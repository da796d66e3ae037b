"""Places in a project's code, written the same on every machine."""

import sys
from collections.abc import Callable
from pathlib import PurePath
from types import CodeType, FrameType
from typing import Any


def place(module: str, path: str, line: int) -> str:
    """`steps/clean.py:12`: the file as its module's name says it, without the project's folder."""
    parts = PurePath(path).parts
    count = module.count(".") + 1 + (parts[-1] == "__init__.py") if parts else 0
    return f"{'/'.join(parts[-count:])}:{line}"


def place_of(function: Callable[..., Any]) -> str:
    code: CodeType | None = getattr(function, "__code__", None)
    if code is None:
        return function.__module__
    return place(function.__module__, code.co_filename, code.co_firstlineno)


def line_of(depth: int) -> str:
    """Where the caller's caller (1), or one further out, stands."""
    frame: FrameType = sys._getframe(depth + 1)
    return place(str(frame.f_globals.get("__name__", "")), frame.f_code.co_filename, frame.f_lineno)
