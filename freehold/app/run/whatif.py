"""`freehold plan --what-if`: the plan with a change beside the plan without it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from freehold.app.run.plan import plan_run
from freehold.app.site.opening import Site
from freehold.planning.comparison import Difference, compare
from freehold.planning.run_plan import RunPlan


@dataclass(frozen=True)
class WhatIf:
    changes: tuple[str, ...]
    before: RunPlan
    after: RunPlan
    difference: Difference

    def as_json(self) -> dict[str, Any]:
        return {
            "shape": 1,
            "after": self.after.as_json(),
            "before": self.before.as_json(),
            "changes": list(self.changes),
            "difference": self.difference.as_json(),
        }


def what_would_change(
    site: Site,
    pipeline: str,
    values: Mapping[str, Any],
    changes: Sequence[str],
    *,
    cache: bool = True,
) -> WhatIf:
    """Nothing is changed. Raises what planning raises, for the plan with the change too."""
    before = plan_run(site, pipeline, values, cache=cache).plan
    after = plan_run(site, pipeline, values, cache=cache, what_if=changes).plan
    found = compare(before.as_json(), after.as_json())
    return WhatIf(tuple(changes), before, after, found)
