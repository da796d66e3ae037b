"""Immutable outputs, addressed by the digest of their content."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Artifact:
    digest: str
    """`sha256:` and the hexadecimal digest of the stored bytes."""
    format: str
    """Name of the codec that wrote it: `parquet`, `json`, `lightgbm`, `file`, `folder`, …"""
    size: int
    """Bytes."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Inherited by whatever is made from it: `pii` → "", `residency` → "EU"."""

    @property
    def key(self) -> str:
        """Where its bytes lie in an object store."""
        return object_key(self.digest)

    def as_json(self) -> dict[str, Any]:
        return {
            "digest": self.digest,
            "format": self.format,
            "labels": dict(self.labels),
            "size": self.size,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Artifact":
        return cls(value["digest"], value["format"], value["size"], value.get("labels", {}))


def object_key(digest: str) -> str:
    """`sha256:abcd…` → `artifacts/sha256/ab/abcd…`."""
    algorithm, _, hexadecimal = digest.partition(":")
    return f"artifacts/{algorithm}/{hexadecimal[:2]}/{hexadecimal}"
