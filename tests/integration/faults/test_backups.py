"""A site's state is put back from an old backup: it goes on in a new log, and nothing forks."""

from typing import Any

import pytest


def numbered(site: str, first: int, stop: int) -> list[str]:
    return [f"{site}-{number}" for number in range(first, stop)]


def known_to_all(world: Any) -> None:
    for site in ("onprem", "aws", "azure"):
        world.write(site, *numbered(site, 0, 3))
    world.settle()


def test_it_notices_at_first_contact_and_loses_nothing(world: Any) -> None:
    known_to_all(world)
    backup = world.back_up("onprem")
    world.write("onprem", "after-the-backup-1", "after-the-backup-2")
    world.sync("onprem")
    old, size = world.writer("onprem"), world.logs("onprem")[world.writer("onprem")].size
    world.restore("onprem", backup)
    world.cut("onprem")
    world.write("onprem", "offline-1", "offline-2")
    assert world.sync("onprem").unreachable.keys() == {"onprem", "aws", "azure"}
    assert world.writer("onprem") == old
    world.mend()
    told = world.sync("onprem")
    assert (told.continued_as, told.faults) == (f"{old}.2", [])
    world.settle()
    world.check()
    for site in ("onprem", "aws", "azure"):
        assert world.logs(site)[old].size == size
    (continued,) = [one for one in world.entries("aws") if one["type"] == "log.continued"]
    kept = world.logs("onprem")[old].size - 2
    assert continued["body"] == {"left": old, "kept": kept, "known": size}
    assert continued["sequence"] == 2, "what was written offline stands before it"


def test_each_restored_backup_goes_on_in_a_log_of_its_own(world: Any) -> None:
    known_to_all(world)
    backup, stem = world.back_up("onprem"), world.writer("onprem")
    for number in (2, 3, 4):
        world.write("onprem", f"before-{number}")
        world.settle()
        world.restore("onprem", backup)
        world.write("onprem", f"after-{number}")
        assert world.sync("onprem").continued_as == f"{stem}.{number}"
        world.settle()
        world.check()


def test_a_backup_of_a_log_that_was_gone_on_with(world: Any) -> None:
    known_to_all(world)
    first, stem = world.back_up("onprem"), world.writer("onprem")
    world.write("onprem", "lost-in-between")
    world.settle()
    world.restore("onprem", first)
    world.sync("onprem")
    second = world.back_up("onprem", "second")
    world.write("onprem", "in-the-second-log")
    world.settle()
    world.restore("onprem", second)
    world.write("onprem", "in-the-third-log")
    assert world.sync("onprem").continued_as == f"{stem}.3"
    world.settle()
    world.check()


def test_causes_are_named_anew(world: Any) -> None:
    known_to_all(world)
    backup = world.back_up("onprem")
    world.write("onprem", "unseen")
    world.sync("onprem")
    world.restore("onprem", backup)
    with world.opened("onprem") as site:
        old, before = site.ledger.writer, world.logs("onprem")[site.ledger.writer].size
        reason, effect = world.note("reason"), world.note("effect", cause=("+0", f"{old}/0"))
        site.ledger.append([reason, effect])
        site.ledger.append([world.note("later", cause=(f"{old}/{before}",))])
    world.acknowledged.update(("reason", "effect", "later"))
    world.sync("onprem")
    world.settle()
    world.check()
    found = {one["body"].get("id"): one for one in world.entries("azure")}
    assert found["effect"]["cause"] == [f"{old}.2/0", f"{old}/0"]
    assert found["later"]["cause"] == [f"{old}.2/0"]
    assert found["effect"]["writer"] == f"{old}.2"


def test_no_store_gets_what_another_store_contradicts(world: Any) -> None:
    """The own store missed what came after the backup; it must not be told another history."""
    known_to_all(world)
    backup, old = world.back_up("onprem"), world.writer("onprem")
    world.cut("onprem", "onprem")
    world.write("onprem", "only-elsewhere")
    world.sync("onprem")
    world.restore("onprem", backup)
    world.mend()
    world.write("onprem", "offline")
    told = world.sync("onprem")
    assert told.continued_as == f"{old}.2"
    world.settle()
    world.check()
    assert not [one for one in world.entries("aws") if one["type"] == "log.accused"]


