"""A contract on a table: one select for all figures, a second only to find the rows that broke
a rule."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import polars as pl

from freehold.catalog.contracts import column_rules, row_rules
from freehold.catalog.contracts.selection import (
    ROWS,
    Aggregates,
    Check,
    ColumnCheck,
    RowCheck,
    Selection,
)
from freehold.catalog.contracts.values import Unfit, json_value
from freehold.domain.contract import (
    Contract,
    ContractReport,
    Expectation,
    ExpectationResult,
    UnexpectedRow,
)
from freehold.domain.errors import StorageFailed

SAMPLE = 5
"""Unexpected rows shown of each failed expectation."""

BUILDERS: Mapping[str, Callable[[Expectation, Selection], Check]] = {
    "expect_column_to_exist": column_rules.existence,
    "expect_column_values_to_be_of_type": column_rules.column_type,
    "expect_column_values_to_be_in_type_list": column_rules.column_type,
    "expect_table_row_count_to_be_between": column_rules.row_count,
    "expect_column_values_to_not_be_null": row_rules.not_null,
    "expect_column_values_to_be_unique": row_rules.unique,
    "expect_column_proportion_of_unique_values_to_be_between": column_rules.unique_proportion,
    "expect_column_values_to_be_between": row_rules.between,
    "expect_column_values_to_be_in_set": row_rules.in_set,
    "expect_column_values_to_match_regex": row_rules.regex,
    "expect_column_mean_to_be_between": column_rules.mean,
    "expect_column_quantile_values_to_be_between": column_rules.quantiles,
    "expect_column_max_to_be_between": column_rules.maximum,
}


def evaluate(contract: Contract, table: pl.DataFrame | pl.LazyFrame) -> ContractReport:
    """How far a table satisfies a contract; that it does not is in the report, never raised.

    A lazy table is read once if every rule holds and twice if not. Raises StorageFailed
    (`contract.table-unreadable`) when what it scans cannot be read.
    """
    if isinstance(table, pl.DataFrame):
        return _evaluate(contract, table.lazy())
    try:
        return _evaluate(contract, table)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise StorageFailed(
            "the table cannot be read",
            why=str(error),
            code="contract.table-unreadable",
            hint="check that the file is whole and of the format that it is read as",
        ) from error


def _evaluate(contract: Contract, table: pl.LazyFrame) -> ContractReport:
    selection = Selection(table.collect_schema())
    checks = [_check(expectation, selection) for expectation in contract.expectations]
    found = table.select(selection.expressions()).collect().row(0, named=True)
    results = [_result(check, found) for check in checks]
    broken = [
        (index, check)
        for index, check in enumerate(checks)
        if isinstance(check, RowCheck) and not results[index].success
    ]
    if broken:
        sampled = _sampled(table, [check for _, check in broken], found)
        for (index, _), result in zip(broken, sampled, strict=True):
            results[index] = result
    return ContractReport(contract.name, contract.digest, found[ROWS], tuple(results))


def _check(expectation: Expectation, selection: Selection) -> Check:
    column, exists = expectation.column, expectation.type == "expect_column_to_exist"
    try:
        if column is not None and not exists and column not in selection.schema:
            raise Unfit(f"the table has no column {column!r}")
        return BUILDERS[expectation.type](expectation, selection)
    except Unfit as unfit:
        result = ExpectationResult(expectation, success=False, problem=str(unfit))
        return ColumnCheck(lambda _: result)


def _result(check: Check, found: Aggregates) -> ExpectationResult:
    if isinstance(check, ColumnCheck):
        return check.judge(found)
    suspects = check.suspects(found)
    result = check.judge(found, suspects)
    return result if check.exact or not suspects else replace(result, success=False)


def _sampled(
    table: pl.LazyFrame, checks: Sequence[RowCheck], found: Aggregates
) -> list[ExpectationResult]:
    """The exact counts, and the first unexpected rows where too many are."""
    wanted: list[pl.Expr] = []
    for index, check in enumerate(checks):
        values = pl.col(check.expectation.kwargs["column"])
        wanted += [
            check.unexpected.sum().alias(f"count {index}"),
            pl.arg_where(check.unexpected).head(SAMPLE).implode().alias(f"rows {index}"),
            values.filter(check.unexpected).head(SAMPLE).implode().alias(f"values {index}"),
        ]
    row = table.select(wanted).collect().row(0, named=True)
    results: list[ExpectationResult] = []
    for index, check in enumerate(checks):
        result = check.judge(found, row[f"count {index}"])
        pairs = zip(row[f"rows {index}"], row[f"values {index}"], strict=True)
        sample = tuple(UnexpectedRow(at, json_value(value)) for at, value in pairs)
        results.append(result if result.success else replace(result, sample=sample))
    return results
