"""The gRPC health protocol: `Check` and `Watch`, of the whole server (`""`) and of each service."""

import asyncio
from collections.abc import Mapping
from typing import Any

import grpc
from google.protobuf.message import DecodeError

from freehold.endpoint.endpoint import Endpoint
from freehold.serving.inference_messages import (
    HEALTH_SERVICE,
    SERVICE,
    HealthCheckRequest,
    HealthCheckResponse,
)

INTERVAL = 0.2
"""Seconds between two looks of a watch."""
SERVING, NOT_SERVING, SERVICE_UNKNOWN = 1, 2, 3
_SERVICES = ("", SERVICE, HEALTH_SERVICE)


class HealthService:
    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self.dozes = False
        """Whether watches end: the endpoint is about to sleep. Who watches on wakes it."""
        self.methods: Mapping[str, Any] = {
            "Check": grpc.unary_unary_rpc_method_handler(self._check),
            "Watch": grpc.unary_stream_rpc_method_handler(self._watch),
        }
        """By name."""

    async def _check(self, body: bytes, context: Any) -> bytes:
        state = self._state(await _service(body, context))
        if state == SERVICE_UNKNOWN:
            await context.abort(grpc.StatusCode.NOT_FOUND, "no such service is here")
        return _told(state)

    async def _watch(self, body: bytes, context: Any) -> None:
        """A state when it is asked for, and each other one once it is so."""
        name, before = await _service(body, context), None
        while True:
            # Before the state: the last one that is told is then that it serves no longer.
            stops = self._endpoint.application.draining
            state = self._state(name)
            if state != before:
                await context.write(_told(state))
                before = state
            if self.dozes:
                await context.abort(grpc.StatusCode.UNAVAILABLE, "the endpoint goes to sleep")
            if stops:
                await context.abort(grpc.StatusCode.UNAVAILABLE, "the endpoint stops")
            await asyncio.sleep(INTERVAL)

    def _state(self, service: str) -> int:
        if service not in _SERVICES:
            return SERVICE_UNKNOWN
        return SERVING if self._endpoint.is_ready else NOT_SERVING


async def _service(body: bytes, context: Any) -> str:
    try:
        return str(HealthCheckRequest.FromString(body).service)
    except DecodeError:
        await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "no HealthCheckRequest")
        raise


def _told(state: int) -> bytes:
    message: bytes = HealthCheckResponse(status=state).SerializeToString()
    return message
