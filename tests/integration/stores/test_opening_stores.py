"""Stores as a project file names them."""

from pathlib import Path

import boto3
import pytest
from servers.s3 import MotoServer, RcloneServer

from freehold.adapters.disk.object_store import DiskObjectStore
from freehold.adapters.gcs.object_store import GcsObjectStore
from freehold.adapters.memory.object_store import MemoryObjectStore
from freehold.adapters.obstore.azure import AzureObjectStore
from freehold.adapters.obstore.s3 import S3ObjectStore
from freehold.app.site.stores import open_store, secrets_of
from freehold.domain.errors import ProjectInvalid, StorageFailed, WrongUsage
from freehold.domain.project import StoreSpec


@pytest.mark.parametrize(
    ("at", "kind"),
    [
        ("memory://x", MemoryObjectStore),
        ("s3://bucket/prefix", S3ObjectStore),
        ("az://container", AzureObjectStore),
        ("gs://bucket", GcsObjectStore),
    ],
)
def test_the_scheme_chooses_the_adapter(at: str, kind: type) -> None:
    environment = {"FREEHOLD_EDGE_1_ACCOUNT_NAME": "account"}
    assert isinstance(open_store(StoreSpec(at), "edge-1", environment), kind)


def test_a_folder(tmp_path: Path) -> None:
    store = open_store(StoreSpec((tmp_path / "store").as_uri()), "local", {})
    assert isinstance(store, DiskObjectStore)
    store.put("a", b"1")
    assert (tmp_path / "store" / "a").read_bytes() == b"1"


@pytest.mark.parametrize("at", ["ftp://x", "/srv", "", "disk://x", "azure://x"])
def test_an_unknown_scheme_lists_the_known(at: str) -> None:
    with pytest.raises(ProjectInvalid) as caught:
        open_store(StoreSpec(at), "local", {})
    assert caught.value.code == "project.unknown-store"
    assert "az, file, gs, memory, s3" in caught.value.why


def test_a_known_scheme_with_a_wrong_address() -> None:
    with pytest.raises(WrongUsage) as caught:
        open_store(StoreSpec("s3://a bucket"), "local", {})
    assert caught.value.code == "storage.address"


def test_a_site_has_its_own_secrets(rclone: RcloneServer) -> None:
    bucket = rclone.bucket("p")
    spec = StoreSpec(bucket.location, bucket.endpoint, bucket.region)
    keys = {name.upper(): value for name, value in rclone.secrets.items()}
    environment = {f"FREEHOLD_RACK_ONE_{name}": value for name, value in keys.items()}
    open_store(spec, "rack-one", environment).put("a", b"1")
    wrong = {f"FREEHOLD_OTHER_{name}": "not-this" for name in keys}
    with pytest.raises(StorageFailed) as caught:
        open_store(spec, "other", environment | wrong).put("a", b"2")
    assert caught.value.code == "storage.denied"
    assert open_store(spec, "rack-one", environment).get("a") == b"1"


def test_without_secrets_of_the_site_the_vendors_are_used(
    rclone: RcloneServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = rclone.bucket()
    for name, value in rclone.secrets.items():
        monkeypatch.setenv(f"AWS_{name.upper()}", value)
    open_store(StoreSpec(bucket.location, bucket.endpoint), "local", {}).put("a", b"1")


def test_an_empty_secret_is_none() -> None:
    assert secrets_of("a", ("token",), {"FREEHOLD_A_TOKEN": ""}) == {}


@pytest.mark.parametrize("encryption", ["nonsense", "file:", "unknown:key"])
def test_an_unknown_kind_of_key(encryption: str) -> None:
    with pytest.raises(ProjectInvalid) as caught:
        open_store(StoreSpec("memory://keys", encryption=encryption), "local", {})
    assert caught.value.code == "project.unknown-encryption"
    assert "file" in caught.value.why


def test_an_encrypted_store_shows_no_plain_byte(moto: MotoServer) -> None:
    bucket = moto.bucket()
    environment = {f"FREEHOLD_A_{name.upper()}": value for name, value in moto.secrets.items()}
    environment["FREEHOLD_A_KEY_ENDPOINT"] = moto.endpoint
    environment |= {f"FREEHOLD_A_KEY_{name.upper()}": value for name, value in moto.secrets.items()}
    key = _made_key(moto)
    spec = StoreSpec(bucket.location, bucket.endpoint, bucket.region, encryption=f"kms:{key}")
    store = open_store(spec, "a", environment)
    store.put("a/b", b"plain text")
    assert store.get("a/b") == b"plain text"
    plain = StoreSpec(bucket.location, bucket.endpoint, bucket.region)
    assert b"plain text" not in open_store(plain, "a", environment).get("a/b")


def _made_key(moto: MotoServer) -> str:
    client = boto3.client(
        "kms",
        endpoint_url=moto.endpoint,
        region_name="us-east-1",
        aws_access_key_id=moto.secrets["access_key_id"],
        aws_secret_access_key=moto.secrets["secret_access_key"],
    )
    return str(client.create_key()["KeyMetadata"]["KeyId"])


@pytest.mark.parametrize(
    "spec",
    [
        StoreSpec("s3://k:HIDDEN@bucket/p"),
        StoreSpec("s3://k:HID/DEN@bucket/p"),
        StoreSpec("az://container/p?sig=HIDDEN"),
        StoreSpec("gs://bucket/p#HIDDEN"),
        StoreSpec("file://user:HIDDEN@host/p"),
        StoreSpec("s3://bucket", endpoint="http://k:HIDDEN@localhost:9000"),
        StoreSpec("s3://bucket", endpoint="http://localhost:9000/?key=HIDDEN"),
    ],
)
def test_what_may_be_a_secret_in_an_address_is_refused_and_not_shown(spec: StoreSpec) -> None:
    with pytest.raises(ProjectInvalid) as caught:
        open_store(spec, "edge", {})
    assert caught.value.code == "project.secret-in-address"
    assert "'edge'" in str(caught.value)
    assert "DEN" not in str(caught.value)


@pytest.mark.parametrize("at", ["HIDDEN", "ftp://HIDDEN", "s3://HID DEN", "az://k:HIDDEN/p"])
def test_what_is_no_address_is_not_shown(at: str) -> None:
    with pytest.raises((ProjectInvalid, WrongUsage)) as caught:
        open_store(StoreSpec(at), "edge", {})
    assert "DEN" not in str(caught.value)


def test_a_folder_may_have_a_sign_in_its_name(tmp_path: Path) -> None:
    open_store(StoreSpec((tmp_path / "a").as_uri() + "@b"), "edge", {}).put("a", b"1")
    assert (tmp_path / "a@b" / "a").read_bytes() == b"1"
