"""errors.md, from the tree of errors and every code that the product's code spells out."""

import ast
import inspect
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from docs.reference.sources import Source, assigned, callee, functions, sources, table
from freehold.domain import errors

CODE = re.compile(r"[a-z]+(-[a-z]+)*(\.[a-z0-9…]+(-[a-z0-9…]+)*)*")
MAKERS = {"Fault", "Failure", "RowCheck", "fault", "_fault", "_refuse", "_request_fault", "invalid"}
"""Functions that take a code and what happened, one after the other."""
FILES = (".db", ".json", ".jsonl", ".lgb", ".onnx", ".pub", ".sig", ".txt", ".yaml")
"""Endings of names that look like codes."""
MEANINGS = {
    "drill.no-run": "there is no finished run to compare a rebuild with",
    "log.behind": "a store knows more of the own log than the own ledger does",
    "log.forked": "a store knows another log under the own key and name",
    "contract.unknown-expectation": "no expectation of this type is evaluated here",
    "contract.unknown-key": "a key that a suite does not have",
    "request.not-finite": "a number is infinite or beyond FP64, or NaN that is not to be null",
    "endpoint.not-started": "the endpoint's process ended before it was ready",
    "endpoint.model-failed": "a model failed on rows of a request; the log's column `error` has it",
    "contract.failed": "an expectation does not hold; the words are its own",
    "loop.busy": "another process turns this model's loop; it carries out what is approved",
    "policy.limits": "limits.json cannot be read",
    "step.raised": "the step's own code raised; the words are its exception's",
}
"""Where the code leaves the words to somebody else."""
HEAD = """\
# Errors

An error says what happened, why, and what to do next:

```
error[model.not-found]: there is no flight-delay@2
  because: versions of flight-delay: 1
  hint: `freehold models` lists them
```

With `--json` the same stands on standard output as `{"error": {"code", "what", "because", "hint",
"faults"}}`. Where a file or a request has several faults, all are told at once, each with a code
of its own; the table calls these *fault*. Codes are stable: write scripts against them, not
against the words. `…` stands for what differs from case to case.

## Classes

"""


@dataclass(frozen=True)
class Told:
    code: str
    by: str
    """Class of error, or `fault`."""
    what: str


def page() -> str:
    classes = dict(_classes(errors.FreeholdError))
    rows = [
        [f"`{kind.code}`", name, str(kind.exit_code), _tree_line(name)]
        for name, kind in classes.items()
    ]
    parts = [HEAD, table(["code", "class", "exit code", "meaning"], rows), "\n\n## Codes\n"]
    families: dict[str, list[Told]] = defaultdict(list)
    for told in all_told(classes):
        families[told.code.partition(".")[0]].append(told)
    for family in sorted(families):
        found = sorted(families[family], key=lambda one: one.code)
        shown = [[f"`{one.code}`", one.by, one.what] for one in found]
        parts.append(f"\n### {family}\n\n{table(['code', 'class', 'what'], shown)}\n")
    return "".join(parts)


def all_told(classes: dict[str, type[errors.FreeholdError]]) -> list[Told]:
    """One for each code: an error rather than a fault, and one that says what."""
    best: dict[str, Told] = {}
    for source in sources():
        for told in _told(source, classes):
            known = best.get(told.code)
            if known is None or _rank(told) > _rank(known):
                best[told.code] = told
    return list(best.values())


def _rank(told: Told) -> tuple[bool, bool]:
    return bool(told.what), told.by not in ("", "fault")


def _classes(kind: type[errors.FreeholdError]) -> Iterator[tuple[str, type[errors.FreeholdError]]]:
    yield kind.__name__, kind
    for below in kind.__subclasses__():
        if below.__module__ == errors.__name__:
            yield from _classes(below)


def _tree_line(name: str) -> str:
    """The words beside a class in the tree that the module's docstring draws."""
    for line in (inspect.getdoc(errors) or "").splitlines():
        words = line.split(None, 1)
        if words[:1] == [name]:
            return re.sub(r"\s+exit \d$", "", words[1]) if len(words) > 1 else "any of these"
    return ""


def _told(source: Source, classes: dict[str, type[errors.FreeholdError]]) -> Iterator[Told]:
    inside = {id(below): body for body in functions(source.tree) for below in ast.walk(body)}
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call):
            words = Words(source.tree, inside.get(id(node)), node.lineno)
            yield from _of_call(node, words, classes)
        elif isinstance(node, ast.ClassDef) and source.path.stem != "errors":
            yield from _of_class(node, Words(source.tree, None, node.lineno), classes)
        elif isinstance(node, ast.Tuple):
            # Checks that give place, code and words, for their caller to make a fault of.
            words = Words(source.tree, inside.get(id(node)), node.lineno)
            for at, item in enumerate(node.elts[:-1]):
                if isinstance(item, ast.Constant):
                    what = words.of(node.elts[at + 1])
                    yield from (_made(code, "fault", what) for code in words.codes(item))


@dataclass(frozen=True)
class Words:
    """Reads literals at a line, and names that stand for literals."""

    module: ast.Module
    body: ast.AST | None
    line: int

    def of(self, value: ast.expr | None) -> str:
        """`…` stands for what is filled in; empty if it is not written out."""
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            return value.value
        if isinstance(value, ast.JoinedStr):
            return "".join(
                str(part.value) if isinstance(part, ast.Constant) else "…" for part in value.values
            )
        if isinstance(value, ast.IfExp):
            return self.of(value.body) or self.of(value.orelse)
        if isinstance(value, ast.Name):
            for scope in (self.body, self.module):
                given = assigned(value.id, scope, self.line) if scope is not None else None
                if given is not None and not isinstance(given, ast.Name):
                    return self.of(given)
        return ""

    def codes(self, value: ast.expr) -> Iterator[str]:
        if isinstance(value, ast.IfExp):
            yield from self.codes(value.body)
            yield from self.codes(value.orelse)
        elif isinstance(value, ast.Call) and callee(value) == "get" and len(value.args) == 2:
            # What another process said, or this when it said nothing.
            yield from self.codes(value.args[1])
        else:
            text = self.of(value)
            is_name = text.endswith(FILES) or text.startswith("freehold.cli.")
            if "." in text and CODE.fullmatch(text) and not is_name:
                yield text


def _of_call(
    call: ast.Call, words: Words, classes: dict[str, type[errors.FreeholdError]]
) -> Iterator[Told]:
    name = callee(call)
    if name not in classes and name not in MAKERS:
        return
    by = "RequestInvalid" if name == "invalid" else name if name in classes else "fault"
    for keyword in call.keywords:
        if keyword.arg == "code":
            what = words.of(call.args[0]) if call.args else ""
            yield from (_made(code, by, what) for code in words.codes(keyword.value))
    if name in MAKERS:
        for at, argument in enumerate(call.args[:2]):
            after = [words.of(one) for one in call.args[at + 1 : at + 3]]
            what = next((one for one in after if one), "")
            yield from (_made(code, by, what) for code in words.codes(argument))


def _of_class(
    node: ast.ClassDef, words: Words, classes: dict[str, type[errors.FreeholdError]]
) -> Iterator[Told]:
    """A class of error that lives beside the code that raises it."""
    by = next((ast.unparse(base) for base in node.bases if ast.unparse(base) in classes), "")
    for item in node.body if by else ():
        if isinstance(item, ast.Assign) and ast.unparse(item.targets[0]) == "code":
            yield from (_made(code, by, "") for code in words.codes(item.value))


def _made(code: str, by: str, what: str) -> Told:
    return Told(code, by, what or MEANINGS.get(code, ""))
