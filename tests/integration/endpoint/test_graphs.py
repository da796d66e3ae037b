"""Graphs under an endpoint: their numbers over HTTP, and functions that harm nobody else."""

import os
from pathlib import Path
from platform import python_version
from typing import Any, TypedDict

import lightgbm
import numpy as np
import pytest

from freehold import (
    Category,
    Column,
    Columns,
    ModelGraph,
    Number,
    cascade,
    ensemble,
    trained,
    transformer,
)
from freehold.adapters.auto.runtime import AutoRuntime
from freehold.adapters.graph.codec import GraphCodec
from freehold.adapters.graph.framework import GraphFramework
from freehold.catalog.package import PackageContents, payload_files
from freehold.domain.canonical import canonical
from freehold.domain.errors import IntegrityError
from freehold.ports.model_runtime import Elsewhere

COLUMNS = Columns((Column("distance", "number"), Column("carrier", "category", ("AA", "UA"))))
WITHIN = Columns((Column("far", "number"), Column("carrier", "category", ("UA", "AA"))))


class Flight(TypedDict):
    distance: Number
    carrier: Category


class Far(TypedDict):
    far: Number


def distant(flight: Flight) -> Far:
    if (flight["distance"] == 13).any():
        os._exit(1)
    if (flight["distance"] == 17).any():
        raise ValueError("seventeen")
    if (flight["distance"] == 19).any():
        return {"far": flight["carrier"]}
    return {"far": flight["distance"] / 1000}


def _booster(columns: Columns) -> lightgbm.Booster:
    random = np.random.default_rng(2)
    rows = random.normal(size=(400, 2)).astype(np.float32) * 2
    rows[:, 1] = random.integers(0, 2, 400)
    given = {"objective": "binary", "verbose": -1, "num_threads": 1, "seed": len(columns.names)}
    return lightgbm.train(given, lightgbm.Dataset(rows, rows[:, 0] + rows[:, 1] > 0.5), 8)


def _files(part: Any) -> dict[str, bytes]:
    data = GraphCodec().encode(ModelGraph(COLUMNS, part))
    return payload_files(
        PackageContents(
            model=data,
            flavor=GraphFramework().flavor(data),
            columns=COLUMNS,
            profile={},
            python=python_version(),
        )
    )


@pytest.fixture(scope="module")
def boosters() -> tuple[lightgbm.Booster, lightgbm.Booster]:
    return _booster(COLUMNS), _booster(WITHIN)


def _asked(*distances: float) -> dict[str, Any]:
    rows = len(distances)
    return {
        "inputs": [
            {"name": "distance", "datatype": "FP64", "shape": [rows], "data": list(distances)},
            {"name": "carrier", "datatype": "BYTES", "shape": [rows], "data": ["UA"] * rows},
        ]
    }


def test_a_function_harms_only_the_request_that_it_answered(
    site: Any, client_of: Any, boosters: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    # A machine that is busy may need long to start a process anew.
    monkeypatch.setenv("FREEHOLD_MODEL_DEADLINE", "60")
    first, second = boosters
    part = transformer(distant) >> cascade(
        trained(first, COLUMNS), trained(second, WITHIN), unsure=(0.0, 1.0)
    )
    site.package(1, _files(part))
    site.route((1, 100.0, "champion"))
    site.runtime = AutoRuntime()
    client = client_of()
    for number, why in ((13, "process-ended"), (17, "seventeen"), (19, "not numbers"), (0, "")):
        reply = client.infer(_asked(number, 5))
        if why:
            assert (reply.status, reply.json["code"]) == (500, "endpoint.model-failed")
            assert why in reply.json["because"]
            assert number == 13 or "'distant'" in reply.json["because"]
        # Coming from the process of its own, the next one is answered as if nothing had been.
        made = np.array([[0.4, 0], [0.005, 0]], dtype=np.float32)
        assert client.infer(_asked(400, 5)).output("score") == second.predict(made).tolist()
    assert client.ask("GET", "/v2/health/ready").status == 200


def test_a_graph_without_functions_answers_in_the_endpoints_process(
    site: Any, client_of: Any, boosters: tuple[Any, Any]
) -> None:
    booster, _ = boosters
    both = ensemble({"a": trained(booster, COLUMNS), "b": trained(booster, COLUMNS)})
    site.package(1, _files(both))
    site.route((1, 100.0, "champion"))
    site.runtime = AutoRuntime()
    client = client_of()
    rows = np.array([[400, 1], [-1, 1]], dtype=np.float32)
    own = booster.predict(rows)
    assert client.infer(_asked(400, -1)).output("score") == ((own + own) / 2).tolist()
    (model,) = client.endpoint.watcher.table.models
    assert not isinstance(model.predictor, Elsewhere)


def test_an_endpoint_does_not_start_on_a_graph_that_does_not_fit(
    site: Any, boosters: tuple[Any, Any], tmp_path: Path
) -> None:
    """As a package may be that another made, and this site's key signed."""
    files = _files(transformer(distant) >> trained(boosters[1], WITHIN))
    kinds = {"distance": "category", "elsewhere": "number"}
    document = (
        files["graph.json"]
        .decode()
        .replace(
            '"takes":{"carrier":"category","distance":"number"}',
            f'"takes":{canonical(kinds).decode()}',
        )
    )
    document = document.replace('"far":"number"', '"fär":"number"')
    site.package(1, {**files, "graph.json": document.encode()})
    site.route((1, 100.0, "champion"))
    site.runtime = AutoRuntime()
    with pytest.raises(IntegrityError) as caught:
        site.endpoint()
    assert caught.value.code == "package.graph"
    found = [(fault.code, fault.where) for fault in caught.value.faults]
    assert found == [
        ("graph.column-kind", "graph.chain[0].transformer"),
        ("graph.column-missing", "graph.chain[0].transformer"),
        ("graph.column-missing", "graph.chain[1].model"),
    ]
    assert all(fault.hint for fault in caught.value.faults)
