"""`freehold costs`"""

from pathlib import Path
from typing import Any

import click

from freehold.app.costs.costs import asked, chart, costs, drawing
from freehold.app.costs.meter import meter
from freehold.app.site.opening import open_site
from freehold.cli import drawing as tables
from freehold.cli import output
from freehold.cli.amounts import kilograms, money

WIDTH = 72
SHOWN = 10


@click.command("costs", help="What was spent, by site, model, team, day or tag.")
@click.option(
    "--by",
    "keys",
    multiple=True,
    metavar="KEY",
    help="site, model, team, day, month, kind, source, provider, run, version, tag:KEY and others;"
    " may be repeated.",
)
@click.option("--since", default="", metavar="DAY", help="The first day, such as 2026-11-01.")
@click.option("--until", default="", metavar="DAY", help="The first day that does not count.")
@click.option(
    "--in",
    "into",
    default="",
    metavar="CURRENCY",
    help="All sums in one currency, by the rates of the file that `prices:` names.",
)
@click.option(
    "--svg", "picture", type=click.Path(path_type=Path), help="Write a chart by day to this file."
)
@output.as_json
def command(
    keys: tuple[str, ...],
    since: str,
    until: str,
    into: str,
    picture: Path | None,
    as_json: bool,
) -> None:
    wanted = asked(keys, since, until, into)
    with open_site() as site:
        meter(site)
        found = costs(site, wanted)
    if picture is not None:
        picture.write_text(drawing(found), encoding="utf-8")
    if as_json:
        output.data(found)
        return
    if not found["totals"]:
        output.note("nothing was spent in these days, so far as is metered here")
        output.next_command("freehold run", "freehold bills")
        return
    _totals(found)
    for line in chart(found, WIDTH):
        click.echo(line)
    _accelerators(found)
    _estimates(found)
    _runs(found)
    _answers(found)
    _idle(found)
    _notes(found)
    if picture is not None:
        output.note(f"chart written to {picture}")
    output.next_command("freehold budgets", "freehold costs --by day --by site")


def _totals(found: dict[str, Any]) -> None:
    names = found["by"]
    rows = [
        [
            *(row[name] or "–" for name in names),
            money(row["effective"]),
            row["currency"],
            "–" if row["carbon"] is None else kilograms(row["carbon"]),
            f"{row['rows']:,}",
        ]
        for row in found["totals"]
    ]
    tables.table("", [*names, "cost>", "", "carbon>", "rows>"], rows)
    if len(found["sources"]) > 1:
        told = [f"{one['source']} {_money(one)}" for one in found["sources"]]
        click.echo("of it " + ", ".join(told))


def _estimates(found: dict[str, Any]) -> None:
    """Each with what the same runs came to, which is less than all that was spent."""
    names = found["by"]
    rows = [
        [
            *(row[name] or "–" for name in names),
            "–" if row["estimate"] is None else money(row["estimate"]),
            money(row["money"]) if not row["unpriced"] else "unknown",
            row["currency"],
        ]
        for row in found["estimates"]
    ]
    if rows:
        tables.table("", [*names, "planned>", "spent by these runs>", ""], rows)


def _runs(found: dict[str, Any]) -> None:
    rows = [
        [
            one["run"],
            one["pipeline"],
            one["version"] or "",
            "–" if one["estimate"] is None else money(one["estimate"]),
            money(one["money"]) if not one["unpriced"] else "unknown",
            "–" if one["carbon"] is None else kilograms(one["carbon"]),
        ]
        for one in found["runs"][:SHOWN]
    ]
    if rows:
        currency = found["runs"][0]["currency"]
        columns = ["run", "pipeline", "made", f"planned {currency}>", "spent>", "carbon>"]
        tables.table("", columns, rows)
    for one in found["experiments"]:
        click.echo(
            f"experiment {one['pipeline']}: {one['runs']} runs,"
            f" {money(one['money'])} {one['currency']}, {money(one['per_run'])} a run"
            + _planned(one)
        )


def _planned(one: dict[str, Any]) -> str:
    if not one["planned_runs"]:
        return ""
    told = f"{money(one['estimate'])} planned"
    if one["planned_runs"] < one["runs"]:
        return f"; of {one['planned_runs']}: {told}, {money(one['money_of_planned'])} spent"
    return f", {told}"


def _answers(found: dict[str, Any]) -> None:
    for one in found["predictions"]:
        per = "unknown" if one["per_thousand"] is None else money(one["per_thousand"])
        click.echo(
            f"{one['model']}@{one['version']}: {one['predictions']:,} predictions,"
            f" {per} {one['currency']} per thousand"
        )
    for one in found["champions"]:
        per = "unknown" if one["per_day"] is None else money(one["per_day"])
        click.echo(f"champion {one['model']}@{one['version']}: {per} {one['currency']} a day")


def _accelerators(found: dict[str, Any]) -> None:
    for one in found["accelerators"]:
        told = f"accelerators of {one['machine']} at {one['site']}: {one['hours']:,.2f} hours"
        if one["use"] is not None:
            told += f", {one['use']:.0%} used"
        unknown = one["hours"] - one["known_hours"]
        if unknown > 0:
            told += f"; use unknown of {unknown:,.2f} hours"
        click.echo(told)


def _idle(found: dict[str, Any]) -> None:
    for one in found["idle"]:
        click.echo(
            f"idle: {one['model']}@{one['version']} at {one['site']}, {one['hours']:,.1f} hours,"
            f" {money(one['effective'])} {one['currency']}"
        )
    for one in found["unused"]:
        if one["hours"] > 0 and one["effective"] is not None:
            share = min(one["hours_used"] / one["hours_there"], 1.0)
            click.echo(
                f"idle: {one['count']} × {one['machine']} at {one['site']}, {one['hours']:,.1f} of"
                f" {one['hours_there']:,.1f} hours, {money(one['effective'])} {one['currency']}:"
                f" {share:.0%} used, its price counts on {one['utilisation']:.0%}"
            )


def _notes(found: dict[str, Any]) -> None:
    for one in found["rates"]:
        since = f" from {one['since']}" if one["since"] else ""
        output.note(f"one {one['currency']} is {one['value']:g} {one['into']}{since}")
    if found["unpriced"]:
        output.note(
            f"{found['unpriced']:,} rows have no known price and count as nothing: say the"
            " machines' prices under `sites` in freehold.yaml"
        )
    if found["absent"]:
        output.note(
            f"{found['absent']:,} parts of other sites are not here: their rows are absent."
            " `keeps: [aliases, spending]` at this site in freehold.yaml has them copied here"
        )


def _money(one: dict[str, Any]) -> str:
    return f"{money(one['effective'])} {one['currency']}"
