"""Steps that do not fit, that raise, and data that breaks its contract."""

import json
from typing import Any

import pytest

COMMANDS = [["check"], ["plan"], ["run", "--yes"]]


def line_of(project: Any, text: str, file: str = "steps.py") -> int:
    lines = (project.folder / file).read_text().splitlines()
    (number,) = [number for number, line in enumerate(lines, 1) if text in line]
    return number


@pytest.mark.parametrize("verb", COMMANDS, ids=" ".join)
def test_types_that_do_not_meet(project: Any, refused: Any, verb: list[str]) -> None:
    project.freehold("plan")
    project.change("steps.py", "def total(table: pl.DataFrame)", "def total(table: str)")
    (fault,) = refused(*verb)["faults"]
    assert fault["code"] == "pipeline.types"
    assert "'total' asks for str" in fault["what"]
    assert "'doubled'" in fault["what"]
    assert fault["where"] == f"steps.py:{line_of(project, 'return total(')}"
    assert project.marks() == []


@pytest.mark.parametrize("verb", COMMANDS, ids=" ".join)
def test_a_cycle(project: Any, refused: Any, verb: list[str]) -> None:
    project.freehold("plan")
    project.change("steps.py", "@step\ndef numbers", '@step(after=["total"])\ndef numbers')
    (fault,) = refused(*verb)["faults"]
    assert fault["code"] == "pipeline.cycle"
    for name in ("numbers", "doubled", "total"):
        assert name in fault["what"]
    assert fault["where"].startswith("steps.py:")
    assert project.marks() == []


def test_faults_of_steps_contracts_and_policies_come_at_once(project: Any, refused: Any) -> None:
    project.change("steps.py", "def total(table: pl.DataFrame)", "def total(table: str)")
    project.change("contracts/numbers.json", "to_exist", "to_be_lovely")
    project.write(
        "policies/broken.rego", "package freehold.broken\n\nimport rego.v1\n\ndeny if {\n"
    )
    places = {fault["where"].partition(":")[0] for fault in refused("check")["faults"]}
    assert places == {"steps.py", "contracts/numbers.json", "policies/broken.rego"}


@pytest.mark.parametrize("verb", COMMANDS, ids=" ".join)
def test_python_that_cannot_be_read(project: Any, refused: Any, verb: list[str]) -> None:
    project.freehold("plan")
    project.change("steps.py", "    return total(doubled", "    return total((doubled")
    (fault,) = refused(*verb)["faults"]
    assert fault["code"] == "project.import"
    assert "SyntaxError" in fault["what"]
    assert fault["where"] == f"steps.py:{line_of(project, 'return total((')}"


@pytest.mark.parametrize("verb", COMMANDS, ids=" ".join)
def test_python_that_raises_when_imported(project: Any, refused: Any, verb: list[str]) -> None:
    project.freehold("plan")
    project.write("steps.py", (project.folder / "steps.py").read_text() + "\nRATIO = 1 / 0\n")
    (fault,) = refused(*verb)["faults"]
    assert "ZeroDivisionError" in fault["what"]
    assert fault["where"] == f"steps.py:{line_of(project, 'RATIO')}"


def test_python_that_ends_the_process_when_imported(project: Any, refused: Any) -> None:
    project.write("steps.py", (project.folder / "steps.py").read_text() + "\nraise SystemExit(0)\n")
    (fault,) = refused("check")["faults"]
    assert "SystemExit" in fault["what"]
    assert fault["where"] == f"steps.py:{line_of(project, 'SystemExit')}"


@pytest.mark.parametrize("verb", COMMANDS, ids=" ".join)
def test_a_pipeline_that_raises_when_traced(project: Any, refused: Any, verb: list[str]) -> None:
    project.freehold("plan")
    project.change(
        "steps.py", "    return total(doubled", "    rows // 0\n    return total(doubled"
    )
    (fault,) = refused(*verb)["faults"]
    assert "'sums'" in fault["what"] and "ZeroDivisionError" in fault["what"]
    assert fault["where"] == f"steps.py:{line_of(project, 'rows // 0')}"


@pytest.mark.parametrize("verb", COMMANDS, ids=" ".join)
def test_a_module_that_a_step_imports_late_and_cannot_be_read(
    project: Any, refused: Any, verb: list[str]
) -> None:
    project.freehold("plan")
    project.write("late.py", "def answer(:\n")
    project.change("steps.py", '    mark("total")', '    import late\n    mark("total")')
    (fault,) = refused(*verb)["faults"]
    assert "SyntaxError" in fault["what"]
    assert fault["where"] == "late.py:1"


