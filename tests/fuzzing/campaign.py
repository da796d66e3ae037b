"""Runs of one target: inputs made from inputs that reached something new, by atheris.

A run ends the process: with
0 when its inputs are through, else with 1, when the input that broke a law stands in a file.
"""

import os
import sys
import traceback
from collections.abc import Callable, Iterable
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any, NoReturn

from .law import Broken, Target, check

LONGEST = 4096
"""Bytes of an input."""
MEGABYTES = 2048
"""Of memory, beyond which a run ends as one that has found something."""


def run(name: str, target: Target, *, runs: int, seed: int, corpus: Path, found: Path) -> NoReturn:
    """`runs`: how many inputs, -1 for as many as come until it is stopped. `corpus`: inputs of
    earlier runs, to which those are added that reached something new. `found`: where an input is
    put that breaks a law."""
    corpus.mkdir(parents=True, exist_ok=True)
    found.mkdir(parents=True, exist_ok=True)
    for data in target.seeds:
        (corpus / sha256(data).hexdigest()).write_bytes(data)
    words = corpus.with_name(corpus.name + ".words")
    words.write_text("".join(f'"{_escaped(word)}"\n' for word in target.words))
    import atheris

    counted = Counted(name, target, found)
    arguments = [
        *(f"-runs={runs}", f"-seed={seed}", f"-max_len={LONGEST}", f"-rss_limit_mb={MEGABYTES}"),
        # An empty one is an error to libFuzzer.
        *([f"-dict={words}"] if target.words else []),
        *(f"-artifact_prefix={found}/{name}-", str(corpus)),
    ]
    ways: dict[str, Any] = {}
    if target.change is not None:
        ways["custom_mutator"] = mutator(target.change)
    atheris.Setup([sys.argv[0], *arguments], counted, enable_python_coverage=True, **ways)
    atheris.Fuzz()
    raise SystemExit(0)


def mutator(change: Callable[[bytes, Random], bytes]) -> Callable[[bytes, int, int], bytes]:
    """As the fuzzer calls it: three times of four by the target's own way, where that can be."""
    import atheris

    def mutated(data: bytes, longest: int, seed: int) -> bytes:
        chance = Random(seed)
        if chance.random() < 0.75:
            try:
                made = change(data, chance)
            except (ValueError, RecursionError):
                return bytes(atheris.Mutate(data, longest))
            return made if len(made) <= longest else data
        return bytes(atheris.Mutate(data, longest))

    return mutated


class Counted:
    """What is called with each input."""

    def __init__(self, name: str, target: Target, found: Path) -> None:
        self.name, self.target, self.found = name, target, found

    def __call__(self, data: bytes) -> None:
        try:
            check(self.target, data)
        except Broken:
            path = self.found / f"{self.name}-{sha256(data).hexdigest()[:16]}"
            path.write_bytes(data)
            tell(self.name, data, path)
            # An exception would end in libFuzzer's words, with a file of its own.
            os._exit(1)


def tell(name: str, data: bytes, path: Path) -> None:
    """Of the exception that is being handled."""
    traceback.print_exc()
    print(f"found: {data!r}", file=sys.stderr)
    print(f"replay: python -m tests.fuzzing {name} --replay {path}", file=sys.stderr, flush=True)


def replay(name: str, target: Target, paths: Iterable[Path], say: Callable[[str], None]) -> int:
    """How many of the inputs break a law."""
    broken = 0
    for path in paths:
        data = path.read_bytes()
        try:
            taken = check(target, data)
        except Broken:
            broken += 1
            tell(name, data, path)
        else:
            say(f"{path}: {'taken' if taken else 'refused'}, as it should be")
    return broken


def _escaped(word: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word)
