"""What lies beside a package in the serving folder: a signature and an admission by this site.

The endpoint believes one key, its site's. A package that another site made, or that an older key
signed, is verified with its maker's key, and signed and admitted again with the own one.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

from freehold.app import adapters
from freehold.app.files import write_files
from freehold.app.site.opening import Site
from freehold.catalog.package import admit, unpack
from freehold.catalog.versions import ModelVersion
from freehold.domain.errors import IntegrityError
from freehold.domain.package import ADMISSION, SIGNATURE, check_admission
from freehold.domain.signature import PublicKey


def vouched(site: Site, version: ModelVersion) -> dict[str, bytes]:
    """Name → bytes. What is not signed or not admitted has no such file, and does not load.

    Raises IntegrityError `package.unknown-maker`, and what its maker's key does not verify.
    """
    found = {
        name: site.artifacts.get(version.attestations[name])
        for name in (SIGNATURE, ADMISSION)
        if name in version.attestations
    }
    maker, judge = _key_of(site, version.registered), _key_of(site, version.judged)
    own = site.signer.public.fingerprint
    if SIGNATURE in found and (maker is None or maker.fingerprint != own):
        found[SIGNATURE] = _signed_again(site, version, maker, found[SIGNATURE])
    if ADMISSION in found and (judge is None or judge.fingerprint != own):
        known = _required(version, judge)
        admission = check_admission(found[ADMISSION], known, version.package)
        found[ADMISSION] = admit(admission, site.signer)
    return found


def _key_of(site: Site, fact: str) -> PublicKey | None:
    """Of the log in which a fact stands."""
    writer = fact.rpartition("/")[0]
    return site.signer.public if writer == site.ledger.writer else site.keyring.of(writer)


def _signed_again(
    site: Site, version: ModelVersion, maker: PublicKey | None, bundle: bytes
) -> bytes:
    signing = adapters.embedded("model_signing")()
    with TemporaryDirectory(prefix="freehold-vouch-") as folder:
        payload, signature = Path(folder) / "payload", Path(folder) / SIGNATURE
        public, again = Path(folder) / "maker.pub", Path(folder) / "again"
        write_files(payload, unpack(site.artifacts.get(version.package)))
        signature.write_bytes(bundle)
        public.write_bytes(_required(version, maker).pem)
        signing.verify(payload, public, signature)
        signing.sign(payload, site.key_path, again)
        return again.read_bytes()


def _required(version: ModelVersion, key: PublicKey | None) -> PublicKey:
    if key is None:
        raise IntegrityError(
            f"the key that signed {version.name} is not known here",
            why="its log has not been taken from a store by this site",
            hint="`freehold sync` takes it with the log; `freehold sites` shows who is believed",
            code="package.unknown-maker",
        )
    return key
