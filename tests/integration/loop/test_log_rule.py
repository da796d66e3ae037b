"""What freehold.yaml says of the request log, from the table to whoever counts and joins."""

import io
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from freehold.app.check import check_project
from freehold.app.costs.meter import meter
from freehold.app.loop.compare import compare_months
from freehold.app.loop.replay import await_routing
from freehold.app.release.log_rule import log_faults
from freehold.app.release.regions import stages_of
from freehold.app.release.release import plan_release
from freehold.app.release.revoking import revoke
from freehold.app.release.serving_folder import publish
from freehold.app.site.opening import open_site
from freehold.app.traffic.client import EndpointClient
from freehold.app.traffic.labels import add_labels, labels
from freehold.app.traffic.requests import collect, requests
from freehold.app.traffic.token_key import token_key
from freehold.catalog.versions import version_of
from freehold.domain.errors import FreeholdError
from freehold.domain.routing import WHOLE, LogRule
from freehold.endpoint.process import EndpointThread
from freehold.endpoint.settings import EndpointSettings
from freehold.serving.sampling import Sampling
from freehold.serving.tokens import TokenKey

MARKER = "marker-5e0d"
NUMBER = 918273645.125


def log_of(loop: Any, **wanted: Any) -> None:
    """What the project file says from now on."""
    path = loop.site.project.root / "freehold.yaml"
    text = path.read_text()
    said = f"endpoint: {{model: delay, port: 0, log: {json.dumps(wanted)}}}"
    path.write_text(
        "".join(
            line if not line.startswith("endpoint:") else said + "\n"
            for line in text.splitlines(keepends=True)
        )
    )


@pytest.fixture
def reopened(loop_of: Callable[..., Any], world: Any) -> Any:
    """A loop whose project file says so of its log."""
    opened = []

    def reopen(more: str = "", **wanted: Any) -> Any:
        loop = loop_of(more)
        log_of(loop, **wanted)
        loop.site.close()
        loop.site = open_site(loop.site.project.root, loop.clock)
        opened.append(loop.site)
        return loop

    yield reopen
    for site in opened:
        site.close()


def key_of(loop: Any) -> TokenKey:
    return TokenKey.parse((loop.site.serving / "tokens.key").read_bytes())


def tensors(keys: list[str], distance: float = 1.0, carrier: str = "UA") -> list[dict[str, Any]]:
    columns = {
        "id": ("BYTES", keys),
        "distance": ("FP64", [distance] * len(keys)),
        "carrier": ("BYTES", [carrier] * len(keys)),
    }
    return [
        {"name": name, "datatype": kind, "shape": [len(keys)], "data": data}
        for name, (kind, data) in columns.items()
    ]


class Asked:
    """An endpoint on a loop's serving folder."""

    def __init__(self, loop: Any) -> None:
        self.loop = loop
        settings = EndpointSettings(loop.site.serving, port=0)
        self.endpoint = EndpointThread(settings, clock=loop.clock)
        self.client = EndpointClient(self.endpoint.url)

    def ask(self, keys: list[str], **more: Any) -> None:
        self.loop.clock.pass_seconds()
        self.client.infer("delay", tensors(keys, **more))
        self.client.flush()

    def __enter__(self) -> "Asked":
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()
        self.endpoint.stop()


def keys(count: int, prefix: str = "k") -> list[str]:
    return [f"{prefix}{number}" for number in range(count)]


def test_a_table_says_what_the_log_keeps_and_changes_with_the_file(reopened: Any) -> None:
    loop = reopened(sample=0.25, personal=["carrier"])
    assert loop.table().log == WHOLE
    loop.turn()
    first = loop.table()
    assert first.log == LogRule(0.25, False, ("carrier",), False, key_of(loop).name)
    path = loop.site.serving / "tokens.key"
    assert path.stat().st_mode & 0o777 == 0o600
    loop.turn()
    assert loop.table() == first
    path.unlink()
    loop.turn()
    assert loop.table().version > first.version
    assert loop.table().log.key == key_of(loop).name != first.log.key


def test_of_many_that_make_the_key_at_once_one_does(loop: Any) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: token_key(loop.site), range(32)))
    assert found == {key_of(loop)}
    assert [path.name for path in loop.site.serving.glob("*tokens.key*")] == ["tokens.key"]
    (loop.site.serving / "tokens.key").write_bytes(b"spoilt")
    with pytest.raises(FreeholdError) as caught:
        token_key(loop.site)
    assert caught.value.code == "key.unreadable"


def test_a_process_that_was_there_before_follows_the_file(loop: Any) -> None:
    loop.turn()
    log_of(loop, sample=0.5, personal=["carrier"])
    loop.turn()
    rule = loop.table().log
    assert (rule.sample, rule.personal) == (0.5, ("carrier",))
    path = loop.site.project.root / "freehold.yaml"
    text = path.read_text()
    path.write_text(text[: text.index("log:") + 6])
    loop.turn()
    assert loop.table().log == rule
    path.write_text(text)
    log_of(loop)
    loop.turn()
    assert loop.table().log == WHOLE


