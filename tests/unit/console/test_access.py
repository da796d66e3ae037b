"""Who is let in: by Host, by token, by cookie."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.console.access import COOKIE_SECONDS, Access, require_own_host, require_own_page
from freehold.domain.errors import RequestInvalid

TOKEN = "t" * 43
START = 1_800_000_000


class Clock:
    def __init__(self) -> None:
        self.seconds = START

    def __call__(self) -> int:
        return self.seconds * 1_000_000


def code_of(headers: list[tuple[bytes, bytes]]) -> str:
    try:
        Access(TOKEN, Clock()).require_token(headers)
    except RequestInvalid as error:
        return error.code
    return ""


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST:8200", "127.0.0.1", "127.0.0.1:8200", "127.9.9.9:1", "[::1]:8200",
     "[::1]"],
)  # fmt: skip
def test_this_machines_own_names(host: str) -> None:
    require_own_host([(b"host", host.encode())])


@pytest.mark.parametrize(
    "host",
    ["", "evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.1:8200",
     "0.0.0.0", "::1", "[::2]", "[127.0.0.1]", "[localhost]", "localhost:x", "localhost:²",
     "127.0.0.1:8200:1", "[::1", "2130706433", "127.1", "[::ffff:10.0.0.1]"],
)  # fmt: skip
def test_other_names(host: str) -> None:
    with pytest.raises(RequestInvalid) as raised:
        require_own_host([(b"host", host.encode("latin-1"))])
    assert raised.value.code == "request.host"


def test_no_name_and_two_names() -> None:
    for headers in ([], [(b"host", b"localhost"), (b"host", b"localhost")]):
        with pytest.raises(RequestInvalid):
            require_own_host(headers)


def test_a_page_of_another_origin() -> None:
    host = (b"host", b"127.0.0.1:8200")
    require_own_page([host])
    require_own_page([host, (b"origin", b"http://127.0.0.1:8200")])
    for origin in (b"null", b"http://127.0.0.1:8201", b"https://127.0.0.1:8200", b"http://evil"):
        with pytest.raises(RequestInvalid) as raised:
            require_own_page([host, (b"origin", origin)])
        assert raised.value.code == "request.origin"


@pytest.mark.parametrize("kind", ["Bearer", "bearer", "BEARER"])
def test_the_token(kind: str) -> None:
    assert code_of([(b"authorization", f"{kind} {TOKEN}".encode())]) == ""


@pytest.mark.parametrize(
    "values",
    [
        [],
        [b""],
        [b"Bearer"],
        [b"Bearer "],
        [TOKEN.encode()],
        [b"Basic " + TOKEN.encode()],
        [b"Bearer " + TOKEN[:-1].encode()],
        [b"Bearer " + TOKEN.encode() + b"t"],
        [b"Bearer \xff\xfe"],
        [b"Bearer " + TOKEN.encode(), b"Bearer " + TOKEN.encode()],
    ],
)
def test_no_token(values: list[bytes]) -> None:
    assert code_of([(b"authorization", value) for value in values]) == "request.token"


@given(text=st.binary(max_size=60))
def test_nothing_else_is_the_token(text: bytes) -> None:
    assert Access(TOKEN, Clock()).is_token(text) == (text == TOKEN.encode())


def cookie_of(access: Access) -> str:
    return access.cookie().partition(";")[0]


def has(access: Access, cookie: str) -> bool:
    return access.has_cookie([(b"cookie", cookie.encode("latin-1"))])


def test_a_cookie_opens_until_it_ends() -> None:
    clock = Clock()
    access = Access(TOKEN, clock)
    cookie = cookie_of(access)
    assert has(access, cookie) and has(access, f"other=1; {cookie}")
    # A console that is started again still knows it.
    assert has(Access(TOKEN, clock), cookie)
    clock.seconds += COOKIE_SECONDS
    assert not has(access, cookie)


def test_a_cookie_is_no_token_and_no_script_or_other_site_gets_it() -> None:
    access = Access(TOKEN, Clock())
    set_cookie = access.cookie()
    assert TOKEN not in set_cookie
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(set_cookie.split("; "))
    assert code_of([(b"cookie", cookie_of(access).encode())]) == "request.token"
    assert access.no_cookie().endswith("Max-Age=0")


def test_a_cookie_of_another_console_and_one_that_was_changed() -> None:
    access, clock = Access(TOKEN, Clock()), Clock()
    name, _, value = cookie_of(access).partition("=")
    ends, _, signed = value.partition(".")
    later = f"{name}={int(ends) + 1}.{signed}"
    other = cookie_of(Access("u" * 43, clock))
    renamed = f"{name}={other.partition('=')[2]}"
    wrong = [later, other, renamed, f"{name}=", f"{name}={ends}", f"{name}=²3.{signed}", "=", ";;"]
    wrong += [f"{name}={'9' * 5000}.{signed}", f"{name}={ends}.\xe9"]
    assert [cookie for cookie in wrong if has(access, cookie)] == []


@given(text=st.text(st.characters(max_codepoint=255), max_size=60))
def test_no_text_is_a_cookie(text: str) -> None:
    access = Access(TOKEN, Clock())
    name = cookie_of(access).partition("=")[0]
    assert not has(access, text) and not has(access, f"{name}={text}")
