from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.domain.scaling import Targets
from freehold.serving.scaling import Decision, Sample, decide, replicas_for

MINUTE = 60.0
shares = st.floats(0, 1)
queues = st.floats(0, 50)


def steady(uses: list[float], replicas: int = 4, queue: float = 0.0) -> list[Sample]:
    """A sample a minute."""
    return [Sample(n * MINUTE, replicas, use, queue) for n, use in enumerate(uses)]


@st.composite
def targets(draw: st.DrawFn) -> Targets:
    high = draw(st.floats(0.2, 1.0))
    low = draw(st.floats(0.01, high / 2, exclude_max=True))
    minimum = draw(st.integers(1, 20))
    return Targets(
        high=high,
        low=low,
        queue=draw(st.floats(0.1, 20)),
        minimum=minimum,
        maximum=draw(st.integers(minimum, 40)),
    )


@st.composite
def windows(draw: st.DrawFn) -> list[Sample]:
    steps = draw(st.lists(st.floats(1, 200), min_size=1, max_size=12))
    counts = st.one_of(st.just(draw(st.integers(1, 40))), st.integers(1, 40))
    found, at = [], 0.0
    for step in steps:
        at += step
        found.append(Sample(at, draw(counts), draw(shares), draw(queues)))
    return found


class TestLines:
    def test_at_seventy_percent_there_are_more(self) -> None:
        assert decide(steady([0.69]), Targets()).change == "hold"
        told = decide(steady([0.7]), Targets())
        assert told == Decision(5, 4, "up", "use 70% reached 70%")

    def test_the_number_follows_the_load(self) -> None:
        assert decide(steady([0.95], 6), Targets(maximum=40)).replicas == replicas_for(
            5.7, Targets()
        )
        assert replicas_for(5.7, Targets()) == 9 and 5.7 / 9 < 0.7 <= 5.7 / 8

    def test_five_minutes_under_thirty_percent_are_needed(self) -> None:
        assert decide(steady([0.1] * 5), Targets()).change == "hold"
        assert decide(steady([0.1] * 6), Targets()) == Decision(
            1, 4, "down", "use 10% is under 30% for 300 s"
        )
        assert decide(steady([0.1, 0.1, 0.3, 0.1, 0.1, 0.1]), Targets()).change == "hold"

    def test_what_nobody_measured_was_not_calm(self) -> None:
        calm = steady([0.1] * 8)
        assert decide(calm, Targets()).change == "down"
        assert decide(calm[:2] + calm[4:], Targets()).change == "hold"

    def test_the_busiest_calm_minute_says_how_few(self) -> None:
        told = decide(steady([0.1, 0.29, 0.1, 0.1, 0.1, 0.1], 10), Targets())
        assert told.replicas == replicas_for(2.9, Targets()) == 5

    def test_a_queue_brings_more_and_keeps_them(self) -> None:
        told = decide(steady([0.2], 4, queue=3.0), Targets())
        assert (told.change, told.replicas) == ("up", 6)
        held = decide(steady([0.1] * 9, 4, queue=2.0), Targets())
        assert (held.change, held.reason) == (
            "hold",
            "use 10% is under 30%, but fewer would let more wait",
        )

    def test_at_most_twice_as_many_at_once(self) -> None:
        assert decide(steady([1.0], 2, queue=40.0), Targets()).replicas == 4

    def test_a_change_settles_before_the_next_one(self) -> None:
        early = [Sample(0, 2, 0.9, 0), Sample(30, 4, 0.9, 0), Sample(60, 4, 0.9, 0)]
        assert decide(early, Targets()).change == "hold"
        assert decide([*early, Sample(90, 4, 0.9, 0)], Targets()).change == "up"

    def test_the_bounds_are_told(self) -> None:
        assert (
            decide(steady([0.9], 10), Targets()).reason == "use 90% reached 70%, but 10 is the most"
        )
        assert (
            decide(steady([0.0] * 9, 1), Targets()).reason
            == "use 0% is under 30%, but 1 is the least"
        )
        assert decide(steady([0.5], 12), Targets()).replicas == 10


