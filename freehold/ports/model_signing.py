"""Signing a folder in a format that others verify without Freehold.

Laws
- A signature covers the name and the bytes of every file below the folder, whatever its name.
- `verify` raises IntegrityError (`package.signature`) naming the files when one was changed,
  added, removed or renamed, when a symbolic link was added, when the signature is of another key
  or is no signature; it returns nothing else than success.
- Keys are PEM files of ECDSA P-256.
- Errors of `sign`: AdapterFailed (`package.not-signed`).
"""

from abc import ABC, abstractmethod
from pathlib import Path


class ModelSigning(ABC):
    @abstractmethod
    def sign(self, folder: Path, private_key_path: Path, signature_path: Path) -> None:
        """Write the signature of the folder, beside it and not inside."""

    @abstractmethod
    def verify(self, folder: Path, public_key_path: Path, signature_path: Path) -> None:
        """Raise IntegrityError unless the folder is what was signed."""
