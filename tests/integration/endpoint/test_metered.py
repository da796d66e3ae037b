"""The hours of a real endpoint and what it answered, as its site meters them."""

import json
import urllib.request
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from freehold.app.costs.costs import asked, costs
from freehold.app.costs.meter import meter
from freehold.app.costs.rows import usage_frames
from freehold.app.site.opening import open_site
from freehold.app.traffic.requests import collect
from freehold.endpoint.endpoint_process import EndpointProcess

PROJECT = """\
project: shop
pipelines: {train: steps:train}
models: {delay: {pipeline: train}}
site: here
sites:
  here:
    store: {at: "file:///nowhere"}
    machines: {box: {cpus: 2, memory: 8 GiB, price: 3600}}
"""


def test_replica_hours_and_predictions_are_those_of_the_process(
    real: Any, tmp_path: Path, request_of: Any
) -> None:
    """Two requests of two rows and one of three; the price of a box makes a second cost 1."""
    with EndpointProcess.start(real.folder) as endpoint:
        for rows in ((1, 2), (3, 4), (5, 6, 7)):
            body = json.dumps(request_of(*rows)).encode()
            kind = {"content-type": "application/json"}
            asking = urllib.request.Request(f"{endpoint.url}/v2/models/delay/infer", body, kind)
            with urllib.request.urlopen(asking, timeout=60) as answer:
                assert answer.status == 200
    (beats,) = (real.folder / "replicas").glob("*.json")
    told = json.loads(beats.read_bytes())
    assert told["ended"] and told["seconds"].keys() == {"1"}
    project = tmp_path / "project"
    project.mkdir()
    (project / "freehold.yaml").write_text(PROJECT)
    (project / "steps.py").write_text("")
    with open_site(project) as site:
        site.serving.symlink_to(real.folder)
        assert collect(site, "delay") == 1
        assert meter(site) is not None
        rows = usage_frames(site).collect()
        found = costs(site, asked(["version"]))
        assert meter(site) is None
    kinds = {kind: rows.filter(pl.col("x_Kind") == kind) for kind in ("endpoint", "requests")}
    assert kinds["endpoint"]["ConsumedQuantity"].sum() * 3600 == pytest.approx(told["seconds"]["1"])
    assert 0 < told["seconds"]["1"] <= (told["beat"] - told["start"]) / 1e6
    counted = {
        sku: quantity * 1000
        for sku, quantity in kinds["requests"].group_by("SkuId").agg(
            pl.col("ConsumedQuantity").sum()
        ).iter_rows()
    }  # fmt: skip
    assert counted == {"requests": pytest.approx(3), "predictions": pytest.approx(7)}
    assert set(kinds["requests"]["x_Version"]) == {"1"} == set(kinds["endpoint"]["x_Version"])
    (one,) = found["predictions"]
    assert (one["model"], one["version"], one["predictions"]) == ("delay", "1", 7)
    assert one["money"] == pytest.approx(told["seconds"]["1"])
    assert one["per_thousand"] == pytest.approx(told["seconds"]["1"] / 7 * 1000)
