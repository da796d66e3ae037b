"""A serving folder of one LightGBM model under several versions."""

from collections.abc import Sequence
from pathlib import Path

import lightgbm
import numpy as np

from benchmarks.serving.questions import NAMES, WIDTH
from freehold.adapters.keys.signer import FileSigner
from freehold.adapters.lightgbm.framework import MODEL_FILE
from freehold.adapters.onnx.converter import OnnxConverter
from freehold.adapters.signing.model_signing import OpenSSFModelSigning
from freehold.catalog.package import admit, pack
from freehold.domain.canonical import canonical
from freehold.domain.columns import Column, Columns
from freehold.domain.package import Admission
from freehold.domain.routing import (
    RoutingTable,
    Shadow,
    Variant,
    routing_document,
    signed_bytes,
)
from freehold.domain.verdict import Verdict

COLUMNS = Columns(tuple(Column(name, "number") for name in NAMES))


def model() -> str:
    """100 trees of 31 leaves, the text."""
    random = np.random.default_rng(0)
    matrix = random.normal(size=(20_000, WIDTH))
    labels = matrix[:, :5].sum(axis=1) + random.normal(size=len(matrix)) > 0
    settings = {"objective": "binary", "num_leaves": 31, "verbose": -1}
    trained = lightgbm.train(settings, lightgbm.Dataset(matrix, labels), num_boost_round=100)
    return str(trained.model_to_string())


class ServingFolder:
    """Versions of the same model, admitted and signed, from 1 on."""

    def __init__(self, root: Path, text: str, versions: int = 2) -> None:
        """`text`: of the model."""
        root.mkdir(parents=True, exist_ok=True)
        self.path, self._key = root / "serving", root / "site.key"
        self._signer = FileSigner.create(self._key)
        self.path.mkdir()
        (self.path / "site.pub").write_bytes(self._signer.public.pem)
        self._tables = 0
        data = text.encode()
        files = {
            "columns.json": canonical(COLUMNS.as_json()),
            MODEL_FILE: data,
            "model.onnx": OnnxConverter().convert(data, WIDTH),
        }
        numbers = range(1, versions + 1)
        self._digests = {version: self._package(version, files) for version in numbers}

    def _package(self, version: int, files: dict[str, bytes]) -> str:
        files = {**files, "version.txt": str(version).encode()}
        packed = pack(files)
        home = self.path / "models" / packed.digest.removeprefix("sha256:")
        for name, data in files.items():
            path = home / "payload" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        OpenSSFModelSigning().sign(home / "payload", self._key, home / "model.sig")
        admission = Admission("m", version, packed.digest, Verdict(True, (), ("all",), "sha256:0"))
        (home / "admission.json").write_bytes(admit(admission, self._signer))
        return packed.digest

    def route(
        self,
        *weights: float,
        versions: Sequence[int] = (1, 2),
        shadow: float | None = None,
    ) -> int:
        """Puts a table in force: the first of the versions as champion, the second, if it has a
        weight too, as its challenger. `shadow`: percent of keys whose rows that one scores.

        Gives the table's number.
        """
        self._tables += 1
        names = ("champion", "challenger")
        variants = tuple(
            Variant(version, self._digests[version], weight, alias)
            for version, weight, alias in zip(versions, weights, names, strict=False)
        )
        reference = versions[0] if len(variants) > 1 else None
        shadowing = None if shadow is None else Shadow(versions[1], shadow)
        table = RoutingTable(self._tables, "m", "salt", variants, reference, shadowing)
        document = routing_document(table, self._signer.sign(signed_bytes(table)))
        beside = self.path / "routing.json.tmp"
        beside.write_bytes(document)
        beside.replace(self.path / "routing.json")
        return self._tables
