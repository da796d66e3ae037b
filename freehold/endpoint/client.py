"""A client of the sites' endpoints that needs no gateway: it does in this process what one does.

with freehold.Client({"berlin": "http://10.0.0.1:8100", "dublin": "http://…"}) as client:
    client.predict("abandon", [{"items": 1, "minutes": 31.5, "device": "phone"}])
"""

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from threading import Thread
from typing import Any, TypeVar
from urllib.parse import quote

import orjson

from freehold.domain.errors import Failed
from freehold.domain.project import SiteSpec, StoreSpec
from freehold.endpoint.gateway.relay import Relay, RelaySettings

T = TypeVar("T")
_JSON = {b"content-type": b"application/json"}


class Client:
    """May be used from many threads. Sites are looked after in a thread of its own, until it is
    closed."""

    def __init__(
        self,
        sites: Mapping[str, str | SiteSpec],
        *,
        labels: Mapping[str, str] | None = None,
        seconds: float = 10.0,
    ) -> None:
        """`sites`: where each endpoint answers, or the site of freehold.yaml. `labels`: of what is
        sent, such as `{"residency": "EU"}`: no site is asked that may not have it. `seconds`: that
        a request may take.

        Raises Refused `gateway.no-sites`, ProjectInvalid `gateway.address`.
        """
        self._labels = dict(labels or {})
        self._relay = Relay(
            {name: _site(one) for name, one in sites.items()}, RelaySettings(seconds=seconds)
        )
        self._loop = asyncio.new_event_loop()
        self._looking = self._loop.create_task(self._relay.keep_looking())
        self._thread = Thread(target=self._run, name="freehold client", daemon=True)
        self._thread.start()

    def predict(self, model: str, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """`score`, `version` and `prediction_id` of each row, in order. Raises as `ask`."""
        body = orjson.dumps(list(rows))
        answers: list[dict[str, Any]] = self._asked(f"/v1/models/{quote(model)}/predict", body)
        return answers

    def infer(self, model: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """A request of the Open Inference Protocol, version 2, and its answer. Raises as `ask`."""
        path = f"/v2/models/{quote(model)}/infer"
        answer: dict[str, Any] = self._asked(path, orjson.dumps(request))
        return answer

    def _asked(self, path: str, body: bytes) -> Any:
        """Raises Failed with the endpoint's own code where it refused; Refused `gateway.barred`;
        Failed `gateway.late`; Unreachable `gateway.no-answer`."""
        asking = self._relay.ask("POST", path, _JSON, body, labels=self._labels)
        told, site = self._done(asking)
        if told.status == 200:
            return orjson.loads(told.body)
        try:
            said = orjson.loads(told.body)
            what, code, why = said["error"], said["code"], said.get("because", "")
        except (orjson.JSONDecodeError, KeyError, TypeError) as exc:
            raise Failed(
                f"what the endpoint of {site} answered is not to be understood",
                why=f"status {told.status}: {told.body!r:.200}",
                hint="see what else answers at that address",
                code="gateway.answer",
            ) from exc
        raise Failed(what, why=why or f"so said the endpoint of {site}", code=code)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._looking.cancel)
        self._thread.join()
        self._loop.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _done(self, asking: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(asking, self._loop).result()

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._looking)
        except asyncio.CancelledError:
            self._relay.close()
            self._loop.run_until_complete(_end_others())


async def _end_others() -> None:
    """A connection that is closed has ended only after another turn of the loop."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for one in others:
        one.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await asyncio.sleep(0)


def _site(one: str | SiteSpec) -> SiteSpec:
    return one if isinstance(one, SiteSpec) else SiteSpec(store=StoreSpec(at=""), endpoint=one)
