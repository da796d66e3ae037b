"""Releases and aliases: what stands, and the facts that change it.

Facts (numbers, names and codes only)
  release.started     {release, model, version, previous, strategy, settings, sites,
                      stages}; `stages`: of a release region after region, the sites of each
  release.analysed    {release, model, version, step, decision, rows, errors, risk, looks,
                      assignment}; `looks`: what was seen since each step began, the running one
                      first, as {since, rows, figures}; a figure has its bounds, level and limit
  release.advanced    {release, model, version, step, weight, rows, decided, reason}
  release.completed   {release, model, version, rows, decided, reason}
  release.rolled-back {release, model, version, guardrail, value, limit, rows, decided, reason}
  release.ready       {release, model, version, step, site, rows}: what the step needs is met there
  release.gone-back   {release, model, version, site}: it is out of the site's traffic again
  alias.moved         {model, alias, version, previous, release}; a version of null removes the
                      alias, a release of "" is a person's own move
  model.revoked       {model, version}: never again into traffic, anywhere
`decided` is `analysis` or `person`; `reason` names the attachment with the person's words, or with
the requests that a rollback by analysis rests on, or is empty. Version 1 of these had neither.

Laws
- One release of a model runs at a time at one site.
- A rollback or a revocation beats a completion or a promotion whose writer had not seen it, in
  whatever order they are folded.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from freehold.delivery.decision import Complete, Decide, Decision, Promote, Ready, Reweigh, Rollback
from freehold.delivery.standing import ALIASES, RELEASES, is_revoked, release_key, unrevoked
from freehold.delivery.trials import decided, weighted
from freehold.domain.errors import Conflict, NotFound
from freehold.domain.fact import Draft
from freehold.domain.numbering import ALONE, Numbering
from freehold.domain.project import ReleaseSpec
from freehold.domain.projection import State
from freehold.domain.release import Release, Strategy, settings_as_json


@dataclass(frozen=True)
class Venue:
    """Where a release is begun, and where it takes effect."""

    site: str
    sites: tuple[str, ...]
    numbering: Numbering = ALONE
    stages: tuple[tuple[str, ...], ...] = ()
    """Those that go together, where it goes region after region; empty where it does not."""

    @classmethod
    def alone(cls, site: str) -> "Venue":
        return cls(site, (site,))


def releases_of(state: State, model: str = "", site: str = "") -> Iterator[Release]:
    """Oldest first; of every model, and at every site, if none is named."""
    rows = [row for _, row in state.scan(RELEASES, f"{model}/" if model else "")]
    for row in sorted(rows, key=lambda row: (row["model"], row["order"])):
        release = Release.from_json(row)
        if not site or site in release.sites:
            yield release


def release_of(state: State, release: str) -> Release:
    """Raises NotFound `release.not-found`."""
    row = state.get(RELEASES, release_key(release))
    if row is None:
        raise NotFound(f"there is no release {release}", code="release.not-found")
    return Release.from_json(row)


def running_release(state: State, model: str, site: str = "") -> Release | None:
    """The latest that runs at the site, or at any."""
    running = [r for r in releases_of(state, model, site) if r.status == "running"]
    return running[-1] if running else None


def served_before(state: State, model: str, site: str) -> list[int]:
    """Versions that had all traffic at the site and may have it again, latest first: neither
    revoked, nor rolled back when they were last released."""
    latest: dict[int, Release] = {}
    for release in releases_of(state, model, site):
        latest.pop(release.version, None)
        latest[release.version] = release
    return [
        version
        for version, release in reversed(latest.items())
        if release.status == "completed" and not is_revoked(state, model, version)
    ]


def aliases_of(state: State, model: str) -> dict[str, int]:
    """Alias → version."""
    return {row["alias"]: row["version"] for _, row in state.scan(ALIASES, f"{model}/")}


def start(
    state: State,
    model: str,
    version: int,
    strategy: Strategy,
    settings: ReleaseSpec,
    venue: Venue,
) -> tuple[Draft, ...]:
    """Facts that begin a release; to be called inside `Ledger.decide`.

    Where there is no champion to stand beside, the release is immediate. An immediate release
    is complete at once. Raises Conflict `release.running`, `release.is-champion`,
    `release.revoked`.
    """
    if is_revoked(state, model, version):
        raise Conflict(
            f"{model}@{version} was revoked",
            why="a version that was revoked never goes into traffic again",
            hint="release another one: `freehold models` lists them",
            code="release.revoked",
        )
    for site in venue.sites:
        _require_none_running(state, model, site)
    champion = aliases_of(state, model).get("champion")
    if champion == version and all(_serves(state, model, version, site) for site in venue.sites):
        raise Conflict(
            f"{model}@{version} is the champion already",
            why=f"it has all traffic at {', '.join(venue.sites)}",
            hint="release another one: `freehold models` lists them",
            code="release.is-champion",
        )
    numbers = [int(one.id.rpartition("/")[2]) for one in releases_of(state, model)]
    previous = None if champion == version else champion
    release = Release(
        id=f"{model}/{venue.numbering.after(max(numbers, default=0))}",
        model=model,
        version=version,
        previous=previous,
        strategy="immediate" if previous is None else strategy,
        settings=settings,
        sites=venue.sites,
        driver=venue.site if venue.site in venue.sites else venue.sites[0],
        stages=() if previous is None or strategy == "immediate" else venue.stages,
    )
    body = _body(
        release,
        previous=previous,
        strategy=release.strategy,
        settings=settings_as_json(settings, release.strategy),
        sites=list(venue.sites),
        stages=[list(batch) for batch in release.stages],
    )
    started = Draft("release.started", body, 5)
    if release.strategy == "immediate":
        # Not by `conclude`, which looks for the release: a plan reads without a lock, and another
        # process may have begun one of this name since its numbers were read.
        return (started, *_completed(state, release, _Ground(0, (), None, "")))
    return (started, _moved(release, "challenger", None, version))


def _require_none_running(state: State, model: str, site: str) -> None:
    other = running_release(state, model, site)
    if other is not None:
        raise Conflict(
            f"release {other.id} of {model}@{other.version} is still running",
            why="one release of a model runs at a time",
            hint="wait for it, or roll it back",
            code="release.running",
        )


def _serves(state: State, model: str, version: int, site: str) -> bool:
    """Whether the site's latest release of the model has put this version into all its traffic."""
    latest = list(releases_of(state, model, site))[-1:]
    return any(one.version == version and one.status == "completed" for one in latest)


