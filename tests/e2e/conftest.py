"""A small project that needs only the core install, and `freehold` as a user types it."""

import contextlib
import io
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from summed_model import sigmoid_of_the_sum

from freehold.adapters.signing.model_signing import OpenSSFModelSigning
from freehold.app.site.opening import open_site
from freehold.catalog.package import admit, pack
from freehold.cli.main import run
from freehold.domain.canonical import canonical
from freehold.domain.columns import Column, Columns
from freehold.domain.fact import Draft
from freehold.domain.package import Admission
from freehold.domain.verdict import Verdict

PROJECT = """\
project: tiny
pipelines:
  sums: steps:sums
contracts:
  - step: numbers
    suite: contracts/numbers.json
policies: policies
"""
STEPS = '''\
"""Three steps; each leaves a line in marks.txt when it runs."""

from pathlib import Path

import polars as pl

from freehold import pipeline, step

MARKS = Path(__file__).parent / "marks.txt"


def mark(name: str) -> None:
    with MARKS.open("a") as file:
        file.write(name + "\\n")


@step
def numbers(rows: int) -> pl.DataFrame:
    mark("numbers")
    return pl.DataFrame({"n": range(rows)})


@step
def doubled(table: pl.DataFrame) -> pl.DataFrame:
    mark("doubled")
    return table.with_columns(pl.col("n") * 2)


@step
def total(table: pl.DataFrame) -> int:
    mark("total")
    return int(table["n"].sum())


@pipeline
def sums(rows: int = 4) -> int:
    return total(doubled(numbers(rows)))
'''
SUITE = {
    "name": "numbers",
    "expectations": [
        {"type": "expect_column_to_exist", "kwargs": {"column": "n"}},
        {
            "type": "expect_column_values_to_be_between",
            "kwargs": {"column": "n", "min_value": 0, "max_value": 9},
        },
    ],
}
POLICY = """\
package freehold.named

import rego.v1

rules := {"no-name"}

requires := {"input.model": "string"}

cleared contains "no-name" if {
	count(input.model) > 0
}

deny contains {"rule": "no-name", "message": "it has no name"} if {
	not "no-name" in cleared
}
"""


