"""Two sites whose stores are private meet in that of a third: at the price of both ways."""

from pathlib import Path

import pytest

from freehold.app.project.reading import read_project
from freehold.app.run.placement.ground import ground_of

FILE = """\
project: shop
pipelines: {}
prices: prices.yaml
site: berlin
sites:
  berlin: {store: {at: "file:///nowhere/berlin"}, private: true}
  cloud: {store: {at: "file:///nowhere/cloud"}, provider: aws, region: eu-north-1, PRIVATE}
  tokyo: {store: {at: "file:///nowhere/tokyo"}, private: true, provider: gcp, region: europe-west4}
"""
PRICES = """\
transfer:
  - {from: own, to: aws, price: 0.01}
  - {from: aws, to: gcp, price: 0.09}
  - {from: own, to: gcp, price: 0.5}
"""


@pytest.mark.parametrize(("private", "price"), [("private: false", 0.10), ("private: true", None)])
def test_there_is_a_way_where_a_third_store_is_open(
    tmp_path: Path, private: str, price: float | None
) -> None:
    (tmp_path / "freehold.yaml").write_text(FILE.replace("PRIVATE", private))
    (tmp_path / "prices.yaml").write_text(PRICES)
    ways = ground_of(read_project(tmp_path)).ways
    if price is None:
        assert ways == {}
        return
    assert ways["berlin", "tokyo"].money.value == pytest.approx(price)
    assert "by a third site's store: 0.01 (" in ways["berlin", "tokyo"].money.source
    assert ways["berlin", "cloud"].money.value == pytest.approx(0.01)
