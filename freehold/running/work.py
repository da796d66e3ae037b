"""One attempt of a step: from a run manifest to a result, in this process or in another."""

import json
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, get_args, get_origin

from freehold.domain.artifact import Artifact
from freehold.domain.errors import IntegrityError, NotSupported
from freehold.domain.graph import Node, Reference
from freehold.domain.json_value import plain, typed
from freehold.domain.run import Failure, Result
from freehold.domain.step import StepDefinition
from freehold.domain.stored_type import admits, bare, describe, members
from freehold.ports.artifact_store import ArtifactStore
from freehold.ports.clock import Clock
from freehold.ports.engine import Task
from freehold.ports.object_store import ObjectStore
from freehold.running.checkpoints import Keeping, NoCheckpoints, StoredCheckpoints
from freehold.running.codecs import Codecs
from freehold.running.failure import failure_of
from freehold.running.values import Values

MANIFEST = 1
Find = Callable[[str], StepDefinition]
"""The step at an address, `module:name`."""


@dataclass(frozen=True)
class Workplace:
    """What performing a step needs."""

    objects: ObjectStore
    codecs: Codecs
    clock: Clock
    workspace: Path
    """A folder for files, there as long as the run."""
    find: Find
    keeping: Keeping | None = None
    """Lends a step's checkpoints to the user's code; None where no step resumes."""
    values: Values = field(default_factory=Values)

    @property
    def artifacts(self) -> ArtifactStore:
        return ArtifactStore(self.objects)


@dataclass(frozen=True)
class StepTask(Task):
    name: str
    timeout: float | None
    manifest: Mapping[str, Any]
    workplace: Workplace

    def perform(self) -> Result:
        return perform(self.manifest, self.workplace)

    def publish(self) -> str:
        return self.workplace.artifacts.put(json.dumps(self.manifest).encode())

    def collect(self) -> Result:
        key = result_key(self.publish())
        result = Result.from_json(json.loads(self.workplace.objects.get(key)))
        self.workplace.objects.delete(key)
        return result


def manifest_of(
    node: Node,
    inputs: Mapping[Reference, tuple[Artifact, StepDefinition]],
    about: Mapping[str, Any],
) -> dict[str, Any]:
    """All that another process must know, as JSON.

    `inputs`: the artifact behind each reference, and the step that made it, whose annotation
    says its type. `about`: run, attempt, labels of the outputs, modules of the project reached.
    """

    def leaf(value: Any) -> dict[str, Any]:
        if isinstance(value, Reference):
            artifact, maker = inputs[value]
            source = {"output": value.output, "step": maker.address}
            return {"artifact": artifact.as_json(), "from": source}
        if isinstance(value, list | tuple):
            return {"list": [leaf(item) for item in value]}
        if isinstance(value, Mapping):
            return {"dict": {key: leaf(item) for key, item in value.items()}}
        return {"value": plain(value)}

    return {
        **about,
        "arguments": {name: leaf(value) for name, value in node.arguments.items()},
        "function": node.step.address,
        "manifest": MANIFEST,
        "returns": [describe(kind) for kind in node.step.returns],
        "step": node.name,
    }


def perform_manifest(address: str, workplace: Workplace) -> Result:
    """What `freehold step ADDRESS` does: read the manifest, run the step, leave the result where
    `StepTask.collect` looks for it."""
    manifest = json.loads(workplace.artifacts.get(address))
    if manifest.get("manifest") != MANIFEST:
        raise IntegrityError(
            f"{address} is not a run manifest that is understood here", code="manifest.unknown"
        )
    result = perform(manifest, workplace)
    workplace.objects.put(result_key(address), json.dumps(result.as_json()).encode())
    return result


def result_key(address: str) -> str:
    """Where the result of a manifest lies in the object store."""
    return f"results/{address.replace(':', '/')}"


def perform(manifest: Mapping[str, Any], workplace: Workplace) -> Result:
    """Decode the inputs, call the function, store what it returns.

    What the user's code does wrong is a Failure in the result. Raises IntegrityError for inputs
    that cannot be read, StorageFailed and AdapterMissing.
    """
    step = workplace.find(manifest["function"])
    reader = _Reader(workplace)
    arguments = {
        name: reader.argument(tree, _kind(step, name))
        for name, tree in manifest["arguments"].items()
    }
    checkpoints = _checkpoints(manifest, workplace)
    keeping = nullcontext() if workplace.keeping is None else workplace.keeping(checkpoints)
    started = workplace.clock()
    try:
        with keeping:
            returned = step.function(**arguments)
    except (Exception, SystemExit) as exc:  # noqa: BLE001 - the user's code may raise anything
        failure = failure_of(exc, manifest["modules"])
        return _ended(failure, workplace.clock() - started, checkpoints)
    outputs = _outputs(step, returned, manifest["labels"], workplace)
    return _ended(outputs, workplace.clock() - started, checkpoints)


