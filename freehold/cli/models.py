"""`freehold models`"""

from typing import Any

import click

from freehold.app.model.models import models
from freehold.app.site.opening import open_site
from freehold.cli import drawing, output


@click.command("models", help="Versions, aliases, evidence, who and when.")
@click.argument("model", default="")
@output.as_json
def command(model: str, as_json: bool) -> None:
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
        f"freehold release {name}" if waiting else "freehold status", f"freehold why {name}"
    )


def _cells(row: dict[str, Any]) -> list[object]:
    figures = row["headline"]
    policy = {True: "allowed", None: "not asked", False: "denied: " + ", ".join(row["denied_by"])}
    interval = f"{figures['auc_low']:.3f}–{figures['auc_high']:.3f}" if "auc_low" in figures else ""
    return [
        f"{row['model']}@{row['version']}",
        ", ".join(row["aliases"]),
        f"{row['traffic']} %" if row["traffic"] else "",
        f"{figures['auc']:.3f}" if "auc" in figures else "–",
        interval,
        policy[row["allowed"]],
        row["at"].replace("+00:00", "Z"),
        row["by"],
    ]
