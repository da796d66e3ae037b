"""What the price file has at zero is metered at an unknown price, never as free."""

from typing import Any

import polars as pl

from freehold.app.costs.meter import meter
from freehold.app.costs.tariff import tariff_of
from freehold.app.site.opening import open_site

UNKNOWN, KNOWN = "c5.9xlarge", "m6i.large"
"""Types of AWS in us-east-1, of which the price file has the one at 0.0."""


def test_hours_of_a_machine_of_unknown_price_say_so(consumer: Any) -> None:
    consumer.site.close()
    file = consumer.folder / "freehold.yaml"
    place = f"provider: aws, region: us-east-1, machines: {{{UNKNOWN}: {{}}, {KNOWN}: {{}}}}"
    text = file.read_text().partition("sites:\n")[0]
    file.write_text(f'{text}sites:\n  here: {{store: {{at: "file:///nowhere"}}, {place}}}\n')
    consumer.site = open_site(consumer.folder, consumer.clock)
    tariff = tariff_of(consumer.site.project)
    for spot in (False, True):
        assert tariff.price_of("here", UNKNOWN, spot) is None
    consumer.step(7200, step="unknown", machine=UNKNOWN)
    consumer.step(3600, step="known", machine=KNOWN)
    done = meter(consumer.site)
    assert done is not None
    assert (done.rows, done.unpriced) == (2, 1)
    rows = {row["x_Step"]: row for row in consumer.rows().to_dicts()}
    assert rows["unknown"]["ConsumedQuantity"] == 2.0
    assert rows["unknown"]["x_Unpriced"] is True
    assert rows["known"]["x_Unpriced"] is False
    assert rows["known"]["EffectiveCost"] > 0
    assert consumer.rows().filter(pl.col("EffectiveCost") == 0)["x_Unpriced"].to_list() == [True]
