"""Read the contracts as Great Expectations suites: python check_contracts.py FOLDER

Their shape is checked with plain `json`. Where Great Expectations is installed, it builds each
suite too; where it is not, that is said.
"""

import json
import os
import sys
from pathlib import Path

os.environ.setdefault("GX_ANALYTICS_ENABLED", "False")

try:
    import great_expectations
except ModuleNotFoundError as missing:
    if missing.name != "great_expectations":
        raise
    great_expectations = None

NOT_HERE = "read by Great Expectations: pip install great-expectations"


def shape_faults(suite):
    if not isinstance(suite, dict) or not isinstance(suite.get("name"), str):
        yield "a suite is an object with a name"
        return
    if not isinstance(suite.get("expectations"), list):
        yield "`expectations` is a list"
        return
    for place, one in enumerate(suite["expectations"]):
        if not isinstance(one, dict) or not isinstance(one.get("kwargs"), dict):
            yield f"expectations[{place}] is an object with kwargs"
        elif not str(one.get("type", "")).startswith("expect_"):
            yield f"expectations[{place}] has no type"


def built(suite):
    """As Great Expectations itself has it: the number of its expectations."""
    made = great_expectations.ExpectationSuite(
        name=suite["name"], expectations=suite["expectations"], meta=suite.get("meta") or {}
    )
    return len(made.expectations)


def counted(number, word):
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def read(folder):
    faults, suites, expectations = [], 0, 0
    for path in sorted((folder / "contracts").rglob("*.json")):
        suites += 1
        name = path.relative_to(folder).as_posix()
        try:
            suite = json.loads(path.read_bytes())
            wrong = list(shape_faults(suite))
            if great_expectations and not wrong and built(suite) != len(suite["expectations"]):
                wrong = ["Great Expectations reads fewer expectations than there are"]
        except Exception as error:  # noqa: BLE001 - whatever it was, it could not be read
            wrong = [f"{type(error).__name__}: {error}"]
        faults += [f"{name}: {what}" for what in wrong]
        if not wrong:
            expectations += len(suite["expectations"])
    read_by = ["json"]
    if great_expectations:
        read_by.append(f"Great Expectations {great_expectations.__version__}")
    return {
        "read_by": read_by,
        "checks": suites,
        "figures": f"{counted(suites, 'suite')}, {counted(expectations, 'expectation')}",
        "faults": faults,
        "shape_only": not great_expectations,
        "not_proven": [] if great_expectations or not suites else [NOT_HERE],
    }


if __name__ == "__main__":
    report = read(Path(sys.argv[1]))
    print(json.dumps(report))
    sys.exit(bool(report["faults"]))
