"""What an offline drill did and proved, for people and for machines."""

from dataclasses import dataclass, field
from typing import Any


@dataclass
class SiteAccount:
    site: str
    pid: int = 0
    """Of its process, before, during and after the cut."""
    endpoint: int = 0
    """Process of its endpoint; 0 where nothing serves."""
    entries: dict[str, int] = field(default_factory=dict)
    """`before`, `at_return`, `after`: entries of all logs that the site held then."""
    trained: dict[str, Any] = field(default_factory=dict)
    """run, version, package, snapshots, computed, headline, allowed (what the policies said of it);
    empty where nothing was trained."""
    released: dict[str, Any] = field(default_factory=dict)
    """release, strategy, approved, version."""
    predictions: int = 0
    """Rows that its endpoint answered during the cut."""

    def as_json(self) -> dict[str, Any]:
        return dict(vars(self))


@dataclass
class LogAccount:
    """Entries of one writer's log."""

    writer: str
    before: int
    at_return: dict[str, int]
    """By site that held it."""
    after: int

    def as_json(self) -> dict[str, Any]:
        return dict(vars(self))


@dataclass
class OfflineReport:
    cut: str
    hours: float
    drill: str
    sites: dict[str, SiteAccount]
    logs: list[LogAccount] = field(default_factory=list)
    began: str = ""
    """The version that was trained and released first where production had none."""
    probes: list[str] = field(default_factory=list)
    """What each probe of a store and of a peer met during the cut."""
    not_probed: list[str] = field(default_factory=list)
    """Ways to and from peers of which the drill proves nothing, and why."""
    spanned: float = 0.0
    """Hours between the cut site's first and last entry during the cut."""
    conflict: dict[str, Any] = field(default_factory=dict)
    verified: int = 0
    """Logs that verify, at all sites together."""
    kept: int = 0
    """Entries that were acknowledged before the return, all of which every site holds."""
    removed: int = 0
    """Objects that the drill left in stores and took away again."""
    production_unchanged: bool = False
    production_entries: int = 0
    production_files: int = 0
    seconds: float = 0.0

    def as_json(self) -> dict[str, Any]:
        return {
            "shape": 1,
            **vars(self),
            "sites": [one.as_json() for one in self.sites.values()],
            "logs": [one.as_json() for one in self.logs],
            "verified": {"logs": self.verified, "entries_kept": self.kept},
        }
