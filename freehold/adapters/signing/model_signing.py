"""OpenSSF Model Signing: a Sigstore bundle over the digest of every file of a folder."""

import re
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from model_signing import hashing, signing, verifying

from freehold.domain.errors import AdapterFailed, IntegrityError
from freehold.ports.model_signing import ModelSigning

_UNREADABLE = (ValueError, TypeError, AttributeError, LookupError, OSError)
"""What the library raises on a signature that is no bundle; it has no error of its own."""


class OpenSSFModelSigning(ModelSigning):
    def sign(self, folder: Path, private_key_path: Path, signature_path: Path) -> None:
        try:
            _signing().use_elliptic_key_signer(private_key=private_key_path).sign(
                folder, signature_path
            )
        except _UNREADABLE as exc:
            raise AdapterFailed(
                f"the package in {folder} was not signed",
                why=str(exc),
                code="package.not-signed",
                hint="the key must be a PEM file of ECDSA P-256, readable by this user",
            ) from exc

    def verify(self, folder: Path, public_key_path: Path, signature_path: Path) -> None:
        try:
            _verifying().use_elliptic_key_verifier(public_key=public_key_path).verify(
                folder, signature_path
            )
        except InvalidSignature as exc:
            raise _refused(folder, "the signature does not match what it says") from exc
        except _UNREADABLE as exc:
            raise _refused(folder, _spoken(str(exc))) from exc


def _every_file() -> hashing.Config:
    """The library leaves out `.git` and the like unless told; a package has no such exception."""
    settings = hashing.Config()  # type: ignore[no-untyped-call]
    return settings.use_file_serialization().set_ignored_paths(paths=[], ignore_git_paths=False)


def _signing() -> signing.Config:
    return signing.Config().set_hashing_config(_every_file())  # type: ignore[no-untyped-call]


def _verifying() -> verifying.Config:
    return verifying.Config().set_hashing_config(_every_file())  # type: ignore[no-untyped-call]


def _spoken(told: str) -> str:
    """The library's words without the digests, which nobody reads."""
    changed = sorted(set(re.findall(r"Hash mismatch for '([^']+)'", told)))
    return f"changed: {', '.join(changed)}" if changed else told


def _refused(folder: Path, why: str) -> IntegrityError:
    return IntegrityError(
        f"the package in {folder} is not what was signed",
        why=why,
        code="package.signature",
        hint="get the package again from where it was registered; do not serve it",
    )
