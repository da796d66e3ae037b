"""`freehold console`, as a process: real sockets, real signals, a real kill."""

import http.client
import json
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from subprocess import PIPE
from typing import Any
from urllib.parse import urlsplit

import pytest

from freehold.app.audit.verify import audit
from freehold.app.site.opening import open_site
from freehold.cli.main import run

FIRST = "/proposals/delay/2024-01-14"


class Console:
    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        command = [sys.executable, "-m", "freehold.cli.main", "console", "--port", "0", *options]
        self.process = subprocess.Popen(command, cwd=folder, stdout=PIPE, stderr=PIPE, text=True)
        assert self.process.stdout is not None and self.process.stderr is not None
        self.line = self.process.stdout.readline()
        self.url = next((word for word in self.line.split() if "://" in word), "").rstrip(",")
        self.said = [self.process.stderr.readline() for _ in range(4)] if self.url else []

    @property
    def token(self) -> str:
        return (self.folder / self.said[0].split()[4].rstrip(",")).read_text().strip()

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        with closing(http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=60)) as one:
            given = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
            data = None if body is None else json.dumps(body)
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            one.request(method, path, data, {**given, **named})
            reply = one.getresponse()
            text = reply.read()
            return reply.status, json.loads(text) if text.startswith(b"{") else text.decode()

    def stop(self, how: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        self.process.send_signal(how)
        _, rest = self.process.communicate(timeout=120)
        return self.process.returncode, rest


@contextmanager
def console_on(folder: Path, *options: str) -> Iterator[Console]:
    started = Console(folder, *options)
    try:
        yield started
    finally:
        if started.process.poll() is None:
            started.stop(signal.SIGKILL)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_it_answers_until_it_is_stopped(folder: Path, how: signal.Signals) -> None:
    with console_on(folder) as started:
        assert started.line == f"console of orchard at {started.url}, for site onprem\n"
        status, found = started.ask("GET", "/api/v1/status")
        assert (status, found["project"]) == (200, "orchard")
        assert started.ask("GET", "/api/v1/status", Authorization="Bearer x")[0] == 401
        assert started.ask("GET", "/", Host="evil.example")[0] == 403
        assert started.ask("GET", "/api/v1/models/%ED%A0%80%00")[0] == 404
        status, text = started.ask("GET", "/")
        assert status == 401 and "<form" in text
        code, rest = started.stop(how)
        assert (code, rest) == (0, "")
    with pytest.raises(OSError), socket.create_connection(urlsplit(started.url).netloc.split(":")):  # type: ignore[arg-type]
        pass


def test_the_token_is_told_by_its_place_and_never_by_itself(folder: Path) -> None:
    with console_on(folder) as started:
        path = folder / ".freehold" / "sites" / "onprem" / "keys" / "console.token"
        assert path.stat().st_mode & 0o777 == 0o600
        said = started.line + "".join(started.said)
        assert started.token not in said
        assert str(path.relative_to(folder)) in said
        first = started.token
        _, rest = started.stop()
        assert first not in rest
    with console_on(folder) as again:
        assert again.token == first


def test_what_was_answered_outlives_a_kill(folder: Path, console: Any) -> None:
    wanted = {"site": "aws", "pipeline": "sums"}
    with console_on(folder, "--every", "0.05") as started:
        assert started.ask("POST", f"/api/v1{FIRST}/approve")[0] == 200
        status, first = started.ask("POST", "/api/v1/work", wanted, Idempotency_Key="mine")
        assert status == 200
        assert started.stop(signal.SIGKILL)[0] == -signal.SIGKILL
    with open_site(folder) as site:
        assert audit(site).history.holds
        assert (
            console.count(site)["proposal.approved"] == console.count(site)["work.requested"] == 1
        )
    with console_on(folder, "--every", "0.05") as again:
        assert again.ask("POST", f"/api/v1{FIRST}/approve")[0] == 409
        status, same = again.ask("POST", "/api/v1/work", wanted, Idempotency_Key="mine")
        assert (status, same) == (200, first)

        def is_carried_out() -> bool:
            return bool(
                again.ask("GET", "/api/v1/signals")[1]["proposals"][0]["standing"] == "failed"
            )

        console.until(is_carried_out)
        assert again.stop()[0] == 0
    with open_site(folder) as site:
        made = console.count(site)
        assert (made["proposal.approved"], made["run.started"], made["work.requested"]) == (1, 1, 1)
        assert audit(site).history.holds


def test_the_loop_can_be_left_to_an_agent(folder: Path, console: Any) -> None:
    with console_on(folder, "--no-loop") as started:
        assert started.ask("POST", f"/api/v1{FIRST}/approve")[0] == 200
        assert started.ask("GET", "/api/v1/console")[1]["loop"]["turns"] == "not here"
        once = [sys.executable, "-m", "freehold.cli.main", "agent", "--once"]
        assert subprocess.run(once, cwd=folder, capture_output=True).returncode == 0
        rows = started.ask("GET", "/api/v1/signals")[1]["proposals"]
        assert rows[0]["standing"] == "failed"
    with open_site(folder) as site:
        assert console.count(site)["run.started"] == 1


def test_a_console_an_agent_and_another_console_on_one_state(folder: Path, console: Any) -> None:
    with ExitStack() as stack:
        one, two = (stack.enter_context(console_on(folder, "--every", "0.02")) for _ in range(2))
        assert one.ask("POST", f"/api/v1{FIRST}/approve")[0] == 200
        once = [sys.executable, "-m", "freehold.cli.main", "agent", "--once"]
        assert subprocess.run(once, cwd=folder, capture_output=True).returncode == 0

        def is_carried_out() -> bool:
            return bool(
                two.ask("GET", "/api/v1/signals")[1]["proposals"][0]["standing"] == "failed"
            )

        console.until(is_carried_out)
        assert [one.stop()[0], two.stop()[0]] == [0, 0]
    with open_site(folder) as site:
        made = console.count(site)
        assert (made["run.started"], made["proposal.failed"]) == (1, 1)
        assert audit(site).history.holds


def test_another_site_is_named(folder: Path) -> None:
    with console_on(folder, "--site", "aws") as started:
        assert started.line.endswith("for site aws\n")
        assert started.ask("GET", "/api/v1/status")[1]["site"] == "aws"


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "example.com", ""])
def test_it_listens_nowhere_else(
    host: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    assert run(["console", "--host", host]) == 1
    assert "error[console.not-loopback]" in capsys.readouterr().err
    assert not list(folder.rglob("console.token"))


def test_a_port_that_is_taken(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert run(["console", "--port", str(taken.getsockname()[1])]) == 1
    assert "error[console.port-in-use]" in capsys.readouterr().err
    assert run(["console", "--port", "99999"]) == 1
    assert "error[console.port]" in capsys.readouterr().err


def test_a_token_that_others_can_read_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    with console_on(folder) as started:
        started.stop()
    token = next(folder.rglob("console.token"))
    token.chmod(0o644)
    assert run(["console", "--port", "0"]) == 1
    assert "error[console.token-exposed]" in capsys.readouterr().err


def test_it_goes_on_in_the_log_in_which_the_site_goes_on(folder: Path, console: Any) -> None:
    """As after a replacement of the key: the first change finds out, the next is taken."""
    with console_on(folder, "--no-loop") as started:
        rekey = [sys.executable, "-m", "freehold.cli.main", "sites", "rekey", "--yes"]
        assert subprocess.run(rekey, cwd=folder, capture_output=True).returncode == 0
        status, said = started.ask("POST", f"/api/v1{FIRST}/approve")
        assert (status, said["error"]["code"]) == (503, "ledger.other-writer")
        assert started.ask("POST", f"/api/v1{FIRST}/approve")[0] == 200
    with open_site(folder) as site:
        assert audit(site).history.holds
        assert console.count(site)["proposal.approved"] == 1


def test_half_a_request_and_noise_do_not_hold_others_up(folder: Path) -> None:
    with console_on(folder) as started:
        host, port = urlsplit(started.url).netloc.split(":")
        with ExitStack() as stack:
            for data in (
                b"",
                b"GET",
                b"\x16\x03\x01",
                b"POST /api/v1/work HTTP/1.1\r\nHost: x\r\n",
            ):
                one = stack.enter_context(socket.create_connection((host, int(port))))
                one.sendall(data)
            assert started.ask("GET", "/api/v1/status")[0] == 200
        assert started.stop()[0] == 0


def test_a_folder_that_is_no_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(tmp_path / "none", ignore_errors=True)
    (tmp_path / "none").mkdir()
    monkeypatch.chdir(tmp_path / "none")
    assert run(["console", "--port", "0"]) == 1
    assert "error[" in capsys.readouterr().err
    assert list((tmp_path / "none").iterdir()) == []
