"""What may not be bundled is refused before anything is written."""

from pathlib import Path
from typing import Any

import pytest

from freehold.app.edge.making import make_bundle
from freehold.app.edge.reports import reports_spec
from freehold.app.edge.wanted import Wanted
from freehold.app.model.naming import resolve
from freehold.app.release.revoking import revoke
from freehold.domain.errors import FreeholdError
from freehold.domain.project import StoreSpec


def refused(home: Any, name: str, place: str, tmp_path: Path, **more: Any) -> FreeholdError:
    before = sorted(tmp_path.iterdir())
    facts = sum(1 for _ in home.ledger.lines())
    with pytest.raises(FreeholdError) as caught:
        make_bundle(home, Wanted(name, place, **more), tmp_path / "box")
    assert sorted(tmp_path.iterdir()) == before
    assert sum(1 for _ in home.ledger.lines()) == facts
    return caught.value


def test_a_place_that_labels_bar_is_refused(home: Any, tmp_path: Path) -> None:
    error = refused(home, "delay@1", "street", tmp_path)
    assert error.code == "label.barred"
    assert "pii" in error.why


def test_a_place_that_is_none_is_refused(home: Any, tmp_path: Path) -> None:
    assert refused(home, "delay@1", "attic", tmp_path).code == "site.unknown"


def test_a_version_that_policy_denies_is_refused(home: Any, tmp_path: Path) -> None:
    error = refused(home, "delay@2", "barn", tmp_path)
    assert (error.code, "fair" in error.why) == ("policy.denied", True)


def test_a_revoked_version_is_refused(home: Any, tmp_path: Path) -> None:
    revoke(home, resolve(home, "delay@3"))
    assert refused(home, "delay@3", "barn", tmp_path).code == "policy.denied"


def test_a_version_that_is_unknown_is_refused(home: Any, tmp_path: Path) -> None:
    assert refused(home, "delay@9", "barn", tmp_path).code == "model.not-found"


@pytest.mark.parametrize(
    ("at", "rule"),
    [("street", "street: pii"), ("file:///nobody/knows", "is no site's store")],
)
def test_reports_of_labelled_rows_go_to_no_store_that_may_not_have_them(
    home: Any, tmp_path: Path, at: str, rule: str
) -> None:
    error = refused(home, "delay@1", "barn", tmp_path, reports=reports_spec(home, at))
    assert (error.code, rule in error.why) == ("label.barred", True)


def test_a_store_is_named_by_its_site_or_its_address(home: Any) -> None:
    barn = home.project.spec.sites["barn"].store
    assert reports_spec(home, "barn") == reports_spec(home, barn.at) == barn
    assert reports_spec(home, "s3://another/one") == StoreSpec("s3://another/one")
    assert not reports_spec(home, "").at
