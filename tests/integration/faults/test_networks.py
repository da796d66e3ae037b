"""The way to the store in which all meet is cut, slow, or answers with faults and half bodies."""

import random
from collections.abc import Callable
from typing import Any

import pytest
from servers.faults import FaultProxy, Mode

from freehold.app.site.exchange import Exchanged

GETS, PUTS = frozenset({"GET"}), frozenset({"PUT"})
PASSING = {
    "500": Mode(status=500, times=3),
    "503": Mode(status=503, times=3),
    "cut": Mode(cut=True, times=2),
    "half-answers": Mode(half=True, times=3, methods=GETS),
    "an-answer-s-first-byte": Mode(answer_bytes=1, times=2, methods=GETS),
    "half-uploads": Mode(upload_bytes=100, times=2, methods=PUTS),
    "lost-answers": Mode(lost=True, times=3, methods=PUTS),
}
LASTING = {
    "cut": Mode(cut=True),
    "503": Mode(status=503),
    "500": Mode(status=500),
    "403": Mode(status=403),
    "half-answers": Mode(half=True),
    "half-uploads": Mode(upload_bytes=100, methods=PUTS),
    "lost-answers": Mode(lost=True, methods=PUTS),
    "no-answers": Mode(delay=60),
}


class Breaking(FaultProxy):
    """Takes a mode only after so many requests."""

    after, then = 0, Mode()

    def _take(self, method: str) -> Mode:
        with self._lock:
            due = self.requests.total() == self.after
        if due:
            self.mode = self.then
        return super()._take(method)

    def break_after(self, requests: int, then: Mode) -> None:
        self.requests.clear()
        self.mode, self.after, self.then = Mode(), requests, then

    def heal(self) -> None:
        self.break_after(-1, Mode())


@pytest.fixture
def proxy(moto: Any) -> Any:
    with Breaking(moto.endpoint) as running:
        running.heal()
        yield running


@pytest.fixture
def world(meeting_in: Callable[..., Any], moto: Any, proxy: FaultProxy) -> Any:
    """The site aws has a bucket; the stores of the others are their own."""
    made = meeting_in(proxy.through(moto.bucket("freehold")))
    for site in ("onprem", "aws", "azure"):
        made.write(site, f"{site}-first")
    made.settle()
    return made


def exchanged(world: Any, site: str, name: str) -> Exchanged:
    world.write(site, name, f"{name}-too")
    told: Exchanged = world.sync(site)
    return told


def test_what_passes_is_not_noticed(world: Any, proxy: Breaking) -> None:
    for fault, mode in PASSING.items():
        for site, after in (("onprem", 0), ("azure", 3)):
            proxy.break_after(after, mode)
            told = exchanged(world, site, f"{site}-during-{fault}")
            assert (told.unreachable, told.faults) == ({}, []), fault
    proxy.heal()
    world.sync("aws")
    assert set(world.names("aws")) == world.acknowledged
    world.settle()
    world.check()


def test_what_is_denied_is_asked_once(world: Any, proxy: Breaking) -> None:
    proxy.break_after(0, Mode(status=403))
    told = exchanged(world, "onprem", "while-denied")
    assert list(told.unreachable) == ["aws"]
    assert "denies" in told.unreachable["aws"]
    assert proxy.requests.total() == 1
    proxy.heal()
    world.settle()
    world.check()


def test_work_goes_on_while_it_lasts(world: Any, proxy: Breaking) -> None:
    """The site's own store is met, and what could not go goes later, once. What was found silent
    is not waited for again in the same meeting: the requests are few."""
    for fault, mode in LASTING.items():
        proxy.break_after(0, mode)
        world.patience = 0.9
        told = exchanged(world, "onprem", f"during-{fault}")
        world.patience = 20
        assert list(told.unreachable) == ["aws"], fault
        assert told.published > 0, fault
        assert proxy.requests.total() < 60, fault
        world.verify("onprem")
        proxy.heal()
        assert world.sync("onprem").unreachable == {}, fault
    world.settle()
    world.check()


def breaks_in_the_middle(world: Any, proxy: Breaking, fault: str, after: int) -> None:
    for site in ("azure", "onprem", "azure"):
        proxy.break_after(after, LASTING[fault])
        world.patience = 0.9
        told = exchanged(world, site, f"{site}-{len(world.acknowledged)}")
        world.patience = 20
        assert proxy.requests.total() <= after or told.unreachable or told.faults
        assert proxy.requests.total() < after + 60
        world.verify(site)
    proxy.heal()
    world.settle()
    world.check()
    assert [world.sync(site, verify=True).faults for site in ("onprem", "aws", "azure")] == [[]] * 3


@pytest.mark.parametrize(("fault", "after"), [("403", 5), ("cut", 11), ("half-answers", 8)])
def test_it_breaks_in_the_middle(world: Any, proxy: Breaking, fault: str, after: int) -> None:
    breaks_in_the_middle(world, proxy, fault, after)


@pytest.mark.long
@pytest.mark.parametrize("after", range(1, 40))
def test_it_breaks_after_any_request(world: Any, proxy: Breaking, after: int) -> None:
    breaks_in_the_middle(world, proxy, random.Random(after).choice(sorted(LASTING)), after)


def test_a_slow_store_gives_the_same(world: Any, proxy: Breaking) -> None:
    proxy.break_after(0, Mode(delay=0.02, rate=100_000))
    told = exchanged(world, "onprem", "slowly")
    assert (told.unreachable, told.faults) == ({}, [])
    assert exchanged(world, "azure", "slowly-back").received > 0
    proxy.heal()
    world.settle()
    world.check()
