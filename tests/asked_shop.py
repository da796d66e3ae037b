"""A shop whose endpoint was asked, as its log and its replicas' beats say."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from freehold.app.site.opening import Site, open_site
from freehold.serving.left_out import Tally
from freehold.serving.prediction_log import Batch, log_part

PROJECT = """\
project: shop
pipelines: {train: steps:train}
models: {Basket_2: {pipeline: train}}
endpoint: {model: Basket_2}
site: here
sites:
  here:
    store: {at: "file:///nowhere"}
    machines: {box: {cpus: 2, memory: 8 GiB, price: 0.5}}
"""
SECOND = 1_000_000
NOW = int(datetime(2026, 11, 2, 9, tzinfo=UTC).timestamp()) * SECOND
"""A Monday."""
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE


def batch(number: int, at: int, seconds: float, version: int = 1, rows: int = 1) -> Batch:
    return Batch(
        prediction_ids=[f"{number}/{row}" for row in range(rows)],
        request_id=str(number),
        at=at,
        asked_at=at,
        model="Basket_2",
        version=version,
        alias="champion",
        routing=1,
        score=[0.5] * rows,
        reference_score=None,
        latency_us=seconds * 1e6,
        reference_latency_us=None,
        error=None,
        inputs={},
        kinds={},
    )


class Shop:
    def __init__(self, folder: Path, site: Site) -> None:
        self.folder, self.site = folder, site
        self.parts = 0

    def asked(self, *batches: Batch, left_out: Tally | None = None) -> None:
        log = self.site.serving / "log"
        log.mkdir(parents=True, exist_ok=True)
        (log / f"{self.parts:04d}.parquet").write_bytes(log_part(batches, 0, left_out))
        self.parts += 1

    def steady(self, minutes: int, a_minute: int, seconds: float) -> None:
        """So many requests in each of the minutes up to now."""
        self.asked(
            *(
                batch(n, NOW - (minute + 1) * MINUTE + n * MINUTE // a_minute % MINUTE, seconds)
                for minute in range(minutes)
                for n in range(minute * a_minute, (minute + 1) * a_minute)
            )
        )

    def replica(self, name: str, start: int, beat: int, ended: bool = False) -> None:
        folder = self.site.serving / "replicas"
        folder.mkdir(parents=True, exist_ok=True)
        told = {"beat": beat, "ended": ended, "model": "Basket_2", "seconds": {}, "start": start}
        (folder / f"{name}.json").write_text(json.dumps(told))


@contextmanager
def shop_at(folder: Path, now: int) -> Iterator[Shop]:
    (folder / "freehold.yaml").write_text(PROJECT)
    (folder / "steps.py").write_text(
        "from freehold import pipeline\n\n\n@pipeline\ndef train() -> int:\n    return 1\n"
    )
    with open_site(folder, clock=lambda: now) as site:
        yield Shop(folder, site)
