"""How commands speak: data on stdout, everything else on stderr."""

import json
import sys
from typing import Any

import click

from freehold.domain.errors import WrongUsage

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, for machines.")
yes = click.option("--yes", is_flag=True, help="Do not ask before changing anything.")


def data(value: Any) -> None:
    """JSON on stdout."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def note(text: str = "") -> None:
    """A line for people, on stderr."""
    click.echo(text, err=True)


def next_command(*commands: str) -> None:
    """What is likely wanted next, on stderr."""
    note("next: " + "   or   ".join(commands))


def confirm(question: str, agreed: bool) -> None:
    """Ask before a change. Raises Abort on no, WrongUsage where nobody can answer."""
    if agreed:
        return
    if not sys.stdin.isatty():
        raise WrongUsage(
            "this changes something, and nobody is there to be asked",
            why="standard input is not a terminal",
            hint="say --yes to go on without the question",
            code="usage.needs-yes",
        )
    click.confirm(question, default=True, abort=True, err=True)
