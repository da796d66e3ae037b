"""Environments of the peers, each its own, under `.environments/`.

`python -m benchmarks.peers.setup [PEER ...]` makes them ahead of a measurement.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENTS = ROOT / ".environments"


@dataclass(frozen=True)
class Peer:
    package: str
    version: str
    also: tuple[str, ...] = ()
    """Further requirements, with what a plain resolution gets wrong."""
    extra: str = ""

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
}


class PeerFailed(Exception):
    """A peer could not be installed or run; the text has the end of its output."""


def interpreter(name: str) -> Path:
    """The Python of a peer's environment, made when it is not there or its pins have changed."""
    peer = PEERS[name]
    folder = ENVIRONMENTS / name
    python = folder / "bin" / "python"
    stamp = folder / "requirements.txt"
    wanted = "\n".join(peer.requirements)
    if stamp.exists() and stamp.read_text() == wanted:
        return python
    uv = _uv()
    _call([uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(folder)])
    _call(
        [
            uv,
            "pip",
            "install",
            "--quiet",
            "--compile-bytecode",
            "--python",
            str(python),
            *peer.requirements,
        ]
    )
    found = installed_version(name)
    if found != peer.version:
        raise PeerFailed(f"asked for {peer.package} {peer.version}, got {found}")
    stamp.write_text(wanted)
    return python


def installed_version(name: str) -> str:
    """Read from the environment itself: a resolver may take another version than was meant."""
    package = PEERS[name].package
    question = f"from importlib.metadata import version; print(version({package!r}))"
    return _call([str(ENVIRONMENTS / name / "bin" / "python"), "-c", question]).strip()


def run(name: str, arguments: Sequence[str], *, state: Path, timeout: float = 600) -> list[Any]:
    """The JSON lines that `benchmarks.peers.<name>_runner` prints.

    `state` is where the peer's home and all of its files go. Raises PeerFailed.
    """
    command = [str(interpreter(name)), "-m", f"benchmarks.peers.{name}_runner", *arguments]
    output = _call(command, state=state, timeout=timeout)
    return [json.loads(line) for line in output.splitlines() if line.startswith("{")]


def environment(state: Path) -> dict[str, str]:
    """Variables for a peer's process: telemetry off, home and settings below `state`."""
    inherited = {k: v for k, v in os.environ.items() if k in ("PATH", "LANG", "LD_LIBRARY_PATH")}
    return inherited | {
        "PYTHONPATH": str(ROOT),
        "HOME": str(state),
        "TMPDIR": str(state),
        "XDG_CONFIG_HOME": str(state),
        "DO_NOT_TRACK": "1",
        "DAGSTER_DISABLE_TELEMETRY": "1",
        "GX_ANALYTICS_ENABLED": "false",
        "HAMILTON_TELEMETRY_ENABLED": "false",
        "PREFECT_HOME": str(state / "prefect"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_LOGGING_LEVEL": "CRITICAL",
        "PREFECT_LOGGING_TO_API_ENABLED": "false",
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
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
    for name in sys.argv[1:] or PEERS:
        interpreter(name)
        print(f"{name}: {PEERS[name].package} {installed_version(name)}")


if __name__ == "__main__":
    main()
