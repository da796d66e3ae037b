"""What a store really does, found out by trying."""

import secrets
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import Literal

from freehold.domain.errors import FreeholdError, StorageFailed, Unreachable
from freehold.ports.object_store import (
    ComparesAndSets,
    CreatesOnce,
    ObjectStore,
    SignsUrls,
)

State = Literal["honoured", "ignored", "absent", "failed"]
"""`ignored`: it says yes and does something else. `absent`: the adapter has no such ability."""

_DATA = bytes(range(256)) * 4
_TIMES = 3
_SIGNED_SECONDS = 60


@dataclass(frozen=True)
class Ability:
    name: str
    state: State
    code: str = ""
    """Of the error, where it failed."""
    why: str = ""


@dataclass(frozen=True)
class StoreAbilities:
    abilities: tuple[Ability, ...]
    put_seconds: float | None
    """Median of three of 1,024 bytes each; None if it failed."""
    get_seconds: float | None

    def state(self, name: str) -> State:
        return next(one.state for one in self.abilities if one.name == name)


def probe(store: ObjectStore) -> StoreAbilities:
    """Tries everything below `probe/<random>/` and removes it. Raises nothing of the store's: what
    fails is in the answer, and a store that does not answer is asked once."""
    return _Probe(store).run()


class _Probe:
    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._folder = f"probe/{secrets.token_hex(8)}"
        self._key = f"{self._folder}/object"
        self._once = f"{self._folder}/once"
        self._found: list[Ability] = []
        self._silent: Unreachable | None = None
        self._seconds: dict[str, float] = {}

    def run(self) -> StoreAbilities:
        try:
            self._try("put", self._put)
            self._try("get", self._get)
            self._try("ranges", self._ranges)
            self._try("list", self._list)
            self._try("create-once", self._create)
            self._try("compare-and-set", self._compare)
            self._try("signed-url", self._signed)
            self._try("delete", self._delete)
        finally:
            self._clean()
        return StoreAbilities(
            tuple(self._found), self._seconds.get("put"), self._seconds.get("get")
        )

    def _try(self, name: str, attempt: Callable[[], State]) -> None:
        if self._silent is not None:
            self._fail(name, self._silent)
            return
        try:
            self._found.append(Ability(name, attempt()))
        except KeyError:
            self._found.append(
                Ability(name, "failed", "storage.absent", "what was put is not there")
            )
        except FreeholdError as error:
            if isinstance(error, Unreachable):
                self._silent = error
            self._fail(name, error)

    def _fail(self, name: str, error: FreeholdError) -> None:
        self._found.append(Ability(name, "failed", error.code, error.why or error.what))

    def _put(self) -> State:
        with self._timed("put") as times:
            for _ in times:
                self._store.put(self._key, _DATA)
        return "honoured"

    def _get(self) -> State:
        with self._timed("get") as times:
            whole = [self._store.get(self._key) for _ in times]
        return _honoured(whole == [_DATA] * _TIMES and self._store.size(self._key) == len(_DATA))

    def _ranges(self) -> State:
        got = self._store.get
        inside, end = got(self._key, 10, 20), got(self._key, 1000, 5000)
        beyond = got(self._key, 5000, 5001)
        return _honoured((inside, end, beyond) == (_DATA[10:20], _DATA[1000:], b""))

    def _list(self) -> State:
        keys = list(self._store.keys(f"{self._folder}/"))
        later = list(self._store.keys(f"{self._folder}/", after=self._key))
        return _honoured((keys, later) == ([self._key], []))

    def _create(self) -> State:
        if not isinstance(self._store, CreatesOnce):
            return "absent"
        first = self._store.create(self._once, b"first")
        second = self._store.create(self._once, b"second")
        return _honoured(first and not second and self._store.get(self._once) == b"first")

    def _compare(self) -> State:
        if not isinstance(self._store, ComparesAndSets):
            return "absent"
        self._store.put(self._once, b"first")
        old = self._store.version(self._once) or ""
        replaced = self._store.replace(self._once, b"second", old)
        again = self._store.replace(self._once, b"third", old)
        return _honoured(replaced and not again and self._store.get(self._once) == b"second")

    def _signed(self) -> State:
        if not isinstance(self._store, SignsUrls):
            return "absent"
        url = self._store.signed_url(self._key, _SIGNED_SECONDS)
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return _honoured(answer.read() == _DATA)
        except urllib.error.HTTPError as error:
            error.close()
            return "ignored"
        except OSError:
            # Its text may hold the URL, which is a secret.
            raise StorageFailed(
                "the address of a signed URL does not answer",
                why="it is at the store's own address, which this machine did not reach",
                hint="see that whoever is given such a URL reaches the store",
                code="storage.signed-url",
            ) from None

    def _delete(self) -> State:
        self._store.delete(self._key)
        self._store.delete(self._key)
        return _honoured(self._store.size(self._key) is None)

    def _clean(self) -> None:
        """What could not be removed is said where deletion is."""
        if self._silent is not None:
            return
        try:
            for key in (self._key, self._once):
                self._store.delete(key)
        except FreeholdError as error:
            self._found = [one for one in self._found if one.name != "delete"]
            self._fail("delete", error)

    @contextmanager
    def _timed(self, name: str) -> Iterator[Iterator[int]]:
        """Measures each turn of a loop over what it gives."""
        seconds: list[float] = []

        def turns() -> Iterator[int]:
            for turn in range(_TIMES):
                start = time.perf_counter()
                yield turn
                seconds.append(time.perf_counter() - start)

        yield turns()
        self._seconds[name] = median(seconds)


def _honoured(held: bool) -> State:
    return "honoured" if held else "ignored"
