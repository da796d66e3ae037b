"""The layout of a package is fixed: a change of it is a change of this golden file."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from freehold.catalog.package import PackageContents, assemble, payload_files
from freehold.domain.columns import Column, Columns
from freehold.domain.package import ModelFlavor

GOLDEN = Path(__file__).parents[2] / "golden/package_layout.json"

CONTENTS = PackageContents(
    model=b"tree\n",
    flavor=ModelFlavor(
        name="lightgbm",
        model_file="model.lgb/model.txt",
        metadata={"lgb_version": "4.7.0", "model_class": "lightgbm.basic.Booster"},
        requirements=("lightgbm==4.7.0", "numpy==2.4.6"),
        loader="def _load_pyfunc(path): ...\n",
    ),
    columns=Columns((Column("carrier", "category", ("UA", "B6")), Column("hour", "number"))),
    profile={"rows": 3},
    python="3.11.7",
    onnx=b"onnx",
)


def test_the_layout_is_the_golden_one() -> None:
    files = payload_files(CONTENTS)
    layout = {
        "digest": assemble(CONTENTS).digest,
        "files": sorted(files),
        "manifest_keys": sorted(_keys(yaml.safe_load(files["MLmodel"]))),
        "texts": {
            name: files[name].decode()
            for name in ("columns.json", "conda.yaml", "python_env.yaml", "requirements.txt")
        },
    }
    assert layout == json.loads(GOLDEN.read_text())


def _keys(value: Any, path: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _keys(item, f"{path}.{key}" if path else key)
    else:
        yield path
