"""`freehold sync`: one meeting with all stores that can be reached.

In this order: whether the own log is what the stores know of it; what others wrote; what is to be
recorded about that; the own log and theirs to every store; artifacts that are asked for.
"""

from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import orjson

from freehold.app.site.copying import Copied, copy_artifacts
from freehold.app.site.meeting import Meeting, meet
from freehold.app.site.moved import Moves, Tally, tally
from freehold.app.site.opening import RELEASE, Site
from freehold.app.site.stored import look_at_store
from freehold.app.site.watching import Unwatched, Watch
from freehold.app.site.witnessing import accuse, suspicious
from freehold.domain.fact import Draft, Fact, site_of
from freehold.domain.projection import State
from freehold.domain.signature import PublicKey
from freehold.ports.ledger import KeepsLogs
from freehold.replication.claims import unrecorded
from freehold.replication.fault import LogConflict, LogFault
from freehold.replication.head import offered_keys
from freehold.replication.installed import told
from freehold.replication.layout import writers
from freehold.replication.own_log import find_conflict
from freehold.replication.publishing import publish_log
from freehold.replication.pulling import pull_log
from freehold.replication.trust import Stranger, believed, fitting, next_writer
from freehold.replication.witness import Sighting, sightings_of

Tell = Callable[[str], None]
_WITNESS = b'"type":"log.witnessed"'
_SAW_NOTHING = b'"seen":{},'


@dataclass
class Exchanged:
    """What one meeting did."""

    received: int = 0
    """Entries of other logs that are new here."""
    published: int = 0
    """Entries that stores lacked, each counted for each store."""
    copied: Copied = field(default_factory=Copied)
    moves: Moves = field(default_factory=Moves)
    """Bytes of logs and artifacts, by the store that they went to and came from."""
    conflicts: int = 0
    """That were found and recorded now."""
    accusations: int = 0
    """Of writers that signed two histories, recorded now."""
    continued_as: str = ""
    """The new log, if the own one turned out to be behind what the stores know of it."""
    faults: list[LogFault] = field(default_factory=list)
    strangers: list[Stranger] = field(default_factory=list)
    unreachable: dict[str, str] = field(default_factory=dict)
    """Site whose store it is → what it answered."""

    @property
    def quiet(self) -> bool:
        """Whether nothing moved."""
        moved = self.received + self.published + self.conflicts
        return not (moved or self.continued_as or self.copied.fetched or self.copied.sent)

    def as_json(self) -> dict[str, Any]:
        return {
            "shape": 1,
            "received": self.received,
            "published": self.published,
            "artifacts": self.copied.as_json(),
            "bytes": self.moves.as_json(),
            "conflicts": self.conflicts,
            "accusations": self.accusations,
            "continued_as": self.continued_as,
            "faults": [
                {"writer": one.writer, "store": one.store, "kind": one.kind, "what": one.what}
                for one in self.faults
            ],
            "strangers": [
                {"writer": one.writer, "site": one.site, "key": one.key} for one in self.strangers
            ],
            "unreachable": self.unreachable,
        }


def exchange(
    site: Site,
    tell: Tell = lambda _: None,
    *,
    verify: bool = False,
    watch: Watch | None = None,
) -> Exchanged:
    """What cannot be reached or is not believed is in the answer, and stops nothing else.

    `verify`: read again all that this site holds and the stores have, and mend it there. Raises
    WrongUsage `site.none`, StorageFailed where the own disk fails.
    """
    with tally(site.folder, site.clock) as counted:
        done = Exchanged(moves=counted.moves)
        _exchange(site, done, _Manner(tell, watch or Unwatched(), counted, verify))
    return done


@dataclass(frozen=True)
class _Manner:
    tell: Tell
    watch: Watch
    counted: Tally
    verify: bool

    def sent(self, store: str, size: int) -> None:
        """Of segments."""
        self.counted.sent(store, size)
        self.watch.moved("history", size)

    def fetched(self, store: str, size: int) -> None:
        self.counted.fetched(store, size)
        self.watch.moved("history", size)


