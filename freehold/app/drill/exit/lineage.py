"""Runs, steps and versions as OpenLineage run events, one JSON object a line.

Source: OpenLineage specification 2-0-2 (RunEvent) and its facet `parent` 1-0-1. A run's identifier
has to be a UUID there: it is made of the project's and the run's names (RFC 9562, version 5), so
that the same history gives the same events. A dataset's name is its digest. Why a step failed is an
attachment and stands in no event.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import orjson

from freehold.app.drill.exit.folder import ExitFolder
from freehold.app.drill.exit.logs import all_facts
from freehold.app.site.opening import Site
from freehold.domain.fact import Fact

FILE = "lineage/openlineage.jsonl"
SCHEMA = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
PARENT = "https://openlineage.io/spec/facets/1-0-1/ParentRunFacet.json#/$defs/ParentRunFacet"
PRODUCER = "urn:freehold:drill:exit"
TYPES = ("run.started", "run.finished", "step.finished", "step.failed", "model.registered")

Event = dict[str, Any]


def write_lineage(site: Site, folder: ExitFolder) -> None:
    namespace = f"freehold://{site.project.spec.project}"
    events = Lineage(namespace).events(all_facts(site, *TYPES))
    folder.put(FILE, b"".join(orjson.dumps(event) + b"\n" for event in events))


class Lineage:
    def __init__(self, namespace: str) -> None:
        self._namespace = namespace
        self._pipelines: dict[str, str] = {}
        self._made: dict[str, list[str]] = {}
        """By run, digests of what its steps made."""

    def events(self, facts: Iterator[Fact]) -> Iterator[Event]:
        for fact in facts:
            body, wall = fact.body, fact.time.wall
            run = str(body["run"])
            if fact.type == "run.started":
                self._pipelines[run] = body["pipeline"]
                yield self._event("START", wall, run, self._job(run))
            elif fact.type == "run.finished":
                kind = "COMPLETE" if body["status"] == "finished" else "FAIL"
                yield self._event(kind, wall, run, self._job(run))
            elif fact.type == "model.registered":
                yield from self._registered(fact, run)
            else:
                yield from self._step(fact, run)

    def _step(self, fact: Fact, run: str) -> Iterator[Event]:
        body, wall = fact.body, fact.time.wall
        name, job = f"{run}/{body['step']}", f"{self._job(run)}.{body['step']}"
        failed = fact.type == "step.failed"
        if failed:
            yield self._event("FAIL", wall, f"{name}/{body['attempt']}", job, parent=run)
            return
        made = [output["digest"] for output in body["outputs"]]
        self._made.setdefault(run, []).extend(made)
        begun = wall - int(body["microseconds"])
        yield self._event("START", begun, name, job, parent=run)
        sets = {"inputs": body["inputs"], "outputs": made}
        yield self._event("COMPLETE", wall, name, job, parent=run, **sets)

    def _registered(self, fact: Fact, run: str) -> Iterator[Event]:
        body = fact.body
        sets = {
            "inputs": sorted(set(self._made.get(run, ()))),
            "outputs": [body["package"]["digest"]],
        }
        job = f"{self._job(run)}.register.{body['model']}"
        yield self._event("COMPLETE", fact.time.wall, fact.name, job, parent=run, **sets)

    def _job(self, run: str) -> str:
        return self._pipelines.get(run, "unknown")

    def _event(
        self,
        kind: str,
        wall: int,
        name: str,
        job: str,
        *,
        parent: str = "",
        inputs: Sequence[str] = (),
        outputs: Sequence[str] = (),
    ) -> Event:
        facets = {}
        if parent:
            facets["parent"] = {
                "_producer": PRODUCER,
                "_schemaURL": PARENT,
                "run": {"runId": self._identifier(parent)},
                "job": {"namespace": self._namespace, "name": self._job(parent)},
            }
        return {
            "eventType": kind,
            "eventTime": datetime.fromtimestamp(wall / 1e6, UTC).isoformat(),
            "run": {"runId": self._identifier(name), "facets": facets},
            "job": {"namespace": self._namespace, "name": job},
            "inputs": [self._dataset(digest) for digest in inputs],
            "outputs": [self._dataset(digest) for digest in outputs],
            "producer": PRODUCER,
            "schemaURL": SCHEMA,
        }

    def _identifier(self, name: str) -> str:
        return str(uuid5(NAMESPACE_URL, f"{self._namespace}/{name}"))

    def _dataset(self, digest: str) -> dict[str, str]:
        return {"namespace": self._namespace, "name": digest}
