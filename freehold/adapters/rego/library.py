"""The one place that calls regopy.

How the library is kept from failing open, or with the process:
- one interpreter for one question; it is never asked twice, since after a malformed query it
  repeats its last answer; what is compiled for many questions (`Compiled`) holds no answer;
- only queries of ours, of the form `answer := ...`, so that false is not taken for undefined;
- `Output.expressions`, `binding` and `node` are never called, since out of range they abort, nor
  is a failed output turned into text, which may end the process;
- built-in functions raise (`strict_built_in_errors`) where they would be undefined by default;
- the question goes in as the text of one JSON value, written by `json` here: set_input lets a
  quote in a text end the text, cuts it at a zero byte, and wraps integers beyond 64 bits;
- data go in as JSON without exponents (`plain`): with one, add_data loses the number and
  add_data_json may end the process;
- what is too deep or not plain JSON is refused before (`plain`), what is dangerous in a source by
  `checks`: deep nesting overflows the stack, `with` aborts the compiler;
- a time limit by a thread that is left behind: it holds no lock and no state of ours.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from freehold.adapters.rego.standard_library import load_standard_library
from freehold.adapters.rego.worker import Worker
from freehold.domain.errors import Fault

load_standard_library()

from regopy import Bundle, Interpreter, LogLevel, Output, RegoError  # noqa: E402

_ERROR = re.compile(r"\(error(?: \d+:[^|()]*\|(\d+)\|\d+)?\s+\(errormsg \d+:([^\n]*)\)\n")

FAILED = "a function was given what it does not take, or two rules contradict each other"


class Doubt(Exception):
    """No answer that can be relied on."""

    def __init__(self, rule: str, message: str) -> None:
        super().__init__(message)
        self.rule, self.message = rule, message


@dataclass(frozen=True)
class Query:
    """What is asked, and of what."""

    modules: Mapping[str, str]
    expression: str
    """Never from outside."""
    data: str = "{}"
    """As `plain.data_text` writes it."""


def ask(query: Query, input: str, seconds: float) -> Any:
    """The query's value for `input`, one JSON value. Raises Doubt when there is none, several, or
    too late."""
    return _in_time(Worker("rego"), lambda: _answer(query, input), seconds)


class Compiled:
    """One query for many inputs: each is asked of an interpreter of its own, as in `ask`. With any
    doubt, what is compiled is let go of, and the thread: a question that was too late may still be
    at work there."""

    def __init__(self, query: Query, seconds: float) -> None:
        self._query, self._seconds = query, seconds
        self._bundle: Bundle | None = None
        self._worker: Worker | None = None

    def ask(self, input: str) -> Any:
        """As `ask`."""
        try:
            if self._worker is None:
                self._worker = Worker("rego")
            if self._bundle is None:
                self._bundle = _in_time(self._worker, lambda: _built(self._query), self._seconds)
            bundle = self._bundle
            return _in_time(self._worker, lambda: _answer_of(bundle, input), self._seconds)
        except Doubt:
            self._bundle = self._worker = None
            raise


def _in_time(worker: Worker, answer: Callable[[], Any], seconds: float) -> Any:
    try:
        found = worker.ask(lambda: _attempt(answer), seconds)
    except TimeoutError:
        raise Doubt("engine/timeout", f"no answer within {seconds:g} s") from None
    if isinstance(found, Doubt):
        raise found
    return found


def syntax_faults(path: str, source: str) -> list[Fault]:
    """What the library's parser says of one module, by line."""
    try:
        _interpreter().add_module("module", source)
    except RegoError as exc:
        return _parsed(path, source, str(exc))
    return []


def compile_faults(path: str, source: str) -> list[Fault]:
    """What its compiler says. Only for what the checks found sound: on `with` it may abort."""
    interpreter = _interpreter()
    try:
        interpreter.add_module("module", source)
        if interpreter.build("answer := data.freehold").ok():
            return []
    except RegoError as exc:
        return _parsed(path, source, str(exc))
    what = "the compiler refuses it: a default defined twice, or the like"
    return [Fault("policy.syntax", what, f"{path}:1")]


def _interpreter() -> Interpreter:
    interpreter = Interpreter()
    interpreter.log_level = LogLevel.NONE
    interpreter.strict_built_in_errors = True
    return interpreter


def _given(query: Query) -> Interpreter:
    interpreter = _interpreter()
    for path, source in query.modules.items():
        interpreter.add_module(path, source)
    interpreter.add_data_json(query.data)
    return interpreter


def _attempt(answer: Callable[[], Any]) -> Any:
    try:
        return answer()
    except Doubt as doubt:
        return doubt
    except RegoError as exc:
        return Doubt("engine/error", _first_message(str(exc)))
    except Exception as exc:  # noqa: BLE001 - the boundary: whatever it was, it is a denial
        return Doubt("engine/error", f"{type(exc).__name__} in the engine")


def _answer(query: Query, input: str) -> Any:
    interpreter = _given(query)
    interpreter.set_input_term(input)
    return _answered(lambda: interpreter.query(f"answer := {query.expression}"))


def _built(query: Query) -> Bundle:
    bundle = _given(query).build(f"answer := {query.expression}")
    if not bundle.ok():
        raise Doubt("engine/error", FAILED)
    return bundle


def _answer_of(bundle: Bundle, input: str) -> Any:
    interpreter = _interpreter()
    interpreter.set_input_term(input)
    return _answered(lambda: interpreter.query_bundle(bundle))


def _answered(query: Callable[[], Output]) -> Any:
    try:
        output = query()
    except ValueError:
        why = "the engine's answer is not JSON: an unknown function, a recursion"
        raise Doubt("engine/unreadable", why) from None
    if not output.ok():
        raise Doubt("engine/error", FAILED)
    if str(output) == "undefined":
        raise Doubt("engine/undefined", "the engine came to no answer")
    return _sole(_document(str(output)))


def _sole(answer: Any) -> Any:
    if (
        not isinstance(answer, dict)
        or answer.get("expressions") != [True]
        or not isinstance(answer.get("bindings"), dict)
        or set(answer["bindings"]) != {"answer"}
    ):
        raise Doubt("engine/unreadable", "the engine did not give one answer")
    return answer["bindings"]["answer"]


def _document(text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)
    except ValueError as exc:
        raise Doubt("engine/unreadable", f"the engine's answer: {exc}") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a number")


def _first_message(text: str) -> str:
    found = _ERROR.search(text)
    return found.group(2) if found else "the engine refused it"


def _parsed(path: str, source: str, text: str) -> list[Fault]:
    """One fault a line. Positions are offsets in bytes."""
    data = source.encode()
    faults: dict[int, Fault] = {}
    for offset, message in _ERROR.findall(text):
        line = data[: int(offset or 0)].count(b"\n") + 1
        faults.setdefault(line, Fault("policy.syntax", message, f"{path}:{line}"))
    if not faults:
        return [Fault("policy.syntax", "it is not Rego", f"{path}:1")]
    return [faults[line] for line in sorted(faults)]
