"""Where labelled data may go."""

from hypothesis import given
from hypothesis import strategies as st

from freehold.domain.labels import inherited
from freehold.domain.project import SiteSpec, StoreSpec
from freehold.replication.travel import barred, barred_from_store

NAMES = st.sampled_from(["pii", "team", "secret"])
VALUES = st.sampled_from(["", "a", "b"])
PLACES = st.sampled_from(["", "EU", "US"])
SEVERAL = st.sampled_from(["a,b", ",a", "EU,US"])
LABELS = st.dictionaries(NAMES | st.just("residency"), VALUES | PLACES | SEVERAL)
STORES = st.sampled_from(["s3://one/x", "s3://one/x/", "s3://two/x"]).map(StoreSpec)
SITES = st.builds(
    SiteSpec,
    store=STORES,
    jurisdiction=PLACES,
    accepts=st.lists(st.builds(lambda n, v: f"{n}={v}" if v else n, NAMES, VALUES)).map(tuple),
)


def allowed(labels: dict[str, str], site: SiteSpec) -> bool:
    """The rule once more, in other words."""
    for name, values in labels.items():
        parts = set(values.split(","))
        if name == "residency":
            if "" in parts or parts != {site.jurisdiction}:
                return False
        elif not all({name, f"{name}={one}" if one else name} & {*site.accepts} for one in parts):
            return False
    return True


@given(LABELS, SITES)
def test_the_rule(labels: dict[str, str], site: SiteSpec) -> None:
    assert (barred(labels, site) == "") == allowed(labels, site)


@given(LABELS, SITES)
def test_a_label_more_never_opens_a_way(labels: dict[str, str], site: SiteSpec) -> None:
    for name in labels:
        fewer = {other: value for other, value in labels.items() if other != name}
        assert not barred(fewer, site) or barred(labels, site)


@given(LABELS, st.dictionaries(st.sampled_from("abc"), SITES), STORES)
def test_a_store_takes_what_all_its_sites_take(
    labels: dict[str, str], sites: dict[str, SiteSpec], store: StoreSpec
) -> None:
    owners = [site for site in sites.values() if site.store.at.strip("/") == store.at.strip("/")]
    expected = not labels or (bool(owners) and all(allowed(labels, site) for site in owners))
    assert (barred_from_store(labels, store, sites) == "") == expected


@given(st.lists(LABELS, max_size=4), SITES)
def test_what_comes_of_several_goes_where_each_of_them_may(
    several: list[dict[str, str]], site: SiteSpec
) -> None:
    expected = all(allowed(labels, site) for labels in several)
    assert (barred(inherited(several), site) == "") == expected


@given(st.lists(LABELS, max_size=4))
def test_inheriting_knows_no_order_and_no_number(several: list[dict[str, str]]) -> None:
    once = inherited(several)
    assert inherited(reversed(several)) == inherited([once, *several, {}]) == once


def test_it_says_which_rule() -> None:
    eu = SiteSpec(StoreSpec("file:///a"), jurisdiction="EU", accepts=("team=fraud",))
    us = SiteSpec(StoreSpec("file:///b"), jurisdiction="US")
    nowhere = SiteSpec(StoreSpec("file:///b"))
    assert barred({"residency": "EU", "team": "fraud"}, eu) == ""
    assert barred({"residency": "EU"}, us) == "residency=EU: the site's jurisdiction is US"
    assert barred({"residency": "EU"}, nowhere) == "residency=EU: the site has no jurisdiction"
    assert barred({"residency": "EU,US"}, us) == "residency=EU: the site's jurisdiction is US"
    assert barred({"pii": ""}, eu) == "pii: the site does not accept it"
    sites = {"eu": eu, "us": us, "nowhere": nowhere}
    rule = barred_from_store({"residency": "US"}, StoreSpec("file:///b"), sites)
    assert rule == "nowhere: residency=US: the site has no jurisdiction"
    assert barred_from_store({"pii": ""}, StoreSpec("file:///c"), sites)
