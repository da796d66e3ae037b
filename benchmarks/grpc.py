"""How much of a bare grpc.aio server is left with everything of an endpoint in it?

Beside it a grpc.aio server that answers a constant of the same size, on asyncio's loop and on the
one that ours has, and one that predicts and does nothing else; each in a process of its own, asked
in turns. The processor's time of the server for each request is the steadier figure: it stands also
where clients and others share the processor.
`python -m benchmarks.grpc [--json]`; needs the extras grpc, fast, lightgbm, onnx and signing, and
grpcio.
"""

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import grpc
import numpy as np
import uvloop

from benchmarks.outcome import Outcome
from benchmarks.report import versions_of
from benchmarks.serving.family import spent
from benchmarks.serving.folder import ServingFolder, model
from benchmarks.serving.questions import WIDTH
from freehold.endpoint.endpoint_process import EndpointProcess
from freehold.serving.inference_messages import SERVICE, ModelInferRequest

METHOD = f"/{SERVICE}/ModelInfer"
CONNECTIONS = 16
"""Requests under way at a time."""
SECONDS = 3.0
ROUNDS = 5
WARM_UP = 300
"""Requests before the first round."""
AIMED, LEAST = "freehold over bare, 1 row, requests/s", 0.7


class Server(NamedTuple):
    pid: int
    address: str


class Round(NamedTuple):
    """Of one server, for some seconds."""

    answers: int
    seconds: float
    """That they took together."""
    cpu: float
    """Seconds of the server's processor."""
    took: list[float]
    """Seconds that each answer took."""


def request(rows: int) -> bytes:
    """All columns as one tensor."""
    values = np.random.default_rng(1).normal(size=(rows, WIDTH))
    message = ModelInferRequest(model_name="m", raw_input_contents=[values.tobytes()])
    message.inputs.add(name="x", datatype="FP64", shape=[rows, WIDTH])
    written: bytes = message.SerializeToString()
    return written


def answer_size(address: str, body: bytes) -> int:
    with grpc.insecure_channel(address) as channel:
        return len(channel.unary_unary(METHOD)(body))


async def load(address: str, body: bytes, until: float, most: int = sys.maxsize) -> list[float]:
    """Seconds that each answer took; each of the callers asks again when it was answered."""
    took: list[float] = []

    async def ask(method: Any) -> None:
        while (started := time.perf_counter()) < until and len(took) < most:
            await method(body)
            took.append(time.perf_counter() - started)

    async with grpc.aio.insecure_channel(address) as channel:
        await asyncio.gather(*(ask(channel.unary_unary(METHOD)) for _ in range(CONNECTIONS)))
    return took


def measured(server: Server, body: bytes) -> Round:
    started, used = time.perf_counter(), spent(server.pid)
    took = uvloop.run(load(server.address, body, started + SECONDS))
    used = spent(server.pid) - used
    return Round(len(took), time.perf_counter() - started, used, took)


@contextmanager
def bare(*arguments: str) -> Iterator[Server]:
    command = [sys.executable, "-m", "benchmarks.peers.bare_grpc", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield Server(process.pid, f"127.0.0.1:{int(process.stdout.readline())}")
        finally:
            process.terminate()


def compared(
    ours: Server, text: Path, body: bytes, name: str
) -> tuple[dict[str, float], dict[str, float]]:
    """Figures and ratios. `text`: of the model."""
    size = str(answer_size(ours.address, body))
    with (
        bare("asyncio", size) as constant,
        bare("uvloop", size) as on_our_loop,
        bare("asyncio", size, str(text)) as predicting,
    ):
        servers = {
            "freehold": ours,
            "bare": constant,
            "bare on our loop": on_our_loop,
            "bare, predicting": predicting,
        }
        for server in servers.values():
            uvloop.run(load(server.address, body, time.perf_counter() + 3600, WARM_UP))
        rounds: dict[str, list[Round]] = {who: [] for who in servers}
        for number in range(ROUNDS):
            for who, server in list(servers.items())[:: -1 if number % 2 else 1]:
                rounds[who].append(measured(server, body))
    figures: dict[str, float] = {}
    rates: dict[str, float] = {}
    costs: dict[str, float] = {}
    for who, found in rounds.items():
        count = sum(one.answers for one in found)
        took = np.concatenate([one.took for one in found]) * 1000
        rates[who] = float(np.median([one.answers / one.seconds for one in found]))
        costs[who] = sum(one.cpu for one in found) / count * 1e6
        figures[f"{who}, {name}, requests/s"] = rates[who]
        figures[f"{who}, {name}, p50 ms"] = float(np.quantile(took, 0.5))
        figures[f"{who}, {name}, p99 ms"] = float(np.quantile(took, 0.99))
        figures[f"{who}, {name}, processor µs/request"] = costs[who]
    ratios: dict[str, float] = {}
    for who in ("bare", "bare on our loop", "bare, predicting"):
        ratios[f"freehold over {who}, {name}, requests/s"] = rates["freehold"] / rates[who]
        ratios[f"freehold over {who}, {name}, by processor"] = costs[who] / costs["freehold"]
    return figures, ratios


def main() -> None:
    outcome = Outcome()
    with TemporaryDirectory() as place:
        text = Path(place) / "model.txt"
        text.write_text(model())
        folder = ServingFolder(Path(place), text.read_text())
        folder.route(100.0)
        with EndpointProcess.start(folder.path, runtime="lightgbm", grpc_port=0) as endpoint:
            assert endpoint.grpc is not None
            ours = Server(endpoint.pid, endpoint.grpc)
            for name, rows in (("1 row", 1), ("64 rows", 64)):
                found, compared_with = compared(ours, text, request(rows), name)
                outcome.figures |= found
                outcome.ratios |= compared_with
    outcome.versions = versions_of("freehold", "hpack", "grpcio", "protobuf", "lightgbm")
    aimed = outcome.ratios[AIMED]
    outcome.aim(f"{AIMED} (aim: {LEAST})", aimed, lambda found: found >= LEAST)
    outcome.show(
        "How much of a bare grpc.aio server is left with everything of an endpoint in it?",
        as_json="--json" in sys.argv[1:],
    )


if __name__ == "__main__":
    main()
