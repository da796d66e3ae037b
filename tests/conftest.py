"""Fixtures of every test: real servers on loopback, one of each for the whole session.

`.bucket()` of one of a store makes a new bucket or container and gives the StoreSettings that open
it.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import settings

# Tests are imported by path, so that a folder of theirs is importable only if it is said where.
sys.path.insert(0, str(Path(__file__).parent))

from servers.azure import Azurite
from servers.ceph import CephGateway
from servers.faults import FaultProxy
from servers.gcs import FakeGcsServer, GcsDouble, GcsEmulator
from servers.prometheus import Prometheus
from servers.s3 import MotoServer, RcloneServer
from servers.vault import BaoServer

# No test passes or fails on a duration: a busy machine is no fault of the code.
settings.register_profile("of-any-duration", deadline=None)
settings.load_profile("of-any-duration")

MARK_OF_FIXTURE = {"azurite": "servers", "ceph": "ceph", "prometheus": "servers"}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What asks for such a server by name is marked so; a full count may take its hour."""
    for item in items:
        if item.get_closest_marker("long"):
            item.add_marker(pytest.mark.timeout(3600))
        for fixture in getattr(item, "fixturenames", ()):
            if fixture in MARK_OF_FIXTURE:
                item.add_marker(MARK_OF_FIXTURE[fixture])


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
def fake_gcs() -> Iterator[FakeGcsServer]:
    with FakeGcsServer() as server:
        yield server


@pytest.fixture(scope="session")
def gcs_double() -> Iterator[GcsDouble]:
    with GcsDouble() as server:
        yield server


@pytest.fixture(scope="session")
def bao() -> Iterator[BaoServer]:
    with BaoServer() as server:
        yield server


@pytest.fixture(scope="session")
def azurite() -> Iterator[Azurite]:
    with Azurite() as server:
        yield server


@pytest.fixture(scope="session")
def ceph() -> Iterator[CephGateway]:
    with CephGateway() as server:
        yield server


@pytest.fixture
def prometheus() -> Iterator[Prometheus]:
    """One for each test: what it has scraped stays in it."""
    with Prometheus() as server:
        yield server


@pytest.fixture
def faulty() -> Iterator[Callable[[str], FaultProxy]]:
    """Makes a proxy before the endpoint of a store; `servers.faults` says what it can do."""
    with ExitStack() as proxies:
        yield lambda endpoint: proxies.enter_context(FaultProxy(endpoint))
