"""The contract of a ledger that holds other writers' logs: one test per law of `KeepsLogs`."""

import random
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import orjson
import pytest

from freehold.domain.checkpoint import Checkpoint
from freehold.domain.errors import IntegrityError
from freehold.domain.fact import Draft, Fact
from freehold.domain.ordering import knew
from freehold.domain.projection import Change, Projection, State
from freehold.ports.clock import Clock
from freehold.ports.contracts.signer import TransientSigner
from freehold.ports.ledger import HeldLog, KeepsLogs, Ledger, MergingLedger, Stretch

START = 1_700_000_000_000_000
HOUR = 3_600_000_000
SITES = ("onprem-1", "aws-2", "azure-3")
SIGNERS = {site: TransientSigner() for site in SITES}


def _fold(fact: Fact, state: State) -> Iterable[Change]:
    """Not commutative on purpose: the last one counts, and the whole order is written down; a
    write that did not know the one before it is noted as a clash."""
    key = fact.body["key"]
    before = state.get("values", key)
    yield Change("values", key, {"fact": fact.name, "text": fact.body["text"]})
    if before is not None and not knew(state, fact, before["fact"]):
        yield Change("clashes", f"{key}/{before['fact']}/{fact.name}", True)
    yield Change("order", key, [*(state.get("order", key) or []), fact.name])
    if fact.body["text"] == "gone":
        yield Change("values", key, None)


PROJECTION = Projection("values", 1, frozenset({"value.set"}), _fold)
TABLES = ("values", "clashes", "order", "seen")


def said(key: str, text: str = "") -> Draft:
    return Draft("value.set", {"key": key, "text": text})


def state_of(ledger: Ledger) -> dict[str, list[tuple[str, Any]]]:
    return {table: list(ledger.state.scan(table)) for table in TABLES}


def held(ledger: KeepsLogs, writer: str) -> HeldLog:
    return next(log for log in ledger.logs() if log.writer == writer)


def size_of(ledger: KeepsLogs, writer: str) -> int:
    return next((log.size for log in ledger.logs() if log.writer == writer), 0)


def stretch(
    source: KeepsLogs, writer: str, first: int = 0, checkpoint: Checkpoint | None = None
) -> Stretch:
    """What the source holds of a log, from an entry up to a checkpoint, or the newest."""
    found = list(source.log_checkpoints(writer))
    if checkpoint is not None:
        found = [one for one in found if one.size <= checkpoint.size]
    stop = found[-1].size if found else 0
    lines = [line for _, line in source.log_lines(writer, first, stop)]
    return Stretch(writer, first, lines, [one for one in found if one.size > first])


def copy_all(source: MergingLedger, target: MergingLedger) -> int:
    """All that the source holds of others than the target."""
    return target.receive(
        [
            stretch(source, log.writer, size_of(target, log.writer))
            for log in source.logs()
            if log.writer != target.writer and log.size
        ]
    )


