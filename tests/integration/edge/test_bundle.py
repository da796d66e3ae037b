"""A real bundle, of a small project: moved elsewhere, cut off, and asked."""

import http.client
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import grpc
import pytest

from freehold.adapters.obstore.s3 import S3ObjectStore
from freehold.app.edge.taking import edge_requests
from freehold.app.edge.token_key import place_key
from freehold.app.site.opening import open_site
from freehold.app.traffic.token_key import token_key
from freehold.domain.bundle import MANIFEST, read_manifest
from freehold.endpoint.endpoint_process import EndpointProcess
from freehold.serving.inference_messages import ModelInferRequest, ModelInferResponse

ASK = Path(__file__).with_name("cut_off.py")
NEXT = 4
"""Number of the second bundle: three sites may number for one place."""
STDLIB = Path(sysconfig.get_path("stdlib"))


@contextmanager
def running(root: Path, *arguments: str, environment: Mapping[str, str] = {}) -> Iterator[Any]:
    """What its first line says."""
    process = subprocess.Popen(
        [sys.executable, str(root / "run"), "serve", "--port", "0", *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )
    assert process.stdout is not None
    try:
        yield json.loads(process.stdout.readline())
    finally:
        process.terminate()
        process.communicate()
    assert process.returncode == 0


def ask(url: str, body: Any) -> dict[str, Any]:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    connection.request("POST", "/v2/models/delay/infer", json.dumps(body))
    answer = connection.getresponse()
    told = json.loads(answer.read())
    connection.close()
    assert answer.status == 200, told
    return {one["name"]: one["data"] for one in told["outputs"]}


def run(
    root: Path,
    *arguments: str,
    flags: tuple[str, ...] = (),
    environment: Mapping[str, str] = {},
) -> Any:
    command = [sys.executable, *flags, str(root / "run"), *arguments]
    given = {**os.environ, **environment}
    return subprocess.run(command, capture_output=True, text=True, env=given)


def test_what_was_made_is_told_and_a_fact(real: Any) -> None:
    manifest = read_manifest((real.bundle / "current" / MANIFEST).read_bytes())
    assert (
        real.made["bytes"]
        == manifest.size
        == sum(
            path.stat().st_size
            for path in (real.bundle / "current").resolve().rglob("*")
            if path.is_file() and path.name not in (MANIFEST, "bundle.sig")
        )
    )
    assert real.made["seconds_to_answer"] > 0
    assert (manifest.number, manifest.site, manifest.version) == (1, "barn", 1)
    assert manifest.distributions["numpy"] == real.made["distributions"]["numpy"]
    with open_site(real.project.folder) as site:
        facts = [json.loads(line) for _, line in site.ledger.lines()]
    made = [one["body"] for one in facts if one["type"] == "bundle.made"]
    assert [(one["number"], one["version"]) for one in made] == [(1, 1), (NEXT, 2)]
    assert made[0]["manifest"] == real.made["manifest"]
    assert made[1]["manifest"] == real.stepped["manifest"]


def test_it_has_what_answering_needs_and_no_more(real: Any) -> None:
    manifest = read_manifest((real.bundle / "current" / MANIFEST).read_bytes())
    names = set(manifest.distributions)
    assert {"freehold", "polars", "httptools", "onnxruntime", "model-signing", "obstore"} <= names
    assert not names & {"lightgbm", "uvicorn", "regopy", "highspy", "pyyaml", "pandas", "mlflow"}
    ours = {name.split("/")[2] for name in manifest.files if name.startswith("lib/freehold/")}
    assert not ours & {"app", "cli", "console", "agent", "planning", "governance", "templates"}


def test_it_answers_without_a_network_as_the_endpoint_at_home_to_the_bit(
    real: Any, body: Any, expected: Any, tmp_path: Path
) -> None:
    """In a network namespace of its own with nothing but loopback; no socket leads elsewhere."""
    root = real.copy(tmp_path)
    asked = subprocess.run(
        [sys.executable, str(ASK), str(root), json.dumps(body)], capture_output=True, text=True
    )
    assert asked.returncode == 0, asked.stderr
    told = json.loads(asked.stdout)
    assert told["interfaces"] == ["lo"]
    assert set(told["addresses"]) == {"127.0.0.1"}
    with EndpointProcess.start(real.project.folder / ".freehold/sites/home/serving") as home:
        at_home = ask(home.url, body)
    assert told["outputs"]["score"] == at_home["score"]
    assert told["outputs"]["score"] == pytest.approx(expected(1, [0.25, -0.5, 3.0]), abs=1e-6)
    assert told["outputs"]["version"] == [1, 1, 1]


def test_it_answers_by_grpc_where_that_came_along(
    real: Any, body: Any, expected: Any, tmp_path: Path
) -> None:
    """A bundle of the same version; the one without is not started with a port for it."""
    refused = run(real.bundle, "serve", "--port", "0", "--grpc-port", "0")
    assert refused.returncode == 1 and "bundle.no-grpc" in refused.stderr
    assert "freehold bundle --since BUNDLE.json --grpc" in refused.stderr
    root = tmp_path / "spoken"
    made = real.project.freehold(
        "bundle", "delay@1", "--site", "home", "--into", str(root), "--grpc"
    )
    assert {"hpack", "protobuf"} <= set(made["distributions"])
    assert "hpack" not in real.made["distributions"]
    with running(root, "--grpc-port", "0") as told, grpc.insecure_channel(told["grpc"]) as channel:
        infer = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")
        answer = ModelInferResponse.FromString(
            infer(request_message(body).SerializeToString(), timeout=60)
        )
        at_home = ask(told["url"], body)
        scores = next(one for one in answer.outputs if one.name == "score")
        assert list(scores.contents.fp64_contents) == at_home["score"]
    assert at_home["score"] == pytest.approx(expected(1, [0.25, -0.5, 3.0]), abs=1e-6)


def request_message(body: Any) -> Any:
    """The same, as a message."""
    message = ModelInferRequest(model_name="delay")
    for given in body["inputs"]:
        tensor = message.inputs.add(
            name=given["name"], datatype=given["datatype"], shape=given["shape"]
        )
        if given["datatype"] == "BYTES":
            tensor.contents.bytes_contents.extend(text.encode() for text in given["data"])
        else:
            tensor.contents.fp64_contents.extend(given["data"])
    return message


def test_nothing_of_the_makers_environment_is_imported(real: Any, tmp_path: Path) -> None:
    """What the interpreter says of every module that it loads: the standard library or the bundle,
    though the environment does what it can to be found first."""
    root = real.copy(tmp_path)
    trap = tmp_path / "trap"
    trap.mkdir()
    for name in ("numpy", "freehold", "orjson", "json", "sitecustomize"):
        (trap / f"{name}.py").write_text("raise SystemExit('the environment was imported')\n")
    loud = ("-I", "-S", "-B", "-v")
    done = run(root, "check", flags=loud)
    assert done.returncode == 0, done.stderr[-2000:]
    loaded = re.findall(
        r"^(?:# code object from|# extension module .* loaded from) '?([^'\n]+)'?",
        done.stderr,
        re.M,
    )
    places = {Path(one).resolve() for one in loaded}
    bundle = (root / "current").resolve()
    ours = {one for one in places if one.is_relative_to(bundle)}
    assert {"numpy", "freehold", "polars"} <= {one.relative_to(bundle).parts[1] for one in ours}
    strange = {one for one in places - ours if not one.is_relative_to(STDLIB.resolve())}
    assert strange == set()
    assert not [one for one in places if "site-packages" in one.parts]
    # These two the interpreter itself reads from there before a line of `run` begins.
    (trap / "sitecustomize.py").unlink()
    (trap / "json.py").unlink()
    plain = subprocess.run(
        [sys.executable, str(root / "run"), "check"],
        env={**os.environ, "PYTHONPATH": str(trap)},
        cwd=trap,
        capture_output=True,
        text=True,
    )
    assert (plain.returncode, json.loads(plain.stdout)["version"]) == (0, 1), plain.stderr


def test_a_start_writes_nothing_into_what_was_signed(real: Any, tmp_path: Path, body: Any) -> None:
    root = real.copy(tmp_path)
    place = (root / "current").resolve()
    before = set(place.rglob("*"))
    with running(root) as said:
        ask(said["url"], body)
    assert set(place.rglob("*")) == before
    assert run(root, "check").returncode == 0
    assert real.project.freehold("bundles", "--check", str(root))["number"] == 1


def test_damage_keeps_it_from_starting_and_is_seen_from_outside(real: Any, tmp_path: Path) -> None:
    root = real.copy(tmp_path)
    altered = root / "current/lib/polars/__init__.py"
    whole = altered.read_bytes()
    altered.unlink()
    altered.write_bytes(whole + b"\n")
    done = run(root)
    assert (done.returncode, done.stdout) == (1, "")
    assert "error[bundle.altered]: lib/polars/__init__.py is not what was signed" in done.stderr
    error = real.project.freehold("bundles", "--check", str(root), code=1)["error"]
    assert [(one["code"], one["where"]) for one in error["faults"]] == [
        ("bundle.altered", "lib/polars/__init__.py")
    ]
    (root / "run").unlink()
    (root / "run").write_text("print('trust me')")
    error = real.project.freehold("bundles", "--check", str(root), code=1)["error"]
    assert [one["where"] for one in error["faults"]] == ["run", "lib/polars/__init__.py"]


def test_an_endpoint_that_runs_takes_the_next_model_up_and_fails_no_request(
    real: Any, tmp_path: Path, body: Any, expected: Any
) -> None:
    root = real.copy(tmp_path)
    over, answers = threading.Event(), list[dict[str, Any]]()

    def keep_asking(url: str) -> None:
        while not over.is_set():
            answers.append(ask(url, body))

    with running(root) as said, ThreadPoolExecutor(1) as pool:
        asking = pool.submit(keep_asking, said["url"])
        updated = run(root, "update", str(real.delta))
        try:
            assert updated.returncode == 0, updated.stderr
            told = json.loads(updated.stdout)
            while not asking.done() and not (answers and answers[-1]["version"] == [2, 2, 2]):
                over.wait(0.05)
        finally:
            over.set()
        asking.result()
        # What it began with stays for as long as it runs.
        assert sorted(path.name for path in (root / "generations").iterdir()) == [
            "000001",
            f"{NEXT:06d}",
        ]
    assert {tuple(one["version"]) for one in answers} == {(1, 1, 1), (2, 2, 2)}
    assert answers[-1]["score"] == pytest.approx(expected(2, [0.25, -0.5, 3.0]), abs=1e-6)
    assert (told["before"], told["bundle"], told["version"]) == (1, NEXT, 2)
    assert not told["runtime_changed"]
    with running(root) as said:
        assert said["bundle"] == NEXT
        assert ask(said["url"], body)["version"] == [2, 2, 2]
        assert [path.name for path in (root / "generations").iterdir()] == [f"{NEXT:06d}"]


def test_a_step_brings_only_what_differs(real: Any) -> None:
    assert real.delta.stat().st_size < real.made["bytes"] / 1000
    assert all(name.startswith("serving/") for name in real.stepped["changed"])


def test_an_installation_in_place_is_refused_by_name(real: Any, tmp_path: Path) -> None:
    """This one is: freehold is worked on where it lies."""
    project = type(real.project)(real.project.folder, tmp_path)
    error = project.freehold(
        *("bundle", "delay@1", "--site", "barn", "--into", str(tmp_path / "x")), code=1
    )["error"]
    assert error["code"] == "bundle.libraries"
    assert ("bundle.editable", "freehold") in {
        (one["code"], one["where"]) for one in error["faults"]
    }
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_is_not_written_over(real: Any) -> None:
    asked = ("bundle", "delay", "--site", "barn", "--into", str(real.bundle))
    assert real.project.freehold(*asked, code=1)["error"]["code"] == "bundle.exists"


def test_it_reports_to_s3_and_its_site_takes_that_in_once(
    real: Any, tmp_path: Path, body: Any
) -> None:
    root = real.copy(tmp_path)
    secrets = {f"FREEHOLD_REPORTS_{name.upper()}": one for name, one in real.bucket.secrets.items()}
    with running(root, "--report-to", "--report-every", "0.05", environment=secrets) as said:
        told = ask(said["url"], body)
        store = S3ObjectStore.open(real.bucket)
        while not any("/log/" in key for key in store.keys("bundles/")):
            threading.Event().wait(0.1)
    last = run(root, "report", environment=secrets)
    assert json.loads(last.stdout)["dropped"] == {"files": 0, "bytes": 0}, last.stderr
    assert not list((root / "state/serving/log").glob("*.parquet"))
    asked = ("bundles", "--take-in", "barn")
    taken = real.project.freehold(*asked)
    assert (taken["taken"]["rows"], taken["taken"]["refused"]) == (3, 0)
    assert [one["number"] for one in taken["bundles"][0]["boxes"]] == [1]
    again = real.project.freehold(*asked)
    assert again == {**taken, "taken": {"parts": 0, "rows": 0, "told": 0, "refused": 0}}
    with open_site(real.project.folder) as site:
        rows = edge_requests(site, "barn", "delay")
    assert rows is not None
    rows = rows.sort("prediction_id")
    assert rows["score"].to_list() == told["score"]
    # A personal column has tokens, by a key of the place's own.
    assert "input_carrier" not in rows.columns
    first, second, third = rows["token_carrier"]
    assert first == third != second
    assert all(re.fullmatch("[0-9a-f]{32}", one) for one in (first, second))
    with open_site(real.project.folder) as site:
        key = place_key(site, "barn", "delay")
        assert key != token_key(site)
    assert key.tokens("input_carrier", ["AA", "UA"], numbers=False) == [first, second]


def test_back_to_what_was_made_before(real: Any, tmp_path: Path) -> None:
    root = real.copy(tmp_path)
    assert run(root, "update", str(real.delta)).returncode == 0
    shutil.copy(root / "current" / MANIFEST, tmp_path / "second.json")
    back = tmp_path / "back.delta"
    since = ("--since", str(tmp_path / "second.json"), "--back-to", str(real.bundle))
    asked = ("bundle", "delay@1", "--site", "barn", *since, "--into", str(back))
    assert real.project.freehold(*asked)["back"]
    done = run(root, "update", str(back))
    assert done.returncode == 0, done.stderr
    assert json.loads(run(root, "check").stdout)["bundle"] == 1
    assert "bundle.older" in run(root, "update", str(real.delta)).stderr
