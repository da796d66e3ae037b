"""Keys in Vault's transit engine: OpenBao, a real one."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import pytest
from servers.faults import FaultProxy, Mode
from servers.vault import BaoServer

from freehold.adapters.vault.key_service import VaultKeyService
from freehold.domain.errors import (
    FreeholdError,
    IntegrityError,
    NotFound,
    Refused,
    Unreachable,
    WrongUsage,
)
from freehold.ports.contracts.key_service import KeyServiceContract, TellsEndsContract
from freehold.ports.key_service import KeyService, KeySettings, TellsEnds

CONTEXT = {"format": "test"}
DATA_KEY = b"k" * 32
NOBODY = "http://127.0.0.1:9"
Faulty = Callable[[str], FaultProxy]


def code_of(use: Callable[[], object], kind: type[FreeholdError]) -> str:
    with pytest.raises(kind) as caught:
        use()
    return caught.value.code


def rights(key: str, *uses: str) -> dict[str, list[str]]:
    """As the adapter's README asks for them: all, or those to `uses`."""
    wanted = uses or ("keys", "encrypt", "decrypt", "rewrap")
    return {f"transit/{use}/{key}": ["read" if use == "keys" else "update"] for use in wanted}


class VaultContract(KeyServiceContract, TellsEndsContract):
    derived: ClassVar[bool]

    @pytest.fixture(autouse=True)
    def _key(self, bao: BaoServer) -> None:
        self.bao = bao
        self.name = bao.key(self.derived)

    def open(self, key: str, token: str = BaoServer.token, endpoint: str = "") -> VaultKeyService:
        at = endpoint or self.bao.endpoint
        return VaultKeyService.open(KeySettings(key, at, timeout=10, secrets={"token": token}))

    def make(self, folder: Path) -> KeyService:
        return self.open(self.name)

    def rotated(self, folder: Path) -> KeyService:
        self.bao.rotate(self.name)
        return self.open(f"transit/{self.name}")

    def stranger(self, folder: Path) -> KeyService:
        self.bao.drop(self.name)
        return self.open(self.name)

    def ending(self, folder: Path) -> tuple[TellsEnds, float, float]:
        before = time.time()
        service = self.open(self.name, self.bao.token_for(rights(self.name), seconds=600))
        return service, before + 599, time.time() + 601

    def test_these_rights_are_enough(self, folder: Path) -> None:
        token = self.bao.token_for(rights(self.name))
        service = self.open(self.name, token)
        old, wrapped = service.key_id, service.wrap(DATA_KEY, CONTEXT)
        self.bao.rotate(self.name)
        newer = self.open(self.name, token)
        again = newer.rewrap(wrapped, old, CONTEXT)
        assert again.startswith(b"vault:v2:")
        assert newer.unwrap(again, newer.key_id, CONTEXT) == DATA_KEY

    def test_a_version_that_the_vault_has_let_go_is_a_wrong_key(self, service: KeyService) -> None:
        old, wrapped = service.key_id, service.wrap(DATA_KEY, CONTEXT)
        newer = self.rotated(Path())
        transit = self.bao.client.secrets.transit
        transit.update_key_configuration(self.name, min_decryption_version=2)
        with pytest.raises(IntegrityError) as caught:
            newer.unwrap(wrapped, old, CONTEXT)
        assert caught.value.code == "key.wrong"
        assert str(caught.value).endswith(old)


