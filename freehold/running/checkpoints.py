"""Checkpoints of steps: from the process that saves them into the store, and into the history.

Fact
  step.checkpointed {run, step, key, number, artifact, format, size, labels}
                    artifact: the digest; labels: of all that the step reads and makes

The process that runs a step has a store and no ledger. It puts the bytes, then a note beside them;
whoever drives the step records what the notes say and takes them away. Notes of a driver that was
killed are recorded by the next one.

A checkpoint belongs to the step's cache key: other code, or other inputs, begin anew.
"""

import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from freehold.domain.checkpoints import Checkpoints, Saved
from freehold.domain.errors import IntegrityError, StorageFailed, Unreachable, WrongUsage
from freehold.domain.fact import Draft
from freehold.domain.projection import State
from freehold.ports.artifact_store import ArtifactStore
from freehold.ports.clock import Clock
from freehold.ports.ledger import Ledger
from freehold.ports.object_store import ObjectStore

NOTES = "checkpoints/"
CHECKPOINTS = "checkpoints"
"""Table, by `run/step`: {key, newest: [{digest, number, size, labels, fact}]}, the newest first."""
KEPT = 3
"""So many of the newest count; the older ones go when nothing else keeps them."""
Keeping = Callable[[Checkpoints], AbstractContextManager[None]]
"""Within it the user's code works with these checkpoints."""


@dataclass(frozen=True)
class Checkpoint:
    digest: str
    number: int
    size: int
    labels: Mapping[str, str]
    fact: str


def newest_first(state: State, run: str, step: str, key: str) -> list[Checkpoint]:
    """Those that an attempt with this cache key may begin with; whether the bytes are there and
    verify is another question."""
    row = state.get(CHECKPOINTS, f"{run}/{step}")
    if row is None or row["key"] != key:
        return []
    return [Checkpoint(**one) for one in row["newest"]]


def starting_point(
    about: Mapping[str, Any], artifacts: ArtifactStore, state: State
) -> dict[str, Any]:
    """What a manifest says under `resumes`: {key, number, artifact}; the artifact is empty where
    there is none, or none whose bytes are here and verify.

    `about`: run, step, key.
    """
    found = newest_first(state, about["run"], about["step"], about["key"])
    usable = next((one for one in found if artifacts.holds(one.digest)), None)
    return {
        "artifact": usable.digest if usable is not None else "",
        "key": about["key"],
        "number": max((one.number for one in found), default=0),
    }


class StoredCheckpoints(Checkpoints):
    """Within the process that runs the step, by its manifest."""

    def __init__(self, manifest: Mapping[str, Any], objects: ObjectStore, clock: Clock) -> None:
        self._manifest, self._objects, self._clock = manifest, objects, clock
        self._artifacts = ArtifactStore(objects)
        self._from: Mapping[str, Any] = manifest["resumes"]
        self._number = int(self._from["number"])
        self._saved = self._from["artifact"]
        self.faults: list[str] = []
        """What went wrong with the store, as people read it."""

    def latest(self) -> bytes | None:
        if not self._saved:
            return None
        try:
            return self._artifacts.get(self._saved)
        except (IntegrityError, StorageFailed, Unreachable) as error:
            self.faults.append(str(error))
            return None

    def save(self, data: bytes) -> Saved:
        began, fault = self._clock(), ""
        self._number += 1
        try:
            digest = self._artifacts.put(data)
            self._objects.put(*_note(self._manifest, digest, len(data), self._number))
            self._saved = digest
        except (StorageFailed, Unreachable) as error:
            fault = str(error)
            self.faults.append(fault)
        return Saved(self._number, len(data), (self._clock() - began) / 1e6, fault)


class NoCheckpoints(Checkpoints):
    """Of a step that does not say that it resumes: nobody would bring them to where it goes on."""

    def __init__(self, step: str) -> None:
        self._step = step

    def latest(self) -> bytes | None:
        raise self._refusal()

    def save(self, data: bytes) -> Saved:  # noqa: ARG002 - as the others do
        raise self._refusal()

    def _refusal(self) -> WrongUsage:
        return WrongUsage(
            f"step '{self._step}' works with checkpoints, and does not say so",
            why="only steps that say that they resume are brought their checkpoints",
            hint="@step(resumes=True)",
            code="step.not-resuming",
        )


def _note(manifest: Mapping[str, Any], digest: str, size: int, number: int) -> tuple[str, bytes]:
    body = {
        "artifact": digest,
        "format": "bytes",
        "key": manifest["resumes"]["key"],
        "labels": manifest["resumes"]["labels"],
        "number": number,
        "run": manifest["run"],
        "size": size,
        "step": manifest["step"],
    }
    of_step = sha256(f"{body['run']}/{body['step']}".encode()).hexdigest()
    return f"{NOTES}{of_step}/{number:08}-{digest[-12:]}", json.dumps(body).encode()


def record_notes(ledger: Ledger, objects: ObjectStore, actor: str) -> int:
    """Append what notes say, then take them away: once each, whoever else does so. Returns how
    many were recorded. Those of a step that has finished are taken away only."""
    found = noted(objects)
    if not found:
        return 0

    def decision(state: State) -> list[Draft]:
        return [
            Draft("step.checkpointed", body, cause=_cause(state, body), actor=actor)
            for body in found.values()
            if not _is_known(state, body)
        ]

    recorded = ledger.decide(decision)
    for key in found:
        objects.delete(key)
    return len(recorded)


def noted(objects: ObjectStore) -> dict[str, dict[str, Any]]:
    """What notes say that nobody has recorded: bodies of the fact, by key of the note."""
    found = {}
    for key in objects.keys(NOTES):
        with suppress(KeyError):
            found[key] = json.loads(objects.get(key))
    return found


def _cause(state: State, body: Mapping[str, Any]) -> tuple[str, ...]:
    run = state.get("runs", body["run"])
    return (run["fact"],) if run else ()


def _is_known(state: State, body: Mapping[str, Any]) -> bool:
    place = f"{body['run']}/{body['step']}"
    row = state.get("steps", place)
    if row is not None and row["status"] == "finished" and row["key"] == body["key"]:
        return True
    known = state.get(CHECKPOINTS, place) or {"newest": [], "key": ""}
    same = [one for one in known["newest"] if one["number"] == body["number"]]
    return known["key"] == body["key"] and any(one["digest"] == body["artifact"] for one in same)
