"""`freehold drill offline`, and the process of each of its sites"""

import json
import os
import signal
import sys
from pathlib import Path

import click

from freehold.app.drill.offline.account import OfflineReport, SiteAccount
from freehold.app.drill.offline.drill import offline_drill
from freehold.app.drill.offline.hands import Hands
from freehold.app.drill.offline.orders import Orders, open_twin
from freehold.app.project.reading import find_root, read_project
from freehold.cli import drawing, output, parameters
from freehold.endpoint.endpoint_process import EndpointProcess
from freehold.endpoint.settings import RUNTIME


@click.command("offline")
@click.option("--cut", required=True, metavar="SITE", help="The site that is cut off.")
@click.option(
    "--hours",
    type=click.FloatRange(1, 24 * 365),
    default=48.0,
    show_default=True,
    help="That go by on the sites' clocks meanwhile.",
)
@parameters.option
@click.option("--keep", is_flag=True, help="Leave the twins' folders, to look at them.")
@output.as_json
def offline_command(
    cut: str, hours: float, pairs: tuple[str, ...], keep: bool, as_json: bool
) -> None:
    """Cut a site off, train and release on both sides, and let it return."""
    project = read_project(find_root(Path.cwd()))
    values = parameters.values_of(pairs)
    report = offline_drill(project, cut, hours=hours, values=values, keep=keep, tell=output.note)
    if as_json:
        output.data(report.as_json())
        return
    show(report)
    output.next_command("freehold drill rebuild --at SITE", "freehold status")


@click.command("at-site", hidden=True)
@click.argument("orders", type=click.Path(path_type=Path, exists=True, dir_okay=False))
def at_site_command(orders: Path) -> None:
    """A drill's process at one site (what `drill offline` starts)."""
    told = Orders.read(orders)
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    # A step may print; only answers go where answers are read.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    os.chdir(told.root)
    # Who stops the drill by the keyboard still needs this process, to take away what it left.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with open_twin(told) as site:
        spec = site.project.spec.endpoint
        runtime = spec.runtime if spec else RUNTIME
        hands = Hands(
            site, told.model, lambda serving: EndpointProcess.start(serving, runtime=runtime)
        )
        try:
            for line in sys.stdin:
                answers.write(json.dumps(hands.obey(json.loads(line))) + "\n")
                answers.flush()
        finally:
            hands.close()


def show(report: OfflineReport) -> None:
    """What was done and proved, as a person wants to read it."""
    click.echo(f"{report.cut} was cut off for {report.hours:g} hours of its clock, and came back")
    if report.began:
        click.echo(f"production had nothing to serve: {report.began} was made first, for the drill")
    for met in report.probes:
        click.echo(f"  cut off: {met}")
    for one in report.not_probed:
        click.echo(f"  not tried: {one}")
    for site in report.sites.values():
        if site.trained:
            _show_work(site)
    sites = list(report.sites.values())
    rows = [
        (s.site, s.pid, s.endpoint or "", *(f"{s.entries[w]:,}" for w in s.entries), s.predictions)
        for s in sites
    ]
    columns = ["site", "process>", "endpoint>", "before>", "at return>", "after>", "predictions>"]
    drawing.table("entries held at each site", columns, rows)
    logs = [
        (
            one.writer,
            f"{one.before:,}",
            ", ".join(f"{site} {held:,}" for site, held in one.at_return.items()),
            f"{one.after:,}",
        )
        for one in report.logs
    ]
    drawing.table("entries of each log", ["log", "before>", "at return", "after>"], logs)
    _show_proofs(report)


def _show_work(site: SiteAccount) -> None:
    trained, released = site.trained, site.released
    snapshots = trained["snapshots"]
    local = sum(1 for how in snapshots.values() if how == "local")
    approved = f"approved as {released['approved']}, " if released["approved"] else ""
    click.echo(
        f"{site.site}: version {trained['version']} from {local} of {len(snapshots)} snapshots that"
        f" were local, {trained['computed']} steps computed; policy allowed it; {approved}"
        f"released at once as {released['release']}; {site.predictions} predictions answered"
    )


def _show_proofs(report: OfflineReport) -> None:
    conflict = report.conflict
    sides = " and ".join(f"{one['site']} {one['value']}" for one in conflict["sides"])
    click.echo(
        f"conflict {conflict['conflict']} about {conflict['about']}: {sides};"
        f" {conflict['holds']} holds until a person settles it"
    )
    click.echo(f"entries of {report.cut} span {report.spanned:.1f} hours")
    click.echo(f"{report.kept:,} entries that a site had acknowledged are held by every site")
    click.echo(f"one state everywhere; {report.verified} logs verify, at all sites together")
    click.echo(
        f"production is as it was: {report.production_entries:,} entries,"
        f" {report.production_files:,} files; {report.removed:,} objects of the drill removed"
    )
    click.echo(f"{report.seconds:.0f} s")
