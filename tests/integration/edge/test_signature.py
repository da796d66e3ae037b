"""The starter reads signatures by itself: it must agree with the library in every case."""

from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.app.edge import content
from freehold.domain import bundle as said
from freehold.domain.signature import PublicKey
from freehold.endpoint.edge import launch

ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
KEYS = [ec.derive_private_key(one, ec.SECP256R1()) for one in (1, 2, 3, ORDER - 1, 0xABCDEF123)]
ALGORITHM = ec.ECDSA(hashes.SHA256())


def pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


@given(st.sampled_from(KEYS), st.binary(max_size=200))
@settings(max_examples=25, deadline=None)
def test_what_is_signed_verifies_and_nothing_else_does(
    key: ec.EllipticCurvePrivateKey, data: bytes
) -> None:
    signature = key.sign(data, ALGORITHM)
    assert launch.verifies(pem(key), data, signature)
    assert not launch.verifies(pem(key), data + b".", signature)
    other = KEYS[(KEYS.index(key) + 1) % len(KEYS)]
    assert not launch.verifies(pem(other), data, signature)


@given(st.binary(max_size=90), st.integers(0, 80), st.integers(0, 255))
@settings(max_examples=60, deadline=None)
def test_it_takes_what_the_library_takes_and_refuses_the_rest(
    garbage: bytes, at: int, byte: int
) -> None:
    """Signatures of any bytes, and a true one with a byte that is another."""
    true = bytearray(KEYS[4].sign(b"data", ALGORITHM))
    true[at % len(true)] = byte
    public = PublicKey(pem(KEYS[4]))
    for signature in (garbage, bytes(true)):
        found = launch.verifies(public.pem, b"data", signature)
        assert found == public.verifies(b"data", signature)


def _changed(change: Callable[[int, int], tuple[int, int]]) -> bytes:
    r, s = decode_dss_signature(KEYS[2].sign(b"data", ALGORITHM))
    return encode_dss_signature(*change(r, s))


@pytest.mark.parametrize(
    "change",
    [
        lambda r, s: (0, s),
        lambda r, s: (r, 0),
        lambda r, s: (ORDER, s),
        lambda r, s: (r, ORDER),
        lambda r, s: (r + ORDER, s),
        lambda r, s: (r, s + ORDER),
        lambda r, s: (r, ORDER - s),
        lambda r, s: (s, r),
        lambda r, s: (1, 1),
    ],
)
def test_numbers_at_the_edges_are_judged_as_the_library_does(change: Any) -> None:
    signature = _changed(change)
    public = PublicKey(pem(KEYS[2]))
    found = launch.verifies(public.pem, b"data", signature)
    assert found == public.verifies(b"data", signature)


@pytest.mark.parametrize(
    "other",
    [
        ec.derive_private_key(5, ec.SECP384R1()),
        ec.derive_private_key(5, ec.SECP256K1()),
    ],
)
def test_a_key_of_another_kind_is_refused(other: ec.EllipticCurvePrivateKey) -> None:
    with pytest.raises(launch.Unsound) as caught:
        launch.verifies(pem(other), b"data", other.sign(b"data", ALGORITHM))
    assert caught.value.code == "bundle.key"


def test_a_point_that_is_not_on_the_curve_verifies_nothing() -> None:
    lines = pem(KEYS[4]).decode().splitlines()
    whole = bytearray(launch._der(pem(KEYS[4])))
    whole[-1] ^= 1
    lines[1:-1] = [launch.base64.b64encode(bytes(whole)).decode()]
    signature = KEYS[4].sign(b"data", ALGORITHM)
    assert not launch.verifies("\n".join(lines).encode(), b"data", signature)


def test_it_calls_things_as_the_rest_of_freehold_does() -> None:
    """It imports nothing of ours, so that it says some names again."""
    assert (launch.KIND, launch.MANIFEST, launch.SIGNATURE) == (
        said.KIND,
        said.MANIFEST,
        said.SIGNATURE,
    )
    assert launch.this_python() == content.this_python()
    key = PublicKey(pem(KEYS[0]))
    assert launch.fingerprint(key.pem) == key.fingerprint
