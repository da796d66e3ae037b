"""Google Cloud Storage: the emulator in PyPI."""

import json
import urllib.request
import uuid
from collections.abc import Mapping, Sequence

from freehold.ports.object_store import StoreSettings

from .process import Server, executable
from .s3 import FROM_PYPI


class GcsEmulator(Server):
    """Works with `google-cloud-storage`. Ignores generations and paging; accepts any token."""

    name = "gcs-emulator"
    secrets: Mapping[str, str] = {"token": "any"}

    def command(self) -> Sequence[str]:
        program = executable("gcp-storage-emulator", FROM_PYPI)
        return [program, "start", "--host=127.0.0.1", f"--port={self.port}", "--in-memory"]

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
