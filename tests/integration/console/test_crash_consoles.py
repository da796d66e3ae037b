"""kill -9 of a console while a client has things changed: what was answered with 2xx stands, once.

The client does as clients should: it keeps a plan's digest before it sends it, and it asks again
after the console is back, without knowing what of its last request stands.
"""

import json
import shutil
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from freehold.app.audit.verify import audit
from freehold.app.conflict.conflicts import conflicts
from freehold.app.loop.proposals import find_proposal
from freehold.app.release.serving_folder import publish
from freehold.app.site.opening import open_site
from freehold.delivery.releases import aliases_of, running_release

CLIENT = """
import json, time

DONE_ALREADY = {"proposal.not-open", "conflict.settled", "release.moved", "release.running",
                "release.is-champion"}

class Client:
    def __init__(self, ask, acknowledge, folder, conflicts):
        self.ask, self.acknowledge = ask, acknowledge
        self.folder, self.conflicts = folder, conflicts

    def have(self, name, path, body=None, key=""):
        status, value = self.ask("POST", path, body, key)
        if status == 409 and value["error"]["code"] in DONE_ALREADY:
            return self.acknowledge(f"already {name}")
        assert status == 200, (name, status, value)
        self.acknowledge(f"{name} {value['work']['work']}" if key else name)

    def release(self, version, strategy):
        kept = self.folder / f"plan-{version}"
        wanted = {"version": f"delay@{version}", "strategy": strategy}
        if not kept.exists():
            status, value = self.ask("POST", "/releases?dry_run=true", wanted)
            assert status == 200, (status, value)
            kept.with_suffix(".part").write_text(value["digest"])
            kept.with_suffix(".part").replace(kept)
        self.have(f"release {version}", "/releases", {**wanted, "plan": kept.read_text()})

    def approve(self, proposal):
        self.have(f"approve {proposal}", f"/proposals/{proposal}/approve")
        while True:
            status, value = self.ask("GET", "/signals")
            standing = {one["proposal"]: one["standing"] for one in value["proposals"]}
            if standing[proposal] == "failed":
                return self.acknowledge(f"carried-out {proposal}")
            assert standing[proposal] == "approved", standing
            time.sleep(0.02)

    def settle(self, number):
        name = self.conflicts[number]
        self.have(f"settle {name}", f"/conflicts/{name}/settle", {} if number else None)

    def everything(self):
        sums = {"site": "aws", "pipeline": "sums"}
        greeting = {"site": "aws", "pipeline": "greeting", "parameters": {"name": "ada"}}
        self.approve("delay/2024-01-14")
        self.have("work one", "/work", sums, key="one")
        self.release(2, "immediate")
        self.settle(0)
        self.have("work two", "/work", greeting, key="two")
        self.approve("delay/2024-02-14")
        self.settle(1)
        self.release(3, "canary")
        self.have("work one", "/work", sums, key="one")
        self.settle(2)
"""
SCRIPT = (
    CLIENT
    + """
import http.client, os, signal, sys, threading, traceback
from functools import partial
from pathlib import Path
from freehold.app.site.opening import open_site
from freehold.console.process import serve
from freehold.console.settings import ConsoleSettings
from freehold.console.token import token_of

folder, conflicts = Path(sys.argv[1]), sys.argv[2].split(",")

def asking(url, token):
    def ask(method, path, body=None, key=""):
        connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=60)
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        if key:
            headers["Idempotency-Key"] = key
        text = None if body is None else json.dumps(body)
        connection.request(method, f"/api/v1{path}", text, headers)
        answer = connection.getresponse()
        value = json.loads(answer.read())
        connection.close()
        return answer.status, value
    return ask

def work(client):
    try:
        client.everything()
    except BaseException:
        traceback.print_exc()
        os._exit(3)
    os.kill(os.getpid(), signal.SIGTERM)

def on_ready(url, site):
    acknowledge("opened")
    client = Client(asking(url, token_of(site.folder)), acknowledge, folder, conflicts)
    threading.Thread(target=work, args=(client,), daemon=True).start()

os.chdir(folder)
settings = ConsoleSettings(port=0, every=0.05)
serve(partial(open_site, folder), settings, on_ready, lambda text: None)
acknowledge("stopped")
"""
)
ACKNOWLEDGEMENTS = 14
"""Of a whole run, before it has stopped: a moment after any of them, the parent kills."""


class Place:
    """A copy of the site, and what its client was told over all its lives."""

    def __init__(self, orchard: Path, folder: Path, console: Any) -> None:
        self.folder, self.console = shutil.copytree(orchard, folder), console
        self.connect = console.connect
        with open_site(self.folder) as site:
            self.conflicts = [one.quarrel.name for one in conflicts(site)]
            self.begun = console.count(site)
        self.told: list[str] = []

    @property
    def arguments(self) -> list[str]:
        return [str(self.folder), ",".join(self.conflicts)]


@pytest.fixture
def place(orchard: Path, tmp_path: Path, console: Any) -> Place:
    return Place(orchard, tmp_path / "killed", console)


@pytest.fixture(scope="module")
def lines(
    crash: ModuleType, orchard: Path, tmp_path_factory: pytest.TempPathFactory, console: Any
) -> int:
    place = Place(orchard, tmp_path_factory.mktemp("whole") / "killed", console)
    passed = int(crash.count_lines(SCRIPT, place.arguments))
    check_the_end(place)
    assert passed > 20_000
    return passed


