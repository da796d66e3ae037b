"""What the request log of a table keeps: what freehold.yaml says, for the versions that serve."""

import json
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from difflib import get_close_matches

from freehold.app.site.opening import Site
from freehold.app.traffic.log_settings import as_opened, log_settings, project_now
from freehold.app.traffic.token_key import token_key
from freehold.catalog.package import unpack
from freehold.catalog.versions import versions_of
from freehold.domain.columns import Columns
from freehold.domain.endpoint_spec import LogSpec
from freehold.domain.errors import Fault, IntegrityError, Refused
from freehold.domain.package import COLUMNS
from freehold.domain.release import Release
from freehold.domain.routing import LogRule
from freehold.serving.tokens import TokenKey

CODE = "endpoint.log-columns"


def log_rule(
    site: Site, release: Release, taken: Collection[str], standing: LogRule | None
) -> LogRule:
    """Of a table of this release, whose versions take these columns, as freehold.yaml says now; or
    as `standing` has it, the rule in force, while the file cannot be read.

    While it runs, all rows are kept: its guardrails hold those that failed, which are always kept,
    against the others. A name that no version of the model takes may be a column's that is written
    wrongly: then every column is taken to be personal, since a table must not wait for a spelling
    where something has to leave traffic. Raises what keeps the key for tokens from being used.
    """
    spec = log_settings(site, release.model)
    if spec is None:
        spec = as_opened(site) if standing is None else _as_settings(standing)
    rule = rule_of(site, release.model, spec, taken, lambda: token_key(site))
    return replace(rule, whole=release.status == "running" and spec.sample < 1)


def rule_of(
    site: Site, model: str, spec: LogSpec, taken: Collection[str], key: Callable[[], TokenKey]
) -> LogRule:
    """What these settings say for versions that take these columns. `key` is asked for where
    something is personal."""
    absent = [name for name in spec.personal if name not in taken]
    personal = tuple(name for name in spec.personal if name in taken)
    if absent and _known_of(site, model, absent) < set(absent):
        personal = tuple(sorted(taken))
    return LogRule(
        sample=spec.sample,
        personal=personal,
        ids=spec.personal_ids,
        key=key().name if personal or spec.personal_ids else "",
    )


def require_log_columns(site: Site, model: str) -> None:
    """Raises Refused `endpoint.log-columns` with every name that is no version's column."""
    faults = log_faults(site, model)
    if faults:
        raise Refused(
            f"freehold.yaml calls columns personal that no version of {model} takes",
            why="a name that is written wrongly would leave its column in clear",
            faults=faults,
            hint="mend `endpoint.log.personal`",
            code=CODE,
        )


def log_faults(site: Site, model: str) -> list[Fault]:
    """None where there is no version here to compare the names with."""
    project = project_now(site) or site.project
    names = (log_settings(site, model) or as_opened(site)).personal
    known = _known_of(site, model, names)
    columns = sorted(set().union(*_columns(site, model))) if known < set(names) else []
    found = []
    for place, name in enumerate(names):
        if columns and name not in known:
            close = get_close_matches(name, columns, n=1)
            hint = f"did you mean '{close[0]}'?" if close else f"there are: {', '.join(columns)}"
            where = project.where("endpoint", "log", "personal", str(place))
            found.append(Fault(CODE, f"no version of {model} takes a column '{name}'", where, hint))
    return found


def _as_settings(rule: LogRule) -> LogSpec:
    return LogSpec(rule.sample, rule.personal, rule.ids)


def _known_of(site: Site, model: str, names: Collection[str]) -> set[str]:
    """Those of the names that some version takes; asks no more versions than it needs."""
    wanted = set(names)
    found: set[str] = set()
    if wanted:
        for columns in _columns(site, model):
            found |= wanted & columns
            if found == wanted:
                break
    return found


def _columns(site: Site, model: str) -> Iterator[set[str]]:
    """Of each version whose package is here, the newest first."""
    for version in reversed(list(versions_of(site.state, model))):
        try:
            files = unpack(site.artifacts.get(version.package), version.package)
        except IntegrityError:
            # Another site made it and it has not come here, or it was collected.
            continue
        yield set(Columns.from_json(json.loads(files[COLUMNS])).names)
