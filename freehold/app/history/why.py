"""`freehold why MODEL@VERSION`: the chain from trigger to traffic, each link with its proof."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from freehold.app.history.facts import facts_among
from freehold.app.history.telling import telling
from freehold.app.model.naming import resolve
from freehold.app.run.runs import attached_parameters
from freehold.app.site.opening import Site
from freehold.catalog.versions import ModelVersion
from freehold.delivery.releases import aliases_of, releases_of
from freehold.domain.checkpoint import Checkpoint
from freehold.domain.errors import IntegrityError
from freehold.domain.fact import Fact
from freehold.domain.merkle import inclusion_proof, leaf_hash, root_from_inclusion

ABOUT_TRAFFIC = frozenset(
    {
        "alias.moved",
        "release.started",
        "release.advanced",
        "release.completed",
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
    checkpoint: Checkpoint
    """Signed by this site; every link's proof leads to its root."""

    def as_json(self) -> dict[str, Any]:
        return {
            "shape": 1,
            "model": self.version.model,
            "version": self.version.version,
            "aliases": list(self.aliases),
            "package": self.version.package,
            "headline": dict(self.version.headline),
            "chain": [link.as_json() for link in self.links],
            "checkpoint": self.checkpoint.as_json(),
        }


def why(site: Site, name: str) -> Explanation:
    """Raises IntegrityError when a link is not what was signed."""
    version = resolve(site, name)
    chain = _Chain(site)
    facts = sorted(
        {fact.sequence: fact for fact in _facts(site, version, chain)}.values(),
        key=lambda fact: fact.sequence,
    )
    aliases = aliases_of(site.state, version.model)
    return Explanation(
        version=version,
        aliases=tuple(sorted(a for a, number in aliases.items() if number == version.version)),
        links=tuple(_link(site, chain, fact) for fact in facts),
        checkpoint=chain.head,
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
        if body["release"] in own:
            yield from chain.backwards([fact.name])
        elif body["release"] in beside or (
            not body["release"] and version.version in (body["version"], body["previous"])
        ):
            yield fact


class _Chain:
    """Reads the log once and proves what it hands out."""

    def __init__(self, site: Site) -> None:
        self._lines = [encoded for _, encoded in site.ledger.lines()]
        self._leaves = [leaf_hash(encoded) for encoded in self._lines]
        *_, self.head = site.ledger.checkpoints()
        self._writer = site.ledger.writer
        if not self.head.is_signed_by(site.signer.public) or self.head.size > len(self._lines):
            raise _broken(f"the checkpoint of size {self.head.size} does not hold")

    def fact(self, name: str) -> Fact | None:
        """None for a fact of another writer's log."""
        writer, _, sequence = name.rpartition("/")
        if writer != self._writer or not sequence.isdigit() or int(sequence) >= len(self._lines):
            return None
        return Fact.from_json(orjson.loads(self._lines[int(sequence)]))

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
        for fact in facts_among(self._lines, *ABOUT_TRAFFIC):
            if fact.body["model"] == model:
                yield fact

    def proof(self, fact: Fact) -> tuple[str, ...]:
        """Raises IntegrityError if it does not lead to the signed root."""
        size = self.head.size
        path = inclusion_proof(self._leaves[:size], fact.sequence)
        leaf = self._leaves[fact.sequence]
        if root_from_inclusion(leaf, fact.sequence, size, path).hex() != self.head.root:
            raise _broken(f"entry {fact.sequence} is not what was signed")
        return tuple(node.hex() for node in path)


def _broken(why: str) -> IntegrityError:
    return IntegrityError(
        "the history does not hold",
        why=why,
        hint="`freehold audit verify` names the first bad entry",
        code="audit.broken",
    )
