"""A site whose loop is driven without training and without an endpoint.

Two versions of a model of one number stand in its history; the first is the champion. `Loop` writes
the request log as an endpoint does, with the numbers that a test wants to have been answered.
"""

import json
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from io import BytesIO
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.typing import ArrayLike, NDArray
from onnx import TensorProto, helper

from freehold.adapters.signing.model_signing import OpenSSFModelSigning
from freehold.app.loop.advance import Turn, advance
from freehold.app.release.release import plan_release, release
from freehold.app.site.opening import Site, open_site
from freehold.app.traffic.labels import add_labels
from freehold.catalog.package import admit, pack
from freehold.delivery.releases import aliases_of
from freehold.domain.canonical import canonical
from freehold.domain.columns import Column, Columns
from freehold.domain.fact import Draft
from freehold.domain.package import Admission
from freehold.domain.release import Release
from freehold.domain.routing import RoutingTable, read_routing
from freehold.domain.verdict import Verdict
from freehold.monitoring.profile import profile
from freehold.serving.prediction_log import Batch, log_part
from freehold.training.evidence import evaluate

PROJECT = """\
project: tiny
pipelines: {train: steps:train, traffic: steps:traffic}
models: {delay: {pipeline: train}}
endpoint: {model: delay, port: 0}
"""
STEPS = """\
from pathlib import Path

import polars as pl

from freehold import pipeline, step


@step
def nothing() -> int:
    return 0


@step
def recorded() -> pl.DataFrame:
    return pl.read_parquet(Path(__file__).parent / "recorded.parquet")


@pipeline
def train() -> int:
    return nothing()


@pipeline
def traffic() -> pl.DataFrame:
    return recorded()
"""
COLUMNS = Columns((Column("distance", "number"), Column("carrier", "category", ("AA", "UA"))))
MONDAY = datetime(2024, 1, 1, tzinfo=UTC)
SECOND = 1_000_000
Floats = NDArray[np.float64]


