"""The log holds every row that was answered, and says what it lost."""

import errno
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import duckdb
import polars as pl
import pytest
from waiting import until

from freehold.domain.columns import Column, Columns
from freehold.domain.errors import StorageFailed
from freehold.endpoint import inference, request_log
from freehold.endpoint.request_log import LogSettings
from freehold.serving.open_inference import read_request
from freehold.serving.prediction_log import SCHEMA, LogPart, inputs_of
from freehold.serving.request import Limits


def read(site: Any) -> pl.DataFrame:
    parts = sorted((site.folder / "log").glob("*.parquet"))
    return pl.concat([pl.read_parquet(part) for part in parts], how="diagonal")


def flush(client: Any) -> dict[str, int]:
    reply = client.ask("POST", "/freehold/log/flush")
    assert reply.status == 200, reply.body
    return dict(reply.json)


def test_every_row_with_its_inputs(site: Any, client: Any, request_of: Any) -> None:
    reply = client.infer(request_of(7, None, ids=["a", "b"], id="r1"))
    assert flush(client) == {"rows": 2, "dropped": 0, "parts": 1}
    log = read(site)
    assert dict(log.schema) == {
        **SCHEMA,
        "input_carrier": pl.String(),
        "input_distance": pl.Float64(),
    }
    assert log["prediction_id"].to_list() == ["a", "b"]
    assert log["score"].to_list() == reply.output("score")
    assert log["at"].to_list() == log["asked_at"].to_list()
    varying = {"at": None, "asked_at": None, "score": None, "latency_us": None}
    assert log.row(0, named=True) | varying == {
        "prediction_id": "a",
        "request_id": "r1",
        "at": None,
        "asked_at": None,
        "model": "delay",
        "version": 1,
        "alias": "champion",
        "routing": 1,
        "score": None,
        "reference_score": None,
        "latency_us": None,
        "reference_latency_us": None,
        "error": None,
        "trace": None,
        "shadow_version": None,
        "shadow_score": None,
        "shadow_latency_us": None,
        "shadow_error": None,
        "sampled": None,
        "input_carrier": "UA",
        "input_distance": 7.0,
    }
    assert inputs_of(log).rows() == [("UA", 7.0), ("UA", None)]
    assert log["latency_us"].min() > 0  # type: ignore[operator]


def test_a_question_that_arose_earlier_says_so(site: Any, client: Any, request_of: Any) -> None:
    micros = 1_370_000_000_123_456
    assert client.infer(request_of(7, parameters={"asked_at": micros})).status == 200
    flush(client)
    log = read(site)
    assert log["asked_at"].dt.epoch("us").to_list() == [micros]
    assert log["at"].dt.epoch("us").item() > micros


def test_others_read_it(site: Any, client: Any, request_of: Any) -> None:
    client.infer(request_of(7, 9))
    flush(client)
    pattern = str(site.folder / "log" / "*.parquet")
    question = f"select count(*), min(\"at\") > '2020-01-01', sum(input_distance) from '{pattern}'"
    assert duckdb.sql(question).fetchall() == [(2, True, 16.0)]


def test_the_reference_scores_the_canarys_rows(site: Any, client_of: Any, request_of: Any) -> None:
    site.model(1)
    site.model(2, bias=2.0)
    site.canary()
    client = client_of()
    client.infer(request_of(*[5.0] * 100))
    client.infer(request_of(5.0), "/v2/models/delay/versions/2/infer")
    flush(client)
    log = read(site)
    canary = log.filter(pl.col("alias") == "challenger", pl.col("routing").is_not_null())
    champion = log.filter(pl.col("alias") == "champion")
    assert canary.height + champion.height == 100
    assert canary["reference_score"].unique().to_list() == champion["score"].unique().to_list()
    assert canary["reference_latency_us"].null_count() == 0
    assert champion["reference_score"].null_count() == champion.height
    named = log.filter(pl.col("routing").is_null())
    assert named["version"].to_list() == [2]


