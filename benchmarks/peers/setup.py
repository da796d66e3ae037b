"""Environments of the peers, each its own, under `.environments/`.

`python -m benchmarks.peers.setup [PEER ...]` makes them ahead of a measurement; with `--lock` it
chooses the versions of those that are locked anew, into `requirements/peers/`.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
STAMP = "requirements.txt"
"""In an environment: what it was made of."""
ENVIRONMENTS = ROOT / ".environments"
LOCKS = ROOT / "requirements" / "peers"
LIGHTGBM = "lightgbm==4.7.0"
"""The one that ours is measured with."""


@dataclass(frozen=True)
class Peer:
    package: str
    version: str
    also: tuple[str, ...] = ()
    """Further requirements, with what a plain resolution gets wrong."""
    extra: str = ""
    locked: bool = False
    """Whether all of it is installed as `requirements/peers/NAME.txt` has it, by hash."""

    @property
    def requirements(self) -> list[str]:
        return [f"{self.package}{self.extra}=={self.version}", *self.also]


PEERS: Mapping[str, Peer] = {
    "dagster": Peer("dagster", "1.13.27"),
    # With a newer FastAPI the server of this Prefect does not start; with an older one the
    # resolver would take an older Prefect.
    "prefect": Peer("prefect", "3.8.8", ("fastapi<=0.139.2",)),
    "zenml": Peer("zenml", "0.98.0", extra="[local]"),
    "hamilton": Peer("sf-hamilton", "1.90.0"),
    # pandas 3.1 breaks what it imports.
    "gx": Peer("great_expectations", "1.24.1", ("pandas<3.1", "pyarrow<26")),
    "dvc": Peer("dvc", "3.67.1", ("dvc-s3", "dvc-azure", "dvc-gs")),
    "pandera": Peer("pandera", "0.35.0", ("polars==2.1.0",), extra="[polars]"),
    "fastapi": Peer("fastapi", "0.165.0", ("uvicorn[standard]", LIGHTGBM), locked=True),
    # Its pool of workers does not start beside a newer uvloop.
    "mlserver": Peer(
        "mlserver", "1.7.1", ("mlserver-lightgbm==1.7.1", "uvloop<0.22", LIGHTGBM), locked=True
    ),
    "mlflow": Peer("mlflow", "3.17.2", (LIGHTGBM,), locked=True),
    "bentoml": Peer("bentoml", "1.4.39", (LIGHTGBM,), locked=True),
    "ray": Peer("ray", "2.60.0", (LIGHTGBM,), extra="[serve]", locked=True),
    "litserve": Peer("litserve", "0.2.19", (LIGHTGBM,), locked=True),
}


class PeerFailed(Exception):
    """A peer could not be installed or run; the text has the end of its output."""


def interpreter(name: str) -> Path:
    """The Python of a peer's environment, made when it is not there or its pins have changed."""
    peer = PEERS[name]
    lock = LOCKS / f"{name}.txt"
    asked = ["--require-hashes", "-r", str(lock)] if peer.locked else peer.requirements
    pins = lock.read_text() if peer.locked else "\n".join(peer.requirements)
    python, is_new = made(name, pins, asked)
    if is_new and (found := installed_version(name)) != peer.version:
        (ENVIRONMENTS / name / STAMP).unlink()
        raise PeerFailed(f"asked for {peer.package} {peer.version}, got {found}")
    return python


