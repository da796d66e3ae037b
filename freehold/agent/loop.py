"""`freehold agent`: one turn after the other, whatever fails.

A turn: meet the others in the stores; do one work that was asked of this site; put what is
released into the serving folder, keep the endpoint up, turn the model's loop; meter what was
used; meet again if anything was recorded. What a turn leaves undone, wherever it was cut off, the
next one does.
"""

import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from threading import Lock

from freehold.agent.endpoint_keeper import EndpointKeeper
from freehold.agent.events import Event, Notices, Tell
from freehold.agent.stopping import Interrupted, Stopping
from freehold.app.costs.budgets import standings, today_of
from freehold.app.costs.meter import meter
from freehold.app.costs.watch import watch_costs
from freehold.app.loop.advance import advance, said
from freehold.app.loop.turns import LoopBusy
from freehold.app.release.serving_folder import publish
from freehold.app.site.exchange import Exchanged
from freehold.app.site.opening import Site
from freehold.app.work.claim import Claimed, Claims, give_back
from freehold.app.work.perform import Performed, perform
from freehold.app.work.perform_step import perform_step
from freehold.app.work.renewal import Renewal
from freehold.domain.errors import Conflict, FreeholdError

LOG_LEFT = "ledger.other-writer"
EVERY = 5.0
LOCK = "agent"
Exchange = Callable[[Site], Exchanged]


@dataclass(frozen=True)
class Surroundings:
    """What an agent works with."""

    site: Site
    claims: Claims
    exchange: Exchange | None
    """None where the project has one site."""
    tell: Tell
    stopping: Stopping = field(default_factory=Stopping)
    endpoint: EndpointKeeper | None = None


@dataclass
class Turn:
    """What one turn did."""

    received: int = 0
    published: int = 0
    performed: Performed | None = None
    failures: list[str] = field(default_factory=list)
    """Codes of errors that ended a part of it."""


