"""Places with a network of their own on one Linux machine: namespaces joined by a bridge.

Each has its own loopback and one address on the bridge; the machine itself has the bridge's
address. Needs root and `ip` of iproute2. What a killed run left behind, the next one removes.
"""

import contextlib
import ctypes
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self

_OURS = re.compile(r"fh(\d+)[bnv]\d*")
_SECONDS_TO_STOP = 5.0
_CLONE_NEWNET = 0x40000000


class NetworkFailed(Exception):
    """The machine does not do it. Says what was tried and what the machine said."""


def obstacle() -> str:
    """Why this machine cannot make namespaces; empty if it can."""
    if shutil.which("ip") is None:
        return "no `ip`: install iproute2"
    if os.geteuid() != 0:
        return "only root may make network namespaces"
    try:
        with Network(["probe"]):
            return ""
    except NetworkFailed as failure:
        return str(failure)


def available() -> bool:
    return not obstacle()


class Network:
    """Exists while it is entered. Not for several processes at once; for several in turn."""

    _made = 0

    def __init__(self, names: Sequence[str]) -> None:
        """A namespace for each of `names`, at most 100."""
        Network._made += 1
        self._tag = f"fh{os.getpid()}"
        self._first = 100 * Network._made
        self._number = {name: self._first + at for at, name in enumerate(names)}
        self._net = ""

    @property
    def bridge(self) -> str:
        return f"{self._tag}b{self._first}"

    @property
    def gateway(self) -> str:
        """The address of the machine itself, as seen from each namespace."""
        return f"{self._net}.1"

    def address(self, name: str) -> str:
        return f"{self._net}.{self._number[name] - self._first + 10}"

    def command(self, name: str, command: Sequence[str]) -> list[str]:
        """The same command, within the namespace."""
        return ["ip", "netns", "exec", self._namespace(name), *command]

    def run(
        self, name: str, command: Sequence[str], **options: Any
    ) -> "subprocess.CompletedProcess[str]":
        """As `subprocess.run`, with text."""
        return subprocess.run(self.command(name, command), text=True, **options)

    def listen(self, name: str, port: int) -> socket.socket:
        """This process listens there: at that address, though the process itself stays here."""
        with ThreadPoolExecutor(1) as aside:
            return aside.submit(self._listen, name, port).result()

    def cut(self, name: str) -> None:
        """Its processes go on and reach nobody but each other, and nobody reaches them."""
        _ip("link", "set", self._cable(name), "down")

    def heal(self, name: str) -> None:
        _ip("link", "set", self._cable(name), "up")

    def __enter__(self) -> Self:
        _sweep()
        try:
            self._make()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Kills what still runs in the namespaces."""
        self._remove()

    def _listen(self, name: str, port: int) -> socket.socket:
        """Of a thread that ends with it. A socket stays where it was made (setns(2))."""
        with Path("/run/netns", self._namespace(name)).open() as namespace:
            if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), _CLONE_NEWNET):
                raise NetworkFailed(f"setns to {name}: {os.strerror(ctypes.get_errno())}")
        return socket.create_server((self.address(name), port), backlog=128)

    def _make(self) -> None:
        self._net = _free_net()
        _ip("link", "add", self.bridge, "type", "bridge")
        _ip("address", "add", f"{self.gateway}/24", "dev", self.bridge)
        _ip("link", "set", self.bridge, "up")
        for name in self._number:
            inside = self._namespace(name)
            _ip("netns", "add", inside)
            within = ("-n", inside)
            pair = ("type", "veth", "peer", "name", "eth0", "netns", inside)
            _ip("link", "add", self._cable(name), *pair)
            _ip("link", "set", self._cable(name), "master", self.bridge, "up")
            _ip(*within, "address", "add", f"{self.address(name)}/24", "dev", "eth0")
            _ip(*within, "link", "set", "eth0", "up")
            _ip(*within, "link", "set", "lo", "up")

    def _remove(self) -> None:
        there = _existing()
        for name in self._number:
            if self._namespace(name) in there:
                _end_namespace(self._namespace(name))
            # It went with its namespace, or soon will; a pair half made has none.
            with contextlib.suppress(NetworkFailed):
                _ip("link", "delete", self._cable(name))
        if self.bridge in there:
            _ip("link", "delete", self.bridge)

    def _namespace(self, name: str) -> str:
        return f"{self._tag}n{self._number[name]}"

    def _cable(self, name: str) -> str:
        return f"{self._tag}v{self._number[name]}"


def _ip(*arguments: str) -> str:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True)
    if done.returncode:
        raise NetworkFailed(f"ip {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout


def _free_net() -> str:
    """The first three numbers of a private network that no route of this machine leads to."""
    routes = _ip("-4", "route", "show", "table", "all")
    for at in range(250):
        net = f"10.213.{(os.getpid() + at) % 250}"
        if f"{net}." not in routes:
            return net
    raise NetworkFailed("every network from 10.213.0.0 to 10.213.249.0 is in use")


def _existing() -> set[str]:
    """Namespaces and bridges of runs like this one."""
    links = re.findall(r"^\d+: ([^:@]+)", _ip("-o", "link", "show", "type", "bridge"), re.M)
    spaces = [line.split()[0] for line in _ip("netns", "list").splitlines() if line.strip()]
    return {name for name in (*spaces, *links) if _OURS.fullmatch(name)}


def _sweep() -> None:
    for name in sorted(_existing(), reverse=True):
        found = _OURS.fullmatch(name)
        if found is None or Path(f"/proc/{found[1]}").exists():
            continue
        if name[len(f"fh{found[1]}")] == "n":
            _end_namespace(name)
        else:
            _ip("link", "delete", name)


def _end_namespace(name: str) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        until = time.monotonic() + _SECONDS_TO_STOP
        for pid in _ip("netns", "pids", name).split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), number)
        while _ip("netns", "pids", name).strip() and time.monotonic() < until:
            time.sleep(0.02)
    _ip("netns", "delete", name)
