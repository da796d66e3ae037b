"""On which machine something ran, and how much of its accelerators was used."""

from dataclasses import replace
from typing import Any

import pytest
from servers.prometheus import Prometheus, accelerator, dcgm_exporter

from freehold.app.costs import accelerators as asking
from freehold.app.costs.costs import asked, costs
from freehold.app.costs.meter import meter
from freehold.app.costs.tariff import MACHINE_VARIABLE, Tariff, tariff_of
from freehold.app.site.opening import open_site
from tests.focus import rules

SECOND = 1_000_000


@pytest.fixture
def with_four(tariff: Tariff) -> Tariff:
    """Each machine has four accelerators."""
    return replace(tariff, accelerators_of=lambda site, machine: 4)


def rows_of(consumer: Any) -> list[dict[str, Any]]:
    rows = consumer.rows()
    assert rules.faults_of(rows) == []
    found: list[dict[str, Any]] = rows.to_dicts()
    return found


def test_what_the_environment_says_goes_before_the_plan_here_and_not_elsewhere(
    consumer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At another site the agent has said what it ran on."""
    consumer.site.close()
    file = consumer.folder / "freehold.yaml"
    box = "small: {cpus: 1, memory: 1 GiB, price: 0.1, spot: true, spot_price: 0.01}"
    file.write_text(file.read_text().replace("m5.large: {", f"{box}, m5.large: {{"))
    consumer.site = open_site(consumer.folder, consumer.clock)
    monkeypatch.setenv(MACHINE_VARIABLE, "m5.large")
    consumer.step(3600, step="planned", site="here", machine="small", spot=True)
    consumer.step(3600, step="elsewhere", site="there", machine="n2", spot=True)
    consumer.clock.pass_seconds(1)
    meter(consumer.site, tariff_of(consumer.site.project))
    told = {row["x_Step"]: (row["SkuPriceId"], row["EffectiveCost"]) for row in rows_of(consumer)}
    assert told["planned"] == ("m5.large", pytest.approx(0.36))
    assert told["elsewhere"] == ("n2/spot", 0.0)


def test_accelerators_use_is_what_prometheus_scraped_of_this_machine(
    consumer: Any, with_four: Tariff, prometheus: Prometheus, monkeypatch: pytest.MonkeyPatch
) -> None:
    used = {
        **accelerator(40.0, gpu="0", Hostname="mine"),
        **accelerator(80.0, gpu="1", Hostname="mine"),
        **accelerator(5.0, gpu="0", Hostname="another"),
    }
    with dcgm_exporter(used) as address:
        prometheus.scrape(address)
        prometheus.until_scraped(asking.USE, samples=2)
        moment = float(prometheus.asked(f"max(timestamp({asking.USE}))")[0]["value"][1])
    monkeypatch.setenv(asking.METRICS_VARIABLE, prometheus.endpoint)
    monkeypatch.setattr(asking.socket, "gethostname", lambda: "mine")
    consumer.clock.now = int((moment - 3600) * SECOND)
    consumer.step(600, step="before", site="here", machine="m5.large")
    consumer.clock.now = int((moment - 9) * SECOND)
    consumer.step(10, step="fit", site="here", machine="m5.large")
    consumer.step(10, step="away", site="there", machine="m5.large")
    meter(consumer.site, with_four)
    told = {row["x_Step"]: row["x_AcceleratorUse"] for row in rows_of(consumer)}
    assert told == {"before": None, "fit": pytest.approx(0.6), "away": None}
    here, there = costs(consumer.site, asked([]))["accelerators"]
    assert (here["site"], here["machine"]) == ("here", "m5.large")
    assert here["hours"] == pytest.approx(4 * 610 / 3600)
    assert here["known_hours"] == pytest.approx(4 * 10 / 3600)
    assert here["use"] == pytest.approx(0.6)
    assert (there["site"], there["use"], there["known_hours"]) == ("there", None, 0.0)
    monkeypatch.setenv(asking.SELECTOR_VARIABLE, 'Hostname="another"')
    other = asking.metrics_here()
    assert other is not None and other.between(moment - 9, moment) == pytest.approx(0.05)


def test_without_a_source_the_use_is_unknown_and_a_machine_without_them_has_none(
    consumer: Any, tariff: Tariff, with_four: Tariff
) -> None:
    consumer.step(3600, step="fit", site="here", machine="m5.large")
    assert meter(consumer.site, with_four).warnings == ()
    (row,) = rows_of(consumer)
    assert (row["x_Accelerators"], row["x_AcceleratorUse"]) == (4.0, None)
    consumer.step(3600, step="plain", site="here", machine="m5.large")
    meter(consumer.site, tariff)
    plain = next(row for row in rows_of(consumer) if row["x_Step"] == "plain")
    assert (plain["x_Accelerators"], plain["x_AcceleratorUse"]) == (None, None)
    (one,) = costs(consumer.site, asked([]))["accelerators"]
    assert (one["hours"], one["known_hours"], one["use"]) == (pytest.approx(4.0), 0.0, None)


def test_a_source_that_does_not_answer_stops_no_metering_and_is_told(
    consumer: Any, with_four: Tariff, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(asking.METRICS_VARIABLE, "http://127.0.0.1:1")
    for step in ("one", "two"):
        consumer.step(60, step=step, site="here", machine="m5.large")
    done = meter(consumer.site, with_four)
    (warning,) = done.warnings
    assert "metrics.unreachable" in warning
    assert [row["x_AcceleratorUse"] for row in rows_of(consumer)] == [None, None]
