"""A writer's private key, which never leaves its holder."""

from abc import ABC, abstractmethod

from freehold.domain.signature import PublicKey


class Signer(ABC):
    """Signs with ECDSA P-256 over SHA-256. Thread-safe."""

    @property
    @abstractmethod
    def public(self) -> PublicKey:
        """The key that verifies what `sign` gives."""

    @abstractmethod
    def sign(self, data: bytes) -> bytes:
        """A DER signature. Raises AdapterFailed if the key cannot be used."""
