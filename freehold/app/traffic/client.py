"""Asks an endpoint, over the Open Inference Protocol, on one connection that is kept open."""

import http.client
import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import orjson

from freehold.domain.errors import Failed, Unreachable


class EndpointClient:
    """Not thread-safe. Every call raises Unreachable when nobody answers."""

    def __init__(self, url: str, seconds: float = 30.0) -> None:
        parts = urlsplit(url)
        self.url = url
        self._connection = http.client.HTTPConnection(
            parts.hostname or "127.0.0.1", parts.port, timeout=seconds
        )

    def ready(self) -> bool:
        status, _ = self._send("GET", "/v2/health/ready")
        return status == 200

    def routing(self) -> dict[str, Any]:
        """What is being served, and why a newer table is not."""
        return self._asked("GET", "/freehold/routing")

    def metrics(self) -> str:
        """As Prometheus reads them. Raises Failed."""
        status, data = self._send("GET", "/metrics")
        if status != 200:
            raise Failed(
                "the endpoint does not tell its metrics",
                why=f"it answered {status}",
                hint="look at what `freehold serve` printed",
                code="endpoint.refused",
            )
        return data.decode()

    def inputs(self, model: str) -> dict[str, str]:
        """Column → datatype, of all versions that are loaded."""
        told = self._asked("GET", f"/v2/models/{model}")
        return {item["name"]: item["datatype"] for item in told["inputs"]}

    def flush(self) -> int:
        """Make every answered row durable in the request log; rows written since the start."""
        return int(self._asked("POST", "/freehold/log/flush").get("rows", 0))

    def infer(
        self,
        model: str,
        tensors: Sequence[Mapping[str, Any]],
        parameters: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Raises Failed with the endpoint's own code when it refuses or fails."""
        body = {"inputs": tensors, "parameters": parameters or {}}
        return self._asked("POST", f"/v2/models/{model}/infer", orjson.dumps(body))

    def close(self) -> None:
        self._connection.close()

    def _asked(self, method: str, path: str, body: bytes | None = None) -> dict[str, Any]:
        status, data = self._send(method, path, body)
        try:
            value = json.loads(data)
        except ValueError:
            value = {}
        if status >= 400:
            raise Failed(
                f"the endpoint answered {status}: {value.get('error', '')}",
                why=value.get("because", ""),
                hint=value.get("hint", "") or "look at what `freehold serve` printed",
                code=value.get("code", "endpoint.refused"),
            )
        answer: dict[str, Any] = value
        return answer

    def _send(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        try:
            self._connection.request(
                method, path, body, {"Content-Type": "application/json"} if body else {}
            )
            response = self._connection.getresponse()
            return response.status, response.read()
        except (OSError, http.client.HTTPException) as exc:
            self._connection.close()
            raise Unreachable(
                f"no endpoint answers at {self.url}",
                why=str(exc),
                hint="start it: `freehold serve`",
                code="endpoint.unreachable",
            ) from exc