class TestVaultKeyService(VaultContract):
    derived = False

    def test_the_id_says_mount_name_and_version(self, service: KeyService, folder: Path) -> None:
        assert service.key_id == f"transit/{self.name}:v1"
        newer = self.rotated(folder)
        assert newer.key_id == f"transit/{self.name}:v2"
        assert newer.wrap(DATA_KEY, CONTEXT).startswith(b"vault:v2:")

    def test_a_token_that_nobody_made(self, service: KeyService) -> None:
        wrapped = service.wrap(DATA_KEY, CONTEXT)
        stranger = self.open(self.name, token="another-secret")
        for use in (
            lambda: stranger.wrap(DATA_KEY, CONTEXT),
            lambda: stranger.unwrap(wrapped, f"transit/{self.name}:v1", CONTEXT),
            stranger.ends,
        ):
            with pytest.raises(Refused) as caught:
                use()
            assert caught.value.code == "keys.denied"
            assert "secret" not in repr(caught.value.as_json())

    def test_a_policy_that_allows_one_half(self, service: KeyService) -> None:
        """Real policies: who may only wrap cannot read, and who may only read cannot wrap."""
        wrapped = service.wrap(DATA_KEY, CONTEXT)
        writer = self.open(self.name, self.bao.token_for(rights(self.name, "keys", "encrypt")))
        reader = self.open(self.name, self.bao.token_for(rights(self.name, "keys", "decrypt")))
        denied = self.open(self.name, self.bao.token_for(rights(self.name, "encrypt", "decrypt")))
        assert reader.unwrap(writer.wrap(DATA_KEY, CONTEXT), writer.key_id, CONTEXT) == DATA_KEY
        assert reader.unwrap(wrapped, service.key_id, CONTEXT) == DATA_KEY
        for use in (
            lambda: writer.unwrap(wrapped, service.key_id, CONTEXT),
            lambda: reader.wrap(DATA_KEY, CONTEXT),
            lambda: denied.key_id,
        ):
            assert code_of(use, Refused) == "keys.denied"

    def test_a_token_that_was_taken_back(self, service: KeyService) -> None:
        token = self.bao.token_for(rights(self.name))
        opened = self.open(self.name, token)
        wrapped = opened.wrap(DATA_KEY, CONTEXT)
        self.bao.client.auth.token.revoke(token)
        for use in (
            lambda: opened.wrap(DATA_KEY, CONTEXT),
            lambda: opened.unwrap(wrapped, service.key_id, CONTEXT),
            opened.ends,
        ):
            assert code_of(use, Refused) == "keys.denied"

    def test_a_token_that_may_not_ask_for_its_end(self) -> None:
        token = self.bao.token_for(rights(self.name), no_default_policy=True)
        service = self.open(self.name, token)
        assert service.unwrap(service.wrap(DATA_KEY, {}), service.key_id, {}) == DATA_KEY
        with pytest.raises(Refused) as caught:
            service.ends()
        assert caught.value.code == "keys.denied"
        assert "auth/token/lookup-self" in caught.value.hint

    @pytest.mark.parametrize("renewable", [True, False])
    def test_what_can_be_done_about_a_token_is_said(self, renewable: bool) -> None:
        token = self.bao.token_for(rights(self.name), renewable=renewable)
        (end,) = self.open(self.name, token).ends()
        assert end.hint.startswith("renew it") == renewable
        assert token not in repr(end)
        assert not end.is_loss

    def test_a_key_that_is_not_there(self) -> None:
        for absent in ("none", "other/none"):
            service = self.open(absent)
            assert code_of(lambda s=service: s.key_id, NotFound) == "keys.missing"  # type: ignore[misc]
            assert code_of(lambda s=service: s.wrap(b"k", {}), NotFound) == "keys.missing"  # type: ignore[misc]

    def test_a_vault_that_is_sealed(self) -> None:
        """One of its own, since whoever shares one would find it sealed."""
        with BaoServer() as own:
            service = self.open(own.key(), endpoint=own.endpoint)
            key_id, wrapped = service.key_id, service.wrap(DATA_KEY, CONTEXT)
            own.client.sys.seal()
            for use in (
                lambda: service.wrap(DATA_KEY, CONTEXT),
                lambda: service.unwrap(wrapped, key_id, CONTEXT),
                service.ends,
            ):
                assert code_of(use, Unreachable) == "keys.unreachable"

    @pytest.mark.parametrize("status", [429, 500, 502, 503])
    def test_a_vault_that_is_busy(self, service: KeyService, faulty: Faulty, status: int) -> None:
        """By a proxy before it: no real one has these answers to give when asked to."""
        proxy = faulty(self.bao.endpoint)
        asked = self.open(self.name, endpoint=proxy.endpoint)
        wrapped, key_id = asked.wrap(DATA_KEY, CONTEXT), asked.key_id
        proxy.mode = Mode(status=status)
        for use in (
            lambda: asked.wrap(DATA_KEY, CONTEXT),
            lambda: asked.unwrap(wrapped, key_id, CONTEXT),
            asked.ends,
        ):
            assert code_of(use, Unreachable) == "keys.unreachable"

    @pytest.mark.parametrize("status", [429, 502, 503])
    def test_a_vault_that_was_busy_for_a_moment(self, faulty: Faulty, status: int) -> None:
        proxy = faulty(self.bao.endpoint)
        service = self.open(self.name, endpoint=proxy.endpoint)
        proxy.mode = Mode(status=status, times=2)
        wrapped = service.wrap(DATA_KEY, CONTEXT)
        proxy.mode = Mode(status=status, times=2)
        assert service.unwrap(wrapped, service.key_id, CONTEXT) == DATA_KEY

    def test_nobody_answers(self) -> None:
        service = VaultKeyService.open(KeySettings("a", NOBODY, timeout=1, secrets={"token": "t"}))
        assert code_of(lambda: service.wrap(b"k", {}), Unreachable) == "keys.unreachable"
        assert code_of(service.ends, Unreachable) == "keys.unreachable"

    @pytest.mark.parametrize("key", ["", "/", "a/", "../sys", "a/../b", "a b", "a?b", "."])
    def test_what_is_no_name_of_a_key(self, key: str) -> None:
        assert code_of(lambda: self.open(key), WrongUsage) == "usage"

    def test_an_id_cannot_lead_elsewhere(self, service: KeyService, faulty: Faulty) -> None:
        proxy = faulty(self.bao.endpoint)
        wrapped = service.wrap(DATA_KEY, CONTEXT)
        service = self.open(self.name, endpoint=proxy.endpoint)
        for key_id in (
            "transit/../../sys/seal:v1",
            "transit/a?b:v1",
            "freehold:v1",
            "transit/a:v0",
        ):
            assert code_of(lambda k=key_id: service.unwrap(wrapped, k, CONTEXT), IntegrityError)  # type: ignore[misc]
        assert not proxy.requests


class TestDerivedVaultKeyService(VaultContract):
    derived = True

    def test_a_rotation_leaves_the_data_key_in_the_vault(self, service: KeyService) -> None:
        """Who rotates need not be allowed to read."""
        old, wrapped = service.key_id, service.wrap(DATA_KEY, CONTEXT)
        newer = self.rotated(Path())
        token = self.bao.token_for(rights(self.name, "keys", "rewrap"))
        rotator = self.open(self.name, token)
        again = rotator.rewrap(wrapped, old, CONTEXT)
        assert again.startswith(b"vault:v2:")
        assert newer.unwrap(again, newer.key_id, CONTEXT) == DATA_KEY
        assert (
            code_of(lambda: rotator.unwrap(again, newer.key_id, CONTEXT), Refused) == "keys.denied"
        )