RAISING = """\
    mark("doubled")
    assert_small(table)
    return table.with_columns(pl.col("n") * 2)


def assert_small(table: pl.DataFrame) -> None:
    table.select(pl.col("absent"))


@step
"""


@pytest.fixture
def raised(project: Any) -> Any:
    """What `freehold run --yes --json` says when its second step raises inside a library."""
    whole = (project.folder / "steps.py").read_text()
    start, end = whole.index('    mark("doubled")'), whole.index("def total")
    project.write("steps.py", whole[:start] + RAISING + whole[end:])
    said = project.freehold("run", "--yes", "--json")
    assert said.code == 1
    project.whole = whole
    return said.json["error"]


def test_a_step_that_raises_is_an_error_that_names_the_place(project: Any, raised: Any) -> None:
    assert raised["code"] == "step.raised"
    assert "'doubled'" in raised["what"]
    assert "ColumnNotFoundError" in raised["because"]
    assert f"steps.py:{line_of(project, 'absent')}" in raised["because"]
    assert "--resume" in raised["hint"]
    said = project.freehold("run", "--yes")
    assert said.code == 1
    assert "error[step.raised]: step 'doubled' failed\n  because: " in said.err
    assert "Traceback" not in said.err


def test_its_traceback_is_kept_with_the_users_frames_first(project: Any, raised: Any) -> None:
    (row,) = project.freehold("runs", "--json").json["runs"]
    assert (row["status"], row["finished"], row["steps"]) == ("failed", 1, 3)
    told = project.freehold("runs", row["run"], "--json").json["traceback"]
    own = [
        told.index(f'File "steps.py", line {line_of(project, text)}')
        for text in ("    assert_small(table)", "absent")
    ]
    assert own[0] < own[1] < told.index("site-packages")
    assert told.startswith("polars.exceptions.ColumnNotFoundError")
    for_people = project.freehold("runs", row["run"])
    assert told in for_people.out
    assert "freehold run --resume" in for_people.err


def test_its_traceback_is_in_no_fact_and_can_be_erased(project: Any, raised: Any) -> None:
    assert "absent" not in json.dumps(project.entries())
    (row,) = project.freehold("runs", "--json").json["runs"]
    name = row["traceback"]
    assert name.startswith("salted-sha256:")
    (file,) = (project.folder / ".freehold" / "objects").rglob(name.removeprefix("salted-sha256:"))
    file.unlink()
    assert project.freehold("audit", "verify").code == 0
    said = project.freehold("runs", row["run"], "--json")
    assert said.code == 0
    assert (said.json["traceback"], said.json["traceback_erased"]) == ("", True)
    assert project.freehold("runs").code == 0


def test_the_run_is_resumed_when_the_step_is_mended(project: Any, raised: Any) -> None:
    (row,) = project.freehold("runs", "--json").json["runs"]
    last = len(project.entries())
    project.write("steps.py", project.whole)
    said = project.freehold("run", "--resume", "--yes", "--json")
    assert said.code == 0
    assert said.json["run"] == row["run"]
    assert [fact["type"] for fact in project.entries()[last:]].count("run.started") == 0
    (row,) = project.freehold("runs", "--json").json["runs"]
    assert (row["status"], row["finished"], row["traceback"]) == ("finished", 3, None)
    assert project.freehold("run", "--resume", "--yes").code == 1


def test_a_step_that_had_finished_does_not_run_again(project: Any) -> None:
    project.write("wrong.txt", "")
    project.change(
        "steps.py",
        '    mark("doubled")',
        '    mark("doubled")\n    assert not MARKS.with_name("wrong.txt").exists()',
    )
    assert project.freehold("run", "--yes").code == 1
    (project.folder / "wrong.txt").unlink()
    assert project.freehold("run", "--resume", "--yes").code == 0
    assert project.marks() == ["numbers", "doubled", "doubled", "total"]


def test_a_step_that_returns_another_type(project: Any) -> None:
    project.change("steps.py", 'return int(table["n"].sum())', 'return str(table["n"].sum())')
    said = project.freehold("run", "--yes", "--json")
    assert said.code == 1
    error = said.json["error"]
    assert error["code"].startswith("step.")
    assert "int" in error["because"] and "str" in error["because"]
    assert error["hint"]


