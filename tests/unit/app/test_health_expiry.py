"""What ends by itself, room on the disk, and what numbers are called."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from freehold.app.site.health.disk import Room, examine_disk
from freehold.app.site.health.expiry import (
    examine_key,
    examine_key_tokens,
    examine_tokens,
    of_end,
)
from freehold.app.site.health.finding import Finding, counted, duration, of_error, size, worst
from freehold.domain.errors import IntegrityError, Unreachable
from freehold.ports.key_service import End

NOW = datetime(2030, 6, 1, 12, tzinfo=UTC)
DAY = 86_400
SIGNATURE = "c2VjcmV0"


def sas(end: str) -> dict[str, str]:
    return {"FREEHOLD_AZURE_SAS_TOKEN": f"?sv=2022-11-02&se={end}&sp=rwdl&sig={SIGNATURE}"}


def tokens(environment: dict[str, str], site: str = "azure") -> list[Finding]:
    return list(examine_tokens(site, environment, NOW.timestamp()))


@pytest.mark.parametrize(
    ("left", "standing", "words"),
    [
        (timedelta(days=-3), "bad", "ended 3 days ago"),
        (timedelta(seconds=-1), "bad", "ended 1.0 s ago"),
        (timedelta(days=3), "warning", "ends in 3 days"),
        (timedelta(days=30), "good", "ends in 30 days"),
    ],
)
def test_a_shared_access_signature_has_an_end(left: timedelta, standing: str, words: str) -> None:
    (found,) = tokens(sas((NOW + left).strftime("%Y-%m-%dT%H%%3A%M%%3A%SZ")))
    assert (found.standing, found.about) == (standing, "azure")
    assert found.what.endswith(words)
    assert SIGNATURE not in str(found)
    assert ("FREEHOLD_AZURE_SAS_TOKEN" in found.hint) == (standing != "good")


@pytest.mark.parametrize("end", ["2030-05-31", "2030-05-31T10:00Z", "2030-05-31T10%3A00%3A00Z"])
def test_an_end_in_any_spelling_is_read(end: str) -> None:
    assert [one.standing for one in tokens(sas(end))] == ["bad"]


def test_an_end_that_is_no_time_is_said() -> None:
    (found,) = tokens(sas("soon"))
    assert (found.standing, found.what) == (
        "bad",
        "the end of its shared access signature cannot be read",
    )


def test_a_signature_by_a_stored_policy_has_its_end_elsewhere() -> None:
    (found,) = tokens({"FREEHOLD_AZURE_SAS_TOKEN": f"si=policy&sig={SIGNATURE}"})
    assert found.standing == "good"
    assert "does not say when it ends" in found.what


def test_of_a_temporary_token_the_end_is_not_known_and_that_is_said() -> None:
    (found,) = tokens({"FREEHOLD_ON_PREM_SESSION_TOKEN": "t0ken-bytes"}, "on-prem")
    assert found.standing == "warning"
    assert "cannot be told" in found.what
    assert "t0ken-bytes" not in str(found)


def test_the_token_of_a_key_service_ends_too() -> None:
    environment = {"FREEHOLD_AZURE_KEY_TOKEN": "t0ken-bytes"}
    (found,) = examine_key_tokens("azure", environment)
    assert found.why == "FREEHOLD_AZURE_KEY_TOKEN is set"
    assert "key service" in found.what
    assert tokens(environment) == []


def test_of_a_token_whose_service_was_asked_nothing_more_is_said() -> None:
    names = {f"FREEHOLD_AZURE_KEY_{name}": "t0ken-bytes" for name in ("TOKEN", "SESSION_TOKEN")}
    (found,) = examine_key_tokens("azure", names, is_told=True)
    assert found.why == "FREEHOLD_AZURE_KEY_SESSION_TOKEN is set"


@pytest.mark.parametrize(
    ("days", "is_loss", "standing", "words"),
    [
        (30, False, "good", "the token ends in 30 days"),
        (3, False, "warning", "the token ends in 3 days"),
        (-3, False, "bad", "the token ended 3 days ago"),
        (30, True, "bad", "the token ends in 30 days, and then nobody can ever read what"),
        (-3, True, "bad", "the token ended 3 days ago, and nobody can ever read what"),
    ],
)
def test_what_of_a_key_service_ends(days: int, is_loss: bool, standing: str, words: str) -> None:
    end = End("the token", NOW.timestamp() + days * DAY, "it is so", "renew it", is_loss)
    found = of_end("azure", end, NOW.timestamp())
    assert (found.check, found.standing, found.about) == ("expiry", standing, "azure")
    assert found.what.startswith(words)
    assert (found.why, found.hint) == (("", "") if standing == "good" else ("it is so", "renew it"))
    assert found.figures == {"left_seconds": days * DAY}


def test_who_has_no_token_has_nothing_that_ends() -> None:
    assert tokens({"FREEHOLD_AZURE_ACCOUNT_KEY": "x"}) == []


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "site.key"
    path.write_text("key")
    path.chmod(0o600)
    os.utime(path, (NOW.timestamp(), NOW.timestamp()))
    return path


@pytest.mark.parametrize(("days", "standing"), [(1, "good"), (364, "good"), (366, "warning")])
def test_an_old_key_is_told(key: Path, days: int, standing: str) -> None:
    found = examine_key(key, NOW.timestamp() + days * DAY)
    assert found.standing == standing
    assert (found.hint == "freehold sites rekey") == (standing == "warning")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o777])
def test_a_key_that_others_can_use_is_bad(key: Path, mode: int) -> None:
    key.chmod(mode)
    found = examine_key(key, NOW.timestamp())
    assert (found.standing, found.hint) == ("bad", f"chmod 600 {key}")


def test_a_key_that_is_gone_is_bad(key: Path) -> None:
    key.unlink()
    assert examine_key(key, NOW.timestamp()).standing == "bad"


@pytest.mark.parametrize(
    ("total", "free", "standing"),
    [
        (10**12, 5 * 10**11, "good"),
        (10**12, 9 * 10**10, "warning"),
        (5 * 10**9, 9 * 10**8, "warning"),
        (10**12, 10**8, "bad"),
        (10**8, 9 * 10**7, "bad"),
    ],
)
def test_little_room_is_told_before_there_is_none(
    tmp_path: Path, total: int, free: int, standing: str
) -> None:
    found = examine_disk(tmp_path, lambda _: Room(total, free))
    assert found.standing == standing
    assert bool(found.hint) == (standing != "good")


def test_what_a_site_takes_is_counted(tmp_path: Path) -> None:
    state = tmp_path / "state"
    for name, count in (("objects/a/b", 1000), ("objects/c", 500), ("ledger.db", 2000)):
        path = state / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(count))
    rooms = {state: Room(10**12, 10**12)}
    found = examine_disk(state, rooms.__getitem__)
    assert "2 objects take 1.5 kB, the ledger 2.0 kB" in found.why


def test_a_site_that_was_never_opened_takes_nothing(tmp_path: Path) -> None:
    found = examine_disk(tmp_path / "not" / "there")
    assert "0 objects take 0 B" in found.why


def test_the_exit_code_tells_what_is_wrong_from_what_is_out_of_reach() -> None:
    good, warning = Finding("a", "good", "x"), Finding("b", "warning", "x")
    wrong = of_error("c", "", IntegrityError("x"))
    away = of_error("d", "", Unreachable("x"))
    assert worst([good, warning]) == 0
    assert worst([good, away]) == 3
    assert worst([away, wrong, good]) == 1


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.04, "0.0 s"),
        (-9, "9.0 s"),
        (45, "45 s"),
        (300, "5 min"),
        (7300, "2 h"),
        (10**6, "12 days"),
    ],
)
def test_durations(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_amounts() -> None:
    assert [size(n) for n in (12, 1500, 2 * 10**9, 3 * 10**12)] == [
        "12 B",
        "1.5 kB",
        "2.0 GB",
        "3.0 TB",
    ]
    assert [counted(1, "entry"), counted(2, "entry"), counted(1200, "log")] == [
        "1 entry",
        "2 entries",
        "1,200 logs",
    ]
