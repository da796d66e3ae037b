"""Keeps what benchmarks found, and shows it in README.md.

python -m benchmarks.results --record ledger startup   measure, and keep under results/
python -m benchmarks.results --write                   put what is kept into README.md
python -m benchmarks.results --check                   whether README.md shows what is kept
"""

import json
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
README = FOLDER / "README.md"
RESULTS = FOLDER / "results"
SECTION = re.compile(r"(<!-- results: (?P<name>\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def record(name: str) -> None:
    """Raises CalledProcessError if the benchmark fails."""
    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{name}", "--json"],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    found = json.loads(done.stdout)
    found["measured"] = datetime.now(UTC).date().isoformat()
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(found, indent=2) + "\n")


def shown(text: str) -> str:
    """README.md with the kept results between its marks."""
    return SECTION.sub(lambda found: f"{found[1]}{_section(found['name'])}{found[3]}", text)


def _section(name: str) -> str:
    path = RESULTS / f"{name}.json"
    if not path.exists():
        return f"Nothing is recorded yet: `python -m benchmarks.results --record {name}`.\n"
    found = json.loads(path.read_text())
    rows = [f"| {key} | {_figure(value)} |" for key, value in found["figures"].items()]
    rows += [f"| {key} | {_ratio(value)} |" for key, value in found["ratios"].items()]
    machine, versions = _listed(found["machine"]), _listed(found["versions"])
    table = "\n".join(["| figure | |", "| --- | ---: |", *rows])
    return f"{found['measured']}, on {machine}; {versions}.\n\n{table}\n"


def _listed(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in values.items())


def _figure(value: float | None) -> str:
    if value is None:
        return "not measured"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.3g}"


def _ratio(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.2f} ×"


def main(arguments: Sequence[str]) -> int:
    match list(arguments):
        case ["--record", first, *others]:
            for name in (first, *others):
                record(name)
            README.write_text(shown(README.read_text()))
        case ["--write"]:
            README.write_text(shown(README.read_text()))
        case ["--check"]:
            text = README.read_text()
            if shown(text) != text:
                print("README.md does not show what is kept: --write", file=sys.stderr)
                return 1
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