def conclude(
    state: State,
    release: Release,
    decision: Decision,
    rows: int,
    cause: tuple[str, ...] = (),
    reason: str | None = None,
    witnesses: str = "",
) -> tuple[Draft, ...]:
    """Facts that put a decision into effect; none for a Hold. Call it inside `Ledger.decide`.

    `reason`: of a person who decided it, the attachment with the words, or empty; None where it
    follows from what was seen. `witnesses`: the attachment with the requests that were, or empty.

    Raises Conflict `release.finished` for a promotion of what is no longer running.
    """
    row = state.get(RELEASES, release_key(release.id))
    ground = _Ground(rows, cause, reason, witnesses)
    if isinstance(decision, Rollback):
        back = row is not None and row["status"] == "rolled-back"
        return () if back else _roll_back(state, release, decision, ground)
    if isinstance(decision, Decide):
        stands = row is not None and (row["status"], row["winner"]) == ("running", "")
        return (decided(release, decision, cause),) if stands else ()
    if isinstance(decision, Reweigh):
        before = ("running", decision.look - 1)
        stands = row is not None and (row["status"], row["look"]) == before
        return (weighted(release, decision, cause),) if stands else ()
    if not isinstance(decision, Promote | Complete):
        return ()
    if row is not None and (row["status"], row["step"]) != ("running", release.step):
        raise Conflict(
            f"release {release.id} has moved on",
            why=f"it is {row['status']}, at step {row['step']}",
            code="release.finished",
        )
    if isinstance(decision, Promote):
        step = release.step + 1
        return (ground.draft("release.advanced", release, step=step, weight=decision.weight),)
    return _completed(state, release, ground)


