"""How fast one endpoint answers with everything switched on, beside what bounds it.

Verification, routing, request log, metrics, trace context and admission are on. The bound is a bare
server on the same loop that parses the same body and predicts by the same function; it checks, logs
and counts nothing. One process each, alternated, on one machine with the load.

`python -m benchmarks.serving [--json]`; needs the extras fast, lightgbm, onnx and signing, and wrk.
"""

import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.request import Request, urlopen

from benchmarks.report import report, versions_of
from benchmarks.serving.folder import ServingFolder, body, model
from benchmarks.serving.load import Found, load, memory
from freehold.endpoint.endpoint_process import EndpointProcess

SHAPES = ((1, 32), (64, 8))
"""Rows of a request, connections."""
ROUNDS = 5
SECONDS = 3
INFER = "/v2/models/m/infer"


@dataclass(frozen=True)
class Standing:
    """A server that answers."""

    name: str
    url: str
    pid: int
    ready: float
    """Seconds from the process's start to its first answer."""


@contextmanager
def bound(root: Path) -> Iterator[Standing]:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = int(found.getsockname()[1])
    command = [sys.executable, "-m", "benchmarks.serving.limit", str(root / "model.txt"), str(port)]
    began = time.perf_counter()
    process = subprocess.Popen(command)
    try:
        while socket.socket().connect_ex(("127.0.0.1", port)):
            time.sleep(0.01)
        url = f"http://127.0.0.1:{port}/predict"
        yield Standing("limit", url, process.pid, time.perf_counter() - began)
    finally:
        process.terminate()
        process.wait()


@contextmanager
def ours(folder: ServingFolder, name: str, data: bytes) -> Iterator[Standing]:
    began = time.perf_counter()
    with EndpointProcess.start(folder.path, runtime="lightgbm") as endpoint:
        url = endpoint.url + INFER
        with urlopen(Request(url, data, {"content-type": "application/json"})) as answer:
            assert answer.status == 200
        yield Standing(name, url, endpoint.pid, time.perf_counter() - began)


def measured(servers: list[Standing], root: Path) -> dict[tuple[str, int], list[Found]]:
    """By server and rows, one after the other in each round: what disturbs one disturbs all."""
    found: dict[tuple[str, int], list[Found]] = {}
    for server in servers:
        load(server.url, root / "body-1.json", server.pid, 4, 1)
    for rows, connections in SHAPES:
        for _ in range(ROUNDS):
            for server in servers:
                path = root / f"body-{rows}.json"
                one = load(server.url, path, server.pid, connections, SECONDS)
                if one.bad:
                    raise RuntimeError(f"{server.name}: {one.bad} requests failed")
                found.setdefault((server.name, rows), []).append(one)
    return found


def main() -> None:
    # Threads of the model's library would take the load's core.
    os.environ["OMP_NUM_THREADS"] = "1"
    figures: dict[str, float | None] = {}
    ratios: dict[str, float | None] = {}
    text = model()
    with TemporaryDirectory() as place, ExitStack() as stack:
        root = Path(place)
        (root / "model.txt").write_text(text)
        for rows, _ in SHAPES:
            (root / f"body-{rows}.json").write_bytes(body(rows))
        folders = {}
        for name in ("freehold", "canary"):
            (root / name).mkdir()
            folders[name] = ServingFolder(root / name, text)
        folders["freehold"].route(100.0)
        folders["canary"].route(95.0, 5.0)
        servers = [stack.enter_context(bound(root))]
        for name, folder in folders.items():
            servers.append(stack.enter_context(ours(folder, name, body(1))))
        found = measured(servers, root)
        for server in servers:
            figures[f"{server.name}, ready after s"] = server.ready
            figures[f"{server.name}, memory MB"] = memory(server.pid)
    medians = {key: _median(runs) for key, runs in found.items()}
    for (name, rows), one in medians.items():
        what = f"{name}, {rows} row{'s'[: rows > 1]}"
        figures[f"{what}, requests/s"] = one.rate
        figures[f"{what}, p50 ms"] = one.p50
        figures[f"{what}, p99 ms"] = one.p99
        figures[f"{what}, processor us a request"] = one.cpu
    for rows, _ in SHAPES:
        limit, plain, canary = (medians[n, rows] for n in ("limit", "freehold", "canary"))
        what = f"{rows} row{'s'[: rows > 1]}"
        ratios[f"requests/s over the limit's, {what}"] = plain.rate / limit.rate
        ratios[f"p99 over the limit's, {what}"] = plain.p99 / limit.p99
        ratios[f"processor time of a canary of 5 %, {what}"] = canary.cpu / plain.cpu
    report(
        "How fast does one endpoint answer with everything switched on?",
        figures,
        ratios,
        versions_of("freehold", "uvloop", "httptools", "uvicorn", "lightgbm"),
    )


def _median(runs: list[Found]) -> Found:
    def of(name: str) -> float:
        return statistics.median(getattr(one, name) for one in runs)

    return Found(of("rate"), of("p50"), of("p99"), sum(one.bad for one in runs), of("cpu"))


if __name__ == "__main__":
    main()
