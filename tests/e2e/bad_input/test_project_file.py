"""`freehold.yaml` with faults: every verb names them all, with lines, and changes nothing."""

from typing import Any

import pytest

BROKEN = """\
project: tiny
colour: red
pipelines:
  sums: absent:sums
cache: perhaps
parallel: [1, 2]
contracts:
  - step: numbers
    suite: contracts/absent.json
policies: rules
release:
  steps: "5, 25"
  minimum_row: 3
"""
FAULTS = {
    "freehold.yaml:2": "project.unknown-key",
    "freehold.yaml:4": "project.missing-file",
    "freehold.yaml:5": "project.wrong-type",
    "freehold.yaml:6": "project.wrong-type",
    "freehold.yaml:9": "project.missing-file",
    "freehold.yaml:10": "project.missing-file",
    "freehold.yaml:12": "project.wrong-type",
    "freehold.yaml:13": "project.unknown-key",
}
VERBS = [
    ["check"],
    ["plan"],
    ["run", "--yes"],
    ["run", "--resume", "--yes"],
    ["runs"],
    ["models"],
    ["release", "tiny@1", "--yes"],
    ["status"],
    ["signals"],
    ["why", "tiny@1"],
    ["audit", "verify"],
    ["policy", "test"],
]


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_unknown_keys_wrong_types_and_missing_files_come_at_once(
    project: Any, refused: Any, verb: list[str]
) -> None:
    assert project.freehold("run", "--yes").code == 0
    project.write("freehold.yaml", BROKEN)
    error = refused(*verb)
    assert error["code"] == "project.invalid"
    assert {fault["where"]: fault["code"] for fault in error["faults"]} == FAULTS
    assert [fault["where"] for fault in error["faults"]] == list(FAULTS)


def test_a_fault_says_what_is_meant(project: Any, refused: Any) -> None:
    project.write("freehold.yaml", BROKEN)
    what = {fault["where"]: (fault["what"], fault["hint"]) for fault in refused("check")["faults"]}
    assert "'colour'" in what["freehold.yaml:2"][0]
    assert "absent" in what["freehold.yaml:4"][0]
    assert "true or false" in what["freehold.yaml:5"][0]
    assert "'perhaps'" in what["freehold.yaml:5"][0]
    assert "contracts/absent.json" in what["freehold.yaml:9"][0]
    assert "minimum_rows" in what["freehold.yaml:13"][1]


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        ("", "project.empty", 1),
        ("project: tiny\npipelines:\n  sums: [\n", "project.syntax", 4),
        ("project: tiny\n  pipelines: x\n", "project.syntax", 2),
        ("- a\n- b\n", "project.wrong-type", 1),
        ("[" * 20_000, "project.syntax", 1),
        ("project: tiny\nproject: again\npipelines: {}\n", "project.duplicate-key", 2),
    ],
)
def test_what_is_no_project_file(
    project: Any, refused: Any, text: str, code: str, line: int
) -> None:
    project.write("freehold.yaml", text)
    (fault, *_) = refused("check")["faults"]
    assert (fault["code"], fault["where"]) == (code, f"freehold.yaml:{line}")


def test_a_site_is_not_begun_by_a_command_that_fails(project: Any, refused: Any) -> None:
    project.write("freehold.yaml", BROKEN)
    for verb in VERBS:
        refused(*verb)
    assert not (project.folder / ".freehold").exists()


def test_bytes_that_are_no_text(project: Any, refused: Any) -> None:
    (project.folder / "freehold.yaml").write_bytes(b"project: \xff\xfe\n")
    assert refused("check")["code"] == "project.invalid"


def test_a_folder_without_a_project(project: Any, refused: Any) -> None:
    (project.folder / "freehold.yaml").unlink()
    for verb in VERBS:
        error = refused(*verb)
        assert error["code"] == "project.not-found"
        assert "freehold init" in error["hint"]


def test_a_wrong_command_line_is_exit_code_2(project: Any, refused: Any) -> None:
    project.freehold("status")
    for arguments in (
        ["run", "--colour"],
        ["fly"],
        ["run", "absent", "--yes"],
        ["run", "--yes", "--set", "rows"],
        ["run", "--yes", "--set", "rows=many"],
        ["run", "--yes", "--set", "columns=4"],
        ["release", "tiny", "--yes"],
    ):
        assert refused(*arguments, exit_code=2)["code"].startswith("usage")
    assert project.types() == ["site.opened"]


def test_nothing_is_run_when_nobody_can_be_asked(project: Any) -> None:
    assert project.freehold("plan").code == 0
    before = project.standing()
    said = project.freehold("run")
    assert said.code == 2
    assert "error[usage.needs-yes]" in said.err
    assert project.standing() == before
    assert project.marks() == []