def _completed(state: State, release: Release, ground: "_Ground") -> tuple[Draft, ...]:
    champion = aliases_of(state, release.model).get("champion")
    promoted = () if champion == release.version else (_promoted(release),)
    return (
        ground.draft("release.completed", release),
        *promoted,
        *_without_challenger(state, release),
    )


def vouch(state: State, release: Release, word: Ready, rows: int) -> tuple[Draft, ...]:
    """The fact that a site has what the running step needs; none if it is known, or if the release
    has moved on. Call it inside `Ledger.decide`."""
    stands = release_of(state, release.id)
    if (stands.status, stands.step) != ("running", release.step):
        return ()
    if word.site not in stands.unready:
        return ()
    body = _body(release, step=release.step, site=word.site, rows=rows)
    return (Draft("release.ready", body, cause=(release.fact,)),)


def confirm_back(state: State, release: Release, site: str) -> tuple[Draft, ...]:
    """The fact that a site's traffic is free of what a release brought; none if it is known. Call
    it inside `Ledger.decide`."""
    stands = release_of(state, release.id)
    if stands.status != "rolled-back" or site in stands.gone_back:
        return ()
    return (Draft("release.gone-back", _body(release, site=site), cause=(stands.fact,)),)


def revoke(state: State, model: str, version: int) -> tuple[Draft, ...]:
    """Facts that take a version out of traffic for good; none if it was revoked before."""
    if is_revoked(state, model, version):
        return ()
    drafts = [Draft("model.revoked", {"model": model, "version": version})]
    word = Rollback("revoked", 0.0, 0.0)
    for release in releases_of(state, model):
        if release.version == version and release.status != "rolled-back":
            drafts.extend(conclude(state, release, word, 0, cause=("+0",)))
    return tuple(drafts)


@dataclass(frozen=True)
class _Ground:
    """What a decision rests on."""

    rows: int
    cause: tuple[str, ...]
    reason: str | None
    witnesses: str

    def draft(self, kind: str, release: Release, **more: Any) -> Draft:
        who = "analysis" if self.reason is None else "person"
        told = {"rows": self.rows, "decided": who, "reason": self.reason or self.witnesses}
        return Draft(kind, _body(release, **more, **told), 2, cause=self.cause)


def _roll_back(
    state: State, release: Release, decision: Rollback, ground: _Ground
) -> tuple[Draft, ...]:
    fact = ground.draft(
        "release.rolled-back",
        release,
        guardrail=decision.guardrail,
        value=decision.value,
        limit=decision.limit,
    )
    back: tuple[Draft, ...] = ()
    if aliases_of(state, release.model).get("champion") == release.version:
        champion = unrevoked(state, release.model, release.previous)
        back = (_moved(release, "champion", release.version, champion),)
    return (fact, *back, *_without_challenger(state, release))


def _without_challenger(state: State, release: Release) -> tuple[Draft, ...]:
    if aliases_of(state, release.model).get("challenger") != release.version:
        return ()
    return (_moved(release, "challenger", release.version, None),)


def _body(release: Release, **more: Any) -> dict[str, Any]:
    return {
        "release": release.id,
        "model": release.model,
        "version": release.version,
        **more,
    }


def _promoted(release: Release) -> Draft:
    return _moved(release, "champion", release.previous, release.version)


def _moved(release: Release, alias: str, previous: int | None, version: int | None) -> Draft:
    return Draft(
        "alias.moved",
        {
            "model": release.model,
            "alias": alias,
            "version": version,
            "previous": previous,
            "release": release.id,
        },
    )
