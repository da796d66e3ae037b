"""Which sites a release reaches together, and in which order: region after region."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from freehold.domain.project import RollingSpec

Sites = tuple[str, ...]


@dataclass(frozen=True)
class ReleaseSite:
    """A site of a release, and what is known of the model there."""

    site: str
    region: str
    """Sites of one name go together; empty: it is one of its own."""
    rows: int = 0
    """That it was asked in the last week."""
    released: int = 0
    """Releases of the model that reached it and have ended."""
    failed: int = 0
    """Of these, those that its own guardrails took back."""


@dataclass(frozen=True)
class Region:
    places: tuple[ReleaseSite, ...]
    share: float
    """Of the rows of all sites of the release, 0 to 1; 1 where none are known, since nothing then
    shows that it is less."""
    risk: float
    """Share of all rows that a failure would be expected to reach."""

    @property
    def sites(self) -> Sites:
        return tuple(one.site for one in self.places)


def stages(places: Sequence[ReleaseSite], wanted: RollingSpec) -> tuple[Sites, ...]:
    """Sites of each stage, the first one first.

    Laws
    - Every site is in one stage.
    - A stage is at most `batch` regions with at most `at_most` per cent of the rows, or one site.
    - A region is in one stage, unless it alone has more than `at_most`: its sites then follow each
      other as regions of their own.
    - What `order` does not tell apart stays as it was named.
    """
    whole = sum(one.rows for one in places)
    limit = wanted.at_most / 100
    found = [part for members in _together(places) for part in _within(members, whole, limit)]
    if wanted.order == "traffic":
        found.sort(key=lambda one: sum(place.rows for place in one.places))
    elif wanted.order == "risk":
        found.sort(key=lambda one: one.risk)
    batches: list[list[Region]] = []
    for region in found:
        last = batches[-1] if batches else []
        fits = sum(one.share for one in last) + region.share <= limit + 1e-9 or limit >= 1
        if last and len(last) < wanted.batch and fits:
            last.append(region)
        else:
            batches.append([region])
    return tuple(tuple(site for one in batch for site in one.sites) for batch in batches)


def risk_of(place: ReleaseSite, whole: int) -> float:
    """Its share of the rows times the chance that a release fails there: the mean of what may be
    true of it given the past ones, from an even prior (Laplace's rule of succession)."""
    share = place.rows / whole if whole else 1.0
    return share * (place.failed + 1) / (place.released + 2)


def _together(places: Sequence[ReleaseSite]) -> list[tuple[ReleaseSite, ...]]:
    """By region, in the order in which each is first named."""
    order: dict[str, int] = {}
    for place in places:
        order.setdefault(_key(place), len(order))
    ordered = sorted(places, key=lambda one: order[_key(one)])
    return [tuple(members) for _, members in groupby(ordered, key=_key)]


def _key(place: ReleaseSite) -> str:
    # No region's name has a line's end in it.
    return f"region {place.region}" if place.region else f"site\n{place.site}"


def _within(members: tuple[ReleaseSite, ...], whole: int, limit: float) -> list[Region]:
    """The region, or its sites where it has more of the rows than may go at a time."""
    region = _region(members, whole)
    if region.share <= limit or len(members) == 1:
        return [region]
    return [_region((one,), whole) for one in members]


def _region(members: tuple[ReleaseSite, ...], whole: int) -> Region:
    share = sum(one.rows for one in members) / whole if whole else 1.0
    return Region(members, share, sum(risk_of(one, whole) for one in members))
