import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.serving.use import Answered, sample_of


def test_use_is_the_rate_by_the_time_that_each_takes() -> None:
    told = sample_of(60.0, 60.0, 2, Answered(90, 45.0, 22.5))
    assert (told.at, told.replicas, told.use) == (60.0, 2, 0.375)
    assert sample_of(60.0, 60.0, 1, Answered(0, 0.0, 0.0)).use == 0.0
    assert sample_of(60.0, 60.0, 1, Answered(90, 90.0, 90.0)).use == 1.0


@pytest.mark.parametrize("shape", [1.0, 4.0])
def test_what_waits_is_what_a_simulated_queue_has(shape: float) -> None:
    """One server, Poisson arrivals, gamma times of a mean of 0.7 s: Lindley's recursion."""
    chance = np.random.default_rng(11)
    count = 200_000
    gaps = chance.exponential(1.0, count)
    times = chance.gamma(shape, 0.7 / shape, count)
    steps = np.concatenate([[0.0], np.cumsum(times[:-1] - gaps[1:])])
    waits = steps - np.minimum.accumulate(steps)
    length = gaps.sum()
    told = sample_of(length, length, 1, Answered(count, times.sum(), (times**2).sum()))
    assert told.queue == pytest.approx(waits.sum() / length, rel=0.05)


@given(st.lists(st.floats(0, 10), min_size=1, max_size=20), st.floats(0, 10))
def test_longer_requests_are_those_requests_but_longer(times: list[float], more: float) -> None:
    def of(seconds: list[float]) -> Answered:
        return Answered(len(seconds), sum(seconds), sum(one**2 for one in seconds))

    longer, told = of([one + more for one in times]), of(times).with_each(more)
    assert told.busy == pytest.approx(longer.busy) and told.requests == longer.requests
    assert told.squares == pytest.approx(longer.squares)


@given(st.integers(0, 10**6), st.floats(0.0001, 10), st.integers(1, 50))
def test_more_replicas_have_less_to_do(requests: int, seconds: float, replicas: int) -> None:
    told = Answered(requests, requests * seconds, requests * seconds**2)
    few, more = (sample_of(60.0, 60.0, count, told) for count in (replicas, replicas + 1))
    assert 0 <= more.use <= few.use <= 1 and 0 <= more.queue <= few.queue
