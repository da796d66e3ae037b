"""The model card as one HTML page that needs nothing else: no script, no font, no picture."""

from html import escape

from freehold.domain.evidence import Evidence, Grouping
from freehold.training.card import (
    LIMITS,
    CardFacts,
    Section,
    Table,
    figure,
    group_name,
    interval,
    sections,
)
from freehold.training.chart import Bar, bars, reliability

_STYLE = """
:root { --ink: #1d2430; --soft: #5c6675; --line: #dfe3ea; --paper: #ffffff; --ground: #f4f5f8;
  --accent: #2f6f8f; --pale: #a9cbd9; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e9ef; --soft: #9aa5b5; --line: #2e3644; --paper: #1a202b; --ground: #12161e;
    --accent: #6fb6d3; --pale: #35566a; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink);
  font: 15px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main { max-width: 860px; margin: 0 auto; padding: 40px 20px 64px; }
h1 { margin: 0; font-size: 30px; letter-spacing: -.02em; }
h1 span { color: var(--soft); font-weight: 400; }
h2 { margin: 0 0 10px; font-size: 18px; }
.purpose { margin: 6px 0 20px; color: var(--soft); font-size: 17px; max-width: 62ch; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(180px, 1fr)); gap: 12px; }
.tile, section { background: var(--paper); border: 1px solid var(--line); border-radius: 10px; }
.tile { padding: 14px 16px; }
.tile b { display: block; font-size: 24px; font-variant-numeric: tabular-nums; }
small, .tile span { color: var(--soft); font-size: 13px; }
section { margin-top: 16px; padding: 20px 22px; overflow-x: auto; }
p { margin: 0 0 10px; max-width: 75ch; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: 6px 14px 6px 0; text-align: left; border-bottom: 1px solid var(--line);
  vertical-align: top; overflow-wrap: anywhere; }
th { color: var(--soft); font-size: 13px; font-weight: 500; white-space: nowrap; }
tr:last-child td { border-bottom: 0; }
svg { display: block; max-width: 100%; height: auto; margin: 6px 0 16px; }
svg text { fill: var(--ink); font-size: 12.5px; dominant-baseline: middle; }
svg .name { text-anchor: end; }
svg .value { fill: var(--soft); }
svg .tick { fill: var(--soft); font-size: 11px; text-anchor: middle; }
svg .tick.end { text-anchor: end; }
svg .bar { fill: var(--pale); }
svg .grid { stroke: var(--line); }
svg .ideal { stroke: var(--soft); stroke-dasharray: 4 4; }
svg .curve { fill: none; stroke: var(--accent); stroke-width: 2; }
svg .dot { fill: var(--accent); }
svg .whisker { stroke: var(--accent); stroke-width: 1.5; }
ul { margin: 0; padding-left: 20px; color: var(--soft); }
"""


def page(facts: CardFacts, evidence: Evidence) -> str:
    """A whole document. Every text of the project's is escaped."""
    name, version = escape(facts.name), facts.version
    body = [
        f"<h1>{name} <span>@ {version}</span></h1>",
        f'<p class="purpose">{escape(facts.purpose)}</p>',
        _tiles(evidence),
        *(_section(one, evidence) for one in sections(facts, evidence)),
        "<section><h2>Limits</h2><ul>",
        *(f"<li>{escape(one)}</li>" for one in LIMITS),
        "</ul></section>",
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{name} @ {version}: model card</title><style>{_STYLE}</style></head>"
        f"<body><main>\n{chr(10).join(body)}\n</main></body></html>\n"
    )


def _tiles(evidence: Evidence) -> str:
    shown = {
        "AUC": evidence.overall.auc,
        "Accuracy": evidence.overall.accuracy,
        "Accuracy gained": evidence.overall.net_accuracy,
        "Calibration error": evidence.overall.calibration_error,
    }
    tiles = [
        f'<div class="tile"><span>{title}</span><b>{_brief(one.value)}</b>'
        f"<small>{interval(one) if one.known else figure(one)}</small></div>"
        for title, one in shown.items()
    ]
    return f'<div class="tiles">{"".join(tiles)}</div>'


def _brief(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _section(section: Section, evidence: Evidence) -> str:
    parts = [f"<section><h2>{escape(section.title)}</h2>"]
    parts += [f"<p>{escape(one)}</p>" for one in section.sentences]
    parts.append(_drawing(section.chart, evidence))
    if section.table and section.table.rows:
        parts.append(_table(section.table))
    return "".join([*parts, "</section>"])


def _drawing(chart: str, evidence: Evidence) -> str:
    kind, _, column = chart.partition(":")
    if kind == "reliability" and evidence.calibration.bins:
        return reliability(evidence.calibration.bins)
    if kind == "features":
        rows = [Bar(one.name, one.mean, f"{one.share:.1%}") for one in evidence.features]
        return bars(rows, "Mean absolute SHAP value by feature")
    if kind == "group" and evidence.groups[column].measured:
        return _areas(column, evidence.groups[column])
    return ""


def _areas(column: str, grouping: Grouping) -> str:
    rows = [
        Bar(group_name(one.group), area.value, f"{area.value:.3f}", area.low, area.high)
        for one in grouping.measured
        if (area := one.measures.auc).value is not None
    ]
    drawn = bars(rows, f"AUC above one half by {column}, with intervals", start=0.5)
    return f"{drawn}<p><small>Bars begin at an AUC of 0.5; lines are intervals.</small></p>"


def _table(table: Table) -> str:
    header = "".join(f"<th>{escape(cell)}</th>" for cell in table.header)
    rows = "".join(
        f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in table.rows
    )
    return f"<table><thead><tr>{header}</tr></thead><tbody>{rows}</tbody></table>"