class Clock:
    """Stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = int(datetime(2026, 1, 5, tzinfo=UTC).timestamp()) * SECOND

    def __call__(self) -> int:
        return self.now

    def pass_seconds(self, seconds: int = 1) -> None:
        self.now += seconds * SECOND


def scores_of(distance: ArrayLike, bias: float = 0.0) -> Floats:
    """What the ONNX model answers, in double precision: the carrier counts for nothing."""
    return np.asarray(1 / (1 + np.exp(-(np.asarray(distance, np.float64) + bias))))


def onnx_model(bias: float) -> bytes:
    """The logistic function of the first of two columns; a missing value counts as nothing."""
    nodes = [
        helper.make_node("IsNaN", ["rows"], ["missing"]),
        helper.make_node("Where", ["missing", "nothing", "rows"], ["known"]),
        helper.make_node("Slice", ["known", "zero", "one", "one"], ["first"]),
        helper.make_node("Squeeze", ["first", "one"], ["flat"]),
        helper.make_node("Add", ["flat", "bias"], ["shifted"]),
        helper.make_node("Sigmoid", ["shifted"], ["score"]),
    ]
    constants = [
        helper.make_tensor("nothing", TensorProto.FLOAT, [1], [0.0]),
        helper.make_tensor("zero", TensorProto.INT64, [1], [0]),
        helper.make_tensor("one", TensorProto.INT64, [1], [1]),
        helper.make_tensor("bias", TensorProto.FLOAT, [1], [bias]),
    ]
    graph = helper.make_graph(
        nodes,
        "first",
        [helper.make_tensor_value_info("rows", TensorProto.FLOAT, [None, 2])],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, [None])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


def asked_rows(rows: int, seed: int = 0, distance: float = 0.0, ua: float = 0.5) -> pl.DataFrame:
    """Distances around a mean, and a share of one carrier."""
    chance = np.random.default_rng(seed)
    carriers = np.where(chance.random(rows) < ua, "UA", "AA")
    return pl.DataFrame({"distance": chance.normal(distance, 2, rows), "carrier": carriers})


def outcomes(scores: Floats, seed: int = 0) -> Floats:
    """Labels that come true as often as the scores say."""
    return (np.random.default_rng(seed + 7).random(len(scores)) < scores).astype(np.float64)


def register(
    site: Site,
    version: int,
    bias: float,
    sign: bool = True,
    model: Mapping[str, bytes] | None = None,
) -> None:
    """A version that policy allowed, with the baseline and the evidence of 4,000 rows.

    `model`: files that answer, if not the ONNX model.
    """
    known = asked_rows(4000, seed=100)
    scores = scores_of(known["distance"].to_numpy(), bias)
    evidence = evaluate(scores, outcomes(scores_of(known["distance"].to_numpy())), known.select())
    files = {
        "columns.json": canonical(COLUMNS.as_json()),
        "profile.json": canonical(profile(known, scores=scores).as_json()),
        **(model or {"model.onnx": onnx_model(bias)}),
    }
    payload = pack(files)
    signature = signature_of(site, files) if sign else b"not looked at without an endpoint"
    verdict = Verdict(True, (), ("all",), "sha256:0")
    admission = admit(Admission("delay", version, payload.digest, verdict), site.signer)
    about = {"model": "delay", "version": version}
    registered = {
        **about,
        "run": f"run-{version}",
        "package": {"digest": site.artifacts.put(payload.data), "size": len(payload.data)},
        "attestations": {
            "model.sig": site.artifacts.put(signature),
            "evidence.json": site.artifacts.put(canonical(evidence.as_json())),
        },
        "headline": {},
        "champion": None,
        "rows": {"training": 4000, "evaluation": 4000},
    }
    judged = {
        **about,
        "allowed": True,
        "rules": [],
        "policy": "sha256:0",
        "attestations": {"admission.json": site.artifacts.put(admission)},
    }
    site.ledger.append([Draft("model.registered", registered)])
    site.ledger.append([Draft("model.judged", judged)])


def signature_of(site: Site, files: dict[str, bytes]) -> bytes:
    with TemporaryDirectory() as folder:
        payload, signature = Path(folder) / "payload", Path(folder) / "model.sig"
        payload.mkdir()
        for name, data in files.items():
            (payload / name).parent.mkdir(parents=True, exist_ok=True)
            (payload / name).write_bytes(data)
        OpenSSFModelSigning().sign(payload, site.key_path, signature)
        return signature.read_bytes()


@dataclass
class Loop:
    """A site, and the world that asks its endpoint."""

    site: Site
    clock: Clock
    told: list[str] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=count)

    def turn(self) -> Turn:
        self.clock.pass_seconds()
        return advance(self.site, "delay", self.told.append)

    def release(self, version: int) -> Release:
        self.clock.pass_seconds()
        return release(self.site, plan_release(self.site, f"delay@{version}"))

    def answered(
        self,
        version: int,
        rows: pl.DataFrame,
        scores: ArrayLike | None = None,
        reference: ArrayLike | None = None,
        *,
        at: datetime = MONDAY,
        **more: Any,
    ) -> pl.DataFrame:
        """One part of the log, a request a row, asked a second after another from `at` on.

        Returns prediction_id and score, to make labels of. More: alias, routing, model, error,
        latency, reference_latency.
        """
        self.clock.pass_seconds()
        part = next(self._numbers)
        batches = []
        given = None if scores is None else np.asarray(scores, np.float64).tolist()
        beside = None if reference is None else np.asarray(reference, np.float64).tolist()
        for number, row in enumerate(rows.iter_rows(named=True)):
            batch = Batch(
                prediction_ids=[f"p{part}-{number}"],
                request_id=f"r{part}-{number}",
                at=self.clock.now,
                asked_at=int(at.timestamp()) * SECOND + number * SECOND,
                model=more.get("model", "delay"),
                version=version,
                alias=more.get("alias", "champion"),
                routing=more.get("routing", 1),
                score=None if given is None else [given[number]],
                reference_score=None if beside is None else [beside[number]],
                latency_us=more.get("latency", 100.0),
                reference_latency_us=more.get("reference_latency", 100.0),
                error=more.get("error"),
                inputs={name: [value] for name, value in row.items()},
                kinds={"distance": "number", "carrier": "category"},
            )
            batches.append(batch)
        folder = self.site.serving / "log"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{self.clock.now:016d}-{part:06d}.parquet").write_bytes(log_part(batches, 0))
        self.clock.pass_seconds()
        ids = [batch.prediction_ids[0] for batch in batches]
        return pl.DataFrame({"prediction_id": ids, "score": given})

    def canary(self, version: int, rows: int, seed: int = 0, **more: Any) -> pl.DataFrame:
        """Rows that a canary as good as the champion answered, the champion beside it."""
        asked = asked_rows(rows, seed)
        scores = scores_of(asked["distance"].to_numpy())
        return self.answered(version, asked, scores, scores, **{"alias": "challenger"} | more)

    def shadowed(self, version: int, rows: int, failed: int = 0, bias: float = 0.0) -> pl.DataFrame:
        """Rows that the champion answered and the version scored beside it, failing the first ones.

        Returns prediction_id and the champion's score.
        """
        asked = asked_rows(rows)
        distance = asked["distance"].to_numpy()
        answered = self.answered(1, asked, scores_of(distance), routing=self.table().version)
        (*_, newest) = sorted((self.site.serving / "log").glob("*.parquet"))
        failing = pl.int_range(rows, eager=True) < failed
        table = pl.read_parquet(newest).with_columns(
            shadow_version=pl.lit(version, pl.Int64),
            shadow_score=pl.when(~failing).then(pl.Series(scores_of(distance, bias))),
            shadow_latency_us=pl.lit(100.0),
            shadow_error=pl.when(failing).then(pl.lit("model.failed")),
        )
        written = BytesIO()
        table.write_parquet(written)
        newest.write_bytes(written.getvalue())
        return answered

    def day(
        self, day: int, rows: int = 300, version: int = 1, distance: float = 0.0, ua: float = 0.5
    ) -> pl.DataFrame:
        """A day of the champion's own traffic, as it should be unless a mean or a share moved."""
        asked = asked_rows(rows, seed=day, distance=distance, ua=ua)
        scores = scores_of(asked["distance"].to_numpy())
        return self.answered(version, asked, scores, at=MONDAY + timedelta(days=day))

    def days(self, days: Sequence[int], **more: Any) -> pl.DataFrame:
        """These days, and the first hour of the next, by which the last one is over."""
        answered = pl.concat([self.day(day, **more) for day in days])
        self.day(days[-1] + 1, rows=1, version=more.get("version", 1))
        return answered

    def labelled(self, answered: pl.DataFrame, labels: ArrayLike) -> None:
        table = answered.select("prediction_id").with_columns(
            label=pl.Series(np.asarray(labels)).cast(pl.Int8),
            labelled_at=pl.lit(MONDAY + timedelta(days=365)),
        )
        add_labels(self.site, "delay", table)

    def facts(self, *kinds: str) -> list[dict[str, Any]]:
        """Of these types, with their `name`, in order; of all if none is given."""
        found = [json.loads(line) for _, line in self.site.ledger.lines()]
        named = [{**fact, "name": f"{fact['writer']}/{fact['sequence']}"} for fact in found]
        return [fact for fact in named if not kinds or fact["type"] in kinds]

    def count(self) -> int:
        return len(self.facts())

    def aliases(self) -> dict[str, int]:
        return aliases_of(self.site.state, "delay")

    def table(self) -> RoutingTable:
        """As an endpoint reads it."""
        data = (self.site.serving / "routing.json").read_bytes()
        return read_routing(data, self.site.signer.public)

    def shares(self) -> dict[int, float]:
        return {variant.version: variant.weight for variant in self.table().variants}


