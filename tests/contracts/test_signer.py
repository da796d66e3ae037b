"""Signers, and what a key's file must be like."""

import os
import stat
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from freehold.adapters.keys.signer import FileSigner
from freehold.domain.errors import Conflict, IntegrityError, NotFound
from freehold.domain.signature import PublicKey
from freehold.ports.contracts.signer import SignerContract, TransientSigner
from freehold.ports.signer import Signer


class TestTransientSigner(SignerContract):
    def make(self, folder: Path) -> Signer:
        return TransientSigner()


class TestFileSigner(SignerContract):
    def make(self, folder: Path) -> Signer:
        return FileSigner.create(folder / "keys" / "site.key")

    def test_its_file_is_its_owners_alone(self, tmp_path: Path) -> None:
        previous = os.umask(0)
        try:
            self.make(tmp_path)
        finally:
            os.umask(previous)
        key = tmp_path / "keys" / "site.key"
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
        assert sorted(file.name for file in key.parent.iterdir()) == ["site.key", "site.pub"]

    def test_the_public_key_lies_beside(self, tmp_path: Path) -> None:
        made = self.make(tmp_path)
        beside = tmp_path / "keys" / "site.pub"
        assert PublicKey(beside.read_bytes()).fingerprint == made.public.fingerprint
        beside.unlink()
        opened = FileSigner(tmp_path / "keys" / "site.key")
        assert beside.read_bytes() == opened.public.pem == made.public.pem

    def test_a_key_is_never_replaced(self, tmp_path: Path) -> None:
        made = self.make(tmp_path)
        with pytest.raises(Conflict) as caught:
            self.make(tmp_path)
        assert caught.value.code == "key.exists"
        assert FileSigner(tmp_path / "keys" / "site.key").public.pem == made.public.pem
        assert (tmp_path / "keys" / "site.pub").read_bytes() == made.public.pem

    @pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601, 0o666])
    def test_a_key_that_others_can_use_is_refused(self, tmp_path: Path, mode: int) -> None:
        self.make(tmp_path)
        key = tmp_path / "keys" / "site.key"
        key.chmod(mode)
        with pytest.raises(IntegrityError) as caught:
            FileSigner(key)
        assert caught.value.code == "key.readable-by-others"
        subprocess.run(caught.value.hint.split(), check=True)
        FileSigner(key)

    def test_an_absent_key(self, tmp_path: Path) -> None:
        with pytest.raises(NotFound) as caught:
            FileSigner(tmp_path / "site.key")
        assert caught.value.code == "key.missing"

    def test_what_is_not_a_key(self, tmp_path: Path) -> None:
        key = tmp_path / "site.key"
        key.write_bytes(b"-----BEGIN PRIVATE KEY-----\n")
        key.chmod(0o600)
        with pytest.raises(IntegrityError) as caught:
            FileSigner(key)
        assert caught.value.code == "key.unreadable"

    @pytest.mark.parametrize(
        "private",
        [ed25519.Ed25519PrivateKey.generate(), ec.generate_private_key(ec.SECP384R1())],
        ids=["ed25519", "p384"],
    )
    def test_a_key_of_another_kind(
        self, tmp_path: Path, private: ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey
    ) -> None:
        key = tmp_path / "site.key"
        pem = private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        key.write_bytes(pem)
        key.chmod(0o600)
        with pytest.raises(IntegrityError) as caught:
            FileSigner(key)
        assert caught.value.code == "key.wrong-kind"
