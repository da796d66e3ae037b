"""What do processes of one endpoint share, and what do requests gain that share a call of a model?

A large LightGBM model, answered by one, two and four processes, and by four after a release of
another; the same in a process of its own, with and without shared calls; and the first request of
an endpoint that sleeps.
`python -m benchmarks.sharing [--json]`; needs wrk, and the extras lightgbm, onnx and signing.
"""

import statistics
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.request import Request, urlopen

import lightgbm
import numpy as np

from benchmarks.report import report, versions_of
from benchmarks.serving.family import family, memory
from benchmarks.serving.folder import ServingFolder
from benchmarks.serving.load import load
from benchmarks.serving.questions import WIDTH, body
from freehold.endpoint.endpoint_process import EndpointProcess

INFER = "/v2/models/m/infer"
PROCESSES = (1, 2, 4)
CONNECTIONS, SECONDS, ROUNDS = 32, 3, 3
NAPS = 5
PATIENCE = 120.0
"""Seconds."""
TREES, LEAVES = 1_000, 255


def large() -> str:
    random = np.random.default_rng(0)
    matrix = random.normal(size=(50_000, WIDTH))
    labels = matrix[:, :5].sum(axis=1) + random.normal(size=len(matrix)) > 0
    settings = {"objective": "binary", "num_leaves": LEAVES, "verbose": -1, "min_data_in_leaf": 5}
    trained = lightgbm.train(settings, lightgbm.Dataset(matrix, labels), num_boost_round=TREES)
    return str(trained.model_to_string())


def ask(url: str, data: bytes) -> None:
    request = Request(url + INFER, data, {"content-type": "application/json"})
    with urlopen(request) as answer:
        answer.read()


def rate(endpoint: EndpointProcess, asked: Path) -> float:
    """Requests a second, the best of the rounds. Raises RuntimeError if one failed."""
    found = [
        load(endpoint.url + INFER, asked, endpoint.pid, CONNECTIONS, SECONDS) for _ in range(ROUNDS)
    ]
    if any(one.bad for one in found):
        raise RuntimeError("a request failed")
    return max(one.rate for one in found)


def processes(folder: ServingFolder, asked: Path, figures: dict[str, float]) -> None:
    for count in PROCESSES:
        with EndpointProcess.start(
            folder.path, runtime="lightgbm", processes=count, batch_delay=0.0
        ) as endpoint:
            for _ in range(50):
                ask(endpoint.url, asked.read_bytes())
            figures[f"{count} processes, memory MB"] = memory(endpoint.pid)
            figures[f"{count} processes, 1 row, requests/s"] = rate(endpoint, asked)
            if count == max(PROCESSES):
                released(folder, endpoint, asked.read_bytes())
                figures[f"{count} processes, after a release, memory MB"] = memory(endpoint.pid)
                folder.route(100.0, versions=(1,))


def released(folder: ServingFolder, endpoint: EndpointProcess, data: bytes) -> None:
    """Version 2 answers, and processes that came with it are all that there are."""
    before = {one for one in family(endpoint.pid) if one.pid != endpoint.pid}
    folder.route(100.0, versions=(2,))
    until = time.monotonic() + PATIENCE
    while before & set(family(endpoint.pid)):
        if time.monotonic() > until:
            raise RuntimeError("the processes before the release do not end")
        time.sleep(0.1)
    for _ in range(50):
        ask(endpoint.url, data)


def calls(folder: ServingFolder, asked: Path, figures: dict[str, float]) -> None:
    for name, delay in (("each its own call", 0.0), ("calls shared within 2 ms", 0.002)):
        with EndpointProcess.start(folder.path, runtime="isolated", batch_delay=delay) as endpoint:
            figures[f"model elsewhere, {name}, requests/s"] = rate(endpoint, asked)


def naps(folder: ServingFolder, data: bytes, figures: dict[str, float]) -> None:
    took = []
    with EndpointProcess.start(folder.path, runtime="lightgbm", sleep_after=0.5) as endpoint:
        for _ in range(NAPS):
            while len(family(endpoint.pid)) > 1:
                time.sleep(0.05)
            figures["asleep, memory MB"] = memory(endpoint.pid)
            started = time.perf_counter()
            ask(endpoint.url, data)
            took.append(time.perf_counter() - started)
    figures["asleep, first request, median s"] = statistics.median(took)


def main() -> None:
    figures: dict[str, float] = {}
    with TemporaryDirectory() as name:
        asked = Path(name) / "body.json"
        asked.write_bytes(body(1))
        folder = ServingFolder(Path(name), large())
        folder.route(100.0, versions=(1,))
        processes(folder, asked, figures)
        calls(folder, asked, figures)
        naps(folder, asked.read_bytes(), figures)
    alone = figures["1 processes, memory MB"]
    most = max(PROCESSES)
    added = (figures[f"{most} processes, memory MB"] - alone) / (most - 1)
    after = figures[f"{most} processes, after a release, memory MB"]
    ratios = {
        f"memory of {most} processes, after a release over before": after
        / figures[f"{most} processes, memory MB"],
        f"memory that each process adds, of {most}, over that of one": added / alone,
        "requests/s, calls shared over each its own": figures[
            "model elsewhere, calls shared within 2 ms, requests/s"
        ]
        / figures["model elsewhere, each its own call, requests/s"],
    }
    report(
        "What do processes of one endpoint share, and what do requests that share a call gain?",
        figures,
        ratios,
        versions_of("lightgbm", "onnxruntime"),
    )


if __name__ == "__main__":
    main()
