"""A site's key is replaced, by somebody who may be interrupted, while others are away."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Barrier
from types import ModuleType
from typing import Any

import pytest

from freehold.app.site import opening
from freehold.app.site.keys import put_in_place
from freehold.app.site.trusting import rekey
from freehold.domain.errors import Conflict, IntegrityError

REKEY = """
import sys
from pathlib import Path
from freehold.app.site.opening import open_site
from freehold.app.site.trusting import rekey

with open_site(Path(sys.argv[1]), site="onprem") as site:
    acknowledge(rekey(site))
"""


def begun(world: Any) -> None:
    for site in ("onprem", "aws", "azure"):
        world.write(site, f"{site}-first")
    world.settle()


def rekeyed(world: Any) -> str:
    with world.opened("onprem") as site:
        return rekey(site)


def test_a_key_is_replaced_while_others_are_offline(world: Any) -> None:
    """No project file lists the new key: who believes the old one finds it in that one's log."""
    begun(world)
    world.cut("aws")
    world.write("aws", "offline")
    old = world.writer("onprem")
    world.write("onprem", "before")
    rekeyed(world)
    world.write("onprem", "after")
    world.sync("onprem")
    assert world.sync("azure").strangers == []
    rekeyed(world)
    world.write("onprem", "after-another-one")
    world.sync("onprem")
    world.mend()
    told = world.sync("aws")
    assert (told.strangers, told.faults) == ([], [])
    world.settle()
    world.check()
    writers = {one["writer"] for one in world.entries("aws") if one["writer"].startswith("onprem")}
    assert len(writers) == 3 and old in writers


def test_the_new_key_is_not_believed_without_the_old_one_s_word(world: Any) -> None:
    begun(world)
    old = world.writer("onprem")
    rekeyed(world)
    world.write("onprem", "after")
    world.sync("onprem")
    new = world.writer("onprem")
    for store in ("onprem", "aws", "azure"):
        shutil.rmtree(world.store(store) / "logs" / old)
    before = world.names("azure")
    assert [one.writer for one in world.sync("azure").strangers] == [new]
    assert world.names("azure") == before
    world.settle()
    world.check()


@pytest.fixture(scope="module")
def lines(crash: ModuleType, make_world: Any) -> int:
    return int(crash.count_lines(REKEY, [make_world().checkout("onprem")]))


def killed_while_rekeying(crash: ModuleType, world: Any, lines: int, seed: int) -> None:
    begun(world)
    world.write("onprem", "before")
    outcome = crash.run_until_killed(REKEY, [world.checkout("onprem")], seed=seed, lines=lines)
    assert outcome.killed
    world.write("onprem", "after")
    world.sync("onprem")
    told = world.sync("azure")
    assert (told.strangers, told.faults) == ([], [])
    new = rekeyed(world)
    with world.opened("onprem") as site:
        assert site.signer.public.fingerprint == new
    world.write("onprem", "after-all")
    world.settle()
    world.check()


@pytest.mark.parametrize("seed", range(3))
def test_killed_while_rekeying(crash: ModuleType, world: Any, lines: int, seed: int) -> None:
    killed_while_rekeying(crash, world, lines, seed)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 150))
def test_killed_while_rekeying_often(crash: ModuleType, world: Any, lines: int, seed: int) -> None:
    killed_while_rekeying(crash, world, lines, seed)


class Stopping:
    """Lets so many changes of files in a folder of keys happen, and none after them."""

    def __init__(self, patched: pytest.MonkeyPatch, last: int) -> None:
        self.done, self._last = 0, last
        for name in ("replace", "hardlink_to", "unlink"):
            patched.setattr(Path, name, self._counted(getattr(Path, name)))

    def _counted(self, change: Any) -> Any:
        def counted(path: Path, *arguments: Any, **options: Any) -> Any:
            if path.parent.name == "keys" and not path.name.startswith("."):
                if self.done == self._last:
                    raise KeyboardInterrupt
                self.done += 1
            return change(path, *arguments, **options)

        return counted


def test_killed_at_each_step_of_putting_the_key_in_place(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each change of a file is in turn the last one that happens."""
    begun(world)
    for last in range(10):
        with world.opened("onprem") as site, monkeypatch.context() as patched:
            stopping = Stopping(patched, last)
            with suppress(KeyboardInterrupt):
                rekey(site)
        world.write("onprem", f"after-{last}")
        world.sync("onprem")
    assert stopping.done < last, "the last one went through"
    world.settle()
    world.check()


def test_a_process_that_missed_the_new_key_writes_nothing_with_the_old_one(world: Any) -> None:
    """An agent at its work while a person replaces the key."""
    begun(world)
    with world.opened("onprem") as agent:
        rekeyed(world)
        world.write("onprem", "after")
        with pytest.raises(Conflict) as caught:
            agent.ledger.append([world.note("with-the-old-key")])
        assert caught.value.code == "ledger.other-writer"
        with pytest.raises(Conflict) as caught:
            world.exchange(agent)
        assert caught.value.code == "ledger.other-writer"
    assert world.sync("azure", verify=True).faults == []
    world.settle()
    world.check()
    assert world.sync("azure", verify=True).faults == []


def test_a_site_is_opened_while_another_process_puts_the_new_key_in_place(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has read the old key, and the ledger it opens goes on with the new one."""
    begun(world)
    load, new = opening._signer, list[str]()

    def meanwhile(signer_class: Any, key: Path) -> Any:
        found = load(signer_class, key)
        if not new:
            new.append("")
            new[0] = rekeyed(world)
        return found

    monkeypatch.setattr(opening, "_signer", meanwhile)
    with world.opened("onprem") as site:
        assert site.signer.public.fingerprint == new[0]
    world.write("onprem", "after")
    world.settle()
    world.check()


def test_a_key_that_is_not_the_ledger_s_is_refused(world: Any) -> None:
    begun(world)
    with world.opened("onprem") as site, world.opened("aws") as other:
        shutil.copy(other.key_path, site.key_path)
    with pytest.raises(IntegrityError) as caught, world.opened("onprem"):
        """With the key of another site."""
    assert caught.value.code == "ledger.other-writer"


def test_of_many_that_put_a_key_in_place_none_fails_and_the_old_one_is_kept(
    tmp_path: Path,
) -> None:
    many = 4
    with ThreadPoolExecutor(many) as threads:
        for number in range(40):
            path = tmp_path / str(number) / "site.key"
            path.parent.mkdir()
            for name in ("site.key", "site.pub"):
                path.with_name(name).write_text(f"old {name}")
                following = path.with_name(name.replace("site", "next"))
                following.write_text(f"new {name}")
            together = Barrier(many)

            def place(path: Path = path, together: Barrier = together) -> None:
                together.wait()
                put_in_place(path)

            for done in [threads.submit(place) for _ in range(many)]:
                done.result()
            for name in ("site.key", "site.pub"):
                assert path.with_name(name).read_text() == f"new {name}"
                assert path.with_name(f"{name}.old").read_text() == f"old {name}"
