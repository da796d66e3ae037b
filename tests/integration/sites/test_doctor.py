"""Each check of the doctor, made to fail for real."""

import shutil
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pytest import approx

from freehold.adapters.disk.object_store import DiskObjectStore
from freehold.adapters.filelock.locks import FileLocks
from freehold.app.site.exchange import exchange
from freehold.app.site.health.disk import Room
from freehold.app.site.health.examination import Examination, Surroundings, examine
from freehold.app.site.health.finding import Finding
from freehold.app.site.health.overview import look_at_sites
from freehold.app.site.health.waiting import Patience
from freehold.app.site.opening import Site, open_site
from freehold.app.site.trusting import trust
from freehold.domain.fact import Draft

START = 1_700_000_000_000_000
AROUND = Surroundings(clock=lambda: START + 60_000_000, environment={})
SECOND = 1_000_000


def look(world: Any, name: str = "aws", around: Surroundings = AROUND) -> Examination:
    return examine(world.root, name, surroundings=around)


def found(examination: Examination, check: str, about: str = "") -> Finding:
    one = [
        one for one in examination.findings if (one.check, one.about) == (check, about or one.about)
    ]
    assert one, [(finding.check, finding.about) for finding in examination.findings]
    return one[0]


def moved(version: int) -> Draft:
    body = {"model": "m", "alias": "champion", "version": version, "previous": None, "release": ""}
    return Draft("alias.moved", body)


def write(world: Any, name: str, *versions: int) -> None:
    world.do(name, lambda site: site.ledger.append([moved(version) for version in versions]))


def test_nothing_is_wrong_where_nothing_is_wrong(world: Any) -> None:
    examination = look(world)
    assert {one.standing for one in examination.findings} == {"good"}, examination.findings
    assert examination.exit_code == 0
    checks = {one.check for one in examination.findings}
    wanted = {"versions", "agent", "disk", "key", "ledger", "store", "abilities", "lag", "clock"}
    assert wanted <= checks
    assert "create-once" in found(examination, "abilities", "azure").what
    # A private store is its own site's business.
    assert {one.about for one in examination.findings if one.check == "store"} == {"aws", "azure"}


def test_it_changes_nothing(world: Any) -> None:
    def everything() -> list[Any]:
        stores = [DiskObjectStore(world.stores / name) for name in ("aws", "azure")]
        facts = world.do("aws", lambda site: list(site.ledger.lines()))
        return [[(key, store.get(key)) for store in stores for key in store.keys("")], facts]

    before = everything()
    look(world)
    assert everything() == before


def endpoint(world: Any, site: str, address: str) -> None:
    """The site's store is a bucket behind this address."""
    path = world.root / "freehold.yaml"
    before = f'at: "file://{world.stores}/{site}"'
    after = f'at: "s3://bucket/{site}", endpoint: "{address}", region: "us-east-1"'
    assert before in path.read_text()
    path.write_text(path.read_text().replace(before, after))


SECRET = "a-secret-that-never-appears"
CREDENTIALS = {
    "FREEHOLD_AZURE_ACCESS_KEY_ID": "KEY",
    "FREEHOLD_AZURE_SECRET_ACCESS_KEY": SECRET,
    "FREEHOLD_AZURE_SESSION_TOKEN": SECRET,
}


@pytest.fixture
def silent() -> Iterator[str]:
    """It takes connections and says nothing, ever."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def test_a_closed_port_is_unreachable_and_nothing_else(world: Any, unused: str) -> None:
    endpoint(world, "azure", unused)
    examination = look(world, around=replace(AROUND, environment=CREDENTIALS))
    store = found(examination, "store", "azure")
    assert (store.standing, store.unreachable) == ("bad", True)
    assert "refused" in store.why
    assert examination.exit_code == 3
    assert found(examination, "store", "aws").standing == "good"
    # What another store has of that site is compared all the same.
    azure = world.do("azure", lambda site: site.ledger.writer)
    assert found(examination, "lag", azure).standing == "good"
    assert SECRET not in str(examination.as_json())


@pytest.fixture
def unused() -> str:
    """Of a port that nobody listens at."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{taken.getsockname()[1]}"


