"""The history: the own log's head, others' logs, who is believed, what waits for people."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

import orjson

from freehold.app.site.health.finding import Finding, Standing, counted, duration
from freehold.app.site.health.logs import LogStanding
from freehold.app.site.opening import Site
from freehold.domain.checkpoint import Checkpoint
from freehold.domain.fact import Fact
from freehold.domain.projection import UNREADABLE
from freehold.replication.claims import conflicts_of

LAST = 100
"""Newest entries of the own log that are read."""
LONG = 3600.0
"""Seconds for which something may lie in one place only before it is told."""
_TRIES = 3
_NAMED = 5


def examine_ledger(site: Site) -> list[Finding]:
    return [_head(site)]


def _head(site: Site) -> Finding:
    """Quick: one signature and the last entries. The whole is for `freehold audit verify`."""
    hint = "freehold audit verify: it reads every entry, and names the first that is wrong"
    for _ in range(_TRIES):
        size, root, newest = _own_end(site)
        if newest is None or newest.size == size:
            break  # else somebody appended between the two readings
    if newest is None:
        return Finding("ledger", "good", "the history has no entry yet")
    why = ""
    if not newest.is_signed_by(site.signer.public):
        why = f"the head of {newest.size:,} entries is not signed with this site's key"
    elif (newest.size, newest.root) != (size, root):
        why = f"the head signs {newest.size:,} entries, and {size:,} lie here with another root"
    else:
        why = _odd_entry(site, max(0, size - LAST), size)
    if why:
        return Finding("ledger", "bad", "the own log is not what was signed", why=why, hint=hint)
    read = "all of them" if size <= LAST else f"the last {LAST}"
    what = f"the head of {counted(size, 'entry')} is signed by this site, {read} are in place"
    return Finding("ledger", "good", what, why="`freehold audit verify` reads all of them")


def _own_end(site: Site) -> tuple[int, str, Checkpoint | None]:
    """Size and root of what lies here, and the newest checkpoint."""
    log = next(one for one in site.ledger.logs() if one.writer == site.ledger.writer)
    return log.size, log.root, log.checkpoint


def _odd_entry(site: Site, start: int, stop: int) -> str:
    due = start
    for sequence, line in site.ledger.lines(start, stop):
        try:
            fact = Fact.from_json(orjson.loads(line))
            same = fact.encoded() == line
        except (ValueError, TypeError):
            return f"entry {sequence:,} is no fact"
        if not same or (fact.writer, fact.sequence, sequence) != (site.ledger.writer, due, due):
            return f"entry {due:,} is not the fact that belongs there"
        due += 1
    return "" if due == stop else f"entry {due:,} is missing"


def examine_logs(site: Site, logs: Sequence[LogStanding], reached: int) -> list[Finding]:
    """`reached`: how many stores answered; without any, nothing is said of what they have."""
    findings: list[Finding] = []
    for log in logs:
        findings += _accused(log)
        if log.belief == "not believed":
            findings.append(_stranger(site, log))
            continue
        findings += _waiting(log)
        if reached:
            findings.append(_lag(site, log))
    return findings


def examine_conflicts(site: Site) -> Finding:
    waiting = [one for one in conflicts_of(site.state) if one.open]
    if not waiting:
        return Finding("conflicts", "good", "no conflict is open")
    what = f"{counted(len(waiting), 'conflict')} between sites wait to be settled"
    why = ", ".join(one.about for one in waiting[:5])
    return Finding("conflicts", "warning", what, why=why, hint="freehold conflicts")


def examine_facts(site: Site) -> Finding:
    """Whether the tables of this release could be folded from all that is held."""
    rows = list(site.state.scan(UNREADABLE))
    if not rows:
        return Finding("facts", "good", "every fact that counts can be read")
    kinds = Counter(
        f"{row['type']} {row['version']} of {fact.rpartition('/')[0]}" for fact, row in rows
    )
    named = ", ".join(f"{kind} ({number:,})" for kind, number in kinds.most_common(_NAMED))
    more = len(kinds) - _NAMED
    return Finding(
        "facts",
        "warning",
        f"this release can make nothing of {counted(len(rows), 'fact')}, and passes over them",
        why=f"{named}, and {more} more kinds" if more > 0 else named,
        hint="update Freehold here: the tables are then folded anew; if that does not help, ask the"
        " people of the sites that wrote them",
    )


def _accused(log: LogStanding) -> Iterator[Finding]:
    if log.accusations:
        yield Finding(
            "log",
            "bad",
            f"the log {log.writer} is accused of two histories",
            why="; ".join(log.accusations),
            hint=f"ask the people of {log.site} whether its state is used twice or its key was"
            " stolen; if so, `freehold sites rekey` there",
            about=log.writer,
        )


def _stranger(site: Site, log: LogStanding) -> Finding:
    if log.site not in site.project.site_names:
        why = f"freehold.yaml has no site '{log.site}'"
        hint = f"add {log.site} to `sites` in freehold.yaml, or let it lie: nothing of it counts"
    elif not log.key:
        why = "no store has the key that it is signed with"
        hint = f"`freehold sync` at {log.site}, which puts its key there again"
    else:
        why = f"its key is {log.key}"
        hint = (
            f"if `freehold sites` at {log.site} shows this key:"
            f" freehold sites trust {log.site} {log.key}"
        )
    what = f"the log {log.writer} is not believed, and nothing of it counts"
    return Finding("log", "warning", what, why=why, hint=hint, about=log.writer)


def _waiting(log: LogStanding) -> Iterator[Finding]:
    if log.folded < log.held:
        missing = [f"{counted(n, 'entry')} of {name}" for name, n in log.waits_for.items()]
        yield Finding(
            "log",
            "warning",
            f"{counted(log.held - log.folded, 'entry')} of {log.writer} do not count yet",
            why=f"they follow from {' and '.join(missing) or 'what'} that are not here",
            hint="freehold sync; if that brings nothing, run it at the site that is missing",
            about=log.writer,
        )


def _lag(site: Site, log: LogStanding) -> Finding:
    return replace(_lag_in_words(site, log), figures=log.lag)


def _lag_in_words(site: Site, log: LogStanding) -> Finding:
    about = log.writer
    own = log.writer == site.ledger.writer
    if own and log.behind:
        what = f"the stores have {counted(log.behind, 'entry')} of this site's log more than it"
        why = "its state was restored from a backup, or its key is used twice"
        hint = "stop the other one if there is one; then `freehold sync`: it goes on in a new log"
        return Finding("lag", "warning", what, why=why, hint=hint, about=about)
    if log.behind:
        missing = log.missing_seconds or 0.0
        what = (
            f"{counted(log.behind, 'entry')} are not here yet: {duration(log.behind_seconds or 0)}"
            f" of its history, the first written {duration(missing)} ago"
        )
        hint = "freehold sync"
        return Finding("lag", "warning" if missing > LONG else "good", what, hint=hint, about=about)
    if own and log.unpublished:
        waited = log.unpublished_seconds or 0.0
        what = (
            f"{counted(log.unpublished, 'entry')} of {counted(log.held, 'entry')} are in no store"
        )
        why = f"nobody else can know of them; the first was written {duration(waited)} ago"
        standing: Standing = "warning" if waited > LONG else "good"
        return Finding("lag", standing, what, why=why, hint="freehold sync", about=about)
    return Finding(
        "lag", "good", f"nothing is missing of {counted(log.held, 'entry')}", about=about
    )
