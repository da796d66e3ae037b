"""Tables and consoles. Apart from `output`, since drawing takes longer to import than to do."""

import sys
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table


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
