"""Names of logs that are gone on with, and who hands over to whom."""

from typing import Any

from freehold.adapters.memory.ledger import MemoryLedger
from freehold.domain.fact import Draft
from freehold.ports.contracts.signer import TransientSigner
from freehold.replication import trust
from freehold.replication.trust import HANDED_OVER, next_writer

OLD = "onprem-1a2b3c4d"


def test_the_next_log_has_the_next_number() -> None:
    assert next_writer(OLD, []) == f"{OLD}.2"
    assert next_writer(f"{OLD}.2", [OLD]) == f"{OLD}.3"
    assert next_writer(OLD, [f"{OLD}.5", "aws-1a2b3c4d.9"]) == f"{OLD}.6"


def test_a_name_that_a_stranger_made_up_makes_no_name_too_long() -> None:
    assert next_writer(OLD, [f"{OLD}.{'9' * 190}", f"{OLD}.2"]) == f"{OLD}.3"
    assert next_writer(OLD, [f"{OLD}.\u00b2"]) == f"{OLD}.2"
    assert next_writer(f"{OLD}.2", [f"{OLD}.999999"]) == f"{OLD}.3"


def test_only_the_first_handover_of_a_log_counts() -> None:
    ledger: Any = MemoryLedger(
        writer=OLD,
        signer=TransientSigner(),
        clock=iter(range(1_700_000_000_000_000, 1_700_000_000_100_000, 1000)).__next__,
        projections=(trust.projection,),
    )
    for key in ("sha256:new", "sha256:stolen"):
        ledger.append([Draft("key.replaced", {"site": "onprem", "key": key})])
    assert [key for key, _ in ledger.state.scan(HANDED_OVER)] == ["onprem/sha256:new"]
