"""The loop around a real endpoint: what it answers, logs and loads is what the loop works with."""

import json
import shutil
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from freehold.app.loop.compare import compare_months
from freehold.app.loop.replay import await_routing, plan_replay, record, replay
from freehold.app.loop.status import ADDRESS, own_endpoint, status
from freehold.app.site.opening import open_site
from freehold.app.traffic.client import EndpointClient
from freehold.delivery.decision import Hold, Promote
from freehold.endpoint.process import EndpointThread
from freehold.endpoint.settings import EndpointSettings

CANARY = "release: {steps: [50, 100], minimum_rows: 20}\n"
REPLAY = """\
replay: {pipeline: traffic, id: key, asked_at: asked_at, label: late, labelled_at: landed_at}
"""


def tensors(rows: pl.DataFrame, prefix: str) -> list[dict[str, Any]]:
    columns = {
        "id": ("BYTES", [f"{prefix}{number}" for number in range(rows.height)]),
        "distance": ("FP64", rows["distance"].to_list()),
        "carrier": ("BYTES", rows["carrier"].to_list()),
    }
    return [
        {"name": name, "datatype": kind, "shape": [rows.height], "data": data}
        for name, (kind, data) in columns.items()
    ]


@pytest.fixture
def served(loop_of: Callable[..., Any]) -> Iterator[Callable[[str], tuple[Any, EndpointClient]]]:
    """A loop with an endpoint on its serving folder, and a client."""
    started: list[Any] = []

    def start(more: str) -> tuple[Any, EndpointClient]:
        loop = loop_of(more)
        endpoint = EndpointThread(EndpointSettings(loop.site.serving, port=0), clock=loop.clock)
        started.append(endpoint)
        client = EndpointClient(endpoint.url)
        started.append(client)
        return loop, client

    yield start
    for one in reversed(started):
        (one.close if isinstance(one, EndpointClient) else one.stop)()


def ask(loop: Any, client: EndpointClient, rows: pl.DataFrame, prefix: str, **more: Any) -> Any:
    loop.clock.pass_seconds()
    answer = client.infer(more.get("model", "delay"), tensors(rows, prefix))
    client.flush()
    return next(out["data"] for out in answer["outputs"] if out["name"] == "score")


def test_a_canary_by_what_an_endpoint_answered(served: Callable[[str], Any], world: Any) -> None:
    loop, client = served(CANARY)
    loop.release(2)
    await_routing(loop.site, client, "delay")
    rows = world.asked_rows(200)
    ask(loop, client, rows, "pinned-", model="delay/versions/2")
    assert loop.turn().move.decision == Hold("rows", 0, 20)
    scores = np.array(ask(loop, client, rows, "a"))
    distance = rows["distance"].to_numpy()
    by_one = np.isclose(scores, world.scores_of(distance), atol=1e-6)
    by_two = np.isclose(scores, world.scores_of(distance, 0.5), atol=1e-6)
    assert (by_one ^ by_two).all()
    move = loop.turn().move
    assert (move.decision, move.observation.rows) == (Promote(100), by_two.sum())
    assert move.observation.errors == 0
    await_routing(loop.site, client, "delay")
    ask(loop, client, rows, "b")
    loop.turn()
    assert loop.aliases() == {"champion": 2}
    await_routing(loop.site, client, "delay")
    (variant,) = client.routing()["variants"]
    assert (variant["version"], variant["weight"]) == (2, 100.0)
    loaded = [fact["body"]["routing"] for fact in loop.facts("endpoint.loaded")]
    assert loaded == sorted(set(loaded))
    assert len(loaded) >= 3


def recorded(world: Any, days: int) -> pl.DataFrame:
    """Eight times a day ten requests, on the third day none; each label is known a day later."""
    parts = []
    for day in range(days):
        if day == 2:
            continue
        asked = world.asked_rows(80, seed=day, distance=2.0)
        at = [world.MONDAY + timedelta(days=day, hours=8 + number // 10) for number in range(80)]
        late = world.outcomes(world.scores_of(asked["distance"].to_numpy()), seed=day)
        parts.append(
            asked.with_columns(
                key=pl.Series([f"{day}-{number}" for number in range(80)]),
                asked_at=pl.Series(at, dtype=pl.Datetime("us", "UTC")),
                late=pl.Series(late).cast(pl.Boolean),
                landed_at=pl.Series(at, dtype=pl.Datetime("us", "UTC")) + timedelta(days=1),
            )
        )
    return pl.concat(parts)


def test_a_replay_day_by_day(served: Callable[[str], Any], world: Any) -> None:
    loop, client = served(REPLAY + "monitoring: {minimum_rows: 300}\n")
    table = recorded(world, 9)
    table.write_parquet(loop.site.project.root / "recorded.parquet")
    recording = record(loop.site, plan_replay(loop.site), date(2024, 1, 1), date(2024, 1, 9))
    assert recording.rows.height == 7 * 80
    days: list[Any] = []

    def observer(day: Any) -> None:
        days.append(day)
        loop.clock.pass_seconds()

    assert replay(loop.site, recording, client, observer, loop.told.append) == 7 * 80
    assert [day.day for day in days] == [date(2024, 1, 1) + timedelta(days=n) for n in range(8)]
    assert [day.requests for day in days] == [80, 80, 0, 80, 80, 80, 80, 80]
    assert [day.labels for day in days] == [0, 80, 80, 0, 80, 80, 80, 80]
    signals = [(day.day.day, one.kind) for day in days for one in day.turn.signals]
    assert (8, "score-drift") in signals
    assert all(day == 8 for day, _ in signals)
    (assessed,) = loop.facts("monitoring.assessed")
    assert (assessed["body"]["window_end"], assessed["body"]["rows"]) == ("2024-01-07", 480)
    (month,) = compare_months(loop.site, "delay@1")
    assert month.rows == 480
    assert month.live.value == pytest.approx(month.frozen.value)


def test_only_an_endpoint_that_shows_the_sites_key_is_its_own(
    served: Callable[[str], Any], tmp_path: Path
) -> None:
    loop, client = served("")
    told = json.dumps({"url": client.url})
    (loop.site.serving / ADDRESS).write_text(told)
    assert own_endpoint(loop.site) == client.url
    endpoint = status(loop.site)["endpoint"]
    assert (endpoint["up"], endpoint["url"]) == (True, client.url)
    assert [one["version"] for one in endpoint["routing"]["variants"]] == [1]
    shutil.copytree(loop.site.project.root, tmp_path / "other", ignore=lambda *_: [".freehold"])
    with open_site(tmp_path / "other") as stranger:
        stranger.serving.mkdir()
        (stranger.serving / ADDRESS).write_text(told)
        assert own_endpoint(stranger) == ""
        assert status(stranger)["endpoint"]["up"] is False
