"""Types the commands of a document and compares what they print with what the document shows.

A document's fenced `console` blocks are one session in an empty folder: lines that begin with `$ `
are typed into bash, the lines below each are what it printed. A line of `…` stands for lines that
are left out. Numbers, digests and times may differ; words may not. A block of another language
with a path behind it, as in `python steps.py`, is a file that is written at that point. A line
`<!-- after other.md -->` says that the session begins where that of the document beside it ends,
and `<!-- installed -->` that Freehold is installed as from a wheel, and not where it is worked on.

    python -m docs.transcript --check docs/quickstart.md
    python -m docs.transcript --write docs/quickstart.md    what differs is written anew
"""

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from docs.installation import install

ROOT = Path(__file__).parents[1]
PROMPT, LEFT_OUT = "$ ", "…"
BEGIN, END = "\x1e", "\x1f"
END_OF_FILE = "END OF FILE"
PORT = "8100"
LIMIT = 900.0
"""Seconds after which a document counts as stuck."""
PERSON = "ada"
CURL = '''\
#!{python}
"""The few words of curl that the documents use, for a machine without it."""
import sys, urllib.error, urllib.request
words = [word for word in sys.argv[1:] if word not in ("-s", "-X", "POST")]
given = []
while "-H" in words:
    given.append(words.pop(words.index("-H") + 1).partition(": ")[::2])
    words.remove("-H")
data = words.pop(words.index("-d") + 1) if "-d" in words else None
if data and data.startswith("@"):
    data = open(data[1:]).read()
headers = dict(given)
url = next(word for word in words if "://" in word)
method = "POST" if data or "POST" in sys.argv else "GET"
asked = urllib.request.Request(url, data and data.encode(), headers, method=method)
try:
    answer = urllib.request.urlopen(asked)
except urllib.error.HTTPError as error:
    answer = error
sys.stdout.write(answer.read().decode())
'''


@dataclass(frozen=True)
class Typed:
    """One command of a document."""

    line: int
    """Of the document, from 0."""
    command: str
    shown: tuple[str, ...]
    """What the document says that it prints."""


@dataclass(frozen=True)
class Difference:
    typed: Typed
    missing: str
    """The first line shown that was not printed; empty if the command failed unexpectedly."""
    printed: tuple[str, ...]


INSTALLED = "<!-- installed -->"
AFTER = re.compile(r"^<!-- after (\S+) -->$", re.MULTILINE)


def before(document: Path) -> list[Typed]:
    """What has to be typed before the document's own commands."""
    return [
        typed
        for name in AFTER.findall(document.read_text())
        for typed in (*before(document.with_name(name)), *commands_of(_read(document, name)))
    ]


def _read(document: Path, beside: str) -> str:
    return document.with_name(beside).read_text()


def commands_of(text: str) -> list[Typed]:
    """Also of each file that the document has the reader write."""
    found: list[Typed] = []
    language, below, start = "", list[str](), 0
    for number, line in enumerate(text.splitlines()):
        if not line.startswith("```"):
            below.append(line)
        elif language:
            found += _typed(language, below, start)
            language = ""
        else:
            language, below, start = line.removeprefix("```").strip() or "text", [], number + 1
    return found


def _typed(language: str, lines: Sequence[str], start: int) -> list[Typed]:
    kind, _, path = language.partition(" ")
    if path:
        whole = "\n".join(lines)
        command = f"cat > {shlex.quote(path)} <<'{END_OF_FILE}'\n{whole}\n{END_OF_FILE}"
        return [Typed(start, command, ())]
    if kind != "console":
        return []
    prompts = [at for at, line in enumerate(lines) if line.startswith(PROMPT)]
    return [
        Typed(start + at, lines[at].removeprefix(PROMPT), tuple(lines[at + 1 : following]))
        for at, following in zip(prompts, [*prompts[1:], len(lines)], strict=True)
    ]


