"""The example of three sites: what listens is guarded, the sites meet, the three drills hold."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from freehold.app.drill.offline.peers import PORT

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "three-sites"
sys.path.insert(0, str(EXAMPLE))

from places import NamespacePlaces  # noqa: E402
from world import SITES, STORE_OF, World, standing  # noqa: E402


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with standing(tmp_path_factory.mktemp("three") / "sites", "moto") as made:
        assert made.obstacle == "", f"this test needs network namespaces: {made.obstacle}"
        yield made


def at(world: World, site: str, *argv: str) -> "subprocess.CompletedProcess[str]":
    command = [str(world.entrance(site)), *argv]
    return subprocess.run(command, capture_output=True, text=True)


def listening(command: list[str]) -> Iterator[tuple[str, set[int]]]:
    """Address and processes."""
    shown = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    for line in shown.splitlines():
        yield line.split()[3], {int(pid) for pid in re.findall(r"pid=(\d+)", line)}


def family() -> set[int]:
    """This process and all below it."""
    shown = subprocess.run(["ps", "-eo", "pid=,ppid="], check=True, capture_output=True, text=True)
    parents = dict(map(int, line.split()) for line in shown.stdout.splitlines())
    found = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found


@pytest.mark.servers
def test_nothing_listens_beyond_loopback_but_the_fronts(world: World) -> None:
    network = world.network
    assert network is not None
    for name in SITES:
        assert list(listening(network.command(name, ["ss", "-ltnpH"]))) == []
    for name in STORE_OF.values():
        found = [where for where, _ in listening(network.command(name, ["ss", "-ltnpH"]))]
        assert found == [f"{network.address(name)}:9443"]
    ours = family()
    on_the_machine = [w for w, pids in listening(["ss", "-ltnpH"]) if pids & ours]
    assert len(on_the_machine) >= 2
    assert {where.rpartition(":")[0] for where in on_the_machine} == {"127.0.0.1"}


ASK = """
import http.client, sys, urllib.error, urllib.request
try:
    print(urllib.request.urlopen(sys.argv[1], timeout=20).status)
except urllib.error.HTTPError as answer:
    print(answer.code)
except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
    print(repr(error))
"""


@pytest.mark.servers
@pytest.mark.parametrize("name", ["s3", "azure"])
def test_a_store_asks_for_a_key_and_speaks_tls_only(world: World, name: str) -> None:
    bucket = getattr(world.stores, name).partition("://")[2]
    url = f"{getattr(world.stores, f'{name}_endpoint')}/{bucket}/a"

    def answer(url: str, *variables: str) -> str:
        command = ["env", *variables, sys.executable, "-c", ASK, url]
        return at(world, "onprem", *command).stdout.strip()

    assert answer(url) == "403"
    assert answer(url.replace("https", "http")) != ""
    assert not answer(url.replace("https", "http")).isdigit()
    nobody_trusted = "SSL_CERT_FILE=/dev/null", "SSL_CERT_DIR=/nonexistent"
    assert "CERTIFICATE_VERIFY_FAILED" in answer(url, *nobody_trusted)


PUT = """
import os, sys
from freehold.app.project.reading import read_project
from freehold.app.site.stores import open_store
from pathlib import Path
from typing import Any
spec = read_project(Path.cwd()).spec.sites[sys.argv[1]].store
open_store(spec, sys.argv[1], os.environ).put("probe/a", b"1")
"""


@pytest.mark.servers
@pytest.mark.parametrize(
    ("site", "variable", "wrong"),
    [
        ("aws", "FREEHOLD_AWS_SECRET_ACCESS_KEY", "another"),
        ("aws", "FREEHOLD_AWS_ACCESS_KEY_ID", "SOMEBODY"),
        ("azure", "FREEHOLD_AZURE_ACCOUNT_KEY", "YW5vdGhlcg=="),
    ],
)
def test_another_key_opens_nothing(world: World, site: str, variable: str, wrong: str) -> None:
    with_key = at(world, "onprem", sys.executable, "-c", PUT, site)
    assert with_key.returncode == 0, with_key.stderr
    without = at(world, "onprem", "env", f"{variable}={wrong}", sys.executable, "-c", PUT, site)
    assert "storage.denied" in without.stderr and "403" in without.stderr
    assert wrong not in without.stderr


@pytest.mark.servers
def test_what_one_site_does_the_others_know(world: World) -> None:
    assert len({(world.checkout(site) / "freehold.yaml").read_bytes() for site in SITES}) == 1
    for site in (*SITES, *SITES):
        done = at(world, site, "freehold", "sync", "--json")
        assert done.returncode == 0, done.stderr
        said = json.loads(done.stdout)
        assert not (said["strangers"] or said["faults"] or said["unreachable"])
    for site in SITES:
        told = at(world, site, "freehold", "audit", "verify").stdout
        assert all(f"{other}-" in told for other in SITES)


CONNECT = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), 5).close()
    print("connected")
except OSError as error:
    print(repr(error))
"""
LISTENED = 9555


