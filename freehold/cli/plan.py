"""`freehold plan`"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from freehold.app.costs.budgets import objections
from freehold.app.run.applying import difference_to_last
from freehold.app.run.plan import plan_run
from freehold.app.run.run import charges_of
from freehold.app.run.whatif import what_would_change
from freehold.app.site.opening import open_site
from freehold.cli import drawing, explaining, output, parameters
from freehold.cli.amounts import gap, kilograms, money, seconds, size

SIGNS = {"run": "run", "cached": "cached", "depends": "if changed"}
ALL = "all"
NEEDS_APPROVAL = "budget.needs-approval"


@click.command("plan", help="What a run of PIPELINE would do, where, why there, at what cost.")
@click.argument("pipeline", default="")
@parameters.option
@click.option("--no-cache", is_flag=True, help="As if nothing had been made before.")
@click.option(
    "--explain",
    "explained",
    is_flag=False,
    flag_value=ALL,
    metavar="[STEP]",
    help="For every step, or for STEP: every figure and where it comes from, who was refused.",
)
@click.option(
    "--what-if",
    "changes",
    multiple=True,
    metavar="CHANGE",
    help="Plan again with a change, and show the difference: down=SITE, price=SITE[/MACHINE]*2,"
    " unlabel=[STEP:]LABEL, quota=SITE/cpus:8, deadline=HOURS, budget=MONEY. May be repeated.",
)
@click.option("--without", multiple=True, metavar="SITE", help="Leave SITE out. May be repeated.")
@click.option("--diff", is_flag=True, help="What is different from the last plan carried out.")
@click.option(
    "--save", type=click.Path(path_type=Path), help="Write it, for `freehold run --plan`."
)
@output.as_json
def command(
    pipeline: str,
    pairs: tuple[str, ...],
    no_cache: bool,
    explained: str | None,
    as_json: bool,
    **against: Any,
) -> None:
    changes, without, diff = against["changes"], against["without"], against["diff"]
    save: Path | None = against["save"]
    values = parameters.values_of(pairs)
    with open_site() as site:
        if changes:
            found = what_would_change(site, pipeline, values, changes, cache=not no_cache)
            if as_json:
                output.data(found.as_json())
            else:
                explaining.difference(found.difference, found.before, ", ".join(changes))
            return
        planned = plan_run(site, pipeline, values, cache=not no_cache, without=without)
        difference = difference_to_last(site, planned) if diff else None
        over = objections(site, charges_of(site, planned), planned.plan.digest)
    document = planned.plan.as_json()
    if save is not None:
        save.write_text(json.dumps(document, indent=2))
    refused = any(one.code != NEEDS_APPROVAL for one in over)
    if as_json:
        told = {} if difference is None else {"difference": difference.as_json()}
        output.data({**document, "objections": [asdict(one) for one in over], **told})
        _end(refused)
        return
    show(planned.plan)
    for objection in over:
        output.note(f"not to be run so: [{objection.code}] {objection}")
    if explained is not None:
        explaining.steps(planned.plan, "" if explained == ALL else explained)
    if difference is not None:
        explaining.difference(difference, planned.plan, "the last plan that was carried out")
    if save is not None:
        output.next_command(f"freehold run --plan {save}")
        _end(refused)
        return
    if refused:
        output.next_command("freehold budgets")
        _end(refused)
    sets = "".join(f" --set {pair}" for pair in pairs)
    following = [f"freehold run {pipeline}".rstrip() + sets]
    if planned.plan.placed is not None and explained is None:
        following.append(f"freehold plan {pipeline}".rstrip() + sets + " --explain")
    output.next_command(*following)


def _end(refused: bool) -> None:
    """A plan that would not be carried out is shown, and the command has failed: who only looks at
    exit codes is not surprised by `freehold run`."""
    if refused:
        click.get_current_context().exit(1)


def show(plan: Any) -> None:
    """The plan for people, on stdout."""
    given = ", ".join(f"{name}={value}" for name, value in plan.parameters.items())
    click.echo(f"pipeline {plan.pipeline}" + (f" with {given}" if given else ""))
    if plan.placed is None:
        rows = [
            [step.step, SIGNS[step.action], step.place.site, ", ".join(step.reasons)]
            for step in plan.steps
        ]
        drawing.table("", ["step", "action", "site", "why"], rows)
    else:
        _show_placed(plan)
    counts = f"{plan.count('run')} to run, {plan.count('cached')} cached"
    if plan.count("depends"):
        counts += f", {plan.count('depends')} only if something before them changes"
    click.echo(counts + (f"; makes a version of {plan.model}" if plan.model else ""))
    if plan.wait is not None:
        click.echo(
            f"waits {plan.wait.hours:g} h for cleaner power: {kilograms(plan.wait.carbon)} instead"
            f" of {kilograms(plan.wait.at_once)}; `freehold run --now` does not wait"
        )


def _show_placed(plan: Any) -> None:
    placed = plan.placed
    found = {one.step: one for one in placed.steps}
    rows = []
    for step in plan.steps:
        one = found.get(step.step)
        row = [step.step, SIGNS[step.action], _where(step.place)]
        row += ["", ""] if one is None else [seconds(one.seconds), money(one.money)]
        rows.append([*row, ", ".join(step.reasons)])
    columns = ["step", "action", "where", "takes>", f"{placed.currency}>", "why"]
    drawing.table("", columns, rows)
    if placed.crossings:
        rows = [
            [
                one.output,
                f"{one.origin} → {one.destination}",
                size(one.size.value),
                money(one.money),
                explaining.labels(one.labels),
            ]
            for one in placed.crossings
        ]
        drawing.table("", ["leaves", "from → to", "size>", f"{placed.currency}>", "labels"], rows)
    parts = [f"machines {money(placed.cost.money - placed.crossing_money - placed.copies)}"]
    parts += [f"crossings {money(placed.crossing_money)}"] if placed.crossings else []
    parts += [f"copies {money(placed.copies)}"] if placed.copies else []
    click.echo(
        f"total {money(placed.cost.money)} {placed.currency} ({', '.join(parts)}),"
        f" {kilograms(placed.cost.carbon) if placed.cost.carbon else 'carbon unknown'},"
        f" {seconds(placed.cost.seconds)};"
        f" {gap(placed.solution.gap)} of {placed.minimises}"
    )
    if placed.missing:
        click.echo(f"not counted, since unknown: {', '.join(placed.missing[:4])}")


def _where(place: Any) -> str:
    return " ".join([place.site, place.machine, *(["spot"] if place.spot else [])]).strip()
