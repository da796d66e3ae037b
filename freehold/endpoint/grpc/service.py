"""Methods of the service GRPCInferenceService: Open Inference Protocol, version 2.

Messages arrive as bytes and leave as bytes: what is wrong with one is then ours to say. A whole one
takes its turn among those that came by HTTP, then is scored with the table that was taken once; in
a thread where the model is elsewhere.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from importlib.metadata import version
from time import perf_counter
from typing import Any

from google.protobuf.message import DecodeError

from freehold.domain.errors import FreeholdError, Refused, RequestInvalid
from freehold.endpoint.endpoint import Endpoint
from freehold.endpoint.grpc.call import Call, Method
from freehold.endpoint.loading import LoadedTable
from freehold.endpoint.message import trace_of
from freehold.endpoint.refusal import as_error, status_of
from freehold.endpoint.waiting_room import WaitingRoom
from freehold.serving.admission import sent_away
from freehold.serving.inference_messages import (
    ModelMetadataRequest,
    ModelReadyRequest,
    ModelReadyResponse,
    ServerLiveResponse,
    ServerMetadataResponse,
    ServerReadyResponse,
)
from freehold.serving.message_faults import malformed
from freehold.serving.message_request import read_envelope, read_message
from freehold.serving.message_response import (
    metadata_message,
    response_message,
    stream_error,
    stream_message,
)
from freehold.serving.request import invalid

EXTENSIONS = ("model_stream_infer",)
CONCURRENT = 512
"""Calls at a time, over all connections; one more is told RESOURCE_EXHAUSTED. As many beside them
may ask about the endpoint itself."""
PATIENT = CONCURRENT // 2
"""Calls under way up to which one that is sent away may wait for it."""
_VERSION = version("freehold")
_LIVE = ServerLiveResponse(live=True).SerializeToString()
_SERVER = ServerMetadataResponse(
    name="freehold", version=_VERSION, extensions=EXTENSIONS
).SerializeToString()


class InferenceService:
    def __init__(self, endpoint: Endpoint, room: WaitingRoom) -> None:
        self._endpoint, self._room = endpoint, room
        self.limits = endpoint.settings.limits
        self._calls: set[Call] = set()
        self._beside: set[Call] = set()
        """Those about the endpoint itself."""
        self._held = 0
        """Bytes of messages before their turn, and of answers that are not taken."""
        self.hears_out = False
        """Whether what begins is answered though the endpoint stops."""
        self._waiting = 0
        """Whole messages that are not answered."""
        self.methods: Mapping[str, Method] = {
            "ServerLive": _Asked(self, lambda _: _LIVE),
            "ServerReady": _Asked(self, self._ready),
            "ModelReady": _Asked(self, self._model_ready),
            "ServerMetadata": _Asked(self, lambda _: _SERVER),
            "ModelMetadata": _Asked(self, self._metadata),
            "ModelInfer": _Infer(self),
            "ModelStreamInfer": _Stream(self),
        }
        """By name."""

    @property
    def open(self) -> int:
        """Calls begun, and not yet answered or their answer not taken."""
        return len(self._calls)

    def begin(self, call: Call) -> None:
        """Raises Refused: `endpoint.overloaded`, `endpoint.stopping`."""
        calls = self._calls if call.counts else self._beside
        if len(calls) >= CONCURRENT:
            raise sent_away(len(calls))
        if call.counts and self._endpoint.application.draining and not self.hears_out:
            raise Refused("the endpoint stops: it takes no new calls", code="endpoint.stopping")
        calls.add(call)

    def end_slow(self, before: float) -> None:
        """Calls whose message began to arrive before then, and has not yet arrived, end."""
        seconds = self.limits.body_seconds
        for call in (*self._calls, *self._beside):
            if call.is_due and call.since < before:
                call.refuse(invalid("request.slow", f"the message did not arrive in {seconds} s"))

    def end_idle(self, before: float) -> None:
        """Streams that have waited for a message since before then end."""
        for call in tuple(self._calls):
            if call.waits and call.since < before and call.is_stream:
                what = "the endpoint stops: nothing after the last answer was looked at"
                call.refuse(Refused(what, code="endpoint.stopping"))

    # What calls ask

    def hold(self, call: Call, size: int) -> None:
        self._held += size - call.held
        call.held = size

    def require_room(self) -> None:
        """Raises Refused `endpoint.overloaded`."""
        if self._held > self._endpoint.settings.admission.held_bytes:
            raise sent_away(len(self._calls))

    def later(self, piece: Callable[[], None]) -> None:
        asyncio.get_running_loop().call_soon(piece)

    def over(self, call: Call) -> None:
        self._held -= call.held
        call.held = 0
        (self._calls if call.counts else self._beside).discard(call)

    def counted(self, exc: Exception) -> FreeholdError:
        error = as_error(exc)
        self._endpoint.metrics.refused_request(error.code, status_of(error))
        return error

    # What methods do

    def enter(self, turn: "_Turn") -> None:
        """It is answered when it is its turn, or sent away."""
        self._waiting += 1
        self._room.enter(turn, turn.call.headers, turn.call.peer)

    def left(self) -> None:
        self._waiting -= 1

    @property
    def may_wait(self) -> bool:
        """Whether there is room for those that wait to be sent away."""
        return self._waiting <= PATIENT

    def told(self, answer: bytes) -> bytes:
        self._endpoint.metrics.answered(200)
        return answer

    @property
    def model(self) -> str:
        return self._endpoint.watcher.table.table.model

    def begun(self, envelope: Any, trace: str | None) -> bytes | Awaitable[bytes]:
        found = self._endpoint.watcher.answering(envelope.model_name, envelope.model_version)
        if found[0].waits:
            return asyncio.to_thread(self._scored, envelope, *found, trace)
        return self._scored(envelope, *found, trace)

    def _scored(
        self, envelope: Any, loaded: LoadedTable, pinned: int | None, trace: str | None
    ) -> bytes:
        endpoint = self._endpoint
        started, at = perf_counter(), endpoint.inference.clock()
        request = read_message(envelope, endpoint.settings.limits, lambda: loaded.order(pinned))
        predictions = endpoint.inference.answer(loaded, request, at, pinned, trace)
        answer = response_message(request, predictions)
        endpoint.metrics.seconds.observe(perf_counter() - started)
        return self.told(answer)

    def _ready(self, _: bytes) -> bytes:
        ready = ServerReadyResponse(ready=self._endpoint.is_ready)
        return bytes(ready.SerializeToString())

    def _model_ready(self, message: bytes) -> bytes:
        """A model or version that is not here is not ready; REST answers 404."""
        asked = _read(ModelReadyRequest, message)
        try:
            self._endpoint.watcher.answering(asked.name, asked.version)
            ready = True
        except FreeholdError:
            ready = False
        return bytes(ModelReadyResponse(ready=ready).SerializeToString())

    def _metadata(self, message: bytes) -> bytes:
        asked = _read(ModelMetadataRequest, message)
        loaded, pinned = self._endpoint.watcher.answering(asked.name, asked.version)
        return metadata_message(loaded.table.model, *loaded.described(pinned))


class _Asked:
    """Answered at once, whatever waits."""

    is_stream = counts = False

    def __init__(self, service: InferenceService, answer: Callable[[bytes], bytes]) -> None:
        self._service, self._answer = service, answer

    def message(self, call: Call, message: bytes) -> None:
        try:
            call.answer(self._service.told(self._answer(message)))
        except Exception as exc:  # noqa: BLE001 (the boundary: a bug of ours answers too)
            call.refuse(exc)

    def ended(self, call: Call) -> None:
        """It was answered by its message."""


class _Infer:
    is_stream, counts = False, True

    def __init__(self, service: InferenceService) -> None:
        self._service = service

    def message(self, call: Call, message: bytes) -> None:
        try:
            envelope = read_envelope(message)
        except Exception as exc:  # noqa: BLE001 (as above)
            call.refuse(exc)
            return
        self._service.enter(_Turn(self._service, call, envelope, call.answer, call.refuse))

    def ended(self, call: Call) -> None:
        """It was answered by its message."""


class _Stream:
    """One request after the other; a fault of one is an answer, and the stream goes on."""

    is_stream = counts = True

    def __init__(self, service: InferenceService) -> None:
        self._service = service

    def message(self, call: Call, message: bytes) -> None:
        service, request_id = self._service, ""

        def fault(exc: Exception) -> None:
            call.tell(stream_error(service.counted(exc), service.model, request_id))

        try:
            envelope = read_envelope(message)
        except Exception as exc:  # noqa: BLE001 (as above)
            fault(exc)
            return
        request_id = envelope.id
        answer = lambda told: call.tell(stream_message(told))  # noqa: E731
        service.enter(_Turn(service, call, envelope, answer, fault))

    def ended(self, call: Call) -> None:
        call.close()


class _Turn:
    """A message that waits for its turn."""

    __slots__ = (
        "_answer",
        "_envelope",
        "_fault",
        "_is_over",
        "_service",
        "call",
        "entered",
        "until",
    )

    def __init__(
        self,
        service: InferenceService,
        call: Call,
        envelope: Any,
        answer: Callable[[bytes], None],
        fault: Callable[[Exception], None],
    ) -> None:
        self._service, self.call, self._envelope = service, call, envelope
        self._answer, self._fault = answer, fault
        self.entered = self.until = 0.0

    def answer(self) -> Awaitable[object] | None:
        call = self.call
        if call.ended:  # the client has gone
            self._service.left()
            return None
        if call.is_late:
            self.send_away(
                RequestInvalid("the caller's deadline has passed", code="request.deadline")
            )
            return None
        envelope, self._envelope = self._envelope, None
        try:
            found = self._service.begun(envelope, trace_of(call.headers.get(b"traceparent")))
            if not isinstance(found, bytes):
                return self._later(found)
            self._answer(found)
        except Exception as exc:  # noqa: BLE001 (the boundary: a bug of ours answers too)
            self._fault(exc)
        self._service.left()
        return None

    async def _later(self, found: Awaitable[bytes]) -> None:
        try:
            self._answer(await found)
        except Exception as exc:  # noqa: BLE001 (as above)
            self._fault(exc)
        self._service.left()

    def let_go(self) -> bool:
        self._envelope = None
        return self._service.may_wait

    def send_away(self, error: FreeholdError) -> None:
        self._service.left()
        self._fault(error)


def _read(message: Any, body: bytes) -> Any:
    """Raises RequestInvalid `request.malformed`."""
    try:
        return message.FromString(body)
    except DecodeError as exc:
        raise malformed(message, body) from exc
