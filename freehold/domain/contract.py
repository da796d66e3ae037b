"""What a dataset must satisfy, and how far one table does.

The shapes follow Great Expectations 1.x: a contract reads and writes as its suite JSON, a report
as its validation result.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

from freehold.domain.canonical import digest_of


class Severity(StrEnum):
    """How much a failure weighs; only `critical` fails the contract."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True)
class Expectation:
    type: str
    """Great Expectations' name: `expect_column_values_to_be_unique`."""
    kwargs: Mapping[str, Any]
    severity: Severity = Severity.CRITICAL
    meta: Mapping[str, Any] = field(default_factory=dict)
    notes: Any = None
    where: str = ""
    """`file:line` of the expectation."""

    @property
    def column(self) -> str | None:
        return self.kwargs.get("column")

    def __str__(self) -> str:
        arguments = ", ".join(f"{name}={value!r}" for name, value in self.kwargs.items())
        return f"{self.type}({arguments})"

    def as_json(self) -> dict[str, Any]:
        """One element of a suite's `expectations`."""
        value: dict[str, Any] = {
            "type": self.type,
            "kwargs": dict(self.kwargs),
            "meta": dict(self.meta),
            "severity": str(self.severity),
        }
        if self.notes is not None:
            value["notes"] = self.notes
        return value


@dataclass(frozen=True)
class Contract:
    name: str
    expectations: tuple[Expectation, ...]
    meta: Mapping[str, Any] = field(default_factory=dict)
    where: str = ""
    """The file it was read from."""

    def as_json(self) -> dict[str, Any]:
        """A suite that Great Expectations 1.x loads."""
        return {
            "name": self.name,
            "expectations": [expectation.as_json() for expectation in self.expectations],
            "meta": dict(self.meta),
        }

    @property
    def digest(self) -> str:
        return digest_of(self.as_json())


class UnexpectedRow(NamedTuple):
    row: int
    """Position in the table, from 0."""
    value: Any
    """A JSON value; dates and times as ISO 8601, NaN and infinities as text."""


@dataclass(frozen=True)
class ExpectationResult:
    expectation: Expectation
    success: bool
    observed: Any = None
    """A JSON value: the aggregate, type or column position that was compared."""
    checked: int = 0
    """Rows that count: those with a value, or all of them for existence and null checks."""
    missing: int | None = None
    """Rows without a value; None where the question does not arise."""
    unexpected: int | None = None
    """Rows that break a rule on single values; None for rules on the column as a whole."""
    sample: tuple[UnexpectedRow, ...] = ()
    """The first of the unexpected rows; empty when the expectation holds."""
    problem: str = ""
    """Why it could not be evaluated, as on a missing column; it then counts as failed."""

    def as_json(self, *, rows: int, samples: bool = True) -> dict[str, Any]:
        """Like an element of `results` in Great Expectations' validation result."""
        return {
            "success": self.success,
            "expectation_config": self.expectation.as_json(),
            "result": self._result(rows, samples),
            "exception_info": {
                "raised_exception": bool(self.problem),
                "exception_message": self.problem or None,
                "exception_traceback": None,
            },
        }

    def _result(self, rows: int, samples: bool) -> dict[str, Any]:
        if self.problem:
            return {}
        result: dict[str, Any] = {"element_count": rows}
        if self.observed is not None or self.unexpected is None:
            result["observed_value"] = self.observed
        if self.missing is not None:
            result["missing_count"] = self.missing
            result["missing_percent"] = _percent(self.missing, rows)
        if self.unexpected is not None:
            result["unexpected_count"] = self.unexpected
            result["unexpected_percent"] = _percent(self.unexpected, self.checked)
            result["unexpected_percent_total"] = _percent(self.unexpected, rows)
            if samples:
                result["partial_unexpected_list"] = [item.value for item in self.sample]
                result["partial_unexpected_index_list"] = [item.row for item in self.sample]
        return result


class FailingRow(NamedTuple):
    """A failed expectation as a line of a table in the terminal."""

    expectation: str
    rows: str
    """`12 of 4,000 (0.3 %)`, the observed value, or why it could not be evaluated."""
    sample: str
    """`row 7: 'XX', row 19: 'YY'`; empty where no single row is to blame."""
    severity: str
    where: str


@dataclass(frozen=True)
class ContractReport:
    contract: str
    digest: str
    """Of the contract."""
    rows: int
    results: tuple[ExpectationResult, ...]

    @property
    def passed(self) -> bool:
        """No critical expectation failed."""
        return not any(r.expectation.severity is Severity.CRITICAL for r in self.failures)

    @property
    def failures(self) -> tuple[ExpectationResult, ...]:
        """Every failed expectation, of whatever severity."""
        return tuple(result for result in self.results if not result.success)

    def as_json(self, *, samples: bool = True) -> dict[str, Any]:
        """Like Great Expectations' validation result, where `success` is `passed`.

        Pass `samples=False` for whatever outlives the data: samples are rows of it.
        """
        failed = len(self.failures)
        return {
            "success": self.passed,
            "suite_name": self.contract,
            "results": [r.as_json(rows=self.rows, samples=samples) for r in self.results],
            "statistics": {
                "evaluated_expectations": len(self.results),
                "successful_expectations": len(self.results) - failed,
                "unsuccessful_expectations": failed,
                "success_percent": _percent(len(self.results) - failed, len(self.results)),
            },
            "meta": {"contract_digest": self.digest, "rows": self.rows},
        }


def _percent(part: int, whole: int) -> float | None:
    return 100.0 * part / whole if whole else None
