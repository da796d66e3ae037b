"""Each store that a site reaches: whether it answers, what it honours, what it is opened with."""

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from freehold.app.project.reading import OpenProject
from freehold.app.site.abilities import StoreAbilities, probe
from freehold.app.site.health.endpoints import examine_endpoint, knock
from freehold.app.site.health.expiry import (
    examine_key_tokens,
    examine_tokens,
    of_end,
    variable,
)
from freehold.app.site.health.finding import Finding, duration, of_error
from freehold.app.site.health.waiting import Patience, together, within
from freehold.app.site.stores import open_keys, open_store
from freehold.domain.errors import FreeholdError
from freehold.domain.project import StoreSpec
from freehold.ports.clock import Clock
from freehold.ports.key_service import KeyService, TellsEnds
from freehold.ports.object_store import ObjectStore

NEEDED = ("put", "get", "ranges", "list", "delete")
"""Without which nothing can meet there; on the others nothing rests."""
SLOW = 2.0
"""Seconds of one answer at which a store is told to be slow."""
_CONTEXT = {"purpose": "freehold doctor"}


@dataclass(frozen=True)
class Examined:
    """A store, if it answers, and what was found about it."""

    findings: Sequence[Finding]
    store: ObjectStore | None = None


def reached_by(project: OpenProject) -> tuple[str, ...]:
    """Sites whose stores this one may use: its own first."""
    sites, own = project.spec.sites, project.spec.site
    others = [name for name, one in sites.items() if name != own and not one.private]
    return (*([own] if own in sites else []), *others)


def examine_store(
    site: str,
    spec: StoreSpec,
    clock: Clock,
    patience: Patience,
    environment: Mapping[str, str] = os.environ,
) -> Examined:
    """`site`: whose store it is."""
    about, *more = together(
        [
            lambda: _contents(site, spec, patience, environment),
            lambda: Examined(_endpoint(site, spec.endpoint, clock, patience)),
            lambda: Examined(_key_endpoint(site, spec, clock, patience, environment)),
            lambda: Examined(_encryption(site, spec, clock, patience, environment)),
            lambda: Examined([*examine_tokens(site, environment, clock() / 1e6)]),
        ]
    )
    return Examined([one for part in (about, *more) for one in part.findings], about.store)


def reach(
    site: str, spec: StoreSpec, patience: Patience, environment: Mapping[str, str]
) -> tuple[ObjectStore, float]:
    """A store's plain objects, and the seconds until its first answer. Raises Unreachable,
    StorageFailed, and what opening a store raises."""
    whose = f"the store of {site}"
    within(patience.first, whose, lambda: knock(spec.endpoint, site, patience.first))
    plain = open_store(replace(spec, encryption=""), site, environment)
    start = time.perf_counter()
    within(patience.first, whose, lambda: next(iter(plain.keys("logs/")), None))
    return plain, time.perf_counter() - start


def _contents(
    site: str, spec: StoreSpec, patience: Patience, environment: Mapping[str, str]
) -> Examined:
    try:
        plain, seconds = reach(site, spec, patience, environment)
        found = within(patience.whole, f"the store of {site}", lambda: probe(plain))
    except FreeholdError as error:
        why = "what is done here is kept, and goes there with a later `freehold sync`"
        hint = f"see that the store of {site} can be reached from this machine"
        told = of_error("store", site, error, hint)
        return Examined([replace(told, why=told.why or why)])
    about = [_reached(site, seconds), *_abilities(site, found)]
    return Examined(about, _opened(site, spec, environment))


def _opened(site: str, spec: StoreSpec, environment: Mapping[str, str]) -> ObjectStore | None:
    """As the site itself uses it; None if its keys are not there, which is told elsewhere."""
    try:
        return open_store(spec, site, environment)
    except FreeholdError:
        return None


def _endpoint(site: str, endpoint: str, clock: Clock, patience: Patience) -> list[Finding]:
    """A name server may be what does not answer: no time limit of a connection covers that."""

    def ask() -> list[Finding]:
        return examine_endpoint(site, endpoint, clock, patience.first)

    try:
        return within(patience.first, f"the endpoint of {site}", ask)
    except FreeholdError:
        return []  # the store itself is asked, too, and says so


def _key_endpoint(
    site: str,
    spec: StoreSpec,
    clock: Clock,
    patience: Patience,
    environment: Mapping[str, str],
) -> list[Finding]:
    """Its certificate only: that it answers is seen where something is wrapped by it."""
    endpoint = environment.get(variable(f"{site}-key", "endpoint"), "")
    if not spec.encryption or not endpoint:
        return []
    return [one for one in _endpoint(site, endpoint, clock, patience) if one.check == "tls"]


