"""What a model does to its process costs the call that it answered, and nothing else."""

import gc
import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from waiting import until

from freehold.adapters.isolation.runtime import IsolatedRuntime, PyfuncRuntime
from freehold.adapters.isolation.settings import ProcessSettings, read_settings
from freehold.domain.errors import Failed, FreeholdError, IntegrityError, Refused
from freehold.ports.model_runtime import Elsewhere

GIBIBYTE = 2**30


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


@pytest.mark.parametrize(
    ("deed", "code", "why"),
    [
        ("raise", "runtime.model-raised", "ValueError: a model that raises"),
        ("leave", "runtime.model-raised", "SystemExit: 3"),
        ("exit", "runtime.process-ended", "exit code 7"),
        ("crash", "runtime.process-ended", "SIGSEGV"),
        ("fork", "runtime.process-ended", "exit code 0"),
        ("balloon", "runtime.out-of-memory", "MemoryError"),
        ("short", "runtime.wrong-answer", "(2,) for 1 rows"),
        ("text", "runtime.wrong-answer", "no numbers"),
    ],
)
def test_harm_costs_its_own_call(started: Any, row: Any, deed: str, code: str, why: str) -> None:
    model = started()
    assert model.predict(row(number=3.0)).tolist() == [1.5]
    with pytest.raises(Failed) as caught:
        model.predict(row(deed))
    assert caught.value.code == code and why in caught.value.why
    assert model.predict(row(number=3.0)).tolist() == [1.5]


@pytest.mark.parametrize("deed", ["sleep", "spin"])
def test_a_model_that_hangs_is_ended_and_started_again(started: Any, row: Any, deed: str) -> None:
    model = started(deadline=20.0)
    before = model.pid
    model._keeper._settings = ProcessSettings(deadline=1.0)
    with pytest.raises(Failed) as caught:
        model.predict(row(deed))
    assert caught.value.code == "runtime.timed-out"
    assert not alive(before)
    model._keeper._settings = ProcessSettings(deadline=60.0)
    assert model.predict(row(number=4.0)).tolist() == [2.0]
    assert model.pid != before


def test_others_wait_while_it_is_started_again(started: Any, row: Any) -> None:
    """Forty calls at once, every eighth of which ends the process."""
    model = started(deadline=120.0)

    def ask(number: int) -> Any:
        try:
            return model.predict(row("exit" if number % 8 == 7 else "", float(number)))[0]
        except FreeholdError as exc:
            return exc.code

    with ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(ask, range(40)))
    assert answers == [
        "runtime.process-ended" if number % 8 == 7 else number / 2 for number in range(40)
    ]


def test_a_leak_costs_no_call(started: Any, row: Any) -> None:
    model = started(memory=int(0.6 * GIBIBYTE), deadline=60.0)
    before = model.pid
    for _ in range(12):
        assert model.predict(row("leak", 6.0)).tolist() == [3.0]

    def replaced() -> bool:
        assert model.predict(row(number=6.0)).tolist() == [3.0]
        return bool(model.pid != before)

    until(replaced)
    until(lambda: not alive(before))


