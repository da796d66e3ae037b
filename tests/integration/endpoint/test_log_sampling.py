"""The log keeps a share of the keys; every row that was answered is in it, counted, or dropped."""

import os
import signal
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from freehold.app.traffic.client import EndpointClient
from freehold.domain.errors import StorageFailed
from freehold.domain.routing import LogRule, Shadow
from freehold.endpoint import request_log
from freehold.endpoint.endpoint_process import EndpointProcess
from freehold.endpoint.request_log import LogSettings, RequestLog
from freehold.serving.left_out import LeftOut, left_out_of
from freehold.serving.prediction_log import Batch, of_the_share
from freehold.serving.request import InferenceRequest, Limits, made_request
from freehold.serving.sampling import Sampling
from freehold.serving.tensor import NumberMatrix, Tensor

CHAMPION = (1, 100.0, "champion")
TENTH = LogRule(sample=0.1)


def parts(site: Any) -> list[Path]:
    return sorted((site.folder / "log").glob("*.parquet"))


def rows(site: Any) -> pl.DataFrame:
    return pl.concat([pl.read_parquet(part) for part in parts(site)], how="diagonal")


def left_out(site: Any) -> list[LeftOut]:
    return [one for part in parts(site) for one in left_out_of(pl.read_parquet_metadata(part))]


def keys(count: int, start: int = 0) -> list[str]:
    return [f"k{number}" for number in range(start, start + count)]


def flush(client: Any) -> None:
    assert client.ask("POST", "/freehold/log/flush").status == 200


@pytest.fixture
def sampled(site: Any) -> Any:
    site.model(1)
    site.route(CHAMPION, log=TENTH)
    return site


def test_the_rows_of_a_tenth_of_the_keys_and_counts_of_the_others(
    sampled: Any, client_of: Any, request_of: Any
) -> None:
    client = client_of()
    for start in range(0, 500, 5):
        assert client.infer(request_of(*range(5), ids=keys(5, start))).status == 200
    flush(client)
    kept = [keys(500)[place] for place in Sampling("delay", 0.1).kept(keys(500))]
    found = rows(sampled)
    assert found["prediction_id"].to_list() == kept
    assert found["input_distance"].to_list() == [float(int(key[1:]) % 5) for key in kept]
    (one,) = left_out(sampled)
    assert (one.model, one.version, one.rows) == ("delay", 1, 500 - len(kept))
    assert one.requests == 100 - found["request_id"].n_unique()
    assert 0 < one.squares <= one.seconds**2 < 1e6
    (part,) = parts(sampled)
    metadata = pl.read_parquet_metadata(part)
    assert metadata["freehold.sampled_out"] == str(one.rows)
    assert metadata["freehold.sample"] == "0.1"
    text = client.ask("GET", "/metrics").body.decode()
    assert f"freehold_log_rows_sampled_out_total {float(one.rows)}" in text
    assert 'freehold_rows_total{model="delay",version="1"} 500.0' in text


def test_rows_without_ids_are_in_or_out_with_their_request(
    sampled: Any, client_of: Any, request_of: Any
) -> None:
    client = client_of()
    names = keys(200, start=1)
    for name in names:
        client.infer(request_of(*range(5), id=name))
    flush(client)
    kept = [name for name in names if Sampling("delay", 0.1).keeps(name)]
    found = rows(sampled)
    assert found["request_id"].to_list() == [name for name in kept for _ in range(5)]
    (one,) = left_out(sampled)
    assert (one.requests, one.rows) == (200 - len(kept), 1000 - 5 * len(kept))


def test_one_tensor_of_all_columns_is_sampled_too(site: Any, client_of: Any) -> None:
    site.model(1)
    site.route(CHAMPION, log=TENTH)
    endpoint = client_of().endpoint
    matrix = NumberMatrix(
        ("distance",), "FP64", np.arange(300.0)[:, None], Tensor("id", "BYTES", keys(300))
    )
    request = made_request(matrix, Limits())._replace(missing_is_null=True)
    endpoint.inference.answer(endpoint.watcher.table, request, 1, None)
    endpoint.close()
    found = rows(site)
    kept = Sampling("delay", 0.1).kept(keys(300))
    assert found["input_distance"].to_list() == [float(place) for place in kept]
    assert found.height + left_out(site)[0].rows == 300


