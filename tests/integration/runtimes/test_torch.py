"""PyTorch, in an environment that Freehold's endpoint is not in: `make torch`."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_environment import HERE, python

from freehold.app.project.init import init
from freehold.domain.errors import AdapterMissing, IntegrityError
from freehold.endpoint.adapters import model_runtime
from freehold.endpoint.endpoint_process import EndpointProcess

PROJECT = """\
project: shop
pipelines: {train: "shop:train"}
models: {abandon: {pipeline: train}}
policies: policies
endpoint: {model: abandon}
"""
BASKETS = [
    {"items": 1, "minutes": 31.5, "device": "phone"},
    {"items": 9, "minutes": None, "device": "??"},
    {"items": None, "minutes": None, "device": None},
]


def there(*arguments: str, cwd: Path, given: str = "") -> str:
    """Standard output of a program of PyTorch's environment."""
    done = subprocess.run(
        [python(), *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        input=given,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_laws_of_the_ports_hold_there() -> None:
    # The project's settings ask for plugins that this environment has not.
    plain = ("-c", os.devnull, "--rootdir", str(HERE), "-W", "error", "--import-mode=importlib")
    suite = str(HERE / "suite.py")
    said = there("-m", "pytest", "-q", "--noconftest", *plain, suite, cwd=HERE.parents[1])
    assert " passed" in said and "skipped" not in said


def own_answers(archive: Path, columns: list[dict[str, Any]]) -> Any:
    rows = json.dumps([_row(basket, columns) for basket in BASKETS])
    return json.loads(there(str(HERE / "answers.py"), str(archive), cwd=HERE, given=rows))


def released(shop: Path, module: str) -> Path:
    """A project of the module, whose first version is trained there and served; its package."""
    init(shop, "blank")
    shutil.rmtree(shop / "contracts")
    for one in {"shop", module}:
        shutil.copy(HERE / f"{one}.py", shop)
    (shop / "freehold.yaml").write_text(PROJECT.replace("shop:train", f"{module}:train"))
    there("-m", "freehold.cli.main", "run", "--yes", cwd=shop)
    there("-m", "freehold.cli.main", "release", "abandon@1", "--yes", cwd=shop)
    (payload,) = (shop / ".freehold/serving/models").glob("*/payload")
    return payload


def served(shop: Path) -> list[float]:
    with EndpointProcess.start(shop / ".freehold/serving") as endpoint:
        return scored(endpoint.url, BASKETS)


def scored(url: str, baskets: list[dict[str, Any]]) -> list[float]:
    asked = Request(
        f"{url}/v1/models/abandon/predict",
        json.dumps(baskets).encode(),
        {"Content-Type": "application/json"},
    )
    with urlopen(asked) as reply:
        return [row["score"] for row in json.load(reply)]


def test_what_a_step_returned_is_served_with_its_own_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    payload = released(tmp_path / "shop", "shop")
    columns = json.loads((payload / "columns.json").read_bytes())["columns"]
    own = own_answers(payload / "model.pt2", columns)
    monkeypatch.setenv("FREEHOLD_MODEL_PYTHON", python())
    assert served(tmp_path / "shop") == own
    # By MLflow's way of loading it too, which takes a table.
    table = model_runtime("pyfunc").load(payload)
    matrix = np.array([_row(basket, columns) for basket in BASKETS], dtype=np.float32)
    assert table.predict(matrix).tolist() == own


_NUMBERS = (
    st.none()
    | st.integers(-(2**53), 2**53)
    | st.floats(width=32, allow_nan=False, allow_infinity=False)
)
_BASKETS = st.lists(
    st.fixed_dictionaries(
        {
            "items": _NUMBERS,
            "minutes": _NUMBERS,
            "device": st.none() | st.sampled_from(["phone", "desk"]) | st.text(max_size=3),
        }
    ),
    min_size=1,
    max_size=12,
)


def test_served_numbers_are_the_networks_own_whatever_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    payload = released(tmp_path / "shop", "shop")
    columns = json.loads((payload / "columns.json").read_bytes())["columns"]
    monkeypatch.setenv("FREEHOLD_MODEL_PYTHON", python())
    network = subprocess.Popen(
        [python(), str(HERE / "answers.py"), str(payload / "model.pt2")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert network.stdin is not None and network.stdout is not None
    ask, answers = network.stdin, network.stdout

    def own(baskets: list[dict[str, Any]]) -> Any:
        print(json.dumps([_row(basket, columns) for basket in baskets]), file=ask, flush=True)
        return json.loads(answers.readline())

    with network, EndpointProcess.start(tmp_path / "shop/.freehold/serving") as endpoint:

        @given(_BASKETS)
        @settings(max_examples=100, deadline=None)
        def same(baskets: list[dict[str, Any]]) -> None:
            assert scored(endpoint.url, baskets) == own(baskets)

        same()


def test_networks_are_parts_of_a_graph(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    payload = released(tmp_path / "shop", "pair")
    columns = json.loads((payload / "columns.json").read_bytes())["columns"]
    (learnt,) = payload.rglob("*.pt2")
    (first,) = payload.rglob("*.pt")
    own = [own_answers(archive, columns) for archive in (learnt, first)]
    monkeypatch.setenv("FREEHOLD_MODEL_PYTHON", python())
    together = np.average(np.array(own), axis=0, weights=[3, 1])
    assert np.ptp(own, axis=0).min() > 0.01
    np.testing.assert_allclose(served(tmp_path / "shop"), together, rtol=1e-12)


_SCRIPT = """
import sys, torch
from freehold.adapters.torch.codec import ModuleCodec
from shop import Network
open(sys.argv[1], "wb").write(ModuleCodec().encode(torch.jit.script(Network().eval())))
"""


def test_a_scripted_module_gives_its_own_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there("-c", _SCRIPT, str(tmp_path / "model.pt"), cwd=HERE)
    (tmp_path / "MLmodel").write_text("flavors: {torch: {data: model.pt, format: torchscript}}")
    columns = [{"name": name, "kind": "number"} for name in ("items", "minutes")]
    columns.append({"name": "device", "kind": "category", "values": ["phone", "desk"]})
    (tmp_path / "columns.json").write_text(json.dumps({"columns": columns}))
    monkeypatch.setenv("FREEHOLD_MODEL_PYTHON", python())
    model = model_runtime("auto").load(tmp_path)
    matrix = np.array([_row(basket, columns) for basket in BASKETS], dtype=np.float32)
    assert model.predict(matrix).tolist() == own_answers(tmp_path / "model.pt", columns)
    (tmp_path / "model.pt").write_bytes(b"no archive")
    with pytest.raises(IntegrityError) as caught:
        model_runtime("torch").load(tmp_path)
    assert caught.value.code == "package.unreadable"


def test_without_torch_it_says_where_to_put_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FREEHOLD_MODEL_PYTHON", raising=False)
    (tmp_path / "columns.json").write_text('{"columns": []}')
    (tmp_path / "MLmodel").write_text("flavors: {torch: {data: model.pt2, format: export}}")
    with pytest.raises(AdapterMissing) as caught:
        model_runtime("auto").load(tmp_path)
    assert "torch" in caught.value.why and "FREEHOLD_MODEL_PYTHON" in caught.value.hint
    (tmp_path / "MLmodel").write_text("flavors: {torch: {}}")
    with pytest.raises(IntegrityError) as unreadable:
        model_runtime("torch").load(tmp_path)
    assert unreadable.value.code == "package.unreadable"


def _row(basket: dict[str, Any], columns: list[dict[str, Any]]) -> list[float | None]:
    found: list[float | None] = []
    for column in columns:
        value = basket[column["name"]]
        if column["kind"] == "category":
            value = column["values"].index(value) if value in column["values"] else None
        found.append(value)
    return found
