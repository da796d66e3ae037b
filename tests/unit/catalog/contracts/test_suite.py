import json

import pytest

from freehold.catalog.contracts import KINDS, parse
from freehold.catalog.contracts.evaluation import BUILDERS
from freehold.domain.contract import Severity
from freehold.domain.errors import ProjectInvalid

GOOD = """{
  "name": "flights",
  "expectations": [
    {
      "type": "expect_column_values_to_not_be_null",
      "kwargs": {"column": "origin", "mostly": 0.99},
      "meta": {"owner": "data"},
      "severity": "warning"
    },
    {
      "type": "expect_table_row_count_to_be_between",
      "kwargs": {"min_value": 1, "max_value": null}
    }
  ],
  "meta": {"great_expectations_version": "1.24.1"}
}
"""


def suite(*expectations: object, **more: object) -> str:
    return json.dumps({"name": "s", "expectations": expectations, **more})


def one(kind: str, **kwargs: object) -> str:
    return suite({"type": kind, "kwargs": kwargs})


def codes(text: bytes | str) -> list[str]:
    with pytest.raises(ProjectInvalid) as raised:
        parse(text, "c.json")
    assert raised.value.code == "contract.invalid"
    return [fault.code for fault in raised.value.faults]


def test_a_suite_is_read_with_the_line_of_each_expectation() -> None:
    contract = parse(GOOD, "contracts/flights.json")
    first, second = contract.expectations
    assert contract.name == "flights"
    assert (first.column, first.kwargs["mostly"]) == ("origin", 0.99)
    assert first.severity is Severity.WARNING
    assert second.severity is Severity.CRITICAL
    assert dict(second.kwargs) == {"min_value": 1}
    assert first.where == "contracts/flights.json:4"
    assert second.where == "contracts/flights.json:10"


def test_what_is_written_is_read_again() -> None:
    contract = parse(GOOD.encode(), "c.json")
    again = parse(json.dumps(contract.as_json()), "c.json")
    assert again.as_json() == contract.as_json()
    assert again.digest == contract.digest


def test_older_names_of_keys_are_accepted() -> None:
    older = {
        "expectation_suite_name": "old",
        "data_asset_type": None,
        "ge_cloud_id": None,
        "evaluation_parameters": {},
        "expectations": [{"expectation_type": "expect_column_to_exist", "kwargs": {"column": "a"}}],
    }
    contract = parse(json.dumps(older), "c.json")
    assert contract.name == "old"
    assert contract.expectations[0].type == "expect_column_to_exist"


def test_an_unknown_type_is_an_error_that_lists_the_known() -> None:
    with pytest.raises(ProjectInvalid) as raised:
        parse(one("expect_column_median_to_be_between", column="a"), "c.json")
    assert [fault.code for fault in raised.value.faults] == ["contract.unknown-expectation"]
    assert all(kind in raised.value.hint for kind in KINDS)


def test_every_known_type_can_be_evaluated() -> None:
    assert set(KINDS) == set(BUILDERS)


def test_all_faults_are_reported_at_once_with_path_and_line() -> None:
    text = GOOD.replace('"mostly": 0.99', '"mostly": 99').replace('"max_value"', '"maximum"')
    with pytest.raises(ProjectInvalid) as raised:
        parse(text, "c.json")
    first, second = raised.value.faults
    assert (first.code, first.where) == ("contract.wrong-value", "c.json:6")
    assert first.what.startswith("expectations[0].kwargs.mostly: ")
    assert (second.code, second.where) == ("contract.unknown-argument", "c.json:12")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"\xff\xfe", ["contract.not-json"]),
        ("{", ["contract.not-json"]),
        ('{"name": NaN}', ["contract.not-json"]),
        ('{"name": 1e999}', ["contract.not-json"]),
        ('{"name": 9007199254740993}', ["contract.not-json"]),
        ('{"name": "\\ud800"}', ["contract.not-json"]),
        ("[" * 100_000, ["contract.not-json"]),
        ('{"name": "a", "name": "b", "expectations": []}', ["contract.key-twice"]),
        ("[]", ["contract.wrong-value"]),
        ("3", ["contract.wrong-value"]),
        ("{}", ["contract.missing-key", "contract.missing-key"]),
        (suite(), ["contract.empty"]),
        (suite("x"), ["contract.wrong-value"]),
        (suite({"kwargs": {}}), ["contract.missing-key"]),
        (suite({"type": "expect_column_to_exist"}), ["contract.missing-key"]),
        (suite({"type": 3, "kwargs": []}), ["contract.wrong-value"] * 2),
        (
            suite({"type": "expect_column_to_exist", "kwargs": {"column": "a"}, "typo": 1}),
            ["contract.unknown-key"],
        ),
        (
            suite({"type": "expect_column_to_exist", "kwargs": {"column": "a"}, "severity": "x"}),
            ["contract.wrong-value"],
        ),
        (
            suite({"type": "expect_column_to_exist", "kwargs": {"column": "a"}, "meta": 3}),
            ["contract.wrong-value"],
        ),
        (
            suite(
                {"type": "expect_column_to_exist", "kwargs": {"column": "a"}},
                suite_parameters={"low": 1},
            ),
            ["contract.parameters"],
        ),
        (
            suite({"type": "expect_column_to_exist", "kwargs": {"column": "a"}}, colour="red"),
            ["contract.unknown-key"],
        ),
    ],
)
def test_a_malformed_suite_is_refused(text: bytes | str, expected: list[str]) -> None:
    assert codes(text) == expected