def played(
    typed: Sequence[Typed], folder: Path, *, installed: bool = False
) -> list[tuple[str, ...]]:
    """What each command prints, on both streams, typed one after the other in one shell."""
    tools = folder / "tools"
    tools.mkdir()
    work = folder / "work"
    work.mkdir()
    if shutil.which("curl") is None:
        (tools / "curl").write_text(CURL.format(python=sys.executable))
        (tools / "curl").chmod(0o755)
    examples = ROOT / "examples" / "verify_ledger.py"
    shutil.copyfile(examples, work / examples.name)
    port = _free_port()
    script = "\n".join(_line(one, at, port, tools) for at, one in enumerate(typed))
    path = os.pathsep.join((str(Path(sys.executable).parent), str(tools), os.environ["PATH"]))
    first = {"PYTHONPATH": str(install(folder / "installed"))} if installed else {}
    shell = subprocess.Popen(
        ["bash", "-c", script],
        cwd=work,
        env={
            **os.environ,
            **first,
            "PATH": path,
            "LOGNAME": PERSON,
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        said = shell.communicate(timeout=LIMIT)[0].replace(port, PORT)
    finally:
        # What a document left running, too.
        with suppress(ProcessLookupError):
            os.killpg(shell.pid, signal.SIGKILL)
    return [
        tuple(said.partition(f"{BEGIN}{at}\n")[2].partition(f"{END}{at}\n")[0].splitlines())
        for at in range(len(typed))
    ]


def _line(typed: Typed, at: int, port: str, tools: Path) -> str:
    command = re.sub(r"\bfreehold serve\b", f"freehold serve --port {PORT}", typed.command)
    command = command.replace(PORT, port)
    if command.endswith("&"):
        log = shlex.quote(str(tools / f"{at}.log"))
        # The file is there before it is looked into: what begins in the background may begin late.
        command = f": >{log}; {command.removesuffix('&')} >{log} 2>&1 &"
        if ">" not in typed.command:
            # Its words come when it is ready: wait, so that they stand where it was typed. One
            # that sends them elsewhere says none here.
            waits = f"for _ in $(seq 600); do grep -q next: {log} && break; sleep 0.1; done"
            command += f"\n{waits}; cat {log}"
    return f"printf '{BEGIN}{at}\\n'\n{command}\nprintf '{END}{at}\\n'"


def differences(typed: Sequence[Typed], printed: Sequence[tuple[str, ...]]) -> list[Difference]:
    found = []
    for one, lines in zip(typed, printed, strict=True):
        missing = first_missing(one.shown, lines)
        if missing is not None:
            found.append(Difference(one, missing, lines))
    return found


def first_missing(shown: Sequence[str], printed: Sequence[str]) -> str | None:
    """The first line that was not printed, in order; a line that was printed and is not shown,
    unless `…` stands in its place. None if they agree."""
    at, skipping = 0, False
    rest = [masked(line) for line in printed if line.strip()]
    for line in (line for line in shown if line.strip()):
        if line.strip() == LEFT_OUT:
            skipping = True
            continue
        wanted = masked(line)
        place = next((n for n in range(at, len(rest)) if rest[n] == wanted), None)
        if place is None or (place > at and not skipping):
            return line
        at, skipping = place + 1, False
    return None if skipping or at == len(rest) else rest[at]


def masked(line: str) -> str:
    """Without what differs from one time to the next."""
    line = re.sub(r"[▁▂▃▄▅▆▇█·]+", "▄", line)
    line = re.sub(r"/tmp/[^ '\"]*/work/", "", line)
    line = re.sub(r"\bsha256:[0-9a-f]+\b|\b\d{8}-\d{6}-[0-9a-f]{4}\b", "0", line)
    line = re.sub(r"\b(?=[0-9a-f]*\d)[0-9a-f]{4,}\b|[\d][\d,.:TZ-]*", "0", line)
    line = re.sub(r"-?\b0\b", "0", line)
    return " ".join(line.split())


def rewritten(text: str, found: Sequence[Difference]) -> str:
    lines = text.splitlines()
    for one in sorted(found, key=lambda each: -each.typed.line):
        start = one.typed.line + 1
        shown = [line.rstrip() for line in one.printed]
        lines[start : start + len(one.typed.shown)] = shown
    return "\n".join(lines) + "\n"


def _free_port() -> str:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return str(listener.getsockname()[1])


def main(arguments: list[str]) -> int:
    if len(arguments) < 2 or arguments[0] not in ("--check", "--write"):
        print("usage: python -m docs.transcript --check | --write FILE...", file=sys.stderr)
        return 2
    failed = False
    for name in arguments[1:]:
        text = Path(name).read_text()
        first, typed = before(Path(name)), commands_of(text)
        with TemporaryDirectory(prefix="freehold-docs-") as folder:
            whole = played([*first, *typed], Path(folder), installed=INSTALLED in text)
        printed = whole[len(first) :]
        found = differences(typed, printed)
        if arguments[0] == "--write":
            Path(name).write_text(rewritten(text, found))
            continue
        failed = failed or bool(found) or not typed
        for one in found:
            print(f"{name}:{one.typed.line + 1}: {one.typed.command}\n  differs: {one.missing}")
            print("".join(f"  printed: {line}\n" for line in one.printed))
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
