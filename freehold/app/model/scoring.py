"""Scores of a registered version on a table, offline, by the runtime that the endpoint uses."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl
from numpy.typing import NDArray

from freehold.app import adapters
from freehold.app.files import write_files
from freehold.app.site.opening import Site
from freehold.catalog.package import unpack
from freehold.catalog.versions import ModelVersion
from freehold.domain.columns import Columns
from freehold.domain.embedded import EMBEDDED
from freehold.domain.package import COLUMNS, PROFILE
from freehold.domain.profile import Profile
from freehold.ports.model_runtime import Predictor


def profile_of(site: Site, version: ModelVersion) -> Profile:
    """The baseline that lies in a version's package."""
    files = unpack(site.artifacts.get(version.package), version.package)
    return Profile.from_json(json.loads(files[PROFILE]))


class PackagedModel:
    """A version's model and columns, loaded from its package."""

    def __init__(self, site: Site, version: ModelVersion) -> None:
        files = unpack(site.artifacts.get(version.package), version.package)
        spec = site.project.spec.endpoint
        name = spec.runtime if spec else EMBEDDED["model_runtime"]
        runtime = adapters.load("model_runtime", name)()
        with TemporaryDirectory(prefix="freehold-") as folder:
            write_files(Path(folder), files)
            self._predictor: Predictor = runtime.load(Path(folder))
        self.columns = Columns.from_json(json.loads(files[COLUMNS]))

    def scores(self, table: pl.DataFrame) -> NDArray[np.float64]:
        """Probabilities [n]; a column that the table lacks is missing in every row."""
        absent = [c for c in self.columns.columns if c.name not in table.columns]
        whole = table.with_columns(
            pl.lit(None, dtype=pl.String if c.kind == "category" else pl.Float64).alias(c.name)
            for c in absent
        )
        return self._predictor.predict(self.columns.matrix(whole))
