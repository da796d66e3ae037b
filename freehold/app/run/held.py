"""How long a site held a step that it did not end."""

import orjson

from freehold.app.site.opening import Site
from freehold.domain.fact import Fact
from freehold.replication.work import AskedStep, Lease, Work
from freehold.running.checkpoints import newest_first


def held_microseconds(site: Site, work: Work, step: AskedStep) -> int:
    """From when each lease was taken to its holder's last sign of life, a renewal or a checkpoint,
    by the holder's own clock: what a machine took at least that then went without a word."""
    saved = [one.fact for one in newest_first(site.state, step.run, step.step, step.key)]
    return sum(_held(site, lease, saved) for lease in work.leases)


def _held(site: Site, lease: Lease, saved: list[str]) -> int:
    signs = [lease.pulse, *(fact for fact in saved if fact.rpartition("/")[0] == lease.writer)]
    taken = _wall(site, lease.taken)
    return max(0, max(_wall(site, fact) for fact in signs) - taken)


def _wall(site: Site, name: str) -> int:
    """Microseconds since 1970 UTC. `name`: of a fact that is folded here, so that it lies here."""
    writer, _, sequence = name.rpartition("/")
    at = int(sequence)
    _, line = next(site.ledger.log_lines(writer, at, at + 1))
    return Fact.from_json(orjson.loads(line)).time.wall