@pytest.mark.parametrize(
    ("kind", "kwargs", "expected"),
    [
        ("expect_column_to_exist", {}, "contract.missing-argument"),
        ("expect_column_to_exist", {"column": ""}, "contract.wrong-value"),
        ("expect_column_to_exist", {"column": "a", "column_index": True}, "contract.wrong-value"),
        ("expect_table_row_count_to_be_between", {}, "contract.no-bound"),
        ("expect_table_row_count_to_be_between", {"min_value": 1.5}, "contract.wrong-value"),
        (
            "expect_table_row_count_to_be_between",
            {"min_value": 2, "max_value": 1},
            "contract.wrong-value",
        ),
        ("expect_column_values_to_be_between", {"column": "a"}, "contract.no-bound"),
        (
            "expect_column_values_to_be_between",
            {"column": "a", "min_value": {"$PARAMETER": "low"}},
            "contract.wrong-value",
        ),
        (
            "expect_column_max_to_be_between",
            {"column": "a", "min_value": "yesterday"},
            "contract.wrong-value",
        ),
        (
            "expect_column_values_to_be_between",
            {"column": "a", "min_value": 1, "strict_min": "yes"},
            "contract.wrong-value",
        ),
        (
            "expect_column_values_to_not_be_null",
            {"column": "a", "row_condition": 'b == "x"', "condition_parser": None},
            "contract.row-condition",
        ),
        (
            "expect_column_values_to_not_be_null",
            {"column": "a", "result_format": "BASIC"},
            "contract.unknown-argument",
        ),
        ("expect_column_values_to_not_be_null", {"column": "a", "mostly": True}, None),
        ("expect_column_values_to_be_of_type", {"column": "a", "type_": "VARCHAR(20)"}, None),
        ("expect_column_values_to_be_in_type_list", {"column": "a", "type_list": []}, None),
        ("expect_column_values_to_be_in_set", {"column": "a", "value_set": None}, None),
        ("expect_column_values_to_be_in_set", {"column": "a", "value_set": [[1]]}, None),
        ("expect_column_values_to_match_regex", {"column": "a", "regex": "("}, None),
        ("expect_column_values_to_match_regex", {"column": "a", "regex": "(?=a)"}, None),
        ("expect_column_mean_to_be_between", {"column": "a", "min_value": "x"}, None),
        (
            "expect_column_quantile_values_to_be_between",
            {"column": "a", "quantile_ranges": {"quantiles": [0.5], "value_ranges": []}},
            None,
        ),
        (
            "expect_column_quantile_values_to_be_between",
            {"column": "a", "quantile_ranges": {"quantiles": [0.5], "value_ranges": [[2, 1]]}},
            None,
        ),
    ],
)
def test_wrong_arguments_are_refused(
    kind: str, kwargs: dict[str, object], expected: str | None
) -> None:
    assert codes(one(kind, **kwargs)) == [expected or "contract.wrong-value"]


def test_the_message_of_a_bad_pattern_says_why() -> None:
    with pytest.raises(ProjectInvalid, match="look-around"):
        parse(one("expect_column_values_to_match_regex", column="a", regex="(?=a)"), "c.json")
