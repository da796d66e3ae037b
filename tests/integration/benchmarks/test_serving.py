"""The servers of the benchmark of serving stand, answer and end; how fast is no test's concern.

In the environment of the tests: those of others are made by the benchmark itself.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from benchmarks.peers.setup import PeerFailed
from benchmarks.serving import servers
from benchmarks.serving.costs import dropped, shadowed
from benchmarks.serving.family import everyone, family, memory, spent_together, stop
from benchmarks.serving.place import Place, place
from benchmarks.serving.questions import SHAPES, body
from benchmarks.serving.releases import Releases
from benchmarks.serving.rounds import SHORT
from benchmarks.serving.standing import Server, asked

HERE = Path(sys.executable)
PARENT = """
import signal, subprocess, sys
waits = "import time; print(1, flush=True); time.sleep(600)"
child = subprocess.Popen([sys.executable, "-c", waits], start_new_session=True, stdout=-1)
child.stdout.readline()
print(child.pid, flush=True)
signal.pause()
"""


@pytest.fixture(scope="module")
def here() -> Iterator[Place]:
    with place(SHORT) as made:
        yield made


def routing(url: str) -> Any:
    return orjson.loads(asked(url.replace(servers.INFER, "/freehold/routing"), None))


def test_a_family_is_ended_whole() -> None:
    """A child in a session of its own outlives its parent."""
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], stdout=subprocess.PIPE, start_new_session=True
    ) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        assert {each.pid for each in family(process.pid)} == {process.pid, child}
        assert memory(process.pid) > memory(child) > 0
        assert spent_together(process.pid) >= spent_together(child) >= 0
        stop(process.pid)
        process.wait()
        now = everyone()
        assert child not in now or now[child].gone
    assert os.getpid() in now


def test_the_bare_server_gives_lightgbms_scores(here: Place) -> None:
    with here.standing(servers.limit(here.root, HERE)) as bare:
        assert bare.ready > 0
        constant = bare.url.replace("/predict", "/const")
        for rows, _ in SHAPES:
            answer = asked(bare.url, body(rows))
            assert abs(len(asked(constant, body(rows))) - len(answer)) < len(answer) / 4
    assert not family(bare.pid)


def test_so_does_the_barest(here: Place) -> None:
    """`standing` holds its answers for one row and for many against them."""
    with here.standing(servers.limit(here.root, HERE, servers.BAREST)) as barest:
        assert barest.ready > 0
    assert not family(barest.pid)


def test_who_answers_otherwise_or_ends_is_not_measured(here: Place) -> None:
    wrong = replace(here, expected={1: [0.5], 64: [0.5] * 64})
    with (
        pytest.raises(PeerFailed, match="limit does not give LightGBM's scores"),
        wrong.standing(servers.limit(here.root, HERE)),
    ):
        pass
    ending = Server("ending", HERE, ("-c", "raise SystemExit('no {port}')"), "/")
    with pytest.raises(PeerFailed, match=r"ending ended with 1: no \d+"), here.standing(ending):
        pass


def test_versions_are_released_while_it_answers(here: Place) -> None:
    """Each is loaded anew, though there are few of them; what runs beside ends it."""
    folder = here.folder("released", versions=12)
    folder.route(100.0)
    over: Future[None] = Future()
    with here.standing(servers.ours(folder.path, python=HERE)) as ours:

        class Counted(Releases):
            def _in_force(self, table: int) -> None:
                super()._in_force(table)
                told = routing(ours.url)
                if told["version"] == 7:
                    over.set_result(None)

        releases = Counted(folder, ours.url.removesuffix(servers.INFER))
        releases.until(over)
        assert (releases.made, releases.serving) == (3, 4)
        (only,) = routing(ours.url)["variants"]
        assert only["version"] == 4


def test_a_shadow_and_an_endpoint_without_its_log(here: Place) -> None:
    shadow, unlogged = here.folder("shadow"), here.plain("unlogged")
    shadow.route(100.0, 0.0, shadow=100.0)
    with here.standing(servers.ours(shadow.path, python=HERE)) as ours:
        assert routing(ours.url)["shadow"] == {"version": 2, "share": 100.0}
    with here.standing(servers.without_log(unlogged.path, HERE)):
        pass
    assert shadowed(shadow.path / "log") == {1: 1.0, 64: 1.0}
    assert dropped(shadow.path / "events") == 0
    assert not list((unlogged.path / "log").glob("*.parquet"))
