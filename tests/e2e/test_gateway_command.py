"""`freehold gateway` as it is typed, before sites that answer by TLS."""

import http.client
import json
import socket
import ssl
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread
from typing import Any
from urllib.parse import urlsplit

import pytest

from freehold.endpoint.endpoint_process import EndpointProcess
from tests.certificates import certified

ROW = [{"distance": 0.5, "carrier": "AA", "id": "one"}]
SITES = """
site: here
sites:
  here: {{store: {{at: "file:///nowhere"}}, endpoint: "{url}"}}
"""


class TlsFront:
    """Ends TLS before an endpoint, as a company's proxy does."""

    def __init__(self, url: str, public: Path, private: Path) -> None:
        self._to = (urlsplit(url).hostname or "", urlsplit(url).port or 0)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(public, private)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://127.0.0.1:{self._listener.getsockname()[1]}"
        self.refused = Event()
        """Set once a client went away before anything was said."""
        self._over = Event()
        self._threads = [Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def _accept(self) -> None:
        while not self._over.is_set():
            with suppress(OSError):
                client, _ = self._listener.accept()
                self._threads.append(Thread(target=self._pass, args=(client,), daemon=True))
                self._threads[-1].start()

    def _pass(self, plain: socket.socket) -> None:
        """One request after the other."""
        with plain:
            try:
                client = self._context.wrap_socket(plain, server_side=True)
            except OSError:
                self.refused.set()
                return
            with client, socket.create_connection(self._to) as endpoint, suppress(OSError):
                client.settimeout(0.05)
                endpoint.settimeout(0.05)
                while not self._over.is_set():
                    for one, other in ((client, endpoint), (endpoint, client)):
                        with suppress(TimeoutError):
                            data = one.recv(1 << 16)
                            if not data:
                                return
                            other.sendall(data)

    def close(self) -> None:
        self._over.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._listener.close()


@pytest.fixture
def front(serving: Any, tmp_path: Path) -> Iterator[TlsFront]:
    public, private = certified(tmp_path)
    with EndpointProcess.start(serving.folder / ".freehold" / "serving") as endpoint:
        made = TlsFront(endpoint.url, public, private)
        file = (serving.folder / "freehold.yaml").read_text()
        serving.write("freehold.yaml", file + SITES.format(url=made.url))
        yield made
        made.close()


def gateway(project: Any) -> tuple[Any, str]:
    process = project.start("gateway", "--port", "0")
    line = process.stdout.readline()
    assert line.startswith("gateway to here at http://"), project.finish(process).err
    return process, line.split()[-1]


def call(url: str, method: str, path: str, body: Any = None) -> tuple[int, dict[str, str], Any]:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    try:
        connection.request(method, path, None if body is None else json.dumps(body))
        reply = connection.getresponse()
        told = {name.lower(): value for name, value in reply.getheaders()}
        return reply.status, told, json.loads(reply.read())
    finally:
        connection.close()


def test_a_site_that_answers_by_tls(
    serving: Any, front: TlsFront, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "server.pem"))
    process, url = gateway(serving)
    for _ in range(5):
        status, headers, told = call(url, "POST", "/v1/models/delay/predict", ROW)
        assert (status, headers["freehold-site"], told[0]["prediction_id"]) == (200, "here", "one")
    status, _, state = call(url, "GET", "/freehold/gateway")
    assert [one["site"] for one in state["sites"]] == ["here"]
    process.terminate()
    said = serving.finish(process)
    assert (said.code, "Traceback" in said.err) == (0, False)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
def test_beyond_loopback_it_does_not_listen(serving: Any, host: str) -> None:
    """It asks nobody for a token and speaks no TLS, and no option makes it do so."""
    file = (serving.folder / "freehold.yaml").read_text()
    serving.write("freehold.yaml", file + SITES.format(url="http://127.0.0.1:1"))
    before = serving.standing()
    said = serving.freehold("gateway", "--host", host, "--port", "0")
    assert (said.code, said.out) == (1, "")
    assert f"error[endpoint.not-loopback]: the endpoint does not listen on {host}\n" in said.err
    assert "without authentication and TLS" in said.err and "hint:" in said.err
    assert serving.standing() == before


def test_a_certificate_that_nobody_trusts_is_no_site(serving: Any, front: TlsFront) -> None:
    """Nothing of a request reaches whoever shows it."""
    process, url = gateway(serving)
    status, _, told = call(url, "POST", "/v1/models/delay/predict", ROW)
    assert (status, told["code"]) == (502, "gateway.no-answer")
    assert front.refused.wait(60)
    process.terminate()
    assert serving.finish(process).code == 0
