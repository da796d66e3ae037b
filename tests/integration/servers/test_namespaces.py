"""Namespaces: each reaches the others, a cut one reaches nobody and goes on, a healed one does."""

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from servers.namespaces import Network, NetworkFailed, _existing, obstacle

pytestmark = pytest.mark.servers

PORT = 8080
CONNECT = (
    "import socket, sys;"
    "s = socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=float(sys.argv[3]));"
    "print(s.recv(9).decode())"
)
SERVE = (
    "import socket, sys; s = socket.create_server((sys.argv[3], int(sys.argv[1])));\n"
    "print('ready', flush=True)\n"
    "while True: c, _ = s.accept(); c.sendall(sys.argv[2].encode()); c.close()"
)


@pytest.fixture
def network() -> Iterator[Network]:
    assert obstacle() == "", f"this test needs network namespaces: {obstacle()}"
    with Network(["onprem", "aws", "azure"]) as made:
        servers = []
        for name in ("onprem", "aws", "azure"):
            command = made.command(name, [sys.executable, "-c", SERVE, str(PORT), name, "0.0.0.0"])
            servers.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        for server in servers:
            assert server.stdout is not None and server.stdout.readline() == "ready\n"
        yield made
    for server in servers:
        server.wait(20)
        assert server.stdout is not None
        server.stdout.close()


def hears(network: Network, name: str, address: str, timeout: float = 1) -> str:
    command = [sys.executable, "-c", CONNECT, address, str(PORT), str(timeout)]
    return network.run(name, command, capture_output=True).stdout.strip()


def test_each_reaches_each_until_one_is_cut_and_again_when_it_is_healed(network: Network) -> None:
    aws, azure = network.address("aws"), network.address("azure")
    assert hears(network, "onprem", aws, 20) == "aws"
    assert hears(network, "azure", aws, 20) == "aws"
    assert hears(network, "aws", azure, 20) == "azure"

    network.cut("aws")
    assert hears(network, "onprem", aws) == ""
    assert hears(network, "aws", azure) == ""
    assert hears(network, "onprem", azure, 20) == "azure"
    assert hears(network, "aws", "127.0.0.1", 20) == "aws"

    network.heal("aws")
    until = time.monotonic() + 20
    while hears(network, "aws", azure) != "azure":
        assert time.monotonic() < until
    assert hears(network, "onprem", aws, 20) == "aws"


def test_the_machine_is_reached_by_its_gateway(network: Network) -> None:
    command = [sys.executable, "-c", SERVE, str(PORT), "machine", network.gateway]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None and server.stdout.readline() == "ready\n"
        assert hears(network, "aws", network.gateway, 20) == "machine"
        server.kill()


def test_this_process_listens_in_another_network(network: Network) -> None:
    with network.listen("azure", 8090) as listener:
        listener.settimeout(20)
        reading = "import socket, sys; s = socket.create_connection((sys.argv[1], 8090), 20);"
        reading += "print(s.recv(2))"
        command = [sys.executable, "-c", reading, network.address("azure")]
        reader = subprocess.Popen(network.command("aws", command), stdout=subprocess.PIPE)
        connection, peer = listener.accept()
        with connection:
            connection.sendall(b"hi")
        assert reader.communicate(timeout=20)[0] == b"b'hi'\n"
        assert peer[0] == network.address("aws")
    with pytest.raises(OSError, match="assign"), network.listen("azure", 8091):
        # The process itself has stayed where it was, and there the address is not its own.
        listener = socket.create_server((network.address("azure"), 8092))


def ours() -> set[str]:
    return {name for name in _existing() if name.startswith(f"fh{os.getpid()}")}


def test_nothing_is_left_after_a_fault() -> None:
    with pytest.raises(RuntimeError, match="in the middle"), Network(["a", "b"]) as network:
        process = subprocess.Popen(network.command("a", ["sleep", "1000"]))
        assert len(ours()) == 3
        raise RuntimeError("in the middle")
    assert ours() == set() and process.wait(20) != 0


def test_what_cannot_be_made_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Network, "_cable", lambda *_: "a-name-that-is-too-long")
    with pytest.raises(NetworkFailed, match="too-long"):
        Network(["a"]).__enter__()
    assert ours() == set()


def test_what_a_killed_run_left_is_removed_by_the_next() -> None:
    script = (
        "import os, signal, sys; sys.path.insert(0, sys.argv[1]);"
        "from servers.namespaces import Network;"
        "Network(['a']).__enter__(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    folder = next(path for path in sys.path if path.endswith("tests"))
    process = subprocess.Popen([sys.executable, "-c", script, folder])
    assert process.wait(20) == -9
    left = f"fh{process.pid}"
    assert any(name.startswith(left) for name in _existing())
    with Network(["b"]) as network:
        assert re.fullmatch(r"10\.213\.\d+\.10", network.address("b"))
        assert not any(name.startswith(left) for name in _existing())