def test_all_is_kept_while_a_release_runs(reopened: Any) -> None:
    loop = reopened(sample=0.25)
    loop.release(2)
    assert loop.table().log == LogRule(sample=0.25, whole=True)
    revoke(loop.site, version_of(loop.site.state, "delay", 2))
    assert loop.table().log == LogRule(sample=0.25)
    assert not (loop.site.serving / "tokens.key").exists()


def test_requests_metered_are_those_that_were_answered(reopened: Any) -> None:
    loop = reopened(sample=0.1, personal=["carrier"])
    loop.turn()
    with Asked(loop) as asked:
        await_routing(loop.site, asked.client, "delay")
        for number in range(40):
            asked.ask(keys(5, f"{number}-"))
    collect(loop.site, "delay")
    facts = [fact["body"] for fact in loop.facts("log.recorded")]
    everyone = [key for number in range(40) for key in keys(5, f"{number}-")]
    kept = Sampling("delay", 0.1).kept(everyone)
    assert sum(body["rows"] for body in facts) == len(kept) > 0
    assert sum(body["sampled_out"] for body in facts) == 200 - len(kept)
    variants = [one for body in facts for one in body["variants"]]
    assert sum(one["requests"] for one in variants) == 40
    assert sum(one["rows"] for one in variants) == 200
    assert {(one["version"], one["failed"]) for one in variants} == {(1, 0)}
    assert any(body["rows"] == 0 for body in facts)
    found = requests(loop.site, "delay")
    assert found is not None and found.height == len(kept)
    meter(loop.site)
    (metered,) = loop.facts("usage.metered")
    assert metered["body"]["spent"]
    (usage,) = loop.facts("usage.recorded")
    frame = pl.read_parquet(io.BytesIO(loop.site.artifacts.get(usage["body"]["artifact"])))
    by_sku = frame.group_by("SkuId").agg(pl.col("ConsumedQuantity").cast(pl.Float64).sum())
    counted = dict(by_sku.iter_rows())
    assert (counted["requests"], counted["predictions"]) == (0.04, 0.2)


def test_labels_meet_the_rows_whose_ids_are_tokens(reopened: Any, world: Any) -> None:
    """And those that were logged, or labelled, in clear before the ids were called personal."""
    loop = reopened()
    rows = world.asked_rows(600, seed=1)
    before = loop.answered(1, rows, world.scores_of(rows["distance"].to_numpy()))
    loop.labelled(before.head(300), [0, 1] * 150)
    log_of(loop, personal_ids=True)
    loop.site.close()
    loop.site = open_site(loop.site.project.root, loop.clock)
    loop.turn()
    with Asked(loop) as asked:
        await_routing(loop.site, asked.client, "delay")
        asked.ask(keys(100))
    collect(loop.site, "delay")
    later = pl.DataFrame({"prediction_id": keys(100)})
    loop.labelled(pl.concat([before.select("prediction_id").tail(300), later]), [1, 0] * 200)
    log, known = requests(loop.site, "delay"), labels(loop.site, "delay")
    assert log is not None
    expected = key_of(loop).tokens(
        "prediction_id", [*before["prediction_id"], *keys(100)], numbers=False
    )
    assert set(log["prediction_id"]) == set(known["prediction_id"]) == set(expected)
    (month_of_old, *_) = compare_months(loop.site, "delay@1")
    assert month_of_old.rows == 600
    newest = loop.facts("labels.added")[-1]["body"]["artifact"]
    kept = pl.read_parquet(io.BytesIO(loop.site.artifacts.get(newest)))
    assert set(kept["prediction_id"]) < set(expected)
    loop.site.close()


def test_a_personal_feature_is_named_as_not_watched(reopened: Any, world: Any) -> None:
    loop = reopened(personal=["carrier"])
    loop.turn()
    loop.days(range(7))
    _tokenise(loop)
    loop.turn()
    (assessed,) = loop.facts("monitoring.assessed")
    body = assessed["body"]
    assert body["not_watched"] == {"carrier": "personal"}
    assert body["features"]["carrier"] is None and body["features"]["distance"] is not None
    report = json.loads(loop.site.artifacts.get(body["report"]))
    (carrier,) = [one for one in report["drift"]["columns"] if one["name"] == "carrier"]
    assert carrier["psi"]["reason"] == "personal"
    loop.labelled(loop.day(9), [0, 1] * 150)
    collect(loop.site, "delay")
    with pytest.raises(FreeholdError) as caught:
        compare_months(loop.site, "delay@1")
    assert (caught.value.code, "carrier" in caught.value.why) == ("compare.personal", True)


def test_a_day_of_which_all_was_kept_weighs_no_more_than_others(reopened: Any) -> None:
    loop = reopened(sample=0.5)
    loop.days(range(7))
    for number, part in enumerate(sorted((loop.site.serving / "log").glob("*.parquet"))):
        rows = pl.read_parquet(part)
        half = pl.int_range(rows.height) % 2 == 0
        rows.with_columns(sampled=half if number == 3 else True).write_parquet(part)
    loop.turn()
    (assessed,) = loop.facts("monitoring.assessed")
    assert assessed["body"]["rows"] == 6 * 300 + 150


