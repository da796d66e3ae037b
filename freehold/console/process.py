"""Runs a console until it is told to stop."""

import errno
import ipaddress
import signal
import socket
from collections.abc import Callable
from types import FrameType

import uvicorn

from freehold.app.site.opening import Site
from freehold.console.application import Application
from freehold.console.loop import Loop
from freehold.console.opened import OpenedSite
from freehold.console.settings import HOST, ConsoleSettings
from freehold.console.token import token_of
from freehold.domain.errors import Refused

BACKLOG = 128
KEEP_ALIVE = 60
GRACE = 10
"""Seconds that requests, and then a turn of the loop, have to end after SIGTERM."""
Tell = Callable[[str], None]


def serve(
    open_site: Callable[[], Site],
    settings: ConsoleSettings,
    on_ready: Callable[[str, Site], None] = lambda _url, _site: None,
    tell: Tell = lambda _: None,
) -> None:
    """Answers, and turns the loop, until SIGTERM or SIGINT. For the main thread.

    `on_ready` gets the URL and the site when it listens. Raises Refused `console.not-loopback`,
    `console.port-in-use`, `console.port`; what opening the site and reading its token raise.
    """
    with bound(settings.host, settings.port) as listener:
        opened = OpenedSite(open_site)
        token = token_of(opened.site.folder)
        loop = Loop(opened, tell, settings.every) if settings.turns_loop else None
        application = Application(opened, token, loop, tell, settings.limits)
        server = _server(application)

        def stop(_signal: int, _frame: FrameType | None) -> None:
            server.should_exit = True

        # uvicorn raises what it caught once more when it has ended: what is left to do then needs
        # handlers below its own.
        before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
        ended = True
        try:
            on_ready(_url(listener), opened.site)
            if loop is not None:
                loop.start()
            server.run(sockets=[listener])
        finally:
            application.close()
            if loop is not None:
                ended = loop.stop(GRACE)
            if ended:
                opened.close()
            else:
                # The process's end cuts it off; closing the ledger under it would be no gentler.
                tell("a turn of the loop was cut off; the next one goes on with it")
            for number, handler in before.items():
                signal.signal(number, handler)


def bound(host: str, port: int) -> socket.socket:
    """Raises Refused: `console.not-loopback`, `console.port-in-use`, `console.port`."""
    address = _loopback(host)
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((str(address), port))
        listener.listen(BACKLOG)
    except (OSError, OverflowError) as exc:
        listener.close()
        if isinstance(exc, OSError) and exc.errno == errno.EADDRINUSE:
            raise Refused(
                f"port {port} is in use",
                why=f"another process listens on {address}:{port}",
                hint="stop it, or choose another port with --port",
                code="console.port-in-use",
            ) from exc
        raise Refused(
            f"{address}:{port} cannot be listened on",
            why=str(exc),
            hint="choose another port with --port",
            code="console.port",
        ) from exc
    return listener


def _loopback(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    try:
        address = ipaddress.ip_address(HOST if host == "localhost" else host)
    except ValueError:
        address = None
    if address is None or not address.is_loopback:
        raise Refused(
            f"the console does not listen on {host}",
            why="nothing listens beyond loopback without TLS, and the console has none yet",
            hint="use 127.0.0.1, and `ssh -L 8200:127.0.0.1:8200` from another machine",
            code="console.not-loopback",
        )
    return address


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _server(application: Application) -> uvicorn.Server:
    return uvicorn.Server(
        uvicorn.Config(
            application,
            loop="asyncio",
            http="httptools",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            backlog=BACKLOG,
            timeout_keep_alive=KEEP_ALIVE,
            timeout_graceful_shutdown=GRACE,
        )
    )
