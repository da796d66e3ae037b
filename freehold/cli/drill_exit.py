"""`freehold drill exit`"""

import shlex
import sys
from pathlib import Path

import click

from freehold.app.drill.exit.leaving import ExitReport, leave, require_all_read
from freehold.app.site.opening import open_site
from freehold.cli import drawing, output

SHOWN = 5
"""Lines of what never came to this site; the others are counted."""


@click.command("exit")
@click.option(
    "--to",
    "folder",
    type=click.Path(path_type=Path),
    required=True,
    help="A new or empty folder.",
)
@click.option(
    "--python",
    default="",
    show_default="this one",
    help="Reads it back instead of this one; Freehold need not be there.",
)
@output.as_json
def exit_command(folder: Path, python: str, as_json: bool) -> None:
    """Write everything in open formats and read it back without Freehold."""
    from_here = _Teller(quiet=as_json)
    with open_site() as site:
        report = leave(site, folder, from_here, python or sys.executable)
    if as_json:
        output.data(report.as_json())
        if report.faults:
            raise click.exceptions.Exit(1)
        return
    _print(report)
    require_all_read(report.faults)
    output.next_command(shlex.join(["cat", str(folder / "README.md")]), "freehold audit verify")


class _Teller:
    def __init__(self, quiet: bool) -> None:
        self._quiet, self._begun = quiet, ""

    def __call__(self, doing: str, what: str) -> None:
        if self._quiet:
            return
        if doing != self._begun:
            self._begun = doing
            output.note("writing" if doing == "writing" else "reading back without Freehold")
        output.note(f"  {what}")


def _print(report: ExitReport) -> None:
    rows = [
        (one.what, one.format, ", ".join(one.read_by), one.proven, one.figures)
        for one in report.joints
    ]
    drawing.table("", ["what", "format", "read by", "proven", "figures"], rows)
    written = report.written
    click.echo(f"{written.files:,} files, {written.size:,} bytes in {report.folder}")
    for joint in report.joints:
        for what in joint.not_proven:
            click.echo(f"not proven here: {joint.what}: {what}")
    for absent in written.absent[:SHOWN]:
        click.echo(f"not at this site: {absent}")
    if len(written.absent) > SHOWN:
        click.echo(f"not at this site: {len(written.absent) - SHOWN:,} more")
    for one in report.not_written:
        click.echo(f"not written: {one.what} as {one.format}: {one.why}")
    for fault in report.faults:
        click.echo(f"fault: {fault}")
