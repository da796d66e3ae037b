"""`freehold models`"""

from pathlib import Path
from typing import Any

import click

from freehold.app.model.inspection import inspect, write_card
from freehold.app.model.models import models
from freehold.app.site.opening import open_site
from freehold.cli import drawing, evidence, output
from freehold.domain.errors import WrongUsage


@click.command("models", help="Versions, aliases, evidence, who and when.")
@click.argument("name", default="", metavar="MODEL[@VERSION]")
@click.option(
    "--card",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write the version's model card to a new FILE, .md or .html.",
)
@output.as_json
def command(name: str, card: Path | None, as_json: bool) -> None:
    if card is not None and "@" not in name:
        raise WrongUsage(
            "of which version is the card?",
            why="--card writes the card of one version",
            hint=f"name one: `freehold models MODEL@VERSION --card {card}`",
            code="usage.version",
        )
    if "@" in name:
        _one(name, card, as_json)
    else:
        _all(name, as_json)


def _one(name: str, card: Path | None, as_json: bool) -> None:
    with open_site() as site:
        found = inspect(site, name)
        if card is not None:
            write_card(site, found.version, card)
    if as_json:
        output.data(found.as_json())
        return
    told = found.version.name
    evidence.show(", ".join([told, *found.row["aliases"], _policy(found.row)]), found)
    if card is not None:
        click.echo(f"its card is in {card}")
    follow = [f"freehold why {told}"]
    if found.row["allowed"] and found.row["release"] == "none":
        follow.insert(0, f"freehold release {told}")
    if card is None:
        follow.append(f"freehold models {told} --card card.html")
    output.next_command(*follow)


def _all(model: str, as_json: bool) -> None:
    with open_site() as site:
        rows = models(site, model)
    if as_json:
        output.data({"shape": 1, "models": rows})
        return
    if not rows:
        output.note("no model yet")
        output.next_command("freehold run")
        return
    drawing.table(
        "",
        ["version", "alias", "traffic>", "AUC>", "95 %", "policy", "when", "who"],
        [_cells(row) for row in rows],
    )
    waiting = [row for row in rows if row["allowed"] and row["release"] == "none"]
    newest = (waiting or rows)[-1]
    name = f"{newest['model']}@{newest['version']}"
    output.next_command(
        f"freehold release {name}" if waiting else "freehold status",
        f"freehold models {name}",
        f"freehold why {name}",
    )


def _policy(row: dict[str, Any]) -> str:
    answers = {True: "allowed", None: "not asked", False: "denied: " + ", ".join(row["denied_by"])}
    return answers[row["allowed"]]


def _cells(row: dict[str, Any]) -> list[object]:
    figures = row["headline"]
    interval = f"{figures['auc_low']:.3f}–{figures['auc_high']:.3f}" if "auc_low" in figures else ""
    return [
        f"{row['model']}@{row['version']}",
        ", ".join(row["aliases"]),
        f"{row['traffic']} %" if row["traffic"] else "",
        f"{figures['auc']:.3f}" if "auc" in figures else "–",
        interval,
        _policy(row),
        row["at"].replace("+00:00", "Z"),
        row["by"],
    ]
