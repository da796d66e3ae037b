"""Whatever the log meets, it counts what it lost, says so, and goes on."""

import errno
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import polars as pl
import pytest

from freehold.domain.columns import Column, Columns
from freehold.domain.errors import StorageFailed
from freehold.endpoint import events, request_log
from freehold.endpoint.request_log import LogSettings, RequestLog
from freehold.serving.prediction_log import Batch

FULL = OSError(errno.ENOSPC, "No space left on device")
LATE = Columns((Column("distance", "number"), Column("late", "number"), Column("gate", "number")))
LOST = "endpoint.log-rows-lost"
UNWRITABLE = "endpoint.log-unwritable"


def fail_with(exc: BaseException) -> Callable[..., NoReturn]:
    def fail(*_: object) -> NoReturn:
        raise exc

    return fail


def batch(name: str, value: Any, kind: Any = "number") -> Batch:
    return Batch(
        prediction_ids=[name],
        request_id=name,
        at=1,
        asked_at=1,
        model="delay",
        version=1,
        alias="champion",
        routing=1,
        score=[0.5],
        reference_score=None,
        latency_us=1.0,
        reference_latency_us=None,
        error=None,
        inputs={"x": [value]},
        kinds={"x": kind},
    )


def names(folder: Path) -> list[str]:
    parts = [pl.read_parquet(path, columns=["prediction_id"]) for path in folder.glob("*.parquet")]
    return sorted(pl.concat(parts)["prediction_id"]) if parts else []


def told(site: Any) -> list[str]:
    return [event["code"] for event in site.events() if event["type"] == "endpoint.log-failed"]


def flush(client: Any) -> Any:
    return client.ask("POST", "/freehold/log/flush")


@pytest.fixture
def codes() -> list[str]:
    return []


@pytest.fixture
def log(tmp_path: Path, codes: list[str]) -> Iterator[RequestLog]:
    def keep(code: str) -> bool:
        codes.append(code)
        return True

    made = RequestLog(tmp_path / "log", lambda: 1, LogSettings(window=60), keep)
    yield made
    if made.state.alive:
        made.close()


@pytest.mark.parametrize("path", ["/v2/models/delay/infer", "/v2/models/delay/versions/1/infer"])
@pytest.mark.parametrize("weight", [0.0, 100.0])
def test_a_column_of_another_variant_must_be_of_its_type(
    site: Any, client_of: Any, request_of: Any, path: str, weight: float
) -> None:
    """Also where a column that only the canary asks for is missing: that is not its fault then."""
    site.model(1)
    site.model(2, columns=LATE)
    site.canary(weight)
    client = client_of()
    request = request_of(1.0)
    late = {"name": "late", "datatype": "BYTES", "shape": [1], "data": ["abc"]}
    request["inputs"].append(late)
    refused = client.infer(request, path)
    assert (refused.status, refused.json["code"]) == (400, "request.wrong-type")
    assert "late" in refused.json["error"]
    assert client.infer({**request_of(2.0), "parameters": {"missing": "null"}}, path).status == 200
    assert flush(client).json == {"rows": 1, "dropped": 0, "parts": 1}


def test_rows_that_cannot_be_written_are_set_aside_and_the_rest_is_kept(
    log: RequestLog, codes: list[str], tmp_path: Path
) -> None:
    for name, value in (("a", 1.0), ("b", 2.0), ("c", "abc"), ("d", None), ("e", 3.0)):
        log.offer(batch(name, value))
    with pytest.raises(StorageFailed) as caught:
        log.flush()
    assert caught.value.code == LOST and "1 row" in caught.value.what
    assert "abc" in caught.value.why
    assert names(tmp_path / "log") == ["a", "b", "d", "e"]
    state = log.state
    assert (state.written, state.dropped, state.waiting, state.alive) == (4, 1, 0, True)
    log.offer(batch("f", 4.0))
    assert log.flush().written == 5, "what was told once does not stand in the way of the rest"
    assert codes == [LOST]
    metadata = [pl.read_parquet_metadata(path) for path in (tmp_path / "log").glob("*.parquet")]
    assert sum(int(one["freehold.dropped"]) for one in metadata) == 1


def test_a_stop_says_what_was_lost_since_the_last_flush(log: RequestLog) -> None:
    log.offer(batch("c", "abc"))
    with pytest.raises(StorageFailed) as caught:
        log.close()
    assert caught.value.code == LOST


