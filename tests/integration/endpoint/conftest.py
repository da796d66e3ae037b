"""A site that serves: a key, packages and routing tables, and a model that can be read at once."""

import asyncio
import http.client
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from threading import Event
from typing import Any
from urllib.parse import quote, urlsplit

import lightgbm
import numpy as np
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from jsonschema import Draft202012Validator
from numpy.typing import NDArray

from freehold.adapters.lightgbm.framework import MODEL_FILE
from freehold.adapters.onnx.converter import OnnxConverter
from freehold.adapters.signing.model_signing import OpenSSFModelSigning
from freehold.catalog.package import pack
from freehold.domain.canonical import canonical
from freehold.domain.columns import Column, Columns
from freehold.domain.errors import IntegrityError
from freehold.domain.package import Admission, admission_bytes, admission_document
from freehold.domain.routing import (
    WHOLE,
    LogRule,
    RoutingTable,
    Shadow,
    Variant,
    routing_document,
    signed_bytes,
)
from freehold.domain.signature import PublicKey
from freehold.domain.verdict import Denial, Verdict
from freehold.endpoint.connection import Connection
from freehold.endpoint.endpoint import Endpoint
from freehold.endpoint.loading import payload_digest
from freehold.endpoint.process import server_of, wall_clock
from freehold.endpoint.request_log import LogSettings
from freehold.endpoint.server import Server
from freehold.endpoint.settings import EndpointSettings
from freehold.ports.model_runtime import Elsewhere, ModelRuntime, Predictor
from freehold.ports.model_signing import ModelSigning
from freehold.serving.openapi import openapi
from freehold.serving.tokens import TokenKey

ALGORITHM = ec.ECDSA(hashes.SHA256())
COLUMNS = Columns((Column("distance", "number"), Column("carrier", "category", ("AA", "UA"))))


