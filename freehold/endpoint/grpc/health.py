"""The gRPC health protocol: `Check` and `Watch`, of the whole server (`""`) and of each service."""

import asyncio
from collections.abc import Mapping

from google.protobuf.message import DecodeError

from freehold.domain.errors import FreeholdError
from freehold.endpoint.endpoint import Endpoint
from freehold.endpoint.grpc.call import Call, Message, Method
from freehold.endpoint.grpc.status import Status
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
        self.goes = False
        """Whether watches end: this process is about to. Who watches on is told by another."""
        self.methods: Mapping[str, Method] = {"Check": _Check(self), "Watch": _Watch(self)}
        """By name."""

    def state(self, service: str) -> int:
        if service not in _SERVICES:
            return SERVICE_UNKNOWN
        return SERVING if self._endpoint.is_ready else NOT_SERVING

    @property
    def stops(self) -> bool:
        return self._endpoint.application.draining


class _Check:
    is_stream = counts = False

    def __init__(self, health: HealthService) -> None:
        self._health = health

    def message(self, call: Call, message: Message) -> None:
        service = _service(call, message)
        if service is None:
            return
        state = self._health.state(service)
        if state == SERVICE_UNKNOWN:
            call.fail(Status.NOT_FOUND, "no such service is here")
        else:
            call.answer(_told(state))

    def ended(self, call: Call) -> None:
        """It was answered by its message."""


class _Watch:
    """A state when it is asked for, and each other one once it is so."""

    is_stream = counts = False

    def __init__(self, health: HealthService) -> None:
        self._health = health

    def message(self, call: Call, message: Message) -> None:
        service = _service(call, message)
        if service is not None:
            watching = asyncio.ensure_future(self._watch(call, service))
            call.on_end = watching.cancel

    async def _watch(self, call: Call, service: str) -> None:
        before = None
        while not call.ended:
            # Before the state: the last one that is told is then that it serves no longer.
            stops = self._health.stops
            state = self._health.state(service)
            if state != before and call.unsent is None:
                call.tell(_told(state))
                before = state
            if self._health.goes or stops:
                call.on_end = None
                why = "the endpoint stops" if stops else "the process that answered ends: ask again"
                call.fail(Status.UNAVAILABLE, why)
            else:
                await asyncio.sleep(INTERVAL)

    def ended(self, call: Call) -> None:
        """It is told more until it goes."""


def _service(call: Call, message: Message) -> str | None:
    """None if the call has ended so."""
    try:
        return str(HealthCheckRequest.FromString(call.read(message)).service)
    except DecodeError:
        call.fail(Status.INVALID_ARGUMENT, "no HealthCheckRequest")
    except FreeholdError as exc:
        call.refuse(exc)
    return None


def _told(state: int) -> bytes:
    message: bytes = HealthCheckResponse(status=state).SerializeToString()
    return message
