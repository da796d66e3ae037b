"""`freehold run`"""

from dataclasses import dataclass
from pathlib import Path
from time import sleep
from typing import Any

import click

from freehold.app.run.applying import plan_again, read_plan
from freehold.app.run.elsewhere import Elsewhere
from freehold.app.run.plan import PlannedRun, plan_run
from freehold.app.run.run import FinishedRun, PlannedResumption, plan_resume, resume_run, run
from freehold.app.site.opening import Site, open_site
from freehold.app.work.request import plan_request
from freehold.cli import output, parameters, plan, work
from freehold.cli.progress import RunProgress
from freehold.domain.errors import WrongUsage

LATEST = "latest"


@click.command("run", help="Run PIPELINE; a model that it makes becomes a version.")
@click.argument("pipeline", default="")
@parameters.option
@click.option("--no-cache", is_flag=True, help="Run every step, whatever was made before.")
@click.option(
    "--resume",
    "resumed",
    is_flag=False,
    flag_value=LATEST,
    metavar="[RUN]",
    help="Go on with the latest run that waits, or with RUN.",
)
@click.option(
    "--plan",
    "saved",
    type=click.Path(path_type=Path),
    help="Carry out this plan, which `freehold plan --save` wrote; not if the world has moved.",
)
@click.option("--now", is_flag=True, help="Begin at once, though cleaner power is near.")
@click.option("--without", multiple=True, metavar="SITE", help="Leave SITE out. May be repeated.")
@click.option("--at", metavar="SITE", default="", help="Ask this site's agent to run it.")
@output.yes
@output.as_json
def command(pipeline: str, yes: bool, as_json: bool, **options: Any) -> None:
    asked = Asked(pipeline, **options)
    asked.check()
    with open_site() as site:
        if asked.at and asked.at != site.name:
            values = parameters.values_of(asked.pairs)
            work.ask(site, plan_request(site, asked.at, pipeline, values), yes, as_json)
            return
        resumption, planned = _planned(site, asked)
        if not as_json:
            if resumption is not None:
                click.echo(f"going on with run {resumption.run}")
            plan.show(planned.plan)
        output.confirm("Run it?" if resumption is None else "Go on with it?", yes)
        elsewhere = Elsewhere(tell=output.note)
        with RunProgress(quiet=as_json) as progress:
            if resumption is None:
                if planned.plan.wait is not None and not asked.now:
                    output.note(f"waiting {planned.plan.wait.hours:g} h for cleaner power")
                    sleep(planned.plan.wait.hours * 3600)
                finished = run(site, planned, progress.step, progress.stage, elsewhere)
            else:
                finished = resume_run(site, resumption, progress.step, progress.stage, elsewhere)
    if as_json:
        output.data(as_data(finished))
    else:
        _print(finished)


@dataclass(frozen=True)
class Asked:
    """The command line."""

    pipeline: str
    pairs: tuple[str, ...]
    no_cache: bool
    resumed: str | None
    saved: Path | None
    now: bool
    without: tuple[str, ...]
    at: str

    def check(self) -> None:
        """Raises WrongUsage for options that do not go together."""
        others = self.pipeline or self.pairs or self.no_cache or self.at or self.without
        if self.saved is not None and (others or self.resumed is not None):
            raise WrongUsage(
                "--plan goes with nothing that would change the plan",
                why="a saved plan says its pipeline, parameters and places",
                hint=f"freehold run --plan {self.saved}",
                code="usage.plan",
            )
        if self.at and (self.resumed is not None or self.no_cache):
            raise WrongUsage(
                "--at goes with neither --resume nor --no-cache",
                why=f"{self.at} runs what it is asked by its own history and cache",
                hint=f"ask anew: `freehold run {self.pipeline} --at {self.at}`",
                code="usage.at",
            )


def _planned(site: Site, asked: Asked) -> tuple[PlannedResumption | None, PlannedRun]:
    if asked.resumed is not None:
        resumption = plan_resume(site, "" if asked.resumed == LATEST else asked.resumed)
        return resumption, resumption.planned
    if asked.saved is not None:
        return None, plan_again(site, read_plan(asked.saved))
    values = parameters.values_of(asked.pairs)
    cache = not asked.no_cache
    return None, plan_run(site, asked.pipeline, values, cache=cache, without=asked.without)


def as_data(finished: FinishedRun) -> dict[str, Any]:
    outcome, version = finished.outcome, finished.version
    return {
        "shape": 1,
        "run": outcome.run,
        "pipeline": outcome.pipeline,
        "seconds": outcome.microseconds / 1e6,
        "steps": {
            name: {
                "cached": step.cached,
                "seconds": step.microseconds / 1e6,
                "outputs": [output.as_json() for output in step.outputs],
            }
            for name, step in outcome.steps.items()
        },
        "contracts": [
            {"contract": check.contract, "step": check.step, "rows": check.rows}
            for check in finished.checks
        ],
        "version": None
        if version is None
        else {
            "model": version.model,
            "version": version.version,
            "allowed": version.allowed,
            "denied_by": list(version.denials),
            "headline": dict(version.headline),
            "package": version.package,
        },
        "reports": dict(finished.reports),
        "warnings": list(finished.warnings),
    }


def _print(finished: FinishedRun) -> None:
    outcome, version = finished.outcome, finished.version
    cached = sum(1 for step in outcome.steps.values() if step.cached)
    click.echo(
        f"run {outcome.run}: {len(outcome.steps)} steps, {cached} cached,"
        f" {outcome.microseconds / 1e6:.1f} s"
    )
    for check in finished.checks:
        click.echo(f"contract {check.contract} holds on {check.rows:,} rows of {check.step}")
    for step, report in finished.reports.items():
        click.echo(f"{step}: {_report(report)}")
    for warning in finished.warnings:
        output.note(f"warning: {warning}")
    if version is None:
        output.next_command("freehold runs")
        return
    figures = version.headline
    click.echo(
        f"{version.name}: AUC {figures['auc']:.3f}"
        f" ({figures['auc_low']:.3f} to {figures['auc_high']:.3f})"
        if "auc" in figures
        else version.name
    )
    if version.allowed:
        click.echo("policy: allowed")
        output.next_command(f"freehold release {version.name}", "freehold models")
    else:
        click.echo(f"policy: denied by {', '.join(version.denials)}")
        output.next_command(f"freehold why {version.name}")


def _report(report: Any) -> str:
    if not isinstance(report, dict):
        return str(report)
    return ", ".join(
        f"{value:,} {name}" if isinstance(value, int) else f"{name} {value}"
        for name, value in report.items()
    )