def _exchange(site: Site, done: Exchanged, manner: _Manner) -> None:
    ledger, meeting, verify = site.ledger, meet(site), manner.verify
    present = _present(meeting)
    whole = _publish_own(site, ledger, meeting, present, done, manner)
    keys, sightings = _pull(site, ledger, meeting, present, done, manner)
    _record(site, done)
    strange = _publish(site, ledger, meeting, done, manner, own=whole)
    suspects = strange | suspicious(ledger, done.faults, sightings) | set(keys if verify else ())
    suspected = {writer: keys[writer] for writer in suspects & keys.keys()}
    done.accusations = accuse(site, meeting, suspected, sightings)
    if site.name in meeting.stores:
        with meeting.at(site.name):
            look_at_store(site, meeting.stores[site.name])
    done.copied = copy_artifacts(site, meeting, manner.counted, manner.tell, manner.watch)
    done.unreachable = {name: str(error.what) for name, error in meeting.unreachable.items()}


def _present(meeting: Meeting) -> set[str]:
    """Writers whose logs lie in any of the stores. All are asked at once: those that do not answer
    cost one time limit together, and are left out from then on."""
    found: set[str] = set()

    def look(name: str) -> None:
        with meeting.at(name):
            found.update(writers(meeting.stores[name]))

    names = list(meeting.stores)
    with ThreadPoolExecutor(max(len(names), 1)) as pool:
        list(pool.map(look, names))
    return found


def _publish_own(
    site: Site,
    ledger: KeepsLogs,
    meeting: Meeting,
    present: set[str],
    done: Exchanged,
    manner: _Manner,
) -> bool:
    """The own log to every store; before that, leave it if any of them knows another one. False if
    one does, and none has a copy that tells from where on: then it is published to none, until
    somebody who holds it mends a copy, or this site is told to verify: what follows the last head
    that both have may then be recorded twice, but is not lost."""
    conflicts = _conflicts(site, ledger, meeting)
    if conflicts:
        keep = _shared(conflicts.values(), manner.verify)
        if keep is None:
            for name, conflict in conflicts.items():
                fault = LogFault(site.ledger.writer, name, conflict.code, conflict.why)
                done.faults.append(fault)
            return False
        known = max(conflict.theirs.size for conflict in conflicts.values())
        done.continued_as = _leave(site, ledger, keep, known, present)
    for name, store in list(meeting.stores.items()):
        with meeting.at(name):
            writer, public = site.ledger.writer, site.signer.public
            sent = publish_log(ledger, writer, public, store, verify=manner.verify, name=name)
            manner.sent(name, sent.bytes)
            done.published += sent.entries
            done.faults.extend(sent.faults)
    return True


def _conflicts(site: Site, ledger: KeepsLogs, meeting: Meeting) -> dict[str, LogConflict]:
    """By the site whose store knows the own log otherwise."""
    found = {}
    for name in list(meeting.stores):
        with meeting.at(name):
            writer, public = site.ledger.writer, site.signer.public
            conflict = find_conflict(ledger, writer, public, meeting.stores, name)
            if conflict is not None:
                found[name] = conflict
    return found


def _shared(conflicts: Collection[LogConflict], guess: bool) -> int | None:
    """How many entries of the own log the stores have too; None if no copy tells."""
    agreed = [conflict.agreed for conflict in conflicts if conflict.agreed is not None]
    if agreed:
        return min(agreed)
    return max(conflict.signed for conflict in conflicts) if guess else None


def _leave(site: Site, ledger: KeepsLogs, keep: int, known: int, present: set[str]) -> str:
    """Go on in a new log. What nobody else has seen of the old one stands in the new one."""
    left = site.ledger.writer
    new = next_writer(left, {*present, *(log.writer for log in ledger.logs())})
    present.add(left)
    body = {"left": left, "kept": keep, "known": known}
    said = Draft("log.continued", body, actor=site.actor)
    ledger.continue_as(new, site.signer, keep, [said])
    return new


