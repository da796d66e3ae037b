"""What an endpoint sketches beside its log: of each part, and since its start."""

import http.client
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import polars as pl
import pytest

from freehold.domain.routing import LogRule
from freehold.domain.sketches import Versions, join
from freehold.domain.statistics.sketches import (
    ERROR,
    CategorySketch,
    NumberSketch,
    PersonalSketch,
    number_sketch,
)
from freehold.endpoint.endpoint_process import EndpointProcess
from freehold.endpoint.request_log import VERSIONS
from freehold.serving.prediction_log import of_the_share, sketches_of

CHAMPION = (1, 100.0, "champion")


def call(url: str, method: str, path: str, body: Any = None) -> tuple[int, str]:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    try:
        connection.request(method, path, None if body is None else json.dumps(body))
        reply = connection.getresponse()
        return reply.status, reply.read().decode()
    finally:
        connection.close()


def parts(site: Any) -> list[Path]:
    return sorted((site.folder / "log").glob("*.parquet"))


def together(site: Any) -> Versions:
    """Of all parts, of which no row is read."""
    known: Versions = {}
    for part in parts(site):
        join(known, sketches_of(pl.read_parquet_metadata(part)))
    return known


def shown(text: str) -> dict[str, float]:
    lines = (line.rsplit(" ", 1) for line in text.splitlines() if line.startswith("freehold_sk"))
    return {name: float(value) for name, value in lines}


def test_parts_of_a_process_say_together_what_their_rows_are_like(
    real: Any, request_of: Any
) -> None:
    random = np.random.default_rng(8)
    values: list[float | None] = [*random.lognormal(5, 2, 380).tolist(), *[None] * 20]
    random.shuffle(values)
    with EndpointProcess.start(real.folder) as endpoint:
        for at in range(0, 400, 50):
            body = request_of(*values[at : at + 50])
            assert call(endpoint.url, "POST", "/v2/models/delay/infer", body)[0] == 200
            assert call(endpoint.url, "POST", "/freehold/log/flush")[0] == 200
        figures = shown(call(endpoint.url, "GET", "/metrics")[1])
    assert len(parts(real)) == 8
    rows = pl.concat([pl.read_parquet(part) for part in parts(real)])
    ((key, found),) = together(real).items()
    assert (key, found.rows) == (("delay", 1), 400)
    distance, carrier = found.inputs["distance"], found.inputs["carrier"]
    assert isinstance(distance, NumberSketch) and isinstance(carrier, CategorySketch)
    alone = number_sketch(rows["input_distance"].to_numpy())
    assert distance.slots.tolist() == alone.slots.tolist()
    assert distance.counts.tolist() == alone.counts.tolist()
    assert (distance.rows, distance.missing) == (400, 20)
    assert distance.mean == pytest.approx(rows["input_distance"].mean(), rel=1e-12)
    assert distance.deviation == pytest.approx(rows["input_distance"].std(), rel=1e-9)
    ordered = rows["input_distance"].drop_nulls().sort()
    for share in (0.01, 0.5, 0.99):
        true = ordered[int(np.ceil(share * 380)) - 1]
        assert distance.quantile(share) == pytest.approx(true, rel=ERROR)
    assert (dict(carrier.counts), carrier.uncertain) == ({"UA": 400}, 0)
    assert found.score.mean == pytest.approx(rows["score"].mean(), rel=1e-12)
    labels = 'column="distance",model="delay"'
    assert figures[f'freehold_sketch_rows_total{{{labels},version="1"}}'] == 400
    assert figures[f'freehold_sketch_missing_total{{{labels},version="1"}}'] == 20
    median = figures[f'freehold_sketch_quantile{{{labels},quantile="0.5",version="1"}}']
    assert median == distance.quantile(0.5)
    named = 'freehold_sketch_value_rows{column="carrier",model="delay",value="UA",version="1"}'
    assert figures[named] == 400


def test_each_version_has_its_own_and_the_last_ones_are_shown(
    site: Any, client_of: Callable[..., Any], request_of: Any
) -> None:
    for version in range(1, VERSIONS + 2):
        site.model(version, bias=float(version))
    site.route(CHAMPION)
    client = client_of()
    for version in range(1, VERSIONS + 2):
        site.route((version, 100.0, "champion"))
        client.endpoint.watcher.look()
        assert client.infer(request_of(*range(version))).status == 200
        client.endpoint._log.flush()
    assert {key[1]: one.rows for key, one in together(site).items()} == {
        version: version for version in range(1, VERSIONS + 2)
    }
    figures = shown(client.ask("GET", "/metrics").body.decode())
    rows = {name: one for name, one in figures.items() if name.startswith("freehold_sketch_rows")}
    assert sorted({int(one) for one in rows.values()}) == list(range(2, VERSIONS + 2))


def test_a_personal_column_is_counted_and_no_more(
    site: Any, client_of: Callable[..., Any], request_of: Any
) -> None:
    site.model(1)
    rule = LogRule(1.0, False, ("carrier", "distance"), False, site.token_key().name)
    site.route(CHAMPION, log=rule)
    client = client_of()
    assert client.infer(request_of(81726.5, None)).status == 200
    client.endpoint._log.flush()
    ((_, found),) = together(site).items()
    assert found.inputs == {"carrier": PersonalSketch(2, 0), "distance": PersonalSketch(2, 1)}
    text = client.ask("GET", "/metrics").body.decode()
    assert "81726" not in text and 'value="UA"' not in text


def test_only_rows_of_the_share_are_sketched(
    site: Any, client_of: Callable[..., Any], request_of: Any
) -> None:
    """Rows that are here because they failed would weigh more than others."""
    site.model(1, trap=7.0)
    site.route(CHAMPION, log=LogRule(0.4, False, (), False, ""))
    client = client_of()
    for number in range(60):
        assert client.infer(request_of(1.0, ids=[f"k{number}"])).status == 200
        assert client.infer(request_of(7.0, ids=[f"f{number}"])).status == 500
    client.endpoint._log.flush()
    rows = pl.concat([pl.read_parquet(part) for part in parts(site)])
    ((_, found),) = together(site).items()
    assert found.rows == of_the_share(rows).height < rows.height
    assert found.score.values == of_the_share(rows)["score"].drop_nulls().len() > 0
