"""Publishing and pulling logs through stores that lose, double, cut and falsify."""

import gzip
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from freehold.adapters.memory.object_store import MemoryObjectStore
from freehold.domain.canonical import canonical
from freehold.domain.errors import IntegrityError, Unreachable
from freehold.replication import publishing, pulling
from freehold.replication.fault import LogConflict
from freehold.replication.head import encode_head, offered_keys, signed_heads
from freehold.replication.inspection import mendable
from freehold.replication.layout import HeadName, SegmentName, writers
from freehold.replication.publishing import publish_log
from freehold.replication.pulling import pull_log
from freehold.replication.segment import pack_lines

Make = Callable[..., Any]


@pytest.fixture
def alice(party: Make) -> Any:
    return party("alice").write(3, 2, 4)


@pytest.fixture
def bob(party: Make) -> Any:
    return party("bob")


def publish(one: Any, store: MemoryObjectStore, **more: Any) -> Any:
    return publish_log(one.ledger, one.writer, one.public, store, **more)


def pull(reader: Any, of: Any, *stores: MemoryObjectStore) -> Any:
    named = {f"s{number}": store for number, store in enumerate(stores)}
    return pull_log(of.writer, reader.ledger, named, of.public)


def segments(store: MemoryObjectStore, writer: str = "alice") -> list[SegmentName]:
    found = map(SegmentName.parse, store.keys(f"logs/{writer}/segments/"))
    return [name for name in found if name]


def heads(store: MemoryObjectStore, writer: str = "alice") -> list[HeadName]:
    return [name for name in map(HeadName.parse, store.keys(f"logs/{writer}/heads/")) if name]


def same(one: Any, other: Any, writer: str = "alice") -> bool:
    return bool(one.root_of(writer) == other.root_of(writer))


def put_head(store: MemoryObjectStore, checkpoint: Any) -> None:
    name, data = encode_head(checkpoint)
    store.put(name.key, data)


def put_segment(store: MemoryObjectStore, writer: str, first: int, lines: list[bytes]) -> None:
    name, data = pack_lines(writer, first, lines)
    store.put(name.key, data)


def test_a_log_travels(alice: Any, bob: Any, store: MemoryObjectStore) -> None:
    told = publish(alice, store)
    assert (told.segments, told.entries, told.size) == (1, 9, 9)
    assert list(writers(store)) == ["alice"]
    assert offered_keys("alice", {"s": store})[0].fingerprint == alice.public.fingerprint
    pulled = pull(bob, alice, store)
    assert (pulled.entries, pulled.size, pulled.faults) == (9, 9, ())
    assert same(alice, bob)
    alice.write(1, 1)
    assert publish(alice, store).entries == 2
    assert pull(bob, alice, store).entries == 2
    assert same(alice, bob)
    assert [head.size for head in signed_heads("alice", store, alice.public)] == [9, 11]


def test_an_unchanged_world_costs_one_listing(
    alice: Any, bob: Any, party: Make, counting: Any
) -> None:
    publish(alice, counting)
    pull(bob, alice, counting)
    for act in (
        lambda: publish(alice, counting),
        lambda: publish_log(bob.ledger, "alice", alice.public, counting),
        lambda: pull(bob, alice, counting),
    ):
        counting.listings = counting.bodies = counting.puts = 0
        act()
        assert (counting.listings, counting.bodies, counting.puts) == (1, 0, 0)


def test_gossip_goes_on_where_the_writer_does_not_reach(alice: Any, bob: Any, party: Make) -> None:
    first, second = MemoryObjectStore(), MemoryObjectStore()
    carol = party("carol")
    publish(alice, first)
    pull(bob, alice, first)
    publish_log(bob.ledger, "alice", alice.public, second)
    assert pull(carol, alice, second).entries == 9
    assert same(alice, carol)


