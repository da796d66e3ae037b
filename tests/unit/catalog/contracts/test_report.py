import json
from typing import Any

import polars as pl

from freehold.catalog.contracts import evaluate, failing_rows, failure, parse
from freehold.domain.contract import ContractReport

TABLE = pl.DataFrame({"origin": ["EWR", "XXX", None, "JFK"], "distance": [1.0, 2.0, 3.0, -4.0]})


def report(**severities: str) -> ContractReport:
    expectations: list[dict[str, Any]] = [
        {
            "type": "expect_column_values_to_be_in_set",
            "kwargs": {"column": "origin", "value_set": ["EWR", "JFK", "LGA"]},
            "severity": severities.get("origin", "critical"),
        },
        {
            "type": "expect_column_mean_to_be_between",
            "kwargs": {"column": "distance", "min_value": 0.75},
            "severity": severities.get("distance", "critical"),
        },
        {"type": "expect_column_to_exist", "kwargs": {"column": "origin"}},
        {
            "type": "expect_column_max_to_be_between",
            "kwargs": {"column": "arrival", "min_value": "2013-01-01"},
            "severity": severities.get("arrival", "critical"),
        },
    ]
    text = json.dumps({"name": "flights", "expectations": expectations}, indent=0)
    return evaluate(parse(text, "contracts/flights.json"), TABLE)


def test_a_failed_critical_expectation_fails_the_contract() -> None:
    found = report()
    assert not found.passed
    assert [result.success for result in found.results] == [False, False, True, False]


def test_warnings_are_reported_and_fail_nothing() -> None:
    found = report(origin="warning", distance="info", arrival="warning")
    assert found.passed
    assert len(found.failures) == 3
    assert found.as_json()["statistics"]["unsuccessful_expectations"] == 3


def test_failing_rows_say_what_how_many_and_which() -> None:
    rows = failing_rows(report(origin="info"))
    assert [row.severity for row in rows] == ["critical", "critical", "info"]
    distance, arrival, origin = rows
    assert distance.rows == "observed 0.5"
    assert arrival.rows == "the table has no column 'arrival'"
    assert origin.rows == "1 of 3 rows (33 %)"
    assert origin.sample == "row 1: 'XXX'"
    assert origin.where == "contracts/flights.json:4"
    assert origin.expectation.startswith("expect_column_values_to_be_in_set(column='origin'")


def test_the_error_has_one_fault_for_each_failed_critical_expectation() -> None:
    error = failure(report(arrival="warning"), "raw flights")
    assert error.code == "contract.failed"
    assert [fault.code for fault in error.faults] == ["contract.failed"] * 2
    assert "row 1: 'XXX'" in str(error)
    assert "raw flights does not satisfy its contract flights" in str(error)
    assert "2 of 4 expectations failed on 4 rows" in error.why


def test_json_is_shaped_like_a_validation_result() -> None:
    found = report().as_json()
    first = found["results"][0]
    assert found["success"] is False
    assert found["suite_name"] == "flights"
    assert found["statistics"] == {
        "evaluated_expectations": 4,
        "successful_expectations": 1,
        "unsuccessful_expectations": 3,
        "success_percent": 25.0,
    }
    assert first["expectation_config"]["type"] == "expect_column_values_to_be_in_set"
    assert first["result"] == {
        "element_count": 4,
        "missing_count": 1,
        "missing_percent": 25.0,
        "unexpected_count": 1,
        "unexpected_percent": 100 / 3,
        "unexpected_percent_total": 25.0,
        "partial_unexpected_list": ["XXX"],
        "partial_unexpected_index_list": [1],
    }
    assert found["results"][1]["result"]["observed_value"] == 0.5
    assert found["results"][3]["exception_info"]["raised_exception"] is True


def test_json_without_samples_holds_no_value_of_the_data() -> None:
    assert "XXX" not in json.dumps(report().as_json(samples=False))
