"""Three sites on one machine: `up`, `down`, `drill`. README.md says what they show."""

import contextlib
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# The stores are servers of the tests; nothing else of the tests is used.
sys.path.append(str(Path(__file__).resolve().parents[2] / "tests"))

import click
from drills import Drills, show_agent
from life import CommandFailed, Life
from servers.namespaces import NetworkFailed
from servers.process import ServerFailed
from world import SITES, World, standing

from freehold.domain.errors import FreeholdError

PID = "running.pid"
DRILLS = ("offline", "rebuild", "exit")
SHORT_DAYS = 30
_SECONDS_TO_END = 60.0

into = click.option(
    "--into", type=click.Path(path_type=Path), default=Path("three-sites"), show_default=True,
    help="Folder of the sites.",
)  # fmt: skip
store = click.option(
    "--store", type=click.Choice(["moto", "ceph"]), default="moto", show_default=True,
    help="What answers S3. Ceph is the real thing; make test-servers CEPH=1 installs it.",
)  # fmt: skip
whole = click.option("--whole", is_flag=True, help="Learn from three months, not from 30 days.")


@click.group()
def main() -> None:
    """Three sites on one machine, each with its own network where the machine allows."""


@main.command()
@into
@store
@whole
@click.option("--bare", is_flag=True, help="Train and release nothing: do it yourself.")
def up(into: Path, store: str, whole: bool, bare: bool) -> None:
    """Stand up the sites, with an agent at each, until Ctrl-C or `down`."""
    folder = into.absolute()
    with _standing(folder, store) as (world, life):
        version = "" if bare else life.begin(None if whole else SHORT_DAYS)
        with life.agents():
            serves = f"{version} serves" if version else "nothing serves yet"
            _tell(f"{serves} at {', '.join(SITES)}. In another terminal:")
            for site in SITES:
                _tell(f"  {world.entrance(site)} freehold status")
            _tell(f"  {world.entrance('aws')} bash        a shell at a site")
            _tell(f"Ctrl-C, or: python {Path(__file__)} down --into {into}")
            signal.pause()


@main.command()
@into
def down(into: Path) -> None:
    """End what `up` stands up in this folder."""
    told = into.absolute() / PID
    pid = int(told.read_text()) if told.exists() else 0
    if not pid or Path(__file__).name not in _command_of(pid):
        raise click.ClickException(f"nothing is up in {into}")
    os.kill(pid, signal.SIGTERM)
    until = time.monotonic() + _SECONDS_TO_END
    while _command_of(pid) and time.monotonic() < until:
        time.sleep(0.1)
    if _command_of(pid):
        raise click.ClickException(f"process {pid} does not end; it says why in its terminal")
    _tell(f"down; the checkouts stay in {into}")


@main.command()
@into
@store
@whole
@click.option(
    "--which", type=click.Choice([*DRILLS, "all"]), default=DRILLS[0], show_default=True,
    help="offline: cut a site off. rebuild: run the pipeline anew on the other sites' stores."
    " exit: leave with everything.",
)  # fmt: skip
@click.option("--cut", type=click.Choice(SITES), default="onprem", show_default=True)
@click.option("--hours", type=float, default=48.0, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print what came of it as JSON.")
@click.option("--keep", is_flag=True, help="Leave the sites' checkouts in --into.")
def drill(
    into: Path,
    store: str,
    whole: bool,
    which: str,
    cut: str,
    hours: float,
    as_json: bool,
    keep: bool,
) -> None:
    """Stand up the sites, do a drill on them or all three, show what came of it."""
    asked = DRILLS if which == "all" else (which,)
    told: dict[str, Any] = {}
    with _folder(into if keep else None) as folder, _standing(folder, store) as (world, life):
        version = life.begin(None if whole else SHORT_DAYS)
        drills = Drills(world, life, _tell, quiet=as_json)
        with contextlib.closing(drills), life.agents(drills.agent_environment) as agents:
            if "offline" in asked:
                told["offline"] = drills.offline(cut, hours)
                if not as_json:
                    show_agent(cut, agents()[cut])
            if "rebuild" in asked:
                told["rebuild"] = drills.rebuild()
            if "exit" in asked:
                told["exit"] = drills.exit(folder / "left")
                if not keep:
                    _tell("that folder goes with this run; --keep leaves it")
            said = agents()
    if as_json:
        network = world.network is not None
        told["example"] = {"version": version, "network": network, "agents": said}
        click.echo(json.dumps(told, indent=2))


@contextlib.contextmanager
def _folder(kept: Path | None) -> Iterator[Path]:
    if kept is not None:
        yield kept.absolute()
        return
    with tempfile.TemporaryDirectory(prefix="three-sites-") as folder:
        yield Path(folder) / "sites"


@contextlib.contextmanager
def _standing(folder: Path, kind: str) -> Iterator[tuple[World, Life]]:
    """A signal to end ends it in order."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with standing(folder, kind) as world:
        told = folder / PID
        told.write_text(str(os.getpid()))
        try:
            if world.obstacle:
                _tell(f"without networks of their own: {world.obstacle}")
            yield world, Life(world, _tell)
        finally:
            told.unlink()


def _command_of(pid: int) -> str:
    """Empty if there is no such process."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


def _tell(line: str) -> None:
    click.echo(line, err=True)


if __name__ == "__main__":
    try:
        main()
    except (CommandFailed, NetworkFailed, ServerFailed, FreeholdError) as failure:
        _tell(str(failure))
        sys.exit(1)
