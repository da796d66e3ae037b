"""A site with something to read and something to decide, and a console on it.

Three versions of a model stand in its history, the first is the champion; two proposals and three
conflicts wait; another site can be asked for work. Nothing is trained but a pipeline that makes no
version, so that a proposal that is carried out ends as failed.
"""

import asyncio
import json
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest
from waiting import until

from freehold.app.release.release import plan_release, release
from freehold.app.site.exchange import exchange
from freehold.app.site.opening import Site, open_site
from freehold.catalog.package import admit, pack
from freehold.console.application import Application
from freehold.console.loop import Loop
from freehold.console.opened import OpenedSite
from freehold.console.settings import Limits
from freehold.console.token import token_of
from freehold.domain.canonical import canonical
from freehold.domain.fact import Draft
from freehold.domain.package import Admission
from freehold.domain.verdict import Verdict
from freehold.monitoring.proposals import Proposal, made
from freehold.training.evidence import evaluate

PROJECT = """\
project: orchard
site: onprem
parallel: 1
pipelines: {{sums: steps:sums, greeting: steps:greeting}}
models: {{delay: {{pipeline: sums}}}}
endpoint: {{model: delay, port: 0}}
sites:
  onprem: {{store: {{at: "file://{stores}/onprem"}}, jurisdiction: DE, keys: [{onprem}]}}
  aws: {{store: {{at: "file://{stores}/aws"}}, jurisdiction: US, keys: [{aws}]}}
"""
STEPS = """\
from freehold import pipeline, step


@step
def numbers(count: int) -> list[int]:
    return list(range(count))


@step(cache=False)
def total(given: list[int]) -> int:
    return sum(given)


@step(cache=False)
def greeted(name: str) -> str:
    return f"hello {name}"


@pipeline
def sums(count: int = 4) -> int:
    return total(numbers(count))


@pipeline
def greeting(name: str = "you") -> str:
    return greeted(name)
"""
ALIASES = ("autumn", "spring", "winter")
PROPOSALS = ("delay/2024-01-14", "delay/2024-02-14")


def evidence() -> bytes:
    chance = np.random.default_rng(7)
    scores = chance.random(400)
    labels = (chance.random(400) < scores).astype(np.float64)
    found = evaluate(scores, labels, pl.DataFrame({"distance": scores}).select())
    return canonical(found.as_json())


def register(site: Site, version: int) -> None:
    """A version of a tiny package, that policy allowed."""
    payload = pack({"part/weights.bin": bytes([version]) * 2000})
    verdict = Verdict(True, (), ("all",), "sha256:0")
    admission = admit(Admission("delay", version, payload.digest, verdict), site.signer)
    about = {"model": "delay", "version": version}
    signature = site.artifacts.put(f"signature {version}".encode())
    registered = {
        **about,
        "run": f"run-{version}",
        "package": {"digest": site.artifacts.put(payload.data), "size": len(payload.data)},
        "attestations": {
            "model.sig": signature,
            "evidence.json": site.artifacts.put(evidence()),
        },
        "headline": {"auc": 0.7 + version / 100, "auc_low": 0.69, "auc_high": 0.78},
        "champion": None,
        "rows": {"training": 1, "evaluation": 1},
    }
    judged = {
        **about,
        "allowed": True,
        "rules": [],
        "policy": "sha256:0",
        "attestations": {"admission.json": site.artifacts.put(admission)},
    }
    site.ledger.append([Draft("model.registered", registered)])
    site.ledger.append([Draft("model.judged", judged)])


def quarrel(site: Site, version: int) -> None:
    """A word on aliases of another model; said at two sites, it is a conflict on each."""
    for alias in ALIASES:
        about = {"model": "orchard", "alias": alias, "version": version}
        site.ledger.append([Draft("alias.moved", {**about, "previous": None, "release": ""})])


