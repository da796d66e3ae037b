"""Which labels bytes bear, whoever speaks of them, and so where they may go."""

from collections.abc import Iterable, Mapping
from typing import Any

from freehold.catalog.spending import spending_of
from freehold.catalog.versions import versions_of
from freehold.domain.artifact import Artifact
from freehold.domain.fact import site_of
from freehold.domain.labels import inherited
from freehold.domain.project import SiteSpec
from freehold.domain.projection import State
from freehold.replication.leases import all_work
from freehold.replication.travel import barred, barred_from_store
from freehold.running.checkpoints import CHECKPOINTS


class Labelled:
    """The union over all that is known to have made the same bytes: one mention without labels
    takes none away. Packages and attestations bear what their run read and made."""

    def __init__(self, state: State) -> None:
        """Looks at every step and every version once."""
        self._rows: dict[str, list[Mapping[str, Any]]] = {}
        self._labels: dict[str, dict[str, str]] = {}
        self._unknown: dict[str, str] = {}
        self._places: dict[str, set[str]] = {}
        for _, row in state.scan("steps"):
            self._rows.setdefault(str(row["run"]), []).append(row)
            for one in row.get("outputs", ()):
                made = Artifact.from_json(one)
                self._bears(made.digest, made.labels)
                self._places.setdefault(made.digest, set()).add(row["site"])
        for work in all_work(state):
            for one in work.completion.outputs if work.completion is not None else ():
                self._bears(one.digest, one.labels)
                self._places.setdefault(one.digest, set()).add(work.site)
        for _, row in state.scan(CHECKPOINTS):
            for one in row["newest"]:
                self._bears(one["digest"], one["labels"])
                place = site_of(one["fact"].rpartition("/")[0])
                self._places.setdefault(one["digest"], set()).add(place)
        for digest, labels in state.scan("labels"):
            self._bears(digest, labels)
        for artifact in spending_of(state):
            # Money and names of the project's own things: no step's data.
            self._bears(artifact, {})
        self._of_runs = dict(state.scan("run_labels"))
        # After all steps: a version's package may itself be what a step made.
        versions = list(versions_of(state))
        runs = {run: self.of_run(run) for run in {one.run for one in versions}}
        for version in versions:
            for digest in (version.package, *version.attestations.values()):
                self._bears(digest, runs[version.run])
                if version.run not in self._rows:
                    self._unknown[digest] = version.run

    def _bears(self, digest: str, labels: Mapping[str, str]) -> None:
        before = self._labels.get(digest)
        if before is None or not before.items() >= labels.items():
            self._labels[digest] = inherited([before or {}, labels])

    def places(self, digest: str) -> set[str]:
        """Sites that say that they made it, a checkpoint too."""
        return self._places.get(digest, set())

    def rule(self, digest: str, site: SiteSpec) -> str:
        """As `barred`, and empty too for what is not known here yet: it may come to be known."""
        return "" if self._in_doubt(digest) else barred(self._labels[digest], site)

    def of(self, digests: Iterable[str]) -> dict[str, str]:
        return inherited(self._labels.get(one, {}) for one in digests)

    def of_run(self, run: str) -> dict[str, str]:
        """Of all that it read and made."""
        digests: set[str] = set()
        for row in self._rows.get(run, ()):
            digests.update(row.get("inputs", ()))
            digests.update(one["digest"] for one in row.get("outputs", ()))
        return inherited([self.of(digests), self._of_runs.get(run, {})])

    def barred(self, digest: str, site: SiteSpec) -> str:
        """Empty if it may go there, else why not. What nobody here knows the making of may not."""
        return self._in_doubt(digest) or barred(self._labels[digest], site)

    def barred_on_the_way(
        self, digest: str, place: str, store: str, sites: Mapping[str, SiteSpec]
    ) -> str:
        """As `barred`, to the site of the name `place` by the store of the site `store`."""
        return self.barred(digest, sites[place]) or barred_from_store(
            self._labels[digest], sites[store].store, sites
        )

    def _in_doubt(self, digest: str) -> str:
        if run := self._unknown.get(digest):
            return f"run {run} is not known here"
        return "" if digest in self._labels else "what made it is not known here"