class LinearPredictor(Predictor):
    """A logistic function of the row's sum; `trap` is the distance that makes it raise."""

    def __init__(self, bias: float, width: int, trap: float | None) -> None:
        self.bias, self.width, self.trap = bias, width, trap

    def predict(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        if self.trap is not None and (matrix[:, 0] == self.trap).any():
            raise RuntimeError("trapped")
        total = np.nan_to_num(matrix.astype(np.float64)).sum(axis=1)
        return 1 / (1 + np.exp(-np.clip(total / 1000 + self.bias, -30, 30)))


class LinearRuntime(ModelRuntime):
    name = "linear"

    def load(self, folder: Path) -> Predictor:
        value = json.loads((folder / "linear.json").read_bytes())
        return LinearPredictor(value["bias"], value["width"], value["trap"])


class Held(Predictor, Elsewhere):
    """Answers, from elsewhere, once it is let."""

    deadline = 60.0

    def __init__(self, width: int, begun: Event, let: Event) -> None:
        self.width, self.begun, self.let = width, begun, let

    def predict(self, matrix: Any) -> Any:
        if not np.isnan(matrix).all():
            self.begun.set()
            assert self.let.wait(60)
        return np.full(len(matrix), 0.5)


class HeldRuntime(ModelRuntime):
    name = "held"

    def __init__(self) -> None:
        self.begun, self.let = Event(), Event()

    def load(self, _folder: Path) -> Predictor:
        return Held(2, self.begun, self.let)


@pytest.fixture
def held() -> HeldRuntime:
    """Begun once something is asked of it; answers once it is let."""
    return HeldRuntime()


class KeySigning(ModelSigning):
    """A plain ECDSA signature over the payload's digest: as strict, and quicker to import."""

    def sign(self, folder: Path, private_key_path: Path, signature_path: Path) -> None:
        key = serialization.load_pem_private_key(private_key_path.read_bytes(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        signature_path.write_bytes(key.sign(payload_digest(folder).encode(), ALGORITHM))

    def verify(self, folder: Path, public_key_path: Path, signature_path: Path) -> None:
        key = serialization.load_pem_public_key(public_key_path.read_bytes())
        assert isinstance(key, ec.EllipticCurvePublicKey)
        try:
            key.verify(signature_path.read_bytes(), payload_digest(folder).encode(), ALGORITHM)
        except InvalidSignature as exc:
            raise IntegrityError("not what was signed", code="package.signature") from exc


@dataclass
class Site:
    folder: Path
    private: Path
    key: ec.EllipticCurvePrivateKey
    runtime: ModelRuntime = field(default_factory=LinearRuntime)
    signing: ModelSigning = field(default_factory=KeySigning)
    digests: dict[int, str] = field(default_factory=dict)
    tables: int = 0
    expected: Any = None
    """Of a real model: scores of three rows."""

    @property
    def public(self) -> PublicKey:
        return PublicKey((self.folder / "site.pub").read_bytes())

    def payload(self, version: int) -> Path:
        return self.folder / "models" / self.digests[version].removeprefix("sha256:") / "payload"

    def model(
        self,
        version: int,
        columns: Columns = COLUMNS,
        bias: float = 0.0,
        trap: float | None = None,
        allowed: bool = True,
    ) -> str:
        """Put a package into the folder; its digest."""
        linear = {"bias": bias, "width": len(columns.columns), "trap": trap, "version": version}
        files = {
            "columns.json": canonical(columns.as_json()),
            "linear.json": json.dumps(linear).encode(),
        }
        return self.package(version, files, allowed)

    def package(self, version: int, files: dict[str, bytes], allowed: bool = True) -> str:
        """Put files into the folder as a version that the site admits; the digest."""
        self.digests[version] = digest = pack(files).digest
        payload = self.payload(version)
        for name, data in files.items():
            (payload / name).parent.mkdir(parents=True, exist_ok=True)
            (payload / name).write_bytes(data)
        self.signing.sign(payload, self.private, payload.parent / "model.sig")
        self.admit(version, allowed=allowed)
        return digest

    def real_version(self, version: int) -> NDArray[np.float64]:
        """One that is a gradient-boosted model; its scores of the rows that tests send."""
        random = np.random.default_rng(3)
        matrix = np.column_stack([random.uniform(0, 3000, 400), random.integers(0, 2, 400)])
        labels = matrix[:, 0] + 800 * matrix[:, 1] > 1900
        trained = lightgbm.train(
            {"objective": "binary", "verbose": -1, "num_threads": 1},
            lightgbm.Dataset(matrix, labels),
            num_boost_round=7 + version,
        )
        model = trained.model_to_string().encode()
        self.package(
            version,
            {
                "columns.json": canonical(COLUMNS.as_json()),
                MODEL_FILE: model,
                "model.onnx": OnnxConverter().convert(model, 2),
            },
        )
        expected: NDArray[np.float64] = trained.predict(
            np.array([[2500, 1], [300, 0], [np.nan, np.nan]])
        )
        return expected

    def admit(self, version: int, **more: Any) -> None:
        denials = () if more.get("allowed", True) else (Denial("baseline/auc", "too low"),)
        admission = Admission(
            model=more.get("model", "delay"),
            version=version,
            package=more.get("digest", self.digests[version]),
            verdict=Verdict(not denials, denials, ("baseline/auc",), "sha256:0"),
        )
        key = more.get("key", self.key)
        document = admission_document(
            admission, key.sign(admission_bytes(admission), ALGORITHM), self.public
        )
        (self.payload(version).parent / "admission.json").write_bytes(document)

    def route(
        self,
        *shares: tuple[int, float, str],
        reference: int | None = None,
        shadow: Shadow | None = None,
        log: LogRule = WHOLE,
    ) -> RoutingTable:
        """Sign and put a table of (version, weight, alias) in force."""
        self.tables += 1
        variants = tuple(Variant(v, self.digests[v], weight, alias) for v, weight, alias in shares)
        table = RoutingTable(self.tables, "delay", "salt", variants, reference, shadow, log)
        self.write(routing_document(table, self.key.sign(signed_bytes(table), ALGORITHM)))
        return table

    def token_key(self, secret: bytes = b"k" * 32) -> TokenKey:
        """Puts it where the endpoint finds it."""
        key, path = TokenKey(secret), self.folder / "tokens.key"
        path.touch(mode=0o600)
        path.write_bytes(key.as_text())
        return key

    def write(self, document: bytes) -> None:
        beside = self.folder / "routing.json.tmp"
        beside.write_bytes(document)
        beside.replace(self.folder / "routing.json")

    def canary(self, weight: float = 50.0) -> RoutingTable:
        return self.route((1, 100 - weight, "champion"), (2, weight, "challenger"), reference=1)

    def endpoint(self, **settings: Any) -> Endpoint:
        settings.setdefault("log", LogSettings(window=60))
        whole = EndpointSettings(self.folder, port=0, **settings)
        return Endpoint(whole, self.runtime, self.signing, wall_clock)

    def events(self) -> list[dict[str, Any]]:
        files = sorted((self.folder / "events").glob("*.json"))
        return [json.loads(path.read_bytes()) for path in files]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return new_site(tmp_path)


@pytest.fixture
def site_of(tmp_path: Path) -> Callable[[], Site]:
    """Another one each time."""
    numbers = count()

    def made() -> Site:
        place = tmp_path / f"site-{next(numbers)}"
        place.mkdir()
        return new_site(place)

    return made


@pytest.fixture(scope="module")
def lasting_site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """For all tests of a module."""
    return new_site(tmp_path_factory.mktemp("site"))


def with_real_model(site: Site) -> Site:
    """A gradient-boosted model, converted, and signed in the field's own format: what a process of
    its own can load."""
    site.signing = OpenSSFModelSigning()
    site.expected = site.real_version(1)
    site.route((1, 100.0, "champion"))
    return site


@pytest.fixture
def real(site: Site) -> Site:
    return with_real_model(site)


@pytest.fixture
def ask() -> Callable[[str, bytes, Event], Counter[tuple[int, str]]]:
    """Asks until it is over, on one connection while that stays: how often which status came, and
    which versions."""

    def ask(url: str, body: bytes, over: Event) -> Counter[tuple[int, str]]:
        found: Counter[tuple[int, str]] = Counter()
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
        while not over.is_set():
            connection.request("POST", "/v2/models/delay/infer", body)
            answer = connection.getresponse()
            told = json.loads(answer.read())
            versions = {
                one for out in told["outputs"] if out["name"] == "version" for one in out["data"]
            }
            found[answer.status, ",".join(map(str, sorted(versions)))] += 1
        connection.close()
        return found

    return ask


@pytest.fixture
def real_site_of(tmp_path: Path) -> Callable[[str], Site]:
    """By name."""

    def made(name: str) -> Site:
        (tmp_path / name).mkdir()
        return with_real_model(new_site(tmp_path / name))

    return made


def new_site(place: Path) -> Site:
    folder = place / "serving"
    folder.mkdir()
    key = ec.generate_private_key(ec.SECP256R1())
    private = place / "site.key"
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    (folder / "site.pub").write_bytes(
        key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    return Site(folder, private, key)


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def json_head(self) -> Any:
        """What stands before the binary data."""
        return json.loads(self.body[: int(self.headers["inference-header-content-length"])])

    def output(self, name: str) -> list[Any]:
        return next(out["data"] for out in self.json["outputs"] if out["name"] == name)


class Conformance:
    """That the OpenAPI document is true: of what is sent and taken, and of what is answered."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self._validators: dict[str, Draft202012Validator] = {}

    def check(self, method: str, path: str, body: bytes | None, reply: Reply) -> None:
        """`body`: where it is JSON and nothing else."""
        operations = self._operations(path)
        if operations is None:
            assert reply.status == 404, f"{path} answers and is not in the document"
            return
        operation = operations.get(method.lower())
        if operation is None:
            assert reply.status in (404, 405, 503)
            return
        answers = operation["responses"]
        self._matches(answers.get(str(reply.status), answers["default"]), reply)
        if body is not None and reply.status == 200 and "requestBody" in operation:
            schema = operation["requestBody"]["content"]["application/json"]["schema"]
            self._validate(schema, json.loads(body))

    def _operations(self, path: str) -> Any:
        for template, operations in self.document["paths"].items():
            if re.fullmatch(re.sub(r"\\{\w+\\}", "[^/]*", re.escape(template)), path):
                return operations
        return self.document["paths"]["/v2"] if path == "/v2/" else None

    def _matches(self, answer: Any, reply: Reply) -> None:
        kind = reply.headers["content-type"].partition(";")[0]
        assert kind in answer["content"]
        if kind == "text/plain":
            return
        length = int(reply.headers.get("inference-header-content-length", len(reply.body)))
        self._validate(answer["content"][kind]["schema"], json.loads(reply.body[:length]))

    def _validate(self, schema: dict[str, Any], value: Any) -> None:
        key = json.dumps(schema)
        if key not in self._validators:
            whole = {**schema, "components": self.document["components"]}
            self._validators[key] = Draft202012Validator(whole)
        self._validators[key].validate(value)


class Wire(asyncio.Transport):
    """The server's end of a connection that goes nowhere: keeps what is written."""

    def __init__(self, client: str) -> None:
        super().__init__({"peername": (client, 50_000)})
        self.written = b""
        self.is_open = True
        self.on_written: Callable[[], None] = lambda: None

    def write(self, data: Any) -> None:
        self.written += data
        self.on_written()

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def close(self) -> None:
        self.is_open = False

    abort = close


def read_reply(data: bytes, *, has_body: bool = True) -> Reply:
    head, _, body = data.partition(b"\r\n\r\n")
    start, *lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    assert len(body) == (int(headers["content-length"]) if has_body else 0)
    return Reply(int(start.split()[1]), headers, body)


async def converse(server: Server, wire: Wire, parts: list[bytes]) -> None:
    """Until something is answered."""
    connection = Connection(server)
    connection.connection_made(wire)
    for part in parts:
        connection.data_received(part)
    while not wire.written:
        await asyncio.sleep(0.001)
        server.look()


class Client:
    """Speaks HTTP to the endpoint's server without a socket; each answer is held against the
    document."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.server = server_of(endpoint)
        self._conformance: dict[int, Conformance] = {}

    def conformance(self) -> Conformance:
        """With the document of the table in force."""
        table = self.endpoint.watcher.table
        number = table.table.version
        if number not in self._conformance:
            document = openapi(table.table.model, table.kinds, "1")
            self._conformance[number] = Conformance(document)
        return self._conformance[number]

    def ask(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        headers: dict[str, str] | None = None,
        *,
        chunk: int = 1 << 20,
        client: str = "127.0.0.1",
        stalls: bool = False,
    ) -> Reply:
        given = {"content-type": "application/json", **(headers or {})}
        lines = [f"{method} {quote(path)} HTTP/1.1", "host: here"]
        lines += [f"{name}: {value}" for name, value in given.items()]
        chunked = chunk < len(body) and "content-length" not in given
        if chunked:
            lines.append("transfer-encoding: chunked")
        elif "content-length" not in given:
            lines.append(f"content-length: {len(body) + stalls}")
        parts = [body[at : at + chunk] for at in range(0, len(body), chunk)]
        if chunked:
            parts = [b"%x\r\n%s\r\n" % (len(part), part) for part in parts] + [b"0\r\n\r\n"]
        head = "\r\n".join(lines).encode() + b"\r\n\r\n"
        wire = Wire(client)
        asyncio.run(converse(self.server, wire, [head, *parts]))
        reply = read_reply(wire.written, has_body=method != "HEAD")
        if method == "HEAD":
            return reply
        is_plain = given["content-type"].startswith("application/json") and len(given) == 1
        self.conformance().check(method, path, body if is_plain else None, reply)
        return reply

    def infer(self, body: Any, path: str = "/v2/models/delay/infer", **more: Any) -> Reply:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.ask("POST", path, data, **more)


def rows(*distances: float | None, ids: list[str] | None = None, **more: Any) -> dict[str, Any]:
    """A valid request."""
    count = len(distances)
    inputs = [
        {"name": "distance", "datatype": "FP64", "shape": [count], "data": list(distances)},
        {"name": "carrier", "datatype": "BYTES", "shape": [count, 1], "data": ["UA"] * count},
    ]
    if ids is not None:
        inputs.append({"name": "id", "datatype": "BYTES", "shape": [count], "data": ids})
    return {"inputs": inputs, **more}


@pytest.fixture
def wire_of() -> Callable[[], Wire]:
    return lambda: Wire("127.0.0.1")


@pytest.fixture
def request_of() -> Callable[..., dict[str, Any]]:
    return rows


@pytest.fixture
def client(site: Site) -> Iterator[Client]:
    """Version 1 alone answers."""
    site.model(1)
    site.route((1, 100.0, "champion"))
    endpoint = site.endpoint()
    yield Client(endpoint)
    endpoint.close()


@pytest.fixture
def client_of(site: Site) -> Iterator[Callable[..., Client]]:
    """Start an endpoint on the site as it is then."""
    started: list[Endpoint] = []

    def start(**settings: Any) -> Client:
        started.append(site.endpoint(**settings))
        return Client(started[-1])

    start.started = started  # type: ignore[attr-defined]
    yield start
    for endpoint in started:
        endpoint.close()
