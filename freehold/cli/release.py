"""`freehold release`"""

from typing import Any

import click

from freehold.app.model.naming import resolve
from freehold.app.release import orders
from freehold.app.release.release import ReleasePlan, plan_release, release
from freehold.app.release.status import release_status
from freehold.app.site.opening import open_site
from freehold.cli import output, release_drawing
from freehold.domain.release import STRATEGIES, Release, Strategy

BEGIN = "begin"


class WordsOrVersion(click.Group):
    """`freehold release MODEL@VERSION` is `freehold release begin MODEL@VERSION`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or args[0] not in (*self.commands, *ctx.help_option_names):
            args = [BEGIN, *args]
        return super().parse_args(ctx, args)


@click.group(
    "release",
    cls=WordsOrVersion,
    help="Move MODEL@VERSION into traffic, step by step, under guardrails; look at it, hold it, "
    "hurry it, take it back. `begin` may be left out.",
)
def command() -> None: ...


reason = click.option(
    "--reason", default="", help="Kept beside the history, so that it can be erased."
)
despite = click.option(
    "--despite-freeze", is_flag=True, help="Although releases are frozen in freehold.yaml."
)


@command.command(BEGIN)
@click.argument("name", metavar="MODEL@VERSION")
@click.option(
    "--strategy",
    type=click.Choice(list(STRATEGIES)),
    default="canary",
    show_default=True,
    help="; ".join(f"{name}: {told}" for name, told in STRATEGIES.items()) + ".",
)
@click.option(
    "--sites", default="", metavar="A,B", help="Where; `all` for every site. Otherwise here."
)
@click.option("--roll-back", "back", is_flag=True, help="The same as `freehold release abort`.")
@despite
@output.yes
@output.as_json
def begin(
    name: str,
    strategy: Strategy,
    sites: str,
    back: bool,
    despite_freeze: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Begin a release, at the sites that are named or here."""
    with open_site() as site:
        if back:
            model = resolve(site, name).model
            _agreed(_return(model), "Roll it back?", yes, as_json)
            done = orders.roll_back(site, model)
        else:
            places = (
                site.project.site_names if sites == "all" else tuple(filter(None, sites.split(",")))
            )
            plan = plan_release(site, name, strategy, places, despite_freeze=despite_freeze)
            if not as_json:
                _show(plan)
            output.confirm("Release it?", yes)
            done = release(site, plan)
    _told(done, as_json)


@command.command("pause")
@click.argument("model")
@reason
@output.yes
@output.as_json
def pause(model: str, reason: str, yes: bool, as_json: bool) -> None:
    """Keep the running release where it is. Its analysis goes on, and guardrails still take it
    back."""
    with open_site() as site:
        standing = orders.running(site, model)
        what = f"release {standing.id} stays at {standing.weight} % until it is resumed"
        _agreed(what, "Pause it?", yes, as_json)
        done = orders.pause(site, model, reason)
    _told(done, as_json)


@command.command("resume")
@click.argument("model")
@reason
@output.yes
@output.as_json
def resume(model: str, reason: str, yes: bool, as_json: bool) -> None:
    """Let a paused release go on by what is seen of it."""
    with open_site() as site:
        standing = orders.running(site, model)
        what = f"release {standing.id} goes on from {standing.weight} %"
        _agreed(what, "Resume it?", yes, as_json)
        done = orders.resume(site, model, reason)
    _told(done, as_json)


@command.command("promote")
@click.argument("model")
@click.option("--full", is_flag=True, help="To all traffic, for good, and not to the next step.")
@reason
@despite
@output.yes
@output.as_json
def promote(
    model: str, full: bool, reason: str, despite_freeze: bool, yes: bool, as_json: bool
) -> None:
    """Take the next step now, whatever has been seen so far, unless a guardrail is crossed."""
    with open_site() as site:
        plan = orders.plan_promotion(site, model, full, despite_freeze)
        _agreed(_promotion(plan), "Promote it?", yes, as_json)
        done = orders.promote(site, plan, reason)
    _told(done, as_json)


@command.command("abort")
@click.argument("model")
@reason
@output.yes
@output.as_json
def abort(model: str, reason: str, yes: bool, as_json: bool) -> None:
    """Take the running release back at once; the champion answers everything again."""
    with open_site() as site:
        _agreed(_return(model), "Abort it?", yes, as_json)
        done = orders.roll_back(site, model, reason)
    _told(done, as_json)


