"""Prometheus, in Debian; and a double of NVIDIA's DCGM exporter, since it needs NVIDIA's driver."""

import contextlib
import json
import shutil
import subprocess
import tempfile
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Iterable, Iterator, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from .process import SECONDS_TO_START, Server, ServerFailed, executable

USE = "DCGM_FI_DEV_GPU_UTIL"
INSTALL = "on Debian or Ubuntu, as root: apt-get install --no-install-recommends prometheus"
CONFIGURATION = """\
global: {scrape_interval: 1s, scrape_timeout: 1s}
scrape_configs:
  - {job_name: dcgm, honor_labels: true, file_sd_configs: [{files: [FOLDER/targets.json]}]}
"""


class Prometheus(Server):
    name = "prometheus"

    def __init__(self, past: str = "") -> None:
        """`past`: what was scraped before it started, as OpenMetrics with moments."""
        super().__init__()
        self._past = past

    def command(self) -> Sequence[str]:
        program = executable("prometheus", INSTALL)
        file = self.folder / "prometheus.yml"
        file.write_text(CONFIGURATION.replace("FOLDER", str(self.folder)))
        data = self.folder / "data"
        if self._past and not data.exists():
            told = self.folder / "past"
            told.write_text(self._past)
            blocks = [executable("promtool", INSTALL), "tsdb", "create-blocks-from", "openmetrics"]
            subprocess.run([*blocks, told, data], check=True, capture_output=True)
        return [
            *(program, f"--config.file={file}", f"--storage.tsdb.path={data}"),
            *("--storage.tsdb.retention.time=50y", f"--web.listen-address=127.0.0.1:{self.port}"),
        ]

    def start(self) -> Self:
        """It answers before it has read what it has, and then says that it is not ready."""
        super().start()
        until = time.monotonic() + SECONDS_TO_START
        while time.monotonic() < until:
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"{self.endpoint}/-/ready", timeout=10).close()
                return self
            time.sleep(0.05)
        self.stop()
        raise ServerFailed("prometheus does not become ready")

    def scrape(self, *addresses: str) -> None:
        """From now on, hosts with ports."""
        told = json.dumps([{"targets": list(addresses)}])
        with tempfile.NamedTemporaryFile("w", dir=self.folder, delete=False) as file:
            file.write(told)
        shutil.move(file.name, self.folder / "targets.json")

    def asked(self, query: str) -> list[Any]:
        address = f"{self.endpoint}/api/v1/query?{urllib.parse.urlencode({'query': query})}"
        with urllib.request.urlopen(address, timeout=10) as answer:
            found: list[Any] = json.load(answer)["data"]["result"]
        return found

    def until_scraped(self, query: str, samples: int) -> None:
        """Until so many samples of the last minute are there. Raises ServerFailed."""
        until = time.monotonic() + SECONDS_TO_START
        while time.monotonic() < until:
            found = self.asked(f"count_over_time({query}[1m])")
            if found and all(int(one["value"][1]) >= samples for one in found):
                return
            time.sleep(0.1)
        raise ServerFailed(f"prometheus has scraped nothing of {query}")


Accelerators = Mapping[tuple[tuple[str, str], ...], float]
"""Labels of an accelerator → its use, 0 to 100."""


def accelerator(use: float, **labels: str) -> Accelerators:
    return {tuple(sorted(labels.items())): use}


def exposition(accelerators: Accelerators, moments: Iterable[int] = ()) -> Iterator[str]:
    """As DCGM's exporter writes its metrics; with moments, seconds since 1970 UTC, the past."""
    yield f"# HELP {USE} GPU utilization (in %)."
    yield f"# TYPE {USE} gauge"
    for labels, use in accelerators.items():
        named = ",".join(f'{name}="{value}"' for name, value in labels)
        for moment in (f" {one}" for one in moments) if moments else ("",):
            yield f"{USE}{{{named}}} {use:g}{moment}"


@contextlib.contextmanager
def dcgm_exporter(accelerators: Accelerators) -> Iterator[str]:
    """A double: there is no accelerator behind it. Its host and port."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            data = "\n".join((*exposition(accelerators), "")).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
