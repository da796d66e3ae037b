"""The servers that the suites run on: each starts, keeps bytes, refuses what it should, ends."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import boto3
import obstore
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from google.api_core.exceptions import PreconditionFailed
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage
from obstore.exceptions import AlreadyExistsError
from obstore.store import AzureStore
from servers import process
from servers.azure import Azurite
from servers.ceph import CephGateway
from servers.gcs import GcsDouble, GcsEmulator, GcsServer
from servers.process import ServerFailed, executable
from servers.s3 import MotoServer, RcloneServer, S3Server


def s3_client(server: S3Server, secret: str = ""):
    return boto3.client(
        "s3",
        endpoint_url=server.endpoint,
        region_name="us-east-1",
        aws_access_key_id=server.secrets["access_key_id"],
        aws_secret_access_key=secret or server.secrets["secret_access_key"],
        config=Config(
            s3={"addressing_style": "path"}, response_checksum_validation="when_required"
        ),
    )


def refusal(server: S3Server, bucket: str, secret: str) -> str:
    client = s3_client(server, secret)
    with pytest.raises(ClientError) as caught:
        client.put_object(Bucket=bucket, Key="k", Body=b"x")
    client.close()
    return str(caught.value.response["Error"]["Code"])


def test_moto_keeps_bytes_and_honours_create_only(moto: MotoServer) -> None:
    bucket = moto.bucket().location.removeprefix("s3://")
    client = s3_client(moto)
    client.put_object(Bucket=bucket, Key="a/b", Body=b"12345", IfNoneMatch="*")
    assert client.get_object(Bucket=bucket, Key="a/b", Range="bytes=1-2")["Body"].read() == b"23"
    with pytest.raises(ClientError, match="PreconditionFailed"):
        client.put_object(Bucket=bucket, Key="a/b", Body=b"x", IfNoneMatch="*")
    client.close()


def test_moto_has_a_key_service(moto: MotoServer) -> None:
    client = boto3.client(
        "kms",
        endpoint_url=moto.endpoint,
        region_name="us-east-1",
        aws_access_key_id="a",
        aws_secret_access_key="b",
    )
    key = client.create_key()["KeyMetadata"]["KeyId"]
    sealed = client.encrypt(KeyId=key, Plaintext=b"secret")["CiphertextBlob"]
    assert sealed != b"secret" and client.decrypt(CiphertextBlob=sealed)["Plaintext"] == b"secret"
    client.close()


def test_rclone_checks_signatures(rclone: RcloneServer) -> None:
    bucket = rclone.bucket().location.removeprefix("s3://")
    client = s3_client(rclone)
    client.put_object(Bucket=bucket, Key="k", Body=b"12345")
    assert client.get_object(Bucket=bucket, Key="k")["Body"].read() == b"12345"
    client.close()
    assert refusal(rclone, bucket, "wrong") == "SignatureDoesNotMatch"


def gcs_client(server: GcsServer) -> storage.Client:
    return storage.Client(
        project="freehold",
        credentials=AnonymousCredentials(),
        client_options={"api_endpoint": server.endpoint},
    )


def test_the_gcs_emulator_keeps_bytes(gcs_emulator: GcsEmulator) -> None:
    bucket = gcs_emulator.bucket().location.removeprefix("gs://")
    client = gcs_client(gcs_emulator)
    blob = client.bucket(bucket).blob("a/b")
    blob.upload_from_string(b"12345")
    assert blob.download_as_bytes(start=1, end=2) == b"23"
    client.close()


def test_the_double_of_gcs_keeps_bytes_generations_and_pages(gcs_double: GcsDouble) -> None:
    bucket = gcs_double.bucket().location.removeprefix("gs://")
    client = gcs_client(gcs_double)
    blob = client.bucket(bucket).blob("a/b")
    blob.upload_from_string(b"12345", if_generation_match=0)
    assert blob.download_as_bytes(start=1, end=2) == b"23"
    for stale in (0, blob.generation - 1):
        with pytest.raises(PreconditionFailed):
            blob.upload_from_string(b"x", if_generation_match=stale)
        with pytest.raises(PreconditionFailed):
            blob.delete(if_generation_match=stale)
    with pytest.raises(PreconditionFailed):
        blob.download_as_bytes(if_generation_match=blob.generation + 1)
    client.bucket(bucket).blob("a/c").upload_from_string(b"")
    pages = client.list_blobs(bucket, page_size=1).pages
    assert [[blob.name for blob in page] for page in pages] == [["a/b"], ["a/c"]]
    client.close()


def test_azurite_keeps_bytes_and_honours_create_only(azurite: Azurite) -> None:
    store = AzureStore(
        azurite.bucket().location.removeprefix("az://"),
        endpoint=azurite.endpoint,
        client_options={"allow_http": True},
        **azurite.secrets,
    )
    obstore.put(store, "a/b", b"12345", mode="create")
    assert obstore.get_range(store, "a/b", start=1, end=3).to_bytes() == b"23"
    with pytest.raises(AlreadyExistsError):
        obstore.put(store, "a/b", b"x", mode="create")


def test_ceph_checks_signatures_and_honours_create_only(ceph: CephGateway) -> None:
    bucket = ceph.bucket().location.removeprefix("s3://")
    client = s3_client(ceph)
    client.put_object(Bucket=bucket, Key="a/b", Body=b"12345", IfNoneMatch="*")
    assert client.get_object(Bucket=bucket, Key="a/b", Range="bytes=1-2")["Body"].read() == b"23"
    with pytest.raises(ClientError, match="PreconditionFailed"):
        client.put_object(Bucket=bucket, Key="a/b", Body=b"x", IfNoneMatch="*")
    client.close()
    assert refusal(ceph, bucket, "wrong") == "SignatureDoesNotMatch"


def test_buckets_are_new_and_take_a_prefix(moto: MotoServer) -> None:
    one, other = moto.bucket(), moto.bucket("deep/er")
    assert one.location != other.location and other.location.endswith("/deep/er")
    assert "secret" not in repr(one)


def test_a_stopped_server_leaves_no_process_and_no_folder() -> None:
    with RcloneServer() as server:
        folder = server.folder
        assert folder.is_dir()
        assert server._process is not None
        pid = server._process.pid
    assert not folder.exists()
    with pytest.raises(ProcessLookupError):
        os.killpg(pid, 0)


def test_a_killed_run_takes_its_servers_with_it(tmp_path: Path) -> None:
    script = (
        "import os, signal, sys, tempfile; sys.path.insert(0, sys.argv[1]);"
        "tempfile.tempdir = sys.argv[2];"
        "from servers.s3 import RcloneServer;"
        "server = RcloneServer().start(); print(server.port, flush=True);"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    folder = Path(process.__file__).parents[1]
    run = subprocess.run(
        [sys.executable, "-c", script, folder, tmp_path], stdout=subprocess.PIPE, text=True
    )
    assert run.returncode == -signal.SIGKILL
    until = time.monotonic() + 20
    while process.answers(int(run.stdout)):
        assert time.monotonic() < until


def test_a_server_that_fails_shows_what_it_said() -> None:
    class Broken(RcloneServer):
        def command(self) -> list[str]:
            return [*super().command(), "--no-such-flag"]

    with pytest.raises(ServerFailed, match="no-such-flag"):
        Broken().start()


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ServerFailed, match=r"needs no-such-server(.|\n)*make it"):
        executable("no-such-server", "make it")