def recorded(place: Place, site: Any) -> Counter[str]:
    """What the client may have been told, by the ledger."""
    found: Counter[str] = Counter()
    for body in place.console.facts(site, "proposal.approved"):
        found[f"approve {body['proposal']}"] += 1
    for body in place.console.facts(site, "proposal.failed"):
        found[f"carried-out {body['proposal']}"] += 1
    for body in place.console.facts(site, "conflict.settled"):
        found[f"settle {body['conflict']}"] += 1
    for body in place.console.facts(site, "release.started"):
        if body["version"] != 1:
            found[f"release {body['version']}"] += 1
    for body in place.console.facts(site, "work.requested"):
        found[f"work {body['work']}"] += 1
    return found


def named(line: str) -> str:
    """An acknowledgement as `recorded` has it: work by the name that it was given."""
    kind, _, rest = line.partition(" ")
    return f"work {rest.partition(' ')[2]}" if kind == "work" else line


def check_what_stands(place: Place, told: tuple[str, ...]) -> None:
    """Before anything is started again."""
    place.told += [named(line) for line in told if line not in ("opened", "stopped")]
    wanted = {line.removeprefix("already ") for line in place.told}
    with open_site(place.folder) as site:
        report = audit(site)
        assert report.history.holds, report.history.faults
        found = recorded(place, site)
        assert wanted - set(found) == set(), "lost"
        assert set(found.values()) <= {1}, "twice"
        assert site.ledger.rebuild() == sum(log.size for log in site.ledger.logs())
        # At most the request under way, and what the loop did by itself, stand unheard.
        unheard = {one for one in set(found) - wanted if not one.startswith("carried-out ")}
        assert len(unheard) <= 1


def check_the_end(place: Place) -> None:
    """After a life that nobody ended: everything, once, and in force."""
    with open_site(place.folder) as site:
        assert audit(site).history.holds
        made = place.console.count(site) - place.begun
        assert made["proposal.approved"] == made["proposal.failed"] == 2
        assert made["run.started"] == 2, "each approval is carried out by one run"
        assert made["conflict.settled"] == 3
        assert made["work.requested"] == 2
        assert made["release.started"] == 2
        assert made["release.completed"] == 1
        assert conflicts(site) == []
        assert all(find_proposal(site, n).standing == "failed" for n in place.console.proposals)
        assert aliases_of(site.state, "delay") == {"champion": 2, "challenger": 3}
        running = running_release(site.state, "delay", site.name)
        assert running is not None and running.version == 3
        table = publish(site, "delay")
        assert table is not None
        assert {one.version: one.weight for one in table.variants} == {2: 95, 3: 5}
        served = json.loads((site.serving / "routing.json").read_bytes())
        assert served["table"]["version"] == table.version


def goes_on(place: Place) -> None:
    """A console is started again, and the client asks it for everything again."""
    told: list[str] = []
    names: dict[str, Any] = {}
    exec(CLIENT, names)
    with place.connect(place.folder, every=0.05) as console:

        def ask(method: str, path: str, body: Any = None, key: str = "") -> tuple[int, Any]:
            data = b"" if body is None else json.dumps(body).encode()
            headers = {"idempotency-key": key}
            reply = console.ask(method, f"/api/v1{path}", data, headers)
            return reply.status, reply.json

        names["Client"](ask, told.append, place.folder, place.conflicts).everything()
        wrong = [line for line in console.told if "error[" in line or "Traceback" in line]
        assert [line for line in wrong if "proposal.no-version" not in line] == []
    check_what_stands(place, tuple(told))
    check_the_end(place)


def kill_between_lines(crash: ModuleType, place: Place, lines: int, seed: int) -> None:
    outcome = crash.run_until_killed(SCRIPT, place.arguments, seed=seed, lines=lines)
    # Threads take turns differently each time, so that a run may be shorter than its point.
    assert outcome.killed == bool(outcome.place)
    check_what_stands(place, outcome.acknowledged)
    goes_on(place)


def kill_from_outside(crash: ModuleType, place: Place, seed: int) -> None:
    outcome = crash.run_until_killed_by_parent(
        SCRIPT, place.arguments, seed=seed, acknowledgements=ACKNOWLEDGEMENTS
    )
    assert outcome.acknowledged
    check_what_stands(place, outcome.acknowledged)
    goes_on(place)


@pytest.mark.parametrize("seed", range(6))
def test_killed_between_two_lines(crash: ModuleType, place: Place, lines: int, seed: int) -> None:
    kill_between_lines(crash, place, lines, seed)


@pytest.mark.parametrize("seed", range(2))
def test_killed_from_outside(crash: ModuleType, place: Place, seed: int) -> None:
    kill_from_outside(crash, place, seed)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 244))
def test_killed_between_two_lines_often(
    crash: ModuleType, place: Place, lines: int, seed: int
) -> None:
    kill_between_lines(crash, place, lines, seed)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 148))
def test_killed_from_outside_often(crash: ModuleType, place: Place, seed: int) -> None:
    kill_from_outside(crash, place, seed)
