"""Load by wrk (Debian's package of that name), and what a process took for it."""

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

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
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Found:
    rate: float
    """Requests a second."""
    p50: float
    """Milliseconds."""
    p99: float
    bad: int
    cpu: float
    """Microseconds of the server's own time for one request."""


def load(url: str, body: Path, pid: int, connections: int, seconds: float) -> Found:
    """Raises FileNotFoundError where there is no wrk."""
    wrk = shutil.which("wrk")
    if wrk is None:
        raise FileNotFoundError("wrk: install the package of that name")
    script = body.with_name("post.lua")
    script.write_text(SCRIPT)
    before = spent(pid)
    done = subprocess.run(
        [wrk, "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(script), url],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "BODY": str(body)},
    )
    took = spent(pid) - before
    (line,) = [one for one in done.stdout.splitlines() if one.startswith("FOUND ")]
    found = json.loads(line.removeprefix("FOUND "))
    requests = max(1, found["requests"])
    return Found(
        rate=requests / found["us"] * 1e6,
        p50=found["p50"],
        p99=found["p99"],
        bad=found["bad"],
        cpu=took / requests * 1e6,
    )


def spent(pid: int) -> float:
    """Seconds of processor time, of all threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory(pid: int) -> float:
    """Megabytes that are its share (PSS)."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise ValueError("the kernel tells no PSS")