@command.command("status")
@click.argument("model", default="")
@click.option("--watch", is_flag=True, help="Draw it anew as it changes, until interrupted.")
@output.as_json
def status(model: str, watch: bool, as_json: bool) -> None:
    """Where each model's release stands, what is seen of it, and what holds it."""
    with open_site() as site:
        if watch and not as_json:
            release_drawing.watch(lambda: release_status(site, model))
            return
        found = release_status(site, model)
    if as_json:
        output.data(found)
        return
    release_drawing.draw(found)
    output.next_command(*_next(found))


def _next(found: dict[str, Any]) -> list[str]:
    for one in found["releases"]:
        if one["status"] == "running":
            word = "resume" if one["held"] == "paused" else "promote"
            name = one["model"]
            return [f"freehold release {word} {name}", f"freehold release abort {name}"]
    return ["freehold models"]


def _agreed(what: str, question: str, yes: bool, as_json: bool) -> None:
    """Says what would be done, and asks."""
    if not as_json:
        click.echo(what)
    output.confirm(question, yes)


def _return(model: str) -> str:
    return f"the running release of {model} goes back; the champion takes over"


def _promotion(plan: orders.Promotion) -> str:
    one = plan.release
    goal = "to be the champion" if plan.is_last else f"to {plan.weight} %"
    return f"{one.model}@{one.version} goes from {one.weight} % {goal}"


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
    click.echo(_way(plan))
    if plan.strategy != "rolling" and plan.venue.stages:
        soak = plan.settings.rolling.soak_minutes
        click.echo(f"region after region: {_order(plan)}, each after {soak:g} minutes at 100 %")
    limits = plan.settings.guardrails
    own = [f", {name} worse by {one.drop:g}" for name, one in plan.settings.metrics.items()]
    click.echo(
        f"goes back by itself beyond: errors {limits.error_rate:.1%},"
        f" latency ×{limits.latency_ratio:g}, score shift {limits.score_shift:g},"
        f" AUC lost {limits.quality_drop:g}{''.join(own)}"
    )


def _way(plan: ReleasePlan) -> str:
    settings = plan.settings
    match plan.strategy:
        case "blue-green":
            kept = settings.blue_green.keep_minutes
            return (
                f"loaded without traffic at every site, then all of it at once; the champion stays"
                f" loaded for {kept:g} minutes more"
            )
        case "rolling":
            soak = settings.rolling.soak_minutes
            return (
                f"rolling {_order(plan)}, each after {soak:g} minutes"
                f" and {settings.minimum_rows:,} rows"
            )
        case "shadow":
            shadow = settings.shadow
            shares = " → ".join(f"{step} %" for step in settings.steps)
            then = "then" if shadow.then == "canary" else "then, by a person's word,"
            what = f"shadow of {shadow.share:g} % of the keys for {shadow.hours:g} hours"
            return f"{what}, {then} canary {shares}, each after {settings.minimum_rows:,} rows"
        case "ab-test":
            trial = settings.ab_test
            what = f"A/B test of {trial.metric}: {trial.share} % for {trial.days:g} days"
            return f"{what}, then {_then(trial.then)}"
        case "bandit":
            bandit = settings.bandit
            what = (
                f"bandit by {bandit.metric}: {bandit.share} % at first, at least {bandit.floor} %"
            )
            return f"{what} for each, for {bandit.days:g} days, then {_then(bandit.then)}"
        case _:
            shares = " → ".join(f"{step} %" for step in settings.steps)
            return f"canary {shares}, each after {settings.minimum_rows:,} rows"


def _order(plan: ReleasePlan) -> str:
    return " → ".join(", ".join(batch) for batch in plan.batches)


def _then(then: str) -> str:
    return "the better one becomes the champion" if then == "winner" else "a person decides"


def _told(done: Release, as_json: bool) -> None:
    if as_json:
        output.data({"shape": 1, **done.as_json()})
    elif done.status == "completed":
        click.echo(f"{done.model}@{done.version} is the champion")
        output.next_command("freehold serve", "freehold status")
    elif done.status == "rolled-back":
        click.echo(f"{done.model}@{done.version} is out of traffic")
        output.next_command("freehold status")
    elif done.paused:
        click.echo(f"release {done.id}: {done.model}@{done.version} stays at {done.weight} %")
        output.next_command(f"freehold release resume {done.model}", "freehold release status")
    else:
        click.echo(f"release {done.id}: {done.model}@{done.version} gets {done.weight} %")
        output.next_command("freehold status", f"freehold why {done.model}@{done.version}")
