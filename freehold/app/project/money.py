"""Faults of what a project file says of money beside prices: its tags and budgets."""

import math
import re
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Protocol

from freehold.domain.errors import Fault
from freehold.domain.project import BudgetSpec, Project

_CURRENCY = re.compile(r"[A-Z]{3}")
_TAG = re.compile(r"[a-z][a-z0-9_-]{0,62}")
BUDGETED = ("environment", "model", "pipeline", "project", "run", "site", "version")
"""Tags beside the project's own by which a budget may know what it pays."""
OWN_TAGS = (*BUDGETED, "destination", "metered", "outcome", "step")
"""Those that metering fills in, as far as they are known; of these a project says `environment`."""


class Where(Protocol):
    def __call__(self, *path: str) -> str: ...


def odd_money(spec: Project, where: Where) -> list[Fault]:
    """All of them, each with its place."""
    return [*_odd_currencies(spec, where), *_odd_tags(spec, where), *_odd_budgets(spec, where)]


def _odd_currencies(spec: Project, where: Where) -> Iterator[Fault]:
    for name, one in spec.budgets.items():
        if one.currency and not _CURRENCY.fullmatch(one.currency):
            yield _no_currency(one.currency, where("budgets", name, "currency"))
        elif one.currency and one.currency != spec.currency:
            yield Fault(
                "project.two-currencies",
                f"budget '{name}' is in {one.currency}, and costs are metered in {spec.currency}",
                where("budgets", name, "currency"),
                f"keep all budgets in {spec.currency}; nothing here knows rates",
            )


def _no_currency(text: str, where: str) -> Fault:
    what = f"'{text}' is no currency"
    return Fault("project.wrong-value", what, where, "write its code of ISO 4217, such as USD")


def _odd_tags(spec: Project, where: Where) -> Iterator[Fault]:
    for name, value in spec.tags.items():
        place = where("tags", name)
        if not _TAG.fullmatch(name):
            what = f"'{name}' is no name of a tag"
            yield Fault("project.wrong-value", what, place, "small letters, digits, '-' and '_'")
        elif name in OWN_TAGS and name != "environment":
            what = f"tag '{name}' is filled in by what was done"
            yield Fault("project.wrong-value", what, place, "choose another name")
        elif not value:
            what = f"tag '{name}' has no value"
            yield Fault("project.wrong-value", what, place, "write one, or leave the tag out")


def _odd_budgets(spec: Project, where: Where) -> Iterator[Fault]:
    for name, one in spec.budgets.items():
        path = ("budgets", name)
        if not _TAG.fullmatch(name):
            what = f"'{name}' is no name of a budget"
            hint = "small letters, digits, '-' and '_'"
            yield Fault("project.wrong-value", what, where(*path), hint)
        if not math.isfinite(one.limit) or one.limit <= 0:
            what = f"'limit' of budget '{name}' must be above 0, not {one.limit:g}"
            hint = "write the money that a month may cost"
            yield Fault("project.wrong-value", what, where(*path, "limit"), hint)
        if not 0 < one.warn <= 1:
            what = f"'warn' of budget '{name}' must be above 0 and at most 1, not {one.warn:g}"
            yield Fault("project.wrong-value", what, where(*path, "warn"), "a share, such as 0.8")
        if one.policies and one.then != "approve":
            what = f"policies of budget '{name}' are never asked: it refuses by itself"
            hint = "say `then: approve`, or take `policies` out"
            yield Fault("project.wrong-value", what, where(*path, "policies"), hint)
        yield from _odd_filters(spec, name, one, where)


def _odd_filters(spec: Project, name: str, one: BudgetSpec, where: Where) -> Iterator[Fault]:
    path = ("budgets", name)
    if one.model and one.model not in spec.models:
        yield _unknown("model", one.model, list(spec.models), where(*path, "model"))
    team = spec.tags.get("team", "")
    if one.team and one.team != team:
        yield _unknown("team", one.team, [team] if team else [], where(*path, "team"))
    for tag, value in one.tag.items():
        place, known = where(*path, "tag", tag), [*spec.tags, *BUDGETED]
        if tag not in known:
            yield _unknown("tag", tag, known, place)
        elif tag in spec.tags and value != spec.tags[tag]:
            yield _unknown(f"value of tag '{tag}',", value, [spec.tags[tag]], place)


def _unknown(kind: str, name: str, known: list[str], where: str) -> Fault:
    close = get_close_matches(name, known, n=1)
    hint = f"did you mean '{close[0]}'?" if close else f"there are: {', '.join(known) or 'none'}"
    what = f"no {kind} '{name}'" if "," in kind else f"no {kind} named '{name}'"
    return Fault("project.unknown-name", what + " in this project", where, hint)
