"""Azure Blob Storage: Azurite, in npm."""

import base64
import hashlib
import hmac
import urllib.request
import uuid
from collections.abc import Mapping, Sequence
from email.utils import formatdate

from freehold.ports.object_store import StoreSettings

from .process import Server, executable

VERSION = "2021-12-02"
ACCOUNT = "devstoreaccount1"
# Azurite's own account, the same everywhere and documented; it opens nothing else.
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


class Azurite(Server):
    """Honours conditions, blocks, ranges and leases; checks signatures."""

    name = "azurite"
    secrets: Mapping[str, str] = {"account_name": ACCOUNT, "account_key": KEY}

    def command(self) -> Sequence[str]:
        program = executable("azurite-blob", "make test-servers installs it (needs npm)")
        return [
            *(program, "--blobHost", "127.0.0.1", "--blobPort", str(self.port)),
            *("--location", str(self.folder), "--skipApiVersionCheck", "--disableTelemetry"),
            "--silent",
        ]

    @property
    def endpoint(self) -> str:
        return f"{super().endpoint}/{ACCOUNT}"

    def bucket(self, prefix: str = "") -> StoreSettings:
        """A new container, and the prefix in it."""
        name = f"container-{uuid.uuid4().hex[:12]}"
        request = urllib.request.Request(
            f"{self.endpoint}/{name}?restype=container",
            method="PUT",
            headers=_signed_headers(f"/{ACCOUNT}/{ACCOUNT}/{name}\nrestype:container"),
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            answer.read()
        return StoreSettings(
            f"az://{name}/{prefix}".rstrip("/"), self.endpoint, secrets=self.secrets
        )


def _signed_headers(resource: str) -> dict[str, str]:
    """Of a PUT without content, by Shared Key (Azure Storage REST API, "Authorize with Shared
    Key"): the verb, eleven standard headers that are empty, the x-ms headers, the resource."""
    headers = {"x-ms-date": formatdate(usegmt=True), "x-ms-version": VERSION}
    own = "".join(f"{name}:{value}\n" for name, value in headers.items())
    text = "PUT" + "\n" * 12 + own + resource
    digest = hmac.new(base64.b64decode(KEY), text.encode(), hashlib.sha256).digest()
    signature = base64.b64encode(digest).decode()
    return {**headers, "Authorization": f"SharedKey {ACCOUNT}:{signature}", "Content-Length": "0"}
