"""A routing table is consistent, and believed only under the site's signature."""

import json
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from freehold.domain.errors import IntegrityError
from freehold.domain.routing import (
    WHOLE,
    LogRule,
    RoutingTable,
    Variant,
    read_routing,
    routing_document,
    signed_bytes,
)
from freehold.domain.signature import PublicKey

KEY = ec.generate_private_key(ec.SECP256R1())


def public(key: ec.EllipticCurvePrivateKey) -> PublicKey:
    return PublicKey(
        key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )


TABLE = RoutingTable(
    version=4,
    model="flight-delay",
    salt="r1",
    variants=(
        Variant(1, "sha256:aa", 95, "champion"),
        Variant(2, "sha256:bb", 5.0, "challenger"),
    ),
    reference=1,
)
DOCUMENT = routing_document(TABLE, KEY.sign(signed_bytes(TABLE), ec.ECDSA(hashes.SHA256())))


def test_a_signed_table_is_read_back() -> None:
    assert read_routing(DOCUMENT, public(KEY)) == TABLE


def test_a_changed_weight_is_not_believed() -> None:
    value = json.loads(DOCUMENT)
    value["table"]["variants"][0]["weight"] = 5
    value["table"]["variants"][1]["weight"] = 95
    with pytest.raises(IntegrityError) as caught:
        read_routing(json.dumps(value).encode(), public(KEY))
    assert caught.value.code == "routing.unsigned"


def test_another_key_is_not_believed() -> None:
    with pytest.raises(IntegrityError) as caught:
        read_routing(DOCUMENT, public(ec.generate_private_key(ec.SECP256R1())))
    assert caught.value.code == "routing.unsigned"


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"x"',
        b"[" * 100_000,
        b"\xff",
        DOCUMENT[:-9],
        DOCUMENT.replace(b"freehold.routing/1", b"freehold.routing/9"),
        DOCUMENT.replace(b'"signature":"', b'"signature":"zz'),
        DOCUMENT.replace(b'"weight":95', b'"weight":true'),
        DOCUMENT.replace(b'"weight":95', b'"weight":94'),
        DOCUMENT.replace(b'"variants":[', b'"variants":7,"x":['),
        DOCUMENT.replace(b'"reference":1', b'"reference":9'),
    ],
)
def test_what_is_no_table_is_said_to_be_none(document: bytes) -> None:
    with pytest.raises(IntegrityError) as caught:
        read_routing(document, public(KEY))
    assert caught.value.code == "routing.malformed"


@pytest.mark.parametrize("odd", [{"salt": "\ud800"}, {"version": 2**53}])
def test_what_has_no_signed_form_is_no_table(odd: dict[str, Any]) -> None:
    """JSON that Python reads, and that RFC 8785 has no bytes for."""
    value = {**json.loads(DOCUMENT), "table": {**TABLE.as_json(), **odd}}
    with pytest.raises(IntegrityError) as caught:
        read_routing(json.dumps(value).encode(), public(KEY))
    assert caught.value.code == "routing.malformed"


@pytest.mark.parametrize(
    "variants",
    [
        (),
        (Variant(1, "a", 100, "champion"), Variant(1, "b", 0, "challenger")),
        (Variant(1, "a", 90, "champion"),),
        (Variant(1, "a", 150, "champion"), Variant(2, "b", -50, "challenger")),
        (Variant(1, "a", float("nan"), "champion"),),
    ],
)
def test_a_table_cannot_contradict_itself(variants: tuple[Variant, ...]) -> None:
    with pytest.raises(ValueError):
        RoutingTable(1, "m", "s", variants)


def test_what_the_log_keeps_is_signed_too() -> None:
    rule = LogRule(0.1, True, ("postcode", "customer"), True, "ab12")
    table = replace(TABLE, log=rule)
    signature = KEY.sign(signed_bytes(table), ec.ECDSA(hashes.SHA256()))
    assert read_routing(routing_document(table, signature), public(KEY)) == table
    value = json.loads(routing_document(table, signature))
    value["table"]["log"]["personal"] = []
    for spoilt in (value, {**value, "table": TABLE.as_json()}):
        with pytest.raises(IntegrityError) as caught:
            read_routing(json.dumps(spoilt).encode(), public(KEY))
        assert caught.value.code == "routing.unsigned"


def test_a_table_that_keeps_all_is_signed_as_tables_were_before() -> None:
    assert TABLE.log == WHOLE
    assert "log" not in TABLE.as_json()


@pytest.mark.parametrize(
    "rule",
    [
        {"sample": 0.0},
        {"sample": 1.5},
        {"whole": True},
        {"sample": float("nan")},
        {"personal": ("a", "a"), "key": "k"},
        {"personal": ("a",)},
        {"ids": True},
        {"key": "k"},
    ],
)
def test_a_rule_of_the_log_cannot_contradict_itself(rule: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        LogRule(**rule)


@pytest.mark.parametrize(
    "log", [{}, 1, {"sample": 1, "personal": "abc", "ids": False, "key": ""}, {"ids": 1}]
)
def test_a_rule_of_another_shape_is_no_table(log: Any) -> None:
    value = {**json.loads(DOCUMENT), "table": {**TABLE.as_json(), "log": log}}
    with pytest.raises(IntegrityError) as caught:
        read_routing(json.dumps(value).encode(), public(KEY))
    assert caught.value.code == "routing.malformed"
