"""Nothing is admitted but what the site's key admitted, whole and approved."""

import json
from base64 import b64encode
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from freehold.catalog.package import admit
from freehold.domain.canonical import canonical
from freehold.domain.errors import FreeholdError, IntegrityError, PolicyDenied
from freehold.domain.package import Admission, admission_document, check_admission
from freehold.domain.signature import PublicKey
from freehold.domain.verdict import Denial, Verdict
from freehold.ports.signer import Signer


class KeyInHand(Signer):
    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())

    @property
    def public(self) -> PublicKey:
        return PublicKey(
            self._key.public_key().public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
        )

    def sign(self, data: bytes) -> bytes:
        return self._key.sign(data, ec.ECDSA(hashes.SHA256()))


SIGNER, STRANGER = KeyInHand(), KeyInHand()
DIGEST = "sha256:" + "ab" * 32
ADMISSION = Admission("flight-delay", 3, DIGEST, Verdict(True, (), ("baseline",), "sha256:00"))
DOCUMENT = admit(ADMISSION, SIGNER)


def test_what_was_admitted_is_admitted() -> None:
    assert check_admission(DOCUMENT, SIGNER.public, DIGEST) == ADMISSION
    assert canonical(json.loads(DOCUMENT)) == DOCUMENT


def _code(document: bytes, digest: str = DIGEST, signer: Signer = SIGNER) -> str:
    with pytest.raises(FreeholdError) as caught:
        check_admission(document, signer.public, digest)
    return caught.value.code


def test_another_package() -> None:
    assert _code(DOCUMENT, digest="sha256:" + "cd" * 32) == "package.admission-digest"


def test_another_key() -> None:
    assert _code(DOCUMENT, signer=STRANGER) == "package.admission-signature"
    forged = admission_document(ADMISSION, STRANGER.sign(b"anything"), SIGNER.public)
    assert _code(forged) == "package.admission-signature"


@pytest.mark.parametrize(
    "change",
    [{"version": 4}, {"model": "other"}, {"package": "sha256:00"}],
    ids=["version", "model", "package"],
)
def test_a_changed_statement(change: dict[str, object]) -> None:
    signature = SIGNER.sign(b"")
    whole = json.loads(DOCUMENT)
    whole["admission"] |= change
    assert _code(canonical(whole)) == "package.admission-signature"
    changed = admission_document(replace(ADMISSION, **change), signature, SIGNER.public)
    assert _code(changed) == "package.admission-signature"


def test_a_verdict_made_better_afterwards() -> None:
    denied = Verdict(False, (Denial("baseline/auc", "AUC 0.5 is no better"),), ("baseline",))
    document = admit(replace(ADMISSION, verdict=denied), SIGNER)
    with pytest.raises(PolicyDenied) as caught:
        check_admission(document, SIGNER.public, DIGEST)
    assert caught.value.code == "package.not-approved"
    assert "baseline/auc" in caught.value.why
    whole = json.loads(document)
    whole["admission"]["verdict"] |= {"allowed": True, "denials": []}
    assert _code(canonical(whole)) == "package.admission-signature"


def test_a_verdict_that_allows_in_spite_of_denials() -> None:
    body = ADMISSION.as_json()
    body["verdict"]["denials"] = [{"message": "no", "rule": "baseline/auc"}]
    signature = b64encode(SIGNER.sign(canonical(body))).decode()
    whole = {"admission": body, "key": SIGNER.public.fingerprint, "signature": signature}
    assert _code(canonical(whole)) == "package.admission-malformed"


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"\xff",
        b"[" * 100_000,
        DOCUMENT + b" ",
        DOCUMENT.replace(b"admission/1", b"admission/2"),
        DOCUMENT.replace(b'"version":3', b'"version":3,"extra":1'),
    ],
)
def test_what_is_no_admission(document: bytes) -> None:
    with pytest.raises(IntegrityError) as caught:
        check_admission(document, SIGNER.public, DIGEST)
    assert caught.value.code == "package.admission-malformed"


@given(st.integers(0, len(DOCUMENT) - 1), st.integers(1, 255))
def test_no_changed_byte_is_admitted(place: int, change: int) -> None:
    flipped = bytearray(DOCUMENT)
    flipped[place] ^= change
    with pytest.raises(FreeholdError):
        check_admission(bytes(flipped), SIGNER.public, DIGEST)
