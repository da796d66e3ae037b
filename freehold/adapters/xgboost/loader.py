"""Reads this package for MLflow: a table of raw columns in, probabilities out."""

import json
from pathlib import Path
from typing import Any

import numpy
import xgboost


class PackagedModel:
    def __init__(self, folder: Path) -> None:
        self.columns = json.loads((folder / "columns.json").read_bytes())["columns"]
        self.booster = xgboost.Booster(model_file=str(folder / "model.xgb" / "model.json"))

    def predict(self, model_input: Any) -> Any:
        """A pandas table to probabilities [n]; an absent column is missing in every row."""
        matrix = numpy.full((len(model_input), len(self.columns)), numpy.nan, numpy.float32)
        for place, column in enumerate(self.columns):
            if column["name"] not in model_input:
                continue
            series = model_input[column["name"]]
            if column["kind"] == "category":
                codes = {value: code for code, value in enumerate(column["values"])}
                matrix[:, place] = [codes.get(value, numpy.nan) for value in series]
            else:
                matrix[:, place] = series.to_numpy(dtype="float64", na_value=numpy.nan)
        return self.booster.inplace_predict(matrix).astype("float64")


def _load_pyfunc(path: str) -> PackagedModel:
    return PackagedModel(Path(path))
