"""The contract of a signer, and a signer whose key nobody keeps."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from freehold.domain.signature import PublicKey
from freehold.ports.signer import Signer


class TransientSigner(Signer):
    """A new key, forgotten with the process: for suites that need a signature."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        pem = self._key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self._public = PublicKey(pem)

    @property
    def public(self) -> PublicKey:
        return self._public

    def sign(self, data: bytes) -> bytes:
        return self._key.sign(data, ec.ECDSA(hashes.SHA256()))


class SignerContract(ABC):
    """Override `make`."""

    @abstractmethod
    def make(self, folder: Path) -> Signer:
        """A signer with a key of its own."""

    @pytest.fixture
    def signer(self, tmp_path: Path) -> Iterator[Signer]:
        yield self.make(tmp_path)

    @pytest.mark.parametrize("data", [b"", b"a", b"\x00" * 100_000])
    def test_what_it_signs_verifies(self, signer: Signer, data: bytes) -> None:
        assert signer.public.verifies(data, signer.sign(data))

    def test_a_signature_is_of_these_bytes_only(self, signer: Signer) -> None:
        assert not signer.public.verifies(b"other", signer.sign(b"these"))

    def test_an_altered_signature_does_not_verify(self, signer: Signer) -> None:
        signature = bytearray(signer.sign(b"data"))
        signature[-1] ^= 1
        assert not signer.public.verifies(b"data", bytes(signature))

    def test_no_signature_does_not_verify(self, signer: Signer) -> None:
        assert not signer.public.verifies(b"data", b"")

    def test_another_key_does_not_verify(self, signer: Signer) -> None:
        assert not TransientSigner().public.verifies(b"data", signer.sign(b"data"))

    def test_the_public_key_keeps_its_name(self, signer: Signer) -> None:
        assert PublicKey(signer.public.pem).fingerprint == signer.public.fingerprint

    def test_threads_may_share_it(self, signer: Signer) -> None:
        texts = [str(number).encode() for number in range(64)]
        with ThreadPoolExecutor(8) as pool:
            signatures = list(pool.map(signer.sign, texts))
        for text, signature in zip(texts, signatures, strict=True):
            assert signer.public.verifies(text, signature)
