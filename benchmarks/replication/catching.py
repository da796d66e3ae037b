"""A new site takes a whole history and all artifacts out of a store."""

import time
from contextlib import closing
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.outcome import Outcome
from benchmarks.replication import history
from benchmarks.replication.counts import Counts
from benchmarks.replication.files import Kept
from benchmarks.replication.stores import Store, opened
from freehold.adapters.disk.object_store import DiskObjectStore
from freehold.app.site.opening import PROJECTIONS
from freehold.replication.fetching import fetch_artifacts
from freehold.replication.publishing import publish_log
from freehold.replication.pulling import pull_log
from freehold.replication.sending import publish_artifacts


def write(folder: Path, counts: Counts) -> None:
    """The history that is to be taken, once for all stores."""
    clock = count(history.START, history.APART).__next__
    with closing(history.opened(folder, "onprem", clock, ())) as ledger:
        history.write(ledger, "onprem", counts.entries)


def measure(store: Store, source: Path, kept: Kept, outcome: Outcome) -> None:
    """`source`: of `write`; `kept`: artifacts and their digests."""
    objects, digests = kept
    clock = count(2 * history.START, history.APART).__next__
    meeting, public = opened(store.settings()), history.signer_of(source).public
    with closing(history.opened(source, "onprem", clock, ())) as ledger:
        begun = time.perf_counter()
        entries = publish_log(ledger, "onprem", public, meeting).entries
        published = time.perf_counter()
        publish_artifacts(digests, objects, meeting)
        sent = time.perf_counter()
    with TemporaryDirectory(dir=".", prefix="caught-up-") as name:
        new = DiskObjectStore(Path(name) / "objects")
        with closing(history.opened(Path(name), "aws", clock, PROJECTIONS)) as ledger:
            start = time.perf_counter()
            pulled = pull_log("onprem", ledger, {"store": meeting}, public)
            taken = time.perf_counter()
            fetched = fetch_artifacts(digests, {"store": meeting}, new)
            end = time.perf_counter()
    if pulled.entries != entries or len(fetched.got) != len(digests):
        raise RuntimeError(f"the new site lacks something: {pulled.faults} {fetched.faults}")
    what = f"{entries:,} entries over {store.kind}"
    outcome.figures[f"{what}, published, s"] = published - begun
    outcome.figures[f"{what}, taken by a new site, s"] = taken - start
    what = f"{len(digests):,} artifacts of 20 KB over {store.kind}"
    outcome.figures[f"{what}, sent, s"] = sent - published
    outcome.figures[f"{what}, taken by a new site, s"] = end - taken
