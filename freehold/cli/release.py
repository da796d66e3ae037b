"""`freehold release`"""

import click

from freehold.app.model.naming import resolve
from freehold.app.release.release import ReleasePlan, plan_release, release, roll_back
from freehold.app.site.opening import open_site
from freehold.cli import output
from freehold.domain.release import Release, Strategy


@click.command("release", help="Move MODEL@VERSION into traffic, step by step, under guardrails.")
@click.argument("name", metavar="MODEL@VERSION")
@click.option(
    "--strategy",
    type=click.Choice(["canary", "immediate"]),
    default="canary",
    show_default=True,
    help="canary: a growing share of the traffic; immediate: all of it at once.",
)
@click.option(
    "--sites", default="", metavar="A,B", help="Where; `all` for every site. Otherwise here."
)
@click.option("--roll-back", "back", is_flag=True, help="Take its running release back at once.")
@output.yes
@output.as_json
def command(name: str, strategy: str, sites: str, back: bool, yes: bool, as_json: bool) -> None:
    with open_site() as site:
        if back:
            model = resolve(site, name).model
            if not as_json:
                click.echo(f"the running release of {model} goes back; the champion takes over")
            output.confirm("Roll it back?", yes)
            done = roll_back(site, model)
        else:
            places = (
                site.project.site_names if sites == "all" else tuple(filter(None, sites.split(",")))
            )
            how: Strategy = "immediate" if strategy == "immediate" else "canary"
            plan = plan_release(site, name, how, places)
            if not as_json:
                _show(plan)
            output.confirm("Release it?", yes)
            done = release(site, plan)
    if as_json:
        output.data({"shape": 1, **done.as_json()})
    else:
        _print(done)


def _show(plan: ReleasePlan) -> None:
    version = plan.version
    auc = version.headline.get("auc")
    figure = f", AUC {auc:.3f}" if auc is not None else ""
    click.echo(f"{version.name}{figure}, allowed by every policy")
    if len(plan.known_sites) > 1:
        click.echo(f"at {', '.join(plan.venue.sites)}")
    if plan.champion is None:
        click.echo("there is no champion to stand beside: all traffic at once")
        return
    click.echo(f"beside {version.model}@{plan.champion}, the champion")
    if plan.strategy == "immediate":
        click.echo("all traffic at once, without a canary")
        return
    limits = plan.settings.guardrails
    shares = " → ".join(f"{step} %" for step in plan.steps)
    click.echo(f"canary {shares}, each after {plan.settings.minimum_rows:,} rows")
    own = [f", {name} worse by {one.drop:g}" for name, one in plan.settings.metrics.items()]
    click.echo(
        f"goes back by itself beyond: errors {limits.error_rate:.1%},"
        f" latency ×{limits.latency_ratio:g}, score shift {limits.score_shift:g},"
        f" AUC lost {limits.quality_drop:g}{''.join(own)}"
    )


def _print(done: Release) -> None:
    if done.status == "completed":
        click.echo(f"{done.model}@{done.version} is the champion")
        output.next_command("freehold serve", "freehold status")
    elif done.status == "rolled-back":
        click.echo(f"{done.model}@{done.version} is out of traffic")
        output.next_command("freehold status")
    else:
        click.echo(f"release {done.id}: {done.model}@{done.version} gets {done.weight} %")
        output.next_command("freehold status", f"freehold why {done.model}@{done.version}")
