"""Whatever a believed writer signs, what is taken can be ordered and folded."""

from typing import Any

import orjson
import pytest

from freehold.domain.checkpoint import Checkpoint
from freehold.domain.continuation import continued
from freehold.domain.errors import IntegrityError
from freehold.domain.fact import Fact
from freehold.domain.hybrid_time import LIMIT, HybridTime
from freehold.domain.merkle import Frontier, leaf_hash

ENTRY = Fact("a.b", 1, "w", 0, HybridTime(LIMIT, LIMIT), {}, ("v/1",), "s", {"n": 1})


def taken(line: bytes) -> None:
    root = leaf_hash(line).hex()
    list(continued("w", Frontier(), HybridTime(0), 0, [line], [Checkpoint("w", 1, root, 1, "k")]))


def test_the_last_time_there_is_is_a_time() -> None:
    taken(ENTRY.encoded())


ROOT = "0" * 64
WRONG: dict[str, list[Any]] = {
    "time": [
        *({"logical": 0, "wall": wall} for wall in (-1, LIMIT + 1, 2**62, 2**64 - 1)),
        *({"logical": number, "wall": 1} for number in (-1, LIMIT + 1)),
        *({"logical": 0, "wall": wall} for wall in ("1", 1.0, True, None)),
        *(1, [], {}),
    ],
    "body": [1, [], "text", None],
    "type": [1, None, []],
    "actor": [1, None],
    "version": [True, "1", 1.0, None],
    "sequence": [False, "0", 0.0],
    "cause": [[1], 1, [["v/1"]]],
    "seen": [1, [], {"v": 1}, *({"v": f"{size}:{ROOT}"} for size in ("²", "9" * 17, "9" * 5000))],
}


@pytest.mark.parametrize(
    ("member", "value"), [(member, value) for member in WRONG for value in WRONG[member]]
)
def test_an_entry_with_a_wrong_member_is_refused(member: str, value: Any) -> None:
    with pytest.raises(IntegrityError) as refused:
        taken(orjson.dumps({**ENTRY.as_json(), member: value}))
    assert refused.value.code == "log.wrong-entry"
