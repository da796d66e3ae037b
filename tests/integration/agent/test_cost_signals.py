"""What the agent's turn says of costs: a budget that nears its limit, a day far off its own."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from freehold.app.site.opening import Site
from freehold.domain.fact import Draft
from freehold.monitoring.proposals import signals_of

SECOND = 1_000_000
DAY = 86_400 * SECOND
SPENDING = """\
budgets:
  month: {limit: 10, warn: 0.5}
"""


class Clock:
    """Of next year: a ledger's time never goes back, and the world's sites were opened today."""

    def __init__(self) -> None:
        self.begin = datetime(datetime.now(UTC).year + 1, 9, 20, 9, tzinfo=UTC)
        self.now = int(self.begin.timestamp()) * SECOND

    def __call__(self) -> int:
        self.now += 1
        return self.now


@pytest.fixture
def machine(world: Any) -> Any:
    """At a price of 1 an hour."""
    found = world["onprem"]
    file = found.root / "freehold.yaml"
    text = file.read_text().replace(
        "onprem: {store:", "onprem: {machines: {box: {cpus: 1, memory: 1 GiB, price: 1}}, store:"
    )
    file.write_text(text + SPENDING)
    return found


def spend(site: Site, hours: float) -> None:
    body = {
        "cached": False, "components": {}, "function": "f", "inputs": [], "outputs": [],
        "key": str(site.clock()), "microseconds": int(hours * 3600 * SECOND), "run": "r",
        "step": "s",
    }  # fmt: skip
    site.ledger.append([Draft("step.finished", body)])


def said(machine: Any) -> list[str]:
    """Kinds of the signals that the agent told."""
    return [event.detail["kind"] for event in machine.events if event.kind == "signal"]


def test_a_turn_tells_once_that_a_budget_nears_its_limit_and_that_it_is_passed(
    machine: Any,
) -> None:
    clock = Clock()
    with machine.open(clock) as site:
        agent = machine.agent(site)
        spend(site, 4)
        assert agent.once().failures == [] and said(machine) == []
        spend(site, 2)
        agent.once()
        assert said(machine) == ["budget-warned"]
        agent.once()
        spend(site, 5)
        agent.once()
        agent.once()
        assert said(machine) == ["budget-warned", "budget-passed"]
        assert {one.kind for one in signals_of(site.state, "")} == set(said(machine))


def test_a_turn_tells_once_of_a_day_that_is_far_off_its_own_season(machine: Any) -> None:
    """Five weeks of a tenth of an hour a day, then two hours; told on the day after."""
    clock = Clock()
    with machine.open(clock) as site:
        agent = machine.agent(site)
        for day in range(36):
            spend(site, 2.0 if day == 35 else 0.1)
            agent.once()
            assert "cost-anomaly" not in said(machine)
            clock.now += DAY
        agent.once()
        agent.once()
        (odd,) = [one for one in signals_of(site.state, "") if one.kind == "cost-anomaly"]
    assert said(machine).count("cost-anomaly") == 1
    assert odd.value == pytest.approx(2.0) and odd.limit == pytest.approx(0.1)
    assert odd.window.start == (clock.begin + timedelta(days=35)).date().isoformat()
