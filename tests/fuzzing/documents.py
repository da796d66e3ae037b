"""The readers of what a serving folder and a store hold: a routing table, a package."""

import json
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from freehold.catalog.package import pack, unpack
from freehold.domain.canonical import canonical
from freehold.domain.routing import (
    LogRule,
    RoutingTable,
    Shadow,
    Variant,
    is_withdrawal,
    read_routing,
    routing_document,
    signed_bytes,
    withdrawal_bytes,
    withdrawal_document,
)
from freehold.domain.signature import PublicKey

from .changes import changed_archive, resigned
from .law import Reading, Target

_KEY = ec.derive_private_key(7, ec.SECP256R1())
KEY = PublicKey(
    _KEY.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
)


def routing(data: bytes) -> Reading:
    withdrawn = is_withdrawal(data, KEY)
    table = read_routing(data, KEY)
    return Reading((withdrawn, table), len(table.variants))


def package(data: bytes) -> Reading:
    files = unpack(data)
    return Reading(files, sum(map(len, files.values())) + sum(map(len, files)))


def signature(data: bytes) -> bytes:
    """The same for the same bytes, in every run."""
    return _KEY.sign(data, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))


def sign(document: Any) -> bytes:
    """Raises ValueError or KeyError for what cannot be signed."""
    stated = canonical({"kind": document["kind"], "table": document["table"]})
    return json.dumps({**document, "signature": signature(stated).hex()}).encode()


def signed(table: RoutingTable) -> bytes:
    return routing_document(table, signature(signed_bytes(table)))


VARIANTS = (Variant(1, "sha256:0", 95.0, "champion"), Variant(2, "sha256:1", 5.0, "challenger"))
IDLE = (Variant(1, "sha256:0", 100.0, "champion"), Variant(2, "sha256:1", 0.0, "challenger"))
TABLES = (
    RoutingTable(3, "delay", "delay/2", VARIANTS, 1),
    RoutingTable(4, "delay", "", IDLE, 1, Shadow(2, 30.0)),
    RoutingTable(5, "delay", "s", VARIANTS, log=LogRule(0.5, True, ("hour",), True, "k")),
)
PACKAGES = (
    {},
    {"MLmodel": b"flavors: {}\n"},
    {"MLmodel": b"x" * 40, "code/loader.py": b"", "data/model.onnx": bytes(range(64))},
)
WITHDRAWAL = withdrawal_document("delay", 4, signature(withdrawal_bytes("delay", 4)))
DOCUMENTS = {
    "routing": Target(
        "routing.json",
        routing,
        (*map(signed, TABLES), WITHDRAWAL),
        words=(b"NaN", b"1e400", b"9007199254740993", b"\\ud800", b'"shadow"', b'"log"', b"null"),
        change=resigned(sign),
        codes=frozenset({"routing.malformed", "routing.unsigned"}),
    ),
    "package": Target(
        "a package's payload",
        package,
        tuple(pack(files).data for files in PACKAGES),
        change=changed_archive,
        words=(b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06", b"PK\x06\x06", b"../", b"up\x00\x00"),
        codes=frozenset(
            f"package.{fault}"
            for fault in ("malformed", "unsafe-path", "duplicate-file", "too-large")
        ),
    ),
}