def test_a_store_that_never_answers_is_given_up(world: Any, silent: str) -> None:
    endpoint(world, "azure", silent)
    around = replace(AROUND, environment=CREDENTIALS, patience=Patience(first=0.2, whole=0.2))
    examination = look(world, around=around)
    store = found(examination, "store", "azure")
    assert (store.standing, store.unreachable) == ("bad", True)
    assert "within 0.2 s" in store.what
    assert examination.exit_code == 3


def test_a_store_that_nothing_opens_is_bad(world: Any) -> None:
    shutil.rmtree(world.stores / "azure")
    (world.stores / "azure").write_text("a file, where a folder should be")
    examination = look(world)
    assert found(examination, "store", "azure").standing == "bad"
    assert examination.exit_code == 1
    assert found(examination, "store", "azure").hint


def test_little_room(world: Any) -> None:
    around = replace(AROUND, room=lambda _: Room(10**12, 10**8))
    examination = look(world, around=around)
    assert found(examination, "disk").standing == "bad"
    assert examination.exit_code == 1


def test_a_key_file_for_the_store_that_is_not_there(world: Any, tmp_path: Path) -> None:
    path = world.root / "freehold.yaml"
    text = path.read_text()
    store = f'at: "file://{world.stores}/aws"'
    path.write_text(text.replace(store, f'{store}, encryption: "file:{tmp_path}/no.key"'))
    examination = look(world)
    encryption = found(examination, "encryption", "aws")
    assert (encryption.standing, encryption.unreachable) == ("bad", False)
    assert encryption.hint
    assert found(examination, "store", "aws").standing == "good"


def test_the_own_key_that_others_can_read(world: Any) -> None:
    """The site cannot even be opened; all that can be looked at without it is."""
    key = world.state("aws") / "keys" / "site.key"
    key.chmod(0o644)
    examination = look(world)
    assert found(examination, "key").hint == f"chmod 600 {key}"
    assert found(examination, "site", "aws").standing == "bad"
    assert found(examination, "store", "azure").standing == "good"


def test_the_own_key_that_is_gone(world: Any) -> None:
    (world.state("aws") / "keys" / "site.key").unlink()
    examination = look(world)
    assert {found(examination, check).standing for check in ("key", "site")} == {"bad"}


def damage(world: Any, statement: str) -> None:
    with closing(sqlite3.connect(world.state("aws") / "ledger.db")) as ledger:
        ledger.execute(statement)
        ledger.commit()


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("UPDATE entries SET encoded = x'00' WHERE sequence = 1", "entry 1 is no fact"),
        ("DELETE FROM entries WHERE sequence = 1", "entry 1 is not the fact that belongs there"),
        (
            "UPDATE entries SET encoded = (SELECT encoded FROM entries WHERE sequence = 0)"
            " WHERE sequence = 1",
            "entry 1 is not the fact that belongs there",
        ),
        ("UPDATE checkpoints SET encoded = x'7b7d'", "is not signed with this site's key"),
        ("DELETE FROM checkpoints WHERE size > 1", "lie here with another root"),
    ],
)
def test_a_ledger_that_was_changed(world: Any, statement: str, why: str) -> None:
    damage(world, statement)
    ledger = found(look(world), "ledger")
    assert ledger.standing == "bad"
    assert why in ledger.why
    assert "freehold audit verify" in ledger.hint


def test_strangers_are_named_with_the_act_that_believes_them(strangers: Any) -> None:
    strangers.sync("onprem")
    examination = look(strangers)
    key = strangers.do("onprem", lambda site: site.signer.public.fingerprint)
    log = found(examination, "log")
    assert log.standing == "warning"
    assert f"freehold sites trust onprem {key}" in log.hint
    assert examination.exit_code == 0


