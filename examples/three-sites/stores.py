"""The two stores in the cloud, each on loopback behind a front that speaks TLS.

One speaks S3, one Azure Blob. Their keys are drawn by chance for each run. The servers are those
of the tests, in `tests/servers`.
"""

import base64
import hashlib
import hmac
import os
import secrets
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from pathlib import Path
from socket import socket

from authority import certify
from front import Front
from servers.azure import VERSION, Azurite
from servers.ceph import CephGateway
from servers.s3 import MotoServer, S3Server
from signatures import Signatures

LOOPBACK = "127.0.0.1"
CONTAINER = "models"
S3_SERVERS: Mapping[str, type[S3Server]] = {"moto": MotoServer, "ceph": CephGateway}


@dataclass(frozen=True)
class Stores:
    """Where they are, and what a site needs to use them."""

    s3: str
    """Address, `s3://bucket`."""
    s3_endpoint: str
    azure: str
    azure_endpoint: str
    environment: Mapping[str, str] = field(repr=False)
    """Of a site that may use both: keys, and whom to trust."""


class OwnAzurite(Azurite):
    """With an account whose key nobody else has."""

    account = "threesites"

    def __init__(self) -> None:
        super().__init__()
        self._key = base64.b64encode(secrets.token_bytes(64)).decode()
        self.secrets = {"account_name": self.account, "account_key": self._key}

    def _start(self, attempts: int) -> None:
        # By the environment: a command line can be read by everybody on the machine.
        os.environ["AZURITE_ACCOUNTS"] = f"{self.account}:{self._key}"
        try:
            super()._start(attempts)
        finally:
            del os.environ["AZURITE_ACCOUNTS"]

    def container(self, name: str) -> None:
        """Make it, by Shared Key (Azure Storage REST API, "Authorize with Shared Key")."""
        resource = f"/{self.account}/{self.account}/{name}\nrestype:container"
        headers = {"x-ms-date": formatdate(usegmt=True), "x-ms-version": VERSION}
        own = "".join(f"{key}:{value}\n" for key, value in headers.items())
        text = f"PUT{chr(10) * 12}{own}{resource}".encode()
        digest = hmac.new(base64.b64decode(self._key), text, hashlib.sha256).digest()
        proof = f"SharedKey {self.account}:{base64.b64encode(digest).decode()}"
        url = f"http://127.0.0.1:{self.port}/{self.account}/{name}?restype=container"
        request = urllib.request.Request(
            url, method="PUT", headers={**headers, "Authorization": proof, "Content-Length": "0"}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            answer.read()


@contextmanager
def serving(kind: str, listeners: tuple[socket, socket], folder: Path) -> Iterator[Stores]:
    """Both, while the context lasts; `kind`: of the S3 server. `listeners`: where the two are to
    be reached. `folder` receives the certificates. Raises ServerFailed."""
    s3, azure = S3_SERVERS[kind](), OwnAzurite()
    s3.secrets = {
        "access_key_id": secrets.token_hex(10).upper(),
        "secret_access_key": secrets.token_urlsafe(30),
    }
    hosts = {listener.getsockname()[0] for listener in listeners}
    trusted, shown = certify(hosts, folder)
    with ExitStack() as running:
        running.enter_context(s3)
        running.enter_context(azure)
        azure.container(CONTAINER)
        fronts = (
            Front(listeners[0], (LOOPBACK, s3.port), shown, Signatures(**s3.secrets)),
            Front(listeners[1], (LOOPBACK, azure.port), shown),
        )
        for front in fronts:
            running.enter_context(front)
        given = {"aws": s3.secrets, "azure": azure.secrets}
        environment = {
            f"FREEHOLD_{site}_{name}".upper(): value
            for site, values in given.items()
            for name, value in values.items()
        }
        # What a machine sends through a proxy, these requests are not.
        direct = ",".join(sorted(hosts))
        environment |= {"SSL_CERT_FILE": str(trusted), "NO_PROXY": direct, "no_proxy": direct}
        yield Stores(
            s3.bucket().location,
            fronts[0].endpoint,
            f"az://{CONTAINER}",
            f"{fronts[1].endpoint}/{azure.account}",
            environment,
        )
