"""kill -9 at seeded points of releases: facts stand whole, and publishing mends what is served."""

import json
from collections import Counter
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from freehold.app.audit.verify import audit
from freehold.app.release.release import plan_release, release
from freehold.app.release.serving_folder import publish
from freehold.app.site.opening import open_site
from freehold.catalog.package import admit, pack
from freehold.catalog.versions import version_of
from freehold.delivery.releases import aliases_of, releases_of
from freehold.domain.fact import Draft
from freehold.domain.package import Admission, check_admission
from freehold.domain.routing import read_routing
from freehold.domain.verdict import Verdict
from freehold.endpoint.loading import payload_digest

PROJECT = """\
project: tiny
pipelines: {sums: steps:sums}
models: {delay: {pipeline: sums}}
endpoint: {model: delay}
"""
SCRIPT = """
import sys
from pathlib import Path
from freehold.app.release.orders import roll_back
from freehold.app.release.release import plan_release, release
from freehold.app.site.opening import open_site

MOVES = ((1, "canary"), (2, "canary"), (0, ""), (3, "immediate"), (1, "immediate"),
         (2, "shadow"), (0, ""), (2, "immediate"))

with open_site(Path(sys.argv[1])) as site:
    acknowledge("opened")
    for version, strategy in MOVES:
        if version:
            plan = plan_release(site, f"delay@{version}", strategy)
            done = release(site, plan)
        else:
            done = roll_back(site, "delay")
        acknowledge(f"{done.id} {done.version} {done.status}")
"""
TYPED = """
import io
import json
import os
import sys
from freehold.cli.main import run

MOVES = (("delay@1", "canary"), ("delay@2", "canary"), ("abort", "delay"), ("delay@3", "immediate"),
         ("delay@1", "immediate"), ("delay@2", "shadow"), ("abort", "delay"),
         ("delay@2", "immediate"))

os.chdir(sys.argv[1])
for first, second in MOVES:
    sys.stdout = io.StringIO()
    how = [second] if first == "abort" else ["--strategy", second]
    assert run(["release", first, *how, "--yes", "--json"]) == 0
    done = json.loads(sys.stdout.getvalue())
    acknowledge(f"{done['id']} {done['version']} {done['status']}")
"""
"""The same, as a person types it."""
MOVES = [
    "delay/1 1 completed",
    "delay/2 2 running",
    "delay/2 2 rolled-back",
    "delay/3 3 completed",
    "delay/4 1 completed",
    "delay/5 2 running",
    "delay/5 2 rolled-back",
    "delay/6 2 completed",
]
CHAMPION_AFTER = [None, 1, 1, 1, 3, 1, 1, 1, 2]


def made(folder: Path) -> Path:
    """A project whose history has three admitted versions of tiny packages."""
    folder.mkdir(exist_ok=True)
    (folder / "freehold.yaml").write_text(PROJECT)
    (folder / "steps.py").write_text("")
    with open_site(folder) as site:
        for version in (1, 2, 3):
            register(site, version)
    return folder


def register(site: Any, version: int) -> None:
    files = {f"part-{n}/weights.bin": bytes([version, n]) * 2000 for n in range(3)}
    payload = pack(files)
    verdict = Verdict(True, (), ("all",), "sha256:0")
    admission = admit(Admission("delay", version, payload.digest, verdict), site.signer)
    about = {"model": "delay", "version": version}
    registered = {
        **about,
        "run": f"run-{version}",
        "package": {"digest": site.artifacts.put(payload.data), "size": len(payload.data)},
        "attestations": {"model.sig": site.artifacts.put(f"signature {version}".encode())},
        "headline": {},
        "champion": None,
        "rows": {"training": 1, "evaluation": 1},
    }
    judged = {
        **about,
        "allowed": True,
        "rules": [],
        "policy": "sha256:0",
        "attestations": {"admission.json": site.artifacts.put(admission)},
    }
    site.ledger.append([Draft("model.registered", registered)])
    site.ledger.append([Draft("model.judged", judged)])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return made(tmp_path / "tiny")