def test_lag_in_entries_and_in_time(world: Any) -> None:
    """By injected clocks: what is missing was written an hour before."""
    write(world, "onprem", 1, 2, 3)
    writer = world.do("onprem", lambda site: site.ledger.writer)
    world.sync("onprem")
    lag = found(look(world, around=replace(AROUND, clock=lambda: START + SECOND)), "lag", writer)
    assert (lag.standing, lag.hint) == ("good", "freehold sync")
    assert "3 entries are not here yet" in lag.what
    lag = found(
        look(world, around=replace(AROUND, clock=lambda: START + 7300 * SECOND)), "lag", writer
    )
    assert lag.standing == "warning"
    assert lag.what.endswith("the first written 2 h ago")
    world.sync("aws")
    assert found(look(world), "lag", writer).what.startswith("nothing is missing")


def test_what_was_never_published_is_told_after_an_hour(world: Any) -> None:
    write(world, "aws", 1, 2)
    later = replace(AROUND, clock=lambda: START + 7300 * SECOND)
    writer = world.do("aws", lambda site: site.ledger.writer)
    assert found(look(world), "lag", writer).standing == "good"
    lag = found(look(world, around=later), "lag", writer)
    assert lag.standing == "warning"
    assert lag.what.startswith("2 entries of ")


def at_second(world: Any, name: str, second: int) -> Site:
    return open_site(world.root, lambda: START + second * SECOND, name)


def lags(world: Any, second: int, writer: str) -> list[dict[str, Any]]:
    """What `doctor --json` and `sites --json` say of a log, at aws."""
    around = replace(AROUND, clock=lambda: START + second * SECOND)
    told = look(world, around=around).as_json()["findings"]
    with at_second(world, "aws", second) as site:
        logs = look_at_sites(site).as_json()["logs"]
    (figures,) = [one["figures"] for one in told if (one["check"], one["about"]) == ("lag", writer)]
    (log,) = [one for one in logs if one["writer"] == writer]
    return [figures, {name: log[name] for name in figures}]


def test_lag_is_given_in_figures(world: Any) -> None:
    """By injected clocks; the fixture's meetings took less than a second of theirs."""
    nothing: dict[str, Any] = {
        "behind": 0,
        "unpublished": 0,
        "behind_seconds": None,
        "missing_seconds": None,
        "unpublished_seconds": None,
    }
    writers = {name: world.do(name, lambda s: s.ledger.writer) for name in ("onprem", "aws")}
    assert lags(world, 1, writers["onprem"]) == [nothing, nothing]
    for second, versions in ((100, (1, 2, 3)), (400, (4,))):
        with at_second(world, "onprem", second) as site:
            site.ledger.append([moved(version) for version in versions])
            exchange(site)
    told = {"behind": 4, "behind_seconds": approx(400, abs=1), "missing_seconds": 900}
    assert lags(world, 1000, writers["onprem"]) == [nothing | told] * 2
    with at_second(world, "aws", 600) as site:
        site.ledger.append([moved(5), moved(6)])
    told = {"unpublished": 2, "unpublished_seconds": 400}
    assert lags(world, 1000, writers["aws"]) == [nothing | told] * 2
    with at_second(world, "aws", 1000) as site:
        exchange(site)
    for writer in writers.values():
        assert lags(world, 2000, writer) == [nothing, nothing]


def test_a_state_from_a_backup_is_noticed_before_it_is_used(world: Any, tmp_path: Path) -> None:
    world.backup("aws", tmp_path / "backup")
    write(world, "aws", 1, 2)
    world.sync("aws")
    world.restore("aws", tmp_path / "backup")
    writer = world.do("aws", lambda site: site.ledger.writer)
    lag = found(look(world), "lag", writer)
    assert lag.standing == "warning"
    assert "the stores have 2 entries of this site's log more" in lag.what


