"""Only what verifies is loaded; what does not leaves things as they were."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from freehold.domain.columns import Column, Columns
from freehold.domain.errors import FreeholdError
from freehold.domain.routing import routing_document, signed_bytes
from freehold.endpoint import events as spool

ALGORITHM = ec.ECDSA(hashes.SHA256())
TEXT_DISTANCE = Columns((Column("distance", "category", ("far",)),))
NAMED_ID = Columns((Column("id", "number"),))


def flip_a_byte(site: Any) -> None:
    path = site.payload(2) / "linear.json"
    data = bytearray(path.read_bytes())
    data[9] ^= 1
    path.write_bytes(bytes(data))


def add_a_file(site: Any) -> None:
    (site.payload(2) / "more.py").write_text("pass")


def lose_the_admission(site: Any) -> None:
    (site.payload(2).parent / "admission.json").unlink()


def lose_the_signature(site: Any) -> None:
    (site.payload(2).parent / "model.sig").unlink()


def lose_the_payload(site: Any) -> None:
    site.payload(2).rename(site.payload(2).with_name("elsewhere"))


def sign_with_another_key(site: Any) -> None:
    site.admit(2, key=ec.generate_private_key(ec.SECP256R1()))


def deny(site: Any) -> None:
    site.admit(2, allowed=False)


def admit_another_digest(site: Any) -> None:
    site.admit(2, digest=site.digests[1])


def admit_another_model(site: Any) -> None:
    site.admit(2, model="other")


def put_the_first_package_in_its_place(site: Any) -> None:
    """Each piece is truly signed by the site, only not for each other."""
    for name in ("linear.json", "columns.json"):
        (site.payload(2) / name).write_bytes((site.payload(1) / name).read_bytes())
    signature = (site.payload(1).parent / "model.sig").read_bytes()
    (site.payload(2).parent / "model.sig").write_bytes(signature)


def spoil_the_admission(site: Any) -> None:
    (site.payload(2).parent / "admission.json").write_bytes(b"{}")


BROKEN: list[tuple[Callable[[Any], None], str]] = [
    (flip_a_byte, "package.signature"),
    (add_a_file, "package.signature"),
    (lose_the_admission, "endpoint.incomplete"),
    (lose_the_signature, "endpoint.incomplete"),
    (lose_the_payload, "endpoint.incomplete"),
    (sign_with_another_key, "package.admission-signature"),
    (deny, "package.not-approved"),
    (admit_another_digest, "package.admission-digest"),
    (admit_another_model, "package.admission-name"),
    (put_the_first_package_in_its_place, "package.digest"),
    (spoil_the_admission, "package.admission-malformed"),
]


@pytest.mark.parametrize(("spoil", "code"), BROKEN)
def test_what_does_not_verify_keeps_the_endpoint_from_starting(
    site: Any, spoil: Callable[[Any], None], code: str
) -> None:
    site.model(1)
    site.model(2, bias=1.0)
    spoil(site)
    site.canary()
    with pytest.raises(FreeholdError) as caught:
        site.endpoint()
    assert caught.value.code == code
    assert [(e["type"], e["code"]) for e in site.events()] == [("endpoint.refused", code)]


@pytest.mark.parametrize(("spoil", "code"), BROKEN)
def test_what_does_not_verify_leaves_the_table_before_in_force(
    site: Any, client_of: Any, request_of: Any, spoil: Callable[[Any], None], code: str
) -> None:
    site.model(1)
    site.route((1, 100.0, "champion"))
    client = client_of()
    site.model(2, bias=1.0)
    spoil(site)
    site.canary()
    client.endpoint.watcher.look()
    ready = client.ask("GET", "/v2/health/ready")
    assert ready.status == 200 and ready.json["routing"]["version"] == 1
    assert ready.json["routing"]["refused"]["code"] == code
    assert set(client.infer(request_of(*range(50))).output("version")) == {1}
    text = client.ask("GET", "/metrics").body.decode()
    assert f'freehold_tables_refused_total{{code="{code}"}} 1.0' in text
    assert site.events()[-1]["code"] == code


@pytest.mark.parametrize(
    ("columns", "trap", "code"),
    [
        (TEXT_DISTANCE, None, "endpoint.columns-conflict"),
        (NAMED_ID, None, "endpoint.reserved-column"),
    ],
)
def test_models_that_cannot_be_asked(
    site: Any, columns: Columns, trap: float | None, code: str
) -> None:
    site.model(1)
    site.model(2, columns=columns, trap=trap)
    site.canary()
    with pytest.raises(FreeholdError) as caught:
        site.endpoint()
    assert caught.value.code == code


def test_a_model_that_cannot_answer_is_not_let_in(site: Any) -> None:
    site.model(1, bias=float("nan"))
    site.route((1, 100.0, "champion"))
    with pytest.raises(FreeholdError) as caught:
        site.endpoint()
    assert caught.value.code == "endpoint.model-unusable"


def test_routing_must_be_signed_and_newer(site: Any, client_of: Any) -> None:
    site.model(1)
    site.model(2)
    site.canary(5.0)
    first = (site.folder / "routing.json").read_bytes()
    site.canary(25.0)
    client = client_of()

    def refused() -> str:
        client.endpoint.watcher.look()
        state = client.ask("GET", "/freehold/routing").json
        assert state["version"] == 2
        return state["refused"]["code"]

    site.write(first)
    assert refused() == "routing.stale"
    value = json.loads(first)
    value["table"]["version"] = 3
    site.write(json.dumps(value).encode())
    assert refused() == "routing.unsigned"
    site.write(b"{")
    assert refused() == "routing.malformed"
    (site.folder / "routing.json").unlink()
    assert refused() == "endpoint.incomplete"
    site.canary(100.0)
    client.endpoint.watcher.look()
    state = client.ask("GET", "/freehold/routing").json
    assert (state["version"], state["refused"]) == (3, None)


def test_the_key_is_pinned_at_the_start(site: Any, client_of: Any) -> None:
    site.model(1)
    site.route((1, 100.0, "champion"))
    client = client_of()
    (site.folder / "site.pub").write_bytes(b"another")
    site.route((1, 100.0, "champion"))
    client.endpoint.watcher.look()
    refused = client.ask("GET", "/freehold/routing").json["refused"]
    assert refused["code"] == "endpoint.key-changed"


def test_an_empty_folder_says_what_is_missing(site: Any) -> None:
    with pytest.raises(FreeholdError) as caught:
        site.endpoint()
    assert caught.value.code == "endpoint.incomplete" and "routing.json" in caught.value.what


def test_tables_are_swapped_between_requests(site: Any, client_of: Any, request_of: Any) -> None:
    site.model(1)
    site.model(2, bias=2.0)
    site.canary(0.0)
    client = client_of()
    before = client.endpoint.watcher.table
    moved = []
    for weight in (5.0, 25.0, 100.0):
        site.canary(weight)
        client.endpoint.watcher.look()
        versions = client.infer(request_of(*[1.0] * 300, ids=[f"k{n}" for n in range(300)])).output(
            "version"
        )
        moved.append({n for n, version in enumerate(versions) if version == 2})
    assert moved[0] < moved[1] < moved[2] == set(range(300))
    assert client.endpoint.watcher.table.models[0] is before.models[0]
    assert [e["type"] for e in site.events()] == ["endpoint.loaded"] * 4


def test_an_identical_table_is_neither_loaded_nor_told_again(site: Any, client_of: Any) -> None:
    site.model(1)
    table = site.route((1, 100.0, "champion"))
    document = (site.folder / "routing.json").read_bytes()
    watcher = client_of().endpoint.watcher
    before, events = watcher.table, site.events()

    def replaced(data: bytes) -> bool:
        site.write(data)
        return bool(watcher.look())

    assert replaced(document) and watcher.table is before
    anew = routing_document(table, site.key.sign(signed_bytes(table), ALGORITHM))
    assert anew != document
    assert replaced(anew) and watcher.table is before
    assert site.events() == events
    assert replaced(b"{") and watcher.refused is not None
    assert replaced(document) and watcher.refused is None and watcher.table is before
    assert [event["type"] for event in site.events()[len(events) :]] == ["endpoint.refused"]


def test_an_identical_table_must_still_be_signed(site: Any, client_of: Any) -> None:
    site.model(1)
    table = site.route((1, 100.0, "champion"))
    watcher = client_of().endpoint.watcher
    stranger = ec.generate_private_key(ec.SECP256R1())
    site.write(routing_document(table, stranger.sign(signed_bytes(table), ALGORITHM)))
    watcher.look()
    assert watcher.refused.code == "routing.unsigned"


def test_whatever_loading_raises_is_told_at_the_start_too(
    site: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.model(1)
    site.route((1, 100.0, "champion"))
    monkeypatch.setattr(type(site.signing), "verify", lambda *_: 1 / 0)
    with pytest.raises(FreeholdError) as caught:
        site.endpoint()
    assert caught.value.code == "endpoint.load-failed" and "ZeroDivisionError" in caught.value.why


def test_the_watcher_outlives_whatever_a_look_raises(
    site: Any, client_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.model(1)
    site.route((1, 100.0, "champion"))
    client = client_of()
    watcher = client.endpoint.watcher

    def failing(_: object) -> None:
        raise RuntimeError("the metrics are gone")

    with monkeypatch.context() as patch:
        patch.setattr(watcher, "_on_loaded", failing)
        patch.setattr(watcher, "_on_refused", failing)
        site.route((1, 100.0, "champion"))
        while watcher.refused is None and watcher._thread.is_alive():
            pass
    assert watcher.refused.code == "endpoint.watch-failed"
    assert "the metrics are gone" in watcher.refused.why
    site.route((1, 100.0, "champion"))
    while watcher.table.table.version < 3 and watcher._thread.is_alive():
        pass
    assert client.ask("GET", "/freehold/routing").json["refused"] is None


def test_a_table_that_cannot_be_told_of_is_served_all_the_same(
    site: Any, client_of: Any, request_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.model(1)
    site.route((1, 100.0, "champion"))
    client = client_of()
    monkeypatch.setattr(spool, "canonical", lambda _: 1 / 0)
    site.route((1, 100.0, "champion"))
    client.endpoint.watcher.look()
    assert client.ask("GET", "/freehold/routing").json["version"] == 2
    text = client.ask("GET", "/metrics").body.decode()
    assert "freehold_events_lost_total 1.0" in text
