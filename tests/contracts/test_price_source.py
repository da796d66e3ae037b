"""The shipped tables, and a project's own figures in front of them, hold the port's laws."""

import pytest

from freehold.adapters.price_tables.source import ShippedPrices
from freehold.costs.overrides import overridden
from freehold.ports.contracts.price_source import Asked, PriceSourceContract
from freehold.ports.price_source import PriceSource

PLACES: list[Asked] = [
    ("aws", "eu-central-1", "g5.xlarge"),
    ("aws", "us-east-1", "m6i.large"),
    ("aws", "ap-southeast-7", "c7g.xlarge"),
    ("azure", "westeurope", "Standard_D4s_v3"),
    ("azure", "eastus", "Standard_ND96isr_H100_v5"),
    ("gcp", "us-central1", "n2-standard-16"),
    ("gcp", "europe-west4", "a3-highgpu-8g"),
]
OWN = {
    "currency": "EUR",
    "usd": 1.1,
    "machines": [
        {"provider": "aws", "region": "eu-central-1", "name": "g5.xlarge", "price": 0.9},
        {"provider": "gcp", "region": "us-central1", "name": "n2-standard-16", "watts": 20},
    ],
    "spot": [{"provider": "aws", "discount": 0.5}],
    "grid": [{"provider": "aws", "region": "eu-central-1", "grams_per_kwh": 20}],
    "storage": [{"provider": "azure", "region": "eastus", "price": 0.01}],
    "transfer": [{"from": "aws", "to": "own", "price": 0.01}],
}


@pytest.fixture(params=PLACES, ids="-".join)
def asked(request: pytest.FixtureRequest) -> Asked:
    found: Asked = request.param
    return found


class TestShippedPrices(PriceSourceContract):
    @pytest.fixture
    def source(self) -> PriceSource:
        return ShippedPrices()


class TestOverridden(PriceSourceContract):
    @pytest.fixture
    def source(self) -> PriceSource:
        return overridden(ShippedPrices(), OWN)