def test_a_panic_of_the_writer_does_not_end_the_thread(
    log: RequestLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        panic = pl.exceptions.PanicException("panicked")
        patch.setattr(request_log, "log_part_of", fail_with(panic))
        log.offer(batch("a", 1.0))
        with pytest.raises(StorageFailed):
            log.flush()
    log.offer(batch("b", 1.0))
    assert log.flush().written == 1
    assert names(tmp_path / "log") == ["b"]


@pytest.mark.parametrize("fault", [FULL, ValueError("of no known kind"), MemoryError()])
def test_what_the_disk_does_not_take_is_tried_again(
    log: RequestLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    log.offer(batch("a", 1.0))
    with monkeypatch.context() as patch:
        patch.setattr(request_log, "store", fail_with(fault))
        with pytest.raises(StorageFailed) as caught:
            log.flush()
        assert caught.value.code == UNWRITABLE
        assert (log.state.waiting, log.state.dropped) == (1, 0)
    assert log.flush().written == 1
    assert names(tmp_path / "log") == ["a"]


def test_a_part_that_is_not_durable_is_not_written_twice(
    log: RequestLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []

    def sync(file: int) -> None:
        calls.append(file)
        if len(calls) == 2:
            raise OSError(errno.EIO, "the folder is not synchronized")

    monkeypatch.setattr(request_log.os, "fsync", sync)
    log.offer(batch("a", 1.0))
    with pytest.raises(StorageFailed):
        log.flush()
    assert list((tmp_path / "log").iterdir()) == []
    log.flush()
    assert names(tmp_path / "log") == ["a"]


def test_a_failure_to_tell_does_not_end_the_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = RequestLog(
        tmp_path / "log", lambda: 1, LogSettings(window=60), fail_with(RuntimeError("no"))
    )
    log.offer(batch("a", 1.0))
    with monkeypatch.context() as patch:
        patch.setattr(request_log, "store", fail_with(FULL))
        with pytest.raises(StorageFailed):
            log.flush()
    assert log.flush().written == 1
    log.close()


def test_one_event_until_it_works_again(
    site: Any, client: Any, request_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for episode in (1, 2):
        client.infer(request_of(1))
        with monkeypatch.context() as patch:
            patch.setattr(request_log, "store", fail_with(FULL))
            for _ in range(3):
                assert flush(client).status == 507
            assert told(site) == [UNWRITABLE] * episode
            metrics = client.ask("GET", "/metrics").body.decode().splitlines()
            assert f"freehold_log_write_failures_total {3.0 * episode}" in metrics
        assert flush(client).status == 200
    assert told(site) == [UNWRITABLE] * 2


def test_an_event_that_the_full_disk_did_not_take_either_is_told_later(
    site: Any, client: Any, request_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.infer(request_of(1))
    with monkeypatch.context() as patch:
        patch.setattr(request_log, "store", fail_with(FULL))
        patch.setattr(events, "store", fail_with(FULL))
        assert [flush(client).status for _ in range(2)] == [507, 507]
        assert told(site) == []
    assert flush(client).status == 200
    assert told(site) == [UNWRITABLE]


def test_a_failing_log_is_told_by_ready_and_costs_no_answer(
    client: Any, request_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert client.ask("GET", "/v2/health/ready").json["log"] == {"alive": True, "failure": ""}
    client.infer(request_of(1))
    with monkeypatch.context() as patch:
        patch.setattr(request_log, "store", fail_with(FULL))
        flush(client)
        ready = client.ask("GET", "/v2/health/ready")
        assert ready.status == 200 and client.infer(request_of(2)).status == 200
        assert ready.json["log"]["alive"] and "No space left" in ready.json["log"]["failure"]
    flush(client)
    assert client.ask("GET", "/v2/health/ready").json["log"] == {"alive": True, "failure": ""}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_dead_log_is_neither_ready_nor_flushed(
    site: Any, request_of: Any, client_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What no boundary holds back: nothing known does this."""
    site.model(1)
    site.route((1, 100.0, "champion"))
    client = client_of()
    with monkeypatch.context() as patch:
        patch.setattr(request_log, "store", fail_with(SystemExit()))
        client.infer(request_of(1, 2))
        dead = flush(client)
        assert (dead.status, dead.json["code"]) == (500, "endpoint.log-ended")
    assert flush(client).json["code"] == "endpoint.log-ended"
    ready = client.ask("GET", "/v2/health/ready")
    assert (ready.status, ready.json["ready"], ready.json["log"]["alive"]) == (400, False, False)
    assert "freehold_log_alive 0.0" in client.ask("GET", "/metrics").body.decode().splitlines()
    with pytest.raises(StorageFailed) as caught:
        client.endpoint.close()
    assert caught.value.code == "endpoint.log-ended"
    stopped = site.events()[-1]
    assert (stopped["type"], stopped["rows"], stopped["dropped"]) == ("endpoint.stopped", 0, 2)
    client_of.started.clear()


def test_a_column_may_change_its_kind_within_one_part(site: Any, client: Any) -> None:
    """A release that is immediate may bring a model that takes a number as a category."""
    as_text = Columns((Column("distance", "category", ("far",)),))
    site.model(2, columns=as_text)

    def ask(datatype: str, value: Any) -> None:
        tensor = {"name": "distance", "datatype": datatype, "shape": [1], "data": [value]}
        body = {"inputs": [tensor], "parameters": {"missing": "null"}}
        assert client.infer(json.dumps(body).encode()).status == 200

    ask("FP64", 12.0)
    site.route((2, 100.0, "champion"))
    client.endpoint.watcher.look()
    ask("BYTES", "far")
    assert flush(client).json == {"rows": 2, "dropped": 0, "parts": 2}
    parts = sorted((site.folder / "log").glob("*.parquet"))
    assert [pl.read_parquet(part)["input_distance"].to_list() for part in parts] == [
        [12.0],
        ["far"],
    ]


def test_who_holds_rows_back_and_fails_does_not_end_the_log(
    log: RequestLog, tmp_path: Path
) -> None:
    log.on_window = fail_with(RuntimeError("held back"))
    assert log.offer(batch("a", 1.0))
    state = log.flush()
    assert (state.written, state.failures, state.alive) == (1, 1, True)
    held = [batch("b", 1.0)]

    def offer() -> None:
        while held:
            assert log.offer(held.pop())

    log.on_window = offer
    assert log.flush().written == 2
    assert names(tmp_path / "log") == ["a", "b"]
