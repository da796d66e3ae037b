"""Three sites that act, meet by segments, lose their state, replace their key and misread the time.

Everything but the keys' bytes follows from the seed.
"""

import random
import shutil
import sqlite3
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import cast

from freehold.adapters.sqlite.ledger import SqliteLedger
from freehold.app.site.opening import PROJECTIONS
from freehold.domain.checkpoint import Checkpoint
from freehold.domain.errors import IntegrityError
from freehold.domain.fact import Draft, writer_name
from freehold.domain.projection import Projection, State
from freehold.ports.contracts.kept_logs import size_of
from freehold.ports.contracts.signer import TransientSigner
from freehold.ports.ledger import MergingLedger, Rebuilds, Stretch
from freehold.replication.trust import next_writer
from histories import delivery, running, watching
from histories.desk import PERSON, SITES, Act, Desk

ACTS: tuple[Act, ...] = (*running.ACTS, *delivery.ACTS, *watching.ACTS)
BEGINNING: tuple[Act, ...] = (
    *(delivery.register, delivery.register, delivery.begin, delivery.begin, delivery.begin),
    *(running.run, running.ask, running.ask),
)
START = 1_700_000_000_000_000
HOUR = 3_600_000_000
SIGNER = TransientSigner()
"""Of all: a ledger leaves it to whoever calls to verify signatures."""
Row = tuple[str, str, bytes]
"""Table, key, JSON."""


@dataclass
class Log:
    """As it was published, whole."""

    lines: list[bytes] = field(default_factory=list)
    checkpoints: list[Checkpoint] = field(default_factory=list)

    def stretch(self, writer: str, first: int, stop: int) -> Stretch:
        """`stop`: the size of a checkpoint."""
        found = [one for one in self.checkpoints if first < one.size <= stop]
        return Stretch(writer, first, self.lines[first:stop], found)


@dataclass
class Clock:
    now: int

    def __call__(self) -> int:
        self.now += 1000
        return self.now


def opened(
    path: Path, writer: str, clock: Clock, projections: Sequence[Projection] = PROJECTIONS
) -> MergingLedger:
    ledger = SqliteLedger(path, writer=writer, signer=SIGNER, clock=clock, projections=projections)
    return cast(MergingLedger, ledger)


def rows_of(path: Path) -> list[Row]:
    """Every row of every table of the state, as it lies."""
    with closing(sqlite3.connect(path)) as connection:
        query = 'SELECT "table", key, value FROM state ORDER BY "table", key'
        return connection.execute(query).fetchall()


class Place:
    """A site's state store."""

    def __init__(self, folder: Path, site: str, clock: Clock) -> None:
        self.site, self.clock, self.keys = site, clock, 0
        self.path = folder / f"{site}.db"
        self.ledger = opened(self.path, writer_name(site, self.next_key()), clock)
        self.backups: list[tuple[Path, str]] = []

    def next_key(self) -> str:
        """A fingerprint."""
        self.keys += 1
        return f"sha256:{sha256(f'{self.site} {self.keys}'.encode()).hexdigest()}"

    def back_up(self) -> None:
        target = self.path.with_suffix(f".{len(self.backups)}")
        with closing(sqlite3.connect(self.path)) as own, closing(sqlite3.connect(target)) as copy:
            own.backup(copy)
        self.backups.append((target, self.ledger.writer))

    def restore(self, backup: tuple[Path, str]) -> None:
        self.ledger.close()
        for path in self.path.parent.glob(f"{self.path.name}*"):
            path.unlink()
        shutil.copy(backup[0], self.path)
        self.ledger = opened(self.path, backup[1], self.clock)


