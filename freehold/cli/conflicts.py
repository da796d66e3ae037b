"""`freehold conflicts`"""

from datetime import UTC, datetime

import click

from freehold.app.conflict.conflicts import (
    ShownConflict,
    conflicts,
    find_conflict,
    settle_conflict,
)
from freehold.app.site.opening import open_site
from freehold.cli import drawing, output


@click.group(
    "conflicts",
    invoke_without_command=True,
    help="What sites that did not know of each other decided about the same thing.",
)
@click.option("--all", "every", is_flag=True, help="Also those that are settled.")
@output.as_json
@click.pass_context
def command(context: click.Context, every: bool, as_json: bool) -> None:
    if context.invoked_subcommand is not None:
        return
    with open_site() as site:
        found = conflicts(site, every)
    if as_json:
        output.data({"shape": 1, "conflicts": [one.as_json() for one in found]})
        return
    if not found:
        click.echo("no conflict is open")
        output.next_command("freehold sync", "freehold sites")
        return
    drawing.table(
        "",
        ["conflict", "about", "holds", "site", "said", "when", "standing"],
        [row for one in found for row in _rows(one)],
    )
    waiting = [one.quarrel.name for one in found if one.quarrel.open]
    if waiting:
        output.next_command(f"freehold conflicts settle {waiting[0]}")


@command.command("settle", help="End CONFLICT: with what holds, or with another champion.")
@click.argument("conflict")
@click.option("--keep", type=int, metavar="VERSION", help="Make this version the champion.")
@output.yes
@output.as_json
def settle_command(conflict: str, keep: int | None, yes: bool, as_json: bool) -> None:
    with open_site() as site:
        one = find_conflict(site, conflict)
        if not as_json:
            what = f"@{keep}, released at every site" if keep is not None else one.holds
            click.echo(f"{one.quarrel.about}: {_sides(one)}; it will be {what}")
        output.confirm("Settle it?", yes)
        done = settle_conflict(site, conflict, keep)
    if as_json:
        output.data({"shape": 1, **done.as_json()})
        return
    click.echo(f"conflict {conflict} is settled: {done.quarrel.about} is {done.holds}")
    output.next_command("freehold sync   (the other sites learn of it)", "freehold status")


def _rows(one: ShownConflict) -> list[list[object]]:
    shown = one.as_json()
    rows: list[list[object]] = []
    for number, side in enumerate(shown["sides"]):
        first = number == 0
        when = datetime.fromtimestamp(side["wall"] / 1e6, UTC).isoformat(timespec="seconds")
        rows.append(
            [
                one.quarrel.name if first else "",
                one.quarrel.about if first else "",
                one.holds[:19] if first else "",
                side["site"],
                side["value"][:19],
                when,
                shown["standing"] if first else "",
            ]
        )
    return rows


def _sides(one: ShownConflict) -> str:
    return ", ".join(f"{side['site']} says {side['value'][:19]}" for side in one.as_json()["sides"])
