"""`freehold hold`"""

from datetime import UTC, datetime
from typing import Any

import click

from freehold.app.site.opening import Site, open_site
from freehold.app.storage import hold
from freehold.app.storage.hold import LegalHold
from freehold.cli import drawing, output


@click.group("hold")
def command() -> None:
    """Keep a version, a run or an object whatever the retention says."""


@command.command("add")
@click.argument("what", metavar="NAME@VERSION|RUN|DIGEST")
@click.option("--reason", default="", help="Kept beside the history, so that it can be erased.")
@output.yes
@output.as_json
def add(what: str, reason: str, yes: bool, as_json: bool) -> None:
    """Keep a version with all that it was made from, a run's outputs, or one object."""
    with open_site() as site:
        kind, name = hold.name_of(site, what)
        if not as_json:
            click.echo(f"{kind} {name} is to stay until the hold is released")
        output.confirm("Hold it?", yes)
        placed = hold.place_hold(site, kind, name, reason)
        row = _row(site, placed)
    if as_json:
        output.data({"shape": 1, **row})
        return
    click.echo(f"{placed.hold} holds {kind} {name}")
    output.next_command("freehold hold list", f"freehold hold release {placed.hold}")


@command.command("list")
@output.as_json
def list_command(as_json: bool) -> None:
    """The holds that stand."""
    with open_site() as site:
        rows = [_row(site, one) for one in hold.holds(site)]
    if as_json:
        output.data({"shape": 1, "holds": rows})
        return
    if not rows:
        click.echo("nothing is on hold")
        output.next_command("freehold hold add NAME@VERSION", "freehold gc --dry-run")
        return
    cells = [
        [row["hold"], row["kind"], row["name"], row["at"], row["by"], _why(row)] for row in rows
    ]
    drawing.table("", ["hold", "kind", "name", "when", "who", "why"], cells)
    output.next_command(f"freehold hold release {rows[-1]['hold']}", "freehold gc --dry-run")


@command.command("release")
@click.argument("name", metavar="ID|NAME")
@output.yes
@output.as_json
def release(name: str, yes: bool, as_json: bool) -> None:
    """What was held is judged by the retention again."""
    with open_site() as site:
        found = hold.standing_hold(site, name)
        row = _row(site, found)
        if not as_json:
            click.echo(f"{found.kind} {found.name} may go again when nothing else keeps it")
        output.confirm("Release the hold?", yes)
        hold.release_hold(site, found.hold)
    if as_json:
        output.data({"shape": 1, **row})
        return
    click.echo(f"{found.hold} is released")
    output.next_command("freehold hold list", "freehold gc --dry-run")


def _row(site: Site, one: LegalHold) -> dict[str, Any]:
    return {
        "hold": one.hold,
        "kind": one.kind,
        "name": one.name,
        "reason": hold.reason_of(site, one),
        "at": datetime.fromtimestamp(one.wall / 1e6, UTC).isoformat(timespec="seconds"),
        "by": site.people.name_of(one.actor),
        "fact": one.fact,
    }


def _why(row: dict[str, Any]) -> str:
    return "not here any more" if row["reason"] is None else str(row["reason"])
