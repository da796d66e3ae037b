"""`freehold audit`"""

import json
from pathlib import Path

import click

from freehold.app.audit.export import export
from freehold.app.audit.verify import AuditReport, audit, head
from freehold.app.site.opening import open_site
from freehold.cli import output
from freehold.domain.errors import IntegrityError


@click.group("audit")
def command() -> None:
    """Verify or export the history."""


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
    if not report.history.holds:
        first = report.history.first_bad
        raise (
            IntegrityError(
                "the history is not what this site signed",
                why="; ".join(fault.what for fault in report.history.faults[:5]),
                hint="keep this folder as it is and compare it with an export or a backup",
                code="audit.broken" if first is None else "audit.bad-entry",
            )
            if not as_json
            else click.exceptions.Exit(1)
        )


def _print(report: AuditReport) -> None:
    history = report.history
    if history.holds:
        click.echo(
            f"verified: {history.entries:,} entries, {history.checkpoints:,} checkpoints,"
            f" writer {report.writer}"
        )
        click.echo(f"root {history.root}")
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
    """The history as canonical JSON lines, which 40 lines of any language verify."""
    with open_site() as site:
        counts = export(site, folder)
    if as_json:
        output.data({"shape": 1, "folder": str(folder), "lines": counts})
        return
    for name, lines in counts.items():
        click.echo(f"{folder / name}: {lines:,} lines")
    output.next_command(f"python verify_ledger.py {folder}")
