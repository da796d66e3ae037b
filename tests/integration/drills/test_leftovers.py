"""What a killed drill leaves is taken away by the next one, and nothing else is."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from servers.s3 import MotoServer

from freehold.app.drill.offline.orders import drill_location
from freehold.app.drill.place import DrillPlace, drill_folder, sweep
from freehold.app.drill.rebuild.drill import rebuild_drill
from freehold.app.project.reading import OpenProject
from freehold.app.site.stores import open_store
from freehold.domain.project import StoreSpec

Check = Callable[[OpenProject], None]
CLAIM = """
import sys
from pathlib import Path
from freehold.app.drill.offline.orders import drill_location
from freehold.app.drill.place import DrillPlace
place = DrillPlace.claim(Path(sys.argv[1]), {"aws": sys.argv[2]})
(place.folder / "twins").mkdir()
(place.folder / "twins" / "a").write_text("a")
print("claimed", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def corner(shop: OpenProject) -> Path:
    """Of the store of aws: what a drill has put there."""
    folder = shop.root.parent / "stores" / "aws" / "drills" / "drill-00000000-aws"
    folder.mkdir(parents=True)
    (folder / "logs").mkdir()
    (folder / "logs" / "segment").write_bytes(b"1")
    return folder


@pytest.fixture
def other(shop: OpenProject, corner: Path) -> Iterator["subprocess.Popen[str]"]:
    """A process in the middle of a drill."""
    where = str(drill_folder(shop, "drill-00000000"))
    process = subprocess.Popen(
        [sys.executable, "-c", CLAIM, where, corner.as_uri()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "claimed\n"
        yield process
        process.kill()


def test_a_drill_that_lives_is_let_alone(
    shop: OpenProject, corner: Path, other: "subprocess.Popen[str]"
) -> None:
    said: list[str] = []
    sweep(shop, said.append)
    assert said == []
    assert (drill_folder(shop, "drill-00000000") / "twins" / "a").exists()
    assert (corner / "logs" / "segment").exists()


def test_a_dead_one_is_taken_away_and_it_is_said(
    shop: OpenProject, corner: Path, other: "subprocess.Popen[str]", nothing_left: Check
) -> None:
    other.kill()
    other.wait()
    said: list[str] = []
    sweep(shop, said.append)
    assert said == [
        "drill-00000000 was killed: its folder and 1 objects in stores are taken away",
    ]
    assert not corner.parent.exists()
    nothing_left(shop)
    sweep(shop, said.append)
    assert len(said) == 1


def test_what_was_kept_on_purpose_stays(shop: OpenProject, corner: Path) -> None:
    place = DrillPlace.claim(drill_folder(shop, "drill-00000000"), {"aws": corner.as_uri()})
    (place.folder / "twin").write_text("a")
    assert place.leave(keep=True) == []
    said: list[str] = []
    sweep(shop, said.append)
    assert said == []
    assert [path.name for path in place.folder.iterdir()] == ["twin"]


def test_a_corner_that_cannot_be_emptied_is_tried_again(shop: OpenProject) -> None:
    folder = drill_folder(shop, "drill-00000000")
    DrillPlace.claim(folder, {"mars": "s3://nowhere/drills/drill-00000000-mars"}).held.release()
    said: list[str] = []
    sweep(shop, said.append)
    (line,) = said
    assert "not taken away yet" in line and "'mars'" in line and "s3://nowhere" in line
    assert folder.exists()


@pytest.mark.parametrize(
    "drill", [pytest.param("offline --cut aws", marks=pytest.mark.long), "rebuild --at aws"]
)
def test_a_drill_killed_in_the_middle(shop: OpenProject, nothing_left: Check, drill: str) -> None:
    command = [sys.executable, "-m", "freehold.cli.main", "drill", *drill.split()]
    process = subprocess.Popen(
        command,
        cwd=shop.root,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    stores = shop.root.parent / "stores"
    while not any(path.is_file() for path in stores.rglob("drills/**/*")):
        assert process.poll() is None, "the drill ended before it could be killed"
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert list(drill_folder(shop, "").glob("drill-*"))
    said: list[str] = []
    rebuild_drill(shop, "aws", tell=said.append)
    assert [line for line in said if "was killed" in line and "taken away" in line]
    nothing_left(shop)


def test_a_corner_of_a_real_store_is_emptied_and_nothing_beside_it(
    shop: OpenProject, moto: MotoServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = moto.bucket("shop")
    for name, secret in settings.secrets.items():
        monkeypatch.setenv(f"FREEHOLD_AWS_{name.upper()}", secret)
    spec = StoreSpec(at=settings.location, endpoint=settings.endpoint, region=settings.region)
    sites = {**shop.spec.sites, "aws": replace(shop.spec.sites["aws"], store=spec)}
    project = replace(shop, spec=replace(shop.spec, sites=sites))
    location = drill_location(spec, "drill-00000000", "aws")
    corner = open_store(replace(spec, at=location), "aws", os.environ)
    beside = open_store(spec, "aws", os.environ)
    beside.put("logs/a", b"of production")
    for at in range(20):
        corner.put(f"logs/{at}", b"of the drill")
    DrillPlace.claim(drill_folder(project, "drill-00000000"), {"aws": location}).held.release()
    said: list[str] = []
    sweep(project, said.append)
    assert said == [
        "drill-00000000 was killed: its folder and 20 objects in stores are taken away",
    ]
    assert list(beside.keys()) == ["logs/a"]
