"""S3: one server that honours conditions, one that checks signatures, in PyPI's packages."""

import sys
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

import boto3
from botocore.config import Config

from freehold.ports.object_store import StoreSettings

from .process import Server, executable

FROM_PYPI = "make test installs it into .venv"
REGION = "us-east-1"


class S3Server(Server):
    secrets: Mapping[str, str] = {
        "access_key_id": "FREEHOLDTESTKEY00001",
        "secret_access_key": "freehold-test-secret-00000000000000000001",
    }

    def bucket(self, prefix: str = "") -> StoreSettings:
        """A new one, and the prefix in it."""
        name = f"bucket-{uuid.uuid4().hex[:12]}"
        client = boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id=self.secrets["access_key_id"],
            aws_secret_access_key=self.secrets["secret_access_key"],
            config=Config(s3={"addressing_style": "path"}),
        )
        client.create_bucket(Bucket=name)
        client.close()
        return StoreSettings(
            f"s3://{name}/{prefix}".rstrip("/"), self.endpoint, REGION, secrets=self.secrets
        )


class MotoServer(S3Server):
    """S3, KMS and more. Honours If-Match and If-None-Match, of writers at once by a lock that
    `moto_process.py` adds; accepts any signature."""

    name = "moto"

    def command(self) -> Sequence[str]:
        process = Path(__file__).with_name("moto_process.py")
        return [sys.executable, str(process), "127.0.0.1", str(self.port)]


class RcloneServer(S3Server):
    """S3 on a folder. Checks signatures; ignores conditions, and answers ranges with 200."""

    name = "rclone"

    def command(self) -> Sequence[str]:
        data = self.folder / "data"
        data.mkdir(exist_ok=True)
        keys = f"{self.secrets['access_key_id']},{self.secrets['secret_access_key']}"
        return [
            *(executable("rclone", FROM_PYPI), "serve", "s3", "--config", ""),
            *("--addr", f"127.0.0.1:{self.port}", "--auth-key", keys, str(data)),
        ]
