"""Reads this package for MLflow: a table of raw columns in, probabilities out."""

import json
from pathlib import Path
from typing import Any

import numpy
import skops.io

_NAMES = """
functools.partial
numpy.dtype
sklearn.calibration._CalibratedClassifier
sklearn.calibration._SigmoidCalibration
sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor
sklearn.metrics._dist_metrics.EuclideanDistance
sklearn.metrics._dist_metrics.EuclideanDistance64
sklearn.neighbors._ball_tree.BallTree
sklearn.neighbors._kd_tree.KDTree
sklearn.neural_network._stochastic_optimizers.AdamOptimizer
sklearn.neural_network._stochastic_optimizers.SGDOptimizer
sklearn.tree._tree.Tree
sklearn.utils._bunch.Bunch
sklearn.utils.validation.check_array
"""
TRUSTED = tuple(_NAMES.split())
"""What skops does not read unasked and scikit-learn's classifiers consist of. None of them runs
code that the file brings; some crash on bytes that were altered, which a digest finds out."""


class PackagedModel:
    def __init__(self, folder: Path) -> None:
        self.columns = json.loads((folder / "columns.json").read_bytes())["columns"]
        data = (folder / "model.skops").read_bytes()
        self.estimator = skops.io.loads(data, trusted=TRUSTED)

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
        return self.estimator.predict_proba(matrix)[:, 1].astype("float64")


def _load_pyfunc(path: str) -> PackagedModel:
    return PackagedModel(Path(path))
