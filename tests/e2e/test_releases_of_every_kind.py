"""Releases of every kind, one after another under load, as the commands make them: no request
fails, none is answered by a version that has no share of the traffic, none is missing in the log.

The models are gradient-boosted and their packages signed in the field's own format; the endpoint is
a process of its own.
"""

import contextlib
import http.client
import json
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, islice
from pathlib import Path
from threading import Event, Lock
from typing import Any
from urllib.parse import urlsplit
from urllib.request import urlopen

import lightgbm
import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from freehold.adapters.lightgbm.framework import MODEL_FILE
from freehold.adapters.onnx.converter import OnnxConverter
from freehold.app.release import orders
from freehold.app.release.release import plan_release, release
from freehold.app.release.revoking import plan_revoke, revoke
from freehold.app.release.serving_folder import table_in_force
from freehold.app.site.opening import Site, open_site
from freehold.domain.release import Strategy
from freehold.endpoint.endpoint_process import EndpointProcess
from tests.waiting import until

SETTINGS = """
release:
  steps: [50, 100]
  metrics: {revenue: {drop: 5}}
  ab_test: {metric: revenue}
  bandit: {metric: revenue}
  shadow: {share: 100}
"""
CLIENTS = 4
ANSWERS = 50
"""That have to come between two changes of the traffic."""
ROWS = np.array([[2500, 1], [300, 0], [np.nan, np.nan]])
BODY = json.dumps(
    {
        "inputs": [
            {"name": "distance", "datatype": "INT64", "shape": [3], "data": [2500, 300, None]},
            {"name": "carrier", "datatype": "BYTES", "shape": [3], "data": ["AA", "ZZ", None]},
        ]
    }
).encode()
Scores = dict[int, NDArray[np.float64]]


def trained(version: int) -> tuple[dict[str, bytes], NDArray[np.float64]]:
    """Files of a model of which no two versions answer alike, and its scores of the rows asked."""
    random = np.random.default_rng(version)
    matrix = np.column_stack([random.uniform(0, 3000, 400), np.zeros(400)])
    labels = matrix[:, 0] + random.normal(0, 500, 400) > 1500
    model = lightgbm.train(
        {"objective": "binary", "verbose": -1, "num_threads": 1},
        lightgbm.Dataset(matrix, labels),
        num_boost_round=8,
    )
    text = model.model_to_string().encode()
    # The carrier is of one category: the number of what is not that is missing.
    asked = np.column_stack([ROWS[:, 0], [0, np.nan, np.nan]])
    return {MODEL_FILE: text, "model.onnx": OnnxConverter().convert(text, 2)}, np.asarray(
        model.predict(asked)
    )


class Crowd:
    """Asks from several threads until it is over, and looks at every answer."""

    def __init__(self, url: str, scores: Scores) -> None:
        self._netloc, self.scores = urlsplit(url).netloc, scores
        self._lock, self.over = Lock(), Event()
        self.allowed: frozenset[int] | None = None
        """Versions that may answer what is asked from now on; None while that changes."""
        self.statuses: Counter[int] = Counter()
        self.versions: Counter[int] = Counter()
        self.wrong: list[str] = []

    @property
    def answers(self) -> int:
        return self.statuses.total()

    def ask(self) -> None:
        with contextlib.closing(http.client.HTTPConnection(self._netloc, timeout=60)) as connection:
            while not self.over.is_set():
                before = self.allowed
                connection.request("POST", "/v2/models/delay/infer", BODY)
                reply = connection.getresponse()
                told = json.loads(reply.read())
                with self._lock:
                    self._look(reply.status, told, before if before is self.allowed else None)

    def _look(self, status: int, told: Any, allowed: frozenset[int] | None) -> None:
        self.statuses[status] += 1
        if status != 200:
            self.wrong.append(f"{status}: {told}")
            return
        outputs = {out["name"]: out["data"] for out in told["outputs"]}
        self.versions.update(outputs["version"])
        expected = [self.scores[one][place] for place, one in enumerate(outputs["version"])]
        if not np.allclose(outputs["score"], expected, atol=1e-5):
            self.wrong.append(f"{outputs} instead of {expected}")
        if allowed is not None and not allowed >= set(outputs["version"]):
            self.wrong.append(f"{set(outputs['version'])} where {set(allowed)} serve")