def test_small_segments_are_merged_and_old_heads_thinned(
    alice: Any, bob: Any, party: Make, store: MemoryObjectStore
) -> None:
    for _ in range(3):
        publish(alice.write(1), store)
    pull(bob, alice, store)
    for _ in range(100):
        publish(alice.write(1), store)
        assert len(segments(store)) < publishing.MERGE_AT
        assert len(heads(store)) <= publishing.MERGE_AT + 1
    assert pull(bob, alice, store).faults == ()
    assert pull(party("carol"), alice, store).entries == 112
    assert same(alice, bob)


def test_a_reader_lists_again_when_segments_are_merged_under_its_hands(
    alice: Any, bob: Any
) -> None:
    class Merging(MemoryObjectStore):
        def get(self, key: str, start: int = 0, stop: int | None = None) -> bytes:
            if "/segments/" in key and len(segments(self)) > 1:
                old = [name.key for name in segments(self)]
                put_segment(self, "alice", 0, [line for _, line in alice.ledger.lines()])
                for name in old:
                    self.delete(name)
            return super().get(key, start, stop)

    store = Merging()
    publish(alice, store)
    publish(alice.write(5), store)
    pulled = pull(bob, alice, store)
    assert (pulled.entries, pulled.faults) == (14, ())


def test_batches_end_at_heads(
    alice: Any, bob: Any, store: MemoryObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing, "HEADS_APART", 10)
    monkeypatch.setattr(pulling, "BATCH", 25)
    monkeypatch.setattr(publishing, "SEGMENT_TARGET", 2000)
    publish(alice.write(*[7] * 20, 60), store)
    assert len(segments(store)) > 5
    received = []
    take = bob.ledger.receive

    def receive(stretches: Any, *, fold: bool = True) -> int:
        received.extend(len(one.lines) for one in stretches)
        return take(stretches, fold=fold)

    bob.ledger.receive = receive
    assert pull(bob, alice, store).entries == 209
    assert sum(received) == 209
    assert all(count <= 25 for count in received[:-1])
    assert received[-1] == 60, "no head falls inside"
    held = [one.size for one in bob.ledger.log_checkpoints("alice")]
    assert held == [head.size for head in heads(store)]


def test_a_restored_ledger_notices_that_the_world_knows_more(
    alice: Any, party: Make, store: MemoryObjectStore
) -> None:
    backup = party("alice", like=alice).write(3, 2, 4)
    publish(alice.write(2), store)
    with pytest.raises(LogConflict) as caught:
        publish(backup, store)
    assert (caught.value.code, caught.value.ours) == ("log.behind", 9)
    assert (caught.value.theirs.size, caught.value.agreed) == (11, 9)
    backup.write(5, text="other")
    with pytest.raises(LogConflict) as caught:
        publish(backup, store)
    assert (caught.value.code, caught.value.ours, caught.value.agreed) == ("log.forked", 14, 9)
    kept = backup.ledger.continue_as("alice.2", party("x").signer, keep=9)
    assert kept == 5
    assert pull(backup, alice, store).entries == 2


def test_where_both_histories_lie_over_each_other_the_common_part_is_found(
    alice: Any, party: Make, store: MemoryObjectStore
) -> None:
    twin = party("alice", like=alice).write(3, 2, 4)
    publish(alice, store)
    alice.write(6)
    twin.write(1, text="other")
    elsewhere = MemoryObjectStore()
    publish(twin, elsewhere)
    publish(alice, store)
    put_segment(store, "alice", 9, [line for _, line in twin.ledger.lines(9)])
    for name in heads(elsewhere):
        store.put(name.key, elsewhere.get(name.key))
    with pytest.raises(LogConflict) as caught:
        publish(alice, store)
    assert (caught.value.code, caught.value.theirs.size) == ("log.forked", 10)
    assert caught.value.agreed == 9


def test_nothing_is_cut_when_the_stores_copy_cannot_be_read(
    alice: Any, party: Make, store: MemoryObjectStore
) -> None:
    backup = party("alice", like=alice).write(3)
    publish(alice, store)
    for name in segments(store):
        store.delete(name.key)
    with pytest.raises(LogConflict) as caught:
        publish(backup, store)
    assert caught.value.agreed is None


