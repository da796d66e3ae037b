"""Reading a Great Expectations suite: the keys of 1.x, and the older names for two of them."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from freehold.catalog.contracts.source import Path, Source, pointer
from freehold.catalog.contracts.vocabulary import KINDS
from freehold.domain.contract import Contract, Expectation, Severity
from freehold.domain.errors import Fault, ProjectInvalid

_SUITE_NAMES = ("name", "expectation_suite_name")
_TYPE_NAMES = ("type", "expectation_type")
_SUITE_KEYS = frozenset(
    {*_SUITE_NAMES, "expectations", "meta", "notes", "id", "ge_cloud_id", "data_asset_type"}
)
_PARAMETERS = frozenset({"suite_parameters", "evaluation_parameters"})
_EXPECTATION_KEYS = frozenset(
    {*_TYPE_NAMES, "kwargs", "meta", "notes", "severity", "id", "ge_cloud_id"}
    | {"description", "rendered_content", "expectation_context"}
)

Found = Iterator[tuple[Path, str, str]]
"""Path in the document, code, what is wrong."""


def parse(text: bytes | str, where: str) -> Contract:
    """The contract in a suite's JSON; `where` is the file's name for messages.

    Raises ProjectInvalid (`contract.invalid`) with every fault of the file at once: each has the
    line, the path in the document, and one of the codes not-json, key-twice, unknown-key,
    missing-key, wrong-value, unknown-expectation, unknown-argument, missing-argument, no-bound,
    row-condition, parameters, empty, all of the family `contract`.
    """
    source = Source(text, where)
    faults = [
        Fault(code, f"{pointer(path)}: {what}", source.place(path))
        for path, code, what in _problems(source.value)
    ]
    if faults:
        raise ProjectInvalid(
            f"the contract {where} is not valid",
            code="contract.invalid",
            faults=faults,
            hint=_hint(faults),
        )
    return _contract(source)


def _hint(faults: list[Fault]) -> str:
    if any(fault.code == "contract.unknown-expectation" for fault in faults):
        return "expectations that are evaluated: " + ", ".join(KINDS)
    return "nothing in a contract is ignored: correct or remove what is listed"


def _problems(suite: Any) -> Found:
    if not isinstance(suite, dict):
        yield (), "contract.wrong-value", "must be an object with 'name' and 'expectations'"
        return
    for key, value in suite.items():
        if key in _PARAMETERS:
            if value:
                yield (key,), "contract.parameters", "parameters are not filled in: write the value"
        elif key not in _SUITE_KEYS:
            yield (key,), "contract.unknown-key", _unknown(key, _SUITE_KEYS)
    yield from _one_text((), suite, _SUITE_NAMES)
    yield from _is_object((), suite, "meta")
    expectations = suite.get("expectations")
    if not isinstance(expectations, list):
        code = "contract.wrong-value" if "expectations" in suite else "contract.missing-key"
        yield ("expectations",), code, "must be a list of expectations"
        return
    if not expectations:
        yield ("expectations",), "contract.empty", "a contract without expectations cannot fail"
    for index, item in enumerate(expectations):
        yield from _expectation_problems(("expectations", index), item)


def _expectation_problems(path: Path, item: Any) -> Found:
    if not isinstance(item, dict):
        yield path, "contract.wrong-value", "must be an object with 'type' and 'kwargs'"
        return
    for key in item.keys() - _EXPECTATION_KEYS:
        yield (*path, key), "contract.unknown-key", _unknown(key, _EXPECTATION_KEYS)
    yield from _one_text(path, item, _TYPE_NAMES)
    yield from _is_object(path, item, "meta")
    severity = item.get("severity")
    if severity is not None and severity not in list(Severity):
        wish = f"must be one of {', '.join(Severity)}"
        yield (*path, "severity"), "contract.wrong-value", wish
    kind = _first(item, _TYPE_NAMES)
    if isinstance(kind, str) and kind and kind not in KINDS:
        key = _TYPE_NAMES[0] if _TYPE_NAMES[0] in item else _TYPE_NAMES[1]
        yield (*path, key), "contract.unknown-expectation", _unknown(kind, KINDS)
    kwargs = item.get("kwargs")
    if not isinstance(kwargs, dict):
        code = "contract.wrong-value" if "kwargs" in item else "contract.missing-key"
        yield (*path, "kwargs"), code, "must be an object with the expectation's arguments"
    elif isinstance(kind, str) and kind in KINDS:
        for below, code, what in KINDS[kind].problems(kwargs):
            yield (*path, "kwargs", *below), code, what


def _one_text(path: Path, holder: Mapping[str, Any], names: tuple[str, str]) -> Found:
    present = [name for name in names if name in holder]
    if not present:
        yield path, "contract.missing-key", f"needs {names[0]!r}"
    elif len(present) > 1:
        yield (*path, names[1]), "contract.key-twice", f"is the older name of {names[0]!r}"
    elif not isinstance(holder[present[0]], str) or not holder[present[0]]:
        yield (*path, present[0]), "contract.wrong-value", "must be a text that is not empty"


def _is_object(path: Path, holder: Mapping[str, Any], key: str) -> Found:
    if not isinstance(holder.get(key), dict | None):
        yield (*path, key), "contract.wrong-value", "must be an object"


def _unknown(name: str, known: Any) -> str:
    near = get_close_matches(name, sorted(known), n=1)
    return f"unknown; did you mean {near[0]!r}?" if near else "unknown"


def _first(holder: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    return next((holder[name] for name in names if name in holder), None)


def _contract(source: Source) -> Contract:
    suite = source.value
    return Contract(
        name=_first(suite, _SUITE_NAMES),
        expectations=tuple(
            Expectation(
                type=_first(item, _TYPE_NAMES),
                kwargs={k: v for k, v in item["kwargs"].items() if v is not None},
                severity=Severity(item.get("severity") or Severity.CRITICAL),
                meta=item.get("meta") or {},
                notes=item.get("notes"),
                where=source.place(("expectations", index)),
            )
            for index, item in enumerate(suite["expectations"])
        ),
        meta=suite.get("meta") or {},
        where=source.where,
    )
