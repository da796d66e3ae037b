"""The model of the example answers alike in ONNX and LightGBM, on every flight of the year."""

import sys
from collections.abc import Iterator
from datetime import date
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import freehold
from freehold.adapters.lightgbm.codec import BoosterCodec
from freehold.adapters.lightgbm.framework import LightGBMFramework
from freehold.adapters.onnx.converter import OnnxConverter
from freehold.adapters.onnx.runtime import OnnxPredictor
from freehold.ports.model_converter import TOLERANCE

TEMPLATE = Path(freehold.__file__).parent / "templates" / "flights"
MODULES = ("tables", "journeys", "views", "periods", "training")


@pytest.fixture
def project() -> Iterator[SimpleNamespace]:
    """The template's modules, forgotten afterwards."""
    sys.path.insert(0, str(TEMPLATE))
    shadowed = {name: sys.modules.pop(name) for name in MODULES if name in sys.modules}
    try:
        yield SimpleNamespace(**{name: import_module(name) for name in MODULES})
    finally:
        sys.path.remove(str(TEMPLATE))
        for name in MODULES:
            sys.modules.pop(name, None)
        sys.modules.update(shadowed)


def test_every_flight_agrees(project: SimpleNamespace) -> None:
    tables = project.tables
    asked = project.journeys.journeys(tables.flights_table(), tables.airports_table())
    table = project.views.features(asked, tables.weather_table(), tables.planes_table())
    training, _ = project.periods.period(table, date(2013, 4, 1), 90, False, 7)
    columns = project.training.columns(training, "")
    booster = project.training.fit(training, columns, 7)

    data = BoosterCodec().encode(booster)
    onnx = OnnxPredictor(OnnxConverter().convert(data, len(columns.names)))
    matrix = columns.matrix(table)
    assert len(matrix) == 336_776 and np.isnan(matrix).any()
    difference = np.abs(onnx.predict(matrix) - LightGBMFramework().predict(data, matrix))
    assert int((difference > TOLERANCE).sum()) == 0
