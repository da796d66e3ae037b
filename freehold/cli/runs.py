"""`freehold runs`"""

from typing import Any

import click

from freehold.app.run.runs import runs, traceback_of
from freehold.app.site.opening import open_site
from freehold.cli import drawing, output


@click.command(
    "runs",
    help="The runs so far; with RUN, its parameters, and the traceback of the step that failed.",
)
@click.argument("run", default="")
@output.as_json
def command(run: str, as_json: bool) -> None:
    with open_site() as site:
        rows = runs(site, run)
        told, erased = traceback_of(site, run) if run else ("", False)
    if as_json:
        output.data({"shape": 1, "runs": rows, "traceback": told, "traceback_erased": erased})
        return
    drawing.table(
        "",
        ["run", "pipeline", "status", "steps>", "cached>", "seconds>", "made", "who"],
        [
            [
                row["run"],
                row["pipeline"],
                row["status"],
                f"{row['finished']}/{row['steps']}",
                row["cached"],
                "" if row["seconds"] is None else f"{row['seconds']:.1f}",
                row["version"] or "",
                row["by"],
            ]
            for row in rows
        ],
    )
    if run:
        _parameters(rows[0])
    if told:
        click.echo(told)
    if erased:
        output.note("its traceback was erased")
    waiting = [row for row in rows if row["status"] in ("failed", "interrupted")]
    output.next_command("freehold run --resume" if waiting else "freehold models")


def _parameters(row: dict[str, Any]) -> None:
    given = ", ".join(f"{name}={value}" for name, value in row["parameters"].items())
    if given:
        click.echo(f"parameters: {given}")
    if row["parameters_erased"]:
        output.note("its parameters that were text were erased")