def test_facts_that_wait_for_others_are_told(world: Any) -> None:
    """aws saw what onprem wrote, and azure gets the log of aws without it."""
    write(world, "onprem", 1)
    world.sync("onprem")
    world.sync("aws")
    write(world, "aws", 2)
    world.sync("aws")
    onprem, aws = (world.do(name, lambda s: s.ledger.writer) for name in ("onprem", "aws"))
    for store in world.stores.iterdir():
        shutil.rmtree(store / "logs" / onprem)
    world.sync("azure")
    log = found(look(world, "azure"), "log", aws)
    assert log.standing == "warning"
    assert f"1 entry of {onprem}" in log.why


def test_an_open_conflict_waits_for_people(world: Any) -> None:
    write(world, "onprem", 2)
    write(world, "aws", 3)
    world.meet()
    conflicts = found(look(world), "conflicts")
    assert (conflicts.standing, conflicts.hint) == ("warning", "freehold conflicts")


def test_who_signed_two_histories_is_bad(world: Any, tmp_path: Path) -> None:
    world.backup("onprem", tmp_path / "before")
    write(world, "onprem", 2)
    world.meet()
    world.restore("onprem", tmp_path / "before")
    for store in world.stores.iterdir():
        for path in store.glob("logs/onprem-*"):
            shutil.rmtree(path)
    write(world, "onprem", 4, 5, 6)
    world.sync("onprem")
    world.sync("aws")
    examination = look(world)
    writer = world.do("aws", lambda s: next(w for w in _writers(s) if w.startswith("onprem-")))
    log = found(examination, "log", writer)
    assert log.standing == "bad"
    assert "it signed" in log.why and "aws" in log.why
    assert examination.exit_code == 1


def _writers(site: Site) -> list[str]:
    return [log.writer for log in site.ledger.logs()]  # type: ignore[attr-defined]


def test_an_agent_that_runs_is_seen_by_its_lock(world: Any) -> None:
    assert found(look(world), "agent").what == "no agent runs here"
    held = FileLocks(world.state("aws") / "locks").take("agent")
    assert held is not None
    assert found(look(world), "agent").what == "its agent runs"
    held.release()
    assert FileLocks(world.state("aws") / "locks").take("agent") is not None


@pytest.mark.parametrize(("wrong", "standing"), [(0, "good"), (100, "warning"), (3600, "bad")])
def test_a_clock_that_is_wrong_at_one_site(strangers: Any, wrong: int, standing: str) -> None:
    now = [START]
    clocks = {
        "aws": lambda: now[0],
        "azure": lambda: now[0] + wrong * SECOND,
    }

    def at(name: str) -> Site:
        now[0] += SECOND
        return open_site(strangers.root, clocks[name], name)

    keys = {}
    for name in clocks:
        with at(name) as site:
            keys[name] = site.signer.public.fingerprint
    for name, other in (("aws", "azure"), ("azure", "aws")):
        with at(name) as site:
            trust(site, other, keys[other])
    for _ in range(3):
        for name in clocks:
            with at(name) as site:
                site.ledger.append([Draft("note.written", {})])
                exchange(site)
    for name, other in (("aws", "azure"), ("azure", "aws")):
        examination = look(strangers, name, replace(AROUND, clock=clocks[name]))
        clock = found(examination, "clock", other)
        assert clock.standing == standing, clock
    word = {"good": "at most"}.get(standing, "behind by at least")
    assert word in clock.what


def test_a_project_of_one_site_has_no_stores_to_ask(tmp_path: Path) -> None:
    (tmp_path / "freehold.yaml").write_text("project: alone\npipelines: {}\n")
    examination = examine(tmp_path, surroundings=AROUND)
    assert examination.site == "local"
    assert examination.exit_code == 0
    assert not [one for one in examination.findings if one.check == "store"]