@pytest.mark.servers
def test_a_site_that_is_cut_reaches_no_peer_and_no_peer_reaches_it(world: World) -> None:
    """By listeners of this test, at addresses where nothing of the product ever listens."""
    network, places = world.network, NamespacePlaces(world)
    assert network is not None

    def connects(site: str, peer: str) -> bool:
        command = [sys.executable, "-c", CONNECT, network.address(peer), str(LISTENED)]
        return at(world, site, *command).stdout == "connected\n"

    ways = [("onprem", "aws"), ("aws", "onprem"), ("onprem", "azure")]
    with ExitStack() as listening:
        for site in SITES:
            listening.enter_context(network.listen(site, LISTENED))
        assert [connects(*way) for way in ways] == [True, True, True]
        places.cut("aws")
        try:
            assert [connects(*way) for way in ways] == [False, False, True]
        finally:
            places.heal("aws")
        assert [connects(*way) for way in ways] == [True, True, True]


@pytest.mark.servers
def test_the_secrets_of_a_run_are_its_own(world: World) -> None:
    keys = [value for name, value in world.stores.environment.items() if name.endswith("_KEY")]
    assert len(keys) == len(set(keys)) == 2
    for site in SITES:
        assert world.entrance(site).stat().st_mode & 0o777 == 0o700
        text = (world.checkout(site) / "freehold.yaml").read_text()
        assert not any(key in text for key in keys)


def run(*arguments: str, **environment: str) -> "subprocess.Popen[str]":
    """Of the example."""
    return started([sys.executable, str(EXAMPLE / "run.py"), *arguments], **environment)


def started(command: list[str], **environment: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def demo_sites(*arguments: str) -> list[str]:
    """What `make demo-sites` does once all is installed, with this Python."""
    command = ["make", "--no-print-directory", "--dry-run", "demo-sites"]
    given = [f"DEMO_ARGS={shlex.join(arguments)}", f"BIN={Path(sys.executable).parent}"]
    outer = {"MAKEFLAGS", "MAKELEVEL", "MFLAGS"}
    mine = {name: value for name, value in os.environ.items() if name not in outer}
    shown = subprocess.run(
        [*command, *given], cwd=ROOT, env=mine, check=True, capture_output=True, text=True
    ).stdout
    return shlex.split(shown.splitlines()[-1])


@dataclass(frozen=True)
class Socket:
    place: str
    """Site, or store of a site."""
    state: str
    local: str
    peer: str
    command: str
    """Of the process; empty where none had it yet as processes were looked at, or it has ended."""


class Watch(Thread):
    """Of all sockets in the namespaces of a run, as long as that lasts."""

    PLACES = (*SITES, *STORE_OF.values())
    PAUSE = 0.3

    def __init__(self, pid: int) -> None:
        super().__init__()
        self._pid, self._over = pid, Event()
        self.seen: set[Socket] = set()

    def __enter__(self) -> "Watch":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join()

    def run(self) -> None:
        while not self._over.wait(self.PAUSE):
            for path in Path("/run/netns").glob(f"fh{self._pid}n*"):
                # The one in which a run tries whether it can have any has no place of ours.
                place = self.PLACES[int(path.name[-2:])]
                command = ["ip", "netns", "exec", path.name, "ss", "-tuanpH"]
                shown = subprocess.run(command, capture_output=True, text=True).stdout
                self.seen.update(self._socket(place, line) for line in shown.splitlines())

    def _socket(self, place: str, line: str) -> Socket:
        _, state, _, _, local, peer, *_ = line.split()
        pids = re.findall(r"pid=(\d+)", line)
        return Socket(place, state, local, peer, self._command(pids[0]) if pids else "")

    def _command(self, pid: str) -> str:
        """Asked for each time: a process has its parent's until it has one of its own."""
        with suppress(OSError):
            return " ".join(Path(f"/proc/{pid}/cmdline").read_text().split("\0"))
        return ""


def drilled(*arguments: str, **environment: str) -> dict[str, Any]:
    process = started(demo_sites("--json", *arguments), **environment)
    with Watch(process.pid) as watch:
        out, err = process.communicate()
    assert process.returncode == 0, err
    left = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True).stdout
    assert f"fh{process.pid}n" not in left
    said: dict[str, Any] = {**json.loads(out), "sockets": watch.seen}
    return said


