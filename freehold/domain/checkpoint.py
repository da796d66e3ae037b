"""A signed statement of a log's size and root."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from freehold.domain.canonical import canonical
from freehold.domain.signature import PublicKey


@dataclass(frozen=True)
class Checkpoint:
    writer: str
    size: int
    """Number of entries covered."""
    root: str
    """Hexadecimal RFC 6962 root over these entries."""
    wall: int
    """Microseconds since 1970 UTC, by the writer's clock."""
    key: str
    """Fingerprint of the public key: `sha256:` of its DER SubjectPublicKeyInfo."""
    signature: str = ""
    """Hexadecimal DER ECDSA P-256 SHA-256 signature over `signed_bytes`."""

    def signed_bytes(self) -> bytes:
        body = self.as_json()
        del body["signature"]
        return canonical(body)

    def is_signed_by(self, public: PublicKey) -> bool:
        """Whether the signature holds and the key is the one that is named.

        Only lower-case digits count, so that a stored checkpoint has one spelling.
        """
        try:
            signature = bytes.fromhex(self.signature)
        except ValueError:
            return False
        return (
            signature.hex() == self.signature
            and self.key == public.fingerprint
            and public.verifies(self.signed_bytes(), signature)
        )

    def as_json(self) -> dict[str, Any]:
        return {
            "key": self.key,
            "root": self.root,
            "signature": self.signature,
            "size": self.size,
            "wall": self.wall,
            "writer": self.writer,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Checkpoint":
        """Raises ValueError if fields are missing or of another type; others are ignored."""
        try:
            fields = {name: value[name] for name in ("writer", "size", "root", "wall", "key")}
            found = cls(**fields, signature=value["signature"])
        except (KeyError, TypeError) as exc:
            raise ValueError(f"not a checkpoint: {exc}") from exc
        texts = (found.writer, found.root, found.key, found.signature)
        if any(type(text) is not str for text in texts):
            raise ValueError("not a checkpoint: writer, root, key and signature are strings")
        if any(type(number) is not int or number < 0 for number in (found.size, found.wall)):
            raise ValueError("not a checkpoint: size and wall are counts")
        return found
