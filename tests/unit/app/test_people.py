"""Pseudonyms: drawn by chance, noted once, erased for good."""

import getpass
import json
import re
import threading
from pathlib import Path

import pytest

from freehold.app.site.people import People
from freehold.domain.errors import IntegrityError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "people.json"


def called(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(getpass, "getuser", lambda: name)


def test_a_person_keeps_one_pseudonym(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    called(monkeypatch, "ada")
    pseudonym = People(path).me()
    assert re.fullmatch(r"person-[0-9a-f]{12}", pseudonym)
    assert People(path).me() == pseudonym
    assert People(path).name_of(pseudonym) == "ada"
    called(monkeypatch, "grace")
    assert People(path).me() != pseudonym
    assert sorted(json.loads(path.read_bytes()).values()) == ["ada", "grace"]


def test_two_sites_give_one_person_two_pseudonyms(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that a pseudonym cannot be found by trying names."""
    called(monkeypatch, "ada")
    people = [People(tmp_path / name / "people.json") for name in "ab"]
    first, second = (one.me() for one in people)
    assert first != second


def test_an_erased_person_is_nobody_and_comes_again_as_somebody_new(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    called(monkeypatch, "ada")
    before = People(path).me()
    path.write_text("{}")
    assert People(path).name_of(before) == before
    assert People(path).me() != before
    assert People(path).name_of(before) == before


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[]", b'{"person-1": 3}'])
def test_a_broken_file_is_an_error_with_a_remedy_and_stays_as_it_is(
    path: Path, content: bytes
) -> None:
    path.write_bytes(content)
    for ask in (lambda: People(path).me(), lambda: People(path).name_of("person-1")):
        with pytest.raises(IntegrityError) as caught:
            ask()
        assert caught.value.code == "people.unreadable"
        assert caught.value.why
        assert "restore" in caught.value.hint
    assert path.read_bytes() == content


def test_of_many_that_come_at_once_all_are_noted(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each holds a lock of its own on the file, as processes do."""
    monkeypatch.setattr(getpass, "getuser", lambda: threading.current_thread().name)
    names = [f"user-{number}" for number in range(8)]
    ready = threading.Barrier(len(names))

    def come() -> None:
        ready.wait()
        People(path).me()

    threads = [threading.Thread(target=come, name=name) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(json.loads(path.read_bytes()).values()) == names
    assert {one.name for one in path.parent.iterdir()} == {"people.json", "people.lock"}


def test_a_write_that_fails_leaves_the_file_as_it_was(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    called(monkeypatch, "ada")
    People(path).me()
    before = path.read_bytes()
    called(monkeypatch, "grace")

    def fail(self: Path, target: Path) -> None:
        raise OSError("no room")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="no room"):
        People(path).me()
    assert path.read_bytes() == before
    assert {one.name for one in path.parent.iterdir()} == {"people.json", "people.lock"}