def check(said: dict[str, Any], cut: str, other: str) -> None:
    sites = {one["site"]: one for one in said["sites"]}
    assert set(sites) == set(SITES) and said["cut"] == cut
    for name in (cut, other):
        site = sites[name]
        assert site["trained"] and site["released"]["version"] == site["trained"]["version"]
        assert set(site["trained"]["snapshots"].values()) == {"local"}
    for one in sites.values():
        assert one["predictions"] > 0 and one["endpoint"] > 0
        assert one["entries"]["before"] < one["entries"]["at_return"] < one["entries"]["after"]
    assert len({one["entries"]["after"] for one in sites.values()}) == 1
    for log in said["logs"]:
        across = [name for name in SITES if (name == cut) != log["writer"].startswith(cut)]
        assert all(log["at_return"][name] == log["before"] for name in across)
    assert said["conflict"]["about"] == "flight-delay/champion"
    assert {one["site"] for one in said["conflict"]["sides"]} == {cut, other}
    assert said["verified"]["logs"] == 3 * 6, "three sites hold three logs and three of twins"
    assert said["verified"]["entries_kept"] > 50
    assert said["production_unchanged"] is True and said["removed"] > 0
    assert said["spanned"] > 0.8 * said["hours"] == 0.8 * 48


def check_rebuilt(said: dict[str, Any]) -> None:
    assert {site: one["stores"] for site, one in said.items()} == {
        "aws": {"reference": "file", "rebuilt": "s3"},
        "azure": {"reference": "file", "rebuilt": "az"},
    }
    for site, one in said.items():
        assert one["site"] == site and one["reference_at"] == "onprem"
        found = one["comparison"]
        assert one["holds"] is True and found["identical"] is True
        steps = {artifact["step"] for artifact in found["artifacts"]}
        assert {"flights_table", "features", "fit"} <= steps
        assert all(a["before"] == a["after"] != "" for a in found["artifacts"])
        assert found["package"]["before"] == found["package"]["after"] != ""
        assert found["rows"] > 1000
        assert one["removed"] >= len(found["artifacts"]), "they lay in that site's own store"
        assert one["production_unchanged"] is True


def check_left(said: dict[str, Any]) -> None:
    assert (said["passed"], said["faults"]) == (True, [])
    # Agents of other sites meter all the time: the rows of their last hour may be on their way.
    assert [one for one in said["absent"] if not one.startswith("usage ")] == []
    proven = {one["what"]: one["proven"] for one in said["joints"]}
    must = {"tables, request logs", "model", "model signature", "policies", "history", "every file"}
    assert {what: proven[what] for what in must} == dict.fromkeys(must, "yes")
    assert all(one["alone"]["freehold_modules"] == [] for one in said["joints"])
    (history,) = [one for one in said["joints"] if one["what"] == "history"]
    assert "3 logs" in history["figures"]


def test_make_demo_sites_is_what_the_drills_are_tested_by() -> None:
    command = demo_sites("--json", "--cut", "aws")
    where = str((ROOT / command[1]).resolve())
    assert [where, *command[2:]] == [str(EXAMPLE / "run.py"), "drill", "--json", "--cut", "aws"]
    assert Path(command[0]).resolve() == Path(sys.executable).resolve()


@pytest.fixture(scope="module")
def drills() -> dict[str, Any]:
    """All three, on one world; aws is cut."""
    return drilled("--which", "all", "--cut", "aws")


@pytest.mark.servers
def test_the_offline_drill_with_links_that_go_down(drills: dict[str, Any]) -> None:
    said = drills["offline"]
    check(said, "aws", "onprem")
    # The store in the cloud goes with its site, and the agents live through it.
    assert {probe.partition(":")[0] for probe in said["probes"]} == {
        "onprem → store of aws",
        "azure → store of aws",
        "aws → store of aws",
        "aws → store of azure",
        # And nobody at the site: each by its own address.
        "onprem → aws",
        "azure → aws",
        "aws → onprem",
        "aws → azure",
    }
    assert said["not_probed"] == []
    agents = drills["example"]["agents"]
    assert drills["example"]["network"] is True
    for site in SITES:
        assert any("not reached: aws" in line for line in agents[site])
        assert any("reached again" in line for line in agents[site])


