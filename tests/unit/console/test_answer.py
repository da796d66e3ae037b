"""Errors become statuses by their place in the tree."""

from collections.abc import Iterator

import pytest

from freehold.console.answer import BY_CODE, WrongMethod, refusal, status_of
from freehold.domain import errors
from freehold.domain.errors import FreeholdError


def tree(kind: type[FreeholdError]) -> Iterator[type[FreeholdError]]:
    yield kind
    for below in kind.__subclasses__():
        if below.__module__ == errors.__name__:
            yield from tree(below)


EXPECTED = {
    "FreeholdError": 500,
    "Refused": 422,
    "ProjectInvalid": 422,
    "PipelineInvalid": 422,
    "ContractFailed": 422,
    "PolicyDenied": 403,
    "NotFound": 404,
    "Conflict": 409,
    "RequestInvalid": 400,
    "Failed": 500,
    "StepFailed": 500,
    "IntegrityError": 500,
    "StorageFailed": 500,
    "AdapterFailed": 500,
    "AdapterMissing": 500,
    "NotSupported": 501,
    "WrongUsage": 400,
    "Unreachable": 503,
}


def test_classes_have_their_status() -> None:
    statuses = {kind.__name__: status_of(kind("it")) for kind in tree(FreeholdError)}
    assert {name: statuses[name] for name in EXPECTED} == EXPECTED


@pytest.mark.parametrize("kind", list(tree(FreeholdError)), ids=lambda kind: kind.__name__)
def test_what_was_refused_is_a_4xx_and_what_failed_a_5xx(kind: type[FreeholdError]) -> None:
    """Of every class of the tree, also those that come later."""
    is_refusal = issubclass(kind, errors.Refused | errors.WrongUsage)
    assert status_of(kind("it")) // 100 == (4 if is_refusal else 5)


@pytest.mark.parametrize("code", BY_CODE)
def test_some_codes_say_more_than_their_class(code: str) -> None:
    error = errors.Refused("it", code=code)
    assert status_of(error) == BY_CODE[code] != EXPECTED["Refused"]


def test_an_answer_has_the_fields_of_json_errors() -> None:
    error = errors.NotFound("what", why="why", hint="hint", code="model.not-found")
    answer = refusal(error)
    assert answer.status == 404
    assert answer.body.decode() == (
        '{"error": {"code": "model.not-found", "what": "what", "because": "why",'
        ' "hint": "hint", "faults": []}}'
    )


def test_what_a_status_has_to_be_sent_with() -> None:
    assert ("allow", "GET, POST") in refusal(WrongMethod("PUT", ("GET", "POST"))).headers
    token = errors.RequestInvalid("it", code="request.token")
    assert "www-authenticate" in dict(refusal(token).headers)
    slow = errors.RequestInvalid("it", code="request.slow")
    assert ("connection", "close") in refusal(slow).headers
