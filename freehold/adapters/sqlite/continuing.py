"""Leaves the own log, which becomes one among the others, for a new and empty one."""

import sqlite3

import orjson

from freehold.adapters.sqlite.logs import LogRow, Logs
from freehold.domain.fact import Draft, Fact
from freehold.domain.hybrid_time import HybridTime
from freehold.domain.merkle import Frontier
from freehold.domain.rerecording import drafts_of


def leave_log(
    connection: sqlite3.Connection, logs: Logs, old: str, new: str, keep: int
) -> tuple[Draft, ...]:
    """Within a transaction. Keeps the first `keep` entries of the old log, and returns the others
    as drafts for the new one. All has to be placed and folded again."""
    frontier, time, cut = Frontier(), HybridTime(0), []
    for sequence, encoded, leaf in connection.execute(
        "SELECT sequence, encoded, leaf FROM entries ORDER BY sequence"
    ):
        fact = Fact.from_json(orjson.loads(encoded))
        if sequence < keep:
            frontier.add(leaf)
            time = fact.time
        else:
            cut.append(fact)
    connection.execute(
        "INSERT INTO foreign_entries SELECT ?, sequence, encoded, leaf FROM entries"
        " WHERE sequence < ?",
        (old, keep),
    )
    connection.execute(
        "INSERT INTO foreign_checkpoints SELECT ?, size, encoded FROM checkpoints WHERE size <= ?",
        (old, keep),
    )
    logs.save(LogRow(old, frontier, time, folded=frontier.size, announced=0))
    # The new log has announced nothing yet.
    connection.execute("UPDATE logs SET announced = 0")
    connection.execute("DELETE FROM entries")
    connection.execute("DELETE FROM checkpoints")
    connection.execute("UPDATE frontier SET size = 0, roots = x'', wall = 0, logical = 0")
    connection.execute("UPDATE meta SET value = ? WHERE name = 'writer'", (new,))
    return drafts_of(cut, new)