@pytest.mark.servers
def test_while_agents_and_endpoints_are_up_only_the_fronts_listen_beyond_loopback(
    drills: dict[str, Any],
) -> None:
    listening = [one for one in drills["sockets"] if one.state in ("LISTEN", "UNCONN")]
    for site in SITES:
        assert [one for one in listening if one.place == site], "its endpoint listens"
    beyond = {one for one in listening if not one.local.startswith("127.0.0.1:")}
    assert {one.place for one in beyond} == set(STORE_OF.values())
    assert {one.local.rpartition(":")[2] for one in beyond} == {"9443"}


@pytest.mark.servers
def test_sites_and_their_agents_speak_to_the_fronts_of_stores_and_to_nobody_else(
    drills: dict[str, Any],
) -> None:
    stores = set(STORE_OF.values())
    fronts = {s.local for s in drills["sockets"] if s.state == "LISTEN" and s.place in stores}
    assert len(fronts) == len(STORE_OF)
    for site in SITES:
        ours = [one for one in drills["sockets"] if one.place == site]
        beyond = {one for one in ours if not one.local.startswith("127.0.0.1:")}
        # The drill tries its sites' addresses, where nobody listens.
        tried = {one for one in beyond if one.peer.endswith(f":{PORT}")}
        assert {one.state for one in tried} <= {"SYN-SENT"}
        # `ss` looks at processes first and at sockets then: one of between has nobody.
        assert all("drill at-site" in one.command for one in tried if one.command)
        assert {one.peer for one in beyond - tried} == fronts
        assert {one.peer for one in ours if "freehold agent" in one.command} >= fronts


@pytest.mark.servers
def test_what_ran_on_a_folder_runs_on_s3_and_on_blob_storage(drills: dict[str, Any]) -> None:
    check_rebuilt(drills["rebuild"])


@pytest.mark.servers
def test_who_made_everything_leaves_with_everything(drills: dict[str, Any]) -> None:
    check_left(drills["exit"])


@pytest.mark.servers
@pytest.mark.long
@pytest.mark.parametrize("cut", ["onprem", "azure"])
def test_the_drill_with_each_other_site_cut(cut: str) -> None:
    other = "aws" if cut == "onprem" else "onprem"
    check(drilled("--cut", cut)["offline"], cut, other)


@pytest.mark.servers
@pytest.mark.long
def test_without_namespaces_the_drill_cuts_by_proxies(tmp_path: Path) -> None:
    for program in ("bash", "env", "node", "ps", "sh"):
        where = shutil.which(program)
        assert where is not None
        (tmp_path / program).symlink_to(Path(where).resolve())
    said = drilled("--which", "all", PATH=str(tmp_path))
    check(said["offline"], "onprem", "aws")
    check_rebuilt(said["rebuild"])
    check_left(said["exit"])
    example = said["example"]
    assert example["network"] is False
    assert len(said["offline"]["not_probed"]) == 4, "all sites are one machine"
    for site in SITES:
        assert any("reached again" in line for line in example["agents"][site]) == (
            site == "onprem"
        ), "the agent of the cut site is cut, too, and onprem's store is nobody else's"


@pytest.mark.ceph
@pytest.mark.long
def test_the_three_drills_with_a_real_s3() -> None:
    said = drilled("--which", "all", "--store", "ceph", "--cut", "aws", "--whole")
    check(said["offline"], "aws", "onprem")
    check_rebuilt(said["rebuild"])
    check_left(said["exit"])


@pytest.mark.servers
def test_up_stands_until_down(tmp_path: Path) -> None:
    folder = tmp_path / "sites"
    process = run("up", "--bare", "--into", str(folder))
    try:
        assert process.stderr is not None
        told = []
        for line in process.stderr:
            told.append(line)
            if line.startswith("Ctrl-C"):
                break
        else:
            raise AssertionError("".join(told))
        second = run("up", "--into", str(folder))
        _, refused = second.communicate()
        assert second.returncode == 1 and "project.exists" in refused and "--into" in refused
        known = subprocess.run(
            [str(folder / "at-azure"), "freehold", "sites", "--json"],
            capture_output=True,
            text=True,
        )
        assert all(site in known.stdout for site in SITES), known.stderr
        down = run("down", "--into", str(folder))
        _, said = down.communicate()
        assert down.returncode == 0 and "down" in said, said
        process.communicate(timeout=60)
    finally:
        process.kill()
        process.communicate()
    assert not list(folder.glob("at-*")) and not (folder / "certificates").exists()
    assert (folder / "azure" / ".freehold").exists()
    _, again = run("down", "--into", str(folder)).communicate()
    assert "nothing is up" in again
