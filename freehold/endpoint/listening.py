"""The socket that an endpoint listens on.

Imports little: whoever waits for a first request holds it.
"""

import errno
import ipaddress
import socket

from freehold.domain.errors import Refused

HOST = "127.0.0.1"
PORT = 8100
BACKLOG = 2048
GRACE = 10
"""Seconds that requests under way have to end after SIGTERM."""


def bound(host: str, port: int, option: str = "--port") -> socket.socket:
    """`option`: what chooses the port.

    Raises Refused: `endpoint.not-loopback`, `endpoint.port-in-use`, `endpoint.port`.
    """
    address = loopback(host)
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    # Only of a socket that says so does asyncio know it is TCP, and turn Nagle's algorithm off:
    # without it each answer waits 40 ms for the client's delayed acknowledgement.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((str(address), port))
        # Not before this does another listener on the port show.
        listener.listen(BACKLOG)
    except (OSError, OverflowError) as exc:
        listener.close()
        if isinstance(exc, OSError) and exc.errno == errno.EADDRINUSE:
            raise Refused(
                f"port {port} is in use",
                why=f"another process listens on {address}:{port}",
                hint=f"stop it, or choose another port with {option}",
                code="endpoint.port-in-use",
            ) from exc
        raise Refused(
            f"{address}:{port} cannot be listened on", why=str(exc), code="endpoint.port"
        ) from exc
    return listener


def loopback(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Raises Refused `endpoint.not-loopback`."""
    try:
        address = ipaddress.ip_address(HOST if host == "localhost" else host)
    except ValueError:
        address = None
    if address is None or not address.is_loopback:
        raise Refused(
            f"the endpoint does not listen on {host}",
            why="nothing listens beyond loopback without authentication and TLS",
            hint="use 127.0.0.1, and a proxy that authenticates in front of it",
            code="endpoint.not-loopback",
        )
    return address


def url_of(listener: socket.socket) -> str:
    return f"http://{address_of(listener)}"


def address_of(listener: socket.socket) -> str:
    """`host:port`."""
    host, port = listener.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
