"""What endpoints said of themselves, committed once each.

Facts
  endpoint.loaded      {file, at, model, routing, variants: [{version, digest, weight, alias}]}
  endpoint.refused     {file, at, code}
  endpoint.stopped     {file, at, rows, dropped}
  endpoint.log-failed  {file, at, code}
`file` is the name under which it was spooled, at the writer's site.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from freehold.domain.fact import Draft, Fact, site_of
from freehold.domain.projection import Change, Projection, State

TABLE = "endpoint_events"
LOADED = "endpoint_loaded"
"""By site and model: the number of the newest table that was loaded."""
SHAPES: Mapping[str, frozenset[str]] = {
    "endpoint.loaded": frozenset({"at", "model", "routing", "variants"}),
    "endpoint.refused": frozenset({"at", "code"}),
    "endpoint.stopped": frozenset({"at", "rows", "dropped"}),
    "endpoint.log-failed": frozenset({"at", "code"}),
}
_CODE = re.compile(r"[A-Za-z0-9.:@_-]{0,100}")


def draft_of(file: str, event: Any) -> Draft:
    """Raises ValueError for what no endpoint of ours spools: whoever can write to the spool must
    not be able to have the site sign anything else."""
    if not isinstance(event, dict) or event.get("type") not in SHAPES:
        raise ValueError("it is no event of an endpoint")
    body = {name: value for name, value in event.items() if name != "type"}
    if set(body) != SHAPES[event["type"]] or not _is_plain(body):
        raise ValueError("its fields are not those of an event")
    return Draft(event["type"], {**body, "file": file})


def is_known(state: State, site: str, file: str) -> bool:
    return state.get(TABLE, f"{site}/{file}") is not None


def _is_plain(value: Any) -> bool:
    """Numbers and codes, and lists and objects of them."""
    if isinstance(value, dict):
        return all(_CODE.fullmatch(key) and _is_plain(item) for key, item in value.items())
    if isinstance(value, list):
        return all(map(_is_plain, value))
    return isinstance(value, int | float) or (
        isinstance(value, str) and _CODE.fullmatch(value) is not None
    )


def loaded_number(state: State, site: str, model: str) -> int:
    """Of the newest routing table that an endpoint of the site has verified and loaded; 0 if none
    has."""
    row = state.get(LOADED, f"{site}/{model}")
    return 0 if row is None else int(row["routing"])


def _fold(fact: Fact, state: State) -> Iterator[Change]:
    site = site_of(fact.writer)
    yield Change(TABLE, f"{site}/{fact.body['file']}", {"fact": fact.name})
    if fact.type == "endpoint.loaded":
        model, number = fact.body["model"], fact.body["routing"]
        newest = max(number, loaded_number(state, site, model))
        yield Change(LOADED, f"{site}/{model}", {"routing": newest})


projection = Projection(name="endpoint-events", version=3, types=frozenset(SHAPES), fold=_fold)
