"""Whose turn it is, of whatever protocol, with models here and elsewhere."""

import asyncio
from collections.abc import Awaitable
from typing import Any

import pytest

from freehold.domain.errors import FreeholdError
from freehold.endpoint.waiting_room import WaitingRoom
from freehold.serving.admission import CLASSES, AdmissionSettings


class One:
    def __init__(
        self, name: str, told: list[str], elsewhere: "asyncio.Event | None" = None
    ) -> None:
        self.name, self.told = name, told
        self.entered = self.until = 0.0
        self._elsewhere = elsewhere

    def answer(self) -> Awaitable[object] | None:
        self.told.append(self.name)
        return None if self._elsewhere is None else self._elsewhere.wait()

    def let_go(self) -> bool:
        self.told.append(f"{self.name} waits for a word")
        return True

    def send_away(self, error: FreeholdError) -> None:
        self.told.append(f"{self.name}: {error.code}")


def headers(**given: str) -> dict[bytes, bytes]:
    return {name.replace("_", "-").encode(): value.encode() for name, value in given.items()}


ASKED = ["low", "normal", "high", "low", "high", "normal"]


@pytest.mark.parametrize("names", [ASKED, ASKED[::-1]])
def test_a_higher_class_goes_first_then_who_came_first(names: list[str]) -> None:
    told: list[str] = []

    async def play() -> None:
        room = WaitingRoom(AdmissionSettings())
        room.open()
        for number, name in enumerate(names):
            given = headers(freehold_priority=name)
            room.enter(One(f"{name} {number}", told), given, "peer")
        await asyncio.sleep(0.01)

    asyncio.run(play())
    order = {name.decode(): number for name, number in CLASSES.items()}
    assert [one.split()[0] for one in told] == sorted(names, key=order.__getitem__)
    for name in order:
        numbers = [int(one.split()[1]) for one in told if one.startswith(name)]
        assert numbers == sorted(numbers)


def test_no_more_wait_elsewhere_than_may_and_classes_hold_among_those_that_wait() -> None:
    told: list[str] = []

    async def play() -> None:
        room = WaitingRoom(AdmissionSettings(), at_once=2)
        room.open()
        events = [asyncio.Event() for _ in ASKED]
        for number, (name, event) in enumerate(zip(ASKED, events, strict=True)):
            room.enter(One(f"{number}", told, event), headers(freehold_priority=name), "peer")
        await asyncio.sleep(0.01)
        assert told == ["2", "4"]
        events[4].set()
        await asyncio.sleep(0.01)
        assert told == ["2", "4", "1"]
        room.enter(One("late", told, asyncio.Event()), headers(freehold_priority="high"), "peer")
        events[2].set()
        events[1].set()
        await asyncio.sleep(0.01)
        assert told == ["2", "4", "1", "late", "5"]
        for event in events:
            event.set()
        await asyncio.sleep(0.01)
        assert told == ["2", "4", "1", "late", "5", "0", "3"][: len(told)] and len(told) == 7

    asyncio.run(play())


def test_what_finds_no_room_takes_a_lower_ones_place_or_goes() -> None:
    told: list[str] = []

    async def play() -> None:
        room = WaitingRoom(AdmissionSettings(waiting=2))
        room.open()
        for number, name in enumerate(["low", "low", "high", "low"]):
            room.enter(One(f"{number}", told), headers(freehold_priority=name), "peer")
        await asyncio.sleep(0.01)

    asyncio.run(play())
    assert told == ["1: endpoint.overloaded", "3: endpoint.overloaded", "2", "0"]


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"freehold_priority": "highest"}, "request.malformed"),
        ({"freehold_deadline_ms": "soon"}, "request.malformed"),
        ({"freehold_deadline_ms": "0"}, "request.deadline"),
    ],
)
def test_what_cannot_be_answered_is_told_so(given: dict[str, str], code: str) -> None:
    told: list[str] = []

    async def play() -> None:
        room = WaitingRoom(AdmissionSettings())
        room.open()
        room.enter(One("it", told), headers(**given), "peer")
        await asyncio.sleep(0.01)

    asyncio.run(play())
    assert told == [f"it: {code}"]


def test_a_caller_has_an_allowance_whatever_its_address() -> None:
    told: list[str] = []

    async def play() -> None:
        room = WaitingRoom(AdmissionSettings(per_caller=1.0))
        room.open()
        for name, given, peer in (
            ("1", headers(freehold_caller="a"), "x"),
            ("2", headers(freehold_caller="a"), "y"),
            ("3", {}, "x"),
            ("4", {}, "x"),
        ):
            room.enter(One(name, told), given, peer)
        await asyncio.sleep(0.01)

    asyncio.run(play())
    assert sorted(told) == ["1", "2: request.too-often", "3", "4: request.too-often"]


class Pieces:
    waits = False

    def __init__(self, told: list[str]) -> None:
        self.told, self.left = told, 3
        self.on_waiting: Any = None

    def next(self) -> bool:
        self.told.append("piece")
        self.left -= 1
        return self.left > 0


def test_what_can_wait_is_done_when_nobody_waits() -> None:
    told: list[str] = []

    async def play() -> None:
        pieces = Pieces(told)
        room = WaitingRoom(AdmissionSettings(), pieces)
        room.open()
        pieces.on_waiting()
        for number in range(3):
            room.enter(One(f"{number}", told), {}, "peer")
        await asyncio.sleep(0.05)

    asyncio.run(play())
    assert told == ["0", "1", "2", "piece", "piece", "piece"]


def test_the_others_have_their_turns_whatever_an_answer_raises() -> None:
    told: list[str] = []
    seen: list[Any] = []

    class Faulty(One):
        def answer(self) -> Awaitable[object] | None:
            raise OverflowError(self.name)

    async def play() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, what: seen.append(what))
        room = WaitingRoom(AdmissionSettings())
        room.open()
        for one in (Faulty("1", told), One("2", told), Faulty("3", told)):
            room.enter(one, {}, "peer")
        await asyncio.sleep(0.01)
        room.enter(One("4", told), {}, "peer")
        await asyncio.sleep(0.01)

    asyncio.run(play())
    assert told == ["2", "4"]
    assert [str(one["exception"]) for one in seen] == ["1", "3"]
