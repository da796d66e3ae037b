"""Checking ECDSA P-256 signatures and naming public keys."""

from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from freehold.domain.errors import IntegrityError

_ALGORITHM = ec.ECDSA(hashes.SHA256())


class PublicKey:
    """A public key of a site or a person."""

    def __init__(self, pem: bytes) -> None:
        """Raises IntegrityError unless `pem` is a P-256 public key."""
        try:
            key = serialization.load_pem_public_key(pem)
        except ValueError as exc:
            raise IntegrityError("this is not a public key", why=str(exc)) from exc
        if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != "secp256r1":
            raise IntegrityError("this public key is not of the kind P-256")
        self._key = key
        self.pem = pem
        self.fingerprint = fingerprint(key)

    def verifies(self, data: bytes, signature: bytes) -> bool:
        try:
            self._key.verify(signature, data, _ALGORITHM)
        except InvalidSignature:
            return False
        return True


def fingerprint(key: ec.EllipticCurvePublicKey) -> str:
    """`sha256:` of the DER SubjectPublicKeyInfo."""
    der = key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return "sha256:" + sha256(der).hexdigest()
