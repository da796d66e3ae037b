"""Releases and aliases as they stand, folded from facts of all sites."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from freehold.domain.fact import Fact, site_of
from freehold.domain.ordering import knew
from freehold.domain.projection import Change, Projection, State
from freehold.domain.release import Release, settings_from_json

RELEASES = "releases"
ALIASES = "aliases"
STOPPED = "stopped"
"""By model and version: names of the facts that rolled it back or revoked it."""
REVOKED = "revoked"
TOLD = frozenset({"release.decided", "release.weighted"})
ANALYSES = "analyses"
"""By release and site: what the latest recorded look at it found, and when."""


def release_key(release: str) -> str:
    model, _, number = release.rpartition("/")
    return f"{model}/{int(number):08d}" if number.isdigit() else release


def analysis_key(release: str, site: str) -> str:
    return f"{release_key(release)}/{site}"


def is_revoked(state: State, model: str, version: int) -> bool:
    return state.get(REVOKED, f"{model}/{version}") is not None


def unrevoked(state: State, model: str, version: int | None) -> int | None:
    """The version, or the one that it took over from if it was revoked, and so on."""
    before = {
        row["version"]: row["previous"]
        for _, row in sorted(state.scan(RELEASES, f"{model}/"), key=lambda one: one[1]["order"])
        if row["previous"] != row["version"]
    }
    passed = set[int]()
    while version is not None and is_revoked(state, model, version):
        passed.add(version)
        version = before.get(version)
        if version in passed:
            return None
    return version


def _fold(fact: Fact, state: State) -> Iterable[Change]:
    if fact.type == "model.revoked":
        return _revoked(fact, state)
    key = release_key(fact.body["release"])
    row = state.get(RELEASES, key)
    if fact.type == "alias.moved":
        return _alias_moved(fact, row, state)
    if fact.type == "release.started":
        return [] if row is not None else [Change(RELEASES, key, _begun(fact, state).as_json())]
    # Another release took the same number: this fact is about one that is not here.
    if row is None or not knew(state, fact, row["started"]):
        return []
    if fact.type == "release.gone-back":
        sites = sorted({*row["gone_back"], fact.body["site"]})
        return [Change(RELEASES, key, {**row, "gone_back": sites})]
    if row["status"] == "rolled-back":
        return []
    if fact.type == "release.analysed":
        place = analysis_key(fact.body["release"], site_of(fact.writer))
        return [Change(ANALYSES, place, {**fact.body, "fact": fact.name, "at": fact.time.wall})]
    if fact.type in ("release.paused", "release.resumed"):
        return [Change(RELEASES, key, {**row, "paused": fact.type == "release.paused"})]
    # What was told of a region's trial is no matter of the next one's.
    if fact.type in TOLD and fact.body["step"] != row["step"]:
        return []
    if fact.type == "release.weighted" and fact.body["look"] > row["look"]:
        told = {"share": fact.body["weight"], "look": fact.body["look"]}
        return [Change(RELEASES, key, {**row, **told, "weighed": fact.time.wall})]
    if fact.type == "release.decided":
        winner = row["winner"] or fact.body["winner"]
        return [Change(RELEASES, key, {**row, "winner": winner})]
    if fact.type == "release.ready":
        site, step = fact.body["site"], fact.body["step"]
        ready = {**row["ready"], site: max(step, row["ready"].get(site, -1))}
        return [Change(RELEASES, key, {**row, "ready": ready})]
    release = replace(_after(Release.from_json(row), fact), began=fact.time.wall, fact=fact.name)
    if fact.type == "release.rolled-back":
        return _rolled_back(fact, release, state)
    if release.status == "completed" and _is_stopped(fact, state, release.version):
        release = replace(release, status="rolled-back", guardrail="elsewhere")
    return [Change(RELEASES, key, release.as_json())]


def _begun(fact: Fact, state: State) -> Release:
    body, site = fact.body, site_of(fact.writer)
    # Version 1 of the fact knew one site.
    sites = tuple(body.get("sites", (site,)))
    previous = unrevoked(state, body["model"], body["previous"])
    revoked = is_revoked(state, body["model"], body["version"])
    return Release(
        id=body["release"],
        model=body["model"],
        version=body["version"],
        previous=previous,
        strategy="immediate" if previous is None else body["strategy"],
        settings=settings_from_json(body["settings"]),
        sites=sites,
        # A version that stands alone, or a fact before version 5, has none.
        stages=() if previous is None else tuple(map(tuple, body.get("stages", ()))),
        # Whoever looks at the guardrails must see some of the traffic.
        driver=site if site in sites else sites[0],
        began=fact.time.wall,
        begun=(fact.time.wall,),
        fact=fact.name,
        started=fact.name,
        # Its writer had not seen the revocation.
        status="rolled-back" if revoked else "running",
        guardrail="revoked" if revoked else "",
        order=sum(1 for _ in state.scan(RELEASES, f"{body['model']}/")),
    )


def _after(release: Release, fact: Fact) -> Release:
    if fact.type == "release.rolled-back":
        guardrail = fact.body["guardrail"]
        stopped = {"paused": False, "stopped_at": site_of(fact.writer)}
        return replace(release, status="rolled-back", guardrail=guardrail, **stopped)  # type: ignore[arg-type]
    if fact.type == "release.completed":
        return replace(release, status="completed", paused=False)
    if release.status == "completed":
        return release
    # Its champion may have been revoked: what stands alone has one step.
    step = min(max(release.step, fact.body["step"]), len(release.steps) - 1)
    if step <= release.step:
        return release
    # Of two persons' words, one may have skipped what the other decided unseen.
    begun = (*release.begun, *[fact.time.wall] * (step - release.step))
    return replace(release, step=step, begun=begun, share=None, weighed=0, winner="")


def _rolled_back(fact: Fact, release: Release, state: State) -> Iterator[Change]:
    yield Change(RELEASES, release_key(release.id), release.as_json())
    yield _stop(fact, state, release.version)
    for other in _finished_unseen(fact, state, release.version):
        if other.id != release.id:
            stopped = replace(other, status="rolled-back", guardrail="elsewhere")
            yield Change(RELEASES, release_key(other.id), stopped.as_json())
    yield from _given_back(state, release.model, release.version, release.previous)


def _revoked(fact: Fact, state: State) -> Iterator[Change]:
    model, version = fact.body["model"], fact.body["version"]
    yield Change(REVOKED, f"{model}/{version}", {"fact": fact.name})
    yield _stop(fact, state, version)
    revoking = _Revoking(state, model, version)
    back = unrevoked(revoking, model, version)
    for _, row in state.scan(RELEASES, f"{model}/"):
        release = Release.from_json(row)
        if release.version == version and release.status != "rolled-back":
            release = replace(release, status="rolled-back", guardrail="revoked")
        if release.previous == version:
            alone = {"strategy": "immediate", "step": 0, "stages": ()} if back is None else {}
            release = replace(release, previous=back, **alone)  # type: ignore[arg-type]
        if release.as_json() != row:
            yield Change(RELEASES, release_key(release.id), release.as_json())
    yield from _given_back(revoking, model, version, back)


class _Revoking:
    """The state as it is once a version is revoked."""

    def __init__(self, state: State, model: str, version: int) -> None:
        self._state, self._key = state, f"{model}/{version}"

    def get(self, table: str, key: str) -> Any | None:
        return {} if (table, key) == (REVOKED, self._key) else self._state.get(table, key)

    def scan(self, table: str, prefix: str = "") -> Iterator[tuple[str, Any]]:
        return self._state.scan(table, prefix)


def _finished_unseen(fact: Fact, state: State, version: int) -> Iterator[Release]:
    """Releases that completed this version without the fact's writer having seen it."""
    for _, row in state.scan(RELEASES, f"{fact.body['model']}/"):
        unseen = row["version"] == version and not knew(state, fact, row["fact"])
        if unseen and row["status"] == "completed":
            yield Release.from_json(row)


