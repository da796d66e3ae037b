"""Hamilton: functions named as nodes, run by a driver in this process; nothing is recorded.
Cached: its cache of pickled results with metadata in SQLite."""

import importlib
import logging
import sys
from pathlib import Path
from types import ModuleType

from hamilton import driver

from benchmarks.peers.figures import Task, measure, task


def nodes(task: Task) -> ModuleType:
    """A module with one function for each step, since a node is a function of a module."""
    lines = ["def step_0(start: int) -> dict:", "    return {'x': start}"]
    for position in range(1, task.steps):
        if task.shape == "chain":
            before = f"step_{position - 1}"
            lines += [f"def step_{position}({before}: dict) -> dict:"]
            lines += [f"    return {{'x': {before}['x'] + 1}}"]
        else:
            lines += [f"def step_{position}(start: int) -> dict:"]
            lines += [f"    return {{'x': start + {position}}}"]
    folder = Path.cwd() / "hamilton"
    folder.mkdir(exist_ok=True)
    (folder / f"nodes_{task.shape}.py").write_text("\n".join(lines) + "\n")
    sys.path.insert(0, str(folder))
    return importlib.import_module(f"nodes_{task.shape}")


def main() -> None:
    logging.disable(logging.CRITICAL)
    asked = task()
    module = nodes(asked)
    last = f"step_{asked.steps - 1}"
    wanted = [last] if asked.shape == "chain" else [f"step_{i}" for i in range(asked.steps)]

    def run(cached: bool) -> object:
        builder = driver.Builder().with_modules(module)
        if cached:
            builder = builder.with_cache(path=str(Path.cwd() / "hamilton_cache"))
        return builder.build().execute(wanted, inputs={"start": 1})

    measure(asked, lambda: run(False), lambda: run(True))


if __name__ == "__main__":
    main()
