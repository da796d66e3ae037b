"""The facts of a run.

A parameter that is text may be a name or a secret, whatever it looks like. It is kept in an
attachment, all of a run's texts in one, so that it can be erased; a fact has the others.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from hashlib import sha256
from typing import Any, Protocol

import orjson

from freehold.domain.artifact import Artifact
from freehold.domain.errors import IntegrityError
from freehold.domain.fact import Draft
from freehold.domain.graph import Graph
from freehold.domain.json_value import plain
from freehold.domain.projection import State
from freehold.domain.run import Failure
from freehold.ports.ledger import Ledger
from freehold.running.readiness import Options, Ready, input_digests
from freehold.running.surroundings import Attachments


class Readable(Protocol):
    def get(self, name: str) -> bytes:
        """Raises IntegrityError `attachment.erased` or `attachment.altered`."""


def start(
    ledger: Ledger, attachments: Attachments, graph: Graph, options: Options, wall: int
) -> tuple[str, str]:
    """Appends run.started. Returns the names of the run, `20261121-031415-9f3a`, and of the
    fact."""
    stated, kept = kept_apart(graph.parameters, attachments)
    moment = datetime.fromtimestamp(wall // 1_000_000, UTC)
    lot = sha256(f"{ledger.writer} {wall}".encode()).hexdigest()[:4]
    wished = f"{moment:%Y%m%d-%H%M%S}-{lot}"
    name = wished

    def decision(state: State) -> list[Draft]:
        nonlocal name
        count = 1
        while state.get("runs", name) is not None:
            count += 1
            name = f"{wished}-{count}"
        body = {
            "environment": options.environment,
            "parameters": stated,
            "parameters_attachment": kept,
            "pipeline": graph.name,
            "run": name,
            "steps": len(graph.nodes),
        }
        return [Draft("run.started", body, 2, cause=options.cause, actor=options.actor)]

    (entry,) = ledger.decide(decision)
    return name, entry.fact.name


def kept_apart(
    parameters: Mapping[str, Any], attachments: Attachments
) -> tuple[dict[str, Any], str]:
    """Those that may stand in a fact, and the name of the attachment of the others, or empty."""
    texts = {name: plain(one) for name, one in parameters.items() if not _is_plain(one)}
    stated = {name: plain(one) for name, one in parameters.items() if name not in texts}
    return stated, attachments.put(orjson.dumps(texts)) if texts else ""


def _is_plain(value: Any) -> bool:
    """Whether it can say nothing about a person: a number, a truth value, a date, empty text."""
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    return value is None or value == "" or isinstance(value, bool | int | float | date)


def parameters_of(started: Mapping[str, Any], attachments: Readable) -> dict[str, Any]:
    """All parameters of a run, by the body of its run.started or its row in `runs`.

    Raises IntegrityError `run.parameters-erased`, and `attachment.altered`.
    """
    attached = attached_parameters(started, attachments)
    if attached is None:
        raise IntegrityError(
            f"the parameters of run {started['run']} that are text were erased",
            why="they were kept apart from the history, so that they can be",
            hint="`freehold run` begins a new run",
            code="run.parameters-erased",
        )
    return {**started["parameters"], **attached}


def attached_parameters(started: Mapping[str, Any], attachments: Readable) -> dict[str, Any] | None:
    """Those that are text; None if they were erased. Raises IntegrityError `attachment.altered`."""
    name = started.get("parameters_attachment", "")
    try:
        return dict(orjson.loads(attachments.get(name))) if name else {}
    except IntegrityError as error:
        if error.code != "attachment.erased":
            raise
        return None


@dataclass(frozen=True)
class Done:
    """How a step came to its outputs."""

    microseconds: int = 0
    cached: bool = False
    site: str = ""
    """Where it ran, or where its outputs were found."""
    machine: str = ""
    """The machine type, where one is known."""
    spot: bool = False
    """Whether that could have been taken away."""


class Facts:
    """Drafts of what happens in one run; all follow from its start."""

    def __init__(self, run: str, cause: str, actor: str) -> None:
        self.run, self._cause, self.actor = run, (cause,), actor

    def resumed(self) -> Draft:
        return self._draft("run.resumed", {})

    def ended(self, status: str) -> Draft:
        return self._draft("run.finished", {"status": status})

    def finished(self, ready: Ready, outputs: tuple[Artifact, ...], how: Done) -> Draft:
        body = {
            "cached": how.cached,
            "components": dict(ready.key.components),
            "function": ready.node.step.address,
            "inputs": input_digests(ready),
            "key": ready.key.digest,
            "machine": how.machine,
            "microseconds": how.microseconds,
            "outputs": [output.as_json() for output in outputs],
            "site": how.site,
            "spot": how.spot,
            "step": ready.node.name,
        }
        return self._draft("step.finished", body, 2)

    def interrupted(self, step: str, lost: Done, attempt: int) -> Draft:
        body = {"attempt": attempt, "step": step, **_where(lost)}
        return self._draft("step.interrupted", body)

    def failed(
        self, ready: Ready, failure: Failure, attempt: int, attachment: str, how: Done
    ) -> Draft:
        body = {
            "attachment": attachment,
            "attempt": attempt,
            "code": failure.code,
            "function": ready.node.step.address,
            "step": ready.node.name,
            **_where(how),
        }
        return self._draft("step.failed", body)

    def _draft(self, kind: str, body: Mapping[str, Any], version: int = 1) -> Draft:
        return Draft(kind, {**body, "run": self.run}, version, cause=self._cause, actor=self.actor)


def _where(how: Done) -> dict[str, Any]:
    """An attempt that came to nothing took its time all the same."""
    return {
        "machine": how.machine,
        "microseconds": how.microseconds,
        "site": how.site,
        "spot": how.spot,
    }