def _reached(site: str, seconds: float) -> Finding:
    what = f"its store answers in {seconds * 1000:,.0f} ms"
    if seconds > SLOW:
        why = "each meeting asks it some dozens of times"
        hint = "see what lies between this machine and the store; nothing is lost meanwhile"
        return Finding("store", "warning", what, why=why, hint=hint, about=site)
    return Finding("store", "good", what, about=site)


def _abilities(site: str, found: StoreAbilities) -> list[Finding]:
    by_state: dict[str, list[str]] = {"honoured": [], "ignored": [], "absent": [], "failed": []}
    for one in found.abilities:
        by_state[one.state].append(one.name)
    speed = ""
    if found.put_seconds is not None and found.get_seconds is not None:
        speed = f"1 kB is put in {found.put_seconds * 1000:,.0f} ms"
        speed += f" and read in {found.get_seconds * 1000:,.0f} ms"
    missing = [*by_state["ignored"], *by_state["failed"]]
    broken = [name for name in missing if name in NEEDED]
    named = {name: ", ".join(names) for name, names in by_state.items() if names}
    words = {"honoured": "honours", "ignored": "says yes to and ignores", "failed": "refuses"}
    what = "; ".join(f"{words.get(name, 'has no')} {names}" for name, names in named.items())
    what = f"its store {what}"
    if broken:
        why = "; ".join(f"{one.name}: {one.why}" for one in found.abilities if one.why)
        hint = f"give the keys of this store's site the right to {_rights(broken)}"
        return [Finding("abilities", "bad", what, why=why or speed, hint=hint, about=site)]
    if by_state["ignored"]:
        why = "no promise of Freehold's rests on these; another tool's might"
        hint = "nothing has to be done here; trust no lock that another tool keeps in this store"
        return [Finding("abilities", "warning", what, why=why, hint=hint, about=site)]
    return [Finding("abilities", "good", what, why=speed, about=site)]


def _rights(broken: Sequence[str]) -> str:
    words = {"put": "write", "get": "read", "ranges": "read", "list": "list", "delete": "delete"}
    return ", ".join(dict.fromkeys(words[name] for name in broken)) + " its objects"


def _encryption(
    site: str,
    spec: StoreSpec,
    clock: Clock,
    patience: Patience,
    environment: Mapping[str, str],
) -> list[Finding]:
    """Whether the key service wraps, and what of it ends by itself."""
    if not spec.encryption:
        return []
    try:
        keys = open_keys(spec, site, environment)
    except FreeholdError as error:
        return [_no_key(site, error), *examine_key_tokens(site, environment)]
    wraps = _wraps(site, keys, patience)
    if wraps.unreachable or not isinstance(keys, TellsEnds):
        return [wraps, *examine_key_tokens(site, environment)]
    ends = _ends(site, keys, clock, patience)
    return [wraps, *ends, *examine_key_tokens(site, environment, is_told=True)]


def _wraps(site: str, keys: KeyService, patience: Patience) -> Finding:
    """Whether it unwraps what it wrapped."""
    data = bytes(32)
    try:
        start = time.perf_counter()
        back = within(
            patience.first,
            f"the key service of {site}",
            lambda: keys.unwrap(keys.wrap(data, _CONTEXT), keys.key_id, _CONTEXT),
        )
        took = duration(time.perf_counter() - start)
    except FreeholdError as error:
        return _no_key(site, error)
    if back != data:
        what = "what its key service wrapped is not what it unwraps"
        hint = "let nothing be written to this store, and restore the key service from a backup"
        return Finding("encryption", "bad", what, why=keys.key_id, hint=hint, about=site)
    what = f"the key {keys.key_id} wraps and unwraps, in {took}"
    return Finding("encryption", "good", what, about=site)


def _no_key(site: str, error: FreeholdError) -> Finding:
    hint = "without this key the store cannot be read: bring it to this machine"
    return of_error("encryption", site, error, hint)


def _ends(site: str, keys: TellsEnds, clock: Clock, patience: Patience) -> list[Finding]:
    try:
        ends = within(patience.first, f"the key service of {site}", keys.ends)
    except FreeholdError as error:
        what = "when its key, or the right to use it, ends is not known"
        why = f"{error.what}: {error.why}" if error.why else error.what
        return [Finding("expiry", "warning", what, why=why, hint=error.hint, about=site)]
    return [of_end(site, end, clock() / 1e6) for end in ends]
