"""A shop with two sites that meet in folders, and one whose first run and release are done."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from freehold.app.project.init import init
from freehold.app.project.reading import OpenProject, read_project

SHOP = Path(__file__).parent / "shop"
SITES = """\
sites:
  onprem: {{store: {{at: "{onprem}"}}, private: true}}
  aws: {{store: {{at: "{aws}"}}}}
"""


def freehold(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "freehold.cli.main", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def make_shop(place: Path) -> Path:
    folder = place / "shop"
    init(folder, "blank")
    shutil.rmtree(folder / "contracts")
    for name in ("shop.py", "freehold.yaml"):
        shutil.copy(SHOP / name, folder / name)
    stores = {site: (place / "stores" / site).as_uri() for site in ("onprem", "aws")}
    with (folder / "freehold.yaml").open("a") as file:
        file.write(SITES.format(**stores))
    return folder


@pytest.fixture
def new_shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenProject]:
    """Nothing ever ran in it."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield read_project(make_shop(tmp_path))
    sys.modules.pop("shop", None)


@pytest.fixture(scope="session")
def _opened(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_shop(tmp_path_factory.mktemp("opened"))
    freehold(folder, "run", "train", "--yes")
    freehold(folder, "release", "abandon@1", "--yes")
    return folder.parent


@pytest.fixture
def shop(_opened: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenProject]:
    """Its model serves at onprem. A test may damage it."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setattr(sys, "path", list(sys.path))
    folder = shutil.copytree(_opened / "shop", tmp_path / "shop")
    text = (folder / "freehold.yaml").read_text()
    (folder / "freehold.yaml").write_text(text.replace(str(_opened), str(tmp_path)))
    yield read_project(folder)
    sys.modules.pop("shop", None)


@pytest.fixture
def told() -> "Told":
    return Told()


class Told:
    """What a drill said while it went on."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def __call__(self, line: str) -> None:
        self.lines.append(line)


@pytest.fixture
def nothing_left() -> Callable[[OpenProject], None]:
    """That a drill left nothing beside the project and nothing in the stores."""

    def check(project: OpenProject) -> None:
        assert not (project.root / ".freehold" / "drills").exists()
        stores = project.root.parent / "stores"
        assert [path for path in stores.rglob("*") if path.is_file()] == []

    return check
