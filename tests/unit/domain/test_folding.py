"""What a fold cannot read is passed over as a whole, and noted."""

from collections.abc import Iterable, Iterator
from typing import Any

import orjson
import pytest

from freehold.domain.errors import NotFound
from freehold.domain.fact import Fact
from freehold.domain.hybrid_time import HybridTime
from freehold.domain.projection import UNREADABLE, Change, Folding, Projection, Row, State


class Rows:
    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], Any] = {}

    def get(self, table: str, key: str) -> Any | None:
        return self.rows.get((table, key))

    def scan(self, table: str, prefix: str = "") -> Iterator[tuple[str, Any]]:
        return ((key, row) for (name, key), row in sorted(self.rows.items()) if name == table)

    def write(self, rows: Iterable[Row]) -> None:
        for table, key, encoded in rows:
            self.rows[table, key] = None if encoded is None else orjson.loads(encoded)


def _fold(fact: Fact, state: State) -> Iterable[Change]:
    yield Change("first", "row", 1)
    match fact.body["fault"]:
        case "arithmetic":
            yield Change("first", "share", 1 / fact.body["count"])
        case "attribute":
            yield Change("first", fact.body["count"].strip(), 1)
        case "index":
            yield Change("first", [][fact.body["count"]], 1)
        case "unknown":
            raise NotFound("there is none", code="test.none", hint="")
        case "value":
            yield Change("first", "row", int("x"))
        case "read":
            state.get("first", fact.body["count"])
        case "scan":
            list(state.scan("first", fact.body["count"]))
        case "write":
            yield Change("first", fact.body["count"], 1)
        case "row":
            yield Change("first", "row", {fact.body["count"]: 1})


FOLDING = Folding(
    [
        Projection("first", 1, frozenset({"a.b"}), _fold),
        Projection("second", 1, frozenset({"a.b"}), lambda fact, _: [Change("second", "row", 2)]),
    ]
)
FAULTS = [
    *("arithmetic", "attribute", "index", "unknown", "value"),
    *("read", "scan", "write", "row"),
]


def fact(body: dict[str, Any]) -> Fact:
    return Fact("a.b", 3, "w", 7, HybridTime(1), {"v": "2:" + "0" * 64}, (), "system", body)


@pytest.mark.parametrize("body", [{}, *({"fault": fault, "count": 0} for fault in FAULTS)])
def test_what_a_projection_cannot_read_is_passed_over_and_noted(body: dict[str, Any]) -> None:
    stored, read = Rows(), Rows()
    FOLDING.refold(fact(body).encoded(), stored)
    FOLDING.fold_read(fact(body), read)
    assert stored.rows == read.rows
    assert read.rows.pop(("seen", "w")) == {"v": 2}
    assert read.rows == {
        ("second", "row"): 2,
        (UNREADABLE, "w/7"): {"projections": ["first"], "type": "a.b", "version": 3},
    }


@pytest.mark.parametrize("body", [{}, *({"fault": fault, "count": 0} for fault in FAULTS)])
def test_an_own_fact_that_cannot_be_read_is_not_appended(body: dict[str, Any]) -> None:
    faults = (ArithmeticError, AttributeError, LookupError, NotFound, TypeError, ValueError)
    with pytest.raises(faults):
        FOLDING.fold(fact(body).encoded(), Rows())


def test_what_can_be_read_is_not_noted() -> None:
    own, again = Rows(), Rows()
    FOLDING.fold(fact({"fault": "none"}).encoded(), own)
    FOLDING.refold(fact({"fault": "none"}).encoded(), again)
    assert own.rows == again.rows
    assert own.rows["first", "row"] == 1 and not list(own.scan(UNREADABLE))
