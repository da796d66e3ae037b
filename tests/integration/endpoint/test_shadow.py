"""A shadow scores what others answered, within its share, and is never heard."""

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import polars as pl
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from freehold.domain.columns import Column, Columns
from freehold.domain.routing import RoutingTable, Shadow, Variant, routing_document, signed_bytes
from freehold.endpoint.process import EndpointThread, wall_clock
from freehold.endpoint.settings import EndpointSettings
from freehold.endpoint.shadow import ROOM

COLUMNS = (
    "shadow_version",
    "shadow_score",
    "shadow_latency_us",
    "shadow_error",
)


def shadow(site: Any, share: float) -> None:
    site.tables += 1
    variants = (
        Variant(1, site.digests[1], 100.0, "champion"),
        Variant(2, site.digests[2], 0.0, "challenger"),
    )
    table = RoutingTable(site.tables, "delay", "salt", variants, 1, Shadow(2, share))
    signature = site.key.sign(signed_bytes(table), ec.ECDSA(hashes.SHA256()))
    site.write(routing_document(table, signature))


def log_of(site: Any) -> pl.DataFrame:
    return pl.read_parquet(site.folder / "log" / "*.parquet")


def asked(client: Any, request_of: Any, count: int) -> list[float]:
    reply = client.infer(request_of(*range(count), ids=[f"k{n}" for n in range(count)]))
    assert reply.status == 200
    assert reply.output("version") == [1] * count
    scores: list[float] = reply.output("score")
    client.ask("POST", "/freehold/log/flush")
    return scores


@pytest.mark.parametrize("share", [100.0, 30.0])
def test_it_scores_its_share_of_keys_and_is_not_heard(
    site: Any, client_of: Callable[..., Any], request_of: Any, share: float
) -> None:
    site.model(1)
    site.model(2, bias=1.0)
    shadow(site, share)
    client = client_of()
    scores = asked(client, request_of, 400)
    log = log_of(site)
    assert log["score"].to_list() == scores
    assert set(log["version"]) == {1}
    seen = log.filter(pl.col("shadow_version") == 2)
    assert abs(seen.height - 4 * share) <= (0 if share == 100 else 45)
    assert (seen["shadow_score"] > seen["score"]).all()
    assert seen["shadow_latency_us"].min() > 0  # type: ignore[operator]
    unseen = log.filter(pl.col("shadow_version").is_null())
    assert unseen["shadow_score"].null_count() == unseen.height
    chosen = set(seen["prediction_id"])
    asked(client, request_of, 400)
    again = log_of(site).filter(pl.col("shadow_version") == 2)
    assert set(again["prediction_id"]) == chosen, "the same keys each time"


def test_its_failures_are_logged_and_cost_nothing(
    site: Any, client_of: Callable[..., Any], request_of: Any
) -> None:
    site.model(1)
    site.model(2, trap=2.0)
    shadow(site, 100.0)
    asked(client_of(), request_of, 4)
    log = log_of(site)
    assert log["error"].null_count() == 4
    assert log["shadow_version"].to_list() == [2] * 4
    assert log["shadow_score"].null_count() == 4
    assert set(log["shadow_error"]) == {"endpoint.model-failed"}


def test_a_column_that_only_the_shadow_asks_for_is_its_own_error(
    site: Any, client_of: Callable[..., Any], request_of: Any
) -> None:
    wider = Columns((*(Column("distance", "number"), Column("hour", "number")),))
    site.model(1)
    site.model(2, columns=wider)
    shadow(site, 100.0)
    asked(client_of(), request_of, 3)
    assert set(log_of(site)["shadow_error"]) == {"request.column-missing"}


def test_what_comes_after_the_window_is_dropped_and_counted(
    site: Any, client_of: Callable[..., Any], request_of: Any
) -> None:
    site.model(1)
    site.model(2, bias=1.0)
    shadow(site, 100.0)
    client = client_of()
    shadows = client.endpoint.inference.shadows
    shadows.on_waiting = lambda: None
    client.server._room._rest_soon = lambda: None
    score, log = shadows._score, client.endpoint._log

    def passed(one: Any) -> Any:
        found = score(one)
        assert log.flush().waiting == 0
        return found

    shadows._score = passed
    assert client.infer(request_of(1, 2)).status == 200
    assert log.flush().written == 2, "a window takes what waits"
    assert client.infer(request_of(3)).status == 200
    assert not shadows.next()
    assert log.flush().written == 3, "no row twice"
    logged = log_of(site)
    assert logged["shadow_version"].null_count() == logged.height == 3
    text = client.ask("GET", "/metrics").body.decode()
    assert 'freehold_shadow_rows_late_total{model="delay"} 1.0' in text


def test_rows_of_a_version_that_was_named_have_no_shadow(
    site: Any, client_of: Callable[..., Any], request_of: Any
) -> None:
    site.model(1)
    site.model(2)
    shadow(site, 100.0)
    client = client_of()
    assert client.infer(request_of(1), "/v2/models/delay/versions/1/infer").status == 200
    client.ask("POST", "/freehold/log/flush")
    assert all(log_of(site)[name].null_count() == 1 for name in COLUMNS)


