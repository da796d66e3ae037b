"""Bounds of the difference of two clocks, from what each site had seen of the other."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.adapters.memory.ledger import MemoryLedger
from freehold.app.site.health.clocks import Skew, bounds, examine_clocks, told
from freehold.app.site.health.finding import Finding
from freehold.domain.fact import Draft
from freehold.ports.contracts.signer import TransientSigner
from freehold.ports.ledger import Stretch

START = 1_700_000_000_000_000
SECOND = 1_000_000
SIGNER = TransientSigner()


@dataclass
class Time:
    """What really is, which nobody knows."""

    now: int = START


@dataclass
class Place:
    """A site whose clock is ahead by `wrong` microseconds."""

    name: str
    time: Time
    wrong: int = 0
    ledger: MemoryLedger = field(init=False)

    def __post_init__(self) -> None:
        self.ledger = MemoryLedger(
            writer=f"{self.name}-00000000", signer=SIGNER, clock=self.clock, projections=()
        )

    def clock(self) -> int:
        return self.time.now + self.wrong

    def write(self) -> None:
        self.ledger.append([Draft("note.written", {})])

    def take(self, other: "Place") -> None:
        """All that the other has written, as one meeting brings it."""
        writer = other.ledger.writer
        held = next((log.size for log in self.ledger.logs() if log.writer == writer), 0)
        lines = [line for _, line in other.ledger.lines(held)]
        if lines:
            signed = list(other.ledger.log_checkpoints(writer, held))
            self.ledger.receive([Stretch(writer, held, lines, signed)])

    def examined(self) -> list[Finding]:
        return examine_clocks(self.ledger, self.name, self.clock())


def meet(one: Place, other: Place, seconds: float = 5.0, times: int = 1) -> None:
    """Each writes what the other then sees, `seconds` apart."""
    for _ in range(times):
        for writer, reader in ((one, other), (other, one)):
            writer.write()
            one.time.now += int(seconds * SECOND)
            reader.take(writer)
            reader.write()


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.mark.parametrize(
    ("wrong", "standing", "words"),
    [
        (0, "good", "at most 5.0 s ahead, at most 5.0 s behind"),
        (50, "good", "ahead by at least 45 s and at most 55 s"),
        (100, "warning", "ahead by at least 95 s and at most 105 s"),
        (-100, "warning", "behind by at least 95 s and at most 105 s"),
        (3600, "bad", "ahead by at least 60 min and at most 60 min"),
        (-3600, "bad", "behind by at least 60 min and at most 60 min"),
    ],
)
def test_a_wrong_clock_is_bounded_from_both_sides(
    time: Time, wrong: int, standing: str, words: str
) -> None:
    here, there = Place("aws", time), Place("azure", time, wrong * SECOND)
    meet(here, there, times=3)
    (found,) = here.examined()
    assert (found.check, found.about, found.standing) == ("clock", "azure", standing)
    assert found.what == f"azure's clock against aws's: {words}"
    assert bool(found.hint) == (standing != "good")


def test_both_sites_say_the_same_of_each_other(time: Time) -> None:
    here, there = Place("aws", time), Place("azure", time, 3600 * SECOND)
    meet(here, there)
    here.take(there)
    there.take(here)
    assert [one.standing for one in (*here.examined(), *there.examined())] == ["bad", "bad"]
    assert "behind" in there.examined()[0].what


def test_two_others_are_compared_by_a_third(time: Time) -> None:
    here, one, other = Place("onprem", time), Place("aws", time), Place("azure", time, SECOND * 900)
    meet(one, other)
    for place in (one, other):
        here.take(place)
    found = {finding.what.partition(":")[0]: finding.standing for finding in here.examined()}
    assert found["azure's clock against aws's"] == "bad"


def test_what_comes_from_the_future_tells_before_anybody_answers(time: Time) -> None:
    here, there = Place("aws", time), Place("azure", time, 3600 * SECOND)
    here.write()
    there.write()
    here.take(there)
    (found,) = here.examined()
    assert found.standing == "bad"
    assert found.what.endswith("ahead by at least 60 min")


def test_a_clock_that_was_set_right_is_not_blamed_for_ever(time: Time) -> None:
    here, there = Place("aws", time), Place("azure", time, 3600 * SECOND)
    meet(here, there)
    there.wrong = 0
    meet(here, there, seconds=2)
    (found,) = here.examined()
    assert found.standing == "good"
    assert "by the newest facts alone" in found.why


def test_a_clock_that_was_set_wrong_is_noticed_though_it_was_right(time: Time) -> None:
    here, there = Place("aws", time), Place("azure", time)
    meet(here, there)
    there.wrong = -3600 * SECOND
    meet(here, there, seconds=2)
    (found,) = here.examined()
    assert found.standing == "bad"


def test_one_site_alone_has_nobody_to_compare_with(time: Time) -> None:
    here = Place("aws", time)
    here.write()
    assert here.examined() == []


@given(
    wrong=st.integers(-7200 * SECOND, 7200 * SECOND),
    steps=st.lists(
        st.tuples(st.sampled_from("wWtT"), st.integers(0, 600 * SECOND)), min_size=4, max_size=25
    ),
)
def test_the_truth_lies_between_the_bounds(wrong: int, steps: list[tuple[str, int]]) -> None:
    time = Time()
    here, there = Place("aws", time), Place("azure", time, wrong)
    for act, pause in steps:
        time.now += pause
        one, other = (here, there) if act.islower() else (there, here)
        if act in "wW":
            one.write()
        else:
            one.take(other)
    here.take(there)
    for finding in here.examined():
        certain = finding.standing != "good"
        assert not certain or abs(wrong) > 60 * SECOND
        assert (finding.standing == "bad") <= (abs(wrong) > 600 * SECOND)
        assert "ahead by at least" not in finding.what or wrong > 0
        assert "behind by at least" not in finding.what or wrong < 0


@given(
    st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6))), st.integers(-(10**6), 10**6)
)
def test_more_sightings_never_loosen_a_bound(pairs: list[tuple[int, int]], wrong: int) -> None:
    """Each of a delay and a moment; `wrong` is the other clock's lead."""
    ours = [(moment + delay, moment + wrong) for delay, moment in pairs]
    theirs = [(moment + delay + wrong, moment) for delay, moment in pairs]
    for count in range(1, len(pairs) + 1):
        fewer, more = bounds(ours[: count - 1], theirs[: count - 1]), bounds(ours[:count], theirs)
        assert more.least is not None and more.most is not None
        assert more.least <= wrong / 1e6 <= more.most
        assert fewer.least is None or fewer.least <= more.least


def test_what_is_not_known_is_not_said() -> None:
    assert told(Skew(most=3.0)) == "at most 3.0 s ahead"
    assert told(Skew(least=-3.0)) == "at most 3.0 s behind"
    assert Skew().certain == 0.0
