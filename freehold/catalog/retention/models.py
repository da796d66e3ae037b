"""Which model versions keep their packages."""

from collections.abc import Iterator
from dataclasses import dataclass

from freehold.catalog.retention.holds import PACKAGES
from freehold.catalog.retention.law import Reason
from freehold.domain.projection import State


@dataclass(frozen=True)
class Registration:
    model: str
    version: int
    run: str
    package: str

    @property
    def name(self) -> str:
        return f"{self.model}@{self.version}"


def registrations(state: State) -> list[Registration]:
    return [Registration(**row) for _, row in state.scan(PACKAGES)]


def kept_versions(state: State, newest: int) -> dict[tuple[str, int], Reason]:
    """Live versions, and the `newest` ones of each model; holds apart."""
    by_model: dict[str, set[int]] = {}
    for one in registrations(state):
        by_model.setdefault(one.model, set()).add(one.version)
    found: dict[tuple[str, int], Reason] = {}
    for model, versions in by_model.items():
        for version in sorted(versions)[-newest:] if newest else ():
            found[model, version] = "newest"
    return found | dict.fromkeys(_live(state), "live")


def _live(state: State) -> Iterator[tuple[str, int]]:
    """With an alias; in a running release or the latest of its model at a site; and whatever a
    release that may yet be taken back would go back to."""
    aliased = {(row["model"], row["version"]) for _, row in state.scan("aliases")}
    yield from aliased
    releases = sorted((row for _, row in state.scan("releases")), key=lambda row: row["order"])
    latest = {(row["model"], site): row["id"] for row in releases for site in row["sites"]}
    current = set(latest.values())
    for row in releases:
        model, version, previous = row["model"], row["version"], row["previous"]
        in_traffic = row["status"] == "running" or row["id"] in current
        if in_traffic:
            yield model, version
        if previous is not None and (in_traffic or (model, version) in aliased):
            yield model, previous
