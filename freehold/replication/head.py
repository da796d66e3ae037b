"""A signed checkpoint as an object of a meeting store, and the key that signs a log."""

from collections.abc import Mapping
from hashlib import sha256

import orjson
from cryptography.exceptions import UnsupportedAlgorithm

from freehold.domain.canonical import canonical
from freehold.domain.checkpoint import Checkpoint
from freehold.domain.errors import IntegrityError, StorageFailed, Unreachable
from freehold.domain.signature import PublicKey
from freehold.ports.object_store import ObjectStore
from freehold.replication.fault import NotBelieved
from freehold.replication.layout import HeadName, heads_folder, public_key_name

_HEAD_LIMIT = 4096
"""Bytes; a head has about 400."""
_KEY_LIMIT = 4096


def encode_head(checkpoint: Checkpoint) -> tuple[HeadName, bytes]:
    data = canonical(checkpoint.as_json())
    return HeadName(checkpoint.writer, checkpoint.size, sha256(data).hexdigest()), data


def decode_head(name: HeadName, data: bytes, public: PublicKey) -> Checkpoint:
    """Raises NotBelieved unless it is what its name claims, signed with this key."""
    if sha256(data).hexdigest() != name.digest:
        raise NotBelieved("head.corrupt", "its bytes have another digest than its name says")
    try:
        checkpoint = Checkpoint.from_json(orjson.loads(data))
        same = canonical(checkpoint.as_json()) == data
    except (ValueError, RecursionError) as exc:
        raise NotBelieved("head.corrupt", f"it is not a checkpoint: {exc}") from exc
    if not same or (checkpoint.writer, checkpoint.size) != (name.writer, name.size):
        raise NotBelieved("head.corrupt", "it is not the checkpoint that its name claims")
    if not checkpoint.is_signed_by(public):
        raise NotBelieved("head.signature", f"it is not signed with the key {public.fingerprint}")
    return checkpoint


def read_head(store: ObjectStore, name: HeadName, public: PublicKey) -> Checkpoint:
    """Raises KeyError if it is gone, NotBelieved."""
    return decode_head(name, store.get(name.key, 0, _HEAD_LIMIT), public)


def offered_keys(writer: str, stores: Mapping[str, ObjectStore]) -> tuple[PublicKey, ...]:
    """The keys that stores say a log is signed with, each once. Whether one of them is believed
    is not for a store to say; what is no key, and a store that does not answer, is passed over:
    pulling names it."""
    found: dict[str, PublicKey] = {}
    for store in stores.values():
        try:
            key = PublicKey(store.get(public_key_name(writer), 0, _KEY_LIMIT))
        except (KeyError, IntegrityError, UnsupportedAlgorithm, Unreachable, StorageFailed):
            continue
        found.setdefault(key.fingerprint, key)
    return tuple(found.values())


def signed_heads(writer: str, store: ObjectStore, public: PublicKey) -> tuple[Checkpoint, ...]:
    """All that a store has, by size; what does not verify is left out. For witnesses and audits:
    it reads every one."""
    found = []
    for key in store.keys(heads_folder(writer)):
        name = HeadName.parse(key)
        if name is not None:
            try:
                found.append(read_head(store, name, public))
            except (KeyError, NotBelieved):
                continue
    return tuple(found)
