"""Each way in which a reader can be wrong is one that the law sees."""

from collections.abc import Callable
from itertools import count
from typing import Any

import pytest
from fuzzing.law import TOLD, Broken, Reading, Target, check

from freehold.domain.errors import Failed, Fault, IntegrityError, RequestInvalid


def target(read: Callable[[bytes], Reading], **more: Any) -> Target:
    return Target("a reader", read, (), **more)


def raising(error: BaseException) -> Callable[[bytes], Reading]:
    def read(_data: bytes) -> Reading:
        raise error

    return read


def refused(what: str = "no", code: str = "request.malformed", where: str = "") -> RequestInvalid:
    return RequestInvalid(what, code=code, faults=(Fault(code, "no", where),))


NUMBERS = count()
WRONG = {
    "another's exception": (raising(KeyError("x")), "KeyError is raised"),
    "no exception": (raising(SystemExit(1)), "SystemExit is raised"),
    "too deep": (raising(RecursionError()), "RecursionError is raised"),
    "a 500": (raising(Failed("ours")), "answered with 500"),
    "a 503": (raising(refused(code="runtime.busy")), "answered with 503"),
    "no text": (raising(refused(where="\ud800")), "cannot be told"),
    "nothing said": (raising(refused("")), "says nothing"),
    "an echo": (raising(refused("x" * (TOLD + 100))), "bytes tell of an error"),
    "more than was sent": (lambda data: Reading(None, len(data) + 1), "became 4 values"),
    "chance": (lambda data: Reading(next(NUMBERS)), "two things"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_seen(name: str) -> None:
    read, told = WRONG[name]
    with pytest.raises(Broken, match=told):
        check(target(read), b"abc")


def test_a_document_may_raise_what_it_names() -> None:
    read = raising(IntegrityError("altered", code="package.malformed"))
    assert not check(target(read, codes=frozenset({"package.malformed"})), b"")
    with pytest.raises(Broken, match=r"names no error package\.malformed"):
        check(target(read, codes=frozenset({"package.digest"})), b"")


def test_what_is_right_is_right() -> None:
    assert check(target(lambda data: Reading(data, len(data))), b"abc")
    assert check(target(lambda data: Reading(data, 8), size_each=4), b"ab")
    assert not check(target(raising(refused())), b"abc")
    assert not check(target(raising(refused(code="request.too-many-rows"))), b"abc")
