"""The process of a twin: does what it is told, one thing after the other, for as long as it lives.

Orders and answers are lines of JSON: `{"do": "exchange", "number": 7}`, then what came of it, or
`{"error": …}`. Each answer has its order's number and says which process gave it.
"""

import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import orjson
import polars as pl

from freehold.app.audit.verify import audit
from freehold.app.conflict.conflicts import conflicts
from freehold.app.drill.corner import ALL_AT_ONCE, empty_corner
from freehold.app.drill.offline.peers import own_address, try_peers
from freehold.app.drill.offline.work import ask, end_canary, take_snapshots, work
from freehold.app.loop.replay import await_routing
from freehold.app.release.serving_folder import publish
from freehold.app.site.exchange import exchange
from freehold.app.site.meeting import reached
from freehold.app.site.opening import Site
from freehold.app.site.stores import open_store
from freehold.app.traffic.client import EndpointClient
from freehold.app.traffic.requests import collect
from freehold.delivery.releases import aliases_of
from freehold.domain.canonical import canonical
from freehold.domain.errors import FreeholdError, WrongUsage
from freehold.domain.merkle import Frontier, leaf_hash
from freehold.ports.object_store import ObjectStore

TABLES = (
    *("accused", "aliases", "claims", "conflicts", "handed_over", "holds", "proposals"),
    *("releases", "revoked", "runs", "signals", "steps", "stopped", "trusted", "versions"),
)
"""What two sites must agree on."""


class RunningEndpoint(Protocol):
    @property
    def url(self) -> str: ...

    @property
    def pid(self) -> int: ...

    def stop(self) -> None: ...


StartEndpoint = Callable[[Path], RunningEndpoint]
"""On a serving folder, in a process of its own; returns once it answers."""


