"""Predict with MLflow and with ONNX Runtime, and compare: python load_models.py FOLDER

Rows are those that a version was evaluated on. Which of the tables that is, and which column it
predicts, is found by what it proves: the one in which the model's scores give the AUC that stands
in its evidence.
"""

import json
import os
import sys
from hashlib import sha256
from pathlib import Path
from zipfile import ZipFile

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

import mlflow.pyfunc
import numpy
import onnxruntime
import pandas

TOLERANCE = 1e-5
"""Between the two runtimes: a score is a probability, in single precision in one of them."""
SAME = 1e-9


def columns_of(payload):
    return json.loads((payload / "columns.json").read_bytes())["columns"]


def frame_of(columns, path=None):
    """The model's inputs as plain numbers and texts; one row of nothing if there is no table."""
    table = pandas.DataFrame(index=[0]) if path is None else pandas.read_parquet(path)
    made = {}
    for column in columns:
        name = column["name"]
        known = table[name] if name in table else pandas.Series([None] * len(table))
        if column["kind"] == "category":
            made[name] = known.astype(object).where(known.notna(), None)
        else:
            made[name] = pandas.to_numeric(known).astype("float64")
    return table, pandas.DataFrame(made)


def matrix_of(columns, frame):
    matrix = numpy.full((len(frame), len(columns)), numpy.nan, numpy.float32)
    for place, column in enumerate(columns):
        values = frame[column["name"]]
        if column["kind"] == "category":
            codes = {value: code for code, value in enumerate(column["values"])}
            matrix[:, place] = [codes.get(value, numpy.nan) for value in values]
        else:
            matrix[:, place] = values.to_numpy()
    return matrix


def onnx_scores(payload, columns, frame):
    session = onnxruntime.InferenceSession(
        str(payload / "model.onnx"), providers=["CPUExecutionProvider"]
    )
    given = {session.get_inputs()[0].name: matrix_of(columns, frame)}
    return numpy.asarray(session.run(None, given)[0], dtype=numpy.float64).reshape(-1)


def auc(scores, positive):
    """Chance that a positive row scores above a negative one; a tie counts one half."""
    _, place, count = numpy.unique(scores, return_inverse=True, return_counts=True)
    ranks = (numpy.cumsum(count) - (count - 1) / 2)[place]
    yes, no = int(positive.sum()), int((~positive).sum())
    if not yes or not no:
        return None
    return float((ranks[positive].sum() - yes * (yes + 1) / 2) / (yes * no))


def aucs(table, columns, scores):
    """Of each column that holds two values, 0 and 1, and is no input."""
    inputs = {column["name"] for column in columns}
    for name in table.columns:
        if name in inputs or not pandas.api.types.is_numeric_dtype(table[name]):
            continue
        if set(table[name].dropna().unique()) == {0, 1} and not table[name].isna().any():
            yield name, auc(scores, table[name].to_numpy(dtype=bool))


def check_archive(folder, version):
    data = (folder / version["folder"] / "package.zip").read_bytes()
    if "sha256:" + sha256(data).hexdigest() != version["package"]:
        raise ValueError("package.zip has another digest than the history says")
    payload = folder / version["folder"] / "payload"
    with ZipFile(folder / version["folder"] / "package.zip") as archive:
        for name in archive.namelist():
            if archive.read(name) != (payload / name).read_bytes():
                raise ValueError(f"payload/{name} is not the file in package.zip")


def check(folder, version, told):
    check_archive(folder, version)
    payload = folder / version["folder"] / "payload"
    columns, expected = columns_of(payload), evidence_auc(folder, version)
    model, found = mlflow.pyfunc.load_model(str(payload)), False
    for path in version["tables"] or [None]:
        table, frame = frame_of(columns, path and folder / path)
        scores = numpy.asarray(model.predict(frame), dtype=numpy.float64).reshape(-1)
        if len(scores) != len(frame) or not numpy.isfinite(scores).all():
            raise ValueError(f"mlflow.pyfunc gave no score for some row of {path}")
        if (payload / "model.onnx").exists():
            apart = float(numpy.max(numpy.abs(scores - onnx_scores(payload, columns, frame))))
            told["farthest"] = max(told["farthest"], apart)
            if apart > TOLERANCE:
                raise ValueError(f"ONNX Runtime is {apart:.2g} from mlflow.pyfunc in {path}")
        else:
            told["not_proven"].append(f"{version['version']}: there is no ONNX beside the model")
        told["rows"] += len(frame)
        found = found or any(
            value is not None and expected is not None and abs(value - expected) <= SAME
            for _, value in aucs(table, columns, scores)
        )
    if found:
        told["evidence"] += 1
    elif expected is not None and version["tables"]:
        raise ValueError(f"no table of its run gives the AUC of its evidence, {expected}")
    else:
        told["not_proven"].append(
            f"{version['version']}: no table to compare with its evidence is here"
        )


def evidence_auc(folder, version):
    path = folder / version["folder"] / "evidence.json"
    return json.loads(path.read_bytes())["overall"]["auc"]["value"] if path.exists() else None


def counted(number, word):
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def read(folder):
    told = {"rows": 0, "farthest": 0.0, "evidence": 0, "not_proven": []}
    versions = json.loads((folder / "models" / "index.json").read_bytes())
    faults = []
    for version in versions:
        try:
            check(folder, version, told)
        except ModuleNotFoundError as error:
            if not (error.name or "").startswith("package_loader"):
                raise
            faults.append(f"{version['version']}: {error}")
        except Exception as error:  # noqa: BLE001 - whatever it was, it could not be read
            faults.append(f"{version['version']}: {type(error).__name__}: {error}")
    figures = f"{counted(len(versions), 'version')}, {counted(told['rows'], 'row')}"
    figures += f", farthest {told['farthest']:.1e}, the AUC of the evidence in {told['evidence']:,}"
    return {
        "read_by": [
            f"mlflow.pyfunc {mlflow.__version__}",
            f"ONNX Runtime {onnxruntime.__version__}",
        ],
        "checks": len(versions),
        "figures": figures,
        "faults": faults,
        "not_proven": told["not_proven"],
    }


if __name__ == "__main__":
    report = read(Path(sys.argv[1]))
    print(json.dumps(report))
    sys.exit(bool(report["faults"]))
