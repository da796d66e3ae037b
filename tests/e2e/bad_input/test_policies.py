"""Rego that cannot be read: the file and the line, whoever asks."""

from typing import Any

import pytest

VERBS = [["check"], ["policy", "test"]]


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_a_syntax_error_names_file_and_line(project: Any, refused: Any, verb: list[str]) -> None:
    project.change("policies/named.rego", "count(input.model) > 0", "count(input.model > 0")
    lines = (project.folder / "policies" / "named.rego").read_text().splitlines()
    (number,) = [number for number, line in enumerate(lines, 1) if "input.model >" in line]
    faults = refused(*verb)["faults"]
    assert {fault["code"] for fault in faults} == {"policy.syntax"}
    assert f"policies/named.rego:{number}" in {fault["where"] for fault in faults}


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_errors_of_two_files_come_at_once(project: Any, refused: Any, verb: list[str]) -> None:
    project.change("policies/named.rego", "if {\n\tcount", "if [\n\tcount")
    project.write("policies/other.rego", "package freehold.other\n\nrules := {\n")
    places = [fault["where"].rpartition(":") for fault in refused(*verb)["faults"]]
    assert {file for file, _, _ in places} == {"policies/named.rego", "policies/other.rego"}
    assert all(line.isdigit() for _, _, line in places)


def test_bytes_that_are_no_text(project: Any, refused: Any) -> None:
    (project.folder / "policies" / "named.rego").write_bytes(b"package freehold.named\n\xff\xfe\n")
    (fault,) = refused("check")["faults"]
    assert fault["where"].startswith("policies/named.rego")


def test_limits_that_are_no_json(project: Any, refused: Any) -> None:
    project.write("policies/limits.json", '{\n  "limit": 1,\n}\n')
    (fault,) = refused("check")["faults"]
    assert fault["where"] == "policies/limits.json:3"


def test_a_test_that_fails_is_exit_code_1(project: Any) -> None:
    text = "package freehold.named_test\n\nimport rego.v1\n\nimport data.freehold.named\n\n"
    text += "test_says_no if {\n\tcount(named.deny) == 1 with input as {}\n}\n\n"
    text += 'test_says_yes if {\n\tcount(named.deny) == 1 with input as {"model": "m"}\n}\n'
    project.write("policies/named_test.rego", text)
    said = project.freehold("policy", "test")
    assert said.code == 1
    assert "error[policy.test-failed]: 1 of 2 policy tests failed" in said.err
    assert "because: test_says_yes" in said.err
    found = project.freehold("policy", "test", "--json")
    assert found.code == 1
    assert {one["name"]: one["passed"] for one in found.json["tests"]} == {
        "test_says_no": True,
        "test_says_yes": False,
    }


@pytest.mark.parametrize("name", ["policies/other.rego", "policies/limits.json"])
def test_bytes_that_are_no_text_are_a_fault_that_names_the_file(
    project: Any, refused: Any, name: str
) -> None:
    project.freehold("check")
    (project.folder / name).write_bytes(b"# one\n# two\xff\n")
    (fault,) = refused("check")["faults"]
    assert fault["code"] == "policy.syntax"
    assert fault["where"] == f"{name}:2"
    assert "UTF-8" in fault["what"]
