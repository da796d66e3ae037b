"""A signed statement of a log's size and root."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from freehold.domain.canonical import canonical


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
        """Raises ValueError if fields are missing or of another type."""
        try:
            return cls(
                writer=str(value["writer"]),
                size=int(value["size"]),
                root=str(value["root"]),
                wall=int(value["wall"]),
                key=str(value["key"]),
                signature=str(value["signature"]),
            )
        except (KeyError, TypeError) as exc:
            raise ValueError(f"not a checkpoint: {exc}") from exc
