"""The contract of a ledger: one test per law of the port."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count, pairwise
from pathlib import Path
from typing import Any

import orjson
import pytest

from freehold.domain.canonical import canonical
from freehold.domain.fact import Draft, Fact
from freehold.domain.merkle import leaf_hash, root_of
from freehold.domain.projection import Change, Projection, State
from freehold.ports.clock import Clock
from freehold.ports.contracts.signer import TransientSigner
from freehold.ports.ledger import KeepsLeaves, Ledger, Rebuilds

WRITER = "laptop"
START = 1_700_000_000_000_000


def _note(fact: Fact, state: State) -> Iterable[Change]:
    """The last text by key, and how often the key was noted."""
    key = fact.body["key"]
    before = state.get("notes", key) or {"times": 0}
    yield Change("notes", key, {"text": fact.body["text"], "times": before["times"] + 1})


def _forget(fact: Fact, state: State) -> Iterable[Change]:
    if state.get("notes", fact.body["key"]) is not None:
        yield Change("notes", fact.body["key"], None)


def _fold_notes(fact: Fact, state: State) -> Iterable[Change]:
    return (_note if fact.type == "note.written" else _forget)(fact, state)


def _tally(fact: Fact, state: State) -> Iterable[Change]:
    yield Change("tally", fact.type, (state.get("tally", fact.type) or 0) + 1)


NOTES = Projection("notes", 1, frozenset({"note.written", "note.forgotten"}), _fold_notes)
TALLY = Projection("tally", 1, frozenset({"note.written", "thing.done"}), _tally)


def written(key: str, text: Any = "") -> Draft:
    return Draft("note.written", {"key": key, "text": text})


def forgotten(key: str) -> Draft:
    return Draft("note.forgotten", {"key": key})


class LedgerContract(ABC):
    """Override `open`."""

    @abstractmethod
    def open(
        self,
        folder: Path,
        *,
        signer: TransientSigner,
        clock: Clock,
        projections: Sequence[Projection],
    ) -> Ledger:
        """A ledger of `WRITER`; of the same folder, the same log, if it is durable."""

    @pytest.fixture
    def signer(self) -> TransientSigner:
        return TransientSigner()

    @pytest.fixture
    def clock(self) -> Clock:
        return count(START, 1000).__next__

    @pytest.fixture
    def ledger(self, tmp_path: Path, signer: TransientSigner, clock: Clock) -> Iterator[Ledger]:
        opened = self.open(tmp_path, signer=signer, clock=clock, projections=(NOTES, TALLY))
        yield opened
        opened.close()

    def test_an_empty_log(self, ledger: Ledger) -> None:
        assert ledger.writer == WRITER
        assert list(ledger.lines()) == []
        assert list(ledger.checkpoints()) == []
        assert list(ledger.state.scan("notes")) == []

    def test_entries_are_what_is_stored(self, ledger: Ledger) -> None:
        entries = ledger.append([written("a", 1), Draft("thing.done", {}, 2, ("x/0",), "p-7")])
        assert [entry.encoded for entry in entries] == [line for _, line in ledger.lines()]
        for entry in entries:
            assert entry.encoded == canonical(entry.fact.as_json())
            assert entry.leaf == leaf_hash(entry.encoded)
            assert Fact.from_json(orjson.loads(entry.encoded)) == entry.fact
        done = entries[1].fact
        assert (done.type, done.version, done.cause, done.actor) == (
            "thing.done", 2, ("x/0",), "p-7",
        )  # fmt: skip
        assert done.name == f"{WRITER}/1"

    def test_sequences_have_no_gap(self, ledger: Ledger) -> None:
        for size in (1, 3, 2):
            ledger.append([written(str(size))] * size)
        assert [sequence for sequence, _ in ledger.lines()] == list(range(6))
        facts = [Fact.from_json(orjson.loads(line)) for _, line in ledger.lines()]
        assert [fact.sequence for fact in facts] == list(range(6))
        assert {fact.writer for fact in facts} == {WRITER}

    def test_time_never_runs_backwards(self, tmp_path: Path, signer: TransientSigner) -> None:
        readings = iter([START, START, START - 10**9, START + 1])
        ledger = self.open(
            tmp_path / "back", signer=signer, clock=readings.__next__, projections=()
        )
        times = [entry.fact.time for _ in range(4) for entry in ledger.append([written("a")] * 2)]
        ledger.close()
        assert all(earlier < later for earlier, later in pairwise(times))
        assert times[0].wall == START and times[-1].wall == START + 1

    def test_every_call_is_covered_by_a_signed_checkpoint(
        self, ledger: Ledger, signer: TransientSigner
    ) -> None:
        leaves = [
            entry.leaf for size in (2, 1, 4) for entry in ledger.append([written("a")] * size)
        ]
        found = list(ledger.checkpoints())
        assert [checkpoint.size for checkpoint in found] == [2, 3, 7]
        for checkpoint in found:
            assert checkpoint.writer == WRITER
            assert checkpoint.root == root_of(leaves[: checkpoint.size]).hex()
            assert checkpoint.is_signed_by(signer.public)

    def test_nothing_to_append(self, ledger: Ledger) -> None:
        assert ledger.append([]) == ()
        assert ledger.decide(lambda _: ()) == ()
        assert list(ledger.checkpoints()) == []

    def test_lines_of_a_range(self, ledger: Ledger) -> None:
        every = [(e.fact.sequence, e.encoded) for e in ledger.append([written("a")] * 10)]
        assert list(ledger.lines(3)) == every[3:]
        assert list(ledger.lines(2, 5)) == every[2:5]
        assert list(ledger.lines(9, 100)) == every[9:]
        assert list(ledger.lines(10)) == []
        assert list(ledger.lines(4, 4)) == []

    def test_reading_goes_on_while_others_append(self, ledger: Ledger) -> None:
        ledger.append([written(str(number)) for number in range(2500)])
        reading = ledger.lines()
        first = [next(reading) for _ in range(10)]
        ledger.append([written("later")])
        sequences = [sequence for sequence, _ in (*first, *reading)]
        assert sequences[:2500] == list(range(2500))

    def test_leaves_lie_beside_the_lines(self, ledger: Ledger) -> None:
        ledger.append([written("a"), written("b")])
        if isinstance(ledger, KeepsLeaves):
            assert list(ledger.leaves()) == [leaf_hash(line) for _, line in ledger.lines()]

    def test_projections_follow_each_append(self, ledger: Ledger) -> None:
        ledger.append([written("a", 1), written("b", 2), written("a", 3)])
        assert ledger.state.get("notes", "a") == {"text": 3, "times": 2}
        assert ledger.state.get("tally", "note.written") == 3
        ledger.append([forgotten("a")])
        assert ledger.state.get("notes", "a") is None
        assert ledger.state.get("absent", "a") is None

    def test_rows_are_scanned_by_prefix_in_order(self, ledger: Ledger) -> None:
        keys = ["b", "a/2", "a/10", "a", "é", "a/\U0010ffff", "a/\uffff", "ab"]
        ledger.append([written(key, key) for key in keys])
        assert [key for key, _ in ledger.state.scan("notes")] == sorted(keys)
        found = list(ledger.state.scan("notes", "a/"))
        assert [key for key, _ in found] == ["a/10", "a/2", "a/\uffff", "a/\U0010ffff"]
        assert all(row["text"] == key for key, row in found)
        assert list(ledger.state.scan("notes", "zz")) == []

    def test_many_rows_are_scanned(self, ledger: Ledger) -> None:
        keys = [f"{number:04d}" for number in range(1000)]
        ledger.append([written(key) for key in keys])
        assert [key for key, _ in ledger.state.scan("notes")] == keys
        assert [key for key, _ in ledger.state.scan("notes", "05")] == keys[500:600]

    def test_a_decision_sees_what_was_appended(self, ledger: Ledger) -> None:
        def add_one(state: State) -> list[Draft]:
            before = state.get("notes", "n") or {"text": 0}
            return [written("n", before["text"] + 1)]

        for expected in (1, 2, 3):
            (entry,) = ledger.decide(add_one)
            assert entry.fact.body["text"] == expected

    def test_threads_take_turns(self, ledger: Ledger) -> None:
        def add_one(state: State) -> list[Draft]:
            before = state.get("notes", "n") or {"text": 0}
            return [written("n", before["text"] + 1), written(f"other-{before['text']}")]

        def work(_: int) -> None:
            for _ in range(10):
                ledger.decide(add_one)
                assert ledger.state.get("notes", "n")["text"] > 0  # type: ignore[index]

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(work, range(8)))
        assert ledger.state.get("notes", "n") == {"text": 80, "times": 80}
        assert [sequence for sequence, _ in ledger.lines()] == list(range(160))
        texts = [orjson.loads(line)["body"]["text"] for _, line in ledger.lines()][::2]
        assert texts == list(range(1, 81))
        leaves = [leaf_hash(line) for _, line in ledger.lines()]
        for checkpoint in ledger.checkpoints():
            assert checkpoint.root == root_of(leaves[: checkpoint.size]).hex()

    @pytest.mark.parametrize(
        "wrong",
        [
            written("a", float("nan")),
            written("a", "\ud800"),
            written("a", 2**60),
            written("a", object()),
            Draft("note.written", {"no": "key"}),
            Draft("note.written", ["not an object"]),  # type: ignore[arg-type]
        ],
        ids=["nan", "surrogate", "integer", "object", "fold-raises", "not-an-object"],
    )
    def test_a_refused_call_changes_nothing(self, ledger: Ledger, wrong: Draft) -> None:
        ledger.append([written("a", "before")])
        before = self._everything(ledger)
        with pytest.raises((ValueError, TypeError, KeyError)):
            ledger.append([written("a", "after"), wrong, written("b")])
        assert self._everything(ledger) == before
        ledger.append([written("c")])
        assert [sequence for sequence, _ in ledger.lines()] == [0, 1]

    def test_a_decision_that_raises_changes_nothing(self, ledger: Ledger) -> None:
        ledger.append([written("a", "before")])
        before = self._everything(ledger)

        def refuse(state: State) -> list[Draft]:
            assert state.get("notes", "a") is not None
            raise LookupError("no")

        with pytest.raises(LookupError):
            ledger.decide(refuse)
        assert self._everything(ledger) == before

    def test_a_signer_that_fails_changes_nothing(
        self, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ledger.append([written("a", "before")])
        before = self._everything(ledger)

        def fail(*_: object) -> bytes:
            raise OSError("the key is gone")

        with monkeypatch.context() as patched:
            patched.setattr(TransientSigner, "sign", fail)
            with pytest.raises(OSError, match="gone"):
                ledger.append([written("a", "after")])
        assert self._everything(ledger) == before

    def test_a_decision_must_not_append(self, ledger: Ledger) -> None:
        with pytest.raises(RuntimeError, match="must not append"):
            ledger.decide(lambda _: [*ledger.append([written("a")]), written("b")])  # type: ignore[list-item]
        assert list(ledger.lines()) == []

    def test_rows_cannot_be_changed_by_a_reader(self, ledger: Ledger) -> None:
        ledger.append([written("a", [1])])
        ledger.state.get("notes", "a")["text"].append(2)  # type: ignore[index]
        assert ledger.state.get("notes", "a") == {"text": [1], "times": 1}

    def test_a_rebuild_gives_the_same_state(self, ledger: Ledger) -> None:
        texts: list[Any] = [1.0, (1, 2), None, True, 0.1, 1e-9, "ü", {"b": 1, "a": 2}]
        ledger.append([written(f"{n % 5}", text) for n, text in enumerate(texts)])
        ledger.append([forgotten("1"), Draft("thing.done", {}), Draft("thing.unread", {})])
        before = self._everything(ledger)
        assert isinstance(ledger, Rebuilds)
        assert ledger.rebuild() == len(texts) + 3
        assert self._everything(ledger) == before
        ledger.append([written("a")])
        assert ledger.state.get("notes", "a") == {"text": "", "times": 1}

    def test_it_stands_when_opened_again(
        self, tmp_path: Path, signer: TransientSigner, clock: Clock
    ) -> None:
        ledger = self.open(tmp_path, signer=signer, clock=clock, projections=(NOTES,))
        ledger.append([written("a", 1)])
        before = self._everything(ledger)
        ledger.close()
        again = self.open(tmp_path, signer=signer, clock=clock, projections=(NOTES,))
        assert self._everything(again) == before
        (entry,) = again.append([written("b")])
        again.close()
        assert entry.fact.sequence == 1

    @staticmethod
    def _everything(ledger: Ledger) -> tuple[object, ...]:
        return (
            list(ledger.lines()),
            list(ledger.checkpoints()),
            list(ledger.state.scan("notes")),
            list(ledger.state.scan("tally")),
        )
