"""How commands speak: data on stdout, everything else on stderr."""

import json
import sys
from collections.abc import Sequence
from typing import Any

import click
from rich.console import Console
from rich.table import Table

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


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A table on stdout. Columns whose name ends in `>` stand flush right."""
    drawn = Table(title=title or None, title_justify="left", box=None, pad_edge=False)
    for column in columns:
        drawn.add_column(
            column.removesuffix(">"),
            justify="right" if column.endswith(">") else "left",
            overflow="fold",
        )
    for row in rows:
        drawn.add_row(*(str(cell) for cell in row))
    console().print(drawn)


def console(stderr: bool = False) -> Console:
    """Wide when nobody looks, so that pipes get whole lines."""
    stream = sys.stderr if stderr else sys.stdout
    return Console(
        stderr=stderr,
        width=None if stream.isatty() else 200,
        highlight=False,
        markup=False,
        soft_wrap=not stream.isatty(),
    )


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
