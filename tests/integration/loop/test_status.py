"""A release as the terminal draws it, once and as it moves."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from rich.console import Console

from freehold.app.release import orders
from freehold.app.release.release import plan_release, release
from freehold.app.release.status import release_status
from freehold.cli import drawing, release_drawing
from freehold.domain.errors import NotFound

FEWEST = 300


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> Callable[[Any], str]:
    """What is drawn of a loop's releases, with room for whole lines."""
    monkeypatch.setattr(drawing, "console", lambda: Console(width=160, highlight=False))

    def draw(loop: Any) -> str:
        capsys.readouterr()
        release_drawing.draw(release_status(loop.site))
        return str(capsys.readouterr().out)

    return draw


def test_where_it_stands_what_is_seen_and_what_comes_next(loop: Any, drawn: Any) -> None:
    loop.release(2)
    loop.canary(2, FEWEST - 100)
    loop.turn()
    told = drawn(loop)
    assert "release delay/2: delay@2 beside 1, canary, running" in told
    assert "██░" in told and "[5 %] → 25 % → 100 %" in told
    assert "this step: 200 rows, 0 failed; of 300 rows" in told
    (row,) = [line for line in told.splitlines() if "error-rate" in line]
    assert "┃" in row and " to " in row
    assert "latency-ratio p50" in told
    loop.canary(2, 100, seed=1)
    loop.turn()
    assert "5 % → [25 %] → 100 %" in drawn(loop)
    orders.pause(loop.site, "delay")
    told = drawn(loop)
    assert "canary, paused" in told and "held: paused" in told
    orders.roll_back(loop.site, "delay")
    assert "rolled-back, person" in drawn(loop)


def test_what_holds_it_and_until_when(loop_of: Any, drawn: Any) -> None:
    loop = loop_of("release: {freeze: {dates: [2026-01-01 - 2026-01-31]}}\n")
    release(loop.site, plan_release(loop.site, "delay@2", despite_freeze=True))
    expected = "held: frozen by dates 2026-01-01 - 2026-01-31, until 2026-02-01T00:00+00:00"
    assert expected in drawn(loop)


def test_sites_and_trials_are_drawn(loop_of: Any, drawn: Any, world: Any) -> None:
    loop = loop_of("release: {metrics: {revenue: {drop: 5}}, ab_test: {metric: revenue}}\n")
    release(loop.site, plan_release(loop.site, "delay@2", "blue-green"))
    told = drawn(loop)
    assert "sites: local not ready" in told and "0 of 1 sites are ready" in told
    orders.roll_back(loop.site, "delay")
    release(loop.site, plan_release(loop.site, "delay@2", "ab-test"))
    assert "trial of revenue: not known yet; not told yet" in drawn(loop)


def test_it_is_drawn_anew_until_nothing_is_released(loop: Any, drawn: Any, capsys: Any) -> None:
    loop.release(2)

    def looks() -> Iterator[Any]:
        yield release_status(loop.site)
        orders.promote(loop.site, orders.plan_promotion(loop.site, "delay"))
        yield release_status(loop.site)
        orders.promote(loop.site, orders.plan_promotion(loop.site, "delay", full=True))
        yield release_status(loop.site)

    capsys.readouterr()
    release_drawing.watch(looks().__next__, every=0.0)
    told = capsys.readouterr().out
    assert "canary, completed" in told and "100 %" in told


def test_where_nothing_was_released(loop: Any) -> None:
    with pytest.raises(NotFound) as caught:
        release_status(loop.site, "other")
    assert caught.value.code == "release.not-found"


def test_the_steps_of_the_region_that_moves_are_drawn(loop_of: Any, drawn: Any) -> None:
    places = "".join(f"  {n}: {{store: {{at: 'file:///nowhere/{n}'}}}}\n" for n in ("local", "far"))
    loop = loop_of(f"sites:\n{places}release: {{by_region: true, steps: [10, 100]}}\n")
    release(loop.site, plan_release(loop.site, "delay@2", sites=("local", "far")))
    for _ in range(2):
        loop.canary(2, FEWEST)
        assert "sites: local" in drawn(loop)
        loop.clock.pass_seconds(3600)
        loop.turn()
    told = drawn(loop)
    assert "[10 %] → 100 %" in told and "100 % →" not in told
    assert "sites: local → far" in told
    assert release_status(loop.site)["releases"][0]["driver"] == "far"