def test_a_head_of_another_key_is_reported_and_stops_nobody(
    alice: Any, bob: Any, party: Make, store: MemoryObjectStore
) -> None:
    mallory = party("alice").write(20)
    put_head(store, next(mallory.ledger.checkpoints()))
    told = publish(alice, store)
    assert [fault.kind for fault in told.faults] == ["head.signature"]
    pulled = pull(bob, alice, store)
    assert [fault.kind for fault in pulled.faults] == ["head.signature"]
    assert same(alice, bob)


def test_gossip_is_not_stopped_by_a_head_that_lies(
    alice: Any, bob: Any, store: MemoryObjectStore
) -> None:
    elsewhere = MemoryObjectStore()
    publish(alice, elsewhere)
    pull(bob, alice, elsewhere)
    store.put(HeadName("alice", 10**15, "0" * 64).key, b"{}")
    store.put(SegmentName("alice", 0, 10**15, "0" * 64).key, b"")
    publish_log(bob.ledger, "alice", alice.public, store)
    assert 9 in [head.size for head in heads(store)]
    assert [name.stop for name in segments(store)] == [9, 10**15]


def test_two_signed_heads_of_one_size_are_not_followed(
    alice: Any, bob: Any, store: MemoryObjectStore
) -> None:
    publish(alice, store)
    put_head(store, alice.signed(9, "0" * 64))
    pulled = pull(bob, alice, store)
    assert pulled.entries == 0
    assert [fault.kind for fault in pulled.faults] == ["log.forked"]


def test_a_false_segment_under_a_true_name_is_passed_over(
    alice: Any, bob: Any, store: MemoryObjectStore
) -> None:
    publish(alice, store)
    lines = [line for _, line in alice.ledger.lines()]
    other = orjson.loads(lines[4])
    other["body"] = {"text": "false"}
    put_segment(store, "alice", 0, [*lines[:4], canonical(other), *lines[5:], lines[8]])
    put_segment(store, "alice", 0, [*lines[:4], canonical(other), *lines[5:]])
    pulled = pull(bob, alice, store)
    assert pulled.entries == 9
    assert {fault.kind for fault in pulled.faults} == {"root.wrong"}


def test_a_root_that_no_entries_lead_to_is_named(
    alice: Any, bob: Any, store: MemoryObjectStore
) -> None:
    publish(alice, store)
    lines = [line for _, line in alice.ledger.lines()]
    put_head(store, alice.signed(10, "0" * 64))
    put_segment(store, "alice", 9, [lines[8]])
    other = orjson.loads(lines[8])
    other["sequence"], other["time"]["wall"] = 9, other["time"]["wall"] + 1
    put_segment(store, "alice", 9, [canonical(other)])
    pulled = pull(bob, alice, store)
    assert (pulled.entries, pulled.size, pulled.newest.size) == (9, 9, 10)
    assert {fault.kind for fault in pulled.faults} >= {"root.wrong"}


def test_stores_complete_each_other(alice: Any, bob: Any) -> None:
    """Neither has a whole copy, and both have only the last head."""
    first, second = MemoryObjectStore(), MemoryObjectStore()
    lines = [line for _, line in alice.ledger.lines()]
    for store in (first, second):
        put_segment(store, "alice", 0, lines[:5])
        put_segment(store, "alice", 5, lines[5:])
        put_head(store, list(alice.ledger.checkpoints())[-1])
    first.put(segments(first)[0].key, b"damaged")
    second.delete(segments(second)[1].key)
    assert pull(bob, alice, first).entries == 0
    pulled = pull(bob, alice, first, second)
    assert pulled.entries == 9
    assert [fault.kind for fault in pulled.faults] == ["segment.corrupt"]
    assert pulled.faults[0].store == "s0"


def test_a_store_that_does_not_answer_stops_nobody(alice: Any, bob: Any) -> None:
    class Cut(MemoryObjectStore):
        def get(self, key: str, start: int = 0, stop: int | None = None) -> bytes:
            raise Unreachable("the store does not answer")

    cut, whole = Cut(), MemoryObjectStore()
    publish(alice, cut)
    publish(alice, whole)
    pulled = pull(bob, alice, cut, whole)
    assert pulled.entries == 9
    assert [fault.kind for fault in pulled.faults] == ["unreachable"]


