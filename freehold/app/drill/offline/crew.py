"""The twins' processes, as the drill talks to them."""

import json
import subprocess
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from freehold.domain.errors import Failed

GRACE = 30.0
"""Seconds that a process may take to end by itself."""


class Member:
    """A twin's process."""

    def __init__(self, site: str, process: "subprocess.Popen[str]") -> None:
        self.site, self._process = site, process
        self._orders = 0
        self.pids: set[int] = set()
        """Of all processes that ever answered: one, unless the process was replaced."""
        self.endpoints: set[int] = set()
        """Of all endpoints that ever answered there."""

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def tell(self, do: str, **more: Any) -> None:
        assert self._process.stdin is not None
        self._orders += 1
        order = {"do": do, "number": self._orders, **more}
        with suppress(BrokenPipeError):  # that it has ended is found out by who listens
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()

    def hear(self) -> dict[str, Any]:
        """Raises Failed: `drill.process-ended`, or the error that the process met."""
        said: dict[str, Any] = {}
        while said.get("number") != self._orders:  # an answer that nobody stayed to hear
            said = self._line()
        self.pids.add(said["pid"])
        if error := said.get("error"):
            raise Failed(
                f"at {self.site}: {error['what']}",
                why=error["because"],
                hint=error["hint"],
                code=error["code"],
            )
        if said.get("endpoint"):
            self.endpoints.add(said["endpoint"])
        return said

    def _line(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise Failed(
                f"the process of {self.site} has ended",
                why=f"with {self._process.wait()}; what it printed stands above",
                hint="mend what it says and repeat the drill",
                code="drill.process-ended",
            )
        said: dict[str, Any] = json.loads(line)
        return said

    def ask(self, do: str, **more: Any) -> dict[str, Any]:
        self.tell(do, **more)
        return self.hear()

    def end(self) -> None:
        """It ends when its standard input does."""
        with suppress(BrokenPipeError):
            if self._process.stdin is not None:
                self._process.stdin.close()
        try:
            self._process.wait(GRACE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()


class Crew:
    def __init__(self, members: Iterable[Member]) -> None:
        self._members = {one.site: one for one in members}

    def __getitem__(self, site: str) -> Member:
        return self._members[site]

    @property
    def sites(self) -> tuple[str, ...]:
        return tuple(self._members)

    def ask(
        self, do: str, sites: Iterable[str] | None = None, **more: Any
    ) -> dict[str, dict[str, Any]]:
        """All at the same time; by site."""
        asked = [self._members[site] for site in (self.sites if sites is None else sites)]
        for one in asked:
            one.tell(do, **more)
        heard, failed = {}, []
        for one in asked:
            try:
                heard[one.site] = one.hear()
            except Failed as error:
                failed.append(error)
        if failed:
            raise failed[0]
        return heard

    def end(self) -> None:
        for one in self._members.values():
            one.end()