def test_a_step_that_ends_the_process_fails_its_run_only(project: Any) -> None:
    project.change("steps.py", '    mark("doubled")', '    raise SystemExit("enough")')
    said = project.freehold("run", "--yes", "--json")
    assert said.code == 1
    assert said.json["error"]["code"].startswith("step.")
    (row,) = project.freehold("runs", "--json").json["runs"]
    assert row["status"] == "failed"


def test_a_failing_contract_stops_the_run_and_shows_what_broke_it(project: Any) -> None:
    project.freehold("plan")
    said = project.freehold("run", "--yes", "--set", "rows=15", "--json")
    assert said.code == 1
    error = said.json["error"]
    assert error["code"].startswith("contract")
    told = json.dumps(error)
    assert "expect_column_values_to_be_between" in told
    assert "5 of 15" in told
    for value in (10, 11, 12, 13, 14):
        assert str(value) in told
    assert project.marks() == ["numbers"]
    (row,) = project.freehold("runs", "--json").json["runs"]
    assert row["status"] == "failed"
    people = project.freehold("run", "--yes", "--set", "rows=15")
    assert people.code == 1
    assert "expect_column_values_to_be_between" in people.err
    assert "5 of 15" in people.err
    assert set(project.marks()) == {"numbers"}


def test_a_sample_of_rows_is_shown_and_not_recorded(project: Any) -> None:
    project.change("steps.py", "range(rows)}", "[None] * 0 + [1, 777_123]}")
    said = project.freehold("run", "--yes")
    assert "777123" in said.err
    recorded = b"".join(
        path.read_bytes() for path in project.objects() if not path.read_bytes().startswith(b"PAR1")
    )
    assert b"777123" not in recorded
    assert "777123" not in json.dumps(project.entries())


def test_a_run_that_broke_a_contract_goes_on_when_the_data_is_mended(project: Any) -> None:
    project.change("steps.py", "range(rows)}", "[1, 10 + rows]}")
    assert project.freehold("run", "--yes").code == 1
    (row,) = project.freehold("runs", "--json").json["runs"]
    project.change("steps.py", "[1, 10 + rows]}", "[1, 5 + rows]}")
    said = project.freehold("run", "--resume", "--yes", "--json")
    assert (said.code, said.json["run"]) == (0, row["run"])


def test_a_pipeline_with_a_required_parameter_does_not_hinder_another(project: Any) -> None:
    project.change("freehold.yaml", "  sums: steps:sums", "  sums: steps:sums\n  more: steps:more")
    text = "\n\n@pipeline\ndef more(rows: int) -> int:\n    return total(numbers(rows))\n"
    project.write("steps.py", (project.folder / "steps.py").read_text() + text)
    assert project.freehold("check").code == 0
    assert project.freehold("plan", "sums").code == 0
    assert project.freehold("run", "sums", "--yes").code == 0
    assert project.freehold("run", "more", "--yes", "--set", "rows=2").code == 0


@pytest.mark.parametrize("verb", COMMANDS, ids=" ".join)
def test_a_contract_on_a_step_that_makes_no_table(
    project: Any, refused: Any, verb: list[str]
) -> None:
    project.freehold("plan")
    project.change("freehold.yaml", "step: numbers", "step: total")
    (fault,) = refused(*verb)["faults"]
    assert fault["code"] == "contract.not-a-table"
    assert "'total' returns int" in fault["what"]
    assert fault["where"] == f"freehold.yaml:{line_of(project, 'step: total', 'freehold.yaml')}"


def test_a_contract_on_a_step_that_does_not_say_what_it_makes(project: Any) -> None:
    project.change("freehold.yaml", "step: numbers", "step: total")
    project.change("steps.py", ') -> int:\n    mark("total")', ') -> "Any":\n    mark("total")')
    project.change("steps.py", "from pathlib", "from typing import Any\nfrom pathlib")
    assert project.freehold("check").code == 0
    said = project.freehold("run", "--yes", "--json")
    assert said.code == 1
    assert said.json["error"]["code"] == "contract.not-a-table"


@pytest.mark.parametrize("verb", COMMANDS, ids=" ".join)
def test_a_contract_on_a_step_that_is_not_there(
    project: Any, refused: Any, verb: list[str]
) -> None:
    project.freehold("plan")
    project.change("freehold.yaml", "step: numbers", "step: absent")
    (fault,) = refused(*verb)["faults"]
    assert fault["code"] == "contract.unknown-step"
    assert fault["where"] == f"freehold.yaml:{line_of(project, 'absent', 'freehold.yaml')}"
