"""What `probe` finds out about real servers."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from servers.azure import Azurite
from servers.ceph import CephGateway
from servers.faults import FaultProxy, Mode
from servers.gcs import GcsDouble, GcsEmulator
from servers.s3 import MotoServer, RcloneServer

from freehold.adapters.disk.object_store import DiskObjectStore
from freehold.adapters.gcs.object_store import GcsObjectStore
from freehold.adapters.memory.object_store import MemoryObjectStore
from freehold.adapters.obstore.azure import AzureObjectStore
from freehold.adapters.obstore.s3 import S3ObjectStore
from freehold.app.site.abilities import StoreAbilities, probe

BASIC = ("put", "get", "ranges", "list", "delete")
CONDITIONS = ("create-once", "compare-and-set")


def states(found: StoreAbilities) -> dict[str, str]:
    return {one.name: one.state for one in found.abilities}


def all_of(*names: str) -> dict[str, str]:
    return dict.fromkeys(names, "honoured")


def test_moto_honours_all(moto: MotoServer) -> None:
    store = S3ObjectStore.open(moto.bucket("p"))
    found = probe(store)
    assert states(found) == all_of(*BASIC, *CONDITIONS, "signed-url")
    assert isinstance(found.put_seconds, float)
    assert isinstance(found.get_seconds, float)
    assert list(store.keys()) == []


def test_azurite_honours_all(azurite: Azurite) -> None:
    store = AzureObjectStore.open(azurite.bucket("p"))
    assert states(probe(store)) == all_of(*BASIC, *CONDITIONS, "signed-url")
    assert list(store.keys()) == []


def test_ceph_honours_all(ceph: CephGateway) -> None:
    store = S3ObjectStore.open(ceph.bucket("p"))
    assert states(probe(store)) == all_of(*BASIC, *CONDITIONS, "signed-url")
    assert list(store.keys()) == []


def test_rclone_ignores_conditions(rclone: RcloneServer) -> None:
    store = S3ObjectStore.open(rclone.bucket("p"))
    ignored = dict.fromkeys(CONDITIONS, "ignored")
    assert states(probe(store)) == all_of(*BASIC, "signed-url") | ignored
    assert list(store.keys()) == []


def test_the_emulator_ignores_generations_and_cannot_sign(gcs_emulator: GcsEmulator) -> None:
    store = GcsObjectStore.open(gcs_emulator.bucket("p"))
    found = probe(store)
    ignored = dict.fromkeys(CONDITIONS, "ignored")
    assert states(found) == all_of(*BASIC) | ignored | {"signed-url": "failed"}
    assert [one.code for one in found.abilities if one.code] == ["storage.cannot-sign"]
    assert list(store.keys()) == []


def test_a_store_that_keeps_generations_is_found_to(gcs_double: GcsDouble) -> None:
    store = GcsObjectStore.open(gcs_double.bucket("p"))
    assert states(probe(store)) == all_of(*BASIC, *CONDITIONS) | {"signed-url": "failed"}
    assert list(store.keys()) == []


def test_stores_of_this_machine(tmp_path: Path) -> None:
    for store in (DiskObjectStore(tmp_path), MemoryObjectStore()):
        assert states(probe(store)) == all_of(*BASIC, *CONDITIONS) | {"signed-url": "absent"}
        assert list(store.keys()) == []


@pytest.mark.parametrize(
    ("mode", "code"),
    [(Mode(status=403), "storage.denied"), (Mode(status=501), "storage.refused")],
)
def test_what_a_store_refuses_is_said(
    moto: MotoServer, faulty: Callable[[str], FaultProxy], mode: Mode, code: str
) -> None:
    proxy = faulty(moto.endpoint)
    proxy.mode = mode
    found = probe(S3ObjectStore.open(proxy.through(moto.bucket())))
    codes = {one.name: one.code for one in found.abilities if one.state == "failed"}
    assert codes == dict.fromkeys([*BASIC, *CONDITIONS], code)
    assert found.state("signed-url") == "ignored"
    assert found.put_seconds is None


def test_a_silent_store_is_asked_once(
    moto: MotoServer, faulty: Callable[[str], FaultProxy]
) -> None:
    proxy = faulty(moto.endpoint)
    settings = proxy.through(moto.bucket())
    proxy.mode = Mode(cut=True)
    found = probe(S3ObjectStore.open(replace(settings, timeout=0.5)))
    assert {one.code for one in found.abilities} == {"storage.unreachable"}
    assert set(proxy.requests) == {"PUT"}