class World:
    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.chance = folder, random.Random(seed)
        self.published: dict[str, Log] = {}
        self.flying: list[tuple[str, Stretch]] = []
        """Segments on their way, and to whom."""
        self.drawn = Counter[str]()
        """Types of facts that were appended."""
        self.places: dict[str, Place] = {}
        for site in SITES:
            clock = Clock(START + self.chance.randint(-HOUR, HOUR))
            self.places[site] = Place(folder, site, clock)

    def play(self, steps: int) -> None:
        self.begin()
        for _ in range(steps):
            place = self.places[self.chance.choice(SITES)]
            lot = self.chance.random()
            if lot < 0.5:
                self.act(place)
            elif lot < 0.7:
                self.publish(place)
            elif lot < 0.78:
                self.deliver()
            elif lot < 0.87:
                self.catch_up(place)
            elif lot < 0.89:
                place.clock.now += self.chance.choice([-HOUR, HOUR, 60_000_000])
            elif lot < 0.93:
                place.back_up()
            elif lot < 0.98:
                if place.backups:
                    place.restore(self.chance.choice(place.backups))
            else:
                self.replace_key(place)

    def begin(self) -> None:
        """With two versions, a release and some work that all know of, to quarrel about."""
        place = self.places[self.chance.choice(SITES)]
        for act in BEGINNING:
            desk = self.desk(place)
            entries = place.ledger.decide(lambda state, act=act, desk=desk: act(state, desk))  # type: ignore[misc]
            self.drawn.update(entry.fact.type for entry in entries)
        self.meet()

    def desk(self, place: Place) -> Desk:
        return Desk(place.site, place.ledger.writer, place.clock.now, self.chance)

    def act(self, place: Place) -> None:
        """Some things, one after the other. Of several that could be said, the one that was said
        least: else what takes long to come about would hardly ever be said."""
        desk = self.desk(place)

        def decision(state: State) -> Sequence[Draft]:
            acts = self.chance.choices(ACTS, k=self.chance.randint(1, 12))
            found = [drafts for act in acts if (drafts := act(state, desk))]
            return min(found, key=lambda drafts: self.drawn[drafts[0].type], default=())

        for _ in range(5):
            entries = place.ledger.decide(decision)
            self.drawn.update(entry.fact.type for entry in entries)

    def publish(self, place: Place) -> None:
        """What is new of the own log, to both others."""
        self.make_contact(place)
        writer = place.ledger.writer
        log = self.published.setdefault(writer, Log())
        first = len(log.lines)
        log.lines += [line for _, line in place.ledger.lines(first)]
        log.checkpoints += place.ledger.log_checkpoints(writer, first)
        for site in SITES:
            if site != place.site and first < len(log.lines):
                self.flying.append((site, log.stretch(writer, first, len(log.lines))))

    def make_contact(self, place: Place) -> None:
        """Before a site says or hears anything it leaves a log of its own that the world knows
        otherwise: its state store was put back."""
        ledger, left = place.ledger, place.ledger.writer
        theirs = self.published.get(left, Log()).lines
        ours = [line for _, line in ledger.lines(0, len(theirs))]
        if ours == theirs:
            return
        pairs = enumerate(zip(ours, theirs, strict=False))
        keep = next((place for place, (one, other) in pairs if one != other), len(ours))
        held = (one.writer for one in ledger.logs())
        body = {"left": left, "kept": keep, "known": len(theirs)}
        said = Draft("log.continued", body, actor=PERSON)
        ledger.continue_as(next_writer(left, {*self.published, *held}), SIGNER, keep, [said])
        self.drawn[said.type] += 1

    def replace_key(self, place: Place) -> None:
        key = place.next_key()
        said = Draft("key.replaced", {"site": place.site, "key": key}, actor=PERSON)
        place.ledger.append([said])
        self.drawn[said.type] += 1
        self.publish(place)
        place.ledger.continue_as(writer_name(place.site, key), SIGNER, None)

    def deliver(self) -> None:
        """Some of what is on its way, in any order: lost, twice, or too early to be taken."""
        self.chance.shuffle(self.flying)
        while self.flying and self.chance.random() < 0.75:
            site, segment = self.flying.pop()
            if self.chance.random() < 0.2:
                continue
            for _ in range(self.chance.choice([1, 1, 2])):
                if not self.receive(self.places[site], segment):
                    self.flying.insert(0, (site, segment))
                    break

    def receive(self, place: Place, segment: Stretch) -> bool:
        """False if one before it is missing."""
        self.make_contact(place)
        if segment.writer == place.ledger.writer:
            return True  # the own one, which is held
        try:
            place.ledger.receive([segment])
        except IntegrityError as error:
            assert error.code == "log.does-not-continue", error
            return False
        return True

    def catch_up(self, place: Place) -> None:
        """With one log, from what is held to one of its checkpoints."""
        self.make_contact(place)
        if self.published:
            self.pull(place.ledger, self.chance.choice(sorted(self.published)))

    def pull(self, ledger: MergingLedger, writer: str) -> bool:
        """False if there was nothing new."""
        log, held = self.published[writer], size_of(ledger, writer)
        stops = [one.size for one in log.checkpoints if one.size > held]
        if not stops or writer == ledger.writer:
            return False
        ledger.receive([log.stretch(writer, held, self.chance.choice(stops))])
        return True

    def pull_all(self, ledger: MergingLedger) -> None:
        """In some order, by parts of any length."""
        waiting = sorted(self.published)
        while waiting:
            writer = self.chance.choice(waiting)
            if not self.pull(ledger, writer):
                waiting.remove(writer)

    def meet(self) -> None:
        """Everybody publishes all, then everybody takes all."""
        for place in self.places.values():
            self.publish(place)
        for place in self.places.values():
            self.pull_all(place.ledger)

    def rebuilt(self, site: str) -> list[Row]:
        """A site's state, folded anew from the logs that it holds."""
        ledger = self.places[site].ledger
        assert isinstance(ledger, Rebuilds)
        ledger.rebuild()
        return rows_of(self.places[site].path)

    def close(self) -> None:
        for place in self.places.values():
            place.ledger.close()
