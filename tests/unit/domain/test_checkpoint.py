"""Checkpoints: one spelling, one signature."""

import json
from dataclasses import replace
from typing import Any

import pytest

from freehold.domain.canonical import canonical
from freehold.domain.checkpoint import Checkpoint
from freehold.ports.contracts.signer import TransientSigner

SIGNER = TransientSigner()
PLAIN = Checkpoint("w", 3, "ab" * 32, 1_700_000_000_000_000, SIGNER.public.fingerprint)
SIGNED = replace(PLAIN, signature=SIGNER.sign(PLAIN.signed_bytes()).hex())


def test_the_signed_bytes_are_all_but_the_signature() -> None:
    assert SIGNED.signed_bytes() == PLAIN.signed_bytes()
    assert json.loads(PLAIN.signed_bytes()) == {
        "key": PLAIN.key, "root": PLAIN.root, "size": 3, "wall": PLAIN.wall, "writer": "w",
    }  # fmt: skip


def test_it_comes_back_and_holds() -> None:
    read = Checkpoint.from_json(json.loads(canonical({**SIGNED.as_json(), "leaves": []})))
    assert read == SIGNED
    assert read.is_signed_by(SIGNER.public)
    assert not read.is_signed_by(TransientSigner().public)
    assert not PLAIN.is_signed_by(SIGNER.public)


@pytest.mark.parametrize(
    "change",
    [{"size": "3"}, {"size": True}, {"size": -1}, {"wall": 1.5}, {"root": None}, {"writer": 1}],
)
def test_fields_of_another_type_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="not a checkpoint"):
        Checkpoint.from_json(SIGNED.as_json() | change)


@pytest.mark.parametrize("name", ["key", "root", "signature", "size", "wall", "writer"])
def test_missing_fields_are_refused(name: str) -> None:
    value = SIGNED.as_json()
    del value[name]
    with pytest.raises(ValueError, match="not a checkpoint"):
        Checkpoint.from_json(value)
