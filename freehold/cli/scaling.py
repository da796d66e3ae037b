"""`freehold scaling`"""

from pathlib import Path
from typing import Any

import click

from freehold.app.scaling.advice import advice, chart, targets_of
from freehold.app.scaling.manifest import manifest as make_manifest
from freehold.app.site.opening import open_site
from freehold.cli import output
from freehold.cli.amounts import money

WIDTH = 56


@click.command("scaling", help="How many replicas the endpoint should have, and when.")
@click.option("--minimum", default=1, type=click.IntRange(1), help="The least replicas.")
@click.option("--maximum", default=10, type=click.IntRange(1), help="The most replicas.")
@click.option("--queue", default=2.0, help="Requests that may wait at each replica.")
@click.option("--forecast", "ahead", is_flag=True, help="Also what the hours ahead need.")
@click.option(
    "--manifest", "name", default="", metavar="NAME", help="What an autoscaler reads: an adapter."
)
@click.option(
    "--metrics",
    default="",
    metavar="URL",
    help="The Prometheus server that has accelerators' use, and a manifest's metrics.",
)
@click.option("--out", type=click.Path(path_type=Path), help="Write the manifest to this file.")
@output.as_json
def command(
    minimum: int,
    maximum: int,
    queue: float,
    ahead: bool,
    name: str,
    metrics: str,
    out: Path | None,
    as_json: bool,
) -> None:
    targets = targets_of(minimum, maximum, queue)
    with open_site() as site:
        if name:
            found = make_manifest(site, name, targets, metrics, ahead)
        else:
            found = advice(site, targets, ahead, metrics)
    if name and out is not None:
        out.write_text(found["text"], encoding="utf-8")
    if as_json:
        output.data(found)
    elif name:
        _manifest(found, out)
    else:
        _advice(found)


def _manifest(found: dict[str, Any], out: Path | None) -> None:
    if out is None:
        click.echo(found["text"], nl=False)
    else:
        output.note(f"manifest written to {out}")
    for line in found["left_out"]:
        output.note(f"not in it: {line}")
    output.next_command("freehold scaling --json")


def _advice(found: dict[str, Any]) -> None:
    decision, measured = found["decision"], found["measured"]
    now, wanted = decision["now"], decision["replicas"]
    if decision["change"] == "hold":
        click.echo(f"{found['model']}: stay at {_replicas(now)}: {decision['reason']}")
    else:
        click.echo(f"{found['model']}: {now} → {_replicas(wanted)}: {decision['reason']}")
    click.echo(
        f"use {measured['use']:.1%} of a replica{_of(measured)} at"
        f" {measured['requests_per_second']:.3g} requests a second,"
        f" {1000 * measured['seconds_per_request']:.2f} ms each;"
        f" {measured['queue']:.2f} wait at each replica"
    )
    if found["cost"]:
        cost = found["cost"]
        click.echo(
            f"{money(cost['wanted_per_hour'])} {cost['currency']} an hour"
            f" ({_replicas(wanted)} on {cost['machine']}),"
            f" now {money(cost['now_per_hour'])}"
        )
    for line in chart(found, WIDTH):
        click.echo(line)
    if found["forecast"]:
        _forecast(found)
    output.note(f"use: {measured['use_by']}; queue: {measured['queue_by']}")
    if not found["live"]:
        output.note(f"no replica is there now: this is how it stood until {found['until']}")
    if not found["cost"]:
        output.note("what a replica costs is not known: say the machines' prices under `sites`")
    output.next_command(
        "freehold scaling --forecast",
        "freehold scaling --manifest NAME --out FILE",
    )


def _of(measured: dict[str, Any]) -> str:
    return "'s accelerators" if measured["use_of"] == "accelerators" else ""


def _forecast(found: dict[str, Any]) -> None:
    ahead = found["forecast"]
    click.echo(f"forecast by {ahead['method']} ({ahead['history_hours']} hours of traffic)")
    if not ahead["hours"]:
        return
    most = max(ahead["hours"], key=lambda one: one["replicas"])
    click.echo(
        f"at most {_replicas(most['replicas'])}, first at {most['hour']}:"
        f" {most['expected']:,.0f} requests expected in the hour,"
        f" {most['low']:,.0f} to {most['high']:,.0f} at {ahead['level']:.0%}"
    )
    if ahead["money"] is not None:
        click.echo(
            f"{len(ahead['hours'])} hours come to {money(ahead['money'])}"
            f" {found['cost']['currency']}; always at the most,"
            f" {money(ahead['money_at_most'])}"
        )


def _replicas(count: int) -> str:
    return f"{count} replica{'' if count == 1 else 's'}"
