"""`freehold plan`"""

from typing import Any

import click

from freehold.app.run.plan import plan_run
from freehold.app.site.opening import open_site
from freehold.cli import drawing, output, parameters

SIGNS = {"run": "run", "cached": "cached", "depends": "if changed"}


@click.command("plan", help="What a run of PIPELINE would do: what is cached, what runs, and why.")
@click.argument("pipeline", default="")
@parameters.option
@click.option("--no-cache", is_flag=True, help="As if nothing had been made before.")
@output.as_json
def command(pipeline: str, pairs: tuple[str, ...], no_cache: bool, as_json: bool) -> None:
    with open_site() as site:
        plan = plan_run(site, pipeline, parameters.values_of(pairs), cache=not no_cache).plan
    if as_json:
        output.data(plan.as_json())
        return
    show(plan)
    sets = "".join(f" --set {pair}" for pair in pairs)
    output.next_command(f"freehold run {pipeline}".rstrip() + sets)


def show(plan: Any) -> None:
    """The plan for people, on stdout."""
    given = ", ".join(f"{name}={value}" for name, value in plan.parameters.items())
    click.echo(f"pipeline {plan.pipeline}" + (f" with {given}" if given else ""))
    rows = [
        [step.step, SIGNS[step.action], step.site, ", ".join(step.reasons)] for step in plan.steps
    ]
    drawing.table("", ["step", "action", "site", "why"], rows)
    counts = f"{plan.count('run')} to run, {plan.count('cached')} cached"
    if plan.count("depends"):
        counts += f", {plan.count('depends')} only if something before them changes"
    click.echo(counts + (f"; makes a version of {plan.model}" if plan.model else ""))
