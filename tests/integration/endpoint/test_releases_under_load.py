"""While versions come and go, no request fails, and each is answered by one version whole."""

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import pytest

from freehold.endpoint.process import EndpointThread, wall_clock
from freehold.endpoint.settings import EndpointSettings

CLIENTS = 4


@pytest.mark.parametrize("releases", [20, pytest.param(100, marks=pytest.mark.long)])
def test_no_request_fails_while_versions_come_and_go(
    site: Any, request_of: Any, ask: Any, releases: int
) -> None:
    """Each release brings a version that was not loaded before: as a canary, then as the champion,
    and the one before it goes."""
    for version in range(1, releases + 2):
        site.model(version, bias=version / 100)
    site.route((1, 100.0, "champion"))
    body = json.dumps(request_of(*range(3))).encode()
    over = Event()
    settings = EndpointSettings(site.folder, port=0)
    with (
        EndpointThread(settings, site.runtime, site.signing, wall_clock) as endpoint,
        ThreadPoolExecutor(CLIENTS) as pool,
    ):
        watcher = endpoint.endpoint.watcher
        asking = [pool.submit(ask, endpoint.url, body, over) for _ in range(CLIENTS)]
        try:
            for version in range(1, releases + 1):
                for shares in (
                    ((version, 50.0, "champion"), (version + 1, 50.0, "challenger")),
                    ((version + 1, 100.0, "champion"),),
                ):
                    table = site.route(*shares, reference=shares[0][0])
                    while watcher.table.table != table:
                        assert watcher.refused is None
                        over.wait(0.01)
        finally:
            over.set()
        found = sum((one.result() for one in asking), Counter())
    assert {status for status, _ in found} == {200}
    assert found.total() > 10 * releases
    versions = {int(one) for _, told in found for one in told.split(",")}
    assert len(versions) > releases / 2
    log_rows = 3 * found.total()
    state = endpoint.endpoint._log.state
    assert (state.written, state.dropped) == (log_rows, 0)