@pytest.fixture(scope="session")
def two_versions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("loop") / "tiny"
    folder.mkdir()
    (folder / "freehold.yaml").write_text(PROJECT)
    (folder / "steps.py").write_text(STEPS)
    with open_site(folder, Clock()) as site:
        for version, bias in ((1, 0.0), (2, 0.5)):
            register(site, version, bias)
        release(site, plan_release(site, "delay@1"))
    return folder


@pytest.fixture
def loop_of(two_versions: Path, tmp_path: Path) -> Iterator[Callable[..., Loop]]:
    """Opens a copy of the site, with more lines in its project file."""
    opened: list[Site] = []

    def open_copy(more: str = "") -> Loop:
        folder = shutil.copytree(two_versions, tmp_path / f"tiny-{len(opened)}")
        (folder / "freehold.yaml").write_text(PROJECT + more)
        if "sites:" in more:
            # As a person moves it who adds a second site.
            alone = (folder / ".freehold").rename(folder / "moved")
            (folder / ".freehold" / "sites").mkdir(parents=True)
            alone.rename(folder / ".freehold" / "sites" / "local")
        clock = Clock()
        clock.pass_seconds(60)
        opened.append(open_site(folder, clock))
        return Loop(opened[-1], clock)

    yield open_copy
    for site in opened:
        site.close()


@pytest.fixture
def loop(loop_of: Callable[..., Loop]) -> Loop:
    """As the project's defaults have it."""
    return loop_of()


@pytest.fixture(scope="session")
def world() -> Any:
    """What the models answer and what comes true."""
    return sys.modules[__name__]