@given(windows(), targets())
def test_the_answer_lies_within_the_bounds(samples: list[Sample], told: Targets) -> None:
    made = decide(samples, told)
    assert told.minimum <= made.replicas <= told.maximum
    assert made.change == (
        "hold" if made.replicas == made.now else "up" if made.replicas > made.now else "down"
    )
    assert made.now == samples[-1].replicas and made.reason


@given(windows(), targets(), st.data())
def test_more_load_never_gives_fewer(
    samples: list[Sample], told: Targets, data: st.DataObject
) -> None:
    heavier = [
        replace(
            one,
            use=data.draw(st.floats(one.use, 1)),
            queue=one.queue + data.draw(st.floats(0, 50)),
        )
        for one in samples
    ]
    assert decide(heavier, told).replicas >= decide(samples, told).replicas


@given(
    st.lists(
        st.tuples(
            st.floats(30, 95), st.one_of(st.just(0.01), shares), st.sampled_from([6, 6, 6, 7])
        ),
        min_size=4,
        max_size=12,
    )
)
def test_fewer_only_after_the_whole_calm(rows: list[tuple[float, float, int]]) -> None:
    samples, at = [], 0.0
    for step, use, replicas in rows:
        at += step
        samples.append(Sample(at, replicas, use, 0.0))
    told = Targets()
    last = samples[-1]
    since = [one for one in samples if last.at - one.at <= told.calm]
    gaps = [b.at - a.at for a, b in pairwise(samples)][-len(since) :]
    quiet = all(one.use < told.low and one.replicas == last.replicas for one in since)
    if decide(samples, told).change == "down":
        assert quiet and max(gaps) <= told.gap and last.at - samples[0].at >= told.calm


@given(
    st.floats(0, 30),
    st.floats(0, 60),
    st.integers(1, 40),
    targets(),
)
def test_a_constant_load_comes_to_rest_and_stays(
    load: float, waiting: float, replicas: int, told: Targets
) -> None:
    """Replicas busy for `load` in all and `waiting` requests, minute by minute, two hours."""
    samples: list[Sample] = []
    for minute in range(120):
        queue = waiting / replicas
        samples.append(Sample(minute * MINUTE, replicas, min(1.0, load / replicas), queue))
        made = decide(samples, told)
        replicas = made.replicas
    inside = [one for one in samples if told.within(one.replicas) == one.replicas]
    moves = [b.replicas - a.replicas for a, b in pairwise(inside)]
    assert not (any(move > 0 for move in moves) and any(move < 0 for move in moves))
    assert len({one.replicas for one in samples[-60:]}) == 1


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"low": 0.35}, "half of high"),
        ({"low": 0.0}, "half of high"),
        ({"high": 1.2}, "half of high"),
        ({"minimum": 0}, "bounds"),
        ({"minimum": 5, "maximum": 4}, "bounds"),
        ({"queue": 0.0}, "queue"),
        ({"queue": float("inf")}, "queue"),
        ({"calm": 0.0}, "calm"),
        ({"settling": -1.0}, "settling"),
    ],
)
def test_targets_that_would_swing_are_refused(wrong: dict[str, float], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Targets(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ((0, 0.5, 0.0), "replicas"),
        ((1, 1.1, 0.0), "use"),
        ((1, float("nan"), 0.0), "use"),
        ((1, 0.5, -1.0), "queue"),
        ((1, 0.5, float("nan")), "queue"),
    ],
)
def test_samples_that_cannot_be_are_refused(wrong: tuple[int, float, float], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Sample(0.0, *wrong)


def test_a_window_has_samples_in_their_order() -> None:
    with pytest.raises(ValueError, match="no sample"):
        decide([], Targets())
    with pytest.raises(ValueError, match="order"):
        decide([*steady([0.5, 0.5]), Sample(0.0, 4, 0.5, 0.0)], Targets())