def _tokenise(loop: Any) -> None:
    """The parts as an endpoint writes them that keeps tokens of the carrier."""
    key = key_of(loop)
    for part in (loop.site.serving / "log").glob("*.parquet"):
        rows = pl.read_parquet(part)
        made = key.tokens("input_carrier", rows["input_carrier"], numbers=False)
        rows.drop("input_carrier").with_columns(token_carrier=pl.Series(made)).write_parquet(part)


def test_a_name_that_is_no_column_is_refused_wherever_it_is_asked(reopened: Any) -> None:
    loop = reopened(personal=["carier", "distance", "age"])
    faults = log_faults(loop.site, "delay")
    assert [(fault.code, fault.hint) for fault in faults] == [
        ("endpoint.log-columns", "did you mean 'carrier'?"),
        ("endpoint.log-columns", "there are: carrier, distance"),
    ]
    assert all(fault.where == "freehold.yaml:4" for fault in faults)
    for ask in (
        lambda: plan_release(loop.site, "delay@2"),
        lambda: check_project(loop.site.project.root),
    ):
        with pytest.raises(FreeholdError) as caught:
            ask()
        assert {fault.what for fault in faults} <= {fault.what for fault in caught.value.faults}


def test_what_may_be_misspelt_leaves_nothing_in_clear(reopened: Any) -> None:
    """A table is published all the same, since something may have to leave traffic."""
    loop = reopened(personal=["carier"])
    publish(loop.site, "delay")
    assert loop.table().log.personal == ("carrier", "distance")


def test_a_part_of_counts_alone_is_recorded_once_and_counts_for_the_site(reopened: Any) -> None:
    loop = reopened(sample=0.0001)
    loop.turn()
    with Asked(loop) as asked:
        await_routing(loop.site, asked.client, "delay")
        asked.ask(keys(3))
    assert collect(loop.site, "delay") == 1
    assert collect(loop.site, "delay") == 0
    (fact,) = loop.facts("log.recorded")
    assert (fact["body"]["rows"], fact["body"]["sampled_out"]) == (0, 3)
    assert fact["body"]["variants"] == [{"version": 1, "requests": 1, "rows": 3, "failed": 0}]
    assert fact["body"]["answered"] == fact["body"]["last"] == loop.clock.now
    assert requests(loop.site, "delay") is None
    assert stages_of(loop.site, "delay", "rolling", ("local",)) == (("local",),)


def holds_marker(folder: Path) -> list[str]:
    """Files below it, and columns of Parquet, that hold the marker or its number."""
    found = []
    for path in sorted(one for one in folder.rglob("*") if one.is_file()):
        data = path.read_bytes()
        if MARKER.encode() in data or str(NUMBER).encode() in data:
            found.append(path.name)
        if data[:4] == b"PAR1":
            table = pl.read_parquet(io.BytesIO(data))
            found += [
                f"{path.name}: {name}"
                for name in table.columns
                if MARKER in (texts := " ".join(map(str, table[name].to_list())))
                or str(NUMBER) in texts
            ]
    return found


def test_no_file_of_a_project_holds_a_personal_value(reopened: Any) -> None:
    loop = reopened(
        "release: {steps: [50, 100], minimum_rows: 20}\n",
        sample=0.5,
        personal=["carrier", "distance"],
        personal_ids=True,
    )
    loop.turn()
    ids = keys(200, f"{MARKER}-")
    with Asked(loop) as asked:
        await_routing(loop.site, asked.client, "delay")
        asked.ask(ids, distance=NUMBER, carrier=MARKER)
        loop.release(2)
        await_routing(loop.site, asked.client, "delay")
        for number in range(4):
            asked.ask([f"{key}/{number}" for key in ids], distance=NUMBER, carrier=MARKER)
            known = pl.DataFrame({"prediction_id": [f"{key}/{number}" for key in ids]})
            loop.labelled(known, [0, 1] * 100)
            loop.turn()
        with pytest.raises(FreeholdError):
            asked.client.infer("delay", tensors([MARKER, MARKER], NUMBER, MARKER))
        with pytest.raises(FreeholdError):
            asked.client.infer("delay", tensors([MARKER])[:2])
        add_labels(
            loop.site,
            "delay",
            pl.DataFrame(
                schema={
                    "prediction_id": pl.String,
                    "label": pl.Int8,
                    "labelled_at": pl.String,
                }
            ),
        )
        with pytest.raises(FreeholdError):
            compare_months(loop.site, "delay@1")
        loop.turn()
    assert loop.facts("release.promoted", "release.completed", "release.rolled-back")
    known = labels(loop.site, "delay")
    assert known.height == 800
    assert holds_marker(loop.site.project.root) == []
    loop.site.close()