@dataclass(frozen=True)
class Said:
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class Project:
    folder: Path
    started: "list[subprocess.Popen[str]]" = field(default_factory=list)

    def freehold(self, *arguments: str) -> Said:
        """In this process, from the project's folder, with nobody there to be asked."""
        self._forget_modules()
        out, err = io.StringIO(), io.StringIO()
        with (
            contextlib.chdir(self.folder),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            code = run(list(arguments))
        return Said(code, out.getvalue(), err.getvalue())

    def start(self, *arguments: str, **more: Any) -> "subprocess.Popen[str]":
        """In a process of its own."""
        process = subprocess.Popen(
            [sys.executable, "-m", "freehold.cli.main", *arguments],
            cwd=self.folder,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **more,
        )
        self.started.append(process)
        return process

    def finish(self, process: "subprocess.Popen[str]") -> Said:
        out, err = process.communicate(timeout=60)
        return Said(process.returncode, out, err)

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def change(self, name: str, before: str, after: str) -> None:
        text = (self.folder / name).read_text()
        assert before in text
        self.write(name, text.replace(before, after))

    def marks(self) -> list[str]:
        """Names of the steps that ran, in order."""
        path = self.folder / "marks.txt"
        return path.read_text().split() if path.exists() else []

    def entries(self) -> list[dict[str, Any]]:
        """Every fact of the ledger, read without Freehold."""
        path = self.folder / ".freehold" / "ledger.db"
        if not path.exists():
            return []
        with contextlib.closing(sqlite3.connect(path)) as connection:
            rows = connection.execute("SELECT encoded FROM entries ORDER BY sequence").fetchall()
        return [json.loads(row[0]) for row in rows]

    def types(self) -> list[str]:
        return [str(fact["type"]) for fact in self.entries()]

    def serve(self, *versions: int, run: str = "") -> None:
        """An endpoint for the model `delay`, and these versions of it, of which none is released
        yet. What is to travel to other sites comes of a run that there was."""
        path = self.folder / "freehold.yaml"
        path.write_text(path.read_text() + SERVED)
        for version in versions:
            register(self, version, run or f"run-{version}")

    def standing(self) -> dict[str, Any]:
        """What must stay as it is when a command refuses: the ledger's facts and all files."""
        state = {
            path.relative_to(self.folder).as_posix(): sha256(path.read_bytes()).hexdigest()
            for path in sorted(self.folder.rglob("*"))
            if path.is_file() and not {"locks", "__pycache__"} & set(path.parts)
            if not path.name.startswith("ledger.db")
        }
        return {**state, "ledger": self.entries()}

    def objects(self) -> list[Path]:
        """Files of the artifact store that hold artifacts, not attachments."""
        folder = self.folder / ".freehold" / "objects" / "artifacts"
        return sorted(path for path in folder.rglob("*") if path.is_file())

    def _forget_modules(self) -> None:
        """As a new process would begin."""
        for name, module in list(sys.modules.items()):
            origin = getattr(module, "__file__", None)
            if origin and Path(origin).is_relative_to(self.folder):
                del sys.modules[name]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setattr(sys, "path", list(sys.path))
    made = Project(tmp_path / "tiny")
    made.write("freehold.yaml", PROJECT)
    made.write("steps.py", STEPS)
    made.write("contracts/numbers.json", json.dumps(SUITE, indent=2))
    made.write("policies/named.rego", POLICY)
    yield made
    for process in made.started:
        process.kill()
        process.communicate()
    made._forget_modules()


@pytest.fixture
def neighbours(project: Project) -> Callable[..., tuple[Project, Project]]:
    """Makes two checkouts, of onprem and of aws, that believe each other's keys.

    Given what else stands in the project file, in the steps, and of each site.
    """

    def make(file: str, steps: str, **more: str) -> tuple[Project, Project]:
        second = Project(project.folder.parent / "second")
        places = {"onprem": project, "aws": second}
        stores, keys = project.folder.parent / "stores", dict.fromkeys(places, "")
        for _ in range(2):
            for site, one in places.items():
                sites = "".join(
                    f'  {name}: {{store: {{at: "file://{stores}/{name}"}}, keys: [{keys[name]}]'
                    f"{more.get(name, '')}}}\n"
                    for name in places
                )
                one.write("steps.py", steps)
                one.write("freehold.yaml", f"{file}site: {site}\nsites:\n{sites}")
                with open_site(one.folder) as opened:
                    keys[site] = opened.signer.public.fingerprint
        return project, second

    return make


SERVED = """
models:
  delay:
    pipeline: sums
endpoint:
  model: delay
  port: 0
"""


def register(
    project: Project, version: int, run: str, model: Mapping[str, bytes] | None = None
) -> None:
    """A version of the model `delay` in the history, signed and admitted, without training.

    `model`: files that answer, if not the sum's sigmoid.
    """
    with contextlib.chdir(project.folder), open_site() as site:
        columns = Columns((Column("distance", "number"), Column("carrier", "category", ("AA",))))
        files = {
            "columns.json": canonical(columns.as_json()),
            **(model or {"model.onnx": sigmoid_of_the_sum(float(version))}),
        }
        payload = pack(files)
        with TemporaryDirectory() as folder:
            signature = Path(folder) / "model.sig"
            for name, data in files.items():
                target = Path(folder) / "payload" / name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(data)
            OpenSSFModelSigning().sign(Path(folder) / "payload", site.key_path, signature)
            signed = site.artifacts.put(signature.read_bytes())
        verdict = Verdict(True, (), ("named/no-name",), "sha256:0")
        admission = admit(Admission("delay", version, payload.digest, verdict), site.signer)
        about = {"model": "delay", "version": version}
        registered = {
            **about,
            "run": run,
            "package": {"digest": site.artifacts.put(payload.data), "size": len(payload.data)},
            "attestations": {"model.sig": signed},
            "headline": {},
            "champion": None,
            "rows": {"training": 1, "evaluation": 1},
        }
        judged = {
            **about,
            "allowed": True,
            "rules": [],
            "policy": "sha256:0",
            "attestations": {"admission.json": site.artifacts.put(admission)},
        }
        site.ledger.append([Draft("model.registered", registered)])
        site.ledger.append([Draft("model.judged", judged)])


@pytest.fixture
def registered(project: Project) -> Callable[..., None]:
    """Puts a version of the model `delay` into the project's history."""

    def put(version: int, model: Mapping[str, bytes]) -> None:
        register(project, version, f"run-{version}", model)

    return put


@pytest.fixture
def serving(project: Project) -> Project:
    """The project with two versions of a model, the first released."""
    project.serve(1, 2)
    assert project.freehold("release", "delay@1", "--yes").code == 0
    return project


@pytest.fixture
def refused(project: Project) -> Callable[..., dict[str, Any]]:
    """Types a command twice, for people and for machines, and gives its error as a mapping.

    Checks what holds of every refusal: the shape, the exit code, and that nothing changed.
    """

    def type_it(*arguments: str, exit_code: int = 1, changes: bool = False) -> dict[str, Any]:
        before = project.standing()
        plain = project.freehold(*arguments)
        said = project.freehold(*arguments, "--json")
        if not changes:
            assert project.standing() == before
        assert (plain.code, said.code) == (exit_code, exit_code), plain.err
        error = said.json["error"]
        assert error.keys() == {"code", "what", "because", "hint", "faults"}
        lines = plain.err.splitlines()
        begin = lines.index(f"error[{error['code']}]: {error['what']}".splitlines()[0])
        told = "\n".join(lines[begin:])
        if error["because"]:
            assert f"  because: {error['because']}" in told
        if error["hint"]:
            assert f"  hint: {error['hint']}" in told
        for fault in error["faults"]:
            place = f"{fault['where']}: " if fault["where"] else ""
            assert f"  - [{fault['code']}] {place}{fault['what']}" in told
        assert error["because"] or error["faults"], "it does not say why"
        assert error["hint"] or all(fault["hint"] for fault in error["faults"]), "no hint"
        assert "Traceback" not in plain.err
        assert error["code"] != "freehold.bug"
        return dict(error)

    return type_it
