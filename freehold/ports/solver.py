"""Chooses an option for every task of a placement.

Laws
- Every task has one of its options; nothing crosses where no crossing is listed; deadline, budget
  and quotas hold, as `freehold.domain.placement_cost` counts them.
- `bound` is proven: no permitted choice has a smaller objective.
- The answer is the same for the same problem, whatever the order of its parts, while time does not
  run out.
- It ends soon after `seconds`, with the best that was found.
- Errors: PlacementImpossible with the reason that can be acted on: `plan.deadline` and the soonest
  that can be had, `plan.budget` and the least that it costs, `plan.quota` and the pool,
  `plan.crossing` and the flow; `plan.no-time` when nothing was found in the time given.
"""

from abc import ABC, abstractmethod

from freehold.domain.placement import Problem, Solution


class Solver(ABC):
    @abstractmethod
    def solve(self, problem: Problem, seconds: float = 60.0, gap: float = 0.01) -> Solution:
        """A choice whose objective is within `gap` of the bound, or the best found in `seconds`."""
