"""Open what steps made that is no table: python open_artifacts.py FOLDER"""

import json
import sys
from hashlib import sha256
from importlib import import_module
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile


def parse(data, _):
    json.loads(data)
    return "json"


def booster(data, _):
    lightgbm = import_module("lightgbm")
    if lightgbm.Booster(model_str=data.decode()).num_trees() < 1:
        raise ValueError("a model without trees")
    return f"LightGBM {lightgbm.__version__}"


def trees(data, _):
    xgboost = import_module("xgboost")
    model = xgboost.Booster()
    model.load_model(bytearray(data))
    if model.num_boosted_rounds() < 1:
        raise ValueError("a model without trees")
    return f"XGBoost {xgboost.__version__}"


def estimator(data, _):
    persistence = import_module("skops.io")
    # Whose bytes they are was checked: the digest is that of the history.
    persistence.loads(data, trusted=persistence.get_untrusted_types(data=data))
    return f"scikit-learn {import_module('sklearn').__version__} by skops"


def graph(data, digest):
    """One ZIP: graph.json, functions as Python, and each model as its own library writes it."""
    with ZipFile(BytesIO(data)) as archive:
        document = json.loads(archive.read("graph.json"))
        for function in document["functions"].values():
            compile(archive.read(function["file"]), function["file"], "exec")
        found = {
            READERS[model["format"]](archive.read(model["folder"] + "/model"), digest)
            for model in document["models"].values()
        }
    return f"Python's zipfile and {', '.join(sorted(found))}"


def plain(data, digest):
    if "sha256:" + sha256(data).hexdigest() != digest:
        raise ValueError("it has another digest")
    return "any tool, as they are"


READERS = {
    "json": parse,
    "lightgbm": booster,
    "xgboost": trees,
    "sklearn": estimator,
    "graph": graph,
    "file": plain,
}


def read(folder):
    faults, counts, readers = [], {}, set()
    for artifact in json.loads((folder / "artifacts" / "index.json").read_bytes()):
        path, kind = artifact["path"], artifact["format"]
        counts[kind] = counts.get(kind, 0) + 1
        if kind not in READERS:
            faults.append(f"{path}: no other tool is known that reads the format {kind}")
            continue
        try:
            data = (folder / path).read_bytes()
            plain(data, artifact["digest"])
            readers.add(READERS[kind](data, artifact["digest"]))
        except ModuleNotFoundError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it was, it could not be read
            faults.append(f"{path}: {type(error).__name__}: {error}")
    figures = [f"{count:,} {kind}" for kind, count in sorted(counts.items())]
    return {
        "read_by": sorted(readers),
        "checks": sum(counts.values()),
        "figures": ", ".join(figures),
        "faults": faults,
    }


if __name__ == "__main__":
    report = read(Path(sys.argv[1]))
    print(json.dumps(report))
    sys.exit(bool(report["faults"]))
