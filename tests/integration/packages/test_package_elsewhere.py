"""A package is loaded by MLflow where Freehold is not installed, and stays what was signed."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from freehold.adapters.lightgbm.runtime import LightGBMRuntime
from freehold.adapters.onnx.runtime import OnnxRuntime
from freehold.adapters.signing.model_signing import OpenSSFModelSigning
from freehold.domain.columns import Columns
from freehold.domain.errors import IntegrityError

_ELSEWHERE = """
import sys, json, logging, warnings

class NoFreehold:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "freehold":
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, NoFreehold())
import pandas, mlflow
folder, table = sys.argv[1:]
frame = pandas.read_parquet(table)
model = mlflow.pyfunc.load_model(folder)
whole = frame.dropna()
few = frame.drop(columns=["carrier", "number_3"])
print(json.dumps({
    "answer": model.predict(frame).tolist(),
    "few": model.predict(few).tolist(),
    "whole": model.predict(whole).tolist(),
    "row": model.predict(whole.iloc[:1].to_dict(orient="records")).tolist(),
    "booster": mlflow.lightgbm.load_model(folder).num_trees(),
    "onnx": mlflow.onnx.load_model(folder).graph.output[0].name,
    "ours": [name for name in sys.modules if name.startswith("freehold")],
}))
"""


def test_mlflow_loads_it_where_freehold_is_not(
    made: Any, folder: Path, tmp_path: Path, keys: tuple[Path, Path]
) -> None:
    OpenSSFModelSigning().sign(folder, keys[0], tmp_path / "model.sig")
    table = tmp_path / "table.parquet"
    made.table.head(500).write_parquet(table)
    done = subprocess.run(
        [sys.executable, "-c", _ELSEWHERE, str(folder), str(table)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=300,
        check=True,
    )
    assert "package_loader" not in done.stderr and "mismatch" not in done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["answer"] == made.expected[:500].tolist()
    assert said["row"] == said["whole"][:1]
    assert len(said["few"]) == 500 and said["few"] != said["answer"]
    assert (said["booster"], said["onnx"], said["ours"]) == (100, "probability", [])
    # Loading wrote nothing into the folder, or its signature would not hold any more.
    OpenSSFModelSigning().verify(folder, keys[1], tmp_path / "model.sig")


def test_both_runtimes_answer_alike(made: Any, folder: Path) -> None:
    columns = Columns.from_json(json.loads((folder / "columns.json").read_bytes()))
    matrix = columns.matrix(made.table)
    own = LightGBMRuntime().load(folder).predict(matrix)
    onnx = OnnxRuntime().load(folder).predict(matrix)
    assert np.array_equal(own, made.expected)
    assert np.max(np.abs(onnx - own)) <= 1e-5


def test_onnx_runtime_alone_answers(made: Any, folder: Path) -> None:
    columns = Columns.from_json(json.loads((folder / "columns.json").read_bytes()))
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"))
    (answer,) = session.run(["probability"], {"matrix": columns.matrix(made.table.head(50))})
    assert answer.shape == (50,)
    assert np.max(np.abs(answer - made.expected[:50])) <= 1e-5


def test_every_file_of_a_package_is_covered(
    folder: Path, tmp_path: Path, keys: tuple[Path, Path]
) -> None:
    signing, signature = OpenSSFModelSigning(), tmp_path / "model.sig"
    signing.sign(folder, keys[0], signature)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    assert len(files) == 10
    for path in files:
        whole = path.read_bytes()
        path.write_bytes(bytes([whole[0] ^ 1]) + whole[1:])
        with pytest.raises(IntegrityError) as caught:
            signing.verify(folder, keys[1], signature)
        assert str(path.relative_to(folder)) in caught.value.why
        path.write_bytes(whole)
    signing.verify(folder, keys[1], signature)


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    private, public = tmp_path / "site.key", tmp_path / "site.pub"
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    public.write_bytes(
        key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    return private, public
