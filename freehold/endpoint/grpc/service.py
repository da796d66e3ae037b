"""Methods of the service GRPCInferenceService: Open Inference Protocol, version 2.

Messages arrive as bytes and leave as bytes: what is wrong with one is then ours to say. A whole one
takes its turn among those that came by HTTP, then is scored with the table that was taken once; in
a thread where the model is elsewhere.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from importlib.metadata import version
from time import monotonic, perf_counter
from typing import Any, NoReturn
from urllib.parse import unquote

import grpc
from google.protobuf.message import DecodeError

from freehold.domain.errors import FreeholdError, Refused, RequestInvalid
from freehold.endpoint.endpoint import Endpoint
from freehold.endpoint.grpc.status import status_code, trailing_metadata
from freehold.endpoint.loading import LoadedTable
from freehold.endpoint.message import trace_of
from freehold.endpoint.refusal import as_error, status_of
from freehold.endpoint.waiting_room import WaitingRoom
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
    error_text,
    metadata_message,
    response_message,
    stream_error,
    stream_message,
)
from freehold.serving.request import invalid

EXTENSIONS = ("model_stream_infer",)
CONCURRENT = 512
"""Calls at a time, over all connections; one more is told RESOURCE_EXHAUSTED."""
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
        self._arriving: dict[asyncio.Task[Any], float] = {}
        """Calls whose message is not whole yet, and since when."""
        self._reads: dict[asyncio.Task[Any], float] = {}
        """Of streams, the wait for the next message."""
        self.hears_out = False
        """Whether what begins is answered though the endpoint stops."""
        self._waiting = 0
        """Whole messages that are not answered."""
        unary, stream = grpc.stream_unary_rpc_method_handler, grpc.stream_stream_rpc_method_handler
        self.methods: Mapping[str, Any] = {
            "ServerLive": unary(self._live),
            "ServerReady": unary(self._ready),
            "ModelReady": unary(self._model_ready),
            "ServerMetadata": unary(self._server),
            "ModelMetadata": unary(self._metadata),
            "ModelInfer": unary(self._infer),
            "ModelStreamInfer": stream(self._stream),
        }
        """By name. On the wire a call with one message is a stream of one: as a stream it is ours
        to wait for the message, and to say how long."""

    @property
    def open(self) -> int:
        """Calls begun and not yet answered."""
        return len(self._arriving) + len(self._reads) + self._waiting

    def end_slow(self, before: float) -> None:
        """Calls whose message began to arrive before then, and has not yet arrived, end."""
        for task, since in list(self._arriving.items()):
            if since < before:
                del self._arriving[task]
                task.cancel()

    def end_idle(self, before: float) -> None:
        """Streams that have waited for a message since before then end."""
        for read, since in list(self._reads.items()):
            if since < before:
                read.cancel()

    async def _infer(self, _: Any, context: Any) -> bytes:
        try:
            self._begin()
            return await self._answer(read_envelope(await self._message(context)), context)
        except Exception as exc:  # noqa: BLE001 (the boundary: a bug of ours answers too)
            await self._refuse(exc, context)

    async def _stream(self, _: Any, context: Any) -> None:
        """One request after the other; a fault of one is an answer, and the stream goes on."""
        try:
            self._begin()
        except FreeholdError as exc:
            await self._refuse(exc, context)
        while True:
            try:
                body = await self._next(context)
            except FreeholdError as exc:
                await self._refuse(exc, context)
            if body is grpc.aio.EOF:
                return
            request_id = ""
            try:
                envelope = read_envelope(body)
                request_id = envelope.id
                told = stream_message(await self._answer(envelope, context))
            except Exception as exc:  # noqa: BLE001 (the boundary: a bug of ours answers too)
                error = self._counted(exc)
                told = stream_error(error, self._endpoint.watcher.table.table.model, request_id)
            await context.write(told)

    def _begin(self) -> None:
        """Raises Refused `endpoint.stopping`: what began before is answered."""
        if self._endpoint.application.draining and not self.hears_out:
            raise Refused("the endpoint stops: it takes no new calls", code="endpoint.stopping")

    async def _message(self, context: Any) -> bytes:
        """Of a call that has one. Raises RequestInvalid: `request.slow`, `request.malformed`."""
        task = asyncio.current_task()
        assert task is not None
        self._arriving[task] = monotonic()
        try:
            message = await context.read()
        except asyncio.CancelledError as exc:
            if task in self._arriving:
                raise
            task.uncancel()
            what = f"the message did not arrive in {self._endpoint.settings.limits.body_seconds} s"
            raise invalid("request.slow", what) from exc
        finally:
            self._arriving.pop(task, None)
        if message is grpc.aio.EOF:
            raise invalid("request.malformed", "there is no message")
        return bytes(message)

    async def _next(self, context: Any) -> Any:
        """The next message, or EOF. Raises Refused `endpoint.stopping`."""
        read = asyncio.ensure_future(context.read())
        self._reads[read] = monotonic()
        try:
            return await read
        except asyncio.CancelledError as exc:
            if not (read.cancelled() and self._endpoint.application.draining):
                raise
            raise Refused(
                "the endpoint stops: nothing after the last answer was looked at",
                code="endpoint.stopping",
            ) from exc
        finally:
            del self._reads[read]

    async def _answer(self, envelope: Any, context: Any) -> bytes:
        """When its turn comes. Raises FreeholdError, and whatever else goes wrong."""
        metadata = {name.encode(): _bytes(value) for name, value in context.invocation_metadata()}
        trace = trace_of(metadata.get(b"traceparent"))
        begin = partial(self._begun, envelope, trace)
        call = _Call(begin, context.time_remaining, lambda: self._waiting <= PATIENT)
        del begin, envelope  # who is sent away later keeps neither
        self._room.enter(call, metadata, _address(context.peer()))
        self._waiting += 1
        try:
            return await call.answered
        finally:
            self._waiting -= 1

    def _begun(self, envelope: Any, trace: str | None) -> bytes | Awaitable[bytes]:
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
        endpoint.metrics.answered(200)
        return answer

    async def _live(self, _: Any, __: Any) -> bytes:
        return self._told(_LIVE)

    async def _ready(self, _: Any, __: Any) -> bytes:
        ready = ServerReadyResponse(ready=self._endpoint.is_ready)
        return self._told(ready.SerializeToString())

    async def _server(self, _: Any, __: Any) -> bytes:
        return self._told(_SERVER)

    async def _model_ready(self, _: Any, context: Any) -> bytes:
        """A model or version that is not here is not ready; REST answers 404."""
        try:
            asked = _read(ModelReadyRequest, await self._message(context))
            try:
                self._endpoint.watcher.answering(asked.name, asked.version)
                ready = True
            except FreeholdError:
                ready = False
            return self._told(ModelReadyResponse(ready=ready).SerializeToString())
        except Exception as exc:  # noqa: BLE001 (the boundary: a bug of ours answers too)
            await self._refuse(exc, context)

    async def _metadata(self, _: Any, context: Any) -> bytes:
        try:
            asked = _read(ModelMetadataRequest, await self._message(context))
            loaded, pinned = self._endpoint.watcher.answering(asked.name, asked.version)
            described = loaded.described(pinned)
            return self._told(metadata_message(loaded.table.model, *described))
        except Exception as exc:  # noqa: BLE001 (the boundary: a bug of ours answers too)
            await self._refuse(exc, context)

    def _told(self, answer: bytes) -> bytes:
        self._endpoint.metrics.answered(200)
        return answer

    def _counted(self, exc: Exception) -> FreeholdError:
        error = as_error(exc)
        self._endpoint.metrics.refused_request(error.code, status_of(error))
        return error

    async def _refuse(self, exc: Exception, context: Any) -> NoReturn:
        error = self._counted(exc)
        # It raises, which is how the call ends.
        await context.abort(status_code(error), error_text(error), trailing_metadata(error))
        raise error


class _Call:
    """A message that waits for its turn."""

    def __init__(
        self,
        begin: Callable[[], bytes | Awaitable[bytes]],
        time_remaining: Callable[[], float | None],
        may_wait: Callable[[], bool],
    ) -> None:
        """`may_wait`: whether there is room for those that wait to be sent away."""
        self._begin: Callable[[], bytes | Awaitable[bytes]] | None = begin
        self._time_remaining, self._may_wait = time_remaining, may_wait
        self.entered = self.until = 0.0
        self.answered: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def answer(self) -> Awaitable[object] | None:
        if self.answered.done():  # the client has gone
            return None
        remaining = self._time_remaining()
        if remaining is not None and remaining <= 0:
            what = "the caller's deadline has passed"
            self.send_away(RequestInvalid(what, code="request.deadline"))
            return None
        assert self._begin is not None  # it was not let go
        try:
            found = self._begin()
        except Exception as exc:  # noqa: BLE001 (who awaits it tells what it was)
            self.answered.set_exception(exc)
            return None
        if isinstance(found, bytes):
            self.answered.set_result(found)
            return None
        return self._later(found)

    async def _later(self, found: Awaitable[bytes]) -> None:
        try:
            answer = await found
        except Exception as exc:  # noqa: BLE001 (as above)
            if not self.answered.done():
                self.answered.set_exception(exc)
            return
        if not self.answered.done():
            self.answered.set_result(answer)

    def let_go(self) -> bool:
        self._begin = None
        return self._may_wait()

    def send_away(self, error: FreeholdError) -> None:
        if not self.answered.done():
            self.answered.set_exception(error)


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


def _address(peer: str) -> str:
    """Of `ipv4:127.0.0.1:50210` or `ipv6:%5B::1%5D:50210`."""
    return unquote(peer.partition(":")[2].rpartition(":")[0]).strip("[]")


def _read(message: Any, body: bytes) -> Any:
    """Raises RequestInvalid `request.malformed`."""
    try:
        return message.FromString(body)
    except DecodeError as exc:
        raise malformed(message, body) from exc
