"""Checks each contract on the output of the step that the project names for it."""

from dataclasses import dataclass
from io import BytesIO

import polars as pl

from freehold.app.project.reading import OpenProject
from freehold.app.site.opening import Site
from freehold.catalog.checks import check_of
from freehold.catalog.contracts import evaluate, failure, parse
from freehold.domain.artifact import Artifact
from freehold.domain.canonical import canonical
from freehold.domain.contract import Contract
from freehold.domain.errors import ContractFailed, Fault, ProjectInvalid
from freehold.domain.fact import Draft
from freehold.domain.graph import Graph, Node


@dataclass(frozen=True)
class Check:
    """That a contract held on a step's output."""

    contract: str
    step: str
    passed: bool
    rows: int
    fact: str


def contracts_of(project: OpenProject) -> dict[str, list[Contract]]:
    """By step. Raises ProjectInvalid with the faults of all files."""
    found: dict[str, list[Contract]] = {}
    faults: list[Fault] = []
    for spec in project.spec.contracts:
        try:
            contract = parse((project.root / spec.suite).read_bytes(), spec.suite)
        except ProjectInvalid as error:
            faults.extend(error.faults)
        else:
            found.setdefault(spec.step, []).append(contract)
    if faults:
        raise ProjectInvalid(f"{len(faults)} faults in the project's contracts", faults=faults)
    return found


def unknown_steps(project: OpenProject, graphs: list[Graph]) -> list[Fault]:
    """Contracts on steps that no pipeline has."""
    names = {node.step.name for graph in graphs for node in graph.nodes}
    return [
        Fault(
            "contract.unknown-step",
            f"no pipeline has a step '{spec.step}'",
            project.where("contracts", str(index), "step"),
            f"steps: {', '.join(sorted(names))}",
        )
        for index, spec in enumerate(project.spec.contracts)
        if spec.step not in names
    ]


class ContractGate:
    """Stands behind every step of a run; a failing contract stops it."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._contracts = contracts_of(site.project)
        self.checks: list[Check] = []
        """Of this run, in the order of its steps."""

    def __call__(self, node: Node, outputs: tuple[Artifact, ...]) -> None:
        for contract in self._contracts.get(node.step.name, ()):
            self.checks.append(self._check(contract, node, outputs[0]))

    def _check(self, contract: Contract, node: Node, artifact: Artifact) -> Check:
        """Bytes that passed this very contract before are not held against it again."""
        known = check_of(self._site.state, contract.digest, artifact.digest)
        if known is not None and known["passed"]:
            return Check(contract.name, node.step.name, True, known["rows"], known["fact"])
        if artifact.format != "parquet":
            raise ContractFailed(
                f"contract '{contract.name}' cannot be held against step '{node.step.name}'",
                why=f"it makes {artifact.format}, not a table",
                hint="name a step that returns a table under `contracts` in freehold.yaml",
                code="contract.no-table",
            )
        table = pl.read_parquet(BytesIO(self._site.artifacts.get(artifact.digest)))
        report = evaluate(contract, table)
        # Samples are rows of the data: they are shown to whoever runs it, and not recorded.
        digest = self._site.artifacts.put(canonical(report.as_json(samples=False)))
        body = {
            "artifact": artifact.digest,
            "contract": contract.digest,
            "name": contract.name,
            "passed": report.passed,
            "report": digest,
            "rows": report.rows,
        }
        (entry,) = self._site.ledger.append(
            [Draft("contract.checked", body, actor=self._site.actor)]
        )
        if not report.passed:
            raise failure(report, node.step.name)
        return Check(contract.name, node.step.name, True, report.rows, entry.fact.name)
