"""settings.md, from the dataclasses of freehold/domain/{project,endpoint_spec}.py."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from docs.reference.sources import PRODUCT, read, table

HEAD = """\
# Settings

Everything that `freehold.yaml` may say. An unknown key is an error; `freehold check` tells every
fault of the file at once, with its line. Paths are relative to the project's folder.
"""

FILES = ("project.py", "endpoint_spec.py")
WHERE = {
    "Project": "The file",
    "ContractSpec": "contracts[]",
    "ModelSpec": "models.NAME",
    "EndpointSpec": "endpoint",
    "LogSpec": "endpoint.log",
    "LimitsSpec": "endpoint.limits",
    "ReleaseSpec": "release",
    "GuardrailSpec": "release.guardrails",
    "MetricSpec": "release.metrics.NAME",
    "BlueGreenSpec": "release.blue_green",
    "RollingSpec": "release.rolling",
    "ABTestSpec": "release.ab_test",
    "BanditSpec": "release.bandit",
    "ShadowSpec": "release.shadow",
    "ObjectiveSpec": "release.objective",
    "FreezeSpec": "release.freeze",
    "MonitoringSpec": "monitoring",
    "ReplaySpec": "replay",
    "RetentionSpec": "retention",
    "TrackingSpec": "tracking",
    "SiteSpec": "sites.NAME",
    "StoreSpec": "sites.NAME.store",
    "MachineSpec": "sites.NAME.machines.NAME",
    "OwnedSpec": "sites.NAME.machines.NAME.owned",
    "PlacementSpec": "placement",
    "BudgetSpec": "budgets.NAME",
}
"""Class → where its keys stand in the file."""

MEANINGS = {
    "Project.site": "Name of this place; the first part of the ledger's writer.",
    "Project.cache": "Whether steps may use what earlier runs made.",
    "Project.contracts": "Contracts and the steps they are checked on.",
    "Project.models": "Name of a model → how it is made.",
    "Project.endpoint": "What `freehold serve` answers with; without it there is no endpoint.",
    "Project.release": "How a version moves into traffic.",
    "Project.monitoring": "When a measurement is a signal, and what follows.",
    "Project.replay": "A recorded period for `freehold replay`.",
    "Project.retention": "What storage keeps, and how long.",
    "Project.tracking": "Where runs are mirrored; without it, nowhere.",
    "Project.budgets": "Name → what may be spent in a month.",
    "BudgetSpec.per": "The period that the limit is for: a calendar month, UTC.",
    "MachineSpec.cpus": "Virtual processors; the provider's figure where it is not given.",
    "MachineSpec.accelerators": "How many it has.",
    "EndpointSpec.model": "Name of the model that is served.",
    "EndpointSpec.host": "Address to listen at; only this machine's own (loopback) is accepted.",
    "EndpointSpec.port": "Port to listen at.",
    "EndpointSpec.log": "What the request log keeps, and how.",
    "EndpointSpec.limits": "What is taken at most.",
    "ReleaseSpec.guardrails": "Limits beyond which a release goes back.",
    "ReleaseSpec.blue_green": "Of `--strategy blue-green`.",
    "ReleaseSpec.rolling": "Of `--strategy rolling`.",
    "ReleaseSpec.ab_test": "Of `--strategy ab-test`.",
    "ReleaseSpec.bandit": "Of `--strategy bandit`.",
    "ReleaseSpec.shadow": "Of `--strategy shadow`.",
    "MonitoringSpec.window_days": "Days of traffic that a measurement looks at.",
    "MonitoringSpec.cool_down_days": "Days between two proposals for a model, and between two "
    "reports of a drift that lasts.",
    "MonitoringSpec.minimum_rows": "Rows below which nothing is judged.",
    "ReplaySpec.id": "Column that names a request; its label is joined by it.",
    "ReplaySpec.asked_at": "Column with the time of asking.",
    "ReplaySpec.labelled_at": "Column with the time at which the label became known.",
}
"""What the code leaves to the name alone."""


@dataclass(frozen=True)
class Setting:
    owner: str
    name: str
    kind: str
    default: str
    meaning: str


def page() -> str:
    trees = [read(PRODUCT / "domain" / file).tree for file in FILES]
    nodes = (node for tree in trees for node in tree.body)
    classes = {node.name: node for node in nodes if isinstance(node, ast.ClassDef)}
    if set(classes) != set(WHERE):
        raise ValueError(f"WHERE does not know {set(classes) ^ set(WHERE)}")
    return HEAD + "".join(_section(classes[name]) for name in WHERE)


def _section(node: ast.ClassDef) -> str:
    told = ast.get_docstring(node)
    rows = [[f"`{one.name}`", one.kind, one.default, one.meaning] for one in _settings(node)]
    where = WHERE[node.name]
    heading = where if where == "The file" else f"`{where}`"
    intro = f"{' '.join(told.split())}\n\n" if told else ""
    return f"\n## {heading}\n\n{intro}{table(['key', 'type', 'default', 'meaning'], rows)}\n"


def _settings(node: ast.ClassDef) -> Iterator[Setting]:
    for at, item in enumerate(node.body):
        if not isinstance(item, ast.AnnAssign) or not isinstance(item.target, ast.Name):
            continue
        below = node.body[at + 1] if at + 1 < len(node.body) else None
        told = ""
        if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant):
            told = str(below.value.value)
        name = item.target.id
        meaning = told or MEANINGS.get(f"{node.name}.{name}", "")
        yield Setting(node.name, name, _kind(item.annotation), _default(item.value), meaning)


def _kind(annotation: ast.expr) -> str:
    text = ast.unparse(annotation)
    for name, where in WHERE.items():
        if name in text:
            many = "list of " if text.startswith("tuple") else ""
            many = "name → " if text.startswith("Mapping") else many
            return f"{many}[{where}](#{_anchor(where)})"
    if text.startswith("tuple[Literal"):
        return f"list of {_choices(text.removeprefix('tuple[').removesuffix(', ...]'))}"
    if text.startswith("Literal"):
        return _choices(text)
    return {
        "str": "text",
        "int": "whole number",
        "float": "number",
        "bool": "`true` or `false`",
        "tuple[int, ...]": "list of whole numbers",
        "tuple[str, ...]": "list of texts",
        "Mapping[str, str]": "name → text",
        "Mapping[str, float]": "name → number",
        "float | None": "number",
        "int | None": "whole number",
        "tuple[float, ...]": "list of numbers",
    }[text]


def _choices(text: str) -> str:
    return text.removeprefix("Literal[").removesuffix("]").replace("'", "`")


def _anchor(heading: str) -> str:
    return "".join(c for c in heading.lower().replace(" ", "-") if c.isalnum() or c in "-_")


def _default(value: ast.expr | None) -> str:
    if value is None:
        return "required"
    text = ast.unparse(value)
    if text.endswith("Spec()"):
        return "see there"
    plain = {"''": "", "()": "none", "None": "none", "field(default_factory=dict)": "none"}
    if text in plain:
        return plain[text]
    if isinstance(value, ast.Tuple):
        text = str(list(ast.literal_eval(value)))
    return {"True": "`true`", "False": "`false`"}.get(text, f"`{text.strip(chr(39))}`")
