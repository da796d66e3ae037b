"""An exit is read back by other tools, where Freehold cannot be imported; damage is found."""

import ast
import json
import subprocess
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from freehold.app.drill.exit.leaving import TEMPLATES, Written
from freehold.app.drill.exit.reading import joints_of, read_back, read_joint
from freehold.domain.errors import AdapterFailed, IntegrityError

SCRIPTS = sorted((TEMPLATES / "read_back").glob("*.py"))
READERS = Path(__file__).parents[3] / ".environments" / "readers" / "bin" / "python"
"""`make readers`."""
PROMISED = {
    "tables": {"Parquet", "Apache Iceberg"},
    "model": {"MLflow model, ONNX"},
    "model signature": {"OpenSSF Model Signing"},
    "pipeline": {"Python, YAML", "Airflow DAG, KFP IR, Argo Workflow"},
    "feature definitions": {"Feast repository"},
    "prediction API": {"Open Inference Protocol v2"},
    "feature API": {"Feast feature server's HTTP"},
    "policies": {"Rego v1"},
    "contracts": {"Great Expectations suite JSON"},
    "lineage": {"OpenLineage"},
    "metrics": {"Prometheus"},
    "traces": {"OTLP"},
    "costs": {"FOCUS"},
    "infrastructure": {"Terraform HCL/JSON, Helm"},
    "history": {"canonical JSON lines, Merkle checkpoints"},
}
"""What the architecture says is open at each joint."""


def test_the_whole_is_read_back_without_freehold(once: tuple[Path, Written]) -> None:
    told: list[str] = []
    found = {one.what: one for one in read_back(once[0], sys.executable, told.append)}
    assert told == list(found)
    assert {what: one.faults for what, one in found.items() if one.faults} == {}
    shape_only = {one.what for one in found.values() if one.proven == "shape only"}
    assert shape_only <= {"contracts", "lineage"}
    assert {one.proven for one in found.values() if one.what not in shape_only} == {"yes"}
    for what in shape_only:
        assert found[what].read_by == ("json",) and found[what].not_proven
    for one in found.values():
        assert one.alone is not None
        assert one.alone["freehold_installed"] is True
        assert one.alone["freehold_modules"] == []
        assert one.alone["flags"] == ["isolated", "dont_write_bytecode"]
    assert found["tables, request logs"].figures.startswith("6 tables, 1 label file, 2 request log")
    assert "2 versions, 4,000 rows" in found["model"].figures
    assert found["model"].figures.endswith("the AUC of the evidence in 2")
    assert found["model"].not_proven == ()
    assert found["model signature"].figures == "2 good, a changed byte refused in 2"
    assert "2 of 2 verdicts as in the history (2 allowed)" in found["policies"].figures
    assert "1 attachment, 1 erased" in found["history"].figures


@pytest.mark.parametrize("what", ["contracts", "lineage"])
def test_the_tool_that_a_file_is_meant_for_reads_it(once: tuple[Path, Written], what: str) -> None:
    """Great Expectations and OpenLineage's client, in an environment that has no Freehold."""
    (listed,) = [one for one in joints_of(once[0])[0] if one["what"] == what]
    found = read_joint(once[0], str(READERS), listed)
    assert (found.proven, found.faults, found.not_proven) == ("yes", (), ())
    assert len(found.read_by) == 2 and found.alone is not None
    assert found.alone["freehold_installed"] is False


def test_reading_back_adds_and_changes_nothing(once: tuple[Path, Written]) -> None:
    files = {path for path in once[0].rglob("*") if path.is_file()}
    listed = json.loads((once[0] / "manifest.json").read_bytes())["files"]
    assert len(files) == len(listed) + 1


