"""facts.md: each type of fact and its body, from docstrings, or from the code that records it."""

import ast
import re
from collections.abc import Iterator

from docs.reference.sources import Source, assigned, callee, functions, sources, table
from freehold.app.site.opening import PROJECTIONS
from freehold.domain.fact import ENVELOPE

LINE = re.compile(r"^\s*`?(?P<type>[a-z]+\.[a-z-]+)`?  *(?P<body>\S.*)$")
HEAD = f"""\
# Facts

What the ledger holds. Each entry is one fact in the envelope below, as canonical JSON (RFC 8785).
No fact has free text, personal data or a secret: what has is an attachment, named by a salted
digest, which can be erased while every proof stays valid. Times are microseconds since 1970 UTC;
digests are written `sha256:` and hexadecimal.

## The envelope

| member | meaning |
| --- | --- |
| `envelope` | version of this shape: {ENVELOPE} |
| `type` | `noun.verb`, as in the table below |
| `version` | of the body's shape |
| `writer` | whose log it stands in |
| `sequence` | its place there, from 0, without gaps |
| `time` | hybrid time: `wall` and `logical` |
| `seen` | heads of other writers' logs that this writer knew |
| `cause` | names (`writer/sequence`) of the facts that it follows from |
| `actor` | a pseudonym of a person, a service or the site |
| `body` | as below |

## Types

"""


def page() -> str:
    read = sources()
    told = dict(_told(read))
    recorded = dict(_recorded(read))
    types = set(recorded) | {kind for one in PROJECTIONS for kind in one.types}
    rows = [
        [f"`{kind}`", _shown(told.get(kind) or recorded.get(kind, ""))] for kind in sorted(types)
    ]
    return HEAD + table(["type", "body"], rows) + "\n"


def _shown(body: str) -> str:
    plain = body.strip().removeprefix("{").removesuffix("}")
    return f"`{plain}`" if re.fullmatch(r"[\w\s,.:{}\[\]-]+", plain) else plain


def _told(read: list[Source]) -> Iterator[tuple[str, str]]:
    """Types and bodies as docstrings give them; a body may go on over several lines."""
    for source in read:
        lines = source.docstring.splitlines()
        for at, line in enumerate(lines):
            found = LINE.match(line)
            if found is None:
                continue
            body, after = found["body"], at + 1
            while body.count("{") > body.count("}") and after < len(lines):
                body += " " + lines[after].strip()
                after += 1
            if body.startswith("{"):
                yield found["type"], body[: body.rfind("}") + 1]
            elif body.endswith(".as_json()"):
                yield found["type"], _written(read, body.partition(".")[0])
            elif "`" in line:
                yield found["type"], re.split(r"\s{2,}", body)[0]


def _recorded(read: list[Source]) -> Iterator[tuple[str, str]]:
    """Types that the code spells out, with the members of the body where it is written there."""
    for source in read:
        for body in functions(source.tree):
            for node in ast.walk(body):
                if not isinstance(node, ast.Call) or not node.args:
                    continue
                name, first = callee(node), node.args[0]
                if name not in ("Draft", "_draft", "tell"):
                    continue
                if isinstance(first, ast.Constant) and isinstance(first.value, str):
                    yield first.value, ", ".join(_members(node, name, body))


def _members(call: ast.Call, name: str, body: ast.AST) -> Iterator[str]:
    if name == "tell":
        yield "at"
        yield from (keyword.arg for keyword in call.keywords if keyword.arg)
        yield "file"
        return
    if name == "_draft":
        yield "run"
    value = call.args[1] if len(call.args) > 1 else None
    if isinstance(value, ast.Name):
        value = assigned(value.id, body, call.lineno)
    if isinstance(value, ast.Dict):
        yield from (str(key.value) for key in value.keys if isinstance(key, ast.Constant))


def _written(read: list[Source], name: str) -> str:
    """Members of the dictionary that a class's `as_json` returns."""
    for source in read:
        for node in ast.walk(source.tree):
            if isinstance(node, ast.ClassDef) and node.name == name:
                returned = next(
                    below.value
                    for body in functions(ast.Module([node], []))
                    if body.name == "as_json"
                    for below in ast.walk(body)
                    if isinstance(below, ast.Return)
                )
                assert isinstance(returned, ast.Dict)
                return ", ".join(
                    str(key.value) for key in returned.keys if isinstance(key, ast.Constant)
                )
    raise ValueError(f"there is no class {name}")
