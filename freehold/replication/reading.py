"""Reading one log out of several stores at once, each of which may lack or falsify parts of it."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from freehold.domain.checkpoint import Checkpoint
from freehold.domain.errors import StorageFailed, Unreachable
from freehold.domain.hybrid_time import HybridTime
from freehold.domain.signature import PublicKey
from freehold.ports.object_store import ObjectStore
from freehold.replication.fault import LogFault, NotBelieved
from freehold.replication.head import read_head
from freehold.replication.layout import (
    HeadName,
    SegmentName,
    heads_above,
    heads_folder,
    segments_folder,
)
from freehold.replication.segment import SEGMENT_LIMIT, check_entry, unpack_lines

Answer = TypeVar("Answer")
Read = Callable[[str, int], None]
"""Told a store's name and the bytes of segments that were read from it since it was told last."""
Place = tuple[str, SegmentName]
"""A store's name, and a segment that lies there."""
_LISTINGS = 8
"""How often a store is listed again because a segment has vanished: its writer was merging."""


class LogReader:
    """One writer's log in many stores. A use is one pull; nothing is kept between pulls."""

    def __init__(
        self,
        writer: str,
        stores: Mapping[str, ObjectStore],
        pool: ThreadPoolExecutor,
        read: Read = lambda _store, _size: None,
    ) -> None:
        self._writer, self._stores, self._pool, self._told = writer, stores, pool, read
        self._faults: dict[LogFault, None] = {}
        self._places: list[Place] = []
        self._bad: set[Place] = set()
        self._distrusted: set[str] = set()
        """Digests of segments whose content does not lead to a signed root."""
        self._alone = ""
        """The only store that is read now; empty for all of them, mixed."""
        self._untried: list[str] | None = None
        """Stores to be read alone; None where nothing is in doubt."""
        self._doubtful: set[SegmentName] = set()
        self._listings = 0
        self._fetching: dict[Place, Future[bytes]] = {}
        self._last: tuple[Place, list[bytes]] | None = None
        self.used: set[SegmentName] = set()
        """Those that gave lines since the caller last emptied this."""

    @property
    def faults(self) -> tuple[LogFault, ...]:
        return tuple(self._faults)

    def fault(
        self,
        store: str,
        kind: str,
        what: str,
        *,
        sequence: int | None = None,
        size: int | None = None,
    ) -> None:
        self._faults[LogFault(self._writer, store, kind, what, sequence, size)] = None

    def heads(self, above: int, public: PublicKey) -> list[Checkpoint]:
        """Validly signed ones of more than `above` entries, by size, then root; one listing per
        store if there is nothing new. Where it found a name, it lists the segments too."""
        found: dict[tuple[int, str], Checkpoint] = {}
        for store in self._stores:
            names = self._ask(store, partial(self._head_names, store, above)) or []
            if names:
                self._list_segments(store)
            for head in self._pool.map(partial(self._head, store, public), names):
                if head is not None:
                    found.setdefault((head.size, head.root), head)
        return [found[place] for place in sorted(found)]

    def list_segments(self) -> None:
        """Of all stores; `heads` does it where there is something new."""
        for store in self._stores:
            self._list_segments(store)

    def lines(self, start: int, stop: int, time: HybridTime | None) -> Iterator[bytes]:
        """Entries from `start` on, each checked to be a fact in its place, until `stop` or until
        none of the stores has a believable copy, which is then among the faults.

        `time`: that of the entry before `start`.
        """
        at = start
        while at < stop:
            place = self._best(at)
            if place is None:
                if not self._alone:  # of one store, it is no fault: they complete each other
                    self.fault("", "segment.missing", f"no store has entry {at}", sequence=at)
                return
            lines = self._read(place, at)
            if lines is None:
                continue
            name = place[1]
            self.used.add(name)
            for line in lines[at - name.first : stop - name.first]:
                try:
                    time = check_entry(line, self._writer, at, time)
                except NotBelieved as exc:
                    self._reject(place, exc.kind, exc.what, at)
                    break
                yield line
                at += 1

    def confirm_used(self) -> None:
        """What was used leads to a signed root: go on where it came from."""
        self._untried = None

    def retry_missing(self) -> bool:
        """The lines end too early: whether to try otherwise. Copies may have been refused for what
        a false one before them said."""
        return bool(self._alone or (self._bad and self._untried is None)) and self._turn()

    def distrust_used(self) -> bool:
        """What was used does not lead to a signed root: from now on take other copies of it. First
        each store alone, so that one that is whole suffices whatever lies in the others, then
        mixed. False if there are none."""
        if self._alone or self._untried is None:
            return self._turn()
        return self._distrust(self.used)

    def _turn(self) -> bool:
        if self._untried is None:
            several = len(self._stores) > 1
            self._untried = [one for one in self._stores if several and one != self._alone]
            self._doubtful = set() if self._alone else set(self.used)
        was_alone, self._last = bool(self._alone), None
        self._alone = self._untried.pop(0) if self._untried else ""
        if was_alone or self._alone:
            self._bad.clear()
        if self._alone:
            return True
        return self._distrust(self._doubtful) or (was_alone and not self._doubtful)

    def _distrust(self, used: set[SegmentName]) -> bool:
        replaced = False
        for name in used:
            others = any(
                other.digest != name.digest
                and other.first <= name.first
                and other.stop > name.first
                for _, other in self._candidates()
            )
            if others:
                self._distrusted.add(name.digest)
                what = f"segment {name.first}-{name.stop} is in doubt: no signed root follows"
                self.fault("", "root.wrong", what, sequence=name.first)
                replaced = True
        self._last = None
        return replaced

    def _candidates(self) -> Iterator[Place]:
        return (
            place
            for place in self._places
            if place not in self._bad
            and (
                place[0] == self._alone if self._alone else place[1].digest not in self._distrusted
            )
        )

    def _best(self, at: int) -> Place | None:
        covering = (p for p in self._candidates() if p[1].first <= at < p[1].stop)
        return max(covering, key=lambda place: place[1].stop, default=None)

    def _read(self, place: Place, at: int) -> list[bytes] | None:
        if self._last is not None and self._last[0] == place:
            return self._last[1]
        store, name = place
        fetching = self._fetching.pop(place, None) or self._fetch(place)
        following = self._best(name.stop)
        if following is not None and following not in self._fetching:
            self._fetching = {following: self._fetch(following)}
        try:
            data = self._ask(store, fetching.result)
            if data is None:
                self._places = [other for other in self._places if other[0] != store]
                return None
            self._told(store, len(data))
            lines = unpack_lines(name, data)
        except KeyError:
            self._vanished(place)
            return None
        except NotBelieved as exc:
            self._reject(place, exc.kind, exc.what, at)
            return None
        self._last = place, lines
        return lines

    def _fetch(self, place: Place) -> "Future[bytes]":
        store, name = self._stores[place[0]], place[1]
        return self._pool.submit(store.get, name.key, 0, SEGMENT_LIMIT + 1)

    def _vanished(self, place: Place) -> None:
        self._bad.add(place)
        self._listings += 1
        if self._listings <= _LISTINGS:
            self._list_segments(place[0])

    def _reject(self, place: Place, kind: str, what: str, at: int) -> None:
        self._bad.add(place)
        store, name = place
        self.fault(store, kind, f"segment {name.first}-{name.stop}: {what}", sequence=at)

    def _head_names(self, store: str, above: int) -> list[HeadName]:
        after = heads_above(self._writer, above)
        keys = self._stores[store].keys(heads_folder(self._writer), after)
        return [name for name in map(HeadName.parse, keys) if name is not None]

    def _head(self, store: str, public: PublicKey, name: HeadName) -> Checkpoint | None:
        try:
            return self._ask(store, partial(read_head, self._stores[store], name, public))
        except KeyError:
            return None  # thinned out since it was listed; a later one covers what it covered
        except NotBelieved as exc:
            what = f"the head of {name.size} entries: {exc.what}"
            self.fault(store, exc.kind, what, size=name.size)
            return None

    def _list_segments(self, store: str) -> None:
        others = [place for place in self._places if place[0] != store]
        self._places = others + (self._ask(store, partial(self._segment_places, store)) or [])

    def _segment_places(self, store: str) -> list[Place]:
        keys = self._stores[store].keys(segments_folder(self._writer))
        return [(store, name) for name in map(SegmentName.parse, keys) if name is not None]

    def _ask(self, store: str, question: Callable[[], Answer]) -> Answer | None:
        """A store that fails is a fault of its own, and the others go on."""
        try:
            return question()
        except (Unreachable, StorageFailed) as exc:
            self.fault(store, exc.code, exc.what)
            return None
