"""Google Cloud Storage: the emulator in PyPI, and a double that keeps what it ignores."""

import json
import sys
import urllib.request
import uuid
from abc import ABC
from collections.abc import Mapping, Sequence
from pathlib import Path

from freehold.ports.object_store import StoreSettings

from .process import Server, executable
from .s3 import FROM_PYPI


class GcsServer(Server, ABC):
    secrets: Mapping[str, str] = {"token": "any"}

    def bucket(self, prefix: str = "") -> StoreSettings:
        """A new one, and the prefix in it."""
        name = f"bucket-{uuid.uuid4().hex[:12]}"
        request = urllib.request.Request(
            f"{self.endpoint}/storage/v1/b?project=freehold",
            data=json.dumps({"name": name}).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            answer.read()
        return StoreSettings(
            f"gs://{name}/{prefix}".rstrip("/"), self.endpoint, secrets=self.secrets
        )


class GcsEmulator(GcsServer):
    """Works with `google-cloud-storage`. Ignores generations and paging; accepts any token."""

    name = "gcs-emulator"

    def command(self) -> Sequence[str]:
        program = executable("gcp-storage-emulator", FROM_PYPI)
        return [program, "start", "--host=127.0.0.1", f"--port={self.port}", "--in-memory"]


class GcsDouble(GcsServer):
    """Our own, and so no evidence of the service: `gcs_double.py`. Honours generations and pages;
    accepts any token, and knows only what the adapter asks."""

    name = "gcs-double"

    def command(self) -> Sequence[str]:
        return [sys.executable, str(Path(__file__).with_name("gcs_double.py")), str(self.port)]
