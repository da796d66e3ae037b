"""A shadow answers nothing, is judged by what it scored beside the champion, and may go on."""

import json
from dataclasses import replace

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.delivery.decision import Hold, Promote, Rollback, advance
from freehold.delivery.measurement import observe, shadowed
from freehold.delivery.observation import Observation
from freehold.delivery.traffic import traffic
from freehold.domain.canonical import canonical
from freehold.domain.project import ReleaseSpec, ShadowSpec
from freehold.domain.release import Release
from freehold.domain.routing import RoutingTable, Shadow, Variant
from freehold.domain.statistics.estimate import Estimate
from freehold.serving.routing import choose

DIGESTS = {1: "sha256:a", 2: "sha256:b"}
HOUR = 3_600_000_000
ROWS = Observation(300, 0)


def begun(then: str = "canary", share: float = 10.0, **more: object) -> Release:
    spec = ReleaseSpec(shadow=ShadowSpec(share=share, hours=24, then=then))  # type: ignore[arg-type]
    whole = Release("m/2", "m", 2, 1, "shadow", spec, begun=(0,), sites=("w",))
    return replace(whole, **more)  # type: ignore[arg-type]


@given(st.floats(0.1, 100), st.lists(st.text(max_size=12), max_size=50))
def test_a_shadow_answers_no_key_at_all(share: float, keys: list[str]) -> None:
    table = traffic(begun(share=share), 4, DIGESTS, "w")
    assert table is not None and table.shadow == Shadow(2, share)
    assert [one.weight for one in table.variants] == [100.0, 0.0]
    assert {choose(table, key).version for key in keys} <= {1}
    assert RoutingTable.from_json(json.loads(canonical(table.as_json()))) == table


def test_it_casts_no_shadow_once_it_answers() -> None:
    table = traffic(begun(step=1, begun=(0, 1)), 5, DIGESTS, "w")
    assert table is not None and table.shadow is None
    assert [one.weight for one in table.variants] == [95.0, 5.0]
    assert "shadow" not in table.as_json(), "tables without one are signed as they always were"
    for status in ("rolled-back", "completed"):
        ended = traffic(begun(status=status), 6, DIGESTS, "w")
        assert ended is not None and ended.shadow is None


def test_after_its_time_and_rows_it_goes_on_or_waits_for_a_person() -> None:
    now = begun()
    assert now.steps == (0, 5, 25, 100)
    assert advance(now, Observation(299, 0), now=25 * HOUR) == Hold("rows", 299, 300)
    assert advance(now, ROWS, now=23 * HOUR) == Hold("time", 23 * 3600, 24 * 3600)
    assert advance(now, ROWS, now=24 * HOUR) == Promote(5)
    assert advance(begun("person"), ROWS, now=24 * HOUR) == Hold("person", 300, 0)
    later = begun("person", step=1, begun=(0, 1))
    assert advance(later, ROWS, now=1) == Promote(25)
    bad = replace(ROWS, error_rate=Estimate(0.5, 0.4, 0.6, 0.99, 300))
    assert isinstance(advance(now, bad, now=1), Rollback)


def logged(rows: int, failed: int = 0) -> pl.DataFrame:
    """Rows that the champion answered; the version scored every second one beside it."""
    number = pl.int_range(rows, eager=True)
    second = number % 2 == 1
    return pl.DataFrame({"n": number}).select(
        prediction_id="n",
        request_id="n",
        at="n",
        version=pl.lit(1),
        score=pl.lit(0.25),
        reference_score=pl.lit(None, pl.Float64),
        latency_us=pl.lit(100.0),
        reference_latency_us=pl.lit(None, pl.Float64),
        error=pl.lit(None, pl.String),
        shadow_version=pl.when(second).then(2),
        shadow_score=pl.when(second & (pl.col("n") >= 2 * failed)).then(0.75),
        shadow_latency_us=pl.when(second).then(300.0),
        shadow_error=pl.when(second & (pl.col("n") < 2 * failed)).then(pl.lit("model.failed")),
    )


def test_what_it_scored_is_compared_on_the_very_rows() -> None:
    own = shadowed(logged(800), 2)
    assert (own.height, own["version"].unique().to_list()) == (400, [2])
    assert own["score"].unique().to_list() == [0.75]
    assert own["reference_score"].unique().to_list() == [0.25]
    seen = observe(own, 0.001)
    assert (seen.rows, seen.errors) == (400, 0)
    assert seen.latency_ratio[0.5].value == pytest.approx(3.0)


def test_its_failures_are_its_own_and_the_champions_compare_nothing() -> None:
    assert observe(shadowed(logged(800, failed=100), 2), 0.001).errors == 100
    lost = logged(800).with_columns(error=pl.lit("model.failed"))
    assert shadowed(lost, 2).is_empty()
    assert shadowed(logged(800), 3).is_empty()
    older = logged(800).drop("shadow_version", "shadow_score", "shadow_latency_us", "shadow_error")
    assert shadowed(older, 2).is_empty()


@pytest.mark.parametrize("shadow", [Shadow(1, 10), Shadow(3, 10), Shadow(2, 0), Shadow(2, 101)])
def test_a_shadow_that_answers_or_that_nobody_knows_is_refused(shadow: Shadow) -> None:
    variants = (Variant(1, "a", 100.0, "champion"), Variant(2, "b", 0.0, "challenger"))
    with pytest.raises(ValueError, match="the shadow"):
        RoutingTable(1, "m", "m/2", variants, 1, shadow)