def _checkpoints(
    manifest: Mapping[str, Any], workplace: Workplace
) -> StoredCheckpoints | NoCheckpoints:
    if manifest.get("resumes") is None:
        return NoCheckpoints(manifest["step"])
    return StoredCheckpoints(manifest, workplace.objects, workplace.clock)


def _ended(
    end: tuple[Artifact, ...] | Failure,
    microseconds: int,
    checkpoints: StoredCheckpoints | NoCheckpoints,
) -> Result:
    faults = checkpoints.faults if isinstance(checkpoints, StoredCheckpoints) else ()
    if isinstance(end, Failure):
        return Result((), microseconds, end, tuple(faults))
    return Result(end, microseconds, warnings=tuple(faults))


def read(artifact: Artifact, kind: Any, workplace: Workplace) -> Any:
    """The value of an artifact. Raises IntegrityError naming it if it cannot be read."""
    codec = workplace.codecs.for_artifact(artifact, kind)
    kept = workplace.values.value(artifact.digest, codec)
    if kept is not None:
        return kept
    data = workplace.values.data(artifact.digest)
    if data is None:
        data = workplace.artifacts.get(artifact.digest)
    try:
        return codec.decode(data, kind, workplace.workspace)
    except IntegrityError as exc:
        raise IntegrityError(
            f"artifact {artifact.digest} cannot be read as {describe(kind)}",
            why=f"{exc.what}: {exc.why}" if exc.why else exc.what,
            hint=f"delete the object {artifact.key} and run the step that made it again",
            code=exc.code,
        ) from exc


class _Reader:
    """Arguments from their places in a manifest."""

    def __init__(self, workplace: Workplace) -> None:
        self._workplace = workplace

    def argument(self, tree: Mapping[str, Any], kind: Any) -> Any:
        if "artifact" in tree:
            return self._artifact(tree, kind)
        if "list" in tree:
            items = [
                self.argument(item, _item_kind(kind, place))
                for place, item in enumerate(tree["list"])
            ]
            return tuple(items) if get_origin(bare(kind)) is tuple else items
        if "dict" in tree:
            inner = _item_kind(kind, 1)
            return {key: self.argument(item, inner) for key, item in tree["dict"].items()}
        return typed(kind, tree["value"])

    def _artifact(self, tree: Mapping[str, Any], kind: Any) -> Any:
        """Read as the type that its maker declared, which may be narrower than the one asked."""
        maker = self._workplace.find(tree["from"]["step"])
        made = maker.returns[tree["from"]["output"]]
        stated = kind if bare(made) in (Any, object) else made
        value = read(Artifact.from_json(tree["artifact"]), stated, self._workplace)
        return float(value) if bare(kind) is float and isinstance(value, int) else value


def _kind(step: StepDefinition, name: str) -> Any:
    parameter = step.parameter(name)
    return Any if parameter is None else parameter.kind


def _item_kind(kind: Any, place: int) -> Any:
    """The type asked of an item of a list, a tuple or (place 1) a dictionary."""
    for member in members(kind):
        items = get_args(member)
        if items and get_origin(member) is tuple and items[-1] is not ...:
            return items[place] if place < len(items) else Any
        if len(items) == 2 and items[-1] is not ...:
            return items[1]
        if items:
            return items[0]
    return Any


def _outputs(
    step: StepDefinition, returned: Any, labels: Mapping[str, str], workplace: Workplace
) -> tuple[Artifact, ...] | Failure:
    values = returned if step.unpacks else (returned,)
    if not isinstance(values, tuple) or len(values) != len(step.returns):
        return _not_as_promised(step, returned)
    if not all(map(admits, step.returns, values)):
        return _not_as_promised(step, returned)
    try:
        return tuple(
            replace(_stored(kind, value, workplace), labels=dict(labels))
            for kind, value in zip(step.returns, values, strict=True)
        )
    except NotSupported as exc:
        return Failure("step.unstorable", f"{exc.what}: {exc.why or exc.hint}", step.where)


def _stored(kind: Any, value: Any, workplace: Workplace) -> Artifact:
    codec = workplace.codecs.for_value(kind, value)
    data = codec.encode(value)
    digest = workplace.artifacts.put(data)
    workplace.values.keep(digest, codec, value, data)
    return Artifact(digest, codec.format, len(data))


def _not_as_promised(step: StepDefinition, returned: Any) -> Failure:
    promised = ", ".join(map(describe, step.returns))
    promised = f"tuple[{promised}]" if step.unpacks else promised
    given = describe(type(returned))
    if isinstance(returned, tuple):
        given = f"tuple[{', '.join(describe(type(item)) for item in returned)}]"
    elif isinstance(returned, list) and returned:
        given = f"list[{describe(type(returned[0]))}, …]"
    return Failure("step.returned", f"promised {promised}, returned {given}", step.where)
