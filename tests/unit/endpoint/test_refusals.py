"""Who is told to come again, and when."""

import asyncio

from freehold.domain.errors import FreeholdError
from freehold.endpoint.refusals import AT_ONCE, EVERY_SECOND, Refusals
from freehold.serving.admission import sent_away


class One:
    def __init__(self, name: int, told: list[int]) -> None:
        self.name, self.told, self.holds = name, told, True
        self.may_wait = True

    def let_go(self) -> bool:
        self.holds = False
        return self.may_wait

    def send_away(self, error: FreeholdError) -> None:
        assert error.code == "endpoint.overloaded"
        self.told.append(self.name)


class Crowd:
    """Some that are to be sent away, and a clock that is told."""

    def __init__(self) -> None:
        self.now = 100.0
        self.told: list[int] = []
        self.refusals = Refusals(lambda: self.now)
        self.ones: list[One] = []

    def come(self, count: int) -> None:
        for _ in range(count):
            one = One(len(self.ones), self.told)
            self.ones.append(one)
            self.refusals.tell(one, sent_away(1))

    async def after(self, seconds: float, told: int) -> None:
        """So many are told by then, in the order in which they came."""
        self.now += seconds
        async with asyncio.timeout(30):
            while len(self.told) < told:
                await asyncio.sleep(0.001)
        # Nobody else is at the next looks either.
        await asyncio.sleep(0.02)
        assert self.told == list(range(told))


def test_a_few_are_told_at_once() -> None:
    async def play() -> None:
        crowd = Crowd()
        crowd.come(AT_ONCE)
        await crowd.after(0.0, AT_ONCE)
        assert all(one.holds for one in crowd.ones)

    asyncio.run(play())


def test_of_a_crowd_so_many_are_told_in_a_second_and_the_others_keep_nothing_meanwhile() -> None:
    async def play() -> None:
        crowd = Crowd()
        crowd.come(3 * AT_ONCE)
        assert [one.holds for one in crowd.ones] == [True] * AT_ONCE + [False] * 2 * AT_ONCE
        await crowd.after(0.0, AT_ONCE)
        await crowd.after(10.5 / EVERY_SECOND, AT_ONCE + 10)
        # Who comes now waits behind those that were there.
        crowd.come(1)
        await crowd.after(1.0, 2 * AT_ONCE + 10)
        await crowd.after(1.0, 3 * AT_ONCE + 1)

    asyncio.run(play())


def test_who_must_not_wait_is_told_before_the_others() -> None:
    told: list[int] = []

    async def play() -> None:
        refusals = Refusals(lambda: 100.0)
        ones = [One(name, told) for name in range(AT_ONCE + 2)]
        ones[-1].may_wait = False
        for one in ones:
            refusals.tell(one, sent_away(1))

    asyncio.run(play())
    assert told == [*range(AT_ONCE), AT_ONCE + 1]


def test_after_a_silence_a_few_are_told_at_once_again_and_no_more() -> None:
    async def play() -> None:
        crowd = Crowd()
        crowd.come(AT_ONCE)
        await crowd.after(60.0, AT_ONCE)
        crowd.come(AT_ONCE + 1)
        await crowd.after(0.0, 2 * AT_ONCE)

    asyncio.run(play())


def test_the_others_are_told_whatever_one_raises() -> None:
    async def play() -> None:
        seen: list[BaseException] = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, what: seen.append(what["exception"]))
        crowd = Crowd()
        crowd.come(AT_ONCE + 3)

        def faulty(error: FreeholdError) -> None:
            crowd.told.append(AT_ONCE)
            raise OverflowError

        crowd.ones[AT_ONCE].send_away = faulty  # type: ignore[method-assign]
        await crowd.after(1.0, AT_ONCE + 3)
        assert [type(one) for one in seen] == [OverflowError]

    asyncio.run(play())


def test_between_two_that_take_long_to_tell_others_have_their_turn() -> None:
    async def play() -> None:
        crowd = Crowd()
        crowd.come(AT_ONCE)
        rounds, told_in = 0, list[int]()

        class Slow(One):
            def send_away(self, error: FreeholdError) -> None:
                crowd.now += 0.04
                told_in.append(rounds)

        for number in range(4):
            crowd.refusals.tell(Slow(number, crowd.told), sent_away(1))
        crowd.now += 1.0
        async with asyncio.timeout(30):
            while len(told_in) < 4:
                await asyncio.sleep(0)
                rounds += 1
        assert len(set(told_in)) == 4

    asyncio.run(play())
