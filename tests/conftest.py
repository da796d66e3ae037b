"""Fixtures of every test: real servers on loopback, one of each for the whole session.

`.bucket()` of each makes a new bucket or container and gives the StoreSettings that open it.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# Tests are imported by path, so that a folder of theirs is importable only if it is said where.
sys.path.insert(0, str(Path(__file__).parent))

from servers.azure import Azurite
from servers.gcs import GcsEmulator
from servers.s3 import MotoServer, RcloneServer


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "servers: needs what PyPI does not carry; run by make test-servers"
    )


@pytest.fixture(scope="session")
def moto() -> Iterator[MotoServer]:
    with MotoServer() as server:
        yield server


@pytest.fixture(scope="session")
def rclone() -> Iterator[RcloneServer]:
    with RcloneServer() as server:
        yield server


@pytest.fixture(scope="session")
def gcs_emulator() -> Iterator[GcsEmulator]:
    with GcsEmulator() as server:
        yield server


@pytest.fixture(scope="session")
def azurite() -> Iterator[Azurite]:
    with Azurite() as server:
        yield server
