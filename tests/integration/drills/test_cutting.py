"""What cuts a site off: proxies that every client of a store heeds, and doors to folders."""

import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from servers.gcs import GcsEmulator
from servers.s3 import MotoServer

from freehold.adapters.disk.object_store import DiskObjectStore
from freehold.app.drill.offline.doors import Doors
from freehold.app.drill.offline.proxy import Proxy
from freehold.app.drill.offline.proxy_places import Barring, ProxyPlaces
from freehold.domain.errors import StorageFailed
from freehold.ports.object_store import StoreSettings

REACH = """\
import sys
from freehold.app.site.stores import open_store
from freehold.domain.errors import FreeholdError
from freehold.domain.project import StoreSpec
import os

store = open_store(StoreSpec(sys.argv[1], sys.argv[2], "us-east-1"), "site", os.environ)
for line in sys.stdin:
    try:
        store.put("reach", b"1")
        print("yes" if store.get("reach") == b"1" else "no", flush=True)
    except FreeholdError as error:
        print(error.code, flush=True)
"""


class Hello(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, *_: object) -> None:
        """Not into the tests' output."""


@pytest.fixture
def hello() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Hello) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def fetch(url: str, proxy: Proxy) -> bytes:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({"http": proxy.url}))
    with opener.open(url, timeout=10) as answer:
        return bytes(answer.read())


def test_a_proxy_carries_until_it_is_cut_and_again_when_it_is_healed(hello: str) -> None:
    proxy = Proxy(lambda host, url: False)
    assert fetch(f"{hello}/a?b=c", proxy) == b"hello"
    address = proxy.url
    proxy.cut()
    with pytest.raises(urllib.error.URLError):
        fetch(hello, proxy)
    proxy.listen()
    assert proxy.url == address
    assert fetch(hello, proxy) == b"hello"
    proxy.cut()


def test_a_proxy_carries_no_request_that_is_barred(hello: str) -> None:
    proxy = Proxy(lambda host, url: "secret" in url)
    assert fetch(f"{hello}/open", proxy) == b"hello"
    with pytest.raises((urllib.error.URLError, ConnectionError, OSError)):
        fetch(f"{hello}/secret", proxy)
    proxy.cut()


def test_a_tunnel_is_told_carried_and_ended_by_a_cut(hello: str) -> None:
    proxy = Proxy(lambda host, url: host.startswith("barred"))
    host = hello.removeprefix("http://")
    port = int(proxy.url.rpartition(":")[2])

    def tunnel(to: str) -> socket.socket:
        client = socket.create_connection(("127.0.0.1", port), 10)
        client.sendall(f"CONNECT {to} HTTP/1.1\r\n\r\n".encode())
        return client

    with tunnel(host) as client:
        assert client.recv(100).startswith(b"HTTP/1.1 200")
        assert proxy.tunnels() == {host}
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.0 200")
    with tunnel("barred.example:443") as client:
        assert client.recv(100) == b""
    with tunnel(host) as client:
        assert client.recv(100).startswith(b"HTTP/1.1 200")
        proxy.cut()
        with suppress(ConnectionResetError):
            assert client.recv(100) == b""


def test_a_cut_bars_the_store_of_the_site_for_all_others() -> None:
    cut: set[str] = set()
    hosts = {"a": {"a.example:443"}, "b": set()}
    barred = Barring("b", {"a": "d1-a", "b": "d1-b"}, hosts, cut)
    own = Barring("a", {"a": "d1-a", "b": "d1-b"}, hosts, cut)
    assert not barred("s3.example:80", "http://s3.example/x/d1-a/k")
    cut.add("a")
    assert barred("s3.example:80", "http://s3.example/x/d1-a/k")
    assert barred("s3.example:80", "http://s3.example/x?prefix=drills/d1-a/")
    assert barred("a.example:443", "//a.example:443")
    assert not barred("s3.example:80", "http://s3.example/x/d1-b/k")
    assert not own("a.example:443", "//a.example:443"), "its own proxy is cut as a whole"


@pytest.mark.parametrize("kind", ["moto", "gcs"])
def test_clients_of_remote_stores_heed_the_proxies(
    kind: str,
    moto: MotoServer,
    gcs_emulator: GcsEmulator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By each of the two libraries: once through, and nothing while the site is cut."""
    settings: StoreSettings = (moto if kind == "moto" else gcs_emulator).bucket("d1-site")
    for name, secret in settings.secrets.items():
        monkeypatch.setenv(f"FREEHOLD_SITE_{name.upper()}", secret)
    places = ProxyPlaces({"site": "d1-site"})
    command = [sys.executable, "-c", REACH, settings.location, settings.endpoint]
    process = places.start("site", command, {})
    try:
        assert _ask(process) == "yes"
        places.cut("site")
        assert _ask(process) == "storage.unreachable"
        places.heal("site")
        assert _ask(process) == "yes"
    finally:
        process.communicate()
        places.close()


def _ask(process: "subprocess.Popen[str]") -> str:
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write("reach\n")
    process.stdin.flush()
    return process.stdout.readline().strip()


def test_doors_to_folders_shut_for_the_site_and_for_its_store(tmp_path: Path) -> None:
    rooms = {site: tmp_path / "stores" / site / "drills" / f"d1-{site}" for site in "abc"}
    stores = {site: room.as_uri() for site, room in rooms.items()}
    doors = Doors(tmp_path / "doors", {**stores, "d": "s3://bucket/d1-d"})
    assert doors.seen_by("a")["d"] == "s3://bucket/d1-d"

    def reaches(site: str, other: str) -> bool:
        location = doors.seen_by(site)[other]
        try:
            store = DiskObjectStore.open(StoreSettings(location))
            store.put("reach", site.encode())
            return store.get("reach") == site.encode()
        except StorageFailed:
            return False

    ways = [(one, other) for one in "abcd" for other in "abc"]
    assert all(reaches(*way) for way in ways)
    opened = DiskObjectStore.open(StoreSettings(doors.seen_by("a")["b"]))
    doors.shut("a")
    assert {way for way in ways if not reaches(*way)} == {way for way in ways if "a" in way}
    with pytest.raises(StorageFailed):
        opened.put("reach", b"by a store that was open before")
    doors.reopen("a")
    assert all(reaches(*way) for way in ways)
    assert doors.clear() == []
    assert not (tmp_path / "stores").exists()
