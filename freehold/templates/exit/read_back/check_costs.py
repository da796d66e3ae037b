"""Sum what was metered and billed, FOCUS rows, with DuckDB: python check_costs.py FOLDER"""

import json
import sys
from pathlib import Path

import duckdb

MANDATORY = [
    "BilledCost", "BillingAccountId", "BillingCurrency", "BillingPeriodEnd", "BillingPeriodStart",
    "ChargeCategory", "ChargeDescription", "ChargePeriodEnd", "ChargePeriodStart", "ContractedCost",
    "EffectiveCost", "InvoiceIssuerName", "ListCost", "ProviderName", "PublisherName",
    "ServiceCategory", "ServiceName",
]  # fmt: skip
"""Of FOCUS 1.2; those whose description may be null are asked for as columns only."""
NULLABLE = {"ChargeDescription"}


def read(folder):
    faults, rows, sums = [], 0, {}
    connection = duckdb.connect(":memory:")
    tables = json.loads((folder / "tables" / "index.json").read_bytes())
    files = [table["path"] for table in tables if table["kind"] in ("usage", "bill")]
    for path in files:
        place = [str(folder / path)]
        try:
            shown = connection.execute("DESCRIBE SELECT * FROM read_parquet(?)", place).fetchall()
            missing = [name for name in MANDATORY if name not in {one[0] for one in shown}]
            faults += [f"{path}: no column {name}" for name in missing]
            for name in sorted(set(MANDATORY) - NULLABLE - set(missing)):
                query = f'SELECT count(*) FROM read_parquet(?) WHERE "{name}" IS NULL'
                empty = connection.execute(query, place).fetchone()[0]
                if empty:
                    faults.append(f"{path}: {empty} rows without {name}")
            if missing:
                continue
            query = (
                "SELECT BillingCurrency, count(*), sum(BilledCost) FROM read_parquet(?) GROUP BY 1"
            )
            for currency, count, cost in connection.execute(query, place).fetchall():
                rows += count
                sums[currency] = sums.get(currency, 0.0) + cost
        except duckdb.Error as error:
            faults.append(f"{path}: {str(error).splitlines()[0]}")
    told = ", ".join(f"{cost:,.2f} {currency}" for currency, cost in sorted(sums.items()))
    return {
        "read_by": [f"DuckDB {duckdb.__version__}"],
        "checks": len(files),
        "figures": f"{len(files)} files, {rows} rows" + (f", {told}" if told else ""),
        "faults": faults,
    }


if __name__ == "__main__":
    report = read(Path(sys.argv[1]))
    print(json.dumps(report))
    sys.exit(bool(report["faults"]))
