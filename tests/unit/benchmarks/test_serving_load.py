"""What wrk says becomes figures, and figures of servers loaded in turns become ratios."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.outcome import Outcome
from benchmarks.peers.setup import ROOT
from benchmarks.serving.comparison import HALF, compared, not_measured, reason
from benchmarks.serving.load import Found, found, median
from benchmarks.serving.rounds import compare, refuse_failed, turns
from benchmarks.serving.standing import Standing

SAID = """Running 3s test @ http://127.0.0.1:1/predict
  1 threads and 32 connections
  Requests/sec:  10.00
FOUND {"requests": 600, "us": 3000000, "bad": 2, "p50": 1.500000, "p99": 9.250000}
"""
NAMES = ("limit", "freehold", "another")


def standing(name: str) -> Standing:
    return Standing(name, "http://127.0.0.1:1", "tensor", 1, 1.0, 1.0, 1.0)


def test_what_wrk_says() -> None:
    assert found(SAID, 0.0625 * 600) == Found(rate=200.0, p50=1.5, p99=9.25, bad=2, cpu=62_500.0)


def test_nothing_answered_costs_what_it_cost() -> None:
    none = SAID.replace("600", "0")
    assert found(none, 0.03).rate == 0
    assert found(none, 0.03).cpu == pytest.approx(30_000)


def test_wrk_that_says_nothing_is_not_taken_for_a_figure() -> None:
    with pytest.raises(ValueError):
        found("unable to connect\n", 0.0)
    with pytest.raises(json.JSONDecodeError):
        found("FOUND {\n", 0.0)


def test_the_median_is_of_each_figure_and_failures_add_up() -> None:
    rounds = [Found(10, 3, 9, 1, 5), Found(30, 1, 7, 0, 4), Found(20, 2, 80, 2, 6)]
    assert median(rounds) == Found(20, 2, 9, 3, 5)


@given(st.integers(2, 5), st.integers(1, 9))
def test_each_round_has_every_server_once_and_comes_the_other_way_round(
    count: int, rounds: int
) -> None:
    servers = [standing(f"s{number}") for number in range(count)]
    order = turns(servers, rounds)
    assert len(order) == rounds
    assert all(sorted(one.name for one in each) == [s.name for s in servers] for each in order)
    for before, after in pairwise(order):
        assert before == after[::-1]


def medians(cpu: float = 20.0, bad: int = 0) -> dict[tuple[str, int], Found]:
    """Ours answers twice as much as another."""
    return {
        (name, rows): Found(rate * rows, 1.0, p99, 0 if name == "freehold" else bad, cpu)
        for name, rate, p99 in (("freehold", 200.0, 4.0), ("another", 100.0, 8.0))
        for rows in (1, 64)
    }


def test_ratios_are_ours_over_the_others() -> None:
    outcome = Outcome()
    compare(outcome, medians(), "freehold", "another", "rate", "p99", "cpu")
    assert outcome.ratios == {
        f"freehold / another, {rows}, {what}": ratio
        for rows in ("1 row", "64 rows")
        for what, ratio in (("requests/s", 2.0), ("p99", 0.5), ("processor time", 1.0))
    }


def test_a_ratio_over_nothing_is_none() -> None:
    outcome = Outcome()
    compare(outcome, medians(cpu=0.0), "freehold", "another", "cpu")
    assert set(outcome.ratios.values()) == {None}


def test_requests_of_ours_that_fail_end_it_and_those_of_others_are_told() -> None:
    outcome = Outcome()
    failing = medians(bad=3)
    compared("another", failing, outcome)
    assert outcome.figures["another, 64 rows, failed requests"] == 3
    assert outcome.figures["another, 1 row, requests/s"] == 100.0
    assert not any(name.startswith("freehold") for name in outcome.figures)
    with pytest.raises(RuntimeError, match="another, 1 row: 3 requests failed"):
        refuse_failed(failing)
    refuse_failed(medians())


def test_who_is_not_measured_is_named_with_the_reason() -> None:
    outcome = Outcome()
    not_measured("another", "not to be had", outcome)
    told = outcome.as_json("?")
    assert told["not_measured"] == {"another": "not to be had"}
    assert told["figures"]["another, 1 row, requests/s"] is None
    assert told["ratios"]["freehold / another, 64 rows, requests/s"] is None


def test_a_reason_is_short_and_names_no_place() -> None:
    end = "from http://127.0.0.1:1/there no"
    why = f"{ROOT}/.environments/x/bin/uv ended with 1:\n  {'so ' * 300}\n {end}"
    told = reason(why)
    assert told.startswith(".environments/x/bin/uv ended with 1: so so")
    assert told.endswith("so from … no")
    assert len(told) <= 2 * HALF + 3
    assert reason("ended  with\n1") == "ended with 1"