def test_all_that_is_promised_is_read_back_or_named(once: tuple[Path, Written]) -> None:
    listed, not_written = joints_of(once[0])
    said: dict[str, set[str]] = {}
    for what, form in [
        *((one["what"].partition(",")[0], one["format"]) for one in listed),
        *((one.what, one.format) for one in not_written),
    ]:
        said.setdefault(what, set()).add(form)
    assert {what: said.get(what) for what in PROMISED} == PROMISED
    assert all(one.why for one in not_written)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_no_script_imports_freehold(script: Path) -> None:
    names = set()
    for node in ast.walk(ast.parse(script.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(str(node.module).partition(".")[0])
    assert "freehold" not in names


def test_a_script_is_run_by_hand_as_the_page_says(left: Any) -> None:
    scripts = left.folder / "read_back"
    for name in ("count_tables.py", "compare_digests.py", "evaluate_policies.py"):
        done = subprocess.run(
            [sys.executable, "-B", f"read_back/{name}", "."],
            cwd=left.folder,
            capture_output=True,
            text=True,
        )
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        assert json.loads(done.stdout)["faults"] == []
    (scripts / "count_tables.py").unlink()
    done = subprocess.run(
        [sys.executable, "-B", "read_back/compare_digests.py", "."],
        cwd=left.folder,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert json.loads(done.stdout)["faults"] == ["read_back/count_tables.py: it is gone"]


class TestAlone:
    """Nothing of Freehold runs where an exit is read back, though it is installed."""

    def script(self, left: Any, text: str) -> Any:
        (left.folder / "read_back" / "own.py").write_text(text)
        listed = {"what": "own", "format": "", "script": "own.py", "install": "install it"}
        return read_joint(left.folder, sys.executable, listed)

    @pytest.mark.parametrize(
        "statement",
        ["import freehold", "import freehold.domain.fact", "from freehold import step"],
    )
    def test_an_import_fails(self, left: Any, statement: str) -> None:
        found = self.script(left, statement)
        assert found.proven == "tool missing"
        assert found.faults[0].startswith("freehold")

    def test_its_files_cannot_be_read(self, left: Any) -> None:
        where = "import freehold; print(freehold.__file__)"
        done = subprocess.run(
            [sys.executable, "-I", "-c", where], capture_output=True, text=True, check=True
        )
        found = self.script(left, f"open({done.stdout.strip()!r}).read()")
        assert found.proven == "no"
        assert "a file of Freehold's" in found.faults[0]

    def test_a_module_that_was_loaded_all_the_same_is_told(self, left: Any) -> None:
        text = 'import sys\nsys.modules["freehold.domain"] = sys\nprint("{}")\nsys.exit(0)\n'
        found = self.script(left, text)
        assert (found.proven, found.faults) == ("no", ("Freehold was loaded: freehold.domain",))

    def test_a_script_that_says_nothing_is_a_fault(self, left: Any) -> None:
        found = self.script(left, "import os\nos._exit(7)\n")
        assert found.faults == ("own.py ended with 7: it said nothing",)


@pytest.mark.parametrize(
    ("what", "missing"),
    [
        ("tables, request logs", "duckdb is not installed: pip install duckdb"),
        ("model signature", "is not installed: pip install model-signing"),
        ("policies", "regopy is not installed: pip install regopy"),
    ],
)
def test_a_tool_that_is_missing_is_named(
    left: Any, bare_python: str, what: str, missing: str
) -> None:
    found = left.read(what, bare_python)
    assert found.proven == "tool missing"
    assert missing in found.faults[0]


def test_no_interpreter_is_an_error_of_its_own(left: Any) -> None:
    with pytest.raises(AdapterFailed) as caught:
        left.read("policies", "/nowhere/python")
    assert caught.value.code == "drill.no-python"


def test_a_folder_that_is_no_exit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(IntegrityError) as caught:
        read_back(tmp_path, sys.executable, lambda _: None)
    assert caught.value.code == "drill.not-an-exit"


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


def table_of(left: Any, kind: str = "artifact") -> Path:
    one = next(one for one in left.json("tables/index.json") if one["kind"] == kind)
    return Path(left.folder / one["path"])


class TestTables:
    @pytest.mark.parametrize("kind", ["artifact", "labels", "requests"])
    def test_a_table_that_was_cut_is_found(self, left: Any, kind: str) -> None:
        cut(table_of(left, kind))
        found = left.read("tables, request logs")
        assert (found.proven, len(found.faults)) == ("no", 1)
        assert found.faults[0].startswith("tables/")

    def test_a_row_too_few_is_found(self, left: Any) -> None:
        path = table_of(left)
        whole = pl.read_parquet(path)
        whole.head(-1).write_parquet(path)
        (fault,) = left.read("tables, request logs").faults
        assert fault.endswith(f"{whole.height - 1} rows, and {whole.height} are known")

    def test_rows_of_another_model_do_not_count(self, left: Any) -> None:
        path = table_of(left, "requests")
        rows = pl.read_parquet(path).with_columns(model=pl.lit("another"))
        rows.write_parquet(path)
        assert "0 rows, and 7 are known" in left.read("tables, request logs").faults[0]


class TestArtifacts:
    def test_bytes_of_another_digest_are_found(self, left: Any) -> None:
        for one in left.json("artifacts/index.json"):
            flip(left.folder / one["path"])
        found = left.read("other artifacts")
        assert len(found.faults) == len(left.json("artifacts/index.json"))

    def test_what_its_tool_does_not_read_is_found(self, left: Any) -> None:
        garbage = b"no booster"

        def claimed(index: list[dict[str, Any]]) -> list[dict[str, Any]]:
            (one, *_) = [one for one in index if one["format"] == "lightgbm"]
            (left.folder / one["path"]).write_bytes(garbage)
            one["digest"] = "sha256:" + sha256(garbage).hexdigest()
            return index

        left.change("artifacts/index.json", claimed)
        (fault,) = left.read("other artifacts").faults
        assert "LightGBMError" in fault

    def test_a_format_that_no_tool_reads_is_a_fault(self, left: Any) -> None:
        left.change("artifacts/index.json", lambda index: [{**index[0], "format": "ours"}])
        (fault,) = left.read("other artifacts").faults
        assert fault.endswith("no other tool is known that reads the format ours")


class TestModels:
    def test_a_payload_that_is_not_its_package_is_found(self, left: Any) -> None:
        flip(left.folder / "models/abandon/1/payload/model.onnx")
        (fault,) = left.read("model").faults
        assert "payload/model.onnx is not the file in package.zip" in fault

    def test_a_package_of_another_digest_is_found(self, left: Any) -> None:
        flip(left.folder / "models/abandon/2/package.zip")
        (fault,) = left.read("model").faults
        assert fault.startswith("abandon@2: ValueError: package.zip has another digest")

    def test_evidence_that_no_table_gives_is_found(self, left: Any) -> None:
        def better(evidence: dict[str, Any]) -> dict[str, Any]:
            evidence["overall"]["auc"]["value"] += 1e-6
            return evidence

        left.change("models/abandon/1/evidence.json", better)
        (fault,) = left.read("model").faults
        assert fault.startswith("abandon@1: ValueError: no table of its run gives the AUC")

    def test_runtimes_that_differ_are_found(self, left: Any) -> None:
        """The other version's ONNX beside this one's model, and a package to match."""
        other = (left.folder / "models/abandon/2/payload/model.onnx").read_bytes()
        (left.folder / "models/abandon/1/payload/model.onnx").write_bytes(other)
        script = left.folder / "read_back/load_models.py"
        text = script.read_text()
        assert "    check_archive(folder, version)\n" in text
        script.write_text(text.replace("    check_archive(folder, version)\n", ""))
        (fault,) = left.read("model").faults
        assert "from mlflow.pyfunc in tables/" in fault

    def test_without_its_table_the_evidence_is_not_proven(self, left: Any) -> None:
        left.change("models/index.json", lambda index: [{**one, "tables": []} for one in index])
        found = left.read("model")
        assert (found.proven, found.faults) == ("yes", ())
        assert "2 versions, 2 rows" in found.figures
        assert len(found.not_proven) == 2


class TestSignatures:
    @pytest.mark.parametrize("name", ["MLmodel", "model.onnx", "code/__pycache__"])
    def test_a_changed_file_is_found(self, left: Any, name: str) -> None:
        flip(left.folder / "models/abandon/1/payload" / name)
        found = left.read("model signature")
        assert len(found.faults) == 1
        assert found.faults[0].startswith("abandon@1:")

    def test_another_version_s_signature_is_found(self, left: Any) -> None:
        other = (left.folder / "models/abandon/2/model.sig").read_bytes()
        (left.folder / "models/abandon/1/model.sig").write_bytes(other)
        assert len(left.read("model signature").faults) == 1

    def test_a_verifier_that_refuses_nothing_is_found(self, left: Any) -> None:
        script = left.folder / "read_back/verify_signatures.py"
        text = script.read_text()
        assert "data[len(data) // 2] ^= 1" in text
        script.write_text(text.replace("data[len(data) // 2] ^= 1", "pass"))
        faults = left.read("model signature").faults
        assert faults[0] == "abandon@1: verified although a byte was changed"


class TestPolicies:
    def test_another_verdict_is_found(self, left: Any) -> None:
        def flipped(verdicts: list[dict[str, Any]]) -> list[dict[str, Any]]:
            return [{**verdicts[0], "allowed": False}, verdicts[1]]

        left.change("models/verdicts.json", flipped)
        (fault,) = left.read("policies").faults
        assert fault == "abandon@1: here it is allowed, in the history it is not"

    def test_another_limit_is_found(self, left: Any) -> None:
        def stricter(limits: dict[str, Any]) -> dict[str, Any]:
            limits["limits"]["baseline"]["auc"] = 0.999
            return limits

        left.change("policies/limits.json", stricter)
        found = left.read("policies")
        assert "0 of 2 verdicts" in found.figures
        assert found.faults[0] == "abandon@1: here it is denied, in the history it is not"

    def test_another_question_is_found(self, left: Any) -> None:
        left.change("models/abandon/1/question.json", lambda one: {**one, "evidence": None})
        assert len(left.read("policies").faults) == 1

    def test_denials_are_compared_rule_by_rule(self, left: Any) -> None:
        question = "models/abandon/1/question.json"
        left.change(question, lambda one: {**one, "signature": {"valid": False}})

        def denied(rules: list[str]) -> Callable[[list[dict[str, Any]]], list[dict[str, Any]]]:
            return lambda verdicts: [{**verdicts[0], "allowed": False, "rules": rules}]

        left.change("models/verdicts.json", denied(["signature/not-valid"]))
        assert left.read("policies").faults == ()
        left.change("models/verdicts.json", denied(["baseline/auc-not-better"]))
        (fault,) = left.read("policies").faults
        assert "which the history does not say" in fault

    def test_no_policy_allows_nothing(self, left: Any) -> None:
        for path in (left.folder / "policies").rglob("*.rego"):
            path.unlink()
        assert len(left.read("policies").faults) == 2

    def test_a_policy_that_is_no_rego_denies(self, left: Any) -> None:
        (left.folder / "policies/signature.rego").write_text("package freehold.signature\n\nnot(")
        assert len(left.read("policies").faults) == 2

    def test_verdicts_of_policies_that_are_gone_are_not_proven(self, left: Any) -> None:
        left.change("models/verdicts.json", lambda all: [{**all[0], "comparable": False}])
        found = left.read("policies")
        assert found.faults == ()
        assert "no longer has" in found.not_proven[0]


class TestContracts:
    @pytest.mark.parametrize(
        ("change", "fault"),
        [
            (lambda one: {**one, "expectations": {}}, "`expectations` is a list"),
            (lambda one: [one], "a suite is an object with a name"),
            (lambda one: {**one, "expectations": [{"type": "expect_x"}]}, "an object with kwargs"),
            (lambda one: {**one, "expectations": [{"kwargs": {}}]}, "has no type"),
        ],
    )
    def test_another_shape_is_found(
        self, left: Any, change: Callable[[Any], Any], fault: str
    ) -> None:
        left.change("contracts/baskets.json", change)
        (found,) = left.read("contracts").faults
        assert found.startswith("contracts/baskets.json: ") and found.endswith(fault)

    def test_who_could_not_be_asked_is_said(self, left: Any, bare_python: str) -> None:
        found = left.read("contracts", bare_python)
        assert (found.proven, found.read_by) == ("shape only", ("json",))
        assert found.not_proven == ("read by Great Expectations: pip install great-expectations",)


class TestLineage:
    @pytest.mark.parametrize(
        "change",
        [
            {"eventType": "MADE"},
            {"eventTime": "2024-01-01T00:00:00"},
            {"run": {"runId": "run-1"}},
            {"job": {"namespace": "", "name": "train"}},
            {"producer": "us"},
            {"inputs": None},
        ],
    )
    def test_an_event_that_is_none_is_found(self, left: Any, change: dict[str, Any]) -> None:
        path = left.folder / "lineage/openlineage.jsonl"
        lines = path.read_text().splitlines()
        lines[2] = json.dumps({**json.loads(lines[2]), **change})
        path.write_text("\n".join(lines))
        (fault,) = left.read("lineage").faults
        assert fault.startswith("openlineage.jsonl line 3: ")

    def test_a_package_leads_back_to_the_first_table(self, left: Any) -> None:
        lines = (left.folder / "lineage/openlineage.jsonl").read_text().splitlines()
        made = {
            output["name"]: [one["name"] for one in event["inputs"]]
            for event in map(json.loads, lines)
            if event["eventType"] == "COMPLETE"
            for output in event["outputs"]
        }
        version = left.json("models/index.json")[0]
        reached, ahead = set(), [version["package"]]
        while ahead:
            name = ahead.pop()
            if name not in reached:
                reached.add(name)
                ahead += made.get(name, [])
        tables = {
            one["digest"]
            for one in left.json("tables/index.json")
            for made in one.get("made", ())
            if (made.get("step"), made.get("run")) == ("baskets", version["run"])
        }
        assert len(tables) == 1
        assert tables <= reached


class TestHistory:
    def log(self, left: Any) -> Path:
        return Path(left.folder / left.json("history/index.json")[0]["folder"])

    @pytest.mark.parametrize("name", ["entries.jsonl", "checkpoints.jsonl"])
    def test_a_flipped_bit_is_found(self, left: Any, name: str) -> None:
        flip(self.log(left) / name)
        (fault,) = left.read("history").faults
        assert name in fault

    def test_a_log_that_was_cut_is_found(self, left: Any) -> None:
        log = self.log(left)
        for name in ("entries.jsonl", "checkpoints.jsonl"):
            (log / name).write_bytes(b"")
        (fault,) = left.read("history").faults
        assert "0 entries, and" in fault

    def test_a_verifier_that_believes_everything_is_found(self, left: Any) -> None:
        entries = left.json("history/index.json")[0]["entries"]
        (self.log(left) / "verify_ledger.py").write_text(f"print('size {entries} root 0')\n")
        (fault,) = left.read("history").faults
        assert fault.endswith("a flipped bit was not found")

    def test_attachments_are_compared(self, left: Any) -> None:
        index = left.json("history/attachments/index.json")
        (kept,) = [one for one in index if not one["erased"]]
        (erased,) = [one for one in index if one["erased"]]
        flip(left.folder / kept["path"])
        name = erased["attachment"].removeprefix("salted-sha256:")
        (left.folder / "history/attachments" / name).write_bytes(b"back again")
        faults = left.read("history").faults
        assert len(faults) == 2
        assert any(fault.endswith("though it was erased") for fault in faults)


class TestCode:
    def test_what_does_not_parse_is_found(self, left: Any) -> None:
        (left.folder / "code/shop.py").write_text("def (")
        (left.folder / "code/freehold.yaml").write_text("a: [")
        assert len(left.read("pipeline").faults) == 2

    def test_modules_that_need_freehold_are_named(self, left: Any) -> None:
        assert "shop.py" in left.read("pipeline").not_proven[0]


class TestEveryFile:
    def test_each_kind_of_damage_is_found(self, left: Any) -> None:
        flip(left.folder / "models/abandon/1/card.md")
        (left.folder / "models/abandon/1/bom.cdx.json").unlink()
        (left.folder / "models/abandon/1/stranger").write_text("")
        assert left.read("every file").faults == (
            "models/abandon/1/bom.cdx.json: it is gone",
            "models/abandon/1/card.md: it is not what was written",
            "models/abandon/1/stranger: nobody wrote it",
        )