class KeptLogsContract(ABC):
    """Override `open`."""

    @abstractmethod
    def open(
        self, site: str, clock: Clock, folder: Path, projections: Sequence[Projection]
    ) -> MergingLedger:
        """The ledger of the writer `site`, with the key SIGNERS[site]; of the same folder, the
        same ledger."""

    def opened(self, site: str, folder: Path, wall: int = START) -> MergingLedger:
        clock = count(wall, 1000).__next__
        return self.open(site, clock, folder / site, [PROJECTION])

    @pytest.fixture
    def three(self, tmp_path: Path) -> Iterator[list[MergingLedger]]:
        ledgers = [self.opened(site, tmp_path) for site in SITES]
        yield ledgers
        for ledger in ledgers:
            ledger.close()

    def test_a_log_that_was_received_is_held(self, three: list[MergingLedger]) -> None:
        a, b, _ = three
        a.append([said("x", "1"), said("y", "2")])
        assert copy_all(a, b) == 2
        assert list(b.log_lines(a.writer)) == list(a.lines())
        assert held(b, a.writer) == held(a, a.writer)
        assert list(b.log_checkpoints(a.writer)) == list(a.checkpoints())
        assert state_of(b)["values"] == state_of(a)["values"]

    def test_the_own_log_is_one_of_them(self, three: list[MergingLedger]) -> None:
        a, _, _ = three
        a.append([said("x")])
        assert list(a.log_lines(a.writer)) == list(a.lines())
        assert list(a.log_checkpoints(a.writer)) == list(a.checkpoints())
        assert list(a.log_lines("nobody")) == []
        assert [log.writer for log in a.logs()] == [a.writer]

    def test_what_is_held_is_passed_over(self, three: list[MergingLedger]) -> None:
        a, b, _ = three
        a.append([said("x", "1")])
        whole = stretch(a, a.writer)
        assert b.receive([whole]) == 1
        before = state_of(b)
        assert b.receive([whole, whole]) == 0
        a.append([said("x", "2")])
        assert b.receive([stretch(a, a.writer)]) == 1
        assert state_of(b) != before

    def test_an_own_fact_says_what_it_had_seen_once(self, three: list[MergingLedger]) -> None:
        a, b, _ = three
        a.append([said("x", "1")])
        copy_all(a, b)
        first, second = b.append([said("x", "2"), said("x", "3")])
        (third,) = b.append([said("x", "4")])
        assert first.fact.seen == {a.writer: f"1:{held(a, a.writer).root}"}
        assert second.fact.seen == {} == third.fact.seen

    def test_an_effect_comes_after_its_cause_whatever_the_clocks_say(self, tmp_path: Path) -> None:
        ahead = self.opened(SITES[0], tmp_path, START + HOUR)
        behind = self.opened(SITES[1], tmp_path, START - HOUR)
        ahead.append([said("x", "wrong")])
        copy_all(ahead, behind)
        behind.append([said("x", "right")])
        copy_all(behind, ahead)
        for ledger in (ahead, behind):
            value = ledger.state.get("values", "x")
            assert value is not None
            assert value["text"] == "right"
            assert state_of(ledger)["clashes"] == []
            ledger.close()

    def test_a_late_fact_takes_its_place_among_those_that_are_folded(
        self, three: list[MergingLedger]
    ) -> None:
        a, b, _ = three
        b.append([said("x", f"b{number}") for number in range(3)])
        a.append([said("x", "a")])
        a.append([said("x", "gone")])
        copy_all(b, a)
        copy_all(a, b)
        assert state_of(a) == state_of(b)
        assert len(state_of(a)["clashes"]) >= 1

    def test_an_entry_waits_for_what_its_writer_had_seen(self, three: list[MergingLedger]) -> None:
        a, b, c = three
        a.append([said("x", "a")])
        copy_all(a, b)
        b.append([said("x", "b")])
        assert c.receive([stretch(b, b.writer)]) == 1
        assert held(c, b.writer).size == 1
        assert held(c, b.writer).folded == 0
        assert state_of(c)["values"] == []
        c.append([said("y", "c")])
        assert c.receive([stretch(a, a.writer)]) == 1
        assert held(c, b.writer).folded == 1
        (entry,) = c.append([said("z", "c")])
        assert set(entry.fact.seen) == {a.writer, b.writer}
        value = c.state.get("values", "x")
        assert value is not None
        assert value["text"] == "b"

    @pytest.mark.parametrize("fault", ["gap", "changed", "swapped", "cut", "other", "no root"])
    def test_what_does_not_continue_a_log_is_refused_whole(
        self, three: list[MergingLedger], fault: str
    ) -> None:
        a, b, c = three
        a.append([said("x", str(number)) for number in range(6)])
        c.append([said("z", "good")])
        good = stretch(a, a.writer)
        lines = list(good.lines)
        changed = lines[2].replace(b'"text":"2"', b'"text":"7"')
        bad = {
            "gap": Stretch(a.writer, 1, lines[1:], good.checkpoints),
            "changed": Stretch(a.writer, 0, [*lines[:2], changed, *lines[3:]], good.checkpoints),
            "swapped": Stretch(a.writer, 0, [lines[1], lines[0], *lines[2:]], good.checkpoints),
            "cut": Stretch(a.writer, 0, lines[:3], good.checkpoints),
            "other": Stretch(SITES[2], 0, lines, good.checkpoints),
            "no root": Stretch(a.writer, 0, lines, []),
        }[fault]
        before = state_of(b)
        with pytest.raises(IntegrityError) as caught:
            b.receive([stretch(c, c.writer), bad])
        assert caught.value.code in (
            "log.does-not-continue",
            "log.wrong-entry",
            "log.wrong-root",
        )
        assert state_of(b) == before
        assert size_of(b, c.writer) == 0
        assert b.receive([stretch(c, c.writer), good]) == 7

    def test_nobody_else_adds_to_the_own_log(self, three: list[MergingLedger]) -> None:
        a, _, _ = three
        a.append([said("x")])
        with pytest.raises(IntegrityError) as caught:
            a.receive([stretch(a, a.writer)])
        assert caught.value.code == "log.own"

    @pytest.mark.parametrize("keep", [0, 2, 5])
    def test_a_site_goes_on_in_a_new_log(self, three: list[MergingLedger], keep: int) -> None:
        a, b, _ = three
        b.append([said("x", "b")])
        copy_all(b, a)
        drafts = [said("x", str(number)) for number in range(4)]
        a.append(drafts[:2])
        first = a.append([drafts[2]])[0].fact
        a.append([Draft("value.set", drafts[3].body, cause=(first.name,))])
        a.append([said("y", "last")])
        old, lines = a.writer, [line for _, line in a.lines()]
        new = f"{old}.2"
        assert a.continue_as(new, SIGNERS[SITES[0]], keep) == 5 - keep
        assert a.writer == new
        assert [line for _, line in a.log_lines(old)] == lines[:keep]
        facts = [Fact.from_json(orjson.loads(line)) for _, line in a.lines()]
        assert [fact.body["text"] for fact in facts] == ["0", "1", "2", "3", "last"][keep:]
        value = a.state.get("values", "x")
        assert value is not None
        assert value["text"] == "3"
        if keep == 2:
            assert facts[1].cause == (f"{new}/0",)
        assert a.append([said("z", "more")])[0].fact.writer == new

    def test_the_rest_of_an_old_log_is_taken_when_it_is_found(
        self, three: list[MergingLedger]
    ) -> None:
        """A state store restored from a backup: the world knows more of its log than it does."""
        a, b, _ = three
        a.append([said("x", "1")])
        early = next(iter(a.checkpoints()))
        a.append([said("x", "2"), said("y", "2")])
        copy_all(a, b)
        full = stretch(a, a.writer)
        a.continue_as(f"{a.writer}.2", SIGNERS[SITES[0]], early.size)
        assert a.receive([full]) == 2
        assert copy_all(a, b) == size_of(a, a.writer)
        assert state_of(a) == state_of(b)

    def test_what_is_cut_off_leaves_no_trace_in_the_order(
        self, three: list[MergingLedger], tmp_path: Path
    ) -> None:
        """Others' facts had seen entries that this ledger had otherwise, under the same numbers."""
        a, b, c = three
        for text in ("1", "2", "3"):
            a.append([said("x", text)])
        copy_all(a, b)
        b.append([said("x", "b")])
        c.append([said("x", "c")])
        (tmp_path / "restored").mkdir()
        restored = self.opened(SITES[0], tmp_path / "restored", START + HOUR)
        restored.append([said("x", "1")])
        for text in ("o2", "o3"):
            restored.append([said("x", text)])
        restored.receive([stretch(b, b.writer)])
        restored.continue_as(f"{restored.writer}.2", SIGNERS[SITES[0]], 0)
        restored.receive([stretch(a, a.writer), stretch(c, c.writer)])
        copy_all(restored, c)
        copy_all(b, c)
        copy_all(a, c)
        assert state_of(restored) == state_of(c)
        restored.close()

    def test_a_whole_log_is_left(self, three: list[MergingLedger]) -> None:
        a, _, _ = three
        a.append([said("x", "1"), said("x", "2")])
        old = a.writer
        assert a.continue_as(f"{old}.2", SIGNERS[SITES[0]], None, [said("y", "first")]) == 0
        assert held(a, old).size == 2
        assert [Fact.from_json(orjson.loads(line)).body["key"] for _, line in a.lines()] == ["y"]

    @pytest.mark.parametrize("seed", range(30))
    def test_one_state_whatever_the_order(self, tmp_path: Path, seed: int) -> None:
        interleaved(self, tmp_path, seed, steps=40)

    @pytest.mark.long
    @pytest.mark.parametrize("seed", range(1000, 1500))
    def test_one_state_whatever_the_order_long(self, tmp_path: Path, seed: int) -> None:
        interleaved(self, tmp_path, seed, steps=100)


