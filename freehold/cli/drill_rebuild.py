"""`freehold drill rebuild`, and the process that runs the pipeline anew"""

import json
import os
import sys
from pathlib import Path

import click

from freehold.app.drill.rebuild.anew import RebuildOrders, rebuild
from freehold.app.drill.rebuild.drill import RebuildReport, rebuild_drill, require_rebuilt
from freehold.app.project.reading import find_root, read_project
from freehold.cli import drawing, output
from freehold.domain.errors import FreeholdError

SHOWN = 5
"""Files that are not of the commit; the others are counted."""


@click.command("rebuild")
@click.option("--at", required=True, metavar="SITE", help="Where it is run anew.")
@click.option(
    "--run", "run", default="", metavar="RUN", help="Another run than the latest; `now` makes one."
)
@click.option(
    "--tolerance",
    type=click.FloatRange(0, 1),
    default=0.005,
    show_default=True,
    help="Of figures and scores, where bytes are not the same.",
)
@click.option("--keep", is_flag=True, help="Leave the drill's copies, to look at them.")
@output.as_json
def rebuild_command(at: str, run: str, tolerance: float, keep: bool, as_json: bool) -> None:
    """Run a pipeline anew at another site, on its store, and compare digests and figures."""
    project = read_project(find_root(Path.cwd()))
    report = rebuild_drill(project, at, run=run, tolerance=tolerance, keep=keep, tell=output.note)
    if as_json:
        output.data(report.as_json())
        if not report.holds:
            raise click.exceptions.Exit(1)
        return
    show(report)
    require_rebuilt(report)
    output.next_command("freehold drill offline --cut SITE", "freehold drill exit --to FOLDER")


@click.command("anew", hidden=True)
@click.argument("orders", type=click.Path(path_type=Path, exists=True, dir_okay=False))
def anew_command(orders: Path) -> None:
    """A drill's process at the other site (what `drill rebuild` starts)."""
    told = RebuildOrders.read(orders)
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    # A step may print; only the answer goes where it is read.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    os.chdir(told.root)
    with answers:
        try:
            said = rebuild(told)
        except FreeholdError as error:
            answers.write(json.dumps(error.as_json()))
            raise click.exceptions.Exit(error.exit_code) from None
        answers.write(json.dumps(said))


def show(report: RebuildReport) -> None:
    """What was done and proved, as a person wants to read it."""
    found = report.comparison
    rows = [
        (
            f"{one.step}.{one.output}",
            f"{one.size:,}",
            one.before.removeprefix("sha256:")[:16] or "none",
            one.after.removeprefix("sha256:")[:16] or "none",
            "same" if one.same else "differs",
        )
        for one in found.artifacts
    ]
    before, after = (digest.removeprefix("sha256:")[:16] for digest in found.package)
    if any(found.package):
        rows.append(("package", "", before, after, "same" if before == after else "differs"))
    drawing.table(
        f"{report.pipeline}: run {report.reference} at {report.reference_at} on {report.stores[0]},"
        f" rebuilt at {report.site} on {report.stores[1]}",
        ["artifact", "bytes>", "before", "rebuilt", ""],
        rows,
    )
    if found.figures:
        drawing.table(
            "",
            ["figure", "before>", "rebuilt>", "difference>", "tolerance>"],
            [
                (f.name, f"{f.before:.6f}", f"{f.after:.6f}", f"{f.difference:.2g}", f.tolerance)
                for f in found.figures
            ],
        )
        click.echo(
            f"{found.rows:,} rows scored by both models: largest difference"
            f" {found.score_difference:.3g}, tolerance {found.tolerance:g}"
        )
    click.echo(
        "every artifact is the same, bit by bit"
        if found.identical
        else f"not the same bytes: {', '.join(found.differing)}; held against figures and scores"
    )
    commit = f", commit {report.commit[:12]}" if report.commit else ""
    click.echo(
        f"no file of the project changed: {report.files:,} files, {report.tree[:23]}{commit}"
    )
    if report.uncommitted:
        shown = ", ".join(report.uncommitted[:SHOWN])
        more = ", …" if len(report.uncommitted) > SHOWN else ""
        click.echo(f"{len(report.uncommitted):,} files are not those of the commit: {shown}{more}")
    elif report.commit:
        click.echo("no file of the project is uncommitted, those aside that git ignores")
    if not report.same_environment:
        click.echo("other packages are installed than when the first run was made")
    if report.stores[0] == report.stores[1]:
        click.echo(f"both stores are of one kind: {report.stores[0]}")
    click.echo(
        f"production is as it was; {report.removed:,} objects of the drill removed;"
        f" {report.seconds:.0f} s"
    )
    for fault in found.faults:
        click.echo(f"fault: {fault}")
