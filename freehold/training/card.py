"""The model card: what the model is for, how good it is, for whom, and what is not known.

Mitchell et al., "Model Cards for Model Reporting", 2019. The sections are made once here and
written as Markdown here and as a page in `page`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from freehold.domain.evidence import Evidence, Grouping
from freehold.domain.statistics.estimate import REASONS, Estimate
from freehold.domain.statistics.figures import Comparison, Measures

MEASURES = {
    "auc": "AUC",
    "log_loss": "Log loss",
    "accuracy": "Accuracy",
    "baseline_accuracy": "Accuracy of the more frequent class",
    "net_accuracy": "Accuracy gained over it",
    "calibration_error": "Calibration error",
}

LIMITS = (
    "Every interval is for the chance in which rows were drawn, with rows taken as independent. "
    "It says nothing of a world that changes after the evaluation.",
    "The strongest features are those that move the score most, not causes of the outcome.",
    "A gap between groups may come from the groups' data as well as from the model.",
)


@dataclass(frozen=True, kw_only=True)
class CardFacts:
    name: str
    version: int
    purpose: str
    """What the score means and what it may be used for."""
    data: str
    """The period or dataset that the model was trained on, as people call it."""
    training_rows: int
    parameters: Mapping[str, Any]
    digest: str
    """Of the package's payload."""
    author: str
    """A pseudonym."""
    created: str
    """ISO date or time."""


@dataclass(frozen=True)
class Table:
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Section:
    title: str
    sentences: tuple[str, ...] = ()
    table: Table | None = None
    chart: str = ""
    """What `page` draws beside it: `reliability`, `features`, `group:COLUMN`."""


def markdown(facts: CardFacts, evidence: Evidence) -> str:
    """The card as GitHub-flavoured Markdown."""
    lines = [f"# {_escaped(facts.name)} @ {facts.version}", "", _escaped(facts.purpose), ""]
    for section in sections(facts, evidence):
        lines += [f"## {_escaped(section.title)}", ""]
        for sentence in section.sentences:
            lines += [_escaped(sentence), ""]
        if section.table:
            lines += [*_table(section.table), ""]
    lines += ["## Limits", "", *(f"- {one}" for one in LIMITS), ""]
    return "\n".join(lines)


def sections(facts: CardFacts, evidence: Evidence) -> list[Section]:
    """Plain text, to be escaped by whoever writes it."""
    found = [_model(facts, evidence), _quality(evidence)]
    if evidence.champion is not None:
        found.append(_champion(evidence.champion))
    found.append(_calibration(evidence))
    found += [_groups(name, one) for name, one in sorted(evidence.groups.items())]
    if evidence.features:
        found.append(_features(evidence))
    if facts.parameters:
        rows = tuple((name, str(value)) for name, value in sorted(facts.parameters.items()))
        found.append(Section("Training parameters", table=Table(("Parameter", "Value"), rows)))
    return found


def figure(estimate: Estimate) -> str:
    """The value, or why there is none."""
    if estimate.value is None:
        return f"not known: {REASONS.get(estimate.reason, estimate.reason)}"
    return f"{estimate.value:.4f}"


def interval(estimate: Estimate) -> str:
    if estimate.low is None or estimate.high is None:
        return "–"
    return f"{estimate.low:.4f} to {estimate.high:.4f}"


def group_name(group: str | None) -> str:
    return "(none)" if group is None else group


def _model(facts: CardFacts, evidence: Evidence) -> Section:
    overall = evidence.overall
    rows = (
        ("Trained on", f"{facts.data}, {facts.training_rows:,} rows"),
        ("Evaluated on", f"{overall.rows:,} rows not seen in training"),
        ("Positives there", f"{overall.positives:,}"),
        ("Counts as positive", f"a score of {evidence.threshold:g} or more"),
        ("Made by", facts.author),
        ("Made on", facts.created),
        ("Digest", facts.digest),
    )
    return Section("Model", table=Table(("What", "Value"), rows))


