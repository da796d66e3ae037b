"""Leases of work: fences, completions, and the same answer on every site."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest

from freehold.adapters.memory.ledger import MemoryLedger
from freehold.domain.artifact import Artifact
from freehold.domain.errors import Conflict, NotFound
from freehold.domain.fact import Draft, Fact
from freehold.domain.placement import Place
from freehold.domain.projection import State
from freehold.ports.contracts.kept_logs import MergingLedger, copy_all, size_of, stretch
from freehold.ports.contracts.signer import TransientSigner
from freehold.replication import leases
from freehold.replication.leases import (
    WORK,
    Sightings,
    attachments_wanted,
    open_work,
    steps_asked,
    work_of,
)
from freehold.replication.work import AskedStep, Completion, Lease, Work

START = 1_700_000_000_000_000
HOUR = 3_600_000_000
WRITERS = ("aws-1", "aws-2", "aws-3")
SIGNERS = {writer: TransientSigner() for writer in (*WRITERS, "onprem-9")}


@dataclass
class Known:
    """A fact of this test, and how much of each log its writer had when it wrote it."""

    fact: Fact
    heads: dict[str, int]

    def knew(self, other: Fact) -> bool:
        if other.writer == self.fact.writer:
            return other.sequence < self.fact.sequence
        return self.heads.get(other.writer, 0) > other.sequence


@dataclass
class Party:
    """A writer whose wall clock says what the test wants."""

    writer: str
    wall: int = START
    written: list[Known] = field(default_factory=list)

    def __post_init__(self) -> None:
        ledger = MemoryLedger(
            writer=self.writer,
            signer=SIGNERS[self.writer],
            clock=self._tick,
            projections=[leases.projection],
        )
        self.ledger = cast(MergingLedger, ledger)

    def _tick(self) -> int:
        self.wall += 1000
        return self.wall

    @property
    def state(self) -> State:
        return self.ledger.state

    def decide(self, decision: Callable[[State], Sequence[Draft]]) -> list[Fact]:
        heads = {log.writer: log.folded for log in self.ledger.logs()}
        facts = [entry.fact for entry in self.ledger.decide(decision)]
        self.written += [Known(fact, heads) for fact in facts]
        return facts

    def ask(self, name: str = "w", site: str = "aws", attachment: str = "") -> None:
        body = {
            "work": name,
            "site": site,
            "pipeline": "sums",
            "parameters": {"count": 3},
            "parameters_attachment": attachment,
        }
        self.decide(lambda _: [Draft("work.requested", body)])

    def ask_step(self, name: str, ordinal: int = 1, back: bool = False) -> bool:
        asked = AskedStep(
            run="run",
            step="fit",
            key="sha256:" + "1" * 64,
            ordinal=ordinal,
            attempt=1,
            place=Place("aws", "m5.xlarge", spot=True),
            inputs=("sha256:" + "2" * 64,),
            labels={"residency": "EU"},
            back=back,
            needs={"accelerators": 0, "cpus": 1, "memory": 0},
        )
        manifest = "salted-sha256:" + "3" * 64
        return bool(
            self.decide(lambda state: leases.ask_step(state, name, asked, manifest, "system"))
        )

    def take(self, name: str = "w") -> Lease | None:
        seen = work_of(self.state, name)
        self.decide(lambda state: leases.take(state, seen, 60, "system"))
        return work_of(self.state, name).lease_of(self.writer)

    def renew(self, held: Lease, name: str = "w") -> bool:
        return bool(self.decide(lambda state: leases.renew(state, name, held, "system")))

    def release(self, held: Lease, name: str = "w") -> bool:
        return bool(self.decide(lambda state: leases.release(state, name, held, "system")))

    def complete(self, held: Lease, name: str = "w", run: str = "") -> bool:
        end = Completion("", "", 0, run or f"run-{self.writer}", "finished", None, "")
        if self.said(name).step is not None:
            outputs = (Artifact(f"sha256:{self.writer}", "json", 7, {"residency": "EU"}),)
            end = replace(end, outputs=outputs, machine="m5.xlarge", microseconds=5)

        def decision(state: State) -> list[Draft]:
            draft = leases.complete(state, name, held, end, "system")
            return [] if draft is None else [draft]

        return bool(self.decide(decision))

    def cancel(self, name: str = "w") -> None:
        self.decide(lambda state: [leases.cancel(state, name, "system")])

    def said(self, name: str = "w") -> Work:
        return work_of(self.state, name)


def meet(*parties: Party) -> None:
    for _ in range(2):
        for source in parties:
            for target in parties:
                if source is not target:
                    copy_all(source.ledger, target.ledger)


@pytest.fixture
def three() -> tuple[Party, Party, Party]:
    a, b, c = (Party(writer) for writer in WRITERS)
    a.ask()
    meet(a, b, c)
    return a, b, c


def held(lease: Lease | None) -> Lease:
    assert lease is not None
    return lease


def test_work_is_leased_completed_and_over(three: tuple[Party, ...]) -> None:
    a, b, _ = three
    assert a.said().standing == "waiting"
    lease = held(a.take())
    assert (lease.fence, lease.writer, lease.seconds) == (1, "aws-1", 60)
    assert a.said().standing == "leased"
    assert a.renew(lease)
    assert a.said().holder != lease
    assert a.complete(lease)
    meet(a, b)
    for party in (a, b):
        assert party.said().standing == "finished"
        assert party.said().completion is not None
        assert open_work(party.state) == []
    assert not a.complete(lease), "it stands already"
    assert not a.renew(lease)
    assert not a.release(lease)
    assert b.take() is None


def test_a_row_is_read_as_it_was_written(three: tuple[Party, ...]) -> None:
    a, b, _ = three
    first = held(a.take())
    second = held(b.take())
    a.complete(first)
    b.complete(second)
    meet(a, b)
    work = a.said()
    assert work.superseded
    assert Work.from_json(work.as_json()) == work


def test_a_step_is_asked_once_whoever_asks_again() -> None:
    asking, a = Party("onprem-9"), Party("aws-1")
    assert asking.ask_step("run.fit.1")
    assert not asking.ask_step("run.fit.1"), "the name says which attempt it is"
    assert asking.ask_step("run.fit.2", ordinal=2)
    meet(asking, a)
    asked = a.said("run.fit.1")
    assert asked.step is not None
    assert (asked.step.place, asked.asked_by) == (Place("aws", "m5.xlarge", spot=True), "onprem")
    assert [one.name for one in steps_asked(a.state, "run", "fit")] == ["run.fit.1", "run.fit.2"]
    assert list(steps_asked(a.state, "run", "other")) == []
    assert list(steps_asked(a.state, "another run")) == []


def test_the_end_of_a_step_says_what_it_made_where_and_how_long_it_took() -> None:
    asking, a, b = Party("onprem-9"), Party("aws-1"), Party("aws-2")
    asking.ask_step("step")
    meet(asking, a, b)
    first, second = held(a.take("step")), held(b.take("step"))
    a.complete(first, "step")
    b.complete(second, "step")
    meet(asking, a, b)
    assert asking.said("step") == a.said("step") == b.said("step")
    end = asking.said("step").completion
    assert end is not None
    assert (end.machine, end.microseconds, end.cached) == ("m5.xlarge", 5, False)
    assert end.outputs == (Artifact(f"sha256:{end.writer}", "json", 7, {"residency": "EU"}),)
    assert len(asking.said("step").superseded) == 1
    assert Work.from_json(asking.said("step").as_json()) == asking.said("step")


def test_a_pipeline_asked_by_an_older_release_is_read_as_it_was(three: tuple[Party, ...]) -> None:
    a, _, _ = three
    lease = held(a.take())
    a.complete(lease)
    assert a.said().step is None
    facts = [known.fact for known in a.written if known.fact.type.startswith("work.")]
    assert [(fact.type, fact.version) for fact in facts] == [
        ("work.requested", 1),
        ("work.completed", 1),
    ]
    assert set(facts[-1].body) == {"code", "fence", "run", "status", "version", "work"}


def test_a_taking_of_what_changed_meanwhile_takes_nothing(three: tuple[Party, ...]) -> None:
    a, b, _ = three
    seen = b.said()
    a.take()
    meet(a, b)
    assert not b.decide(lambda state: leases.take(state, seen, 60, "system"))
    seen = b.said()
    a.renew(held(a.said().lease_of("aws-1")))
    meet(a, b)
    assert not b.decide(lambda state: leases.take(state, seen, 60, "system")), "it lives"


def test_the_next_fence_is_one_above_all_that_are_known(three: tuple[Party, ...]) -> None:
    a, b, c = three
    assert held(a.take()).fence == 1
    meet(a, b)
    assert held(b.take()).fence == 2
    meet(b, c)
    assert held(c.take()).fence == 3
    assert c.said().lease_of("aws-2") is None


@pytest.mark.parametrize("fence", [0, 1, 3, 1000])
def test_a_fence_that_does_not_follow_is_no_lease(three: tuple[Party, ...], fence: int) -> None:
    a, b, _ = three
    a.take()
    meet(a, b)
    body = {"work": "w", "fence": fence, "seconds": 60}
    b.decide(lambda _: [Draft("lease.taken", body)])
    assert b.said().fence == 1
    assert b.said().lease_of("aws-2") is None


def test_another_site_takes_no_lease() -> None:
    a, stranger = Party("aws-1"), Party("onprem-9")
    a.ask()
    meet(a, stranger)
    assert stranger.take() is None
    assert stranger.said().standing == "waiting"


def test_what_was_given_back_is_free_and_its_holder_completes_nothing(
    three: tuple[Party, ...],
) -> None:
    a, b, _ = three
    lease = held(a.take())
    assert a.release(lease)
    assert a.said().standing == "waiting"
    assert a.complete(lease)
    assert a.said().completion is None
    assert len(a.said().superseded) == 1
    meet(a, b)
    assert held(b.take()).fence == 2


@pytest.mark.parametrize("behind", [0, HOUR, -HOUR])
def test_a_stale_fence_is_superseded_whatever_the_clocks_say(
    three: tuple[Party, ...], behind: int
) -> None:
    """An agent slept, another took over, it wakes up, hears of that and says it is done."""
    a, b, c = three
    stale = held(a.take())
    meet(a, b)
    taken_over = held(b.take())
    a.wall -= behind
    meet(a, b)
    a.complete(stale)
    meet(a, b, c)
    assert c.said().completion is None
    b.complete(taken_over)
    meet(a, b, c)
    for party in three:
        assert getattr(party.said().completion, "writer", "") == "aws-2"
        assert [one.writer for one in party.said().superseded] == ["aws-1"]


@pytest.mark.parametrize("behind", [HOUR, -HOUR])
def test_of_two_that_did_not_know_each_other_the_first_in_the_common_order_counts(
    three: tuple[Party, ...], behind: int
) -> None:
    a, b, c = three
    first = held(a.take())
    meet(a, b)
    second = held(b.take())
    b.complete(second)
    meet(b, c)
    assert getattr(c.said().completion, "writer", "") == "aws-2"
    a.wall -= behind
    a.complete(first)
    meet(a, b, c)
    winner = "aws-1" if behind > 0 else "aws-2"
    for party in three:
        assert getattr(party.said().completion, "writer", "") == winner
        assert len(party.said().superseded) == 1


def test_two_that_took_the_same_fence_end_in_one_completion(three: tuple[Party, ...]) -> None:
    a, b, c = three
    one, other = held(a.take()), held(b.take())
    assert one.fence == other.fence == 1
    meet(a, b, c)
    assert {lease.writer for lease in c.said().standing_leases} == {"aws-1", "aws-2"}
    assert a.said().holder == c.said().holder
    b.complete(other)
    a.complete(one)
    meet(a, b, c)
    assert a.said() == b.said() == c.said()
    assert len(a.said().superseded) == 1


def test_a_cancellation_holds_unless_the_work_was_done_unaware_of_it(
    three: tuple[Party, ...],
) -> None:
    a, b, c = three
    lease = held(a.take())
    meet(a, b)
    b.cancel()
    assert b.said().standing == "cancelled"
    assert b.take() is None
    with pytest.raises(Conflict) as caught:
        b.cancel()
    assert caught.value.code == "work.over"
    a.complete(lease)
    meet(a, b, c)
    assert {party.said().standing for party in three} == {"finished"}


def test_what_is_completed_after_a_cancellation_was_heard_does_not_count(
    three: tuple[Party, ...],
) -> None:
    a, b, c = three
    lease = held(a.take())
    b.cancel()
    meet(a, b)
    a.complete(lease)
    meet(a, b, c)
    assert {party.said().standing for party in three} == {"cancelled"}


def test_what_nobody_asked_for_is_not_found(three: tuple[Party, ...]) -> None:
    with pytest.raises(NotFound) as caught:
        three[0].said("other")
    assert caught.value.code == "work.not-found"


def test_attachments_are_wanted_while_the_work_is_open() -> None:
    a = Party("aws-1")
    a.ask("one", attachment="salted-sha256:1")
    a.ask("two", site="onprem", attachment="salted-sha256:2")
    a.ask("three")
    assert attachments_wanted(a.state, "aws") == ("salted-sha256:1",)
    assert attachments_wanted(a.state, "aws") == ("salted-sha256:1",)
    assert attachments_wanted(a.state, "onprem") == ("salted-sha256:2",)
    a.complete(held(a.take("one")), "one")
    assert attachments_wanted(a.state, "aws") == ()
    assert attachments_wanted(a.state, "aws") == ()
    assert attachments_wanted(a.state, "onprem") == ("salted-sha256:2",)


def leased(pulse: str, seconds: float = 60) -> Work:
    lease = Lease(1, "aws-1", seconds, "aws-1/1", pulse)
    return Work("w", "aws", "sums", {}, "", "aws-1/0", START, "system", (lease,))


def test_a_lease_runs_out_when_this_agent_saw_no_sign_of_life_for_long_enough() -> None:
    seen = Sightings()
    assert not seen.run_out(leased("p"), 1000.0, 20), "it has only just looked"
    assert not seen.run_out(leased("p"), 1080.0, 20)
    assert seen.run_out(leased("p"), 1080.5, 20)
    assert not seen.run_out(leased("q"), 1081.0, 20), "a sign of life"
    assert not seen.run_out(leased("q"), 1161.0, 20)
    assert seen.run_out(leased("q"), 1161.5, 20)
    seen.forget([])
    assert not seen.run_out(leased("q"), 9999.0, 20), "another agent waits the whole time again"


def test_what_nobody_holds_is_free_at_once() -> None:
    assert Sightings().run_out(replace(leased("p"), leases=()), 0.0, 20)


@pytest.mark.parametrize("seed", range(60))
def test_one_completion_the_same_everywhere(seed: int) -> None:
    interleaved(seed, steps=60)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(1000, 1600))
def test_one_completion_the_same_everywhere_long(seed: int) -> None:
    interleaved(seed, steps=140)


def interleaved(seed: int, steps: int) -> None:
    """Three agents of a site ask, take, renew, give back, complete and cancel at random, also
    under leases that are long another's. Stretches of their logs arrive late, doubled and in any
    order, and their clocks jump by up to an hour."""
    chance = random.Random(seed)
    parties = [Party(writer, START + chance.randint(-HOUR, HOUR)) for writer in WRITERS]
    ever: dict[str, list[tuple[str, Lease]]] = {writer: [] for writer in WRITERS}
    on_the_way: list[tuple[Party, Any]] = []
    for _ in range(steps):
        party = chance.choice(parties)
        if chance.random() < 0.1:
            party.wall += chance.choice([-HOUR, HOUR])
        act(party, chance, ever[party.writer])
        if chance.random() < 0.6:
            target = chance.choice([one for one in parties if one is not party])
            for log in party.ledger.logs():
                if log.writer != target.writer and log.size:
                    first = chance.randint(0, min(log.size, size_of(target.ledger, log.writer)))
                    on_the_way.append((target, stretch(party.ledger, log.writer, first)))
        chance.shuffle(on_the_way)
        while on_the_way and chance.random() < 0.5:
            target, found = on_the_way.pop()
            if found.first <= size_of(target.ledger, found.writer):
                target.ledger.receive([found] * chance.choice([1, 2]))
    meet(*parties)
    one, *others = [list(party.state.scan(WORK)) for party in parties]
    assert all(other == one for other in others)
    facts = [known for party in parties for known in party.written]
    for _, row in one:
        check(Work.from_json(row), facts)


def act(party: Party, chance: random.Random, ever: list[tuple[str, Lease]]) -> None:
    found = [Work.from_json(row) for _, row in party.state.scan(WORK)]
    if not found or (len(found) < 4 and chance.random() < 0.1):
        if chance.random() < 0.5:
            party.ask(f"{party.writer}.{party.wall}")
        else:
            # The same attempt may be asked for by two: by the run, and by who resumed it.
            party.ask_step(f"run.fit.{chance.randint(1, 3)}")
        return
    name = chance.choice(found).name
    choice = chance.random()
    if choice < 0.35 or not ever:
        lease = party.take(name)
        if lease is not None:
            ever.append((name, lease))
        return
    name, lease = chance.choice(ever[-4:])
    if choice < 0.6:
        party.renew(lease, name)
    elif choice < 0.7:
        party.release(lease, name)
    elif choice < 0.98 or not party.said(name).open:
        party.complete(lease, name)
    else:
        party.cancel(name)


def check(work: Work, facts: list[Known]) -> None:
    """By what each writer had of the others' logs when it wrote, counted apart from the fold."""
    about = [known for known in facts if known.fact.body["work"] == work.name]
    completions = [known for known in about if known.fact.type == "work.completed"]
    entitled = {known.fact.name for known in completions if is_entitled(known, about)}
    accepted = [] if work.completion is None else [work.completion.fact]
    all_kept = [*accepted, *(one.fact for one in work.superseded)]
    assert sorted(all_kept) == sorted(known.fact.name for known in completions)
    assert bool(accepted) == bool(entitled)
    assert set(accepted) <= entitled


def is_entitled(end: Known, about: list[Known]) -> bool:
    heard = [known.fact for known in about if end.knew(known.fact)]
    fence = end.fact.body["fence"]
    own = [fact for fact in heard if fact.writer == end.fact.writer]
    taken = any(f.type == "lease.taken" and f.body["fence"] == fence for f in own)
    released = any(f.type == "lease.released" and f.body["fence"] == fence for f in own)
    higher = any(f.type == "lease.taken" and f.body["fence"] > fence for f in heard)
    return (
        taken and not released and not higher and not any(f.type == "work.cancelled" for f in heard)
    )