class Story:
    """One release after another, each of them in force and asked before the next."""

    def __init__(
        self, site: Site, endpoint: EndpointProcess, registered: Callable[..., None], crowd: Crowd
    ) -> None:
        self.site, self.endpoint, self.registered, self.crowd = site, endpoint, registered, crowd
        self.changes = 0
        self.newest = 1
        self.told: Counter[str] = Counter()

    def new(self) -> str:
        self.newest += 1
        files, self.crowd.scores[self.newest] = trained(self.newest)
        self.registered(self.newest, files)
        return f"delay@{self.newest}"

    def begin(self, strategy: Strategy) -> None:
        plan = plan_release(self.site, self.new(), strategy)
        with self.changing():
            release(self.site, plan)

    def promote(self) -> None:
        """Step by step, until it is the champion."""
        while True:
            plan = orders.plan_promotion(self.site, "delay")
            with self.changing():
                orders.promote(self.site, plan)
            if plan.is_last:
                return

    def abort(self) -> None:
        with self.changing():
            orders.roll_back(self.site, "delay")

    def revoke(self) -> None:
        """The champion: the one before it answers again."""
        version, _ = plan_revoke(self.site, f"delay@{self.newest}")
        with self.changing():
            assert revoke(self.site, version) != self.newest

    @contextlib.contextmanager
    def changing(self) -> Iterator[None]:
        self.crowd.allowed = None
        yield
        table = table_in_force(self.site)
        assert table is not None
        until(lambda: self.is_in_force(table.version))
        self.crowd.allowed = frozenset(one.version for one in table.variants if one.weight > 0)
        goal = self.crowd.answers + ANSWERS
        until(lambda: self.crowd.answers >= goal or bool(self.crowd.wrong))
        self.changes += 1

    def is_in_force(self, number: int) -> bool:
        """In every process of the endpoint; those that had another table before have gone."""
        with urlopen(f"{self.endpoint.url}/metrics", timeout=60) as reply:
            lines = reply.read().decode().splitlines()
        told = [line.split()[-1] for line in lines if line.startswith("freehold_routing_version")]
        pid = self.endpoint.pid
        members = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return {float(one) for one in told} == {float(number)} and len(members) in (0, len(told))

    def tell(self, kind: str) -> None:
        self.told[kind] += 1
        match kind:
            case "immediate":
                self.begin("immediate")
            case "revoked":
                self.begin("immediate")
                self.revoke()
            case "canary, back":
                self.begin("canary")
                self.abort()
            case "shadow, back":
                self.begin("shadow")
                self.abort()
            case "canary" | "blue-green" | "shadow" | "ab-test" | "bandit":
                self.begin(kind)
                self.promote()
            case _:
                raise ValueError(kind)


KINDS = (
    "canary, back",
    "blue-green",
    "shadow, back",
    "immediate",
    "revoked",
    "canary",
    "ab-test",
    "shadow",
    "bandit",
)


@pytest.mark.parametrize(
    ("releases", "processes"),
    [
        (20, 1),
        pytest.param(101, 1, marks=pytest.mark.long),
        pytest.param(101, 2, marks=pytest.mark.long),
    ],
)
def test_no_request_fails_whatever_the_release(
    project: Any, registered: Callable[..., None], releases: int, processes: int
) -> None:
    lines = "models: {delay: {pipeline: sums}}\nendpoint: {model: delay, port: 0}\n"
    project.write(
        "freehold.yaml", (project.folder / "freehold.yaml").read_text() + lines + SETTINGS
    )
    scores: Scores = {}
    files, scores[1] = trained(1)
    registered(1, files)
    assert project.freehold("release", "delay@1", "--yes").code == 0
    with (
        contextlib.chdir(project.folder),
        open_site() as site,
        EndpointProcess.start(site.serving, processes=processes) as endpoint,
        ThreadPoolExecutor(CLIENTS) as pool,
    ):
        crowd = Crowd(endpoint.url, scores)
        asking = [pool.submit(crowd.ask) for _ in range(CLIENTS)]
        try:
            story = Story(site, endpoint, registered, crowd)
            for kind in islice(cycle(KINDS), releases):
                story.tell(kind)
                assert not crowd.wrong
        finally:
            crowd.over.set()
        for one in asking:
            one.result()
        folder = site.serving
    assert crowd.statuses.keys() == {200} and not crowd.wrong
    assert crowd.answers >= 100 * releases
    assert story.told.total() == releases and story.told.keys() == set(KINDS)
    log = pl.read_parquet(folder / "log" / "*.parquet")
    assert log.height == len(ROWS) * crowd.answers
    assert log["prediction_id"].n_unique() == log.height
    assert log["error"].null_count() == log.height
    assert dict(log["version"].value_counts().iter_rows()) == dict(crowd.versions)
    assert log["shadow_version"].null_count() < log.height
