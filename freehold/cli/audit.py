"""`freehold audit`"""

import json
import shlex
from pathlib import Path

import click

from freehold.app.audit.export import VERIFIER, export
from freehold.app.audit.verify import AuditReport, audit, head
from freehold.app.history.erasing import PlannedErasure, erase, plan_erasure
from freehold.app.site.opening import open_site
from freehold.cli import output
from freehold.domain.errors import IntegrityError


@click.group("audit")
def command() -> None:
    """Verify or export the history; erase what is kept beside it."""


@command.command("verify")
@click.option(
    "--against",
    type=click.Path(path_type=Path),
    help="A checkpoint kept elsewhere; it shows a truncation and a tail signed anew.",
)
@output.as_json
def verify(against: Path | None, as_json: bool) -> None:
    """Every entry, checkpoint and signature. Exit code 1 if anything is wrong."""
    with open_site() as site:
        report = audit(site, against)
    if as_json:
        output.data(report.as_json())
    else:
        _print(report)
    if not report.holds:
        first = report.history.first_bad
        raise (
            IntegrityError(
                "the history is not what was signed",
                why="; ".join(report.faults[:5]),
                hint="keep this folder as it is and compare it with an export or a backup",
                code="audit.broken" if first is None else "audit.bad-entry",
            )
            if not as_json
            else click.exceptions.Exit(1)
        )


def _print(report: AuditReport) -> None:
    history = report.history
    if report.holds:
        click.echo(
            f"verified: {history.entries:,} entries, {history.checkpoints:,} checkpoints,"
            f" writer {report.writer}"
        )
        click.echo(f"root {history.root}")
        for one in report.others:
            click.echo(f"verified: {one.history.entries:,} entries of {one.writer}")
        if report.against:
            click.echo(f"nothing before entry {report.against.size:,} was changed or cut off")
        output.next_command(
            "freehold audit checkpoint > kept-elsewhere.json", "freehold audit export --to FOLDER"
        )
    elif history.first_bad is not None:
        click.echo(f"first bad entry: {history.first_bad}")


@command.command("checkpoint")
def checkpoint() -> None:
    """The newest signed checkpoint, as JSON. Keep it where this site's key holder cannot write."""
    with open_site() as site:
        click.echo(json.dumps(head(site).as_json()))
    output.next_command("freehold audit verify --against FILE")


@command.command("export")
@click.option("--to", "folder", type=click.Path(path_type=Path), required=True)
@output.as_json
def export_command(folder: Path, as_json: bool) -> None:
    """The history as canonical JSON lines, and 40 lines of Python that verify it."""
    with open_site() as site:
        counts = export(site, folder)
    if as_json:
        output.data({"shape": 1, "folder": str(folder), "lines": counts})
        return
    for name, lines in counts.items():
        click.echo(f"{folder / name}: {lines:,} lines")
    output.next_command(shlex.join(["python", str(folder / VERIFIER.name), str(folder)]))


@command.command("erase")
@click.argument("run")
@output.yes
@output.as_json
def erase_command(run: str, yes: bool, as_json: bool) -> None:
    """Erase what RUN keeps beside the history: texts among its parameters, and tracebacks.

    The history stands: every entry, every signature and every proof.
    """
    with open_site() as site:
        planned = plan_erasure(site, run)
        if not as_json:
            _show(planned)
        if planned.attachments:
            output.confirm("Erase them for good?", yes)
        erase(site, planned)
    if as_json:
        found = [{"attachment": one.name, "kind": one.kind} for one in planned.attachments]
        output.data({"shape": 1, "run": run, "erased": found})
        return
    if planned.attachments:
        click.echo(f"erased {len(planned.attachments)} attachments of run {run}")
    output.next_command("freehold audit verify")


def _show(planned: PlannedErasure) -> None:
    for one in planned.attachments:
        click.echo(f"{one.kind}  {one.name}")
    if not planned.attachments:
        click.echo(f"run {planned.run} keeps nothing that could be erased")
    if planned.ends_the_run:
        click.echo(f"it is {planned.standing}, and could not be resumed any more")
