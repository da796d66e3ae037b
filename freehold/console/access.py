"""Who may ask: whoever has the token, from a page or program of this machine.

The cookie that a browser gets is no token: it is derived from it, opens the page and nothing else,
and ends by itself. What changes something takes the token itself, which no browser sends unasked,
so that no other site's page can have it changed.
"""

import ipaddress
import re
from collections.abc import Callable, Sequence
from hashlib import sha256
from hmac import compare_digest
from hmac import new as mac
from http.cookies import CookieError, SimpleCookie

from freehold.domain.errors import RequestInvalid

Headers = Sequence[tuple[bytes, bytes]]
COOKIE_SECONDS = 12 * 3600
BEARER = b"bearer "
HINT = "send `Authorization: Bearer TOKEN`; the token is in keys/console.token of the site's state"


class Access:
    def __init__(self, token: str, now: Callable[[], int]) -> None:
        """`now` in microseconds since 1970 UTC."""
        self._token, self._now = token.encode(), now
        # Cookies know no ports: two consoles of one machine must not take each other's away.
        self._cookie = f"freehold-console-{sha256(b'name ' + self._token).hexdigest()[:8]}"

    def is_token(self, text: bytes) -> bool:
        return compare_digest(sha256(text).digest(), sha256(self._token).digest())

    def require_token(self, headers: Headers) -> None:
        """Raises RequestInvalid `request.token`."""
        given = _all(headers, b"authorization")
        if not given:
            raise RequestInvalid(
                "this needs the console's token",
                why="the request has no Authorization header",
                hint=HINT,
                code="request.token",
            )
        said = given[0]
        is_bearer = said[: len(BEARER)].lower() == BEARER
        if len(given) > 1 or not is_bearer or not self.is_token(said[len(BEARER) :].strip()):
            raise RequestInvalid(
                "this is not the console's token",
                why="the Authorization header has another one, or is of another kind",
                hint=HINT,
                code="request.token",
            )

    def cookie(self) -> str:
        """The value of Set-Cookie that lets a browser see the page."""
        ends = self._now() // 1_000_000 + COOKIE_SECONDS
        return (
            f"{self._cookie}={ends}.{self._signed(ends)}; HttpOnly; SameSite=Strict; Path=/;"
            f" Max-Age={COOKIE_SECONDS}"
        )

    def no_cookie(self) -> str:
        """The value of Set-Cookie that takes it back."""
        return f"{self._cookie}=; HttpOnly; SameSite=Strict; Path=/; Max-Age=0"

    def has_cookie(self, headers: Headers) -> bool:
        for line in _all(headers, b"cookie"):
            try:
                morsel = SimpleCookie(line.decode("latin-1")).get(self._cookie)
            except CookieError:
                continue
            ends, _, signed = (morsel.value if morsel else "").partition(".")
            known = ends.isascii() and ends.isdigit() and len(ends) < 19
            if (
                known
                and compare_digest(signed.encode(), self._signed(int(ends)).encode())
                and int(ends) > self._now() // 1_000_000
            ):
                return True
        return False

    def _signed(self, ends: int) -> str:
        return mac(self._token, f"page {ends}".encode(), sha256).hexdigest()


def require_own_host(headers: Headers) -> None:
    """Raises RequestInvalid `request.host`: a name that somebody made point to this machine would
    let their page talk to it (DNS rebinding)."""
    given = _all(headers, b"host")
    if len(given) != 1 or not _is_loopback(given[0].decode("latin-1")):
        raise RequestInvalid(
            "this console is not asked by that name",
            why="the Host header is not this machine's own: localhost or a loopback address",
            hint="use the address that the console told when it started",
            code="request.host",
        )


def require_own_page(headers: Headers) -> None:
    """Raises RequestInvalid `request.origin` if a page of another origin sends it."""
    host = _all(headers, b"host")[0]
    if any(origin != b"http://" + host for origin in _all(headers, b"origin")):
        raise RequestInvalid(
            "this comes from another page",
            why="the Origin header is not the console's",
            hint="log in on the console's own page",
            code="request.origin",
        )


def _all(headers: Headers, name: bytes) -> list[bytes]:
    return [value for key, value in headers if key == name]


def _is_loopback(host: str) -> bool:
    """Of a name with or without a port; an address of version 6 stands in brackets."""
    found = re.fullmatch(r"(?:\[([0-9a-fA-F:.]+)\]|([0-9a-zA-Z.-]+))(?::[0-9]{1,5})?", host)
    if found is None:
        return False
    bracketed, plain = found.groups()
    if plain is not None and plain.lower() == "localhost":
        return True
    try:
        if plain is not None:
            return ipaddress.IPv4Address(plain).is_loopback
        return ipaddress.IPv6Address(bracketed).is_loopback
    except ValueError:
        return False