def test_a_row_that_failed_is_never_left_out(site: Any, client_of: Any, request_of: Any) -> None:
    site.model(1, trap=13.0)
    site.route(CHAMPION, log=LogRule(sample=0.001))
    client = client_of()
    for number in range(50):
        assert client.infer(request_of(13.0, ids=keys(1, number))).status == 500
        assert client.infer(request_of(1.0, ids=keys(1, number))).status == 200
    flush(client)
    failed = rows(site).filter(pl.col("error").is_not_null())
    share = Sampling("delay", 0.001).kept(keys(50))
    assert of_the_share(failed)["prediction_id"].to_list() == [keys(50)[place] for place in share]
    assert failed["prediction_id"].to_list() == keys(50)
    assert rows(site).height + sum(one.rows for one in left_out(site)) == 100


def test_a_canary_and_a_shadow_need_every_row(site: Any, client_of: Any, request_of: Any) -> None:
    site.model(1)
    site.model(2, bias=1.0)
    site.route(CHAMPION, log=TENTH)
    client = client_of()
    look = client.endpoint.watcher.look
    site.route((1, 50.0, "champion"), (2, 50.0, "challenger"), reference=1, log=TENTH)
    assert look()
    client.infer(request_of(*range(100), ids=keys(100)))
    idle = (CHAMPION, (2, 0.0, "challenger"))
    site.route(*idle, reference=1, log=TENTH)
    assert look()
    client.infer(request_of(*range(100), ids=keys(100)))
    site.route(*idle, reference=1, shadow=Shadow(2, 30.0), log=TENTH)
    assert look()
    client.infer(request_of(*range(100), ids=keys(100)))
    flush(client)
    found = rows(site)
    assert found.height == 300 and left_out(site) == []
    share = {keys(100)[place] for place in Sampling("delay", 0.1).kept(keys(100))}
    assert set(found.filter("sampled")["prediction_id"]) == share
    assert of_the_share(found).height == 3 * len(share)
    assert found["sampled"].null_count() == 0
    site.route(CHAMPION, log=LogRule(sample=0.1, whole=True))
    assert look()
    client.infer(request_of(*range(100), ids=keys(100, 100)))
    flush(client)
    assert rows(site).height == 400 and left_out(site) == []
    site.route((2, 100.0, "champion"), log=TENTH)
    assert look()
    client.infer(request_of(*range(100), ids=keys(100)))
    flush(client)
    (one,) = left_out(site)
    assert (one.version, rows(site).height + one.rows) == (2, 500)


def test_counts_stand_in_a_part_within_the_window_though_no_row_is_kept(
    site: Any, client_of: Any, request_of: Any
) -> None:
    site.model(1)
    site.route(CHAMPION, log=LogRule(sample=1e-12))
    client = client_of(log=LogSettings(window=0.01))
    client.infer(request_of(1, 2, ids=["a", "b"]))
    while not parts(site):
        pass
    assert rows(site).height == 0
    assert [(one.requests, one.rows) for one in left_out(site)] == [(1, 2)]
    client.endpoint.close()
    assert len(parts(site)) == 1


