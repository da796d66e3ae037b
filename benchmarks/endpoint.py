"""How many predictions a second does one endpoint process answer over loopback?

Beside a bare uvicorn application that gives a constant: what the server itself leaves room for.
`python -m benchmarks.endpoint [--json]`; needs the extras lightgbm, onnx and signing.
"""

import asyncio
import json
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

import lightgbm
import numpy as np

from benchmarks.report import report, versions_of
from freehold.adapters.keys.signer import FileSigner
from freehold.adapters.lightgbm.framework import MODEL_FILE
from freehold.adapters.onnx.converter import OnnxConverter
from freehold.adapters.signing.model_signing import OpenSSFModelSigning
from freehold.catalog.package import admit, pack
from freehold.domain.canonical import canonical
from freehold.domain.columns import Column, Columns
from freehold.domain.package import Admission
from freehold.domain.routing import RoutingTable, Variant, routing_document, signed_bytes
from freehold.domain.verdict import Verdict
from freehold.endpoint.process import EndpointProcess

CARRIERS = tuple(f"C{n}" for n in range(16))
COLUMNS = Columns(
    (*(Column(f"x{n}", "number") for n in range(10)), Column("carrier", "category", CARRIERS))
)
WIDTH = len(COLUMNS.columns)
CONNECTIONS = 4
SECONDS = 5.0
WARM_UP = 1.0


async def constant(_scope: Any, receive: Any, send: Callable[[Any], Awaitable[None]]) -> None:
    """Reads the body and gives two bytes."""
    while (await receive()).get("more_body"):
        pass
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]}
    )
    await send({"type": "http.response.body", "body": b"{}"})


def model() -> bytes:
    """300 trees of 31 leaves."""
    random = np.random.default_rng(1)
    matrix = random.normal(size=(20_000, WIDTH))
    matrix[:, -1] = random.integers(0, len(CARRIERS), len(matrix))
    labels = matrix[:, :3].sum(axis=1) + random.normal(size=len(matrix)) > 1
    data = lightgbm.Dataset(matrix, labels)
    settings = {"objective": "binary", "num_leaves": 31, "verbose": -1}
    return lightgbm.train(settings, data, num_boost_round=300).model_to_string().encode()


def prepare(folder: Path) -> None:
    """A serving folder with two versions of one model, one as champion and one as canary."""
    signer = FileSigner.create(folder.parent / "site.key")
    folder.mkdir()
    (folder / "site.pub").write_bytes(signer.public.pem)
    trained = model()
    files = {
        "columns.json": canonical(COLUMNS.as_json()),
        MODEL_FILE: trained,
        "model.onnx": OnnxConverter().convert(trained, WIDTH),
    }
    digests = []
    for version in (1, 2):
        packed = pack({**files, "version.txt": str(version).encode()})
        digests.append(packed.digest)
        home = folder / "models" / packed.digest.removeprefix("sha256:")
        for name, data in {**files, "version.txt": str(version).encode()}.items():
            path = home / "payload" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        OpenSSFModelSigning().sign(home / "payload", folder.parent / "site.key", home / "model.sig")
        admission = Admission("m", version, packed.digest, Verdict(True, (), ("all",), "sha256:0"))
        (home / "admission.json").write_bytes(admit(admission, signer))
    variants = (
        Variant(1, digests[0], 95.0, "champion"),
        Variant(2, digests[1], 5.0, "challenger"),
    )
    table = RoutingTable(1, "m", "salt", variants, reference=1)
    document = routing_document(table, signer.sign(signed_bytes(table)))
    (folder / "routing.json").write_bytes(document)


def request(rows: int) -> bytes:
    random = np.random.default_rng(2)
    inputs: list[dict[str, Any]] = [
        {
            "name": column.name,
            "datatype": "FP64",
            "shape": [rows],
            "data": random.normal(size=rows).round(3).tolist(),
        }
        for column in COLUMNS.columns[:-1]
    ]
    carriers = random.choice(CARRIERS, rows).tolist()
    inputs.append({"name": "carrier", "datatype": "BYTES", "shape": [rows], "data": carriers})
    body = json.dumps({"inputs": inputs}).encode()
    head = f"POST /v2/models/m/infer HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n"
    return f"{head}content-type: application/json\r\n\r\n".encode() + body


async def load(port: int, data: bytes, connections: int, seconds: float) -> list[float]:
    """Seconds that each answer took; each connection asks again when it was answered."""
    end = time.perf_counter() + seconds
    took: list[float] = []

    async def ask() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while (started := time.perf_counter()) < end:
            writer.write(data)
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            if b" 200 " not in head:
                raise RuntimeError(head.decode())
            length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
            await reader.readexactly(length)
            took.append(time.perf_counter() - started)
        writer.close()

    await asyncio.gather(*(ask() for _ in range(connections)))
    return took


def measure(port: int, data: bytes, connections: int) -> tuple[float, float]:
    """Answers per second, and the 99th percentile of their milliseconds."""
    asyncio.run(load(port, data, connections, WARM_UP))
    took = asyncio.run(load(port, data, connections, SECONDS))
    return len(took) / SECONDS, float(np.quantile(took, 0.99)) * 1000


@contextmanager
def bare() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = int(found.getsockname()[1])
    command = [sys.executable, "-m", "uvicorn", "benchmarks.endpoint:constant", "--port", str(port)]
    command += ["--http", "httptools", "--loop", "asyncio", "--lifespan", "off"]
    process = subprocess.Popen([*command, "--no-access-log", "--log-level", "critical"])
    try:
        while socket.socket().connect_ex(("127.0.0.1", port)):
            time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait()


def main() -> None:
    figures: dict[str, float] = {}
    one, fifty = request(1), request(50)
    with TemporaryDirectory() as place:
        folder = Path(place) / "serving"
        prepare(folder)
        for runtime in ("onnx", "lightgbm"):
            with EndpointProcess.start(folder, runtime=runtime) as endpoint:
                port = int(urlsplit(endpoint.url).port or 0)
                for name, data in (("1 row", one), ("50 rows", fifty)):
                    rate, slow = measure(port, data, CONNECTIONS)
                    figures[f"{runtime}, {name}, requests/s"] = rate
                    figures[f"{runtime}, {name}, p99 ms"] = slow
                _, alone = measure(port, one, 1)
                figures[f"{runtime}, 1 row, one client, p99 ms"] = alone
    with bare() as port:
        for name, data in (("1 row", one), ("50 rows", fifty)):
            figures[f"bare uvicorn, {name}, requests/s"], _ = measure(port, data, CONNECTIONS)
    ratios = {
        f"{runtime} over bare uvicorn, {name}": figures[f"{runtime}, {name}, requests/s"]
        / figures[f"bare uvicorn, {name}, requests/s"]
        for runtime in ("onnx", "lightgbm")
        for name in ("1 row", "50 rows")
    }
    report(
        "How many predictions a second does one endpoint process answer over loopback?",
        figures,
        ratios,
        versions_of("freehold", "uvicorn", "onnxruntime", "lightgbm"),
    )


if __name__ == "__main__":
    main()
