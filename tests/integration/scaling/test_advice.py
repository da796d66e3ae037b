"""Advice and manifests from a request log and beats as the endpoint writes them."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from freehold.app.scaling.advice import advice, chart, targets_of
from freehold.app.scaling.load import answering
from freehold.app.scaling.manifest import manifest
from freehold.cli.main import run
from freehold.domain.errors import AdapterMissing, NotFound, WrongUsage
from freehold.domain.scaling import Targets
from freehold.endpoint.batching import Batching
from freehold.endpoint.metrics import Metrics
from freehold.endpoint.request_log import RequestLog
from freehold.serving.left_out import LeftOut, Tally
from tests.asked_shop import HOUR, MINUTE, NOW, SECOND, Shop, batch


def weeks(shop: Shop, count: int) -> None:
    """Busy from 8 to 18 on workdays, as Monday begins at `NOW` less 9 hours."""
    chance = np.random.default_rng(5)
    found = []
    for ago in range(1, count * 168 + 1):
        begin = NOW - ago * HOUR
        moment = datetime.fromtimestamp(begin / SECOND, UTC)
        busy = moment.weekday() < 5 and 8 <= moment.hour < 18
        for _ in range(chance.poisson(40 if busy else 4)):
            found.append(batch(len(found), begin + int(chance.integers(HOUR)), 90.0))
    shop.asked(*found)


def test_use_and_queue_are_what_the_log_says(shop: Shop) -> None:
    """A request a second of half a second each: use 0.5, and 0.25 wait (1 × 0.25 / (2 × 0.5))."""
    shop.steady(minutes=20, a_minute=60, seconds=0.5)
    shop.replica("a", NOW - HOUR, NOW)
    found = advice(shop.site, Targets())
    assert found["measured"]["use"] == pytest.approx(0.5)
    assert found["measured"]["queue"] == pytest.approx(0.25)
    assert found["measured"]["seconds_per_request"] == pytest.approx(0.5)
    assert found["measured"]["requests_per_second"] == pytest.approx(1.0)
    assert found["decision"]["change"] == "hold" and found["live"]
    assert len(found["minutes"]) == 15 and found["until"] == "2026-11-02T09:00:00+00:00"
    shop.replica("b", NOW - HOUR, NOW)
    assert advice(shop.site, Targets())["measured"]["use"] == pytest.approx(0.25)


def test_more_and_fewer_and_what_they_cost(shop: Shop) -> None:
    shop.steady(minutes=20, a_minute=60, seconds=0.9)
    shop.replica("a", NOW - HOUR, NOW)
    busy = advice(shop.site, targets_of(1, 10, 99.0))
    assert (busy["decision"]["change"], busy["decision"]["replicas"]) == ("up", 2)
    assert (busy["cost"]["now_per_hour"], busy["cost"]["wanted_per_hour"]) == (0.5, 1.0)
    assert (
        busy["cost"]["machine"] == "box"
        and "freehold.yaml" in (busy["cost"]["per_replica_hour"]["source"])
    )
    for name in "bcde":
        shop.replica(name, NOW - HOUR, NOW)
    quiet = advice(shop.site, Targets())
    assert (quiet["decision"]["now"], quiet["decision"]["replicas"]) == (5, 2)
    assert quiet["decision"]["change"] == "down"


def test_rows_and_variants_of_a_request_are_one_request(shop: Shop) -> None:
    at = NOW - MINUTE
    shop.asked(batch(1, at, 6.0, rows=50), batch(1, at, 3.0, version=2, rows=50))
    found = advice(shop.site, Targets())
    assert found["measured"]["requests_per_second"] == pytest.approx(1 / 60)
    assert found["measured"]["use"] == pytest.approx(9 / 60)
    assert not found["live"]


def test_requests_that_the_log_only_counts_are_load_too(shop: Shop) -> None:
    """The same as above, of which one key in ten is kept, in parts of a minute."""
    for minute in range(20):
        end = NOW - minute * MINUTE
        tally = Tally(0.1)
        for n in range(60):
            at = end - MINUTE + n * SECOND
            if n % 10:
                tally.add(LeftOut("Basket_2", 1, 1, 1, at, at, at, 0.5, 0.25))
        kept = [batch(60 * minute + n, end - MINUTE + n * SECOND, 0.5) for n in range(0, 60, 10)]
        shop.asked(*kept, left_out=tally)
    shop.replica("a", NOW - HOUR, NOW)
    found = advice(shop.site, Targets())
    assert found["measured"]["use"] == pytest.approx(0.5)
    assert found["measured"]["queue"] == pytest.approx(0.25)
    assert found["measured"]["seconds_per_request"] == pytest.approx(0.5)
    assert found["measured"]["requests_per_second"] == pytest.approx(1.0)


def test_a_replica_that_began_this_minute_is_advised_too(shop: Shop) -> None:
    shop.asked(batch(1, NOW - 100 * MINUTE, 6.0))
    shop.replica("a", NOW, NOW)
    found = advice(shop.site, Targets())
    assert found["live"] and found["decision"]["change"] == "hold"


def test_weeks_of_traffic_become_hours_to_warm(shop: Shop) -> None:
    """An hour's 40 requests of 90 s keep one replica busy: at 70 % use that is two or three."""
    weeks(shop, 3)
    found = advice(shop.site, Targets(), ahead=True)
    ahead = found["forecast"]
    assert ahead["seasonal"] and len(ahead["hours"]) == 168
    by_hour = {one["hour"][11:13]: one for one in ahead["hours"][:24]}
    assert by_hour["12"]["replicas"] > by_hour["03"]["replicas"] == 1
    assert by_hour["12"]["low"] <= 40 <= by_hour["12"]["high"]
    assert 0.5 * 168 < ahead["money"] < ahead["money_at_most"]
    lines = chart(found, 56)
    assert [line.split("  ")[0] for line in lines] == [
        "use by minute",
        "requests ahead",
        "replicas ahead",
    ]
    made = manifest(shop.site, "keda", Targets(), "http://prometheus:9090", ahead=True)
    triggers = yaml.safe_load(made["text"])["spec"]["triggers"]
    crons = [one["metadata"] for one in triggers if one["type"] == "cron"]
    assert {int(one["desiredReplicas"]) for one in crons} == {
        one["replicas"] for one in ahead["hours"] if one["replicas"] > 1
    }
    assert (
        len(made["left_out"]) == 1
        and yaml.safe_load(made["text"])["metadata"]["name"] == "basket-2"
    )


