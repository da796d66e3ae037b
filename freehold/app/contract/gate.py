"""Checks each contract on the output of the step that the project names for it."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import polars as pl

from freehold.app.project.reading import OpenProject
from freehold.app.site.opening import Site
from freehold.catalog.checks import check_of
from freehold.catalog.contracts import evaluate, failure, parse
from freehold.domain.artifact import Artifact
from freehold.domain.canonical import canonical
from freehold.domain.contract import Contract, ContractReport
from freehold.domain.errors import ContractFailed, Fault, IntegrityError, ProjectInvalid
from freehold.domain.fact import Draft
from freehold.domain.graph import Graph, Node
from freehold.domain.step import StepDefinition
from freehold.domain.stored_type import describe, homes, members

TABLES = {"pandas": "DataFrame", "polars": "DataFrame", "pyarrow": "Table"}
"""By module, the class that contracts are held against."""
CODE = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""A suite's name that may stand in a fact; any other may say anything, and is left out."""


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
    """Contracts on steps that no pipeline has, or that make no table."""
    steps = {node.step.name: node.step for graph in graphs for node in graph.nodes}
    return [
        fault
        for index, spec in enumerate(project.spec.contracts)
        for fault in _misplaced(spec.step, steps, project.where("contracts", str(index), "step"))
    ]


def _misplaced(name: str, steps: Mapping[str, StepDefinition], where: str) -> Iterator[Fault]:
    if name not in steps:
        yield Fault(
            "contract.unknown-step",
            f"no pipeline has a step '{name}'",
            where,
            f"steps: {', '.join(sorted(steps))}",
        )
    elif not may_be_table(steps[name].returns[0]):
        yield Fault(
            "contract.not-a-table",
            f"step '{name}' returns {describe(steps[name].returns[0])}, not a table",
            where,
            "name a step that returns a table of polars, pandas or pyarrow",
        )


def may_be_table(kind: Any) -> bool:
    """Whether a step that is declared so can make a table. One that declares nothing can."""
    return any(
        one is Any or one is object or TABLES.get(homes(one)[0]) == getattr(one, "__name__", "")
        for one in members(kind)
    )


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
        report = self._report(contract, node, artifact)
        # Samples are rows of the data: they are shown to whoever runs it, and not recorded.
        digest = self._site.artifacts.put(canonical(report.as_json(samples=False)))
        body = {
            "artifact": artifact.digest,
            "contract": contract.digest,
            "passed": report.passed,
            "report": digest,
            "rows": report.rows,
        }
        if CODE.fullmatch(contract.name):
            body["name"] = contract.name
        (entry,) = self._site.ledger.append(
            [Draft("contract.checked", body, 2, actor=self._site.actor)]
        )
        if not report.passed:
            raise failure(report, node.step.name)
        return Check(contract.name, node.step.name, True, report.rows, entry.fact.name)

    def _report(self, contract: Contract, node: Node, artifact: Artifact) -> ContractReport:
        """Raises ContractFailed `contract.not-a-table`, IntegrityError
        `contract.unreadable-table`."""
        if artifact.format != "parquet":
            raise ContractFailed(
                f"contract '{contract.name}' cannot be held against step '{node.step.name}'",
                why=f"it makes {artifact.format}, not a table",
                hint="name a step that returns a table under `contracts` in freehold.yaml",
                code="contract.not-a-table",
            )
        data = self._site.artifacts.get(artifact.digest)
        try:
            return evaluate(contract, pl.read_parquet(BytesIO(data)))
        except (pl.exceptions.PolarsError, OSError) as exc:
            raise IntegrityError(
                f"the table that step '{node.step.name}' made cannot be read",
                why=str(exc),
                hint="return a table of plain numbers, texts, times and truth values",
                code="contract.unreadable-table",
            ) from exc
