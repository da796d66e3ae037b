"""Files of labels, which say what came true, are not the labels that data bears."""

from itertools import count
from typing import cast

from freehold.adapters.memory.ledger import MemoryLedger
from freehold.app.site.labelled import Labelled
from freehold.app.site.opening import PROJECTIONS
from freehold.catalog.traffic import label_files
from freehold.domain.fact import Draft
from freehold.ports.contracts.kept_logs import MergingLedger
from freehold.ports.contracts.signer import TransientSigner


def test_what_came_true_is_no_label_of_an_artifact() -> None:
    ledger = cast(
        MergingLedger,
        MemoryLedger(
            writer="here-00000000",
            signer=TransientSigner(),
            clock=count(1_700_000_000_000_000).__next__,
            projections=PROJECTIONS,
        ),
    )
    body = {"model": "m", "artifact": "sha256:a", "rows": 3, "first": 1, "last": 2}
    ledger.append([Draft("labels.added", body)])
    assert [one.rows for one in label_files(ledger.state, "here", "m")] == [3]
    assert Labelled(ledger.state).places("sha256:a") == set()
