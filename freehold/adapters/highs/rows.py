"""A mixed-integer program while it is written, and its passage to HiGHS."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

import highspy
import numpy as np

Terms = Sequence[tuple[int, float]]
"""Column, coefficient."""


_INFEASIBLE = (
    highspy.HighsModelStatus.kInfeasible,
    highspy.HighsModelStatus.kUnboundedOrInfeasible,
)
"""What is asked for is never unbounded."""


@dataclass
class Rows:
    """Columns and rows as they are added; costs are to be made small."""

    cost: list[float] = field(default_factory=list)
    lower: list[float] = field(default_factory=list)
    upper: list[float] = field(default_factory=list)
    whole: list[bool] = field(default_factory=list)
    row_lower: list[float] = field(default_factory=list)
    row_upper: list[float] = field(default_factory=list)
    starts: list[int] = field(default_factory=lambda: [0])
    columns: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)

    def column(self, lower: float = 0.0, upper: float = np.inf, whole: bool = False) -> int:
        self.cost.append(0.0)
        self.lower.append(lower)
        self.upper.append(upper)
        self.whole.append(whole)
        return len(self.cost) - 1

    def row(self, terms: Terms, lower: float = -np.inf, upper: float = np.inf) -> None:
        """A column may stand in `terms` more than once."""
        merged: dict[int, float] = {}
        for column, value in terms:
            merged[column] = merged.get(column, 0.0) + value
        self.columns.extend(merged)
        self.values.extend(merged.values())
        self.starts.append(len(self.columns))
        self.row_lower.append(lower)
        self.row_upper.append(upper)

    def price(self, terms: Terms) -> None:
        for column, value in terms:
            self.cost[column] += value

    def model(self) -> Any:
        """A highspy.HighsLp."""
        lp = highspy.HighsLp()
        lp.num_col_, lp.num_row_ = len(self.cost), len(self.row_lower)
        lp.col_cost_ = np.array(self.cost)
        lp.col_lower_, lp.col_upper_ = np.array(self.lower), np.array(self.upper)
        lp.row_lower_, lp.row_upper_ = np.array(self.row_lower), np.array(self.row_upper)
        lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
        lp.a_matrix_.start_ = np.array(self.starts, dtype=np.int32)
        lp.a_matrix_.index_ = np.array(self.columns, dtype=np.int32)
        lp.a_matrix_.value_ = np.array(self.values)
        kinds = highspy.HighsVarType
        lp.integrality_ = [kinds.kInteger if one else kinds.kContinuous for one in self.whole]
        return lp


@dataclass(frozen=True)
class Outcome:
    feasible: bool
    """False: it is proven that nothing fits."""
    values: tuple[np.ndarray, ...]
    """By column; every better one that was found, the best last; none if time ran out before."""
    bound: float
    rises: np.ndarray = field(default_factory=lambda: np.zeros(0))
    """By column, of a relaxation: its reduced cost, by which the bound rises at least if the column
    is one more."""


class Relaxation:
    """Without the demand for whole numbers. What is added to the rows between two solutions is
    passed on, and the next one begins where the last one ended."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        self._highs: Any = None
        self._passed = (0, 0)

    def solve(self, seconds: float) -> Outcome:
        """No values if time ran out."""
        if self._highs is None:
            self._highs = _highs(self.rows, seconds, 0.0, [])
            self._highs.setOptionValue("solve_relaxation", True)
        else:
            self._add(seconds)
        self._passed = len(self.rows.cost), len(self.rows.row_lower)
        self._highs.run()
        status = self._highs.getModelStatus()
        if status != highspy.HighsModelStatus.kOptimal:
            return Outcome(status not in _INFEASIBLE, (), 0.0)
        solution = self._highs.getSolution()
        told = self._highs.getInfo().objective_function_value
        return Outcome(True, (np.array(solution.col_value),), told, np.array(solution.col_dual))

    def _add(self, seconds: float) -> None:
        rows, (columns, known) = self.rows, self._passed
        # The clock of HiGHS goes on from one solution to the next.
        self._highs.setOptionValue("time_limit", self._highs.getRunTime() + max(seconds, 0.01))
        none, empty = np.zeros(0), np.zeros(0, dtype=np.int32)
        count = len(rows.cost) - columns
        self._highs.addCols(
            count,
            np.array(rows.cost[columns:]),
            np.array(rows.lower[columns:]),
            np.array(rows.upper[columns:]),
            0,
            np.zeros(count, dtype=np.int32),
            empty,
            none,
        )
        begin = rows.starts[known]
        self._highs.addRows(
            len(rows.row_lower) - known,
            np.array(rows.row_lower[known:]),
            np.array(rows.row_upper[known:]),
            len(rows.columns) - begin,
            np.array(rows.starts[known:-1], dtype=np.int32) - begin,
            np.array(rows.columns[begin:], dtype=np.int32),
            np.array(rows.values[begin:]),
        )


def run(
    rows: Rows,
    seconds: float,
    gap: float,
    start: Iterable[tuple[int, float]] = (),
) -> Outcome:
    """`start`: column, value of the whole columns of something that fits."""
    until = monotonic() + seconds
    found: list[np.ndarray] = []
    highs = _highs(rows, seconds, gap, found)
    pairs = list(start)
    if pairs:
        columns = np.array([column for column, _ in pairs], dtype=np.int32)
        highs.setSolution(len(pairs), columns, np.array([value for _, value in pairs]))
    highs.run()
    if pairs and not _consistent(highs, rows):
        highs = _highs(rows, until - monotonic(), gap, found)
        highs.run()
    status, info = highs.getModelStatus(), highs.getInfo()
    if status in _INFEASIBLE:
        return Outcome(False, (), np.inf)
    if info.primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible:
        found.append(np.array(highs.getSolution().col_value))
    if not rows.cost:
        return Outcome(True, (np.zeros(0),), 0.0)
    return Outcome(True, tuple(found), info.mip_dual_bound)


def _highs(rows: Rows, seconds: float, gap: float, found: list[np.ndarray]) -> Any:
    """With the program in it; puts what it finds into `found`."""
    highs: Any = _Quiet()
    for name, value in (
        ("output_flag", False),
        ("threads", 1),
        ("random_seed", 0),
        ("time_limit", max(seconds, 0.01)),
        ("mip_rel_gap", gap),
        ("mip_abs_gap", 0.0),
        ("mip_feasibility_tolerance", 1e-9),
        ("primal_feasibility_tolerance", 1e-9),
        ("dual_feasibility_tolerance", 1e-9),
    ):
        highs.setOptionValue(name, value)

    def keep(event: Any) -> None:
        found.append(np.array(event.data_out.mip_solution))

    highs.cbMipImprovingSolution.subscribe(keep)
    highs.passModel(rows.model())
    return highs


class _Quiet(highspy.Highs):
    """The constructor enables callbacks, and that prints a line to standard output unless it is
    told not to before."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    def enableCallbacks(self) -> Any:  # noqa: N802
        self.setOptionValue("output_flag", False)
        return super().enableCallbacks()  # type: ignore[no-untyped-call]


def _consistent(highs: Any, rows: Rows) -> bool:
    """HiGHS 1.16 at times forgets the constant that its presolve took out when it is given a start:
    objective and bound are then off by it."""
    info = highs.getInfo()
    if info.primal_solution_status != highspy.SolutionStatus.kSolutionStatusFeasible:
        return True
    objective = float(np.dot(rows.cost, highs.getSolution().col_value))
    told = float(info.objective_function_value)
    return abs(objective - told) <= 1e-6 * max(1.0, abs(objective))
