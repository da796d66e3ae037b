"""Features of an entity, and what of the world may go into them at the time of asking.

Everything here is a definition: frozen, without data. A row of a source counts for a question
asked at time t only if it was known by t; how the tables are read is the features room's work.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from freehold.domain.errors import ProjectInvalid

_MICROSECONDS = {"m": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000}


@dataclass(frozen=True)
class Entity:
    """What features describe."""

    name: str
    key: str
    """The spine's column that says which one a row is about; one may be asked about often."""


@dataclass(frozen=True)
class Source:
    """A table whose rows became known one by one."""

    name: str
    keys: tuple[str, ...]
    """Columns by which rows are found; the spine has them under the same names."""
    event_time: str = ""
    """Column: when it happened. Empty: the table has no events."""
    known_at: str = ""
    """Column: from when a row could be read; null: never. Empty: from its event on; and without
    events, since always, which is a claim that the definition makes (a register of planes)."""

    @property
    def known_from(self) -> str:
        """The column that says from when a row counts; empty: always."""
        return self.known_at or self.event_time


@dataclass(frozen=True)
class FromRow:
    """The spine's own column, known at the time of asking because the definition says so."""

    column: str


@dataclass(frozen=True)
class Lookup:
    """The newest known value of a column, found by key."""

    source: Source
    on: str
    column: str


@dataclass(frozen=True)
class YearsSince:
    """Calendar years from the year that a lookup finds to the year of asking (in UTC)."""

    year: Lookup


@dataclass(frozen=True)
class Latest:
    """A column of the last observation by event time, in its newest known form.

    An observation may be null in this column: then so is the feature. `time_to_live`, such as
    `6h`: an older observation than that is none.
    """

    source: Source
    by: str
    column: str
    strictly_before: bool = True
    time_to_live: str = ""


@dataclass(frozen=True)
class RateOver:
    """Mean of a boolean or integer column over the rows that became known in (asked-window, asked].

    Rows with null in the column do not count; null when none counts.
    """

    source: Source
    by: str
    column: str
    window: str = "24h"


Feature = FromRow | Lookup | YearsSince | Latest | RateOver


@dataclass(frozen=True)
class FeatureView:
    """A named set of features of an entity.

    `asked_at` is the spine's column with the time of the question: Datetime, microseconds, UTC.
    """

    name: str
    entity: Entity
    asked_at: str
    features: Mapping[str, Feature] = field(hash=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "features", dict(self.features))

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.features)

    @property
    def sources(self) -> tuple[Source, ...]:
        """Each source that a feature reads, once, in order of first use."""
        found: dict[Source, None] = {}
        for feature in self.features.values():
            if isinstance(feature, YearsSince):
                found[feature.year.source] = None
            elif not isinstance(feature, FromRow):
                found[feature.source] = None
        return tuple(found)


def microseconds_of(length: str) -> int:
    """`90m`, `24h` or `7d` as microseconds. Raises ProjectInvalid `features.length`."""
    match = re.fullmatch(r"([1-9]\d{0,6})([mhd])", length)
    if match is None:
        raise ProjectInvalid(
            f"{length!r} is no length of time",
            hint="write minutes, hours or days: 90m, 24h, 7d",
            code="features.length",
        )
    return int(match[1]) * _MICROSECONDS[match[2]]
