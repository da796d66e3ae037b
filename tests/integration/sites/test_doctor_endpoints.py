"""Certificates and clocks of real servers on loopback, and stores of real servers."""

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import pytest
from servers.faults import FaultProxy, Mode
from servers.s3 import MotoServer, RcloneServer

from freehold.adapters.keyfile.key_service import FileKeyService
from freehold.app.site.health.endpoints import examine_endpoint
from freehold.app.site.health.finding import Finding
from freehold.app.site.health.stores import Examined, examine_store
from freehold.app.site.health.waiting import Patience
from freehold.app.site.opening import wall_clock
from freehold.domain.project import StoreSpec
from freehold.ports.object_store import StoreSettings
from tests.certificates import certified

PATIENCE = Patience(first=20.0, whole=60.0)
Start = Callable[..., str]


class Answering(BaseHTTPRequestHandler):
    """Answers 404, with a date that is `wrong` seconds off."""

    wrong = 0.0

    def do_HEAD(self) -> None:
        self.send_response_only(404)
        when = datetime.now(UTC) + timedelta(seconds=self.wrong)
        self.send_header("Date", format_datetime(when, usegmt=True))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a server and gives its endpoint; with TLS if its certificate ends in some days."""
    with ExitStack() as ends:

        def begin(wrong: float = 0.0, days: float | None = None) -> str:
            handler = type("Answering", (Answering,), {"wrong": wrong})
            server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
            server.handle_error = lambda *_: None  # type: ignore[method-assign]
            if days is not None:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(*certified(tmp_path, days))
                server.socket = context.wrap_socket(server.socket, server_side=True)
            thread = threading.Thread(target=server.serve_forever, args=(0.02,))
            thread.start()
            ends.callback(server.server_close)
            ends.callback(thread.join)
            ends.callback(server.shutdown)
            scheme = "http" if days is None else "https"
            return f"{scheme}://127.0.0.1:{server.server_address[1]}"

        yield begin


def at(endpoint: str) -> dict[str, Finding]:
    return {one.check: one for one in examine_endpoint("aws", endpoint, wall_clock, 20.0)}


def test_a_certificate_that_nobody_vouches_for(start: Start) -> None:
    found = at(start(days=100))
    assert found.keys() == {"tls"}
    assert found["tls"].standing == "bad"
    assert "self-signed" in found["tls"].why
    assert "SSL_CERT_FILE" in found["tls"].hint


def test_the_certificate_of_a_key_service(start: Start, tmp_path: Path) -> None:
    spec = StoreSpec(f"file://{tmp_path}/store", region="us-east-1", encryption="kms:any")
    environment = {
        "FREEHOLD_AWS_KEY_ENDPOINT": start(days=100),
        "FREEHOLD_AWS_KEY_ACCESS_KEY_ID": "a",
        "FREEHOLD_AWS_KEY_SECRET_ACCESS_KEY": "b",
    }
    found = examine_store("aws", spec, wall_clock, PATIENCE, environment)
    assert checks(found)["tls"] == checks(found)["encryption"] == "bad"


@pytest.mark.parametrize(
    ("days", "standing", "words"),
    [(100, "good", "ends in 100 days"), (5, "warning", "ends in 5 days"), (-1, "bad", "expired")],
)
def test_the_end_of_a_certificate(
    start: Start,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    days: float,
    standing: str,
    words: str,
) -> None:
    endpoint = start(days=days)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "server.pem"))
    found = at(endpoint)["tls"]
    assert found.standing == standing
    assert words in found.what + found.why


@pytest.mark.parametrize(
    ("wrong", "standing"), [(0, "good"), (120, "warning"), (3600, "bad"), (-3600, "bad")]
)
def test_this_machines_clock_against_a_store_s(start: Start, wrong: float, standing: str) -> None:
    found = at(start(wrong=wrong))
    assert found.keys() == {"clock"}
    assert found["clock"].standing == standing
    assert bool(found["clock"].hint) == (standing != "good")


def test_plain_http_beyond_this_machine_is_told() -> None:
    """The name is one that is promised never to be anybody's."""
    found = at("http://store.invalid:9000")
    assert found.keys() == {"tls"}
    assert found["tls"].standing == "warning"


