"""A private key in a file: PKCS #8 PEM (RFC 5958), ECDSA on P-256, readable by its owner only."""

import os
import stat
import tempfile
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from freehold.domain.errors import Conflict, IntegrityError, NotFound, StorageFailed
from freehold.domain.signature import PublicKey
from freehold.ports.signer import Signer

_ALGORITHM = ec.ECDSA(hashes.SHA256())
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class FileSigner(Signer):
    """`site.key` holds the private key, `site.pub` beside it the public one."""

    def __init__(self, path: Path) -> None:
        """Raises NotFound, IntegrityError (others can read it, not a P-256 key)."""
        self._key = _load(path)
        self._public = PublicKey(_public_pem(self._key))
        beside = path.with_suffix(".pub")
        try:
            if not beside.exists():
                _write(beside, self._public.pem, mode=0o644, replace=True)
        except OSError as exc:
            raise _not_stored(beside, "written", exc) from exc

    @classmethod
    def create(cls, path: Path) -> "FileSigner":
        """A new key. Raises Conflict if there is one already, which stays as it is."""
        key = ec.generate_private_key(ec.SECP256R1())
        private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _write(path, private, mode=0o600, replace=False)
            _write(path.with_suffix(".pub"), _public_pem(key), mode=0o644, replace=True)
        except FileExistsError as exc:
            raise Conflict(
                f"there is a key in {path} already",
                code="key.exists",
                hint="use it, or choose another file: a lost key cannot be made again",
            ) from exc
        except OSError as exc:
            raise _not_stored(path, "written", exc) from exc
        return cls(path)

    @property
    def public(self) -> PublicKey:
        return self._public

    def sign(self, data: bytes) -> bytes:
        return self._key.sign(data, _ALGORITHM)


def _load(path: Path) -> ec.EllipticCurvePrivateKey:
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            pem = file.read()
    except FileNotFoundError as exc:
        raise NotFound(
            f"there is no key in {path}",
            code="key.missing",
            hint="copy the site's key back, or make a new site with `freehold init`",
        ) from exc
    except OSError as exc:
        raise _not_stored(path, "read", exc) from exc
    if mode & _OTHERS:
        raise IntegrityError(
            f"the key {path} can be used by others on this machine",
            why=f"its mode is {mode:04o}",
            code="key.readable-by-others",
            hint=f"chmod 600 {path}",
        )
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError) as exc:
        raise IntegrityError(
            f"{path} is not a private key", why=str(exc), code="key.unreadable"
        ) from exc
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != "secp256r1":
        raise IntegrityError(
            f"the key {path} is not of the kind P-256",
            code="key.wrong-kind",
            hint=f"openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out {path}",
        )
    return key


def _not_stored(path: Path, done: str, exc: OSError) -> StorageFailed:
    return StorageFailed(
        f"the key {path} could not be {done}",
        why=str(exc),
        hint="make sure that its disk has room and that you may use it, and repeat the command",
    )


def _public_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def _write(path: Path, data: bytes, *, mode: int, replace: bool) -> None:
    """Whole or not at all, and on the disk. Raises FileExistsError unless it may replace."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    new = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, mode)
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        if replace:
            new.replace(path)
        else:
            path.hardlink_to(new)
    finally:
        new.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