def test_what_finds_no_room_is_logged_without_it(
    site: Any, client_of: Callable[..., Any], request_of: Any
) -> None:
    site.model(1)
    site.model(2)
    shadow(site, 100.0)
    client = client_of()
    client.endpoint.inference.shadows.on_waiting = lambda: None
    client.server._room._rest_soon = lambda: None
    for n in range(ROOM + 10):
        assert client.infer(request_of(n)).status == 200
    client.ask("POST", "/freehold/log/flush")
    log = log_of(site)
    assert (log.height, log["shadow_version"].null_count()) == (ROOM + 10, 10)


def test_a_server_scores_it_when_nobody_waits_and_before_it_stops(
    site: Any, request_of: Any
) -> None:
    site.model(1)
    site.model(2)
    shadow(site, 100.0)
    settings = EndpointSettings(site.folder, port=0)
    with EndpointThread(settings, site.runtime, site.signing, wall_clock) as endpoint:
        connection = http.client.HTTPConnection(urlsplit(endpoint.url).netloc, timeout=60)
        for n in range(50):
            body = json.dumps(request_of(n)).encode()
            connection.request("POST", "/v2/models/delay/infer", body)
            reply = connection.getresponse()
            assert reply.status == 200
            reply.read()
        connection.close()
    log = log_of(site)
    assert (log.height, log["shadow_version"].null_count()) == (50, 0)


NOBODY_RESTS = """
import sys, time
from pathlib import Path
from freehold.endpoint.process import EndpointThread
from freehold.endpoint.settings import EndpointSettings
from freehold.endpoint.waiting_room import WaitingRoom

# As under a load that never ends: there is always somebody who waits.
WaitingRoom._rest_soon = lambda room: None
with EndpointThread(EndpointSettings(Path(sys.argv[1]), port=0)) as endpoint:
    print(endpoint.url, flush=True)
    time.sleep(600)
"""


NEVER_SCORES = """
import sys, time
from pathlib import Path
from threading import Event
import numpy as np
from freehold.endpoint.process import EndpointThread
from freehold.endpoint.settings import EndpointSettings
from freehold.ports.model_runtime import Elsewhere, ModelRuntime, Predictor

class Answers(Predictor, Elsewhere):
    deadline = 600.0

    def __init__(self, blocks):
        self.width, self.blocks = 2, blocks

    def predict(self, matrix):
        if self.blocks and (matrix == 2).any():
            print("begun", flush=True)
            Event().wait()
        return np.full(len(matrix), 0.5)

class Runtime(ModelRuntime):
    name = "blocking"

    def load(self, folder):
        return Answers((folder / "other").exists())

with EndpointThread(EndpointSettings(Path(sys.argv[1]), port=0), Runtime()) as endpoint:
    print(endpoint.url, flush=True)
    time.sleep(600)
"""


def rows_in(site: Any) -> int:
    return sum(pl.read_parquet(part).height for part in (site.folder / "log").glob("*.parquet"))


@pytest.mark.parametrize(
    ("script", "said"), [(NOBODY_RESTS, ""), (NEVER_SCORES, "begun")], ids=["waits", "scored"]
)
def test_a_kill_while_rows_wait_for_it_loses_the_window_and_no_answer(
    real: Any, request_of: Any, script: str, said: str
) -> None:
    """Nothing but the log's own window passes between an answer and its row on the disk."""
    payload = real.payload(1)
    found = [one for one in payload.rglob("*") if one.is_file()]
    files = {str(one.relative_to(payload)): one.read_bytes() for one in found}
    real.package(2, files | {"other": b""})
    shadow(real, 100.0)
    command = [sys.executable, "-c", script, str(real.folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
        answered: list[str] = []

        def ask(count: int) -> None:
            for _ in range(count):
                body = json.dumps(request_of(1, 2, ids=[f"{len(answered)}a", f"{len(answered)}b"]))
                connection.request("POST", "/v2/models/delay/infer", body.encode())
                reply = connection.getresponse()
                found = {out["name"]: out["data"] for out in json.loads(reply.read())["outputs"]}
                assert (reply.status, found["version"]) == (200, [1, 1])
                answered.extend(found["prediction_id"])

        try:
            ask(40)
            assert not said or process.stdout.readline().strip() == said
            for _ in range(600):
                if rows_in(real) == 80:
                    break
                assert process.poll() is None
                time.sleep(0.1)
            ask(20)
        finally:
            connection.close()
            os.kill(process.pid, signal.SIGKILL)
    log = log_of(real)
    kept = log["prediction_id"].to_list()
    assert set(answered[:80]) <= set(kept) <= set(answered)
    assert len(set(kept)) == len(kept)
    assert (log["error"].null_count(), log["score"].null_count()) == (len(kept), 0)
    assert log["shadow_version"].null_count() == len(kept)