def made(name: str, pins: str, *installs: Sequence[str]) -> tuple[Path, bool]:
    """The Python of an environment with what `uv pip install` is asked for, one after the other,
    and whether it was made now; `pins`: what it stands for, as long as that stays the same.

    Raises PeerFailed.
    """
    folder = ENVIRONMENTS / name
    python, stamp = folder / "bin" / "python", folder / STAMP
    if stamp.exists() and stamp.read_text() == pins:
        return python, False
    uv = _uv()
    _call([uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(folder)])
    install = [uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", str(python)]
    for asked in installs:
        _call([*install, *asked])
    stamp.write_text(pins)
    return python, True


def lock(name: str) -> None:
    """Raises PeerFailed."""
    path = LOCKS / f"{name}.txt"
    compiled([], PEERS[name].requirements, path)


def compiled(sources: Sequence[str], requirements: Sequence[str], path: Path) -> None:
    """Writes the requirements' lock, with hashes. `sources`: arguments of `uv pip compile`."""
    settings = ["--universal", "--python-version", "3.11", "--generate-hashes", "--upgrade"]
    quiet = ["--no-header", "--no-annotate", "--quiet", "-o", str(path)]
    with TemporaryDirectory() as place:
        asked = Path(place) / "asked.txt"
        asked.write_text("\n".join(requirements))
        _call([_uv(), "pip", "compile", *sources, str(asked), *settings, *quiet])


def installed_version(name: str) -> str:
    """Read from the environment itself: a resolver may take another version than was meant."""
    package = PEERS[name].package
    question = f"from importlib.metadata import version; print(version({package!r}))"
    return _call([str(ENVIRONMENTS / name / "bin" / "python"), "-c", question]).strip()


def run(name: str, arguments: Sequence[str], *, state: Path, timeout: float = 600) -> list[Any]:
    """The JSON lines that `benchmarks.peers.<name>_runner` prints.

    `state` is where the peer's home and all of its files go. Raises PeerFailed.
    """
    output = prepared(
        name, f"benchmarks.peers.{name}_runner", arguments, state=state, timeout=timeout
    )
    return [json.loads(line) for line in output.splitlines() if line.startswith("{")]


def prepared(
    name: str, module: str, arguments: Sequence[str], *, state: Path, timeout: float = 600
) -> str:
    """What a module prints in the peer's environment. Raises PeerFailed."""
    command = [str(interpreter(name)), "-m", module, *arguments]
    return _call(command, state=state, timeout=timeout)


def environment(state: Path) -> dict[str, str]:
    """Variables for a peer's process: telemetry off, home and settings below `state`."""
    inherited = {k: v for k, v in os.environ.items() if k in ("PATH", "LANG", "LD_LIBRARY_PATH")}
    return inherited | {
        "PYTHONPATH": str(ROOT),
        "HOME": str(state),
        "TMPDIR": str(state),
        "XDG_CONFIG_HOME": str(state),
        "DO_NOT_TRACK": "1",
        "BENTOML_DO_NOT_TRACK": "True",
        "DAGSTER_DISABLE_TELEMETRY": "1",
        "GX_ANALYTICS_ENABLED": "false",
        "HAMILTON_TELEMETRY_ENABLED": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "PREFECT_HOME": str(state / "prefect"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_LOGGING_LEVEL": "CRITICAL",
        "PREFECT_LOGGING_TO_API_ENABLED": "false",
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
        "RAY_USAGE_STATS_ENABLED": "0",
        "ZENML_ANALYTICS_OPT_IN": "false",
        "ZENML_CONFIG_PATH": str(state / "zenml"),
        "ZENML_LOGGING_VERBOSITY": "CRITICAL",
        "AUTO_OPEN_DASHBOARD": "false",
    }


def _uv() -> str:
    beside = Path(sys.executable).with_name("uv")
    uv = str(beside) if beside.exists() else shutil.which("uv")
    if uv is None:
        raise PeerFailed("uv is not installed: pip install uv")
    return uv


def _call(command: list[str], *, state: Path | None = None, timeout: float = 600) -> str:
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=timeout,
            cwd=state,
            env=None if state is None else environment(state),
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise PeerFailed(f"{command[:3]} took more than {timeout} s") from error
    if done.returncode != 0:
        raise PeerFailed(f"{command[:3]} ended with {done.returncode}: {done.stderr[-2000:]}")
    return done.stdout


def main() -> None:
    names = [name for name in sys.argv[1:] if name != "--lock"]
    if "--lock" in sys.argv[1:]:
        for name in names or [name for name, peer in PEERS.items() if peer.locked]:
            lock(name)
        return
    for name in names or PEERS:
        interpreter(name)
        print(f"{name}: {PEERS[name].package} {installed_version(name)}")


if __name__ == "__main__":
    main()
