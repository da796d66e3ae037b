"""Which artifacts a site asks for: a release, a rule, a person or a run does."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from freehold.app.site.opening import Site
from freehold.catalog.spending import spending_of
from freehold.catalog.versions import ModelVersion, versions_of
from freehold.delivery.releases import aliases_of, releases_of
from freehold.domain.artifact import Artifact, object_key
from freehold.domain.project import SiteSpec
from freehold.domain.projection import State
from freehold.replication.asking import asked_for
from freehold.replication.leases import all_work
from freehold.replication.work import AskedStep, Work
from freehold.running.checkpoints import newest_first


@dataclass(frozen=True)
class Wanted:
    digest: str
    why: str
    """`release flight-delay/3`, `alias champion`, `run 2026…`, `work 2026…`."""


def wanted_at(site: Site, place: str) -> Iterator[Wanted]:
    """By the site of this name, as far as is known here; an artifact may come more than once."""
    spec = site.project.spec.sites[place]
    state = site.state
    versions = {(one.model, one.version): one for one in versions_of(state)}
    for version, why in _traffic(state, versions, place, spec):
        for digest in (version.package, *version.attestations.values()):
            yield Wanted(digest, why)
    asked = asked_for(state, place)
    for output, run in _outputs(state):
        if "results" in spec.keeps or output.digest in asked:
            yield Wanted(output.digest, f"run {run}")
    if "spending" in spec.keeps:
        for artifact, spender in spending_of(state).items():
            yield Wanted(artifact, f"what {spender} spent")
    for version in versions.values():
        digests = {version.package, *version.attestations.values()}
        for digest in digests & asked:
            yield Wanted(digest, version.name)
    yield from _of_steps(state, place, asked)


def lent_by(site: Site) -> Iterator[Wanted]:
    """What this site leaves in its own store without being asked, for whoever goes on when it is
    gone: checkpoints of steps that it was asked for, as long as they have not ended, and what it
    made for runs that are open."""
    for work in all_work(site.state, site.name):
        if work.step is None or not _is_open(site.state, work):
            continue
        if work.completion is not None:
            for output in work.completion.outputs:
                yield Wanted(output.digest, f"work {work.name}")
        elif work.open:
            for digest in _checkpoints(site.state, work.step):
                yield Wanted(digest, f"work {work.name}")


def is_here(site: Site, digest: str) -> bool:
    """Whether its bytes lie at this site; they are not read."""
    return site.objects.size(object_key(digest)) is not None


def _of_steps(state: State, place: str, asked: Collection[str]) -> Iterator[Wanted]:
    """What steps read that are asked of the place, with their newest checkpoints; and what comes
    back to it of those that it asked for."""
    for work in all_work(state):
        step = work.step
        if step is None or not _is_open(state, work):
            continue
        if work.site == place and work.open:
            for digest in (*step.inputs, *_checkpoints(state, step)):
                yield Wanted(digest, f"work {work.name}")
        if work.asked_by == place and step.back and work.completion is not None:
            for output in work.completion.outputs:
                yield Wanted(output.digest, f"run {step.run}")
        if asked:
            for digest in {*_checkpoints(state, step)}.intersection(asked):
                yield Wanted(digest, f"run {step.run}")


def _checkpoints(state: State, step: AskedStep) -> list[str]:
    return [one.digest for one in newest_first(state, step.run, step.step, step.key)]


def _is_open(state: State, work: Work) -> bool:
    """Whether the run that asked for the step may still need something of it."""
    run = state.get("runs", work.step.run) if work.step is not None else None
    return run is not None and run["status"] != "finished"


def _outputs(state: State) -> Iterator[tuple[Artifact, str]]:
    """What steps made, with the run."""
    for _, row in state.scan("steps"):
        for one in row.get("outputs", ()):
            yield Artifact.from_json(one), str(row["run"])


def _traffic(
    state: State,
    versions: Mapping[tuple[str, int], ModelVersion],
    place: str,
    spec: SiteSpec,
) -> Iterator[tuple[ModelVersion, str]]:
    for model in {name for name, _ in versions}:
        for release in list(releases_of(state, model, place))[-1:]:
            for number in (release.version, release.previous):
                if number is not None and (model, number) in versions:
                    yield versions[model, number], f"release {release.id}"
        if "aliases" in spec.keeps:
            for alias, number in aliases_of(state, model).items():
                if (model, number) in versions:
                    yield versions[model, number], f"alias {alias}"
    if "models" in spec.keeps:
        for version in versions.values():
            if version.allowed:
                yield version, "every version that policy allows"
