"""The reconcile loop: what is approved is carried out, and what is released moves on.

The agent's loop, one turn after the other, in a thread beside the answers. A turn is taken under
the model's lock, so that console, agent and endpoint of one state never turn together; and a turn
that is cut off, wherever that was, is gone on with by the next one, whoever takes it.
"""

import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from threading import Event, Thread
from typing import Any, Literal

from freehold.app.loop.advance import advance
from freehold.app.loop.turns import LoopBusy
from freehold.app.release.serving_folder import publish
from freehold.app.site.opening import Site
from freehold.console.opened import OpenedSite
from freehold.domain.errors import FreeholdError

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Standing:
    """What came of the last turn."""

    turns: Literal["this console", "another process", "not here", "nothing to turn"] = "not here"
    at: int = 0
    """When, in microseconds since 1970 UTC; 0 before the first."""
    failure: str = ""
    """Code of what ended the last turn; empty if it went well."""
    text: str = ""
    """The failure, as a command prints it."""

    def as_json(self) -> dict[str, Any]:
        return {"shape": 1, "loop": {"at": self.at, "failure": self.failure, "turns": self.turns}}


class Loop:
    def __init__(self, opened: OpenedSite, tell: Tell, every: float) -> None:
        """`every`: seconds between two turns."""
        self._opened, self._tell, self._every = opened, tell, every
        self._stopping = Event()
        self._thread = Thread(target=self._run, name="loop", daemon=True)
        self.standing = Standing()

    def start(self) -> None:
        self._thread.start()

    def stop(self, patience: float) -> bool:
        """Whether the turn under way has ended within `patience` seconds."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(patience)
        return not self._thread.is_alive()

    def turn(self) -> None:
        """One turn. A failure is told when it is news, and does not end the turns that follow."""
        try:
            turns: Any = self._opened.use(self._turned)
            told = Standing(turns)
        except LoopBusy:
            told = Standing("another process")
        except FreeholdError as error:
            told = Standing("this console", failure=error.code, text=str(error))
        except Exception:  # noqa: BLE001 - a bug of ours must not end the turns that follow
            text = traceback.format_exc()
            told = Standing("this console", failure="freehold.bug", text=text)
        if told.text and told.text != self.standing.text:
            self._tell(told.text)
        elif self.standing.failure and not told.failure:
            self._tell("loop: it works again")
        self.standing = replace(told, at=self._opened.site.clock())

    def _turned(self, site: Site) -> str:
        spec = site.project.spec.endpoint
        if spec is None or publish(site, spec.model) is None:
            return "nothing to turn"
        advance(site, spec.model, self._tell)
        return "this console"

    def _run(self) -> None:
        while not self._stopping.is_set():
            self.turn()
            self._stopping.wait(self._every)
