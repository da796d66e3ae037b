"""What the three sites do before anything is cut, by the commands that a person would type."""

import json
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from servers.process import Process
from world import SITES, World

HOME = "onprem"
"""Where the first model is trained; of the sites the first."""
MODEL = "flight-delay"

Tell = Callable[[str], None]


class CommandFailed(Exception):
    """A command said no. Shows what it said."""


class Life:
    def __init__(self, world: World, tell: Tell) -> None:
        self._world, self._tell = world, tell

    def freehold(self, site: str, *arguments: str) -> Any:
        """What the command prints with --json. Raises CommandFailed."""
        self._tell(f"{site}$ freehold {' '.join(arguments)}")
        command = [str(self._world.entrance(site)), "freehold", *arguments, "--json"]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode:
            raise CommandFailed(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
        return json.loads(done.stdout)

    def show(self, site: str, *arguments: str) -> None:
        """Lets the command print where this process does. Raises CommandFailed."""
        self._tell(f"{site}$ freehold {' '.join(arguments)}")
        command = [str(self._world.entrance(site)), "freehold", *arguments]
        done = subprocess.run(command, check=False)
        if done.returncode:
            raise CommandFailed(f"{' '.join(command)} ended with {done.returncode}")

    def begin(self, days: int | None) -> str:
        """Train at one site, release at all, meet until all know of it. Returns the version.

        `days` of flights to learn from; None for what the pipeline takes by itself.
        """
        period = [] if days is None else ["--set", f"days={days}"]
        version = self.freehold(HOME, "run", "--yes", *period)["version"]
        name = f"{MODEL}@{version['version']}"
        how = ("--strategy", "immediate", "--sites", "all", "--yes")
        self.freehold(HOME, "release", name, *how)
        self.meet((*SITES, *SITES))
        return name

    def meet(self, sites: Sequence[str]) -> list[Any]:
        return [self.freehold(site, "sync") for site in sites]

    @contextmanager
    def agents(
        self, through: Callable[[str], Mapping[str, str]] = lambda _: {}
    ) -> Iterator[Callable[[], dict[str, list[str]]]]:
        """One at each site, while the context lasts. Gives what asks them what they have said.
        Raises CommandFailed at the end if one of them had ended before.

        `through`: by site, what else is in its agent's environment.
        """
        # Without networks of their own, all three would want the same port of the machine.
        port = [] if self._world.network else ["--port", "0"]
        with ExitStack() as running:
            started = {}
            for site in SITES:
                self._tell(" ".join([f"{site}$ freehold agent", *port, "&"]))
                more = [f"{name}={value}" for name, value in through(site).items()]
                agent = ["env", *more, "freehold", "agent", *port]
                command = [str(self._world.entrance(site)), *agent]
                started[site] = Process(command, self._log(site))
                running.callback(started[site].stop)
            yield lambda: {site: one.log().splitlines() for site, one in started.items()}
            ended = [site for site, agent in started.items() if not agent.running]
            if ended:
                said = "".join(started[site].log() for site in ended)
                raise CommandFailed(f"not every agent lived: {', '.join(ended)} ended\n{said}")

    def _log(self, site: str) -> Path:
        return self._world.folder / f"agent-{site}.log"
