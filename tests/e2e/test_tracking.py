"""A tracker is a mirror: whatever goes wrong with it is recorded and fails nothing."""

import contextlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest

from freehold.app import adapters
from freehold.app.model.tracking import mirror
from freehold.app.site.opening import open_site
from freehold.catalog.versions import version_of
from freehold.domain.errors import AdapterFailed, AdapterMissing
from freehold.domain.fact import Draft
from freehold.domain.project import SiteSpec, StoreSpec, TrackingSpec
from freehold.ports.tracker import Tracked, TrackedRun, Tracker

RUN = TrackedRun(experiment="tiny", name="delay@1 run-1")
SECRET = "hunter2"
READ_PEOPLE = {
    "step": "read",
    "function": "m:f",
    "key": "k",
    "components": {},
    "inputs": [],
    "outputs": [
        {
            "digest": "sha256:" + "ab" * 32,
            "format": "parquet",
            "size": 7,
            "labels": {"residency": "EU", "pii": ""},
        }
    ],
    "cached": False,
    "microseconds": 1,
}


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


SITES = {
    "local": SiteSpec(StoreSpec("file:///a"), jurisdiction="EU", accepts=("pii",)),
    "aws": SiteSpec(StoreSpec("file:///b"), jurisdiction="US"),
}


@pytest.mark.parametrize(
    ("location", "place", "goes"),
    [
        ("", "", True),
        ("sqlite:////srv/mlflow.db", "", True),
        ("http://127.0.0.1:5000", "", True),
        ("http://localhost:5000", "", True),
        ("file:///srv/mlruns", "", True),
        ("./mlruns", "", True),
        ("http://tracking:5000", "", False),
        ("file://fileserver/mlruns", "", False),
        ("databricks", "", False),
        ("databricks://profile", "", False),
        ("postgresql:///tracking", "", False),
        ("http://tracking:5000", "local", True),
        ("http://tracking:5000", "aws", False),
        ("http://127.0.0.1:5000", "aws", False),
    ],
)
def test_a_labelled_model_goes_only_to_a_tracker_that_its_labels_allow(
    serving: Any, monkeypatch: pytest.MonkeyPatch, location: str, place: str, goes: bool
) -> None:
    """It is sent whole: its package, its card, its parameters."""
    Kept.places.clear()
    with contextlib.chdir(serving.folder), open_site() as opened:
        monkeypatch.setattr(adapters, "load", lambda *_: Kept)
        spec = replace(opened.project.spec, sites=SITES)
        site = replace(opened, project=replace(opened.project, spec=spec))
        version = version_of(site.state, "delay", 1)
        site.ledger.append([Draft("step.finished", {**READ_PEOPLE, "run": version.run})])
        warnings = mirror(site, version, TrackingSpec("kept", location, place), RUN)
    assert [one for one, _ in Kept.places] == ([location] if goes else [])
    (fact,) = [one for one in serving.entries() if one["type"].startswith("tracking.")]
    if goes:
        assert (warnings, fact["type"]) == ([], "tracking.recorded")
    else:
        assert fact["body"]["code"] == "tracker.barred"
        assert "may not go to the tracker" in warnings[0]


def test_the_site_of_a_tracker_is_one_of_the_projects(serving: Any, refused: Any) -> None:
    file = serving.folder / "freehold.yaml"
    serving.write("freehold.yaml", file.read_text() + "tracking: {tracker: mlflow, site: moon}\n")
    (fault,) = refused("status")["faults"]
    assert fault["code"] == "project.unknown-name" and "moon" in fault["what"]