def interleaved(suite: KeptLogsContract, folder: Path, seed: int, steps: int) -> None:
    """Three sites append and meet at random: stretches are lost, doubled, late and out of order,
    the clocks are up to an hour apart. At the end everyone gets everything."""
    chance = random.Random(seed)
    ledgers = []
    for site in SITES:
        ledgers.append(suite.opened(site, folder, START + chance.randint(-HOUR, HOUR)))
    on_the_way: list[tuple[MergingLedger, Stretch]] = []
    for _ in range(steps):
        ledger = chance.choice(ledgers)
        if chance.random() < 0.5:
            key, text = chance.choice("xyz"), chance.choice(["1", "2", "gone"])
            ledger.append([said(key, text)] * chance.randint(1, 3))
            continue
        for writer in chance.sample(SITES, 2):
            target = chance.choice([one for one in ledgers if one is not ledger])
            checkpoints = list(ledger.log_checkpoints(writer))
            if writer != target.writer and checkpoints:
                upto = chance.choice(checkpoints)
                first = chance.randint(0, min(size_of(target, writer), upto.size))
                on_the_way.append((target, stretch(ledger, writer, first, upto)))
        chance.shuffle(on_the_way)
        while on_the_way and chance.random() < 0.6:
            target, found = on_the_way.pop()
            if chance.random() < 0.2:
                continue
            for _ in range(chance.choice([1, 1, 2])):
                target.receive([found])
    for _ in range(2):
        for source in ledgers:
            for target in ledgers:
                if source is not target:
                    copy_all(source, target)
    one, *others = [state_of(ledger) for ledger in ledgers]
    for other in others:
        assert other == one
    for ledger in ledgers:
        assert all(log.folded == log.size for log in ledger.logs())
        ledger.close()