def _pull(
    site: Site,
    ledger: KeepsLogs,
    meeting: Meeting,
    present: set[str],
    done: Exchanged,
    manner: _Manner,
) -> tuple[dict[str, PublicKey], list[Sighting]]:
    """Returns the keys of the logs that are believed, by writer, and what new facts had seen."""
    keys: dict[str, PublicKey] = {}
    sightings: list[Sighting] = []
    waiting = sorted(present - {site.ledger.writer})
    news = False
    moved = True
    while moved and waiting:
        # A log that was believed may hand over to the key of one that was not yet.
        moved = False
        for writer in list(waiting):
            key = _key_of(site, writer, offered_keys(writer, meeting.stores))
            if key is None:
                continue
            waiting.remove(writer)
            moved, keys[writer] = True, key
            site.keyring.add(key)
            read = manner.fetched
            pulled = pull_log(writer, ledger, meeting.stores, key, fold=False, read=read)
            done.faults.extend(meeting.answered(pulled.faults))
            if pulled.entries:
                entries = "entry" if pulled.entries == 1 else "entries"
                manner.tell(f"{pulled.entries:,} {entries} of {writer}")
                done.received += pulled.entries
                for _, line in ledger.log_lines(writer, pulled.size - pulled.entries):
                    news = news or _WITNESS not in line
                    if _SAW_NOTHING not in line:
                        sightings.extend(sightings_of(Fact.from_json(orjson.loads(line))))
        ledger.receive(())
    for writer in waiting:
        offered = list(fitting(writer, offered_keys(writer, meeting.stores)))
        print_of = offered[0].fingerprint if offered else ""
        done.strangers.append(Stranger(writer, site_of(writer), print_of))
    if news:
        site.ledger.append([Draft("log.witnessed", {})])
    return keys, sightings


def _key_of(site: Site, writer: str, offered: Sequence[PublicKey]) -> PublicKey | None:
    """A key that is known here needs no store that offers it."""
    own, known = site.signer.public, site.keyring.of(writer)
    offered = [*offered, *([known] if known else [])]
    if site_of(writer) == site.name:
        # With the key that it has, one that it had, or one that was believed before.
        mine = next(fitting(writer, [own]), known)
        if mine is not None:
            return mine
    spec = site.project.spec.sites.get(site_of(writer))
    if spec is None:
        return None
    return believed(site.state, site.name, writer, spec.keys, offered)


def _record(site: Site, done: Exchanged) -> None:
    def decision(state: State) -> Sequence[Draft]:
        return unrecorded(state)

    done.conflicts = len(site.ledger.decide(decision))
    # Not when it is opened: whoever only looks at a site writes nothing.
    if told(site.state, site.ledger.writer, RELEASE):
        site.ledger.decide(lambda state: told(state, site.ledger.writer, RELEASE))


def _publish(
    site: Site, ledger: KeepsLogs, meeting: Meeting, done: Exchanged, manner: _Manner, *, own: bool
) -> set[str]:
    """Returns writers of which a store has heads that this site never saw.

    The own log again, with what was recorded since, and what is held of the others: whoever
    reaches only one of the stores gets all of it there."""
    strange = set[str]()
    keys = _keys_of_held(site, ledger)
    if not own:
        del keys[site.ledger.writer]
    for name, store in list(meeting.stores.items()):
        for writer, key in keys.items():
            with meeting.at(name):
                sent = publish_log(ledger, writer, key, store, verify=manner.verify, name=name)
                manner.sent(name, sent.bytes)
                done.published += sent.entries
                done.faults.extend(sent.faults)
                if sent.strange:
                    strange.add(writer)
            if name not in meeting.stores:
                break
    return strange


def _keys_of_held(site: Site, ledger: KeepsLogs) -> dict[str, PublicKey]:
    """Others before the own log: what its facts had seen is then there before them. Also logs that
    no store has any more: a log that was left has no writer who would put it back."""
    found = {}
    for log in ledger.logs():
        own = next(fitting(log.writer, [site.signer.public]), None)
        key = own or site.keyring.of(log.writer)
        if log.writer != site.ledger.writer and key is not None:
            found[log.writer] = key
    return {**found, site.ledger.writer: site.signer.public}