def test_little_traffic_warms_nothing_and_says_so(shop: Shop) -> None:
    weeks(shop, 1)
    found = advice(shop.site, Targets(), ahead=True)["forecast"]
    assert "less than two weeks" in found["method"] and len(found["hours"]) == 24
    assert found["warming"] == []
    made = manifest(shop.site, "keda", Targets(), "http://prometheus:9090", ahead=True)
    assert "cron" not in made["text"]
    assert made["left_out"] == [
        "no hours to warm: 168 hours of traffic do not tell the hours of a week"
    ]


def test_what_answering_takes_is_what_the_endpoint_measured(tmp_path: Path) -> None:
    log = RequestLog(tmp_path, lambda: NOW)
    try:
        metrics = Metrics(log, Batching())
        assert answering(metrics.text().decode()) is None
        for seconds in (0.1, 0.3):
            metrics.seconds.observe(seconds)
        assert answering(metrics.text().decode()) == pytest.approx(0.2)
    finally:
        log.close()
    assert answering("") is None


def test_what_cannot_be_advised_is_refused(shop: Shop) -> None:
    with pytest.raises(NotFound) as caught:
        advice(shop.site, Targets())
    assert caught.value.code == "scaling.no-traffic"
    with pytest.raises(WrongUsage, match="5 to 4"):
        targets_of(5, 4, 1.0)
    with pytest.raises(WrongUsage):
        targets_of(1, 4, float("nan"))
    with pytest.raises(AdapterMissing, match="no scaling manifest adapter"):
        manifest(shop.site, "abacus", Targets())
    bare = replace(shop.site.project.spec, endpoint=None)
    without = replace(shop.site, project=replace(shop.site.project, spec=bare))
    with pytest.raises(NotFound) as caught:
        advice(without, Targets())
    assert caught.value.code == "scaling.no-endpoint"


def test_the_command_writes_a_manifest(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(shop.folder)
    assert run(["scaling", "--manifest", "hpa", "--maximum", "6", "--out", "hpa.yaml"]) == 0
    written: dict[str, Any] = yaml.safe_load((shop.folder / "hpa.yaml").read_text())
    assert written["spec"]["maxReplicas"] == 6
    assert capsys.readouterr().out == ""
    assert run(["scaling", "--manifest", "keda"]) == 1
    assert "error[scaling.no-metrics]" in capsys.readouterr().err
    assert run(["scaling", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "scaling.no-traffic"
    assert run(["scaling", "--minimum", "7", "--maximum", "3"]) == 2
