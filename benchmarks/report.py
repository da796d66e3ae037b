"""Prints what a benchmark found: a table, or with `--json` one object."""

import json
import os
import platform
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path


def report(
    question: str,
    figures: Mapping[str, float | None],
    ratios: Mapping[str, float | None],
    versions: Mapping[str, str],
) -> None:
    """`figures`: name with its unit → number; `ratios`: ours over another's; None: not measured."""
    if "--json" in sys.argv[1:]:
        result = {
            "question": question,
            "machine": machine(),
            "versions": dict(versions),
            "figures": dict(figures),
            "ratios": dict(ratios),
        }
        print(json.dumps(result))
        return
    print(question)
    print("  on " + ", ".join(f"{name} {value}" for name, value in machine().items()))
    print("  with " + ", ".join(f"{name} {value}" for name, value in versions.items()))
    rows = [(name, _figure(value)) for name, value in figures.items()]
    rows += [(name, "not measured" if r is None else f"{r:.2f} ×") for name, r in ratios.items()]
    width = max((len(name) for name, _ in rows), default=0)
    for name, text in rows:
        print(f"  {name:<{width}}  {text:>14}")


def machine() -> dict[str, str | int]:
    return {
        "system": platform.system(),
        "processor": _processor(),
        "cores": os.cpu_count() or 0,
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
    }


def versions_of(*distributions: str) -> dict[str, str]:
    """Python's version, and those of installed distributions."""
    return {"python": platform.python_version(), **{name: version(name) for name in distributions}}


def _figure(value: float | None) -> str:
    if value is None:
        return "not measured"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.3g}"


def _processor() -> str:
    """Linux tells the model in a file; elsewhere the architecture has to do."""
    file = Path("/proc/cpuinfo")
    if file.exists():
        for line in file.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.machine()
