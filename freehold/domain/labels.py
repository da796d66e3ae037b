"""Labels of data: name → value, `pii` → "" or `residency` → "EU".

Where data of several values comes together, the value is all of them, sorted and joined by commas:
`residency` → "EU,US". What a label forbids, each of its values forbids.
"""

from collections.abc import Iterable, Mapping

RESIDENCY = "residency"
"""Of which a place has one."""


def inherited(several: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """The union of labels; the same in whatever order and however often they come."""
    values: dict[str, set[str]] = {}
    for labels in several:
        for name, value in labels.items():
            values.setdefault(name, set()).update(values_of(value))
    return {name: ",".join(sorted(found)) for name, found in sorted(values.items())}


def values_of(value: str) -> tuple[str, ...]:
    """At least one; a label without a value has the empty one, and keeps it beside others."""
    return tuple(value.split(","))


def contradiction(labels: Mapping[str, str]) -> str:
    """Why no place whatever may hold what bears these, in words for people; or empty."""
    places = values_of(labels[RESIDENCY]) if RESIDENCY in labels else ()
    if len(places) < 2:
        return ""
    told = " and ".join(f"{RESIDENCY}={place}" for place in places)
    return f"{told} contradict each other: no place is in {len(places)} jurisdictions"


def lowered(labels: Mapping[str, str], names: Iterable[str]) -> dict[str, str]:
    """Without those that are named: a whole label (`pii`), or one value of it (`residency=EU`)."""
    left = {name: set(values_of(value)) for name, value in labels.items()}
    for one in names:
        name, with_value, value = one.partition("=")
        if name in left:
            left[name] = left[name] - {value} if with_value else set()
    return {name: ",".join(sorted(values)) for name, values in sorted(left.items()) if values}
