"""One process turns a model's loop at a time; another is refused, or waits."""

import subprocess
import sys
from threading import Event, Thread
from typing import Any

import pytest

from freehold.app.loop import turns
from freehold.app.loop.advance import advance, carry_out
from freehold.app.loop.turns import LoopBusy, turn
from freehold.app.site.opening import open_site

HOLDS = """
import sys
from pathlib import Path
from freehold.app.loop.turns import turn
from freehold.app.site.opening import open_site

with open_site(Path(sys.argv[1])) as site, turn(site, "delay"):
    print("mine", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def other(loop: Any) -> Any:
    """A process that holds the turn until its input ends."""
    command = [sys.executable, "-c", HOLDS, str(loop.site.project.root)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "mine\n"
        yield process
        process.kill()


def test_another_process_turns_it(loop: Any, other: Any) -> None:
    loop.canary(2, 10)
    before = loop.count()
    with pytest.raises(LoopBusy) as caught:
        loop.turn()
    assert caught.value.code == "loop.busy"
    assert caught.value.why and caught.value.hint
    assert carry_out(loop.site, "delay", loop.told.append) is None
    assert loop.count() == before
    other.communicate(timeout=30)
    assert loop.turn().files == 1


def test_the_turn_of_a_process_that_was_killed_is_free(loop: Any, other: Any) -> None:
    other.kill()
    other.wait()
    loop.canary(2, 10)
    assert loop.turn().files == 1


def test_another_models_loop_is_another_turn(loop: Any, other: Any) -> None:
    with turn(loop.site, "other"):
        pass


def test_one_that_waits_gets_its_turn_when_the_other_is_through(
    loop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It looks again and again; the first has ended by its third look."""
    loop.canary(2, 10)
    waits, ended = Event(), Event()
    looks: list[float] = []

    def look_again(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) == 2:
            waits.set()
            assert ended.wait(30)

    monkeypatch.setattr(turns, "sleep", look_again)
    files: list[int] = []

    def second() -> None:
        with open_site(loop.site.project.root) as site:
            files.append(advance(site, "delay", wait=True).files)

    thread = Thread(target=second)
    with turn(loop.site, "delay"):
        thread.start()
        assert waits.wait(30)
        assert files == []
    ended.set()
    thread.join(30)
    assert files == [1]
    assert len(looks) == 2


def test_one_that_waits_gives_up_in_the_end(
    loop: Any, other: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[float] = []
    monkeypatch.setattr(turns, "sleep", looks.append)
    monkeypatch.setattr(turns, "LOOKS", 5)
    with pytest.raises(LoopBusy):
        advance(loop.site, "delay", wait=True)
    assert looks == [turns.PAUSE] * 4


def test_a_turn_that_raises_is_given_back(loop: Any) -> None:
    with pytest.raises(ZeroDivisionError), turn(loop.site, "delay"):
        raise ZeroDivisionError
    with turn(loop.site, "delay"):
        pass
