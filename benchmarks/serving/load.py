"""Load by wrk (Debian's package of that name), and what a server took for it."""

import json
import os
import shutil
import statistics
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.serving.family import spent_together

SCRIPT = """
wrk.method = "POST"
wrk.headers["content-type"] = "application/json"
local file = io.open(os.getenv("BODY"), "rb")
wrk.body = file:read("*a")
file:close()
done = function(summary, latency, requests)
  local bad = summary.errors.status + summary.errors.connect + summary.errors.read
    + summary.errors.write + summary.errors.timeout
  io.write(string.format(
    'FOUND {"requests": %d, "us": %d, "bad": %d, "p50": %f, "p99": %f}\\n',
    summary.requests, summary.duration, bad,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
"""
PATIENCE = 10
"""Seconds after which an answer counts as failed."""


@dataclass(frozen=True)
class Found:
    rate: float
    """Requests a second."""
    p50: float
    """Milliseconds."""
    p99: float
    bad: int
    """Requests that failed."""
    cpu: float
    """Microseconds of the server's own time for one request."""


def program() -> str:
    """Raises FileNotFoundError where there is no wrk."""
    found = shutil.which("wrk")
    if found is None:
        raise FileNotFoundError("wrk: install the package of that name")
    return found


def load(url: str, body: Path, pid: int, connections: int, seconds: int) -> Found:
    """`pid`: of the server; what it has started counts with it.

    Raises FileNotFoundError where there is no wrk.
    """
    script = body.with_name("post.lua")
    script.write_text(SCRIPT)
    before = spent_together(pid)
    command = [program(), "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", f"{PATIENCE}s"]
    done = subprocess.run(
        [*command, "-s", str(script), url],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "BODY": str(body)},
    )
    return found(done.stdout, spent_together(pid) - before)


def found(said: str, spent: float) -> Found:
    """`said`: by wrk, on its standard output; `spent`: seconds of the server."""
    (line,) = [one for one in said.splitlines() if one.startswith("FOUND ")]
    told = json.loads(line.removeprefix("FOUND "))
    return Found(
        rate=told["requests"] / told["us"] * 1e6,
        p50=told["p50"],
        p99=told["p99"],
        bad=told["bad"],
        cpu=spent / max(1, told["requests"]) * 1e6,
    )


def median(rounds: Sequence[Found]) -> Found:
    """Of each figure by itself; failed requests are added up."""

    return Found(
        rate=statistics.median(one.rate for one in rounds),
        p50=statistics.median(one.p50 for one in rounds),
        p99=statistics.median(one.p99 for one in rounds),
        bad=sum(one.bad for one in rounds),
        cpu=statistics.median(one.cpu for one in rounds),
    )
