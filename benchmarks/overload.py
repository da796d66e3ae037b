"""What does the highest class wait for while more is asked than can be answered?

One LightGBM model, one row. One client of the class `high` asks one request after the other while a
crowd of the class `low` asks as fast as it is answered: none, 32 at a time, half of those who may
wait, and twice as many, of whom half is told to come again.
`python -m benchmarks.overload [--json]`; needs wrk, and the extras fast, lightgbm and signing.
"""

import json
import os
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.report import report, versions_of
from benchmarks.serving.folder import ServingFolder, model
from benchmarks.serving.load import program
from benchmarks.serving.questions import body
from freehold.endpoint.endpoint_process import EndpointProcess
from freehold.serving.admission import AdmissionSettings

INFER = "/v2/models/m/infer"
WAITING = AdmissionSettings().waiting
CROWDS = (0, 32, WAITING // 2, 2 * WAITING)
SECONDS = 6
SCRIPT = """
wrk.method = "POST"
wrk.headers["content-type"] = "application/json"
wrk.headers["freehold-priority"] = os.getenv("CLASS")
local file = io.open(os.getenv("BODY"), "rb")
wrk.body = file:read("*a")
file:close()
done = function(summary, latency, requests)
  io.write(string.format('FOUND {"requests": %d, "refused": %d, "p50": %f, "p99": %f}\\n',
    summary.requests, summary.errors.status,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
"""


def asking(url: str, folder: Path, priority: str, connections: int) -> "subprocess.Popen[str]":
    command = [program(), "-t1", f"-c{connections}", f"-d{SECONDS}s", "--timeout", "30s"]
    return subprocess.Popen(
        [*command, "-s", str(folder / "post.lua"), url + INFER],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "CLASS": priority, "BODY": str(folder / "body.json")},
    )


def told(process: "subprocess.Popen[str]") -> dict[str, float]:
    """Raises RuntimeError if it says nothing."""
    said, _ = process.communicate()
    for line in said.splitlines():
        if line.startswith("FOUND "):
            found: dict[str, float] = json.loads(line.removeprefix("FOUND "))
            return found
    raise RuntimeError(f"wrk said: {said[-500:]}")


def measure(url: str, folder: Path, crowd: int, figures: dict[str, float | None]) -> float:
    """The median of the highest class in milliseconds."""
    name = f"{crowd} of the lowest class"
    low = asking(url, folder, "low", crowd) if crowd else None
    high = told(asking(url, folder, "high", 1))
    figures[f"{name}: high, p50 ms"] = high["p50"]
    figures[f"{name}: high, p99 ms"] = high["p99"]
    figures[f"{name}: high, refused"] = high["refused"]
    if low is not None:
        found = told(low)
        answered = found["requests"] - found["refused"]
        figures[f"{name}: low, answered/s"] = answered / SECONDS
        figures[f"{name}: low, p50 ms"] = found["p50"]
        figures[f"{name}: low, share told to come again"] = found["refused"] / found["requests"]
    return high["p50"]


def main() -> None:
    figures: dict[str, float | None] = {}
    medians: dict[int, float] = {}
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "body.json").write_bytes(body(1))
        (folder / "post.lua").write_text(SCRIPT)
        serving = ServingFolder(folder, model())
        serving.route(100.0, versions=(1,))
        with EndpointProcess.start(serving.path, runtime="lightgbm") as endpoint:
            for crowd in CROWDS:
                medians[crowd] = measure(endpoint.url, folder, crowd, figures)
    busy, _, crowded = CROWDS[1:]
    ratios: dict[str, float | None] = {
        f"high, p50, {crowded:,} of the lowest class over {busy}": medians[crowded] / medians[busy],
        f"high, p50, {crowded:,} of the lowest class over none": medians[crowded] / medians[0],
    }
    report(
        "What does the highest class wait for while more is asked than can be answered?",
        figures,
        ratios,
        versions_of("lightgbm", "uvloop"),
    )


if __name__ == "__main__":
    main()
