"""Accelerators' use, scraped by a real Prometheus. What it scrapes is a double of NVIDIA's DCGM
exporter: no accelerator is here."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from servers.prometheus import Prometheus, accelerator, dcgm_exporter, exposition

from freehold.app.costs import accelerators as asking
from freehold.app.costs.accelerators import AcceleratorMetrics
from freehold.app.scaling.advice import advice
from freehold.cli.main import run
from freehold.domain.errors import Failed, Unreachable, WrongUsage
from freehold.domain.scaling import Targets
from tests.asked_shop import MINUTE, NOW, SECOND, Shop, batch, shop_at

PODS = 'pod=~"basket-2-.+"'


def past(minutes: int, *, ends: int, **use: float) -> str:
    """Of each pod's accelerator, every ten seconds of so many minutes."""
    moments = range((ends - minutes * MINUTE) // SECOND, ends // SECOND + 1, 10)
    lines = []
    for pod, share in use.items():
        told = accelerator(share, pod=pod.replace("_", "-"), gpu="0", Hostname="node")
        lines += exposition(told, moments)
    named = [line for line in lines if line.startswith("#")][:2]
    return "\n".join((*named, *(one for one in lines if not one.startswith("#")), "# EOF", ""))


def test_what_is_scraped_now_is_the_use_by_which_more_are_asked_for(
    tmp_path: Path, prometheus: Prometheus, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    """The processor does next to nothing: the accelerators of both replicas are at 90 and 70 %."""
    used = {
        **accelerator(100.0, pod="basket-2-a", gpu="0", Hostname="n1"),
        **accelerator(80.0, pod="basket-2-a", gpu="1", Hostname="n1"),
        **accelerator(70.0, pod="basket-2-b", gpu="0", Hostname="n2"),
        **accelerator(1.0, pod="another-c", gpu="0", Hostname="n3"),
    }
    with dcgm_exporter(used) as address:
        prometheus.scrape(address)
        prometheus.until_scraped(asking.USE, samples=2)
        moment = float(prometheus.asked(f"max(timestamp({asking.USE}))")[0]["value"][1])
        now = (int(moment) // 60 + 1) * MINUTE
        with shop_at(tmp_path, now) as there:
            two_replicas(there, now)
            found = advice(there.site, Targets(), metrics=prometheus.endpoint)
            monkeypatch.setenv(asking.METRICS_VARIABLE, prometheus.endpoint)
            assert advice(there.site, Targets())["measured"] == found["measured"]
    assert found["measured"]["use"] == pytest.approx(0.8)
    assert found["measured"]["use_of"] == "accelerators"
    assert asking.USE in found["measured"]["use_by"] and PODS in found["measured"]["use_by"]
    assert (found["decision"]["change"], found["decision"]["replicas"]) == ("up", 3)
    assert "80%" in found["decision"]["reason"]


def two_replicas(there: Shop, now: int) -> None:

    there.asked(*(batch(n, now - (n + 1) * MINUTE, 0.001) for n in range(20)))
    for name in "ab":
        there.replica(name, now - 60 * MINUTE, now)


@pytest.mark.servers
@pytest.mark.parametrize(
    ("minutes", "use", "change"), [(16, 20.0, "down"), (4, 20.0, "hold"), (16, 50.0, "hold")]
)
def test_fewer_only_after_five_minutes_of_little_use(
    shop: Shop, minutes: int, use: float, change: str
) -> None:
    two_replicas(shop, NOW)
    told = past(minutes, ends=NOW, basket_2_a=use, basket_2_b=use)
    with Prometheus(told) as server:
        found = advice(shop.site, Targets(), metrics=server.endpoint)
    assert found["measured"]["use"] == pytest.approx(use / 100)
    assert found["decision"]["change"] == change, found["decision"]


@pytest.mark.servers
def test_minutes_that_nobody_scraped_are_a_gap_and_a_last_one_falls_back(shop: Shop) -> None:
    two_replicas(shop, NOW)
    with Prometheus(past(10, ends=NOW - 5 * MINUTE, basket_2_a=90.0)) as server:
        found = advice(shop.site, Targets(), metrics=server.endpoint)
        metrics = AcceleratorMetrics(server.endpoint, PODS)
        first = NOW // MINUTE - 20
        known = metrics.by_minute(first, first + 20)
        assert metrics.between(NOW / 1e6 - 60, NOW / 1e6) is None
        over = metrics.between(NOW / 1e6 - 600, NOW / 1e6 - 300)
    assert over == pytest.approx(0.9)
    # The sample at a full minute belongs to both: until Prometheus 3, ranges have both their ends.
    assert set(range(first + 5, first + 15)) <= set(known) <= set(range(first + 4, first + 16))
    assert found["measured"]["use_of"] == "processor"
    assert "no accelerator's use is known" in found["measured"]["use_by"]
    assert found["measured"]["use"] < 0.01


def test_nobody_named_is_said_and_a_server_that_does_not_tell_is_an_error(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    two_replicas(shop, NOW)
    told = advice(shop.site, Targets())["measured"]
    assert told["use_of"] == "processor" and "nobody was named" in told["use_by"]
    with pytest.raises(WrongUsage) as wrong:
        advice(shop.site, Targets(), metrics="prometheus:9090")
    assert wrong.value.code == "usage.metrics"
    with pytest.raises(Unreachable) as gone:
        advice(shop.site, Targets(), metrics="http://127.0.0.1:1")
    assert gone.value.code == "metrics.unreachable" and gone.value.hint
    monkeypatch.chdir(shop.folder)
    assert run(["scaling", "--metrics", "http://127.0.0.1:1", "--json"]) == 3
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "metrics.unreachable"


@pytest.mark.parametrize(
    ("status", "body"),
    [(400, b'{"error": "parse error"}'), (500, b"oops"), (200, b"<html>"), (200, b'{"data": 1}')],
)
def test_an_answer_that_is_none_is_refused(status: int, body: bytes) -> None:
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        with pytest.raises(Failed) as refused:
            AcceleratorMetrics(f"http://127.0.0.1:{server.server_address[1]}").between(0, 60)
    finally:
        server.shutdown()
        server.server_close()
    assert refused.value.code == "metrics.refused" and refused.value.why
