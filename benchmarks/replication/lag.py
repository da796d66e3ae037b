"""From an append at one site until the other has it, and what the store takes for that at least."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.outcome import Outcome
from benchmarks.replication.counts import Counts
from benchmarks.replication.stores import Store, opened, variables
from freehold.app.site.exchange import exchange
from freehold.app.site.opening import Site, open_site
from freehold.app.site.trusting import trust
from freehold.domain.fact import Draft
from freehold.ports.ledger import KeepsLogs
from freehold.ports.object_store import ObjectStore, StoreSettings

_PROJECT = """\
project: lag
pipelines: {{}}
site: here
sites:
  here:
    store: {{at: "{at}", endpoint: "{endpoint}", region: "{region}"}}
  there:
    store: {{at: "file://{private}"}}
    private: true
"""


def measure(store: Store, counts: Counts, outcome: Outcome) -> None:
    """The two in turns, so that what else the machine does comes to both."""
    settings = store.settings()
    lags, limits = [], []
    with TemporaryDirectory(dir=".", prefix="lag-") as name, _secrets("here", settings):
        root = Path(name).resolve()
        told = {"at": settings.location, "endpoint": settings.endpoint, "region": settings.region}
        (root / "freehold.yaml").write_text(_PROJECT.format(private=root / "private", **told))
        with open_site(root, site="here") as here, open_site(root, site="there") as there:
            for one, other in ((here, there), (there, here)):
                trust(one, other.name, other.signer.public.fingerprint)
            _settle(here, there)
            bare = opened(store.settings())
            for number in range(counts.exchanges):
                limits.append(_round_trip(bare, number))
                lags.append(_lag(here, there))
                _settle(here, there)
    outcome.spread(f"lag over {store.kind}", lags)
    outcome.spread(f"{store.kind}: one put, list and get", limits)
    what = f"lag over {store.kind} / one put, list and get"
    of = f"lag over {store.kind}, median ms", f"{store.kind}: one put, list and get, median ms"
    outcome.ratio(what, *of)


def _settle(*sites: Site) -> None:
    """Until nobody has anything new to say."""
    for _ in range(6):
        done = [exchange(site) for site in sites]
        if all(one.quiet for one in done):
            return


def _lag(here: Site, there: Site) -> float:
    begun = time.perf_counter()
    (entry,) = here.ledger.append([Draft("benchmark.noted", {"at": time.time_ns() // 1000})])
    exchange(here)
    exchange(there)
    taken = time.perf_counter() - begun
    if not isinstance(there.ledger, KeepsLogs):
        raise RuntimeError("this ledger holds no logs but its own")
    held = there.ledger.log_lines(here.ledger.writer, entry.fact.sequence)
    if next(held)[1] != entry.encoded:
        raise RuntimeError("the other site does not have what was appended")
    return taken


def _round_trip(store: ObjectStore, number: int) -> float:
    key, data = f"limit/{number:08d}", os.urandom(400)
    begun = time.perf_counter()
    store.put(key, data)
    found = list(store.keys("limit/", f"limit/{number - 1:08d}"))
    if store.get(found[-1]) != data:
        raise RuntimeError("the store does not give what it was given")
    return time.perf_counter() - begun


@contextmanager
def _secrets(site: str, settings: StoreSettings) -> Iterator[None]:
    added = variables(site, settings)
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            del os.environ[name]
