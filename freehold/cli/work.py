"""`freehold work`"""

from typing import Any

import click

from freehold.app.site.exchange import exchange
from freehold.app.site.opening import Site, open_site
from freehold.app.work.request import PlannedRequest, request
from freehold.app.work.work import cancel_work, find_work, work
from freehold.cli import drawing, output


@click.group(
    "work",
    invoke_without_command=True,
    help="What sites have asked of each other, and what became of it.",
)
@click.option("--site", default="", help="Another site than the one this checkout is.")
@click.option("--open", "only_open", is_flag=True, help="Only what waits or is being done.")
@output.as_json
@click.pass_context
def command(context: click.Context, site: str, only_open: bool, as_json: bool) -> None:
    if context.invoked_subcommand is not None:
        return
    with open_site(site=site) as opened:
        found = work(opened, not only_open)
    if as_json:
        output.data({"shape": 1, "work": found})
        return
    if not found:
        click.echo("no work was asked of any site" if not only_open else "no work is open")
        output.next_command("freehold run --at SITE")
        return
    drawing.table(
        "",
        ["work", "at", "pipeline", "standing", "asked by", "when", "result"],
        [[*(row[name] for name in _COLUMNS), _result(row)] for row in found],
    )
    waits = [row for row in found if row["standing"] in ("waiting", "leased")]
    if waits:
        output.next_command(f"freehold agent --site {waits[0]['site']}", "freehold sync")
    else:
        output.next_command("freehold runs", "freehold models")


_COLUMNS = ("work", "site", "pipeline", "standing", "asked_by", "at")


@command.command("cancel", help="What is under way goes on, and is not accepted.")
@click.argument("name", metavar="WORK")
@output.yes
@output.as_json
def cancel_command(name: str, yes: bool, as_json: bool) -> None:
    with open_site() as site:
        row = find_work(site, name)
        if not as_json:
            click.echo(f"work {name}, {row['pipeline']} at {row['site']}, is {row['standing']}")
        output.confirm("Cancel it?", yes)
        row = cancel_work(site, name)
    if as_json:
        output.data({"shape": 1, "work": row})
        return
    click.echo(f"work {name} is cancelled")
    output.next_command("freehold sync   (the other sites learn of it)")


def ask(site: Site, planned: PlannedRequest, yes: bool, as_json: bool) -> None:
    """`freehold run --at`: shows what will be asked of whom, asks it, and meets the others once."""
    if not as_json:
        given = ", ".join(f"{k}={v}" for k, v in planned.as_json()["parameters"].items())
        click.echo(f"{planned.site} is asked to run {planned.pipeline}, {given or 'no parameters'}")
    output.confirm("Ask it?", yes)
    asked = request(site, planned)
    met = exchange(site)
    if as_json:
        row = find_work(site, asked.name)
        output.data({"shape": 1, "work": row, "unreachable": met.unreachable})
        return
    click.echo(f"work {asked.name} is asked of {planned.site}")
    if met.unreachable:
        stores = ", ".join(sorted(met.unreachable))
        output.note(f"not reached: the stores of {stores}; there it goes with the next exchange")
    output.next_command("freehold work", f"freehold agent --site {planned.site}")


def _result(row: dict[str, Any]) -> str:
    if row["lease"] is not None:
        return f"{row['lease']['writer']}, fence {row['lease']['fence']}"
    made = f"version {row['version']}" if row["version"] is not None else row["run"]
    return str(row["code"] or made)
