"""The proxy that makes a store sick: each fault is what its name says, and passes when told."""

import http.client
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import boto3
import obstore
import pytest
from botocore.config import Config
from obstore.store import AzureStore
from servers.azure import Azurite
from servers.faults import FaultProxy, Mode
from servers.s3 import RcloneServer

BODY = bytes(range(256)) * 400


class Store(BaseHTTPRequestHandler):
    """Remembers what it was sent, gives BODY."""

    protocol_version = "HTTP/1.1"
    received: list[bytes]
    arrived: threading.Semaphore

    def do_GET(self) -> None:
        self.send_response_only(200)
        self.send_header("Content-Length", str(len(BODY)))
        self.send_header("X-Host", self.headers["Host"])
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(BODY)

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_PUT(self) -> None:
        self.received.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.arrived.release()
        self.send_response_only(201)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def store() -> Iterator[ThreadingHTTPServer]:
    handler = type("Remembering", (Store,), {"received": [], "arrived": threading.Semaphore(0)})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = False
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def proxy(store: ThreadingHTTPServer, faulty: Callable[[str], FaultProxy]) -> FaultProxy:
    return faulty(f"http://127.0.0.1:{store.server_address[1]}")


Answer = tuple[int, bytes]


def ask(
    proxy: FaultProxy, method: str = "GET", body: bytes | None = None, timeout: float = 20
) -> Answer:
    connection = http.client.HTTPConnection(urlsplit(proxy.endpoint).netloc, timeout=timeout)
    try:
        connection.request(method, "/key", body)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_what_passes_passes_whole_and_is_counted(proxy: FaultProxy) -> None:
    assert ask(proxy) == (200, BODY)
    assert ask(proxy, "HEAD") == (200, b"")
    assert ask(proxy, "PUT", b"abc") == (201, b"")
    assert proxy.requests == {"GET": 1, "HEAD": 1, "PUT": 1}


def test_a_connection_is_kept_and_the_host_header_passes(proxy: FaultProxy) -> None:
    netloc = urlsplit(proxy.endpoint).netloc
    connection = http.client.HTTPConnection(netloc, timeout=20)
    for _ in range(3):
        connection.request("GET", "/key")
        answer = connection.getresponse()
        assert answer.read() == BODY and answer.getheader("X-Host") == netloc
    connection.close()


def test_a_body_in_chunks_arrives_whole(proxy: FaultProxy, store: ThreadingHTTPServer) -> None:
    connection = http.client.HTTPConnection(urlsplit(proxy.endpoint).netloc, timeout=20)
    connection.request("PUT", "/key", iter([b"abc", b"def"]), encode_chunked=True)
    assert connection.getresponse().status == 201
    connection.close()
    assert store.RequestHandlerClass.received == [b"abcdef"]


@pytest.mark.parametrize("status", [403, 500, 503])
def test_a_status_comes_from_the_proxy(
    proxy: FaultProxy, store: ThreadingHTTPServer, status: int
) -> None:
    proxy.mode = Mode(status=status)
    assert ask(proxy, "PUT", b"abc")[0] == status
    assert store.RequestHandlerClass.received == []


def test_a_cut_gives_no_answer_and_the_store_sees_nothing(
    proxy: FaultProxy, store: ThreadingHTTPServer
) -> None:
    proxy.mode = Mode(cut=True)
    with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
        ask(proxy, "PUT", b"abc")
    proxy.mode = Mode()
    assert ask(proxy)[0] == 200 and store.RequestHandlerClass.received == []


def test_a_cut_closes_what_is_open(proxy: FaultProxy) -> None:
    connection = http.client.HTTPConnection(urlsplit(proxy.endpoint).netloc, timeout=20)
    connection.request("GET", "/key")
    assert connection.getresponse().read() == BODY
    proxy.mode = Mode(cut=True)
    assert connection.sock.recv(1) == b""
    connection.close()


