"""Fixtures of every integration test: `crash`, the harness that kills a process at its work."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def crash() -> ModuleType:
    """`tests/crash/harness.py`: `run_until_killed`, `count_lines`, …"""
    name = "freehold_crash_harness"
    if name not in sys.modules:
        path = Path(__file__).parents[1] / "crash" / "harness.py"
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]