def test_what_the_newer_state_left_in_one_store_is_found_by_way_of_another(world: Any) -> None:
    """The store that knows more is reached only later; what others had taken from it comes back
    with them."""
    known_to_all(world)
    backup = world.back_up("onprem")
    world.cut("onprem", "onprem", "azure")
    world.write("onprem", "only-in-the-store-of-aws")
    world.sync("onprem")
    world.sync("azure")
    world.restore("onprem", backup)
    world.mend()
    world.cut("onprem", "aws")
    assert world.sync("onprem").continued_as, "the store of azure has it from azure"
    world.mend()
    world.settle()
    world.check()


@pytest.mark.parametrize("damaged", ["aws", "onprem"])
def test_one_store_s_copy_of_the_own_log_is_corrupt(world: Any, damaged: str) -> None:
    known_to_all(world)
    backup, old = world.back_up("onprem"), world.writer("onprem")
    world.write("onprem", "after-the-backup")
    world.settle()
    for segment in world.store(damaged).glob(f"logs/{old}/segments/*"):
        segment.write_bytes(segment.read_bytes()[:-3])
    world.restore("onprem", backup)
    world.write("onprem", "offline")
    assert world.sync("onprem").continued_as == f"{old}.2"
    world.settle(verify=True)
    world.check()


def test_restored_between_two_turns_of_an_agent(world: Any) -> None:
    """Each turn opens the state, writes and meets the others; the state is put back in between."""
    known_to_all(world)
    backups = []
    for turn in range(9):
        world.write("onprem", f"turn-{turn}")
        world.sync("onprem")
        backups.append(world.back_up("onprem", f"backup-{turn}"))
        world.write("aws", f"other-{turn}")
        world.sync("aws")
        if turn % 3 == 2:
            world.restore("onprem", backups[turn - 2])
    world.settle()
    world.check()
    assert world.writer("onprem").endswith(".4")


def test_an_older_backup_without_anything_new_only_catches_up(world: Any) -> None:
    """Nothing was written since: the log is gone on with all the same, and no fact is repeated."""
    backup = world.back_up("onprem")
    known_to_all(world)
    old = world.writer("onprem")
    world.restore("onprem", backup)
    told = world.sync("onprem")
    assert told.continued_as == f"{old}.2"
    world.settle()
    world.check()


def test_where_no_store_tells_from_where_on_only_the_own_log_waits(world: Any) -> None:
    """All copies of the own log are corrupt: nothing is cut and nothing published over it, and the
    others' news is taken. Who holds the log mends the copies."""
    known_to_all(world)
    backup, old = world.back_up("onprem"), world.writer("onprem")
    world.write("onprem", "after-the-backup-1", "after-the-backup-2")
    world.settle()
    world.write("aws", "news-of-aws")
    world.sync("aws")
    for store in ("onprem", "aws", "azure"):
        for segment in world.store(store).glob(f"logs/{old}/segments/*"):
            segment.write_bytes(segment.read_bytes()[:-3])
    world.restore("onprem", backup)
    world.write("onprem", "offline")
    told = world.sync("onprem")
    assert {(fault.writer, fault.kind) for fault in told.faults} >= {(old, "log.behind")}
    assert world.writer("onprem") == old
    assert "news-of-aws" in world.names("onprem")
    assert world.sync("azure", verify=True).faults
    assert world.sync("onprem").continued_as == f"{old}.2"
    world.settle()
    world.check()


def test_where_nobody_can_tell_any_more_a_person_says_go_on(world: Any) -> None:
    """What the lost state had told the stores alone is corrupt in all of them: no one can mend it.
    The site waits, until it is told to verify."""
    known_to_all(world)
    backup, old = world.back_up("onprem"), world.writer("onprem")
    world.write("onprem", "gone-for-good-1", "gone-for-good-2")
    world.sync("onprem")
    for store in ("onprem", "aws", "azure"):
        last = max(world.store(store).glob(f"logs/{old}/segments/*"))
        last.write_bytes(last.read_bytes()[:-3])
    world.restore("onprem", backup)
    world.write("onprem", "offline")
    world.settle("aws", "azure", verify=True)
    assert {fault.kind for fault in world.sync("onprem").faults} == {"log.behind"}
    assert world.writer("onprem") == old
    assert world.sync("onprem", verify=True).continued_as == f"{old}.2"
    world.acknowledged -= {"gone-for-good-1", "gone-for-good-2"}
    world.settle()
    world.check()
