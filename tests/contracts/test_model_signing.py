"""OpenSSF Model Signing holds the port's laws, and its signatures are checked by its own tool."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from model_signing import verifying

from freehold.adapters.signing.model_signing import OpenSSFModelSigning
from freehold.ports.contracts.model_signing import ModelSigningContract


class TestOpenSSFModelSigning(ModelSigningContract):
    @pytest.fixture
    def signing(self) -> OpenSSFModelSigning:
        return OpenSSFModelSigning()

    @pytest.fixture
    def keys(self, tmp_path: Path) -> tuple[Path, Path, Path]:
        mine, other = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        private, public, others = (tmp_path / name for name in ("my.key", "my.pub", "other.pub"))
        private.write_bytes(
            mine.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        for path, key in ((public, mine), (others, other)):
            path.write_bytes(
                key.public_key().public_bytes(
                    serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
                )
            )
        return private, public, others

    def test_the_library_itself_verifies_without_our_settings(
        self,
        signing: OpenSSFModelSigning,
        keys: tuple[Path, Path, Path],
        folder: Path,
        tmp_path: Path,
    ) -> None:
        (folder / ".gitattributes").unlink()  # which it leaves out unless told otherwise
        signing.sign(folder, keys[0], tmp_path / "model.sig")
        checker = verifying.Config().use_elliptic_key_verifier(public_key=keys[1])
        checker.verify(folder, tmp_path / "model.sig")
        (folder / "MLmodel").write_bytes(b"other")
        with pytest.raises(ValueError, match="MLmodel"):
            checker.verify(folder, tmp_path / "model.sig")
