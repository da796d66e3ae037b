"""What answers from a package, chosen where the bundle is made and named in it."""

import json
import runpy
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from freehold.app import adapters
from freehold.domain.embedded import EMBEDDED
from freehold.domain.errors import NotSupported
from freehold.domain.package import REQUIREMENTS
from freehold.ports.model_runtime import ModelRuntime, UsesEnvironment

PORT = "model_runtime"
ISOLATED, MLFLOW = "isolated", "mlflow"
SOURCE_OF_RUN = "freehold/endpoint/edge/launch.py"
"""What a bundle's `run` is; it imports the standard library alone."""
_ASKED = """\
import json, runpy, sys
python = runpy.run_path(sys.argv[1])["this_python"]()
print(json.dumps({"paths": [p for p in sys.path if p], "python": python}))
"""


@dataclass(frozen=True)
class Answering:
    runtimes: tuple[str, ...]
    """Names of adapters, that which loads the package first."""
    requires: tuple[str, ...]
    """Distributions that the package requires, where its own code runs in a process of ours."""
    environment: "ModelEnvironment | None"


@dataclass(frozen=True)
class ModelEnvironment:
    """What models find in an environment that is not Freehold's."""

    paths: tuple[str, ...]
    """In which its interpreter looks."""
    modules: tuple[str, ...]
    requires: tuple[str, ...]


def answering_of(payload: Path, asked: str = "") -> Answering:
    """By `asked`, the name of a runtime; empty: the embedded one.

    Raises AdapterMissing, IntegrityError; NotSupported `bundle.runtime` for a model whose
    environment has another Python.
    """
    made: ModelRuntime = adapters.load(PORT, asked or EMBEDDED[PORT])()
    names = made.needs(payload)
    runtimes = [adapters.load(PORT, name) for name in names]
    apart = [one() for one in runtimes if issubclass(one, UsesEnvironment)]
    return Answering(
        names,
        _required(payload) if ISOLATED in names else (),
        _environment(payload, apart) if apart else None,
    )


def _environment(payload: Path, runtimes: Sequence[UsesEnvironment]) -> ModelEnvironment:
    # They are all of one setting.
    interpreter = runtimes[0].interpreter
    paths, python = _said(interpreter)
    if python != this_python():
        there, here = (" ".join(one.values()) for one in (python, this_python()))
        raise NotSupported(
            "this model answers by another Python than this one",
            why=f"{interpreter} is {there}, and this is {here}; a bundle is started by one",
            hint="make it with a Freehold that is installed for the Python of the model",
            code="bundle.runtime",
        )
    modules = dict.fromkeys(module for one in runtimes for module in one.imports(payload))
    required = _required(payload) if any(one.runs_code for one in runtimes) else ()
    return ModelEnvironment(paths, tuple(modules), required)


def _said(interpreter: str) -> tuple[tuple[str, ...], Mapping[str, str]]:
    """In which folders it looks, and what it is. Raises NotSupported `bundle.runtime`."""
    try:
        done = subprocess.run(
            [interpreter, "-I", "-c", _ASKED, str(own_root() / SOURCE_OF_RUN)],
            check=True,
            capture_output=True,
            text=True,
        )
        told = json.loads(done.stdout)
        return tuple(told["paths"]), told["python"]
    except (OSError, subprocess.CalledProcessError, ValueError, KeyError, TypeError) as exc:
        raise NotSupported(
            f"{interpreter} does not say what it has",
            why=str(exc),
            hint="name the interpreter of the model's environment: FREEHOLD_MODEL_PYTHON",
            code="bundle.runtime",
        ) from exc


def _required(payload: Path) -> tuple[str, ...]:
    """Names of distributions that code of the package needs: MLflow, which every package names for
    those who load it by that, only if the code speaks of it. Raises NotSupported `bundle.runtime`
    for what names none."""
    path = payload / REQUIREMENTS
    speaks = any(MLFLOW in one.read_text(errors="replace") for one in payload.rglob("*.py"))
    found = []
    for line in path.read_text().splitlines() if path.is_file() else ():
        text = line.partition("#")[0].strip()
        if not text:
            continue
        try:
            wanted = Requirement(text)
        except InvalidRequirement as exc:
            raise NotSupported(
                f"the package requires what has no name: {text}",
                why=str(exc).splitlines()[0],
                hint="name distributions in its requirements.txt",
                code="bundle.runtime",
            ) from exc
        name = canonicalize_name(wanted.name)
        if (wanted.marker is None or wanted.marker.evaluate()) and (speaks or name != MLFLOW):
            found.append(name)
    return tuple(dict.fromkeys(found))


def this_python() -> Mapping[str, str]:
    """As `run` compares it with the interpreter that starts it: by the very same lines."""
    found: Mapping[str, str] = runpy.run_path(str(own_root() / SOURCE_OF_RUN))["this_python"]()
    return found


def own_root() -> Path:
    """The folder that our package lies in."""
    return Path(adapters.__file__).parents[2]
