"""What is asked of the maker and cannot be, and which runtime answers."""

from pathlib import Path
from typing import Any

import pytest

from freehold.app.edge.delta import make_delta, make_delta_back
from freehold.app.edge.making import make_bundle
from freehold.app.edge.reports import reports_spec
from freehold.app.edge.runtime import answering_of
from freehold.app.edge.wanted import Wanted
from freehold.app.files import write_files
from freehold.app.model.naming import resolve
from freehold.app.site.opening import open_site
from freehold.catalog.bundles import next_number
from freehold.catalog.package import unpack
from freehold.domain.bundle import digest
from freehold.domain.errors import FreeholdError
from freehold.domain.fact import Draft

WANTED = Wanted("delay@3", "barn")


def code_of(caught: "pytest.ExceptionInfo[FreeholdError]") -> str:
    assert caught.value.why and caught.value.hint
    return caught.value.code


def record(home: Any, manifest: Any) -> None:
    """As if it had been made here."""
    body = {
        "site": manifest.site,
        "model": manifest.model,
        "version": manifest.version,
        "package": manifest.package,
        "number": manifest.number,
        "manifest": digest(manifest.document()),
    }
    home.ledger.append([Draft("bundle.made", body)])


@pytest.mark.parametrize(
    ("document", "code"),
    [(None, "bundle.no-manifest"), (b"{}", "bundle.malformed"), (b"[", "bundle.malformed")],
)
def test_what_an_update_begins_with_is_a_manifest(
    home: Any, tmp_path: Path, document: bytes | None, code: str
) -> None:
    since = tmp_path / "bundle.json"
    if document is not None:
        since.write_bytes(document)
    with pytest.raises(FreeholdError) as caught:
        make_delta(home, WANTED, since, tmp_path / "step")
    assert caught.value.code == code


def test_it_is_one_that_was_made_here(home: Any, maker: Any, files: Any, tmp_path: Path) -> None:
    since = tmp_path / "bundle.json"
    since.write_bytes(maker.manifest(1, files).document())
    with pytest.raises(FreeholdError) as caught:
        make_delta(home, WANTED, since, tmp_path / "step")
    assert code_of(caught) == "bundle.unknown-base"


@pytest.mark.parametrize("about", [{"site": "home"}, {"model": "other"}])
def test_it_is_for_the_same_place_and_model(
    home: Any, maker: Any, files: Any, tmp_path: Path, about: Any
) -> None:
    manifest = maker.manifest(1, files, **about)
    record(home, manifest)
    since = tmp_path / "bundle.json"
    since.write_bytes(manifest.document())
    with pytest.raises(FreeholdError) as caught:
        make_delta(home, WANTED, since, tmp_path / "step")
    assert code_of(caught) == "bundle.other-place"


def test_back_leads_to_what_was_before(home: Any, maker: Any, files: Any, tmp_path: Path) -> None:
    later = maker.bundle(tmp_path / "later", 5, files)
    now = maker.manifest(2, files)
    record(home, now)
    record(home, maker.manifest(5, files))
    since = tmp_path / "bundle.json"
    since.write_bytes(now.document())
    with pytest.raises(FreeholdError) as caught:
        make_delta_back(home, WANTED, since, later, tmp_path / "step")
    assert code_of(caught) == "bundle.not-back"


def test_back_to_a_folder_that_was_altered_is_refused_by_name(
    home: Any, maker: Any, files: Any, tmp_path: Path
) -> None:
    first = maker.bundle(tmp_path / "first", 3, files)
    for number in (3, 4):
        record(home, maker.manifest(number, files if number == 3 else {"run": b"r"}))
    since = tmp_path / "bundle.json"
    since.write_bytes(maker.manifest(4, {"run": b"r"}).document())
    (first / "current/lib/one/data.bin").write_bytes(b"altered")
    with pytest.raises(FreeholdError) as caught:
        make_delta_back(home, WANTED, since, first, tmp_path / "step")
    assert code_of(caught) == "bundle.altered"
    assert "lib/one/data.bin" in caught.value.what
    assert not (tmp_path / "step").exists()


def test_one_at_a_time_for_one_place(home: Any, tmp_path: Path) -> None:
    held = home.locks.take("bundle barn delay")
    with pytest.raises(FreeholdError) as caught:
        make_bundle(home, WANTED, tmp_path / "box")
    assert code_of(caught) == "bundle.busy"
    held.release()


def test_sites_that_number_for_one_place_never_meet(home: Any, maker: Any, files: Any) -> None:
    """Three sites, of which each takes every third number."""
    assert next_number(home.state, "barn", "delay", home.numbering) == 1
    record(home, maker.manifest(2, files))
    assert next_number(home.state, "barn", "delay", home.numbering) == 4


def test_the_package_says_what_answers(home: Any, tmp_path: Path) -> None:
    package = home.artifacts.get(resolve(home, "delay@3").package)
    write_files(tmp_path / "payload", unpack(package))
    assert answering_of(tmp_path / "payload").runtimes == ("onnx",)
    isolated = answering_of(tmp_path / "payload", "isolated")
    assert isolated.runtimes == ("isolated", "auto", "onnx") and isolated.environment is None
    with pytest.raises(FreeholdError) as caught:
        answering_of(tmp_path / "payload", "abacus")
    assert caught.value.code == "adapter.unknown"


def test_reports_go_to_no_store_whose_objects_are_encrypted(home: Any, tmp_path: Path) -> None:
    folder = home.project.root
    text = (folder / "freehold.yaml").read_text()
    address = (tmp_path / "stores" / "barn").as_uri()
    sealed = text.replace(f'at: "{address}"', f'at: "{address}", encryption: "file:/nowhere"')
    assert sealed != text
    (folder / "freehold.yaml").write_text(sealed)
    with open_site(folder) as site:
        for named in ("barn", address):
            with pytest.raises(FreeholdError) as caught:
                reports_spec(site, named)
            assert code_of(caught) == "bundle.encrypted-store"
