"""A tracker is a mirror: whatever goes wrong with it is recorded and fails nothing."""

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest

from freehold.app import adapters
from freehold.app.model.tracking import mirror
from freehold.app.site.opening import open_site
from freehold.catalog.versions import version_of
from freehold.domain.errors import AdapterFailed, AdapterMissing
from freehold.domain.project import TrackingSpec
from freehold.ports.tracker import Tracked, TrackedRun, Tracker

RUN = TrackedRun(experiment="tiny", name="delay@1 run-1")
SECRET = "hunter2"


class Kept(Tracker):
    """Remembers where it was opened."""

    places: ClassVar[list[tuple[str, Path]]] = []

    @classmethod
    def open(cls, location: str, folder: Path) -> "Kept":
        cls.places.append((location, folder))
        return cls()

    def record(self, run: TrackedRun) -> Tracked:
        return Tracked("7", "1")


class Unopened(Kept):
    @classmethod
    def open(cls, location: str, folder: Path) -> "Unopened":
        raise ValueError(f"{SECRET} is no place")


class Refusing(Kept):
    def record(self, run: TrackedRun) -> Tracked:
        raise AdapterFailed("it is full", why=SECRET, code="tracker.full")


class Failing(Kept):
    def record(self, run: TrackedRun) -> Tracked:
        raise ZeroDivisionError(SECRET)


def missing(*_: str) -> Any:
    raise AdapterMissing("no such package", code="adapter.missing")


@pytest.fixture
def mirrored(
    serving: Any, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[list[str], list[Any]]]:
    def mirrored(load: Any, location: str = "") -> tuple[list[str], list[Any]]:
        with contextlib.chdir(serving.folder), open_site() as site:
            monkeypatch.setattr(adapters, "load", load)
            warnings = mirror(
                site, version_of(site.state, "delay", 1), TrackingSpec("kept", location), RUN
            )
        facts = [one for one in serving.entries() if one["type"].startswith("tracking.")]
        return warnings, facts

    return mirrored


def test_what_was_taken_is_recorded(mirrored: Any, serving: Any) -> None:
    Kept.places.clear()
    warnings, (fact,) = mirrored(lambda *_: Kept, "")
    assert warnings == []
    assert fact["type"] == "tracking.recorded"
    assert (fact["body"]["run"], fact["body"]["tracked_version"]) == ("7", "1")
    assert Kept.places == [("", serving.folder / ".freehold")]


def test_a_location_is_handed_on_as_it_is(mirrored: Any) -> None:
    Kept.places.clear()
    mirrored(lambda *_: Kept, "http://tracking:5000")
    assert [place for place, _ in Kept.places] == ["http://tracking:5000"]


@pytest.mark.parametrize(
    ("load", "code"),
    [
        (lambda *_: Unopened, "tracker.failed"),
        (lambda *_: Failing, "tracker.failed"),
        (lambda *_: Refusing, "tracker.full"),
        (missing, "adapter.missing"),
    ],
    ids=["it cannot be opened", "it has a fault", "it refuses", "it is not installed"],
)
def test_every_failure_is_a_warning_and_a_code_in_the_history(
    mirrored: Any, load: Any, code: str
) -> None:
    (warning,), (fact,) = mirrored(load)
    assert f"[{code}]" in warning
    assert fact["type"] == "tracking.failed"
    assert fact["body"] == {"code": code, "model": "delay", "version": 1}
    assert fact["cause"]
    assert SECRET not in json.dumps(fact)
