"""`freehold signals`"""

from typing import Any

import click

from freehold.app.loop.signals import signals
from freehold.app.site.opening import open_site
from freehold.app.traffic.sketches import asked
from freehold.cli import drawing, output
from freehold.domain.signal import OF_MONEY, figure_of, measured
from freehold.domain.statistics.estimate import REASONS

SHOWN = 14
"""Newest assessments that people see; `--json` has all."""
USUAL = 3
"""Values of a category that people see."""
FEWEST_BARS = 3
BARS = " ▁▂▃▄▅▆▇█"


@click.command("signals", help="Drift and quality of what serves.")
@click.argument("model", default="")
@click.option(
    "--asked",
    "days",
    type=click.IntRange(min=1),
    metavar="DAYS",
    help="What was asked and answered in the last days instead, by version and column.",
)
@output.as_json
def command(model: str, days: int | None, as_json: bool) -> None:
    with open_site() as site:
        if days is not None:
            _asked(asked(site, model, days), as_json)
            return
        found = signals(site, model)
    if as_json:
        output.data(found)
        return
    rows = found["assessments"]
    if not rows:
        for signal in found["signals"]:
            click.echo(_signal(signal))
        output.note("nothing has been measured yet: a day of traffic must be over")
        output.next_command("freehold replay", "freehold status")
        return
    if len(rows) >= FEWEST_BARS:
        click.echo(f"score PSI, {rows[0]['window_end']} to {rows[-1]['window_end']}")
        click.echo("  " + _line([row["score_psi"] for row in rows]))
    drawing.table(
        "",
        ["week to", "version", "rows>", "score PSI>", "AUC>", "net accuracy>", "most drifted"],
        [_cells(row) for row in rows[-SHOWN:]],
    )
    for name, reason in rows[-1].get("not_watched", {}).items():
        if reason == "personal":
            click.echo(f"{name} of {rows[-1]['model']} is not watched: {REASONS[reason]}")
    for signal in found["signals"]:
        click.echo(_signal(signal))
    for proposal in found["proposals"]:
        made = f", made version {proposal['made_version']}" if proposal["made_version"] else ""
        click.echo(f"proposal {proposal['proposal']}: {proposal['standing']}{made}")
    waiting = [one for one in found["proposals"] if one["standing"] == "made"]
    if waiting:
        output.next_command(f"freehold approve {waiting[0]['proposal']}")
    else:
        output.next_command(f"freehold why {rows[-1]['model']}@champion")


def _asked(found: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        output.data({"shape": 1, "versions": found})
        return
    for one in found:
        columns = {"score": one["score"], **one["inputs"]}
        drawing.table(
            f"{one['model']}@{one['version']}, {one['rows']:,} rows",
            ["column", "missing>", "mean>", "1 %>", "median>", "99 %>", "most frequent"],
            [_column(name, column) for name, column in columns.items()],
        )
    if not found:
        output.note("nothing is recorded that was asked since then")
    output.next_command("freehold signals")


def _column(name: str, one: dict[str, Any]) -> list[object]:
    quantiles = one.get("quantiles", {})
    figures = [one.get("mean"), *(quantiles.get(share) for share in ("0.01", "0.5", "0.99"))]
    usual = ", ".join(
        f"{value} {count:,}" for value, count in list(one.get("values", {}).items())[:3]
    )
    return [
        name,
        f"{one['missing'] / one['rows']:.1%}" if one["rows"] else "–",
        *("–" if figure is None else f"{figure:.4g}" for figure in figures),
        "personal" if one["kind"] == "personal" else usual,
    ]


def _cells(row: dict[str, Any]) -> list[object]:
    features = {name: psi for name, psi in row["features"].items() if psi is not None}
    drifted = max(features, key=lambda name: features[name], default="")
    return [
        row["window_end"],
        row["version"],
        f"{row['rows']:,}",
        _figure(row["score_psi"], 2),
        _figure(row["auc"], 3),
        _figure(row["net_accuracy"], 3),
        f"{drifted} {features[drifted]:.2f}" if drifted else "",
    ]


def _figure(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _signal(signal: dict[str, Any]) -> str:
    if signal["kind"] in OF_MONEY:
        about = signal["model"] or "the project"
        return (
            f"{signal['severity']}: {signal['kind']} of {signal['feature']} for {about}"
            f" {signal['value']:.2f} (line {signal['limit']:.2f}), by {signal['window_end']}"
        )
    about = measured(signal["kind"], signal["feature"])
    value, limit = (figure_of(signal["kind"], signal[name]) for name in ("value", "limit"))
    return (
        f"{signal['severity']}: {signal['kind']} of {about} {value} (limit {limit}),"
        f" {signal['window_start']} to {signal['window_end']}"
    )


def _line(values: list[float | None]) -> str:
    top = max((value for value in values if value), default=0.0) or 1.0
    return "".join(
        "·" if value is None else BARS[min(8, max(1, round(8 * value / top)))] for value in values
    )