def checkouts(folder: Path) -> Path:
    """The first site's, after both have met."""
    keys: dict[str, str] = {"onprem": "", "aws": ""}
    for _ in range(2):
        for name in keys:
            root = folder / name
            root.mkdir(parents=True, exist_ok=True)
            text = PROJECT.format(stores=folder / "stores", **keys)
            (root / "freehold.yaml").write_text(text)
            (root / "steps.py").write_text(STEPS)
            with open_site(root, site=name) as site:
                keys[name] = site.signer.public.fingerprint
    with open_site(folder / "onprem") as site:
        for version in (1, 2, 3):
            register(site, version)
        release(site, plan_release(site, "delay@1"))
        for name in PROPOSALS:
            day = name.partition("/")[2]
            behind = ({"feature": "", "kind": "score-drift", "window_end": day},)
            site.ledger.append([made(Proposal(name, "delay", 1, day, behind))])
        quarrel(site, 1)
    with open_site(folder / "aws", site="aws") as site:
        quarrel(site, 2)
        exchange(site)
    with open_site(folder / "onprem") as site:
        for _ in range(2):
            assert not exchange(site).faults
    return folder / "onprem"


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        return str(self.json["error"]["code"])

    @property
    def faults(self) -> list[tuple[str, str]]:
        return [(one["where"], one["what"]) for one in self.json["error"]["faults"]]


@dataclass
class Client:
    """Calls the ASGI application without a socket."""

    application: Application
    token: str
    told: list[str] = field(default_factory=list)

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | dict[str, Any] = b"",
        headers: dict[str, str] | None = None,
        *,
        chunk: int = 1 << 20,
        stalls: bool = False,
    ) -> Reply:
        """A header of the value "" is left out."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        given = {
            "host": "127.0.0.1:8200",
            "authorization": f"Bearer {self.token}",
            "content-type": "application/json",
            **(headers or {}),
        }
        where, _, query = path.partition("?")
        scope = {
            "type": "http",
            "method": method,
            "path": where,
            "query_string": query.encode(),
            "headers": [(k.lower().encode(), v.encode("latin-1")) for k, v in given.items() if v],
        }
        chunks = [data[at : at + chunk] for at in range(0, len(data), chunk)] or [b""]
        messages = iter(
            {"type": "http.request", "body": part, "more_body": stalls or at + 1 < len(chunks)}
            for at, part in enumerate(chunks)
        )
        sent: list[Any] = []

        async def receive() -> Any:
            message = next(messages, None)
            if message is None and stalls:
                await asyncio.Event().wait()
            return message or {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        asyncio.run(self.application(scope, receive, send))
        start, end = sent
        told = {name.decode(): value.decode() for name, value in start["headers"]}
        return Reply(start["status"], told, end["body"])

    def get(self, path: str) -> Any:
        reply = self.ask("GET", f"/api/v1{path}")
        assert reply.status == 200, reply.json
        return reply.json

    def post(self, path: str, body: Any = b"", **headers: str) -> Reply:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.ask("POST", f"/api/v1{path}", body, named)


def facts(site: Site, *types: str) -> list[dict[str, Any]]:
    """Bodies of the own log's facts of these types, in order."""
    found = (json.loads(line) for _, line in site.ledger.lines())
    return [fact["body"] for fact in found if fact["type"] in types]


def count(site: Site) -> Counter[str]:
    """Facts of the own log, by type."""
    return Counter(json.loads(line)["type"] for _, line in site.ledger.lines())


@contextmanager
def connected(folder: Path, every: float = 0.0, **limits: Any) -> Iterator[Client]:
    """With a loop that turns `every` so many seconds, if given."""
    opened = OpenedSite(partial(open_site, folder))
    told, path = list[str](), list(sys.path)
    token = token_of(opened.site.folder)
    loop = Loop(opened, told.append, every) if every else None
    application = Application(opened, token, loop, told.append, Limits(**limits))
    try:
        if loop is not None:
            loop.start()
        yield Client(application, token, told)
    finally:
        application.close()
        assert loop is None or loop.stop(60)
        opened.close()
        sys.path[:] = path


@pytest.fixture(scope="session")
def orchard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Not to be changed: `folder` is a copy."""
    return checkouts(tmp_path_factory.mktemp("orchard"))


@pytest.fixture
def folder(orchard: Path, tmp_path: Path) -> Path:
    return shutil.copytree(orchard, tmp_path / "onprem")


@pytest.fixture
def client(folder: Path) -> Iterator[Client]:
    """Without a loop."""
    with connected(folder) as found:
        yield found


@pytest.fixture
def connect() -> Callable[..., Any]:
    """`with connect(folder, body_bytes=…) as client`."""
    return connected


@pytest.fixture(scope="session")
def console() -> Any:
    """What the tests share: `facts`, `count`, names of what waits."""
    return SimpleNamespace(
        facts=facts,
        count=count,
        proposals=PROPOSALS,
        aliases=ALIASES,
        connect=connected,
        until=until,
    )
