"""A small project of two steps whose outputs are the same each time, and a clock that is told."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from freehold.app.run.plan import plan_run
from freehold.app.run.run import FinishedRun, run
from freehold.app.site.opening import Site, open_site
from freehold.app.storage.gc import Collection, collect
from freehold.app.storage.survey import survey
from freehold.domain.artifact import object_key

DAY = 86_400_000_000
PROJECT = """\
project: small
pipelines:
  sums: small_steps:sums
retention:
  runs_days: 30
  versions: 1
"""
STEPS = '''\
"""Two steps."""

from freehold import pipeline, step


@step
def numbers(rows: int) -> list[int]:
    return list(range(rows))


@step
def total(values: list[int]) -> int:
    return sum(values)


@pipeline
def sums(rows: int = 4) -> int:
    return total(numbers(rows))
'''


@dataclass
class Place:
    folder: Path
    now: int = 1_800_000_000_000_000

    def clock(self) -> int:
        self.now += 1
        return self.now

    def open(self) -> Site:
        return open_site(self.folder, self.clock)

    def run(self, site: Site, rows: int = 4, *, cache: bool = True) -> FinishedRun:
        return run(site, plan_run(site, "sums", {"rows": rows}, cache=cache))

    def collect(self, site: Site) -> Collection:
        return collect(site, survey(site))

    def metered(self, site: Site) -> set[str]:
        """The artifacts of what was metered, which are kept for ever."""
        return {row["artifact"] for _, row in site.state.scan("usage_parts")}

    def digests(self, site: Site) -> set[str]:
        """Of all artifacts but those."""
        found = {"sha256:" + key.rpartition("/")[2] for key in site.objects.keys("artifacts/")}
        return found - self.metered(site)

    def pass_days(self, days: float) -> None:
        self.now += int(days * DAY)

    def settings(self, before: str, after: str) -> None:
        text = (self.folder / "freehold.yaml").read_text()
        assert before in text
        (self.folder / "freehold.yaml").write_text(text.replace(before, after))


def outputs(finished: FinishedRun) -> set[str]:
    return {o.digest for step in finished.outcome.steps.values() for o in step.outputs}


def keys(site: Site) -> set[str]:
    return set(site.objects.keys("artifacts/"))


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "freehold.yaml").write_text(PROJECT)
    (tmp_path / "small_steps.py").write_text(STEPS)
    yield Place(tmp_path)
    sys.modules.pop("small_steps", None)


@pytest.fixture
def stray() -> str:
    """Bytes that no fact names: put before a crash, say."""
    return object_key("sha256:" + "ab" * 32)