def test_verifying_heals(alice: Any, bob: Any, store: MemoryObjectStore) -> None:
    publish(alice, store)
    publish(alice.write(3), store)
    before = {key: store.get(key) for key in store.keys("logs/")}
    spoiled = [key for key in before if "/segments/" in key or "/heads/" in key]
    for key in spoiled:
        store.put(key, before[key][:-1])
    store.put("logs/alice/site.pub", b"another")
    stray = HeadName("alice", 7, "0" * 64).key
    store.put(stray, b"{}")
    assert publish(alice, store).entries == 0, "names look right"
    told = publish(alice, store, verify=True, name="there")
    assert {fault.store for fault in told.faults} == {"there"}
    assert len(told.faults) >= len(spoiled) + 1
    assert all(store.get(key) == before[key] for key in before if "/segments/" not in key)
    assert store.size(stray) is None
    assert pull(bob, alice, store).entries == 12
    assert publish(alice, store, verify=True).faults == ()


def test_the_own_log_is_not_pulled(alice: Any, party: Make, store: MemoryObjectStore) -> None:
    backup = party("alice", like=alice).write(3)
    publish(alice, store)
    with pytest.raises(IntegrityError) as caught:
        pull(backup, alice, store)
    assert caught.value.code == "log.own"


def spoil(store: MemoryObjectStore, key: str, how: str, at: int) -> None:
    data = store.get(key) or b"?"
    at %= len(data)
    if how == "lose":
        store.delete(key)
    elif how == "cut":
        store.put(key, data[:at])
    elif how == "flip":
        store.put(key, data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
    elif how == "rename" and (name := SegmentName.parse(key)):
        lie = SegmentName(name.writer, name.first + at, name.stop + at, name.digest)
        store.put(lie.key, data)
        store.delete(key)
    elif how == "bomb" and (name := SegmentName.parse(key)):
        bomb = gzip.compress(b"\n" * 100_000)
        store.put(SegmentName(name.writer, 0, name.stop + 1, sha256(bomb).hexdigest()).key, bomb)


DAMAGE = st.tuples(
    st.integers(0, 50),
    st.sampled_from(["lose", "cut", "flip", "rename", "bomb"]),
    st.integers(0, 500),
)


@given(
    sizes=st.lists(st.lists(st.integers(1, 6), min_size=1, max_size=4), min_size=1, max_size=6),
    damages=st.lists(st.lists(DAMAGE, max_size=4), min_size=2, max_size=2),
    early=st.integers(0, 3),
    merge_at=st.sampled_from([2, 3, 32]),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_whatever_a_store_does_a_prefix_is_believed_and_healing_gives_all(
    party: Make, sizes: list[list[int]], damages: list[list[Any]], early: int, merge_at: int
) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(publishing, "MERGE_AT", merge_at)
        exchange_with_damage(party, sizes, damages, early)


def exchange_with_damage(
    party: Make, sizes: list[list[int]], damages: list[list[Any]], early: int
) -> None:
    alice, bob = party("alice"), party("bob")
    stores = [MemoryObjectStore(), MemoryObjectStore()]
    for number, appends in enumerate(sizes):
        alice.write(*appends)
        publish(alice, stores[number % 2])
        if number == early:
            pull(bob, alice, *stores)
    for store, wanted in zip(stores, damages, strict=True):
        for at, how, where in wanted:
            keys = [key for key in store.keys("logs/") if "site.pub" not in key]
            if keys:
                spoil(store, keys[at % len(keys)], how, where)
    pulled = pull(bob, alice, *stores)
    ours = [line for _, line in alice.ledger.lines()]
    theirs = [line for _, line in bob.ledger.log_lines("alice")]
    assert theirs == ours[: len(theirs)]
    assert pulled.size == len(theirs)
    for store in stores:
        publish(alice, store, verify=True)
    assert pull(bob, alice, *stores).size == len(ours)
    assert same(alice, bob)
    for store in stores:
        assert pull(party("carol"), alice, store).size == len(ours)


def forged(lines: list[bytes], at: int) -> list[bytes]:
    """Facts in their places, of which those from `at` on nobody signed."""
    values = [orjson.loads(line) for line in lines]
    for value in values[at:]:
        value["body"]["text"] = "false"
    return [canonical(value) for value in values]


@pytest.mark.parametrize("hasty", [False, True])
def test_one_whole_store_suffices_whatever_lies_in_another(
    party: Make, bob: Any, hasty: bool
) -> None:
    alice = party("alice").write(10, 10, 10)
    lines = [line for _, line in alice.ledger.lines()]
    whole, false = MemoryObjectStore(), MemoryObjectStore()
    for first in (0, 10, 20):
        put_segment(whole, "alice", first, lines[first : first + 10])
    evil = forged(lines, 15)
    if hasty:  # one so late that no true one follows it
        late = orjson.loads(evil[15])
        late["time"] = orjson.loads(lines[29])["time"]
        evil[15] = canonical(late)
    put_segment(false, "alice", 9, evil[9:])
    put_segment(false, "alice", 0, lines[:5])
    newest = list(alice.ledger.checkpoints())[-1]
    for store in (whole, false):
        put_head(store, newest)
    assert pull(bob, alice, false, whole).size == 30
    assert same(alice, bob)


def test_a_whole_store_suffices_for_one_head_and_the_others_for_the_next(
    party: Make, bob: Any
) -> None:
    alice = party("alice").write(10, 10)
    lines = [line for _, line in alice.ledger.lines()]
    whole, rest, false = MemoryObjectStore(), MemoryObjectStore(), MemoryObjectStore()
    first, last = alice.ledger.checkpoints()
    put_segment(whole, "alice", 0, lines[:10])
    put_head(whole, first)
    put_segment(rest, "alice", 10, lines[10:])
    put_head(rest, last)
    put_segment(false, "alice", 0, forged(lines, 5)[:15])
    assert pull(bob, alice, false, whole, rest).size == 20
    assert same(alice, bob)


def test_a_false_name_keeps_nothing_from_being_published(
    alice: Any, bob: Any, store: MemoryObjectStore
) -> None:
    junk = SegmentName("alice", 0, 9, "0" * 64)
    store.put(junk.key, b"junk")
    told = publish(alice, store)
    assert told.entries == 9
    assert [fault.kind for fault in told.faults] == ["segment.corrupt"]
    assert junk not in segments(store)
    assert pull(bob, alice, store).faults == ()
    assert same(alice, bob)


def test_more_false_names_than_are_read_keep_nothing_from_being_published(
    alice: Any, bob: Any, store: MemoryObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing, "READ_BACK", 2)
    for number in range(5):
        store.put(SegmentName("alice", 0, 9, f"{number:064}").key, b"junk")
    assert publish(alice, store).entries == 9
    pull(bob, alice, store)
    assert same(alice, bob)


def test_what_a_killed_process_left_is_not_put_again(alice: Any, counting: Any) -> None:
    put_segment(counting, "alice", 0, [line for _, line in alice.ledger.lines()])
    assert publish(alice, counting).entries == 0


def test_a_damaged_copy_of_what_is_held_can_be_mended(alice: Any, bob: Any) -> None:
    whole, damaged = MemoryObjectStore(), MemoryObjectStore()
    publish(alice, whole)
    damaged.put(SegmentName("alice", 0, 9, "0" * 64).key, b"junk")
    put_head(damaged, list(alice.ledger.checkpoints())[-1])
    alone = pull(bob, alice, damaged)
    assert alone.size == 0
    assert mendable(bob.ledger, alone.faults) == set()
    both = pull(bob, alice, damaged, whole)
    assert both.size == 9
    assert mendable(bob.ledger, both.faults) == {("alice", "s0")}