class Agent:
    def __init__(self, world: Surroundings) -> None:
        self._world, self._site, self._tell = world, world.site, world.tell
        self._notices = Notices(world.tell)
        self._published: tuple[str, int] = ("", 0)
        self._meeting = Lock()
        self._watched: date | None = None
        """The day on which costs were looked at last."""

    def run(self, every: float = EVERY) -> None:
        """Until asked to stop. Raises Conflict: `agent.running` if there is one already, LOG_LEFT
        when the site goes on in another log and has to be opened again."""
        stopping = self._world.stopping
        with self._alone():
            try:
                while not stopping.asked:
                    turn = self._turn()
                    if turn.performed is None:
                        stopping.rest(every)
            except Interrupted:
                self._tell(Event("agent.stopping", "stopping; what is recorded stands"))
            finally:
                if self._world.endpoint is not None:
                    self._world.endpoint.stop()

    def once(self) -> Turn:
        """One turn; the endpoint stays as it is. Raises Conflict `agent.running`."""
        with self._alone():
            try:
                return self._turn()
            except Interrupted:
                return Turn(failures=["agent.stopped"])

    @contextmanager
    def _alone(self) -> Iterator[None]:
        held = self._site.locks.take(LOCK)
        if held is None:
            raise Conflict(
                f"an agent of site {self._site.name} is running here already",
                why="it holds the lock of this state folder",
                hint="stop that one first, or give this one a state of its own, in another"
                " checkout",
                code="agent.running",
            )
        try:
            yield
        finally:
            held.release()

    def _turn(self) -> Turn:
        turn = Turn()
        self._meet(turn)
        for name, act in (("work", lambda: self._work(turn)), ("release", self._keep_released)):
            if not self._world.stopping.asked:
                self._part(turn, name, act)
        self._part(turn, "metering", self._meter)
        if self._own_log() != self._published:
            self._meet(turn)
        return turn

    def _part(self, turn: Turn, name: str, act: Callable[[], None]) -> None:
        """A part that fails is told, when that is news, and the others go on."""
        try:
            act()
        except LoopBusy:
            return
        except FreeholdError as error:
            if error.code == LOG_LEFT:
                raise
            self._failed(turn, name, error.code, str(error))
        except Exception:  # noqa: BLE001 - a bug of ours must not end the turns that follow
            self._failed(turn, name, "freehold.bug", traceback.format_exc())
        else:
            self._notices.ended(name, Event("part.recovered", f"{name}: it works again"))

    def _failed(self, turn: Turn, part: str, code: str, text: str) -> None:
        turn.failures.append(code)
        self._notices.stands(part, text, Event("part.failed", text, {"part": part, "code": code}))

    def _meet(self, turn: Turn | None = None) -> None:
        exchange = self._world.exchange
        if exchange is None:
            return
        turn = turn or Turn()

        def meet() -> None:
            done = exchange(self._site)
            turn.received += done.received
            turn.published += done.published
            self._published = self._own_log()
            self._tell_met(done)

        with self._meeting:
            self._part(turn, "exchange", meet)

    def _tell_met(self, done: Exchanged) -> None:
        if not done.quiet:
            copied = done.copied
            text = f"{done.received:,} entries received, {done.published:,} published"
            if copied.fetched or copied.sent:
                text += f", {copied.fetched:,} artifacts fetched, {copied.sent:,} left for others"
            moved = copied.fetched or copied.sent or done.conflicts or done.continued_as
            self._tell(Event("exchanged", text, done.as_json(), routine=not moved))
        stores = ", ".join(sorted(done.unreachable))
        if stores:
            text = f"not reached: {stores}; what happens here goes with a later exchange"
            event = Event("store.unreachable", text, {"stores": done.unreachable})
            self._notices.stands("stores", stores, event)
        else:
            self._notices.ended("stores", Event("store.reached", "all stores are reached again"))
        odd = sorted({f"{one.writer} [{one.kind}]" for one in done.faults})
        odd += sorted(f"{one.writer} [not believed]" for one in done.strangers)
        if odd:
            text = f"not taken: {', '.join(odd)}; `freehold sync` says more"
            self._notices.stands("logs", text, Event("log.refused", text, {"logs": odd}))
        else:
            self._notices.ended("logs")

    def _work(self, turn: Turn) -> None:
        claims = self._world.claims
        claimed = claims.next()
        if claims.waiting:
            text = f"parameters that are text have not come yet: {', '.join(claims.waiting)}"
            self._notices.stands("parameters", text, Event("work.waiting", text))
        else:
            self._notices.ended("parameters")
        if claims.lacking:
            text = f"what steps read has not come yet: {', '.join(claims.lacking)}"
            self._notices.stands("inputs", text, Event("work.lacking", text))
        else:
            self._notices.ended("inputs")
        if claimed is None:
            return
        self._tell(_claimed(claimed))
        turn.performed = done = self._perform(claimed)
        self._tell(Event("work.completed", _ended(done), done.as_json()))

    def _perform(self, claimed: Claimed) -> Performed:
        site, stopping = self._site, self._world.stopping
        say = self._said("work.progress")
        self._meet()
        try:
            with Renewal(site, claimed, self._meet, say):
                around, step = stopping.breakable(), claimed.work.step
                if step is None:
                    return perform(site, claimed, around=around, meet=self._meet, tell=say)
                return perform_step(site, claimed, step, around=around, meet=self._meet, tell=say)
        except Interrupted:
            if give_back(site, claimed):
                text = f"work {claimed.work.name} is given back, unfinished"
                self._tell(Event("work.released", text, {"work": claimed.work.name}))
            self._meet()
            raise

    def _keep_released(self) -> None:
        spec = self._site.project.spec.endpoint
        if spec is None or publish(self._site, spec.model) is None:
            return
        if self._world.endpoint is not None:
            self._world.endpoint.keep()
        with self._world.stopping.breakable():
            advance(self._site, spec.model, self._said("loop"))

    def _meter(self) -> None:
        done, today = meter(self._site), today_of(self._site)
        if done is not None or today != self._watched:
            for signal in watch_costs(self._site, standings(self._site), today):
                self._tell(Event("signal", said(signal), signal.as_json()))
            self._watched = today
        if done is not None and done.rows:
            money = ", ".join(f"{sum_:.2f} {currency}" for currency, sum_ in done.money.items())
            text = f"{done.rows} rows of usage metered: {money}"
            if done.unpriced:
                text += f"; of {done.unpriced} the price is not known"
            text = "; ".join((text, *done.warnings))
            self._tell(Event("usage.metered", text, routine=True))

    def _said(self, kind: str) -> Callable[[str], None]:
        return lambda text: self._tell(Event(kind, text))

    def _own_log(self) -> tuple[str, int]:
        ledger = self._site.ledger
        writer = ledger.writer
        return writer, next((log.size for log in ledger.logs() if log.writer == writer), 0)


def _claimed(claimed: Claimed) -> Event:
    work, lease = claimed.work, claimed.lease
    how = "goes on" if claimed.continued else "taken over" if claimed.taken_over else "taken"
    what = f"pipeline {work.pipeline}" if work.step is None else f"step {work.step.step}"
    text = f"work {work.name} {how}: {what}, fence {lease.fence}"
    return Event("work.claimed", text, {"work": work.name, "fence": lease.fence, "how": how})


def _ended(done: Performed) -> str:
    made = f", version {done.version}" if done.version is not None else ""
    why = f" [{done.code}]" if done.code else ""
    other = "" if done.accepted else "; another completion was accepted"
    return f"work {done.work} {done.status}{why}{made}, run {done.run or 'none'}{other}"