def spec_of(settings: StoreSettings, encryption: str = "") -> StoreSpec:
    return StoreSpec(settings.location, settings.endpoint, settings.region, encryption)


def store(settings: StoreSettings, encryption: str = "", patience: Patience = PATIENCE) -> Examined:
    environment = {
        f"FREEHOLD_AWS_{name}".upper(): value for name, value in settings.secrets.items()
    }
    found = examine_store("aws", spec_of(settings, encryption), wall_clock, patience, environment)
    assert not any(secret in str(found.findings) for secret in settings.secrets.values())
    return found


def checks(examined: Examined) -> dict[str, str]:
    return {one.check: one.standing for one in examined.findings}


def test_a_store_that_keeps_every_promise(moto: MotoServer, tmp_path: Path) -> None:
    FileKeyService.create(tmp_path / "store.key")
    found = store(moto.bucket("p"), f"file:{tmp_path}/store.key")
    wanted = dict.fromkeys(("store", "abilities", "clock", "encryption"), "good")
    assert checks(found) == wanted
    assert found.store is not None


def test_a_store_that_ignores_conditions_is_told_and_used(rclone: RcloneServer) -> None:
    found = store(rclone.bucket("p"))
    assert checks(found)["abilities"] == "warning"
    (abilities,) = [one for one in found.findings if one.check == "abilities"]
    assert "ignores create-once, compare-and-set" in abilities.what
    assert found.store is not None


def test_a_store_that_takes_no_objects_names_the_right_that_is_missing(
    moto: MotoServer, faulty: Callable[[str], FaultProxy]
) -> None:
    proxy = faulty(moto.endpoint)
    settings = proxy.through(moto.bucket("p"))
    proxy.mode = Mode(status=403, methods=frozenset({"PUT"}))
    found = store(settings)
    (abilities,) = [one for one in found.findings if one.check == "abilities"]
    assert abilities.standing == "bad"
    assert "write" in abilities.hint


def test_a_store_that_falls_silent_is_given_up(
    moto: MotoServer, faulty: Callable[[str], FaultProxy]
) -> None:
    proxy = faulty(moto.endpoint)
    settings = proxy.through(moto.bucket("p"))
    proxy.mode = Mode(delay=3600)
    found = store(settings, patience=Patience(first=0.3, whole=0.3))
    (told,) = [one for one in found.findings if one.check == "store"]
    assert (told.standing, told.unreachable, found.store) == ("bad", True, None)


@pytest.mark.parametrize(
    ("key", "standing", "unreachable"),
    [("here", "good", False), ("alias/not-there", "bad", False), ("unreachable", "bad", True)],
)
def test_a_key_service_that_wraps_and_one_that_does_not(
    moto: MotoServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    key: str,
    standing: str,
    unreachable: bool,
) -> None:
    environment = {
        "FREEHOLD_AWS_KEY_ENDPOINT": moto.endpoint,
        "FREEHOLD_AWS_KEY_ACCESS_KEY_ID": "a",
        "FREEHOLD_AWS_KEY_SECRET_ACCESS_KEY": "b",
    }
    if key == "here":
        client: Any = boto3.client(
            "kms",
            endpoint_url=moto.endpoint,
            region_name="us-east-1",
            aws_access_key_id="a",
            aws_secret_access_key="b",
        )
        key = client.create_key()["KeyMetadata"]["KeyId"]
        client.close()
    elif key == "unreachable":
        environment["FREEHOLD_AWS_KEY_ENDPOINT"] = "http://127.0.0.1:1"
    spec = StoreSpec(f"file://{tmp_path}/store", region="us-east-1", encryption=f"kms:{key}")
    found = examine_store("aws", spec, wall_clock, PATIENCE, environment)
    (told,) = [one for one in found.findings if one.check == "encryption"]
    assert (told.standing, told.unreachable) == (standing, unreachable), told
    assert checks(found)["store"] == "good"