def _quality(evidence: Evidence) -> Section:
    overall = evidence.overall
    sentences: tuple[str, ...] = ()
    net = overall.net_accuracy
    if net.value is not None and net.low is not None and net.high is not None:
        verdict = "more" if net.low > 0 else "less" if net.high < 0 else "no surer"
        told = {
            "more": "The model is right more often than the more frequent class alone.",
            "less": "The model is right less often than the more frequent class alone.",
            "no surer": "The model is not shown to be right more often than the more frequent "
            "class alone.",
        }
        sentences = (told[verdict],)
    return Section("Quality", sentences, _measures(overall))


def _measures(measures: Measures) -> Table:
    rows = tuple(
        (title, figure(getattr(measures, name)), interval(getattr(measures, name)))
        for name, title in MEASURES.items()
    )
    level = f"{measures.auc.level:.0%} interval"
    return Table(("Measure", "Value", level), rows)


def _champion(compared: Comparison) -> Section:
    rows = (
        ("Champion's AUC", figure(compared.reference), interval(compared.reference)),
        ("Gained over it", figure(compared.difference), interval(compared.difference)),
    )
    sentences: tuple[str, ...] = ()
    if compared.p is not None:
        chance = "less than 0.0001" if compared.p < 0.0001 else f"{compared.p:.4f}"
        sentences = (f"DeLong's paired test on the same rows: p {chance}.",)
    header = ("Figure", "Value", f"{compared.difference.level:.0%} interval")
    return Section("Against the champion", sentences, Table(header, rows))


def _calibration(evidence: Evidence) -> Section:
    found = evidence.calibration
    sentences = [
        f"Slope {figure(found.slope)} ({interval(found.slope)}; 1 is perfect), "
        f"intercept {figure(found.intercept)} ({interval(found.intercept)}; 0 is perfect)."
    ]
    if found.chance is not None:
        sentences.append(
            f"Calibration error {figure(found.error)}; a perfectly calibrated model would show "
            f"{found.chance:.4f} on as many rows."
        )
    rows = tuple(
        (
            f"{one.low:.4f} to {one.high:.4f}",
            f"{one.observed.count:,}",
            f"{one.predicted:.4f}",
            figure(one.observed),
            interval(one.observed),
        )
        for one in found.bins
    )
    header = ("Scores", "Rows", "Mean score", "Share of positives", "Interval")
    return Section("Calibration", tuple(sentences), Table(header, rows), "reliability")


def _groups(name: str, grouping: Grouping) -> Section:
    sentences = []
    gap = grouping.gap
    if gap is not None:
        sentences.append(
            f"Largest gap in AUC: {figure(gap.difference)} ({interval(gap.difference)}), between "
            f"{group_name(gap.best)} and {group_name(gap.worst)}."
        )
    if grouping.too_small:
        listed = ", ".join(f"{group_name(one.group)} ({one.rows:,})" for one in grouping.too_small)
        sentences.append(f"Too few rows to judge: {listed}.")
    rows = tuple(
        (
            group_name(one.group),
            f"{one.measures.rows:,}",
            figure(one.measures.auc),
            interval(one.measures.auc),
            figure(one.measures.net_accuracy),
            figure(one.measures.calibration_error),
        )
        for one in grouping.measured
    )
    header = ("Group", "Rows", "AUC", "Interval", "Accuracy gained", "Calibration error")
    return Section(f"By {name}", tuple(sentences), Table(header, rows), f"group:{name}")


def _features(evidence: Evidence) -> Section:
    rows = tuple((one.name, f"{one.mean:.4f}", f"{one.share:.1%}") for one in evidence.features)
    header = ("Feature", "Mean |SHAP|", "Share")
    return Section("Strongest features", (), Table(header, rows), "features")


def _table(table: Table) -> list[str]:
    return [
        _row(table.header),
        _row(["---"] * len(table.header)),
        *(_row([_escaped(cell) for cell in row]) for row in table.rows),
    ]


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _escaped(text: str) -> str:
    """Text that Markdown shows as it is, on one line."""
    flat = " ".join(text.split())
    for mark in "\\`*_[]<>#|":
        flat = flat.replace(mark, f"\\{mark}")
    return flat
