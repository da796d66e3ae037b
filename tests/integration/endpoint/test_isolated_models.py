"""A model that ends its process under an endpoint: its requests fail, the others do not notice."""

import json
from typing import Any

import pytest

from freehold.adapters.isolation.runtime import PyfuncRuntime
from freehold.adapters.isolation.settings import ProcessSettings
from freehold.domain.canonical import canonical
from freehold.domain.columns import Column, Columns

COLUMNS = Columns((Column("distance", "number"), Column("carrier", "category", ("AA", "UA"))))
LOADER = """
import os


class Model:
    def predict(self, table):
        if (table["distance"] == 13).any():
            os._exit(1)
        if (table["distance"] == 17).any():
            raise ValueError("seventeen")
        return table["distance"].fillna(0.0) / 10_000


def _load_pyfunc(path):
    return Model()
"""


@pytest.fixture
def client(site: Any, client_of: Any) -> Any:
    function = {"code": "code", "data": "code", "loader_module": "unlucky"}
    site.package(
        1,
        {
            "MLmodel": json.dumps({"flavors": {"python_function": function}}).encode(),
            "columns.json": canonical(COLUMNS.as_json()),
            "code/unlucky.py": LOADER.encode(),
        },
    )
    site.route((1, 100.0, "champion"))
    site.runtime = PyfuncRuntime(ProcessSettings(deadline=60.0))
    return client_of()


def test_only_the_request_that_did_it_fails(client: Any, request_of: Any) -> None:
    for number in (1, 13, 2, 17, 13, 3):
        reply = client.infer(request_of(number, 5))
        if number in (13, 17):
            assert (reply.status, reply.json["code"]) == (500, "endpoint.model-failed")
            assert ("model-raised" if number == 17 else "runtime.process-ended") in reply.json[
                "because"
            ]
        else:
            assert reply.output("score") == [number / 10_000, 5 / 10_000]
    assert client.ask("GET", "/v2/health/ready").status == 200
    assert 'freehold_row_errors_total{model="delay",version="1"} 6.0' in (
        client.ask("GET", "/metrics").body.decode()
    )
