"""Agents in this process, with a monotonic clock of the test's."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from freehold.agent.stopping import Stopping
from freehold.app.run.runs import runs
from freehold.app.site.exchange import Exchanged, exchange
from freehold.app.site.opening import Site, open_site
from freehold.app.work.claim import Claims
from freehold.app.work.perform import perform
from freehold.app.work.renewal import Renewal
from freehold.app.work.request import plan_request, request
from freehold.app.work.work import work
from freehold.domain.errors import Conflict, Unreachable
from freehold.ports.attachment_store import attachment_key
from freehold.replication.leases import work_of

HOUR = 3_600_000_000
WALL = 1_795_000_000_000_000


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def opened(world: Any) -> Iterator[dict[str, Site]]:
    with ExitStack() as stack:
        yield {name: stack.enter_context(one.open()) for name, one in world.machines.items()}


def facts(site: Site, kind: str) -> int:
    return sum(f'"type":"{kind}"'.encode() in line for _, line in site.ledger.lines())


def test_what_is_asked_is_done_and_told(world: Any) -> None:
    name = world.ask(count=5)
    with world["aws"].open() as site:
        turn = world["aws"].agent(site).once()
        assert turn.performed is not None
        assert turn.performed.accepted
        (row,) = runs(site)
        assert row["run"] == turn.performed.run
        assert row["parameters"] == {"count": 5}
        assert world["aws"].agent(site).once().performed is None
    assert world["aws"].told == ["work.claimed", "work.completed"]
    world.meet()
    for machine in world.machines:
        assert world.said(machine, name).standing == "finished"
    assert world["aws"].marks == ["numbers", "total"]
    assert world["second"].marks == world["onprem"].marks == []


def test_a_run_that_fails_completes_its_work_as_failed(world: Any) -> None:
    name = world.ask()
    (world["aws"].root / "broken").touch()
    with world["aws"].open() as site:
        turn = world["aws"].agent(site).once()
        assert (turn.performed.status, turn.performed.code) == ("failed", "step.raised")
        assert turn.performed.run == runs(site)[0]["run"]
        (row,) = work(site)
        assert (row["standing"], row["code"]) == ("failed", "step.raised")
        assert b"it is broken" not in b"".join(line for _, line in site.ledger.lines())
    world.meet()
    assert world.said("onprem", name).standing == "failed"


def test_a_dead_agents_work_is_taken_over_whatever_the_wall_clocks_say(world: Any) -> None:
    name = world.ask()
    with world["aws"].open() as site:
        exchange(site)
        dead = Claims(site, seconds=60, grace=20, now=Clock()).next()
        assert dead is not None
        exchange(site)
    clock, wall = Clock(), [WALL]

    def jumping() -> int:
        return wall[0]

    with world["second"].open(jumping) as site:
        exchange(site)
        claims = Claims(site, seconds=60, grace=20, now=clock)
        assert claims.next() is None
        for jump in (HOUR, -2 * HOUR, HOUR):
            wall[0] += jump
            clock.now += 26
            assert claims.next() is None
        clock.now += 3
        claimed = claims.next()
        assert claimed is not None
        assert claimed.taken_over
        assert (claimed.work.name, claimed.lease.fence) == (name, 2)
        assert perform(site, claimed).accepted
    world.meet()
    assert world.said("onprem", name).completion.fence == 2


def test_a_lease_that_is_renewed_is_not_taken_over(world: Any) -> None:
    name = world.ask()
    with world["aws"].open() as holder, world["second"].open() as other:
        exchange(holder)
        held = Claims(holder, now=Clock()).next()
        assert held is not None
        clock = Clock()
        claims = Claims(other, seconds=60, grace=20, now=clock)
        for _ in range(4):
            exchange(holder)
            exchange(other)
            assert claims.next() is None
            clock.now += 70
            before = work_of(holder.state, name).holder
            with Renewal(holder, _continued(held), lambda: None):
                while work_of(holder.state, name).holder == before:
                    pass


def _continued(claimed: Any) -> Any:
    """So that its first renewal is due at once."""
    return replace(claimed, continued=True)


def test_an_agent_that_slept_until_another_was_done_is_superseded(
    world: Any, opened: dict[str, Site]
) -> None:
    name = world.ask()
    exchange(opened["aws"])
    sleeper = Claims(opened["aws"], now=Clock()).next()
    exchange(opened["aws"])
    clock = Clock()
    claims = Claims(opened["second"], now=clock)
    exchange(opened["second"])
    claims.next()
    clock.now += 1000
    assert perform(opened["second"], claims.next()).accepted  # type: ignore[arg-type]
    exchange(opened["second"])
    woken = perform(opened["aws"], sleeper, meet=lambda: exchange(opened["aws"]))  # type: ignore[arg-type]
    assert not woken.accepted
    exchange(opened["aws"])
    for site in opened.values():
        exchange(site)
        told = work_of(site.state, name)
        assert told.completion is not None
        assert told.completion.fence == 2
        assert [one.fence for one in told.superseded] == [1]


def test_two_machines_that_cannot_see_each_other_end_in_one_completion(
    world: Any, opened: dict[str, Site]
) -> None:
    name = world.ask()
    exchange(opened["aws"])
    exchange(opened["second"])
    for machine in ("aws", "second"):
        claimed = Claims(opened[machine], now=Clock()).next()
        assert claimed is not None
        assert claimed.lease.fence == 1
        assert perform(opened[machine], claimed).accepted
    for _ in range(2):
        for site in opened.values():
            exchange(site)
    one, *others = [work_of(site.state, name) for site in opened.values()]
    assert all(other == one for other in others)
    assert one.completion is not None
    assert len(one.superseded) == 1


def test_two_agents_on_one_state(world: Any) -> None:
    with world["aws"].open() as site, world["aws"].open() as same:
        agent, other = world["aws"].agent(site), world["aws"].agent(same)
        seen: list[str] = []

        def meanwhile(_: Site) -> Exchanged:
            with pytest.raises(Conflict) as caught:
                other.once()
            seen.append(caught.value.code)
            return Exchanged()

        world["aws"].agent(site, exchange=meanwhile).once()
        assert seen == ["agent.running"]
        assert agent.once().failures == []


def test_an_agent_that_is_stopped_gives_its_work_back_and_the_run_is_gone_on_with(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = world.ask()
    machine = world["aws"]
    with machine.open() as site:
        stopping = Stopping()
        append = site.ledger.append
        calls: list[int] = []

        def asked_in_the_middle(drafts: Any) -> Any:
            entries = append(drafts)
            if any(draft.type == "step.finished" for draft in drafts) and not calls:
                calls.append(1)
                stopping.ask()
            return entries

        monkeypatch.setattr(site.ledger, "append", asked_in_the_middle)
        assert machine.agent(site, stopping=stopping).once().failures == ["agent.stopped"]
        assert work_of(site.state, name).standing == "waiting"
        assert [row["status"] for row in runs(site)] == ["interrupted"]
    assert machine.told == ["work.claimed", "work.released"]
    with world["onprem"].open() as site:
        exchange(site)
        assert work_of(site.state, name).holder is None
        assert work_of(site.state, name).fence == 1
    with machine.open() as site:
        turn = machine.agent(site).once()
        assert turn.performed.accepted
        assert work_of(site.state, name).fence == 2
        (row,) = runs(site)
        assert (row["run"], row["status"]) == (turn.performed.run, "finished")
    assert machine.marks.count("numbers") == 1


def test_text_parameters_are_waited_for(world: Any) -> None:
    name = world.ask("greeting", name="Ada Lovelace")
    machine = world["aws"]
    with world["onprem"].open() as asking, machine.open() as site:
        assert b"Lovelace" not in b"".join(line for _, line in asking.ledger.lines())
        key = attachment_key(work_of(asking.state, name).parameters_attachment)
        salted = asking.objects.get(key)

        def without(one: Site) -> Exchanged:
            done = exchange(one)
            one.objects.delete(key)
            return done

        agent = machine.agent(site, exchange=without)
        agent.once()
        agent.once()
        assert machine.told == ["work.waiting"]
        assert facts(site, "lease.taken") == 0

        def with_it(one: Site) -> Exchanged:
            one.objects.put(key, salted)
            return exchange(one)

        done = machine.agent(site, exchange=with_it).once().performed
        assert done.accepted
        (row,) = runs(site)
        assert row["parameters"] == {"name": "Ada Lovelace"}


def test_text_parameters_travel_to_whoever_is_asked(world: Any) -> None:
    world.ask("greeting", name="Ada Lovelace")
    with world["aws"].open() as site:
        done = world["aws"].agent(site).once().performed
        assert done.accepted
        assert [row["parameters"] for row in runs(site)] == [{"name": "Ada Lovelace"}]
        assert b"Lovelace" not in b"".join(line for _, line in site.ledger.lines())


def test_what_lasts_is_told_once(world: Any) -> None:
    """The stores answer as the test says: what is shown is when the agent speaks."""
    answers = [{"aws": "no answer"}, {"aws": "no answer"}, {"aws": "1", "onprem": "2"}, {}, {}]
    machine = world["aws"]
    with machine.open() as site:

        def answering(_: Site) -> Exchanged:
            return Exchanged(unreachable=dict(answers.pop(0)))

        agent = machine.agent(site, exchange=answering)
        for _ in range(5):
            agent.once()
    assert machine.told == ["store.unreachable", "store.unreachable", "store.reached"]


def test_a_turn_survives_whatever_fails_in_it(world: Any) -> None:
    """A store that cannot be asked stops no work: the request came before."""
    name = world.ask()
    machine = world["aws"]
    errors: list[Exception] = [
        Unreachable("nobody answers"),
        Unreachable("nobody answers"),
        RuntimeError("a bug"),
    ]
    with machine.open() as site:
        exchange(site)

        def failing(one: Site) -> Exchanged:
            if errors:
                raise errors.pop(0)
            return exchange(one)

        agent = machine.agent(site, exchange=failing)
        turn = agent.once()
        assert turn.performed.accepted
        assert set(turn.failures) == {"unreachable"}
        assert agent.once().failures == []
        assert work_of(site.state, name).standing == "finished"
    assert machine.told.count("part.failed") == 2
    assert machine.told.count("part.recovered") == 1


def test_the_project_of_one_site_needs_no_store(tmp_path: Path, world: Any) -> None:
    (tmp_path / "alone").mkdir()
    for name in ("steps.py", "freehold.yaml"):
        text = (world["onprem"].root / name).read_text()
        (tmp_path / "alone" / name).write_text(text.partition("sites:")[0])
    with open_site(tmp_path / "alone") as site:
        request(site, plan_request(site, "onprem", "sums"))
        turn = world["onprem"].agent(site, exchange=None).once()
        assert turn.performed.accepted
