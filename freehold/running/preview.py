"""What a run would do, step by step, and why; nothing is changed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from freehold.domain.artifact import Artifact
from freehold.domain.graph import Graph, Node, substitute
from freehold.domain.projection import State
from freehold.ports.artifact_store import ArtifactStore
from freehold.running.agenda import Agenda
from freehold.running.readiness import Desk, Options, Ready

_SAID = {
    "step": "another function",
    "code": "new code",
    "environment": "new environment",
    "parameters": "new parameters",
    "inputs": "new inputs",
}


@dataclass(frozen=True)
class Forecast:
    step: str
    function: str
    action: Literal["run", "cached", "depends"]
    """`depends`: runs only if an earlier step gives something new."""
    reasons: tuple[str, ...]
    """`never run`, `new code`, `cache off`, `bytes missing`, `after prepare`, …"""
    where: str
    outputs: tuple[Artifact, ...] = ()
    """Of a step that is cached."""
    lacking: tuple[Artifact, ...] = ()
    """Of a step that was made before, when not all of its bytes are here: what it made."""

    def as_json(self) -> dict[str, Any]:
        return {
            "action": self.action,
            "function": self.function,
            "reasons": list(self.reasons),
            "step": self.step,
            "where": self.where,
        }


def preview(
    graph: Graph, state: State, artifacts: ArtifactStore, options: Options
) -> tuple[Forecast, ...]:
    """In an order in which the steps could run. Raises PipelineInvalid."""
    graph.check()
    desk = Desk(graph, options, state, artifacts)
    agenda = Agenda(graph)
    outputs: dict[str, tuple[Artifact, ...]] = {}
    forecasts = []
    while (node := agenda.next()) is not None:
        forecast = _forecast(node, desk, outputs)
        forecasts.append(forecast)
        if forecast.action == "cached":
            outputs[node.name] = forecast.outputs
        agenda.done(node.name)
    return tuple(forecasts)


def _forecast(node: Node, desk: Desk, outputs: Mapping[str, tuple[Artifact, ...]]) -> Forecast:
    latest = desk.state.get("recent_steps", f"{desk.graph.name}/{node.name}")
    known = latest["components"] if latest else None
    unmade = sorted({f.node for _, f in node.references() if f.node not in outputs})
    if unmade:
        return _forecast_of_dependent(node, desk, known, unmade)
    ready = desk.ready(node, outputs)
    made = desk.made_before(ready)
    if made is not None:
        return Forecast(node.name, node.step.address, "cached", (), node.where, made)
    reasons = tuple(_reasons(ready, desk, known))
    row = desk.state.get("cache", ready.key.digest) if ready.cacheable else None
    lacking = () if row is None else desk.labelled(row, ready)
    return Forecast(node.name, node.step.address, "run", reasons, node.where, lacking=lacking)


def _forecast_of_dependent(
    node: Node, desk: Desk, known: Mapping[str, str] | None, unmade: list[str]
) -> Forecast:
    """Its inputs are not known yet, but all else is."""
    any_input = Artifact("", "", 0)
    arguments = {
        name: substitute(argument, lambda _: any_input) for name, argument in node.arguments.items()
    }
    key = desk.key(node, arguments)
    fixed = {name: digest for name, digest in key.components.items() if name != "inputs"}
    reasons = tuple(_differences(fixed, known)) if known else ("never run",)
    after = tuple(f"after {name}" for name in unmade)
    if not (node.step.cache and desk.options.cache):
        reasons += ("cache off",)
    return Forecast(
        node.name, node.step.address, "run" if reasons else "depends", reasons + after, node.where
    )


def _reasons(ready: Ready, desk: Desk, known: Mapping[str, str] | None) -> Iterator[str]:
    if not ready.cacheable:
        yield "cache off"
    if known is None:
        yield "never run"
    else:
        yield from _differences(ready.key.components, known)
    if ready.cacheable and desk.state.get("cache", ready.key.digest) is not None:
        yield "bytes missing"


def _differences(now: Mapping[str, str], known: Mapping[str, str]) -> Iterator[str]:
    for name, said in _SAID.items():
        if name in now and now[name] != known.get(name):
            yield said
