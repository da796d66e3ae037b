"""An endpoint in a process of its own."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from freehold.domain.errors import Failed
from freehold.endpoint.batching import DELAY
from freehold.endpoint.limits import options_of
from freehold.endpoint.listening import GRACE, HOST
from freehold.endpoint.settings import RUNTIME, EndpointSettings
from freehold.serving.response import Identity


class EndpointProcess:
    """`python -m freehold.endpoint`, and whatever processes that starts.

    It stops as on SIGTERM when this process ends, in whatever way: then the pipe that is its
    standard input has no other end.
    """

    def __init__(
        self,
        process: "subprocess.Popen[str]",
        url: str,
        identity: Identity,
        grpc: str | None = None,
    ) -> None:
        self._process, self.url, self.identity = process, url, identity
        self.grpc = grpc
        """`host:port`, if it was asked for."""

    @classmethod
    def start(
        cls,
        folder: Path,
        host: str = HOST,
        port: int = 0,
        runtime: str = RUNTIME,
        grpc_port: int | None = None,
        processes: int = 1,
        sleep_after: float = 0.0,
        batch_delay: float = DELAY,
    ) -> "EndpointProcess":
        """As `begin`, with the usual limits."""
        settings = EndpointSettings(folder, host, port, runtime, grpc_port, processes, batch_delay)
        return cls.begin(settings, sleep_after)

    @classmethod
    def begin(cls, settings: EndpointSettings, sleep_after: float = 0.0) -> "EndpointProcess":
        """Returns when it answers. `sleep_after`: seconds without a request to score after which it
        ends, to be started by the next one; 0: never.

        Raises Failed with the code and the reason if it does not answer.
        """
        command = [sys.executable, "-m", "freehold.endpoint", str(settings.folder)]
        command += ["--host", settings.host, "--port", str(settings.port)]
        command += ["--runtime", settings.runtime, "--processes", str(settings.processes)]
        command += ["--sleep-after", str(sleep_after), "--batch-delay", str(settings.batch_delay)]
        if settings.grpc_port is not None:
            command += ["--grpc-port", str(settings.grpc_port)]
        command += [*options_of(settings.set_limits), "--until-stdin-ends"]
        pipe = subprocess.PIPE
        process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)
        assert process.stdout is not None
        line = process.stdout.readline()
        said = json.loads(line) if line.startswith("{") else {}
        if "url" in said:
            return cls(
                process, said["url"], Identity(said["key"], said["folder"]), said.get("grpc")
            )
        process.wait()
        _close_pipes(process)
        raise not_started(said, f"its process ended with {process.returncode}")

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def stop(self) -> None:
        """Ends what is under way, writes the log. Raises Failed `endpoint.not-stopped`."""
        self._process.terminate()
        try:
            code = self._process.wait(timeout=3 * GRACE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        finally:
            _close_pipes(self._process)
        if code != 0:
            raise Failed(
                "the endpoint did not stop as it should",
                why=f"its process ended with {code}; rows of its log may be lost",
                code="endpoint.not-stopped",
            )

    def __enter__(self) -> "EndpointProcess":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def not_started(said: Mapping[str, Any], why: str) -> Failed:
    """`said`: by the process, an error as JSON if it could. `why`: where it said nothing."""
    error = said.get("error", {})
    return Failed(
        error.get("what", "the endpoint did not start"),
        why=error.get("because", why),
        hint=error.get("hint", ""),
        code=error.get("code", "endpoint.not-started"),
    )


def _close_pipes(process: "subprocess.Popen[str]") -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