@pytest.fixture(scope="module")
def lines(crash: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> int:
    passed = crash.count_lines(SCRIPT, [made(tmp_path_factory.mktemp("whole"))])
    assert passed > 3000
    return int(passed)


@pytest.fixture(scope="module")
def typed(crash: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> int:
    """Lines of all commands together."""
    passed = crash.count_lines(TYPED, [made(tmp_path_factory.mktemp("typed"))])
    assert passed > 3000
    return int(passed)


def check_what_stands(folder: Path, acknowledged: tuple[str, ...]) -> None:
    moves = [line for line in acknowledged if line != "opened"]
    assert moves == MOVES[: len(moves)]
    with open_site(folder) as site:
        report = audit(site)
        assert report.history.holds, report.history.faults
        done = _moves_that_stand(site)
        assert done in (len(moves), len(moves) + 1)
        before = [list(site.state.scan(table)) for table in ("versions", "releases", "aliases")]
        assert site.ledger.rebuild() == report.history.entries
        state = [list(site.state.scan(table)) for table in ("versions", "releases", "aliases")]
        assert state == before
        assert aliases_of(site.state, "delay").get("champion") == CHAMPION_AFTER[done]
        _is_served(site, publish(site, "delay"))
        _goes_on(site)
        assert audit(site).history.holds


def _moves_that_stand(site: Any) -> int:
    """How many of the moves are in the history: each whole, none twice."""
    found = [json.loads(line) for _, line in site.ledger.lines()]
    assert [fact["type"] for fact in found].count("site.opened") == 1
    moves = [fact for fact in found if fact["type"].startswith(("release.", "alias."))]
    assert set(
        Counter(
            (f["type"], f["body"]["release"], f["body"].get("alias"), f["body"].get("version"))
            for f in moves
        ).values()
    ) <= {1}
    for one in releases_of(site.state, "delay"):
        own = [f for f in moves if f["body"]["release"] == one.id]
        assert any(f["type"] == "alias.moved" for f in own), "a move without its alias"
    started = sum(1 for fact in moves if fact["type"] == "release.started")
    return started + sum(1 for fact in moves if fact["type"] == "release.rolled-back")


def _is_served(site: Any, table: Any) -> None:
    """The folder is what the table says: signed, and each package whole; nothing else is left."""
    serving = site.serving
    if table is None:
        assert not list(releases_of(site.state, "delay"))
        return
    assert read_routing((serving / "routing.json").read_bytes(), site.signer.public) == table
    assert (serving / "site.pub").read_bytes() == site.signer.public.pem
    for variant in table.variants:
        package = serving / "models" / variant.digest.removeprefix("sha256:")
        assert payload_digest(package / "payload") == variant.digest
        admission = (package / "admission.json").read_bytes()
        check_admission(admission, site.signer.public, variant.digest)
        assert (package / "model.sig").read_text() == f"signature {variant.version}"
    left = {path.name for path in (serving / "models").iterdir()}
    assert left == {variant.digest.removeprefix("sha256:") for variant in table.variants}
    assert not list(serving.glob("*.part"))


def _goes_on(site: Any) -> None:
    """A table's number grows with every change, so that the endpoint takes each."""
    numbers = []
    running = [one for one in releases_of(site.state, "delay") if one.status == "running"]
    table = publish(site, "delay")
    if table is not None:
        numbers.append(table.version)
    if not running:
        champion = aliases_of(site.state, "delay").get("champion")
        other = 3 if champion != 3 else 2
        assert release(site, plan_release(site, f"delay@{other}", "immediate")).version == other
        table = publish(site, "delay")
        numbers.append(table.version)
        _is_served(site, table)
    assert all(one < other for one, other in pairwise(numbers))


def kill_between_lines(
    crash: ModuleType, folder: Path, lines: int, seed: int, script: str = SCRIPT
) -> None:
    outcome = crash.run_until_killed(script, [folder], seed=seed, lines=lines)
    assert outcome.killed and outcome.place
    check_what_stands(folder, outcome.acknowledged)


def kill_from_outside(crash: ModuleType, folder: Path, seed: int) -> None:
    outcome = crash.run_until_killed_by_parent(SCRIPT, [folder], seed=seed, acknowledgements=9)
    assert outcome.acknowledged
    check_what_stands(folder, outcome.acknowledged)


@pytest.mark.parametrize("seed", range(6))
def test_killed_between_two_lines(crash: ModuleType, folder: Path, lines: int, seed: int) -> None:
    kill_between_lines(crash, folder, lines, seed)


@pytest.mark.parametrize("seed", range(50, 53))
def test_killed_between_two_lines_of_commands(
    crash: ModuleType, folder: Path, typed: int, seed: int
) -> None:
    kill_between_lines(crash, folder, typed, seed, TYPED)


@pytest.mark.parametrize("seed", range(2))
def test_killed_from_outside(crash: ModuleType, folder: Path, seed: int) -> None:
    kill_from_outside(crash, folder, seed)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 145))
def test_killed_between_two_lines_often(
    crash: ModuleType, folder: Path, lines: int, seed: int
) -> None:
    kill_between_lines(crash, folder, lines, seed)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(200, 220))
def test_killed_between_two_lines_of_commands_often(
    crash: ModuleType, folder: Path, typed: int, seed: int
) -> None:
    kill_between_lines(crash, folder, typed, seed, TYPED)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 120))
def test_killed_from_outside_often(crash: ModuleType, folder: Path, seed: int) -> None:
    kill_from_outside(crash, folder, seed)


KILLED_WHILE_REMOVING = """
import os, shutil, signal, sys
from pathlib import Path
from freehold.app.release.release import plan_release, release
from freehold.app.site.opening import open_site

def half(folder, **_):
    files = sorted(path for path in Path(folder).rglob("*") if path.is_file())
    for path in files[: len(files) // 2]:
        path.unlink()
    if files:
        os.kill(os.getpid(), signal.SIGKILL)

with open_site(Path(sys.argv[1])) as site:
    release(site, plan_release(site, "delay@1"))
    acknowledge("first")
    shutil.rmtree = half
    release(site, plan_release(site, "delay@2", "immediate"))
"""


def test_killed_while_the_old_package_is_removed(crash: ModuleType, folder: Path) -> None:
    """What is left of it must not pass for a package when the version comes back."""
    ended = crash.run_until_killed(KILLED_WHILE_REMOVING, [folder], seed=0, lines=1 << 40)
    assert ended.killed
    assert ended.acknowledged == ("first",)
    with open_site(folder) as site:
        release(site, plan_release(site, "delay@1", "immediate"))
        _is_served(site, publish(site, "delay"))


def test_a_table_is_written_once(folder: Path) -> None:
    with open_site(folder) as site:
        release(site, plan_release(site, "delay@1"))
        before = (site.serving / "routing.json").read_bytes()
        publish(site, "delay")
        assert (site.serving / "routing.json").read_bytes() == before
        version = version_of(site.state, "delay", 1)
        assert version.package in before.decode()