def test_a_lost_answer_was_acted_on(proxy: FaultProxy, store: ThreadingHTTPServer) -> None:
    proxy.mode = Mode(lost=True)
    with pytest.raises(http.client.RemoteDisconnected):
        ask(proxy, "PUT", b"abc")
    assert store.RequestHandlerClass.received == [b"abc"]


@pytest.mark.parametrize(
    ("mode", "size"), [(Mode(half=True), len(BODY) // 2), (Mode(answer_bytes=70_000), 70_000)]
)
def test_an_answer_that_ends_early(proxy: FaultProxy, mode: Mode, size: int) -> None:
    proxy.mode = mode
    with pytest.raises(http.client.IncompleteRead) as caught:
        ask(proxy)
    assert caught.value.partial == BODY[:size]


def test_an_upload_that_ends_early(proxy: FaultProxy, store: ThreadingHTTPServer) -> None:
    proxy.mode = Mode(upload_bytes=100)
    with pytest.raises(http.client.RemoteDisconnected):
        ask(proxy, "PUT", BODY)
    assert store.RequestHandlerClass.arrived.acquire(timeout=20)
    assert store.RequestHandlerClass.received == [BODY[:100]]


def test_a_store_that_never_answers(proxy: FaultProxy) -> None:
    """The proxy ends at once all the same."""
    proxy.mode = Mode(delay=3600)
    with pytest.raises(TimeoutError):
        ask(proxy, timeout=0.1)


def test_requests_that_are_under_way_at_once_are_counted(proxy: FaultProxy) -> None:
    for _ in range(3):
        ask(proxy)
    assert proxy.most_at_once == 1
    proxy.mode = Mode(delay=3600)

    def wait() -> None:
        with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
            ask(proxy, timeout=60)

    with ThreadPoolExecutor(3) as pool:
        waiting = [pool.submit(wait) for _ in range(3)]
        while proxy.most_at_once < 3:
            assert not any(one.done() for one in waiting)
        proxy.mode = Mode(cut=True)
        for one in waiting:
            one.result()


def test_a_slow_line_gives_everything(proxy: FaultProxy) -> None:
    proxy.mode = Mode(rate=1e6)
    assert ask(proxy) == (200, BODY)


def test_a_mode_for_some_methods_and_some_times(proxy: FaultProxy) -> None:
    proxy.mode = Mode(status=503, methods=frozenset({"GET"}), times=2)
    assert ask(proxy, "HEAD")[0] == 200
    assert [ask(proxy)[0] for _ in range(3)] == [503, 503, 200]


def test_no_store_behind_it_is_a_cut(faulty: Callable[[str], FaultProxy]) -> None:
    with pytest.raises(http.client.RemoteDisconnected):
        ask(faulty("http://127.0.0.1:1"))


def test_signatures_hold_through_it(
    rclone: RcloneServer, faulty: Callable[[str], FaultProxy]
) -> None:
    settings = faulty(rclone.endpoint).through(rclone.bucket())
    client = boto3.client(
        "s3",
        endpoint_url=settings.endpoint,
        region_name=settings.region,
        aws_access_key_id=settings.secrets["access_key_id"],
        aws_secret_access_key=settings.secrets["secret_access_key"],
        config=Config(s3={"addressing_style": "path"}),
    )
    bucket = settings.location.removeprefix("s3://")
    client.put_object(Bucket=bucket, Key="a/b", Body=b"12345")
    assert client.get_object(Bucket=bucket, Key="a/b")["Body"].read() == b"12345"
    client.close()


def test_azure_passes_through_it(azurite: Azurite, faulty: Callable[[str], FaultProxy]) -> None:
    settings = faulty(azurite.endpoint).through(azurite.bucket())
    store = AzureStore(
        settings.location.removeprefix("az://"),
        endpoint=settings.endpoint,
        client_options={"allow_http": True},
        **settings.secrets,
    )
    obstore.put(store, "a/b", BODY)
    assert obstore.get(store, "a/b").bytes().to_bytes() == BODY
    assert [entry["path"] for page in obstore.list(store) for entry in page] == ["a/b"]
