"""Count the rows of every table with DuckDB: python count_tables.py FOLDER"""

import json
import sys
from pathlib import Path

import duckdb


def counted(number, word):
    first, _, rest = word.partition(" of ")
    several = first + ("" if number == 1 else "s") + (f" of {rest}" if rest else "")
    return f"{number:,} {several}"


def read(folder):
    faults, rows, kinds = [], 0, {}
    connection = duckdb.connect(":memory:")
    for table in json.loads((folder / "tables" / "index.json").read_bytes()):
        query, values = "SELECT count(*) FROM read_parquet(?)", [str(folder / table["path"])]
        for column, value in table.get("where", {}).items():
            query += f' WHERE "{column}" = ?'
            values.append(value)
        try:
            found = connection.execute(query, values).fetchone()[0]
        except duckdb.Error as error:
            faults.append(f"{table['path']}: {str(error).splitlines()[0]}")
            continue
        rows += found
        kinds[table["kind"]] = kinds.get(table["kind"], 0) + 1
        if found != table["rows"]:
            faults.append(f"{table['path']}: {found} rows, and {table['rows']} are known")
    names = {
        "artifact": "table",
        "bill": "bill",
        "labels": "label file",
        "requests": "request log",
        "usage": "file of usage",
    }
    figures = [counted(count, names[kind]) for kind, count in sorted(kinds.items())]
    return {
        "read_by": [f"DuckDB {duckdb.__version__}"],
        "checks": sum(kinds.values()),
        "figures": ", ".join([*figures, counted(rows, "row")]),
        "faults": faults,
    }


if __name__ == "__main__":
    report = read(Path(sys.argv[1]))
    print(json.dumps(report))
    sys.exit(bool(report["faults"]))
