"""Ceph's S3 gateway with what is below it: monitor, manager, one store of objects in memory."""

import json
import subprocess
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from .process import SECONDS_TO_START, Process, ServerFailed, answers, executable, free_port
from .s3 import S3Server

FROM_DEBIAN = "make test-servers CEPH=1, as root on Debian, installs it"
PROGRAMS = ("ceph", "ceph-authtool", "ceph-mgr", "ceph-mon", "ceph-osd", "monmaptool", "radosgw")
ALLOWED: Mapping[str, Mapping[str, str]] = {
    "mon.": {"mon": "allow *"},
    "client.admin": {"mon": "allow *", "osd": "allow *", "mgr": "allow *"},
    "client.rgw": {"mon": "allow *", "osd": "allow *", "mgr": "allow *"},
    "mgr.x": {"mon": "allow profile mgr", "osd": "allow *"},
    "osd.0": {"mon": "allow profile osd", "osd": "allow *", "mgr": "allow profile osd"},
}


class CephGateway(S3Server):
    """The real thing: signatures, policies, versions, locks. Honours If-None-Match where a bucket
    has no versions. Needs about 600 MiB, and about 15 seconds to start."""

    name = "ceph"

    def __init__(self) -> None:
        super().__init__()
        self._daemons: dict[str, Process] = {}

    def command(self) -> Sequence[str]:
        return ["radosgw", "-n", "client.rgw", "-f"]

    def stop(self) -> None:
        for daemon in reversed(self._daemons.values()):
            daemon.stop()
        self._daemons.clear()
        super().stop()

    def _start(self, attempts: int) -> None:
        for program in PROGRAMS:
            executable(program, FROM_DEBIAN)
        try:
            self._start_all()
        except ServerFailed as failure:
            for daemon in self._daemons.values():
                daemon.stop()
            self._daemons.clear()
            if attempts > 1 and "in use" in str(failure):
                self._start(attempts - 1)
                return
            raise

    def _start_all(self) -> None:
        """By the manual deployment of Ceph's documentation, with folders instead of disks."""
        self.port, new, old = free_port(), free_port(), free_port()
        cluster = str(uuid.uuid4())
        for folder in ("mon", "mgr", "osd", "rgw", "run"):
            (self.folder / folder).mkdir(exist_ok=True)
        address = f"[v2:127.0.0.1:{new},v1:127.0.0.1:{old}]"
        self._conf.write_text(_configuration(self.folder, self.port, cluster, address))
        self._keyring.write_text("".join(map(self._grant, ALLOWED)))
        monitors = str(self.folder / "monitors")
        monitor = ("--addv", "a", address, monitors)
        _output("monmaptool", "--create", "--clobber", "--fsid", cluster, *monitor)
        self._run("ceph-mon", "--mkfs", "-i", "a", "--monmap", monitors)
        self._daemon("ceph-mon", "-i", "a", "-f")
        self._until("the monitor", lambda: bool(self._ask("mon", "stat")["quorum"]))
        self._run("ceph", "config", "set", "mon", "auth_allow_insecure_global_id_reclaim", "false")
        self._daemon("ceph-mgr", "-i", "x", "-f")
        disk = str(uuid.uuid4())
        self._run("ceph", "osd", "new", disk)
        self._run("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", disk)
        self._run("ceph", "osd", "crush", "add", "osd.0", "1", "root=default", "host=here")
        self._daemon("ceph-osd", "-i", "0", "-f")
        self._until("the object store", lambda: self._ask("osd", "stat")["num_up_osds"] == 1)
        self._daemon(*self.command())
        self._until("the gateway", lambda: answers(self.port))
        self._run(
            *("radosgw-admin", "user", "create", "--uid=freehold", "--display-name=freehold"),
            f"--access-key={self.secrets['access_key_id']}",
            f"--secret-key={self.secrets['secret_access_key']}",
        )

    @property
    def _conf(self) -> Path:
        return self.folder / "ceph.conf"

    @property
    def _keyring(self) -> Path:
        return self.folder / "keyring"

    def _grant(self, who: str) -> str:
        key = _output("ceph-authtool", "--gen-print-key").strip()
        caps = "".join(f'\tcaps {of} = "{what}"\n' for of, what in ALLOWED[who].items())
        return f"[{who}]\n\tkey = {key}\n{caps}"

    def _ask(self, *words: str) -> Mapping[str, object]:
        answer: dict[str, object] = json.loads(self._run("ceph", *words, "--format=json"))
        return answer

    def _run(self, program: str, *arguments: str) -> str:
        return _output(program, "-c", str(self._conf), *arguments)

    def _daemon(self, program: str, *arguments: str) -> None:
        command = [program, "-c", str(self._conf), *arguments]
        self._daemons[program] = Process(command, self.folder / f"{program}.log")

    def _until(self, what: str, ready: Callable[[], bool]) -> None:
        until = time.monotonic() + SECONDS_TO_START
        while time.monotonic() < until:
            for name, daemon in self._daemons.items():
                if not daemon.running:
                    raise ServerFailed(f"{name} ended; it said:\n{daemon.log()[-4000:]}")
            if ready():
                return
            time.sleep(0.1)
        logs = "\n".join(daemon.log()[-1000:] for daemon in self._daemons.values())
        raise ServerFailed(f"{what} of Ceph does not answer; they said:\n{logs}")


def _output(program: str, *arguments: str) -> str:
    command = [program, *arguments]
    try:
        done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    except subprocess.CalledProcessError as failure:
        said = failure.stderr[-4000:]
        raise ServerFailed(f"{' '.join(command)} failed; it said:\n{said}") from failure
    except subprocess.TimeoutExpired as failure:
        raise ServerFailed(f"{' '.join(command)} does not end") from failure
    return done.stdout


def _configuration(folder: Path, port: int, cluster: str, monitor: str) -> str:
    """One copy of everything is enough here, and few placement groups start sooner."""
    return f"""
[global]
fsid = {cluster}
mon_host = {monitor}
auth_cluster_required = cephx
auth_service_required = cephx
auth_client_required = cephx
keyring = {folder}/keyring
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
run_dir = {folder}/run
admin_socket = {folder}/run/$name.$pid.asok
pid_file = {folder}/run/$name.pid
log_to_file = false
log_to_stderr = true
err_to_stderr = true
mon_cluster_log_to_file = false
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 1
osd_pool_default_pgp_num = 1
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
mon_allow_pool_size_one = true
mon_warn_on_pool_no_redundancy = false
mon_max_pg_per_osd = 1000
mon_data_avail_warn = 1
mon_data_avail_crit = 1
[mon.a]
mon_data = {folder}/mon
[mgr.x]
mgr_data = {folder}/mgr
[osd.0]
osd_data = {folder}/osd
osd_objectstore = memstore
memstore_device_bytes = 2147483648
[client.rgw]
rgw_data = {folder}/rgw
rgw_dns_name = localhost
rgw_frontends = beast endpoint=127.0.0.1:{port}
"""