class Hands:
    def __init__(self, site: Site, model: str, start: StartEndpoint) -> None:
        self._site, self._model, self._start = site, model, start
        self._endpoint: RunningEndpoint | None = None
        self._rows: pl.DataFrame | None = None
        self._verbs: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
            "address": self._address,
            "audit": self._audit,
            "champion": self._champion,
            "clean": self._clean,
            "conflicts": lambda _: {"open": [one.as_json() for one in conflicts(self._site)]},
            "exchange": self._exchange,
            "head": lambda _: self._head(),
            "logs": self._logs,
            "note": self._note,
            "peers": self._peers,
            "predict": self._predict,
            "prefix": self._prefix,
            "probe": self._probe,
            "serve": self._serve,
            "snapshot": self._snapshot,
            "work": self._work,
        }

    def obey(self, order: Mapping[str, Any]) -> dict[str, Any]:
        """What is known to go wrong is in the answer; a bug ends the process, and so the drill."""
        about = {"number": order["number"], "pid": os.getpid()}
        try:
            return {**about, **self._verbs[order["do"]](order)}
        except FreeholdError as error:
            return {**about, **error.as_json()}

    def close(self) -> None:
        if self._endpoint is not None:
            self._endpoint.stop()

    def _probe(self, order: Mapping[str, Any]) -> dict[str, Any]:
        """Every store that this site may use, or those that are named: put, get and delete."""
        names = order.get("stores") or reached(self._site)
        # Opened one by one: two threads that import parts of one library at the same time may
        # each wait for the other's, and one of them is then told that it is not installed.
        opened = {name: self._opened(name) for name in names}
        with ThreadPoolExecutor(ALL_AT_ONCE) as pool:
            return {"stores": dict(zip(names, pool.map(self._try, opened.values()), strict=True))}

    def _opened(self, name: str) -> ObjectStore | str:
        """Or why not."""
        try:
            return self._store(name)
        except FreeholdError as error:
            return f"{error.code}: {error.what}"

    def _try(self, store: ObjectStore | str) -> str:
        """Empty if the store did all of it, else what it answered."""
        if isinstance(store, str):
            return store
        key, data = f"probe/{self._site.name}", os.urandom(16)
        try:
            store.put(key, data)
            found = store.get(key)
            store.delete(key)
        except KeyError:
            return "storage.absent: what was put is not there"
        except FreeholdError as error:
            return f"{error.code}: {error.what}"
        return "" if found == data else "storage.altered: it gave other bytes than were put"

    def _address(self, _: Mapping[str, Any]) -> dict[str, Any]:
        """Where others would find this process, as it speaks to the stores."""
        sites = self._site.project.spec.sites.values()
        return {"address": own_address(one.store.endpoint for one in sites)}

    def _peers(self, order: Mapping[str, Any]) -> dict[str, Any]:
        """`addresses`: by site; all others than this one are tried."""
        others = {k: v for k, v in order["addresses"].items() if k != self._site.name}
        return {"peers": try_peers(others)}

    def _store(self, name: str) -> ObjectStore:
        return open_store(self._site.project.spec.sites[name].store, name, os.environ)

    def _exchange(self, _: Mapping[str, Any]) -> dict[str, Any]:
        done = exchange(self._site)
        return {**done.as_json(), "quiet": done.quiet}

    def _champion(self, _: Mapping[str, Any]) -> dict[str, Any]:
        return {"champion": aliases_of(self._site.state, self._model).get("champion")}

    def _serve(self, _: Mapping[str, Any]) -> dict[str, Any]:
        """Starts the endpoint if anything is released here; the one that runs stays."""
        end_canary(self._site, self._model)
        if self._endpoint is None and publish(self._site, self._model) is not None:
            self._endpoint = self._start(self._site.serving)
        return {"endpoint": self._endpoint.pid if self._endpoint else 0}

    def _snapshot(self, order: Mapping[str, Any]) -> dict[str, Any]:
        return {"run": take_snapshots(self._site, self._model, order.get("values", {}))}

    def _work(self, order: Mapping[str, Any]) -> dict[str, Any]:
        done = work(self._site, self._model, order.get("values", {}))
        self._rows = done.rows
        self._serve({})
        return {**done.as_json(), **self._predict({}), **self._head()}

    def _predict(self, _: Mapping[str, Any]) -> dict[str, Any]:
        if self._endpoint is None:
            raise WrongUsage(
                "nothing serves at this site",
                why="its endpoint was not started, or has been stopped",
                hint="order `serve` before `predict`",
                code="endpoint.unreachable",
            )
        # Hours of a drill are minutes: an endpoint has long closed a connection that was idle.
        with closing(EndpointClient(self._endpoint.url)) as client:
            await_routing(self._site, client, self._model)
            answered = ask(self._site, client, self._model, self._rows)
            client.flush()
        return {"predicted": answered, "endpoint": self._endpoint.pid}

    def _note(self, _: Mapping[str, Any]) -> dict[str, Any]:
        """An ordinary hour: predictions are asked, and their log is recorded in the history."""
        if self._endpoint is None:
            return {"rows": 0, **self._head()}
        answered = self._predict({})["predicted"]
        collect(self._site, self._model)
        return {"rows": answered["rows"], **self._head()}

    def _head(self) -> dict[str, Any]:
        """Of the own log, as of now: what was acknowledged."""
        own = self._site.ledger.writer
        held = next(log for log in self._site.ledger.logs() if log.writer == own)
        return {"writer": own, "size": held.size, "root": held.root}

    def _logs(self, order: Mapping[str, Any]) -> dict[str, Any]:
        """`since`: entries of the own log after which times are asked for."""
        digest = sha256()
        for table in TABLES:
            rows = dict(self._site.state.scan(table))
            digest.update(canonical([table, rows]))
        logs = {log.writer: [log.size, log.root, log.folded] for log in self._site.ledger.logs()}
        own = self._site.ledger.writer
        late = self._site.ledger.log_lines(own, order.get("since", 0))
        walls = [orjson.loads(line)["time"]["wall"] for _, line in late]
        times = [min(walls), max(walls)] if walls else []
        return {"logs": logs, "state": digest.hexdigest(), "times": times, "writer": own}

    def _prefix(self, order: Mapping[str, Any]) -> dict[str, Any]:
        """Roots over the first entries of logs, hashed again from the bytes that are held here."""
        roots = []
        for writer, size in order["heads"]:
            tree = Frontier()
            lines = islice(self._site.ledger.log_lines(writer), size)
            tree.extend(leaf_hash(line) for _, line in lines)
            roots.append(tree.root().hex() if tree.size == size else "")
        return {"roots": roots}

    def _audit(self, _: Mapping[str, Any]) -> dict[str, Any]:
        report = audit(self._site)
        return {
            "holds": report.holds,
            "faults": report.faults,
            "logs": 1 + len(report.others),
            "entries": report.history.entries + sum(o.history.entries for o in report.others),
        }

    def _clean(self, _: Mapping[str, Any]) -> dict[str, Any]:
        """Empties this site's own store of the drill; how many objects there were, and are."""
        removed, left = empty_corner(self._store(self._site.name))
        return {"removed": removed, "left": left}
