"""Where the processes of a drill's sites run, and what cuts them off.

Laws
- A cut is real: while it lasts, the site's processes reach nothing outside the site over the
  network, and nothing outside reaches what is at the site. They go on running.
- Healed, everything is reached as before, by the same processes.
- Folders on the machine's own disk are no network: the drill cuts those itself.
- Nothing is left behind after `close`, whatever happened before.
"""

import os
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence


class Places(ABC):
    @abstractmethod
    def start(
        self, site: str, command: Sequence[str], environment: Mapping[str, str]
    ) -> "subprocess.Popen[str]":
        """A process at this site, as `spawn` starts one. Its children are at the site, too.

        `environment`: what is set besides this process's own.
        """

    @abstractmethod
    def cut(self, site: str) -> None:
        """What is sent to it or by it is dropped: a rejection would sound like the peer's own."""

    @abstractmethod
    def heal(self, site: str) -> None:
        """Of a site that is not cut: nothing."""

    @abstractmethod
    def close(self) -> None:
        """The processes have ended by then. Idempotent."""


def spawn(command: Sequence[str], environment: Mapping[str, str]) -> "subprocess.Popen[str]":
    """Text pipes for standard input and output; standard error is this process's."""
    return subprocess.Popen(
        list(command),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, **environment},
        text=True,
        encoding="utf-8",
    )
