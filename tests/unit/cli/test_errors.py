"""Errors as the command line tells them: one shape, one exit code for each kind."""

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from freehold.cli import main
from freehold.cli.main import freehold, run
from freehold.domain import errors
from freehold.domain.errors import Fault, FreeholdError, IntegrityError, StorageFailed

PRODUCT = Path(main.__file__).parents[1]
KINDS = {
    name: kind
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, FreeholdError) and kind is not FreeholdError
}
CODES = {"WrongUsage": 2, "Unreachable": 3}


@pytest.fixture
def ends_in(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes `freehold models` raise something."""

    def raising(problem: BaseException) -> None:
        @click.command("models")
        @click.option("--json", "as_json", is_flag=True)
        def command(as_json: bool) -> None:
            raise problem

        monkeypatch.setattr(type(freehold), "get_command", lambda *_: command)

    return raising


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_has_its_exit_code_and_the_same_fields_twice(
    name: str, ends_in: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    faults = (Fault("family.one", "it is odd", "a.py:3", "make it even"), Fault("family.two", "no"))
    ends_in(KINDS[name]("it broke", why="it was old", hint="mend it", faults=faults))
    code = CODES.get(name, 1)
    assert run(["models"]) == code
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == (
        f"error[{KINDS[name].code}]: it broke\n"
        "  because: it was old\n"
        "  - [family.one] a.py:3: it is odd\n"
        "    hint: make it even\n"
        "  - [family.two] no\n"
        "  hint: mend it\n"
    )
    assert run(["models", "--json"]) == code
    said = capsys.readouterr()
    assert said.err == ""
    assert json.loads(said.out) == {
        "error": {
            "code": KINDS[name].code,
            "what": "it broke",
            "because": "it was old",
            "hint": "mend it",
            "faults": [
                {
                    "code": "family.one",
                    "what": "it is odd",
                    "where": "a.py:3",
                    "hint": "make it even",
                },
                {"code": "family.two", "what": "no", "where": "", "hint": ""},
            ],
        }
    }


@pytest.mark.parametrize(
    ("problem", "code", "told"),
    [
        (OSError(28, "No space left on device"), 1, "error[storage.full]"),
        (PermissionError(13, "Permission denied"), 1, "error[storage.failed]"),
        (ZeroDivisionError("division by zero"), 1, "error[freehold.bug]"),
        (KeyboardInterrupt(), 1, "stopped"),
        (click.Abort(), 1, "stopped"),
        (click.exceptions.Exit(1), 1, ""),
        (click.exceptions.Exit(0), 0, ""),
        (IntegrityError("it differs", code="audit.broken"), 1, "error[audit.broken]"),
        (StorageFailed("no room"), 1, "error[storage.failed]"),
    ],
)
def test_whatever_else_is_raised(
    problem: BaseException, code: int, told: str, ends_in: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    ends_in(problem)
    assert run(["models"]) == code
    assert told in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [["fly"], ["models", "--colour"], ["release"], ["audit", "fly"]],
    ids=" ".join,
)
def test_a_command_line_that_cannot_be_read(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    first, because, hint = said.err.splitlines()
    assert first.startswith("error[usage]: ")
    assert because.startswith("  because: ")
    assert "--help" in hint
    assert run([*arguments, "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "usage"


def made_in(folder: Path) -> Iterator[tuple[str, ast.Call]]:
    for path in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
                continue
            if node.func.id in {"FreeholdError", *KINDS}:
                yield f"{path.relative_to(PRODUCT)}:{node.lineno}", node


@pytest.mark.parametrize("room", ["app", "cli"])
def test_every_error_says_why_and_what_to_do(room: str) -> None:
    """Its reason may stand in its faults, and so may what to do about each."""
    found = list(made_in(PRODUCT / room))
    assert len(found) > 5
    for place, call in found:
        given = {keyword.arg for keyword in call.keywords}
        assert given & {"why", "faults"}, f"{place} gives no reason"
        assert given & {"hint", "faults"}, f"{place} does not say what to do"


def test_every_kind_has_a_code_of_its_own() -> None:
    codes = [kind.code for kind in KINDS.values()]
    assert len(set(codes)) == len(codes)
