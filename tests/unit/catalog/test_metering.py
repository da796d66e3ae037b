"""What waits to be metered, also where a log was left and went on under another name."""

from typing import Any

import pytest

from freehold.adapters.memory.ledger import MemoryLedger
from freehold.catalog.metering import last_metering, projection, unmetered
from freehold.domain.fact import Draft, writer_name
from freehold.ports.contracts.signer import TransientSigner


class Log:
    def __init__(self, writer: str = "here-1a2b3c4d") -> None:
        self.now = 1_000_000
        self.signer = TransientSigner()
        self.ledger = MemoryLedger(
            writer=writer, signer=self.signer, clock=self.clock, projections=(projection,)
        )

    def clock(self) -> int:
        self.now += 1
        return self.now

    def step(self, name: str, **more: Any) -> None:
        body = {"cached": False, "microseconds": 5, "run": "r", "step": name, **more}
        self.ledger.append([Draft("step.finished", body)])

    def metered(self) -> None:
        body = {
            "until": self.now,
            "rows": 0,
            "spent": [],
            "tags": {},
            "storage": {},
            "replicas": {},
            "moved": {},
        }
        self.ledger.append([Draft("usage.metered", body)])

    def continued(self, keep: int | None) -> None:
        left = self.ledger.writer
        said = Draft("log.continued", {"left": left, "kept": keep or 0, "known": 0})
        stem, _, number = left.partition(".")
        following = f"{stem}.{int(number or 1) + 1}"
        self.ledger.continue_as(following, self.signer, keep, [said])

    @property
    def waiting(self) -> list[str]:
        found = unmetered(self.ledger.state, self.ledger.writer)
        return [one.body["step"] for one in found]


@pytest.fixture
def log() -> Log:
    return Log()


def test_what_was_told_waits_until_it_is_metered(log: Log) -> None:
    log.step("a")
    log.step("b", cached=True)
    log.step("c", microseconds=0)
    log.step("d", machine="m5.large", site="there")
    assert log.waiting == ["a", "d"]
    log.metered()
    assert log.waiting == []
    log.step("e")
    assert log.waiting == ["e"]


@pytest.mark.parametrize("keep", range(7))
def test_a_log_that_is_left_leaves_nothing_unmetered_or_twice(log: Log, keep: int) -> None:
    """Steps a b, metered, step c, metered, step d; cut anywhere."""
    for name in ("a", "b"):
        log.step(name)
    log.metered()
    log.step("c")
    log.metered()
    log.step("d")
    log.continued(keep)
    assert log.waiting == ["d"]
    assert last_metering(log.ledger.state, log.ledger.writer) is not None
    log.step("e")
    assert log.waiting == ["d", "e"]
    log.metered()
    assert log.waiting == []


def test_what_was_not_metered_before_the_log_was_left_is_metered_after(log: Log) -> None:
    log.step("a")
    log.step("b")
    log.continued(1)
    assert log.waiting == ["a", "b"]
    log.metered()
    log.step("c")
    log.continued(None)
    assert log.waiting == ["c"]


def test_another_log_of_the_same_site_is_not_this_ones_to_meter() -> None:
    log = Log()
    log.step("a")
    assert unmetered(log.ledger.state, "here-ffffffff") == ()


def test_a_site_that_replaced_its_key_meters_what_it_left() -> None:
    signer, following = TransientSigner(), TransientSigner()
    log = Log(writer_name("here", signer.public.fingerprint))
    log.step("a")
    key = following.public.fingerprint
    log.ledger.append([Draft("key.replaced", {"site": "here", "key": key})])
    log.ledger.continue_as(writer_name("here", key), following, None)
    assert log.waiting == ["a"]
    log.metered()
    assert log.waiting == []
