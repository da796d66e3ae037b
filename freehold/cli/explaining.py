"""Plans explained: figures with their sources, runners-up, refusals, differences."""

from collections.abc import Callable, Mapping
from typing import Any

import click

from freehold.cli.amounts import gap, kilograms, money, seconds
from freehold.domain.errors import NotFound


def labels(given: Mapping[str, str]) -> str:
    return ", ".join(f"{name}={value}" if value else name for name, value in given.items())


def steps(plan: Any, only: str) -> None:
    """Raises NotFound `plan.no-step`."""
    placed = plan.placed
    if placed is None:
        click.echo("\nno site states its machines: every step runs where the plan is made")
        return
    known = [one.step for one in placed.steps]
    if only and only not in known:
        raise NotFound(
            f"this plan places no step '{only}'",
            why=f"it places {', '.join(known) or 'none: all are cached'}",
            hint="`freehold plan --explain` explains all",
            code="plan.no-step",
        )
    for one in placed.steps:
        if only in ("", one.step):
            click.echo()
            _step(one, placed.currency)
    for one in placed.crossings:
        if only in ("", one.output.rpartition(".")[0]):
            _crossing(one, placed.currency)
    for one in placed.kept if not only else ():
        _copies(one, placed.currency)
    if not only:
        whole = seconds(placed.cost.seconds)
        click.echo(f"\nall of it takes {whole}, along the longest chain of steps and ways")
    solution = placed.solution
    click.echo(
        f"\nfound by {solution.solver or 'the solver'}: {gap(solution.gap)};"
        f" no plan has less than {money(solution.bound)}, this one has"
        f" {money(solution.objective)} of {placed.minimises}"
    )
    for note in solution.notes:
        click.echo(f"  {note}")


def _step(one: Any, currency: str) -> None:
    place = one.place
    where = f"{place.site} {place.machine}{' spot' if place.spot else ''}".strip()
    click.echo(
        f"{one.step}: {where}, {money(one.money)} {currency}, {_carbon(one)},"
        f" {seconds(one.seconds)}"
    )
    click.echo(f"  {one.formula}")
    if one.labels:
        click.echo(f"  handles {labels(one.labels)}")
    if one.lowers:
        click.echo(f"  lowers {labels(one.lowers)}, as a policy consents")
    runner_up = one.runner_up
    if runner_up is None:
        click.echo("  there is no other place for it")
    else:
        other = runner_up.place
        click.echo(
            f"  runner-up: {other.site} {other.machine}{' spot' if other.spot else ''},"
            f" {_more(runner_up.money, lambda one: f'{money(one)} {currency}')},"
            f" {_more(runner_up.carbon, kilograms)}"
        )
    for refusal in one.refused:
        click.echo(f"  refused [{refusal.rule}] {refusal}")
    _figures(one.figures)


def _carbon(one: Any) -> str:
    return kilograms(one.carbon) if "carbon" in one.figures else "carbon unknown"


def _crossing(one: Any, currency: str) -> None:
    click.echo(
        f"\n{one.output}: {one.origin} → {one.destination}, {money(one.money)} {currency},"
        f" {kilograms(one.carbon)}, {seconds(one.seconds)}"
    )
    click.echo(f"  {one.formula}")
    _figures(one.figures)


def _copies(one: Any, currency: str) -> None:
    told = f"{', '.join(one.outputs)}, {one.when}: {money(one.money)} {currency}"
    click.echo(f"\ncopies at {one.site} of {told}")
    click.echo(f"  {one.formula or 'what keeping them costs is unknown, and so not counted'}")
    _figures(one.figures)


def _figures(figures: Mapping[str, Any]) -> None:
    for name, figure in figures.items():
        date = f", {figure.date}" if figure.date else ""
        click.echo(f"  {name}: {figure.value:.6g} {figure.unit}: {figure.source}{date}")


def _more(amount: float, spoken: Callable[[float], str]) -> str:
    return f"{spoken(abs(amount))} {'less' if amount < 0 else 'more'}"


def difference(found: Any, plan: Any, against: str) -> None:
    """Before and after, in a few lines."""
    currency = "" if plan.placed is None else f" {plan.placed.currency}"
    click.echo(f"\ncompared: {against}")
    if found.none:
        click.echo("  the same would be done at the same cost")
    for one in found.moved:
        click.echo(f"  {one.step} moves: {_place(one.before)} → {_place(one.after)}")
    for step in found.added:
        click.echo(f"  {step} is new")
    for step in found.removed:
        click.echo(f"  {step} is gone")
    for step, (before, after) in found.actions.items():
        click.echo(f"  {step}: {before} → {after}")
    shown = {
        "money": lambda amount: f"{money(amount)}{currency}",
        "carbon": kilograms,
        "seconds": seconds,
    }
    for name, (before, after) in found.totals.items():
        if before != after:
            less = "less" if after < before else "more"
            show = shown[name]
            click.echo(
                f"  {name}: {show(before)} → {show(after)}, {show(abs(before - after))} {less}"
            )
    if found.assumed:
        click.echo(f"  they stand on different {', '.join(found.assumed)}")


def _place(place: Any) -> str:
    return f"{place.site} {place.machine}{' spot' if place.spot else ''}".strip()
