"""The key under which a step's outputs are found again. `tests/golden/cache_key.json` shows a
change.

A key is the digest of five components, each a digest: the step's address, its inputs, its
parameters, the environment's lock, and the code that it reaches. Components are kept beside the
key, so that two keys of one step can be told apart by what changed.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from freehold.domain.artifact import Artifact
from freehold.domain.canonical import digest_of
from freehold.domain.json_value import plain

VERSION = 1
COMPONENTS = ("code", "environment", "inputs", "parameters", "step")


@dataclass(frozen=True)
class CacheKey:
    digest: str
    components: Mapping[str, str]
    """Digest by name, as in COMPONENTS."""


def cache_key(step: str, arguments: Mapping[str, Any], *, environment: str, code: str) -> CacheKey:
    """`arguments` by parameter: Artifacts, values, or lists and dictionaries of them.

    `environment` is the digest of the lock file, or any text that names what is installed.
    """
    inputs, parameters = [], []
    for path, leaf in leaves(arguments):
        if isinstance(leaf, Artifact):
            inputs.append([list(path), leaf.format, leaf.digest])
        else:
            parameters.append([list(path), plain(leaf)])
    components = {
        "code": code,
        "environment": digest_of_environment(environment),
        "inputs": _digest(inputs),
        "parameters": _digest(parameters),
        "step": _digest(step),
    }
    return CacheKey(digest_of({"components": components, "version": VERSION}), components)


def digest_of_environment(environment: str) -> str:
    """The key's component."""
    return _digest(environment)


def leaves(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[Any, Any]]:
    """What a tree of arguments holds, with its place; keys sorted, empty containers kept."""
    if isinstance(value, Mapping) and value:
        for key in sorted(value):
            yield from leaves(value[key], (*path, key))
    elif isinstance(value, list | tuple) and value:
        for index, item in enumerate(value):
            yield from leaves(item, (*path, index))
    elif path or not isinstance(value, Mapping):
        yield path, value


def _digest(value: Any) -> str:
    """Not canonical JSON: 3 and 3.0 are two parameters, and a seed may have any size."""
    encoded = json.dumps(value, ensure_ascii=False, allow_nan=False, sort_keys=True)
    return "sha256:" + sha256(encoded.encode()).hexdigest()
