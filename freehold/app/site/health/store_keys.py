"""`freehold keys`: the keys that wrap the keys of an encrypted store's objects."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from freehold.app import adapters
from freehold.app.project.reading import OpenProject
from freehold.app.site.stores import open_keys, open_store
from freehold.domain.errors import NotSupported, Refused
from freehold.ports.key_service import KeyService, RotatesKeys
from freehold.ports.object_store import ObjectStore

Told = Callable[[int], None]
IN_A_FILE = "file"
"""The kind of key that lies in a file, as `encryption: file:PATH` says it."""


@dataclass(frozen=True)
class Rotation:
    """Wraps what lies in a site's store under older keys by the newest one."""

    site: str
    inner: ObjectStore
    keys: KeyService

    @property
    def key(self) -> str:
        """The id of the newest."""
        return self.keys.key_id

    def run(self, told: Told = lambda _: None) -> dict[str, Any]:
        """May be stopped and repeated. Raises IntegrityError `key.wrong` at the end for what no
        key here opens, Unreachable, StorageFailed."""
        store = adapters.embedded("store_encryption")(self.inner, self.keys)
        if not isinstance(store, RotatesKeys):
            raise NotSupported(
                "keys of this store cannot be rotated",
                why=f"{type(store).__name__} has no rotation",
                hint="use an encryption that has one",
                code="keys.no-rotation",
            )
        done = store.rotate(told=told)
        return {
            "site": self.site,
            "key": self.key,
            "rotated": done.count,
            "current": done.current,
            "not_encrypted": done.not_encrypted,
        }


def plan_rotation(project: OpenProject, environment: Mapping[str, str] = os.environ) -> Rotation:
    """Of the store of the project's own site. Raises Refused `keys.not-encrypted`, and what opening
    a store and its keys raises."""
    name = project.spec.site
    site = project.spec.sites.get(name)
    if site is None or not site.store.encryption:
        raise Refused(
            f"the store of {name} is not encrypted",
            why="freehold.yaml names no key for it",
            hint="`freehold keys new --to FILE` makes one; `encryption: file:FILE` under its"
            " `store` uses it for all that is put from then on",
            code="keys.not-encrypted",
        )
    inner = open_store(replace(site.store, encryption=""), name, environment)
    return Rotation(name, inner, open_keys(site.store, name, environment))


def new_key_file(path: Path) -> str:
    """Id of its one key. Raises Conflict if there is a file already, StorageFailed."""
    return str(adapters.load("key_service", IN_A_FILE).create(path).key_id)


def add_key(path: Path) -> str:
    """Id of the new key, which wraps from now on. Raises NotFound, IntegrityError,
    StorageFailed."""
    return str(adapters.load("key_service", IN_A_FILE).add(path).key_id)
