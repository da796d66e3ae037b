"""What a person is told about a contract that a table does not satisfy."""

from freehold.domain.contract import ContractReport, ExpectationResult, FailingRow, Severity
from freehold.domain.errors import ContractFailed, Fault


def failing_rows(report: ContractReport) -> list[FailingRow]:
    """The failed expectations, those that fail the contract first; empty when all hold."""
    order = list(Severity)
    failures = sorted(report.failures, key=lambda f: order.index(f.expectation.severity))
    return [
        FailingRow(
            expectation=str(failure.expectation),
            rows=_rows(failure),
            sample=", ".join(f"row {item.row}: {item.value!r}" for item in failure.sample),
            severity=str(failure.expectation.severity),
            where=failure.expectation.where,
        )
        for failure in failures
    ]


def failure(report: ContractReport, table: str) -> ContractFailed:
    """The error for a report that did not pass: one fault per critical expectation that failed.

    `table` is the dataset's name for people.
    """
    faults = [
        Fault(
            code="contract.failed",
            what=f"{row.expectation}: {row.rows}" + (f"; {row.sample}" if row.sample else ""),
            where=row.where,
        )
        for row in failing_rows(report)
        if row.severity == Severity.CRITICAL
    ]
    return ContractFailed(
        f"{table} does not satisfy its contract {report.contract}",
        why=f"{len(faults)} of {len(report.results)} expectations failed on {report.rows:,} rows",
        faults=faults,
        hint="correct the data at its source; change the contract only if it is the one at fault",
    )


def _rows(result: ExpectationResult) -> str:
    if result.problem:
        return result.problem
    if result.unexpected is None:
        nothing = "nothing" if result.expectation.type == "expect_column_to_exist" else "no value"
        return f"observed {nothing if result.observed is None else result.observed}"
    share = 100 * result.unexpected / result.checked
    return f"{result.unexpected:,} of {result.checked:,} rows ({share:.2g} %)"