def test_a_call_that_takes_all_memory_is_ended(started: Any, row: Any) -> None:
    model = started(memory=GIBIBYTE // 2, deadline=60.0)
    with pytest.raises(Failed) as caught:
        model.predict(row("swell"))
    assert caught.value.code == "runtime.out-of-memory"
    assert model.predict(row(number=6.0)).tolist() == [3.0]


def test_no_more_calls_wait_than_may(started: Any, row: Any) -> None:
    model = started(deadline=3.0, queue=2)

    def ask(_: int) -> str:
        try:
            model.predict(row("sleep"))
        except FreeholdError as exc:
            return exc.code
        return "answered"

    with ThreadPoolExecutor(8) as threads:
        codes = list(threads.map(ask, range(8)))
    assert codes.count("runtime.busy") >= 5 and "answered" not in codes
    assert "runtime.timed-out" in codes


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_fork_of_the_endpoint_takes_nothing_down(started: Any, row: Any) -> None:
    model = started()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            model.predict(row())
        except Failed as exc:
            os.write(writer, exc.code.encode())
        model._keeper.close()
        os._exit(0)
    os.waitpid(child, 0)
    os.close(writer)
    with os.fdopen(reader) as told:
        assert told.read() == "runtime.forked"
    assert model.predict(row(number=8.0)).tolist() == [4.0]


def test_what_it_prints_goes_to_standard_error(started: Any, row: Any, capfd: Any) -> None:
    model = started()
    assert model.predict(row("shout", 2.0)).tolist() == [1.0]
    printed = capfd.readouterr()
    assert printed.out == "" and "model model" in printed.err


def test_an_altered_copy_is_not_loaded(started: Any, row: Any) -> None:
    model = started(deadline=3.0)
    place = Path(f"/proc/{model.pid}/cwd").readlink()
    (place / "package/code/harmful.py").write_text("print('other code')")
    with pytest.raises(Failed):
        model.predict(row("exit"))
    with pytest.raises(Failed) as caught:
        model.predict(row())
    assert caught.value.code == "runtime.down" and "altered" in caught.value.why


def test_nothing_is_left_when_the_model_is_let_go(started: Any, row: Any, package: Path) -> None:
    model = PyfuncRuntime(ProcessSettings()).load(package)
    assert isinstance(model, Elsewhere) and model.deadline == 20.0
    model.predict(row("write"))
    pid = model.pid  # type: ignore[attr-defined]
    place = Path(f"/proc/{pid}/cwd").readlink()
    assert (place / "model-was-here").exists()
    del model
    gc.collect()
    assert not alive(pid) and not place.exists()


_OWNER = """
import os, sys
from pathlib import Path
from freehold.adapters.isolation.runtime import PyfuncRuntime
model = PyfuncRuntime().load(Path(sys.argv[1]))
print(model.pid, Path(f"/proc/{model.pid}/cwd").readlink(), flush=True)
sys.stdin.read()
"""


def test_it_does_not_outlive_an_owner_that_was_killed(package: Path) -> None:
    command = [sys.executable, "-c", _OWNER, str(package)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as owner:
        assert owner.stdout is not None
        pid, place = owner.stdout.readline().split()
        assert alive(int(pid))
        os.kill(owner.pid, signal.SIGKILL)
    until(lambda: not alive(int(pid)) and not Path(place).exists())


def test_a_model_sees_no_secrets(package: Path, row: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FREEHOLD_ONPREM_SECRET_ACCESS_KEY", "hunter2")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    model = PyfuncRuntime(ProcessSettings()).load(package)
    seen = Path(f"/proc/{model.pid}/environ").read_bytes()  # type: ignore[attr-defined]
    assert b"hunter2" not in seen and b"PATH=" in seen


def test_a_package_that_does_not_load_says_why(package: Path) -> None:
    loader = package / "code/harmful.py"
    for text, code in (
        ("import absent_library", "adapter.missing"),
        ("x = 1 / 0", "package.unreadable"),
        ("def _load_pyfunc(path): open(path + '/none')", "package.incomplete"),
        ("import os; os._exit(5)", "runtime.not-started"),
    ):
        loader.write_text(text)
        with pytest.raises(FreeholdError) as caught:
            PyfuncRuntime(ProcessSettings()).load(package)
        assert caught.value.code == code, caught.value
    for manifest, code in ((b"{}", "unreadable"), (b"[", "unreadable"), (None, "incomplete")):
        (package / "MLmodel").unlink()
        if manifest is not None:
            (package / "MLmodel").write_bytes(manifest)
        with pytest.raises(IntegrityError) as refused:
            PyfuncRuntime(ProcessSettings()).load(package)
        assert refused.value.code == f"package.{code}"
        (package / "MLmodel").touch()


def test_settings_come_from_the_environment() -> None:
    given = {"DEADLINE": "2.5", "QUEUE": "3", "MEMORY": "512", "PYTHON": sys.executable}
    made = read_settings({f"FREEHOLD_MODEL_{name}": value for name, value in given.items()})
    assert (made.deadline, made.queue, made.memory) == (2.5, 3, 512 * 2**20)
    assert read_settings({}) == ProcessSettings()
    bad = {"DEADLINE": "soon", "MEMORY": "-1", "QUEUE": "nan", "START": "inf", "PYTHON": "/etc"}
    with pytest.raises(Refused) as caught:
        read_settings({f"FREEHOLD_MODEL_{name}": value for name, value in bad.items()})
    assert {fault.where for fault in caught.value.faults} == {
        f"FREEHOLD_MODEL_{name}" for name in bad
    }


def test_any_package_can_have_a_process_of_its_own(tmp_path: Path) -> None:
    """By the runtime that it asks for: here one that is not there."""
    (tmp_path / "package").mkdir()
    (tmp_path / "package/MLmodel").write_text(json.dumps({"flavors": {"fortran": {}}}))
    with pytest.raises(FreeholdError) as caught:
        IsolatedRuntime(ProcessSettings()).load(tmp_path / "package")
    assert caught.value.code == "adapter.missing"
