"""One turn of the loop: collect what was asked, move the release, measure, propose, act."""

from collections.abc import Callable
from dataclasses import dataclass

from freehold.app.loop.act import Acted, act
from freehold.app.loop.canary import Move, confirm_back, move_release, spoken
from freehold.app.loop.turns import LoopBusy, turn
from freehold.app.loop.watch import watch
from freehold.app.release.objective import watch_objective
from freehold.app.release.serving_folder import publish
from freehold.app.site.opening import Site
from freehold.app.traffic.events import collect_events
from freehold.app.traffic.requests import collect
from freehold.domain.signal import OF_MONEY, Signal, figure_of, measured

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Turn:
    """What one turn saw and did."""

    files: int
    """New files of the request log."""
    move: Move | None
    signals: tuple[Signal, ...]
    acted: Acted | None


def advance(site: Site, model: str, tell: Tell = lambda _: None, wait: bool = False) -> Turn:
    """Idempotent where nothing new was asked. Each part's facts are appended before the next.

    Raises LoopBusy when another process turns this loop, after waiting if told to.
    """
    with turn(site, model, wait):
        return _advance(site, model, tell)


def carry_out(site: Site, model: str, tell: Tell) -> Acted | None:
    """Act on what is approved, now; None if another process turns the loop, and so will do it."""
    try:
        with turn(site, model):
            return act(site, model, tell)
    except LoopBusy:
        return None


def _advance(site: Site, model: str, tell: Tell) -> Turn:
    # A crash between a release's fact and its table is mended here.
    publish(site, model)
    collect_events(site)
    files = collect(site, model, tell)
    move = move_release(site, model)
    if move is not None and move.is_news:
        tell(spoken(move))
    confirm_back(site, model)
    signals = (*watch_objective(site, model), *watch(site, model))
    for signal in signals:
        tell(said(signal))
    acted = act(site, model, tell)
    return Turn(files, move, signals, acted)


def said(signal: Signal) -> str:
    """One line for people."""
    about = measured(signal.kind, signal.feature)
    value, limit = (figure_of(signal.kind, one) for one in (signal.value, signal.limit))
    figures = f"{value} over {limit}"
    if signal.kind == "cost-anomaly":
        of = f" of {signal.model}" if signal.model else ""
        usual = f"{signal.value:.2f} {signal.feature} instead of {signal.limit:.2f}"
        return f"{signal.severity}: {signal.kind}, {about}{of}, {usual}, on {signal.window.end}"
    if signal.kind in OF_MONEY:
        return f"{signal.severity}: {signal.kind}, {about}, {figures}, by {signal.window.end}"
    days = f"{signal.window.start} to {signal.window.end}"
    return f"{signal.severity}: {signal.kind} of {about}, {figures}, {days}"
