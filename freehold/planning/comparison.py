"""Two plans of one pipeline beside each other, by their JSON."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from freehold.domain.placement import Place


@dataclass(frozen=True)
class Moved:
    step: str
    before: Place
    after: Place

    def as_json(self) -> dict[str, Any]:
        return {
            "after": self.after.as_json(),
            "before": self.before.as_json(),
            "step": self.step,
        }


@dataclass(frozen=True)
class Difference:
    moved: tuple[Moved, ...]
    added: tuple[str, ...]
    removed: tuple[str, ...]
    actions: Mapping[str, tuple[str, str]]
    """Step → what was done with it before, what is now."""
    assumed: tuple[str, ...]
    """What the plans stand on that is not the same: `prices`, `sites`, …"""
    totals: Mapping[str, tuple[float, float]]
    """`money`, `carbon`, `seconds` → before, after; where both were placed."""

    @property
    def none(self) -> bool:
        """Whether the same would be done at the same cost."""
        same = all(before == after for before, after in self.totals.values())
        return same and not (self.moved or self.added or self.removed or self.actions)

    def as_json(self) -> dict[str, Any]:
        return {
            "actions": {step: list(both) for step, both in self.actions.items()},
            "added": list(self.added),
            "assumed": list(self.assumed),
            "moved": [one.as_json() for one in self.moved],
            "removed": list(self.removed),
            "totals": {
                name: {"after": after, "before": before, "less": before - after}
                for name, (before, after) in self.totals.items()
            },
        }


def compare(before: Mapping[str, Any], after: Mapping[str, Any]) -> Difference:
    """Both as `RunPlan.as_json` gives them, shape 2."""
    old = {one["step"]: one for one in before["steps"]}
    new = {one["step"]: one for one in after["steps"]}
    both = [name for name in new if name in old]
    first, second = before["placement"], after["placement"]
    totals = {}
    if first is not None and second is not None:
        totals = {name: (first[name], second[name]) for name in ("money", "carbon", "seconds")}
    stood = {*before["assumed"], *after["assumed"]}
    return Difference(
        moved=tuple(
            Moved(name, Place.from_json(old[name]["place"]), Place.from_json(new[name]["place"]))
            for name in both
            if old[name]["place"] != new[name]["place"]
            and "cached" not in (old[name]["action"], new[name]["action"])
        ),
        added=tuple(name for name in new if name not in old),
        removed=tuple(name for name in old if name not in new),
        actions={
            name: (old[name]["action"], new[name]["action"])
            for name in both
            if old[name]["action"] != new[name]["action"]
        },
        assumed=tuple(
            sorted(
                name for name in stood if before["assumed"].get(name) != after["assumed"].get(name)
            )
        ),
        totals=totals,
    )
