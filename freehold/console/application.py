"""The console's HTTP face: a bare ASGI application.

The event loop only carries bytes. Reads run in a few threads, changes in one, in the order in
which they came: two of them never meet in the middle.
"""

import asyncio
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar
from urllib.parse import parse_qs

from freehold.app.site.opening import Site
from freehold.console.access import Access, require_own_host, require_own_page
from freehold.console.answer import Answer, Send, WrongMethod, as_json, deliver, page, refusal
from freehold.console.loop import Loop, Standing
from freehold.console.opened import OpenedSite
from freehold.console.outlook import Outlook
from freehold.console.page import login_page, status_page
from freehold.console.request import (
    FORM,
    JSON,
    Asked,
    Disconnected,
    Receive,
    Scope,
    body_of,
    key_of,
    query_of,
)
from freehold.console.routes import API, find_route
from freehold.console.settings import Limits
from freehold.domain.errors import FreeholdError, StorageFailed

Tell = Callable[[str], None]
T = TypeVar("T")
READERS = 4
ASSETS = {
    "/console.css": "text/css; charset=utf-8",
    "/console.js": "text/javascript; charset=utf-8",
}


class Application:
    def __init__(
        self,
        opened: OpenedSite,
        token: str,
        loop: Loop | None,
        tell: Tell = lambda _: None,
        limits: Limits | None = None,
    ) -> None:
        """`loop`: None where another process turns it."""
        self._opened, self._loop, self._tell = opened, loop, tell
        self._limits = limits or Limits()
        self._access = Access(token, opened.site.clock)
        self._outlook = Outlook(opened)
        self._readers = ThreadPoolExecutor(READERS, "reading")
        self._changer = ThreadPoolExecutor(1, "changing")
        self._looker = ThreadPoolExecutor(1, "looking")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise ValueError(f"no scope of the type {scope['type']} is served")
        try:
            answer = await self._answer(scope, receive)
        except Disconnected:
            return
        except FreeholdError as error:
            answer = refusal(error)
        except OSError as error:
            answer = refusal(_from_system(error))
        except Exception as error:  # noqa: BLE001 - the boundary: a bug of ours answers, too
            self._tell(traceback.format_exc())
            answer = refusal(_bug(error))
        await deliver(send, answer)

    def close(self) -> None:
        """Waits for changes under way; reads may be cut off."""
        for pool in (self._readers, self._looker):
            pool.shutdown(wait=False, cancel_futures=True)
        self._changer.shutdown(wait=True, cancel_futures=True)

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        require_own_host(scope["headers"])
        path, method = scope["path"], scope["method"]
        if path in ASSETS:
            _only("GET", method)
            body = (Path(__file__).parent / "assets" / path[1:]).read_bytes()
            return Answer(200, body, ASSETS[path])
        if path == "/":
            _only("GET", method)
            return await self._page(scope)
        if path == "/login":
            _only("POST", method)
            return await self._login(scope, receive)
        if path == "/logout":
            _only("POST", method)
            require_own_page(scope["headers"])
            return _to_the_page(self._access.no_cookie())
        self._access.require_token(scope["headers"])
        if path == f"{API}/console":
            _only("GET", method)
            return as_json(self._standing().as_json())
        return await self._api(scope, receive)

    async def _api(self, scope: Scope, receive: Receive) -> Answer:
        route, place = find_route(scope["method"], scope["path"])
        query, key = query_of(scope, route.query), key_of(scope["headers"])
        body = await body_of(scope, receive, self._limits, JSON)
        asked = Asked(place, query, body, key)
        pool = self._changer if route.changes else self._readers
        return as_json(await self._in(pool, lambda site: route.handler(site, asked)))

    async def _page(self, scope: Scope) -> Answer:
        headers = scope["headers"]
        if not self._access.has_cookie(headers):
            return page(login_page(), 401)
        if self._outlook.is_due():
            self._looker.submit(self._outlook.look)
        loop, seen = self._standing(), self._outlook.seen
        return page(await self._in(self._readers, lambda site: status_page(site, loop, seen)))

    async def _login(self, scope: Scope, receive: Receive) -> Answer:
        require_own_page(scope["headers"])
        body = await body_of(scope, receive, self._limits, FORM)
        given = parse_qs(body.decode("latin-1")).get("token", [""])[0].strip()
        if not self._access.is_token(given.encode()):
            return page(login_page("This is not the console's token."), 401)
        return _to_the_page(self._access.cookie())

    async def _in(self, pool: ThreadPoolExecutor, act: Callable[[Site], T]) -> T:
        running = asyncio.get_running_loop()
        return await running.run_in_executor(pool, self._opened.use, act)

    def _standing(self) -> Standing:
        return Standing() if self._loop is None else self._loop.standing


def _only(allowed: str, method: str) -> None:
    if method != allowed:
        raise WrongMethod(method, (allowed,))


def _to_the_page(cookie: str) -> Answer:
    return Answer(303, b"", "text/plain", (("location", "/"), ("set-cookie", cookie)))


def _from_system(error: OSError) -> StorageFailed:
    return StorageFailed(
        "a file could not be read or written",
        why=str(error),
        hint="mend its permissions or its disk and ask again",
    )


def _bug(error: Exception) -> FreeholdError:
    return FreeholdError(
        "this is a fault of Freehold's, not of yours",
        why=type(error).__name__,
        hint="report it with the traceback that the console printed; what was recorded stands",
        code="freehold.bug",
    )
