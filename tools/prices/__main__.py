"""`python -m tools.prices`, in an environment with requirements/prices.txt: see `make prices`."""

import json
from collections import Counter
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

import polars
from libcloud.compute.constants.ec2_instance_types import INSTANCE_TYPES
from libcloud.compute.drivers.azure import AZURE_COMPUTE_INSTANCE_TYPES

from tools.prices import aws, azure, google
from tools.prices.rows import Price, Size

INTO = Path(__file__).parents[2] / "freehold" / "adapters" / "price_tables" / "data"
ROWS_A_GROUP = 2000
"""So that a reader of one region leaves most of the file alone."""


def main() -> None:
    listed = json.loads((files("libcloud") / "data" / "pricing.json").read_text())
    tables = listed["compute"]
    of_aws = aws.sizes(INSTANCE_TYPES)
    keys = [one.removeprefix("standard") for one in tables["azure_linux"] if "standard" in one]
    of_azure = azure.sizes(keys, AZURE_COMPUTE_INSTANCE_TYPES)
    prices = [
        *aws.prices(tables["ec2_linux"], {one.machine for one in of_aws}),
        *azure.prices(tables["azure_linux"], of_azure),
        *google.prices(tables["gce_instances"]),
    ]
    sold = {(one.provider, one.machine) for one in prices}
    sizes = [
        size
        for size in (*of_aws, *of_azure.values(), *google.sizes())
        if (size.provider, size.machine) in sold
    ]
    _write(prices, sizes)
    day = datetime.fromtimestamp(listed["updated"], UTC).date().isoformat()
    origin = {"date": day, "name": f"price file of apache-libcloud {version('apache-libcloud')}"}
    (INTO / "origin.json").write_text(json.dumps(origin, sort_keys=True) + "\n")
    _tell(prices, sizes)


def _write(prices: list[Price], sizes: list[Size]) -> None:
    order = ["provider", "region", "machine"]
    table = polars.DataFrame([asdict(one) for one in prices], infer_schema_length=None).sort(order)
    table.with_columns(polars.col(order).cast(polars.String)).write_parquet(
        INTO / "prices.parquet",
        compression="zstd",
        compression_level=19,
        row_group_size=ROWS_A_GROUP,
    )
    polars.DataFrame([asdict(one) for one in sizes]).sort("provider", "machine").write_parquet(
        INTO / "sizes.parquet", compression="zstd", compression_level=19
    )


def _tell(prices: list[Price], sizes: list[Size]) -> None:
    machines = Counter(one.provider for one in sizes)
    for provider, count in Counter(one.provider for one in prices).items():
        own = [one for one in prices if one.provider == provider]
        print(
            f"{provider}: {count} entries of {machines[provider]} types, "
            f"{sum(one.on_demand is None for one in own)} unknown, "
            f"{sum(one.spot is not None for one in own)} with spot, "
            f"{sum(one.listed is not None for one in own)} mended"
        )


if __name__ == "__main__":
    main()
