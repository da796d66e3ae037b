"""Releases and aliases, folded from facts, and the facts that change them.

Facts (numbers, names and codes only)
  release.started     {release, model, version, previous, strategy, settings}
  release.advanced    {release, model, version, step, weight, rows}
  release.completed   {release, model, version, rows}
  release.rolled-back {release, model, version, guardrail, value, limit, rows}
  alias.moved         {model, alias, version, previous, release}; a version of null removes the
                      alias, a release of "" is a person's own move

Laws
- One release of a model runs at a time.
- A rollback beats a completion or a promotion, in whatever order they are folded.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from freehold.delivery.decision import Complete, Decision, Promote, Rollback
from freehold.domain.errors import Conflict, NotFound
from freehold.domain.fact import Draft, Fact
from freehold.domain.project import ReleaseSpec
from freehold.domain.projection import Change, Projection, State
from freehold.domain.release import Release, Strategy, settings_as_json, settings_from_json

RELEASES = "releases"
ALIASES = "aliases"


def releases_of(state: State, model: str = "") -> Iterator[Release]:
    """Oldest first; of every model if none is named."""
    for _, row in state.scan(RELEASES, f"{model}/" if model else ""):
        yield Release.from_json(row)


def release_of(state: State, release: str) -> Release:
    """Raises NotFound `release.not-found`."""
    row = state.get(RELEASES, _key(release))
    if row is None:
        raise NotFound(f"there is no release {release}", code="release.not-found")
    return Release.from_json(row)


def running_release(state: State, model: str) -> Release | None:
    return next((r for r in releases_of(state, model) if r.status == "running"), None)


def aliases_of(state: State, model: str) -> dict[str, int]:
    """Alias → version."""
    return {row["alias"]: row["version"] for _, row in state.scan(ALIASES, f"{model}/")}


def start(
    state: State, model: str, version: int, strategy: Strategy, settings: ReleaseSpec
) -> tuple[Draft, ...]:
    """Facts that begin a release; to be called inside `Ledger.decide`.

    Where there is no champion to stand beside, the release is immediate. An immediate release
    is complete at once. Raises Conflict `release.running`, `release.is-champion`.
    """
    other = running_release(state, model)
    if other is not None:
        raise Conflict(
            f"release {other.id} of {model}@{other.version} is still running",
            why="one release of a model runs at a time",
            hint="wait for it, or roll it back",
            code="release.running",
        )
    champion = aliases_of(state, model).get("champion")
    if champion == version:
        raise Conflict(f"{model}@{version} is the champion already", code="release.is-champion")
    number = 1 + sum(1 for _ in releases_of(state, model))
    release = Release(
        id=f"{model}/{number}",
        model=model,
        version=version,
        previous=champion,
        strategy="immediate" if champion is None else strategy,
        settings=settings,
    )
    body = _body(
        release,
        previous=champion,
        strategy=release.strategy,
        settings=settings_as_json(settings),
    )
    started = Draft("release.started", body)
    if release.strategy == "immediate":
        return (started, *conclude(state, release, Complete(), 0))
    return (started, _moved(release, "challenger", None, version))


def conclude(
    state: State, release: Release, decision: Decision, rows: int, cause: tuple[str, ...] = ()
) -> tuple[Draft, ...]:
    """Facts that put a decision into effect; none for a Hold. Call it inside `Ledger.decide`.

    Raises Conflict `release.finished` for a promotion of what is no longer running.
    """
    row = state.get(RELEASES, _key(release.id))
    if isinstance(decision, Rollback):
        back = row is not None and row["status"] == "rolled-back"
        return () if back else _roll_back(state, release, decision, rows, cause)
    if not isinstance(decision, Promote | Complete):
        return ()
    if row is not None and (row["status"], row["step"]) != ("running", release.step):
        raise Conflict(
            f"release {release.id} has moved on",
            why=f"it is {row['status']}, at step {row['step']}",
            code="release.finished",
        )
    if isinstance(decision, Promote):
        step = release.steps.index(decision.weight)
        body = _body(release, step=step, weight=decision.weight, rows=rows)
        return (Draft("release.advanced", body, cause=cause),)
    return (
        Draft("release.completed", _body(release, rows=rows), cause=cause),
        _moved(release, "champion", release.previous, release.version),
        *_without_challenger(state, release),
    )


def _roll_back(
    state: State, release: Release, decision: Rollback, rows: int, cause: tuple[str, ...]
) -> tuple[Draft, ...]:
    body = _body(
        release,
        guardrail=decision.guardrail,
        value=decision.value,
        limit=decision.limit,
        rows=rows,
    )
    back: tuple[Draft, ...] = ()
    if aliases_of(state, release.model).get("champion") == release.version:
        back = (_moved(release, "champion", release.version, release.previous),)
    fact = Draft("release.rolled-back", body, cause=cause)
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


def _key(release: str) -> str:
    model, _, number = release.rpartition("/")
    return f"{model}/{int(number):08d}" if number.isdigit() else release


def _fold(fact: Fact, state: State) -> Iterable[Change]:
    body = fact.body
    key = _key(body["release"])
    row = state.get(RELEASES, key)
    if fact.type == "alias.moved":
        return _fold_alias(body, row)
    if fact.type == "release.started":
        release = Release(
            id=body["release"],
            model=body["model"],
            version=body["version"],
            previous=body["previous"],
            strategy=body["strategy"],
            settings=settings_from_json(body["settings"]),
        )
    elif row is None or row["status"] == "rolled-back":
        return []
    else:
        release = _after(Release.from_json(row), fact)
    stamped = replace(release, began=fact.time.wall, fact=fact.name)
    change = Change(RELEASES, key, stamped.as_json())
    return [change, *(_given_back(stamped, state) if stamped.status == "rolled-back" else ())]


def _given_back(release: Release, state: State) -> Iterator[Change]:
    """A completion that the rollback's writer did not see has moved the alias: it moves back."""
    for alias, version in aliases_of(state, release.model).items():
        if alias in ("champion", "challenger") and version == release.version:
            yield _alias(release.model, alias, release.previous if alias == "champion" else None)


def _alias(model: str, alias: str, version: int | None) -> Change:
    row = {"alias": alias, "model": model, "version": version}
    return Change(ALIASES, f"{model}/{alias}", None if version is None else row)


def _after(release: Release, fact: Fact) -> Release:
    if fact.type == "release.rolled-back":
        return replace(release, status="rolled-back", guardrail=fact.body["guardrail"])
    if fact.type == "release.completed":
        return replace(release, status="completed")
    if release.status == "completed":
        return release
    return replace(release, step=max(release.step, fact.body["step"]))


def _fold_alias(body: Any, row: Any | None) -> list[Change]:
    if row is not None and row["status"] == "rolled-back" and body["version"] == row["version"]:
        return []
    return [_alias(body["model"], body["alias"], body["version"])]


projection = Projection(
    name="releases",
    version=1,
    types=frozenset(
        {
            "alias.moved",
            "release.advanced",
            "release.completed",
            "release.rolled-back",
            "release.started",
        }
    ),
    fold=_fold,
)