def test_a_full_disk_keeps_the_counts_until_there_is_room(
    sampled: Any, client_of: Any, request_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = client_of()
    store = request_log.store
    monkeypatch.setattr(request_log, "store", _full)
    for start in (0, 100):
        client.infer(request_of(*range(100), ids=keys(100, start)))
        assert client.ask("POST", "/freehold/log/flush").status == 507
    monkeypatch.setattr(request_log, "store", store)
    client.infer(request_of(*range(100), ids=keys(100, 200)))
    flush(client)
    (one,) = left_out(sampled)
    assert (one.requests, one.rows) == (0, 300 - rows(sampled).height)


def _full(path: Path, data: bytes) -> None:
    raise OSError(28, "No space left on device")


def asked(keys: list[str]) -> InferenceRequest:
    tensors = {
        "id": Tensor("id", "BYTES", keys),
        "distance": Tensor("distance", "FP64", [1.0] * len(keys)),
    }
    return made_request(tensors, Limits())._replace(missing_is_null=True)


@given(
    sizes=st.lists(st.lists(st.integers(1, 30), max_size=25), min_size=2, max_size=4),
    share=st.sampled_from([0.01, 0.3, 0.9, 1.0]),
    capacity=st.sampled_from([1, 40, 100_000]),
    window=st.sampled_from([0.0005, 60.0]),
)
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_every_answered_row_is_kept_counted_or_dropped(
    site_of: Any, sizes: list[list[int]], share: float, capacity: int, window: float
) -> None:
    """Whoever asks beside whom, and however little the log has room for."""
    site = site_of()
    site.model(1)
    site.route(CHAMPION, log=LogRule(sample=share))
    endpoint = site.endpoint(log=LogSettings(window, part_rows=50, capacity=capacity))
    loaded = endpoint.watcher.table

    def ask(mine: int) -> None:
        for number, size in enumerate(sizes[mine]):
            request = asked([f"{mine}-{number}-{row}" for row in range(size)])
            endpoint.inference.answer(loaded, request, 1_700_000_000_000_000, None)

    threads = [Thread(target=ask, args=(mine,)) for mine in range(len(sizes))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    state = endpoint.close()
    answered = sum(map(sum, sizes))
    assert state.waiting == 0
    assert state.written + state.sampled_out + state.dropped == answered
    found = [pl.read_parquet(part) for part in parts(site)]
    assert sum(part.height for part in found) == state.written
    counted = left_out(site)
    assert sum(one.rows for one in counted) == state.sampled_out
    if not state.dropped:
        seen = {key for part in found for key in part["request_id"]}
        requests = sum(map(len, sizes))
        assert len(seen) + sum(one.requests for one in counted) == requests


def test_a_killed_process_loses_no_row_and_no_count_of_before_its_window(
    real: Any, request_of: Any
) -> None:
    real.token_key()
    rule = LogRule(0.3, False, ("carrier",), True, real.token_key().name)
    real.route(CHAMPION, log=rule)
    endpoint = EndpointProcess.start(real.folder)
    client = EndpointClient(endpoint.url)

    def told() -> tuple[int, int]:
        log = [pl.read_parquet(part).height for part in parts(real)]
        return sum(log), sum(one.rows for one in left_out(real))

    try:
        for start in range(0, 200, 20):
            body = request_of(*range(20), ids=keys(20, start))
            client.infer("delay", body["inputs"])
        # Nobody flushes: the window passes by itself.
        while sum(told()) < 200:
            assert os.waitid(os.P_PID, endpoint.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
        before = told()
        client.infer("delay", request_of(1, ids=["last"])["inputs"])
    finally:
        client.close()
        os.kill(endpoint.pid, signal.SIGKILL)
        with pytest.raises(Exception, match="did not stop"):
            endpoint.stop()
    assert before == (len(Sampling("delay", 0.3).kept(keys(200))), 200 - before[0])
    assert 200 <= sum(told()) <= 201
    assert len(rows(real)["prediction_id"].unique()) == rows(real).height


def test_of_what_no_part_can_be_made_no_value_is_told(tmp_path: Path, site: Any) -> None:
    site.token_key()
    site.model(1)
    rule = LogRule(1.0, False, ("distance",), False, site.token_key().name)
    site.route(CHAMPION, log=rule)
    endpoint = site.endpoint()
    spoilt = Batch(
        *(["p"], "r", 1, 1, "delay", 1, "champion", 1, [0.5], None, 1.0, None, None),
        inputs={"distance": ["marker-83"]},
        kinds={"distance": "number"},
        tokens=endpoint.watcher.table.keeping.tokens,
    )
    log: RequestLog = endpoint._log
    assert log.offer(spoilt)
    with pytest.raises(StorageFailed) as caught:
        log.flush()
    assert caught.value.code == "endpoint.log-rows-lost"
    assert "ValueError" in str(caught.value) and "marker-83" not in str(caught.value)
    endpoint.close()
