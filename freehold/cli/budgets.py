"""`freehold budgets`"""

from typing import Any

import click

from freehold.app.costs.budgets import budgets
from freehold.app.costs.meter import meter
from freehold.app.site.opening import open_site
from freehold.cli import drawing, output


@click.command("budgets", help="What may still be spent this month.")
@output.as_json
def command(as_json: bool) -> None:
    with open_site() as site:
        meter(site)
        found = budgets(site)
    if as_json:
        output.data(found)
        return
    if not found["budgets"]:
        output.note("the project has no budgets: name them under `budgets` in freehold.yaml")
        output.next_command("freehold costs")
        return
    drawing.table(
        found["budgets"][0]["month"],
        ["budget", "of", "limit>", "spent>", "committed>", "month's end>", "state"],
        [_cells(one) for one in found["budgets"]],
    )
    for one in found["budgets"]:
        for note in _notes(one):
            click.echo(f"{one['budget']}: {note}")
    waiting = [one for one in found["requests"] if one["standing"] == "asked"]
    for one in waiting:
        click.echo(f"waits: {one['request']}")
    if waiting:
        output.next_command(f"freehold approve {waiting[0]['request']}")
    else:
        output.next_command("freehold costs")


def _cells(one: dict[str, Any]) -> list[object]:
    filters = ", ".join(f"{name} {value}" for name, value in one["filters"].items())
    told = one["forecast"]
    ends = "–"
    if told["expected"] is not None:
        ends = f"{told['expected']:,.2f} ({told['low']:,.2f} to {told['high']:,.2f})"
    return [
        one["budget"],
        filters or "the project",
        f"{one['limit']:,.2f} {one['currency']}",
        f"{one['spent']:,.2f}",
        f"{one['committed']:,.2f}",
        ends,
        one["state"] + (", will pass" if one["will_pass"] and one["state"] != "passed" else ""),
    ]


def _notes(one: dict[str, Any]) -> list[str]:
    told, notes = one["forecast"], []
    if told["expected"] is None:
        notes.append(f"no forecast: {told['days']} whole days are too few")
    else:
        notes.append(
            f"forecast by {told['method']} of {told['days']} days, {told['level']:.0%} interval"
        )
    if one["unpriced_rows"]:
        notes.append(f"{one['unpriced_rows']:,} rows have no known price and count as nothing")
    if one["other_currency_rows"]:
        notes.append(f"{one['other_currency_rows']:,} rows in another currency are not counted")
    if one["absent_bills"]:
        notes.append(
            f"{one['absent_bills']:,} bills lie at other sites and are not counted:"
            " `keeps: [spending]` copies them here"
        )
    return notes
