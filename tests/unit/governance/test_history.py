"""Every way to damage a log is found, and the first wrong entry is named."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.domain.canonical import canonical
from freehold.domain.checkpoint import Checkpoint
from freehold.domain.errors import IntegrityError
from freehold.domain.fact import Draft, Entry
from freehold.domain.head import Head
from freehold.domain.merkle import leaf_hash, root_of
from freehold.governance.export import checkpoint_lines, entry_lines
from freehold.governance.history import HistoryReport, verify
from freehold.ports.contracts.signer import TransientSigner

SIGNER = TransientSigner()
START = 1_700_000_000_000_000


@dataclass
class Log:
    """A stored log, open to damage."""

    lines: list[tuple[int, bytes]] = field(default_factory=list)
    leaves: list[bytes] = field(default_factory=list)
    checkpoints: list[Checkpoint] = field(default_factory=list)

    def verify(self, against: Checkpoint | None = None, *, leaves: bool = True) -> HistoryReport:
        stored = self.leaves if leaves else []
        return verify(self.lines, self.checkpoints, SIGNER.public, against, leaves=stored)

    def alter(self, sequence: int, encoded: bytes, *, leaf: bool = False) -> None:
        self.lines[sequence] = (self.lines[sequence][0], encoded)
        if leaf:
            self.leaves[sequence] = leaf_hash(encoded)

    def drop(self, sequence: int) -> None:
        del self.lines[sequence], self.leaves[sequence]

    def number_anew(self) -> None:
        self.lines = [(number, encoded) for number, (_, encoded) in enumerate(self.lines)]


def signed(checkpoint: Checkpoint) -> Checkpoint:
    return replace(checkpoint, signature=SIGNER.sign(checkpoint.signed_bytes()).hex())


def log_of(*groups: int, text: str = "t") -> Log:
    log, head = Log(), Head("w")
    for at, size in enumerate(groups):
        drafts = [Draft("a.done", {"n": n, "text": text}) for n in range(size)]
        entries: tuple[Entry, ...] = head.extend(drafts, START + at * 1000)
        log.lines += [(entry.fact.sequence, entry.encoded) for entry in entries]
        log.leaves += [entry.leaf for entry in entries]
        log.checkpoints.append(signed(head.checkpoint(START, SIGNER.public.fingerprint)))
    return log


def kinds(report: HistoryReport) -> list[tuple[str, int | None]]:
    return [(fault.kind, fault.sequence) for fault in report.faults]


@pytest.mark.parametrize("groups", [(), (1,), (3, 1, 4), (1,) * 9, (20,)])
def test_a_log_that_is_as_signed_holds(groups: tuple[int, ...]) -> None:
    log = log_of(*groups)
    for leaves in (True, False):
        report = log.verify(leaves=leaves)
        assert report.holds and report.first_bad is None
        assert report.entries == sum(groups) and report.checkpoints == len(groups)
        assert report.root == root_of(log.leaves).hex()


@pytest.mark.parametrize("sequence", range(12))
def test_an_altered_entry_is_named(sequence: int) -> None:
    log = log_of(5, 4, 3)
    log.alter(sequence, log.lines[sequence][1].replace(b'"text":"t"', b'"text":"u"'))
    report = log.verify()
    assert kinds(report) == [("altered", sequence)]
    assert report.entries == max(end for end in (0, 5, 9) if end <= sequence)


def test_without_leaves_the_range_is_named() -> None:
    log = log_of(5, 4, 3)
    log.alter(7, log.lines[7][1].replace(b'"text":"t"', b'"text":"u"'))
    report = log.verify(leaves=False)
    assert kinds(report) == [("rewritten", 5)]
    assert "up to 8" in report.faults[0].what


def test_an_entry_that_is_no_fact_is_named_without_leaves() -> None:
    log = log_of(5, 4, 3)
    log.alter(7, log.lines[7][1].replace(b'"writer"', b'"wr\x00ter"'))
    assert kinds(log.verify(leaves=False)) == [("altered", 7)]


def test_an_entry_rewritten_with_its_leaf_is_found() -> None:
    log = log_of(5, 4, 3)
    log.alter(7, log.lines[7][1].replace(b'"text":"t"', b'"text":"u"'), leaf=True)
    assert kinds(log.verify()) == [("rewritten", 5)]


@pytest.mark.parametrize("sequence", range(12))
@pytest.mark.parametrize("leaves", [True, False])
def test_a_dropped_entry_is_named(sequence: int, leaves: bool) -> None:
    log = log_of(5, 4, 3)
    log.drop(sequence)
    assert kinds(log.verify(leaves=leaves)) == [("dropped", sequence)]
    log.number_anew()
    report = log.verify(leaves=leaves)
    assert report.first_bad == sequence and len(report.faults) == 1


@pytest.mark.parametrize("pair", [(0, 1), (2, 6), (4, 5), (10, 11), (0, 11)])
@pytest.mark.parametrize("with_leaf", [True, False])
@pytest.mark.parametrize("leaves", [True, False])
def test_a_swapped_pair_is_named(pair: tuple[int, int], with_leaf: bool, leaves: bool) -> None:
    log = log_of(5, 4, 3)
    first, second = log.lines[pair[0]][1], log.lines[pair[1]][1]
    log.alter(pair[0], second, leaf=with_leaf)
    log.alter(pair[1], first, leaf=with_leaf)
    assert log.verify(leaves=leaves).first_bad == pair[0]


def test_a_swapped_pair_with_its_sequences_rewritten_shows_by_time() -> None:
    log = log_of(5)
    first, second = (json.loads(log.lines[n][1]) for n in (2, 3))
    first["sequence"], second["sequence"] = 3, 2
    log.alter(2, canonical(second), leaf=True)
    log.alter(3, canonical(first), leaf=True)
    assert kinds(log.verify()) == [("out-of-place", 3)]


def test_a_damaged_leaf_is_told_from_a_damaged_entry() -> None:
    log = log_of(5, 4)
    log.leaves[2] = b"x" * 32
    report = log.verify()
    assert kinds(report) == [("leaf", None)]
    assert "entry 2" in report.faults[0].what
    assert report.entries == 9


@pytest.mark.parametrize("which", range(3))
@pytest.mark.parametrize(
    "damage",
    [
        lambda c: replace(c, root="0" * 64),
        lambda c: replace(c, wall=c.wall + 1),
        lambda c: replace(c, writer="x"),
        lambda c: replace(c, signature=""),
        lambda c: replace(c, signature="zz"),
        lambda c: replace(c, signature=c.signature.upper()),
        lambda c: replace(c, key="sha256:" + "0" * 64),
        lambda c: replace(c, signature=TransientSigner().sign(c.signed_bytes()).hex()),
    ],
)
def test_a_checkpoint_that_is_not_signed_is_named(
    which: int, damage: Callable[[Checkpoint], Checkpoint]
) -> None:
    log = log_of(5, 4, 3)
    log.checkpoints[which] = damage(log.checkpoints[which])
    report = log.verify()
    expected: list[tuple[str, int | None]] = [("checkpoint.signature", None)]
    if which == 2:
        expected.append(("uncovered", 9))
    assert kinds(report) == expected
    assert f"of size {(5, 9, 12)[which]} " in report.faults[0].what
    assert report.checkpoints == 2


def test_a_signed_checkpoint_with_a_wrong_root_is_told_from_wrong_entries() -> None:
    log = log_of(5, 4, 3)
    log.checkpoints[1] = signed(replace(log.checkpoints[1], root="0" * 64))
    report = log.verify()
    assert kinds(report) == [("checkpoint.root", None)]
    assert "size 9" in report.faults[0].what and report.entries == 12


def test_checkpoints_out_of_order() -> None:
    log = log_of(5, 4, 3)
    log.checkpoints[0], log.checkpoints[1] = log.checkpoints[1], log.checkpoints[0]
    assert kinds(log.verify()) == [("checkpoint.order", None)]


def test_entries_that_no_checkpoint_covers() -> None:
    log = log_of(5, 4, 3)
    log.checkpoints.pop()
    report = log.verify()
    assert kinds(report) == [("uncovered", 9)] and report.entries == 9
    log.checkpoints.clear()
    assert kinds(log.verify()) == [("uncovered", 0)]


def test_an_appended_entry_that_nobody_signed() -> None:
    log = log_of(5)
    log.lines.append((5, log.lines[4][1]))
    assert kinds(log.verify()) == [("uncovered", 5)]


@pytest.mark.parametrize("kept", range(4))
def test_a_checkpoint_kept_elsewhere_agrees_with_a_longer_log(kept: int) -> None:
    log = log_of(5, 4, 3, 1)
    assert log.verify(log.checkpoints[kept]).holds


@pytest.mark.parametrize("cut", [0, 5, 9])
def test_a_truncation_shows_against_a_checkpoint_kept_elsewhere(cut: int) -> None:
    log = log_of(5, 4, 3)
    kept = log.checkpoints[-1]
    del log.lines[cut:], log.leaves[cut:]
    log.checkpoints = [c for c in log.checkpoints if c.size <= cut]
    assert log.verify().holds
    assert kinds(log.verify(kept)) == [("truncated", cut)]


def test_a_tail_signed_anew_shows_against_a_checkpoint_kept_elsewhere() -> None:
    log, forged = log_of(5, 4, 3), log_of(5, 4, 3, text="u")
    assert forged.verify().holds
    assert kinds(forged.verify(log.checkpoints[-1])) == [("signed-anew", None)]
    longer = log_of(5, 4, 3, 9, text="u")
    assert kinds(longer.verify(log.checkpoints[0])) == [("signed-anew", None)]
    other_groups = log_of(1, 20, text="u")
    assert kinds(other_groups.verify(log.checkpoints[1])) == [("signed-anew", None)]


def test_an_altered_entry_is_named_rather_than_the_kept_checkpoint() -> None:
    log = log_of(5, 4, 3)
    log.alter(7, log.lines[7][1].replace(b'"text":"t"', b'"text":"u"'))
    assert kinds(log.verify(log.checkpoints[-1])) == [("altered", 7)]


def test_a_kept_checkpoint_that_is_not_signed_is_not_believed() -> None:
    log = log_of(5)
    forged = replace(log.checkpoints[0], root="0" * 64)
    assert kinds(log.verify(forged)) == [("against.signature", None)]


def test_what_cannot_be_read_is_a_fault() -> None:
    log = log_of(5, 4)

    def failing() -> object:
        yield from log.lines[:7]
        raise IntegrityError("damaged", why="page 9")

    report = verify(failing(), log.checkpoints, SIGNER.public)  # type: ignore[arg-type]
    assert kinds(report) == [("unreadable", 7)] and report.entries == 5


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_flipped_bit_of_any_entry_is_found_and_named(data: st.DataObject) -> None:
    groups = data.draw(st.lists(st.integers(1, 6), min_size=1, max_size=4))
    log = log_of(*groups)
    sequence = data.draw(st.integers(0, sum(groups) - 1))
    encoded = bytearray(log.lines[sequence][1])
    encoded[data.draw(st.integers(0, len(encoded) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    log.alter(sequence, bytes(encoded))
    assert kinds(log.verify()) == [("altered", sequence)]


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_flipped_bit_of_any_checkpoint_is_found(data: st.DataObject) -> None:
    log = log_of(2, 1, 3)
    which = data.draw(st.integers(0, 2))
    encoded = bytearray(canonical(log.checkpoints[which].as_json()))
    # Signatures differ in length from run to run.
    encoded[data.draw(st.integers(0, 10_000)) % len(encoded)] ^= 1 << data.draw(st.integers(0, 7))
    try:
        log.checkpoints[which] = Checkpoint.from_json(json.loads(bytes(encoded)))
    except ValueError:
        return
    assert not log.verify().holds


def test_an_export_is_the_bytes_and_verifies() -> None:
    log = log_of(5, 4, 3)
    entries = b"".join(entry_lines(log.lines)).split(b"\n")[:-1]
    assert entries == [encoded for _, encoded in log.lines]
    values = [json.loads(line) for line in checkpoint_lines(log.lines, log.checkpoints)]
    assert [leaf for value in values for leaf in value["leaves"]] == [x.hex() for x in log.leaves]
    read = [Checkpoint.from_json(value) for value in values]
    assert verify(enumerate(entries), read, SIGNER.public).holds


def test_a_damaged_log_is_not_exported() -> None:
    log = log_of(5)
    log.drop(2)
    with pytest.raises(IntegrityError) as caught:
        list(entry_lines(log.lines))
    assert caught.value.code == "ledger.damaged"
