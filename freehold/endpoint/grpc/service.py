"""Methods of the service GRPCInferenceService: Open Inference Protocol, version 2.

Messages arrive as bytes and leave as bytes: what is wrong with one is then ours to say. A whole one
takes its turn among those that came by HTTP, then is scored with the table that was taken once; in
a thread where the model is elsewhere.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from importlib.metadata import version
from time import perf_counter
from typing import Any

from google.protobuf.message import DecodeError

from freehold.domain.errors import FreeholdError, Refused, RequestInvalid
from freehold.endpoint.endpoint import Endpoint
from freehold.endpoint.grpc.call import Call, Message, Method
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
        self.is_deaf = False
        """Whether what begins is sent away: the endpoint stops, and callers had time to hear it."""
        self._waiting = 0
        """Messages that wait for their turn, or to be sent away."""
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
        if call.counts and self.is_deaf:
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

    def begun(self, envelope: Any, trace: str | None, started: float) -> bytes | Awaitable[bytes]:
        """`started`: seconds of `perf_counter`."""
        found = self._endpoint.watcher.answering(envelope.model_name, envelope.model_version)
        if found[0].waits:
            return asyncio.to_thread(self._scored, envelope, *found, trace, started)
        return self._scored(envelope, *found, trace, started)

    def _scored(
        self,
        envelope: Any,
        loaded: LoadedTable,
        pinned: int | None,
        trace: str | None,
        started: float,
    ) -> bytes:
        endpoint = self._endpoint
        at = endpoint.inference.clock()
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

    def message(self, call: Call, message: Message) -> None:
        try:
            call.answer(self._service.told(self._answer(call.read(message))))
        except Exception as exc:  # noqa: BLE001 (the boundary: a bug of ours answers too)
            call.refuse(exc)

    def ended(self, call: Call) -> None:
        """It was answered by its message."""


class _Infer:
    is_stream, counts = False, True

    def __init__(self, service: InferenceService) -> None:
        self._service = service

    def message(self, call: Call, message: Message) -> None:
        self._service.enter(_Turn(self._service, call, message))

    def ended(self, call: Call) -> None:
        """It was answered by its message."""


class _Stream:
    """One request after the other; a fault of one is an answer, and the stream goes on."""

    is_stream = counts = True

    def __init__(self, service: InferenceService) -> None:
        self._service = service

    def message(self, call: Call, message: Message) -> None:
        self._service.enter(_StreamTurn(self._service, call, message))

    def ended(self, call: Call) -> None:
        call.close()


_NOTHING = Message(0, b"")


class _Turn:
    """A message that waits for its turn, and is read when it comes."""

    __slots__ = ("_message", "_service", "call", "entered", "until")

    def __init__(self, service: InferenceService, call: Call, message: Message) -> None:
        self._service, self.call, self._message = service, call, message
        self.entered = self.until = 0.0
        # Whose client has gone keeps its place, and nothing else.
        call.on_end = self._forget

    def answer(self) -> Awaitable[object] | None:
        self._service.left()
        call = self.call
        if call.ended:  # the client has gone
            return None
        if call.is_late:
            what = "the caller's deadline has passed"
            self._fault(RequestInvalid(what, code="request.deadline"))
            return None
        started = perf_counter()
        try:
            envelope = self._read()
            trace = trace_of(call.headers.get(b"traceparent"))
            found = self._service.begun(envelope, trace, started)
            if not isinstance(found, bytes):
                return self._later(found)
            self._tell(found)
        except Exception as exc:  # noqa: BLE001 (the boundary: a bug of ours answers too)
            self._fault(exc)
        return None

    async def _later(self, found: Awaitable[bytes]) -> None:
        try:
            self._tell(await found)
        except Exception as exc:  # noqa: BLE001 (as above)
            self._fault(exc)

    def let_go(self) -> bool:
        self._forget()
        self.call.let_go()
        return self._service.may_wait

    def send_away(self, error: FreeholdError) -> None:
        self._service.left()
        self._fault(error)

    def _forget(self) -> None:
        self._message = _NOTHING

    def _read(self) -> Any:
        """An Envelope; once. Raises RequestInvalid."""
        message = self._message
        self._forget()
        return read_envelope(self.call.read(message))

    def _tell(self, answer: bytes) -> None:
        self.call.answer(answer)

    def _fault(self, exc: Exception) -> None:
        self.call.refuse(exc)


class _StreamTurn(_Turn):
    __slots__ = ("_name",)

    def __init__(self, service: InferenceService, call: Call, message: Message) -> None:
        super().__init__(service, call, message)
        self._name: str | None = None
        """The request's id; None if it is not read yet."""

    def let_go(self) -> bool:
        """Who is sent away is told which request it was."""
        return self._service.may_wait

    def _read(self) -> Any:
        self._name = ""
        envelope = super()._read()
        self._name = envelope.id
        return envelope

    def _tell(self, answer: bytes) -> None:
        self.call.tell(stream_message(answer))

    def _fault(self, exc: Exception) -> None:
        if self._name is None:
            with suppress(FreeholdError):  # what is told is another fault
                self._read()
        error = self._service.counted(exc)
        self.call.tell(stream_error(error, self._service.model, self._name or ""))


def _read(message: Any, body: bytes) -> Any:
    """Raises RequestInvalid `request.malformed`."""
    try:
        return message.FromString(body)
    except DecodeError as exc:
        raise malformed(message, body) from exc
