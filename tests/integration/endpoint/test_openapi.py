"""The OpenAPI document: all routes, no others. Every answer that the other tests of this folder get
is held against it too, and every JSON body that is taken, by their client.
"""

import json
import re
from typing import Any

import pytest
from jsonschema import Draft202012Validator, ValidationError


@pytest.fixture
def document(client: Any) -> Any:
    return client.ask("GET", "/openapi.json").json


def test_every_route_and_nothing_else_stands_in_it(client: Any, document: Any) -> None:
    routes = {
        path: {method.lower()} for path, (method, _) in client.endpoint.application.routes.items()
    }
    assert routes == {path: set(operations) for path, operations in document["paths"].items()}


def test_every_route_answers_by_its_method_alone(client: Any, document: Any) -> None:
    for template, operations in document["paths"].items():
        path = template.replace("{model}", "delay").replace("{version}", "1")
        (method,) = operations
        other = {"get": "POST", "post": "GET"}[method]
        assert client.ask(other, path).json["code"] == "request.method"
        assert client.ask(method.upper(), path).status != 404


def test_its_parts_are_whole(document: Any) -> None:
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    known = set(document["components"]["schemas"])
    used = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(document)))
    assert used == known
    for template, operations in document["paths"].items():
        for operation in operations.values():
            places = [one["name"] for one in operation["parameters"] if one["in"] == "path"]
            assert places == re.findall(r"{(\w+)}", template)


def test_it_knows_the_columns(document: Any) -> None:
    schemas = document["components"]["schemas"]
    assert schemas["Row"]["properties"].keys() == {"distance", "carrier", "id"}
    rows = Draft202012Validator({**schemas["Rows"], "components": document["components"]})
    rows.validate([{"distance": 7, "carrier": "UA"}, {"distance": None, "carrier": None}])
    for wrong in ({"distance": "far"}, {"carrier": 7}, {"id": ""}, [], 7):
        with pytest.raises(ValidationError):
            rows.validate(wrong)


def test_the_kinds_of_a_body_are_those_that_are_taken(client: Any, document: Any) -> None:
    known = {
        kind
        for operations in document["paths"].values()
        for operation in operations.values()
        for kind in operation.get("requestBody", {"content": {}})["content"]
    }
    assert "application/vnd.apache.parquet" in known
    for template, operations in document["paths"].items():
        described = operations.get("post", {}).get("requestBody", {"content": {}})["content"]
        path = template.replace("{model}", "delay").replace("{version}", "1")
        for kind in known if described else ():
            reply = client.ask("POST", path, b"", headers={"content-type": kind})
            assert (reply.status == 415) == (kind not in described), (path, kind)


@pytest.mark.parametrize(
    "wrong",
    [
        {"inputs": []},
        {"inputs": [{"name": "distance"}]},
        {"inputs": [{"name": "d", "datatype": "FLOAT", "shape": [1], "data": [1]}]},
        {"inputs": [{"name": "d", "datatype": "FP64", "shape": [1, 1, 1], "data": [1]}]},
    ],
)
def test_what_is_refused_is_not_described(client: Any, document: Any, wrong: Any) -> None:
    assert client.infer(wrong).status == 400
    schema = {"$ref": "#/components/schemas/InferenceRequest", "components": document["components"]}
    with pytest.raises(ValidationError):
        Draft202012Validator(schema).validate(wrong)
