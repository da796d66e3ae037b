"""What the agent's command makes of what its turns and meetings say."""

from types import SimpleNamespace
from typing import Any

import pytest

from freehold.app.site.exchange import Exchanged
from freehold.cli import agent
from freehold.replication.fault import LogFault


@pytest.mark.parametrize(
    ("failures", "code"),
    [
        (["storage.unreachable"], 3),
        (["storage.unreachable", "storage.in-doubt"], 3),
        (["storage.unreachable", "freehold.bug"], 1),
        (["storage.full"], 1),
    ],
)
def test_a_turn_that_failed_says_so(failures: list[str], code: int) -> None:
    assert agent._exit_code(failures) == code


def test_a_damaged_copy_is_verified_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    fault = LogFault("aws", "azure", "segment.corrupt", "junk", sequence=3)

    def exchange(site: Any, *, verify: bool) -> Exchanged:
        asked.append(verify)
        return Exchanged(faults=[fault])

    # In the place of real stores, which heal: here the damage stays.
    monkeypatch.setattr(agent, "exchange", exchange)
    ledger = SimpleNamespace(logs=lambda: [SimpleNamespace(writer="aws", size=9)])
    site: Any = SimpleNamespace(ledger=ledger)
    meetings = agent._Meetings()
    for _ in range(4):
        meetings(site)
    assert asked == [False, True, False, False]