def _stop(fact: Fact, state: State, version: int) -> Change:
    key = f"{fact.body['model']}/{version}"
    return Change(STOPPED, key, [*(state.get(STOPPED, key) or []), fact.name])


def _is_stopped(fact: Fact, state: State, version: int | None) -> bool:
    """Whether the version was rolled back or revoked without the fact's writer having seen it."""
    names = state.get(STOPPED, f"{fact.body['model']}/{version}") or []
    return any(not knew(state, fact, name) for name in names)


def _given_back(state: State, model: str, version: int, previous: int | None) -> Iterator[Change]:
    """A completion that the rollback's writer did not see has moved the alias: it moves back."""
    previous = unrevoked(state, model, previous)
    for _, row in state.scan(ALIASES, f"{model}/"):
        if row["version"] == version and row["alias"] in ("champion", "challenger"):
            yield _alias(model, row["alias"], previous if row["alias"] == "champion" else None)


def _alias(model: str, alias: str, version: int | None) -> Change:
    row = {"alias": alias, "model": model, "version": version}
    return Change(ALIASES, f"{model}/{alias}", None if version is None else row)


def _alias_moved(fact: Fact, row: Any | None, state: State) -> list[Change]:
    body = fact.body
    if row is not None and row["status"] == "rolled-back" and body["version"] == row["version"]:
        return []
    version = body["version"]
    if version is not None and (
        is_revoked(state, body["model"], version) or _is_stopped(fact, state, version)
    ):
        return []
    return [_alias(body["model"], body["alias"], version)]


projection = Projection(
    name="releases",
    version=5,
    types=frozenset(
        {
            "alias.moved",
            "model.revoked",
            "release.advanced",
            "release.analysed",
            "release.completed",
            "release.decided",
            "release.gone-back",
            "release.paused",
            "release.ready",
            "release.resumed",
            "release.rolled-back",
            "release.started",
            "release.weighted",
        }
    ),
    fold=_fold,
)
