"""`freehold why MODEL@VERSION`: the chain from trigger to traffic, each link with its proof."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import orjson

from freehold.app.history.facts import facts_among
from freehold.app.history.logs import held_logs
from freehold.app.history.telling import telling
from freehold.app.model.naming import resolve
from freehold.app.run.runs import attached_parameters
from freehold.app.site.opening import Site
from freehold.catalog.versions import ModelVersion
from freehold.delivery.analysis import QUIET
from freehold.delivery.releases import aliases_of, releases_of
from freehold.domain.checkpoint import Checkpoint
from freehold.domain.errors import IntegrityError
from freehold.domain.fact import Fact
from freehold.domain.hybrid_time import HybridTime
from freehold.domain.merkle import inclusion_proof, root_from_inclusion

ABOUT_TRAFFIC = frozenset(
    {
        "alias.moved",
        "release.started",
        "release.weighted",
        "release.advanced",
        "release.analysed",
        "release.completed",
        "release.decided",
        "release.gone-back",
        "release.paused",
        "release.ready",
        "release.resumed",
        "release.rolled-back",
    }
)


@dataclass(frozen=True)
class Link:
    """One fact of the chain, and the proof that it stands in the signed log."""

    fact: Fact
    told: str
    """One line for people."""
    who: str
    proof: tuple[str, ...]
    """Audit path, hexadecimal, nearest sibling first (RFC 6962)."""

    def as_json(self) -> dict[str, Any]:
        return {
            "fact": self.fact.name,
            "type": self.fact.type,
            "at": moment(self.fact),
            "by": self.who,
            "told": self.told,
            "cause": list(self.fact.cause),
            "body": dict(self.fact.body),
            "proof": list(self.proof),
        }


@dataclass(frozen=True)
class Explanation:
    version: ModelVersion
    aliases: tuple[str, ...]
    links: tuple[Link, ...]
    checkpoints: tuple[Checkpoint, ...]
    """Of the logs in which the links stand, each signed by its writer; every link's proof leads
    to the root of its log's."""

    def as_json(self) -> dict[str, Any]:
        return {
            "shape": 2,
            "model": self.version.model,
            "version": self.version.version,
            "aliases": list(self.aliases),
            "package": self.version.package,
            "headline": dict(self.version.headline),
            "chain": [link.as_json() for link in self.links],
            "checkpoints": [one.as_json() for one in self.checkpoints],
        }


def why(site: Site, name: str) -> Explanation:
    """Raises IntegrityError when a link is not what was signed."""
    version = resolve(site, name)
    chain = _Chain(site)
    facts = _in_order(_facts(site, version, chain))
    aliases = aliases_of(site.state, version.model)
    return Explanation(
        version=version,
        aliases=tuple(sorted(a for a, number in aliases.items() if number == version.version)),
        links=tuple(_link(site, chain, fact) for fact in facts),
        checkpoints=chain.heads(facts),
    )


def moment(fact: Fact) -> str:
    return datetime.fromtimestamp(fact.time.wall / 1e6, UTC).isoformat(timespec="seconds")


def _link(site: Site, chain: "_Chain", fact: Fact) -> Link:
    who = site.people.name_of(fact.actor)
    attached = attached_parameters(site, fact.body) if fact.type == "run.started" else None
    return Link(fact, telling(fact, who, attached), who, chain.proof(fact))


def _facts(site: Site, version: ModelVersion, chain: "_Chain") -> Iterator[Fact]:
    """Backwards from what made and judged the version, and from its releases; of releases that it
    stood beside, all that happened in them, but not why they were."""
    yield from chain.backwards([version.registered, version.judged])
    own, beside = set[str](), set[str]()
    for release in releases_of(site.state, version.model):
        if release.version == version.version:
            own.add(release.id)
        elif release.previous == version.version:
            beside.add(release.id)
    for fact in chain.about_traffic(version.model):
        body = fact.body
        if fact.type == "release.analysed" and body["decision"] in QUIET:
            # Nothing followed from it; `freehold audit export` has it.
            continue
        if body["release"] in own:
            yield from chain.backwards([fact.name])
        elif body["release"] in beside or (
            not body["release"] and version.version in (body["version"], body["previous"])
        ):
            yield fact


class _Chain:
    """Reads the logs once and proves what it hands out."""

    def __init__(self, site: Site) -> None:
        self._logs = {log.writer: log for log in held_logs(site)}

    def fact(self, name: str) -> Fact | None:
        """None for one of a log that is not held here."""
        writer, _, sequence = name.rpartition("/")
        log = self._logs.get(writer)
        if log is None or not sequence.isdigit() or int(sequence) >= len(log.encoded):
            return None
        return Fact.from_json(orjson.loads(log.encoded[int(sequence)]))

    def backwards(self, names: Iterable[str]) -> Iterator[Fact]:
        """These facts and all that they follow from."""
        waiting, seen = [name for name in names if name], set[str]()
        while waiting:
            name = waiting.pop()
            fact = None if name in seen else self.fact(name)
            seen.add(name)
            if fact is not None:
                yield fact
                waiting.extend(fact.cause)

    def about_traffic(self, model: str) -> Iterator[Fact]:
        for log in self._logs.values():
            for fact in facts_among(log.encoded, *ABOUT_TRAFFIC):
                if fact.body["model"] == model:
                    yield fact

    def proof(self, fact: Fact) -> tuple[str, ...]:
        """Raises IntegrityError if it does not lead to the root that its writer signed."""
        log = self._logs[fact.writer]
        size = log.head.size
        path = inclusion_proof(log.leaves[:size], fact.sequence)
        leaf = log.leaves[fact.sequence]
        if root_from_inclusion(leaf, fact.sequence, size, path).hex() != log.head.root:
            raise _broken(f"entry {fact.sequence} of {fact.writer} is not what was signed")
        return tuple(node.hex() for node in path)

    def heads(self, facts: Iterable[Fact]) -> tuple[Checkpoint, ...]:
        """Of the logs in which these facts stand; of the own one if there are none."""
        writers = sorted({fact.writer for fact in facts}) or [next(iter(self._logs))]
        return tuple(self._logs[writer].head for writer in writers)


def _in_order(facts: Iterable[Fact]) -> list[Fact]:
    """Each once, after what it follows from, whatever the writers' clocks say."""
    left = {fact.name: fact for fact in facts}
    in_logs = sorted(left.values(), key=lambda fact: (fact.writer, fact.sequence))
    before = {
        after.name: fact.name for fact, after in pairwise(in_logs) if fact.writer == after.writer
    }
    times: dict[str, HybridTime] = {}

    def time_of(fact: Fact) -> HybridTime:
        if fact.name not in times:
            times[fact.name] = fact.time
            known = [name for name in (*fact.cause, before.get(fact.name, "")) if name in left]
            times[fact.name] = max([fact.time, *(time_of(left[name]) for name in known)])
        return times[fact.name]

    return sorted(in_logs, key=lambda fact: (time_of(fact), fact.writer, fact.sequence))


def _broken(why: str) -> IntegrityError:
    return IntegrityError(
        "the history does not hold",
        why=why,
        hint="`freehold audit verify` names the first bad entry",
        code="audit.broken",
    )