def test_the_two_take_turns_at_scoring_first(
    site: Any, client_of: Any, request_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever is second finds the caches warm: one that always were would seem the faster one."""
    site.model(1)
    site.model(2, bias=2.0)
    site.canary(100.0)
    client = client_of()
    scored: list[int] = []

    def noted(call: Any, place: int, rows: Any, score: Any = inference._score) -> Any:
        scored.append(call.loaded.table.variants[place].version)
        return score(call, place, rows)

    monkeypatch.setattr(inference, "_score", noted)
    for _ in range(3):
        assert client.infer(request_of(5.0)).status == 200
    assert scored == [2, 1, 1, 2, 2, 1]
    flush(client)
    log = read(site)
    assert log["score"].n_unique() == log["reference_score"].n_unique() == 1
    assert (log["score"] > log["reference_score"]).all()


def test_a_failing_model_is_a_500_and_counts_against_it(
    site: Any, client_of: Any, request_of: Any
) -> None:
    site.model(1)
    site.model(2, trap=13.0)
    site.canary(100.0)
    client = client_of()
    reply = client.infer(request_of(13.0, 1.0))
    assert (reply.status, reply.json["code"]) == (500, "endpoint.model-failed")
    assert client.infer(request_of(1.0)).status == 200
    flush(client)
    log = read(site)
    assert log["error"].to_list() == ["endpoint.model-failed"] * 2 + [None]
    assert log["score"].null_count() == 2 and set(log["version"]) == {2}
    text = client.ask("GET", "/metrics").body.decode()
    assert 'freehold_row_errors_total{model="delay",version="2"} 2.0' in text


def test_a_failing_reference_costs_no_answer(site: Any, client_of: Any, request_of: Any) -> None:
    site.model(1, trap=13.0)
    site.model(2)
    site.canary(100.0)
    client = client_of()
    assert client.infer(request_of(13.0)).status == 200
    flush(client)
    assert read(site)["reference_score"].to_list() == [None]
    text = client.ask("GET", "/metrics").body.decode()
    assert 'freehold_reference_errors_total{model="delay"} 1.0' in text


def test_a_canary_that_asks_for_more_is_blamed_and_a_clients_fault_is_not(
    site: Any, client_of: Any, request_of: Any
) -> None:
    site.model(1)
    columns = (Column("distance", "number"), Column("dep_delay", "number"))
    site.model(2, columns=Columns(columns))
    site.canary(100.0)
    client = client_of()
    assert client.infer(request_of(1.0, 2.0)).json["code"] == "request.column-missing"
    forgetful = request_of(1.0)
    del forgetful["inputs"][0]
    assert client.infer(forgetful).json["code"] == "request.column-missing"
    lenient = {**request_of(3.0), "parameters": {"missing": "null"}}
    assert client.infer(lenient).status == 200
    flush(client)
    log = read(site)
    assert log["error"].to_list() == ["request.column-missing"] * 2 + [None]
    assert log["version"].to_list() == [2, 2, 2]
    assert log["input_dep_delay"].to_list() == [None] * 3


def test_a_full_log_drops_and_counts(site: Any, client_of: Any, request_of: Any) -> None:
    site.model(1)
    site.route((1, 100.0, "champion"))
    client = client_of(log=LogSettings(window=60, part_rows=1_000, capacity=5))
    assert all(client.infer(request_of(1, 2)).status == 200 for _ in range(4))
    assert flush(client) == {"rows": 4, "dropped": 4, "parts": 1}
    (part,) = (site.folder / "log").glob("*.parquet")
    assert pl.read_parquet_metadata(part)["freehold.dropped"] == "4"
    client.infer(request_of(1, 2))
    assert flush(client) == {"rows": 6, "dropped": 4, "parts": 2}
    newest = max((site.folder / "log").glob("*.parquet"))
    assert pl.read_parquet_metadata(newest)["freehold.dropped"] == "0"


def test_a_part_is_written_when_enough_rows_wait(
    site: Any, client_of: Any, request_of: Any
) -> None:
    site.model(1)
    site.route((1, 100.0, "champion"))
    client = client_of(log=LogSettings(window=3600, part_rows=10))
    client.infer(request_of(*range(10)))
    while not list((site.folder / "log").glob("*.parquet")):
        pass
    assert read(site).height == 10


def test_the_window_writes_too(site: Any, client_of: Any, request_of: Any) -> None:
    site.model(1)
    site.route((1, 100.0, "champion"))
    client = client_of(log=LogSettings(window=0.01))
    client.infer(request_of(1))
    while not list((site.folder / "log").glob("*.parquet")):
        pass
    assert read(site).height == 1


def test_who_is_hasty_is_so_for_a_while(
    site: Any, client_of: Any, request_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.model(1)
    site.route((1, 100.0, "champion"))
    client = client_of(log=LogSettings(window=3600.0))
    client.endpoint.retire(1000.0)
    client.infer(request_of(1))
    until(lambda: bool(list((site.folder / "log").glob("*.parquet"))))
    monkeypatch.setattr(request_log, "monotonic", lambda: monotonic() + 1000.0)
    # Of the window that had begun.
    flush(client)
    client.infer(request_of(2, 3))
    sleep(0.3)
    assert read(site).height == 1
    client.endpoint.close()
    assert read(site).height == 3


def test_a_clean_stop_writes_the_rest(site: Any, request_of: Any, client_of: Any) -> None:
    site.model(1)
    site.route((1, 100.0, "champion"))
    client = client_of()
    client.infer(request_of(1, 2, 3))
    state = client.endpoint.close()
    assert (state.written, state.waiting) == (3, 0) and read(site).height == 3
    assert site.events()[-1] | {"at": 0} == {
        "type": "endpoint.stopped",
        "at": 0,
        "rows": 3,
        "dropped": 0,
    }


def test_a_full_disk_loses_nothing_once_there_is_room(
    site: Any, client: Any, request_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = request_log.store

    def full(path: Path, data: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(request_log, "store", full)
    assert client.infer(request_of(1, 2)).status == 200
    reply = client.ask("POST", "/freehold/log/flush")
    assert (reply.status, reply.json["code"]) == (507, "endpoint.log-unwritable")
    assert client.infer(request_of(3)).status == 200
    monkeypatch.setattr(request_log, "store", store)
    assert flush(client)["rows"] == 3
    assert read(site)["input_distance"].to_list() == [1.0, 2.0, 3.0]
    assert "endpoint.log-failed" in [event["type"] for event in site.events()]


def test_what_a_stop_cannot_write_is_said(
    site: Any, client_of: Any, request_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.model(1)
    site.route((1, 100.0, "champion"))
    endpoint = site.endpoint()
    log = endpoint._log
    monkeypatch.setattr(request_log, "log_part_of", lambda *_: LogPart(b"x", ()))
    monkeypatch.setattr(
        request_log, "store", lambda *_: (_ for _ in ()).throw(OSError(errno.ENOSPC, "full"))
    )
    body = (
        b'{"inputs":[{"name":"distance","datatype":"FP64","shape":[1],"data":[1]}],'
        b'"parameters":{"missing":"null"}}'
    )
    request = read_request(body, Limits())
    endpoint.application._inference.answer(endpoint.watcher.table, request, 1, None)
    with pytest.raises(StorageFailed):
        endpoint.close()
    assert log.state.waiting == 1
