"""Any order of writing, meeting, damage, restored backups and wrong clocks ends in one state."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

SITES = ("onprem", "aws", "azure")
HOUR = 3_600_000_000
sites = st.sampled_from(SITES)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), sites, st.integers(1, 4)),
        st.tuples(st.just("meet"), sites, st.sets(sites)),
        st.tuples(st.just("damage"), sites, st.integers(0, 10_000)),
        st.tuples(st.just("turn-clock"), sites, st.sampled_from((-HOUR, HOUR, -60_000_000))),
        st.tuples(st.just("back-up"), sites, st.none()),
        st.tuples(st.just("restore"), sites, st.none()),
    ),
    min_size=4,
    max_size=14,
)


@dataclass
class Play:
    """Does the steps, and knows what may be gone for good."""

    world: Any
    backups: dict[str, Path] = field(default_factory=dict)
    restored: set[str] = field(default_factory=set)
    """Sites that have met nobody since."""
    gone: set[str] = field(default_factory=set)
    """Written at a state that was thrown away, when no other site had it: a store may have."""
    count: int = 0

    def do(self, step: tuple[str, str, Any]) -> None:
        kind, place, value = step
        self.count += 1
        {
            "write": self.write,
            "meet": self.meet,
            "damage": self.damage,
            "turn-clock": self.turn_clock,
            "back-up": self.back_up,
            "restore": self.restore,
        }[kind](place, value)

    def write(self, site: str, many: int) -> None:
        names = [f"{site}-{self.count}-{number}" for number in range(many)]
        self.world.write(site, *names, alias=f"alias-{self.count % 3}")

    def meet(self, site: str, unreached: set[str]) -> None:
        """A site whose state was put back meets all: nobody can notice what nobody tells it."""
        if site in self.restored:
            self.heal(*(other for other in SITES if other != site))
            unreached = set()
        if unreached:
            self.world.cut(site, *sorted(unreached))
        self.world.sync(site)
        self.world.mend(site)
        self.restored.discard(site)

    def damage(self, store: str, chosen: int) -> None:
        by = random.Random(chosen)
        objects = sorted(p for p in self.world.store(store).glob("logs/**/*") if p.is_file())
        if not objects:
            return
        one, other = by.choice(objects), by.choice(objects)
        data = one.read_bytes()
        match by.randrange(5):
            case 0:
                one.unlink()
            case 1:
                at = by.randrange(len(data) or 1)
                one.write_bytes(data[:at] + by.randbytes(1) + data[at + 1 :])
            case 2:
                one.write_bytes(data[: by.randrange(len(data) or 1)])
            case 3:
                one.write_bytes(other.read_bytes())
                other.write_bytes(data)
            case 4:
                (other.parent / one.name).write_bytes(data)

    def turn_clock(self, site: str, by: int) -> None:
        self.world.clocks[site].now += by

    def back_up(self, site: str, _: None) -> None:
        self.backups[site] = self.world.back_up(site, f"backup-{self.count}")

    def restore(self, site: str, _: None) -> None:
        if site not in self.backups or site in self.restored:
            return
        others = [set(self.world.names(one)) for one in SITES if one != site]
        held = set(self.world.names(site)).difference(*others)
        self.world.restore(site, self.backups[site])
        self.gone |= held - set(self.world.names(site))
        self.restored.add(site)

    def heal(self, *sites: str) -> None:
        for site in sites:
            self.world.sync(site, verify=True)

    def end(self) -> None:
        for site in sorted(self.restored):
            self.meet(site, set())
        self.world.settle(verify=True)
        self.world.acknowledged -= self.gone - set(self.world.names("aws"))
        self.world.check()


def played(make_world: Callable[[], Any], steps: list[tuple[str, str, Any]]) -> None:
    play = Play(make_world())
    for step in steps:
        play.do(step)
    play.end()


@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=STEPS)
def test_any_history_ends_in_one_state(
    make_world: Callable[[], Any], steps: list[tuple[str, str, Any]]
) -> None:
    played(make_world, steps)


@pytest.mark.long
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=STEPS)
def test_many_histories_end_in_one_state(
    make_world: Callable[[], Any], steps: list[tuple[str, str, Any]]
) -> None:
    played(make_world, steps)
