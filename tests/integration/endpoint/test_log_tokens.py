"""A personal value is written nowhere, whatever becomes of the request that brings it."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from freehold.domain.errors import FreeholdError
from freehold.domain.routing import LogRule, Shadow
from freehold.endpoint.endpoint import Endpoint
from freehold.serving.tokens import TokenKey

CHAMPION = (1, 100.0, "champion")
MARKER = "marker-91c7"
NUMBER = 918273645.125
"""Exactly a float64, and no float32 of it is looked for."""


def holds_marker(folder: Path) -> list[str]:
    """Files, and columns of Parquet, that hold the marker or its number in any text."""
    found = []
    for path in sorted(one for one in folder.rglob("*") if one.is_file()):
        data = path.read_bytes()
        if MARKER.encode() in data or str(NUMBER).encode() in data:
            found.append(path.name)
        if path.suffix == ".parquet":
            table = pl.read_parquet(io.BytesIO(data))
            for name in table.columns:
                texts = " ".join(map(str, table[name].to_list()))
                if MARKER in texts or str(NUMBER) in texts:
                    found.append(f"{path.name}: {name}")
            metadata = json.dumps(pl.read_parquet_metadata(io.BytesIO(data)))
            if MARKER in metadata or str(NUMBER) in metadata:
                found.append(f"{path.name}: metadata")
    return found


def personal(site: Any, secret: bytes = b"k" * 32) -> LogRule:
    key = site.token_key(secret)
    return LogRule(1.0, False, ("carrier", "distance"), True, key.name)


def tensors(**more: Any) -> dict[str, Any]:
    return {
        "id": f"request-{MARKER}",
        "inputs": [
            {"name": "distance", "datatype": "FP64", "shape": [2], "data": [NUMBER, None]},
            {"name": "carrier", "datatype": "BYTES", "shape": [2], "data": [MARKER, None]},
            {"name": "id", "datatype": "BYTES", "shape": [2], "data": [f"{MARKER}-0", "other"]},
        ],
        **more,
    }


def ask_in_every_way(client: Any) -> list[int]:
    """Well and badly, by every protocol of HTTP; the statuses."""
    good = tensors()
    plain = {"distance": NUMBER, "carrier": MARKER, "id": MARKER}
    wrong_kind = tensors()
    wrong_kind["inputs"][0]["data"] = [MARKER, NUMBER]
    lacking = tensors()
    del lacking["inputs"][1]
    table = {"columns": ["distance", "carrier"], "data": [[NUMBER, MARKER]]}
    csv = f"distance,carrier\n{NUMBER},{MARKER}\n".encode()
    csv_kind = {"content-type": "text/csv"}
    infer, predict = "/v2/models/delay/infer", "/v1/models/delay/predict"
    asked = [
        (infer, good, {}),
        ("/v2/models/delay/versions/1/infer", good, {}),
        (infer, tensors(id="named"), {"traceparent": f"00-{'9' * 32}-{'1' * 16}-01"}),
        (infer, tensors(outputs=[{"name": MARKER}]), {}),
        (infer, wrong_kind, {}),
        (infer, lacking, {}),
        (infer, tensors(parameters={"asked_at": MARKER}), {}),
        (f"/v2/models/{MARKER}/infer", good, {}),
        (f"/{MARKER}", good, {"freehold-caller": MARKER, "traceparent": MARKER}),
        (predict, plain, {}),
        (predict, {**plain, "distance": MARKER}, {}),
        (predict, {**plain, MARKER: 1}, {}),
        ("/invocations", {"dataframe_split": table}, {}),
        ("/invocations", csv, csv_kind),
        ("/invocations", csv.replace(str(NUMBER).encode(), MARKER.encode()), csv_kind),
    ]
    statuses = []
    for path, body, headers in asked:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        statuses.append(client.ask("POST", path, data, headers or None).status)
    statuses.append(client.ask("POST", infer, f'{{"inputs": ["{MARKER}'.encode()).status)
    return statuses


def test_no_file_of_an_endpoint_holds_a_personal_value(
    site: Any, client_of: Callable[..., Any]
) -> None:
    site.model(1)
    site.model(2, bias=1.0)
    # As the model sees the number: float32.
    site.model(3, trap=918273664.0)
    rule = personal(site)
    site.route(CHAMPION, log=rule)
    client = client_of()
    expected = [200, 200, 200, 400, 400, 400, 400, 404, 404, 200, 400, 200, 200, 200, 400, 400]
    assert ask_in_every_way(client) == expected
    site.route((1, 50.0, "champion"), (2, 50.0, "c"), reference=1, log=rule)
    assert client.endpoint.watcher.look()
    assert ask_in_every_way(client) == expected
    site.route(CHAMPION, (3, 0.0, "c"), reference=1, shadow=Shadow(3, 100.0), log=rule)
    assert client.endpoint.watcher.look()
    assert ask_in_every_way(client) == expected
    told = client.ask("GET", "/freehold/routing").json
    assert (told["shadow"]["version"], told["log"]["personal"]) == (3, ["carrier", "distance"])
    site.route((3, 100.0, "champion"), log=rule)
    assert client.endpoint.watcher.look() and client.endpoint.watcher.refused is None
    # Version 1 is not there any more.
    failing = [500, 404, *(500 if status == 200 else status for status in expected[2:])]
    assert ask_in_every_way(client) == failing
    assert client.ask("POST", "/freehold/log/flush").status == 200
    ready = client.ask("GET", "/v2/health/ready").body + client.ask("GET", "/metrics").body
    assert MARKER.encode() not in ready and str(NUMBER).encode() not in ready
    client.endpoint.close()
    log = pl.concat(
        [pl.read_parquet(part) for part in (site.folder / "log").glob("*.parquet")],
        how="diagonal",
    )
    assert log["error"].drop_nulls().unique().to_list() == ["endpoint.model-failed"]
    assert log["shadow_error"].drop_nulls().unique().to_list() == ["endpoint.model-failed"]
    key = TokenKey(b"k" * 32)
    by_value = log.filter(pl.col("token_carrier").is_not_null())
    assert by_value["token_carrier"].unique().to_list() == key.tokens(
        "input_carrier", [MARKER], numbers=False
    )
    assert by_value["token_distance"].unique().to_list() == key.tokens(
        "input_distance", [NUMBER], numbers=True
    )
    assert not [name for name in log.columns if name.startswith("input_")]
    assert holds_marker(site.folder) == []


def test_the_search_itself_finds_what_is_in_clear(site: Any, client_of: Any) -> None:
    site.model(1)
    site.route(CHAMPION)
    client = client_of()
    ask_in_every_way(client)
    client.endpoint.close()
    found = {line.partition(": ")[2] for line in holds_marker(site.folder)}
    assert {"input_carrier", "input_distance", "prediction_id", "request_id"} <= found


def refusal(look: Callable[[], Endpoint]) -> str:
    with pytest.raises(FreeholdError) as caught:
        look()
    assert caught.value.hint
    return caught.value.code


def test_without_its_key_a_table_is_not_loaded(site: Any) -> None:
    site.model(1)
    site.route(CHAMPION, log=personal(site))
    path = site.folder / "tokens.key"
    path.unlink()
    assert refusal(site.endpoint) == "endpoint.token-key"
    site.token_key(b"o" * 32)
    assert refusal(site.endpoint) == "endpoint.token-key"
    path.write_bytes(b"no key")
    assert refusal(site.endpoint) == "key.unreadable"
    site.token_key()
    path.chmod(0o640)
    assert refusal(site.endpoint) == "key.readable-by-others"
    path.chmod(0o600)
    site.endpoint().close()


def test_a_column_that_no_model_takes_is_refused_with_all_the_others(site: Any) -> None:
    site.model(1)
    key = site.token_key()
    site.route(CHAMPION, log=LogRule(1.0, False, ("carier", "distance", "age"), False, key.name))
    with pytest.raises(FreeholdError) as caught:
        site.endpoint()
    assert caught.value.code == "endpoint.log-columns"
    assert [str(fault) for fault in caught.value.faults] == [
        "there is no column 'carier'",
        "there is no column 'age'",
    ]
    assert caught.value.faults[0].hint == "did you mean 'carrier'?"


def test_another_key_is_taken_up_with_the_table_that_names_it(
    site: Any, client_of: Any, request_of: Any
) -> None:
    site.model(1)
    site.route(CHAMPION, log=personal(site))
    client = client_of()
    client.infer(request_of(7.0))
    site.route(CHAMPION, log=personal(site, b"n" * 32))
    assert client.endpoint.watcher.look()
    client.infer(request_of(7.0))
    client.endpoint.close()
    first, second = (
        pl.read_parquet(part) for part in sorted((site.folder / "log").glob("*.parquet"))
    )
    tokens = [TokenKey(b * 32).tokens("input_distance", [7.0], numbers=True) for b in (b"k", b"n")]
    assert [first["token_distance"].to_list(), second["token_distance"].to_list()] == tokens
