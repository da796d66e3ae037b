"""The disk of a site is full, or that of a store: what was acknowledged stands, and when there is
room again it goes on."""

import os
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
WRITING = """
import resource
import sys
from pathlib import Path
from freehold.app.site.exchange import exchange
from freehold.app.site.opening import open_site
from freehold.domain.errors import FreeholdError
from freehold.domain.fact import Draft

limit = int(sys.argv[3])
if limit:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
with open_site(Path(sys.argv[1]), site="onprem") as site:
    for turn in range(40):
        name = f"{sys.argv[2]}-{turn}"
        body = {"id": name, "model": "flights", "alias": "champion", "version": turn + 1,
                "previous": None, "release": "", "padding": "x" * 2000}
        try:
            site.ledger.append([Draft("alias.moved", body)])
            print("wrote", name, flush=True)
        except FreeholdError as error:
            print("refused", error.code, flush=True)
            if turn > 3:
                break
        if turn % 5 == 4:
            try:
                done = exchange(site)
                print("met" if not done.unreachable else "partly", name, flush=True)
            except FreeholdError as error:
                print("refused", error.code, flush=True)
"""


def begun(world: Any) -> None:
    for site in ("onprem", "aws", "azure"):
        world.write(site, f"{site}-first")
    world.settle()


def written(world: Any, label: str, limit: int = 0) -> list[str]:
    """What the process said, line by line."""
    done = subprocess.run(
        [sys.executable, "-c", WRITING, str(world.checkout("onprem")), label, str(limit)],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    lines = done.stdout.splitlines()
    assert done.returncode == 0, done.stderr
    world.acknowledged.update(line.split()[1] for line in lines if line.startswith("wrote"))
    return lines


def goes_on(world: Any) -> None:
    """With room again."""
    world.write("onprem", "with-room-again")
    world.settle()
    world.check()


def files_may_not_grow(world: Any, seed: int) -> None:
    """No file may be larger than this, at a limit that hits now the ledger, now its log."""
    begun(world)
    ledger = (world.state("onprem") / "ledger.db").stat().st_size
    limit = random.Random(seed).randrange(ledger, 2 * ledger + 60_000)
    lines = written(world, "narrow", limit)
    assert any(line.startswith("refused storage.") for line in lines)
    assert any(line.startswith("wrote") for line in lines)
    goes_on(world)


@pytest.mark.parametrize("seed", range(3))
def test_files_may_not_grow(world: Any, seed: int) -> None:
    files_may_not_grow(world, seed)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 130))
def test_files_may_not_grow_often(world: Any, seed: int) -> None:
    files_may_not_grow(world, seed)


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[Path]:
    """A disk of its own for a folder, with what the folder had in it, and a file that fills it."""
    kept = folder.with_name(f"{folder.name}.kept")
    folder.rename(kept)
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], check=True)
    try:
        subprocess.run(["cp", "-a", f"{kept}/.", str(folder)], check=True)
        yield folder / "filler"
        subprocess.run(["cp", "-a", f"{folder}/.", str(kept)], check=True)
    finally:
        subprocess.run(["umount", str(folder)], check=True)
    folder.rmdir()
    kept.rename(folder)


def fill(filler: Path, left: int) -> None:
    """All but about so many bytes."""
    free = os.statvfs(filler.parent).f_bavail * os.statvfs(filler.parent).f_bsize
    filler.write_bytes(b"x" * max(free - left, 0))


@pytest.mark.servers
@pytest.mark.parametrize(
    "seed", [*range(3), *(pytest.param(seed, marks=pytest.mark.long) for seed in range(3, 20))]
)
def test_the_site_s_disk_is_full(world: Any, seed: int) -> None:
    """Mounts a disk of its own: needs root."""
    begun(world)
    with small_disk(world.state("onprem"), 4_000_000) as filler:
        fill(filler, random.Random(seed).randrange(60_000, 400_000))
        lines = written(world, "full")
        assert {line for line in lines if line.startswith("refused")} == {"refused storage.full"}
        filler.unlink()
        goes_on(world)


@pytest.mark.servers
@pytest.mark.parametrize("seed", range(3))
def test_a_store_s_disk_is_full(world: Any, seed: int) -> None:
    """The site goes on, and the other stores get everything. Needs root."""
    begun(world)
    with small_disk(world.store("onprem"), 2_000_000) as filler:
        fill(filler, random.Random(seed).randrange(0, 30_000))
        lines = written(world, "full")
        assert not [line for line in lines if line.startswith("refused")]
        assert [line for line in lines if line.startswith("partly")]
        world.sync("azure")
        assert set(world.names("azure")) == world.acknowledged
        filler.unlink()
        goes_on(world)
