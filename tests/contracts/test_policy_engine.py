"""Rego holds the port's laws; each of the library's traps is shut."""

import subprocess
import sys
from collections.abc import Mapping
from math import isclose
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.adapters.rego.builtins import ALLOWED
from freehold.adapters.rego.engine import RegoEngine
from freehold.adapters.rego.library import Doubt, Query, ask
from freehold.adapters.rego.plain import data_text, written
from freehold.domain.verdict import Verdict
from freehold.ports.contracts.policy_engine import (
    GOOD,
    LIMITS,
    RISK,
    PolicyEngineContract,
    RunsPolicyTestsContract,
    refused,
)


class Twice(RegoEngine):
    """Asks for one question and for many: the same is said, again and after another question."""

    def evaluate(
        self, modules: Mapping[str, str], data: Mapping[str, Any], input: Mapping[str, Any]
    ) -> Verdict:
        once, ask = super().evaluate(modules, data, input), self.for_many(modules, data)
        assert ask(input) == once
        ask({**dict(input), "risk": 1, "owner": "ann"})
        ask({**dict(input), "risk": 9, "owner": ""})
        assert ask(input) == once
        return once


class TestRegoEngine(PolicyEngineContract, RunsPolicyTestsContract):
    @pytest.fixture
    def engine(self) -> RegoEngine:
        return Twice()

    @pytest.fixture
    def runner(self, engine: RegoEngine) -> RegoEngine:
        return engine


def faulty(addition: str, name: str = "risk") -> list[tuple[str, str]]:
    """Codes and lines after RISK of the faults that an addition to it has."""
    source = RISK + addition
    found = RegoEngine().check({f"policies/{name}.rego": source})
    return [(one.code, str(int(one.where.rpartition(":")[2]) - RISK.count("\n"))) for one in found]


def rule(body: str) -> str:
    return f"also if {body}\n"


class TestWhatIsRefusedAtCheckTime:
    @pytest.mark.parametrize(
        "call",
        [
            'http.send({"method": "get", "url": "x"})',
            'net.cidr_contains("10.0.0.0/8", "10.1.1.1")',
            "json.match_schema({}, {})",
            "opa.runtime().env.HOME",
            "time.now_ns() > 1",
            'rand.intn("x", 2)',
            'uuid.rfc4122("x")',
            'time.parse_rfc3339_ns("2026-01-01T00:00:00Z")',
            "object.union({}, {})",
            'print("x")',
            'trace("x")',
            'rego.parse_module("a", "b")',
            "no_such_function(1)",
            'regex.find_n("a", "b", 1)',
        ],
    )
    def test_functions_that_are_absent_or_not_tried(self, call: str) -> None:
        assert faulty(rule(call)) == [("policy.builtin", "1")]
        assert faulty(rule(f"not {call}")) == [("policy.builtin", "1")]
        assert refused(Twice(), RISK + rule(call)) == {"engine/refused"}

    @pytest.mark.parametrize(
        ("addition", "code"),
        [
            (rule("inptu.risk > 1"), "policy.unknown-name"),
            (rule("not bad"), "policy.unknown-name"),
            (rule("opa.runtime"), "policy.unknown-name"),
            (rule("x > 1"), "policy.unknown-name"),
            ("input := 1\n", "policy.unknown-name"),
            (rule("input.rsk > 1"), "policy.undeclared-input"),
            (rule('not input["rsk"]'), "policy.undeclared-input"),
            (rule("data.limits.other > 1"), "policy.undeclared-input"),
            (rule("data.freehold.risk.deny"), "policy.undeclared-input"),
            ("also := input\n", "policy.undeclared-input"),
            ("also { input.risk > 1 }\n", "policy.not-v1"),
            ("deny[x] { x := 1 }\n", "policy.not-v1"),
            ("also(x) { x > 1 }\n", "policy.not-v1"),
            (rule('risk with input as {"risk": 1}').replace("risk with", "input.risk with"),
             "policy.with"),
            ("rules := {\"other\"}\n", "policy.rules"),
            ("requires := {\"input.x\": \"number\"}\n", "policy.requires"),
            ("package freehold.risk\n", "policy.syntax"),
        ],
    )  # fmt: skip
    def test_what_the_library_would_take_in_silence(self, addition: str, code: str) -> None:
        assert code in {found for found, _ in faulty(addition)}
        assert refused(Twice(), RISK + addition) == {"engine/refused"}

    def test_a_zero_byte_at_which_the_library_stops_reading(self) -> None:
        assert faulty("\0 also := ]\n") == [("policy.control-character", "1")]

    def test_a_package_of_another_file(self) -> None:
        [fault] = RegoEngine().check({"policies/other.rego": RISK})
        assert (fault.code, fault.where) == ("policy.package", "policies/other.rego:1")

    def test_two_files_of_one_name(self) -> None:
        found = RegoEngine().check({"policies/risk.rego": RISK, "policies/more/risk.rego": RISK})
        assert [fault.code for fault in found] == ["policy.duplicate"] * 2

    @pytest.mark.parametrize("name", ["policies/Risk.rego", "policies/a-b.rego", "policies/x.txt"])
    def test_names_that_are_no_package(self, name: str) -> None:
        assert "policy.name" in {fault.code for fault in RegoEngine().check({name: RISK})}

    @pytest.mark.parametrize("bracket", ["[]", "()", "{}"])
    def test_nesting_that_would_overflow_the_stack(self, bracket: str) -> None:
        deep = f"also := {bracket[0] * 20_000}{bracket[1] * 20_000}\n"
        assert ("policy.too-deep", "1") in faulty(deep)

    def test_a_default_defined_twice(self) -> None:
        assert [code for code, _ in faulty("default a := 1\n\ndefault a := 2\n")] == [
            "policy.syntax"
        ]

    def test_a_source_beyond_measure(self) -> None:
        found = RegoEngine().check({"policies/risk.rego": RISK + "#" * 300_000})
        assert [fault.code for fault in found] == ["policy.too-large"]

    @pytest.mark.parametrize("name", ["data.other", "data.freehold.owner", "future.keywords"])
    def test_imports_of_what_is_not_there(self, name: str) -> None:
        source = RISK.replace("import rego.v1", f"import rego.v1\n\nimport {name}")
        assert refused(Twice(), source) == {"engine/refused"}
        [fault] = RegoEngine().check({"policies/risk.rego": source})
        assert (fault.code, fault.where) == ("policy.import", "policies/risk.rego:5")


class TestWhatDeniesWhenAsked:
    @pytest.mark.parametrize(
        ("addition", "denial"),
        [
            ('cleared := {"too-high"}\n', "engine/error"),
            ("deny := set()\n", "engine/refused"),
            ("deny := []\n", "engine/error"),
            ('deny contains "text"\n', "engine/bad-answer"),
            ('deny contains {"rule": "x"}\n', "engine/bad-answer"),
            ('deny contains {"rule": "x", "message": 1}\n', "engine/bad-answer"),
            ('deny contains {"rule": "../x", "message": "m"}\n', "engine/bad-answer"),
            ('cleared contains "misspelt"\n', "engine/bad-answer"),
            ("cleared contains 1\n", "engine/bad-answer"),
            ('cleared contains "too-high" if to_number("x") > 1\n', "engine/error"),
            ('cleared contains "too-high" if 1 / 0 > 1\n', "engine/error"),
            ('cleared contains "too-high" if sprintf("%d", ["x"]) == ""\n', "engine/error"),
            ('a := 1 if true\n\na := 2 if true\n\ncleared contains "too-high" if a == 1\n',
             "engine/error"),
            ('a if b\n\nb if a\n\ncleared contains "too-high" if a\n', "engine/unreadable"),
        ],
    )  # fmt: skip
    def test_what_is_in_doubt(self, addition: str, denial: str) -> None:
        assert refused(Twice(), RISK + addition) == {denial}

    @pytest.mark.parametrize("name", ["cleared", "deny"])
    def test_a_policy_without_its_sets(self, name: str) -> None:
        assert "engine/undefined" in refused(
            Twice(), RISK.replace(f"{name} contains", "also contains").replace(
                "in cleared", "in also"
            )
        )  # fmt: skip

    def test_an_object_in_place_of_a_set(self) -> None:
        lines = RISK.replace("deny contains {", "deny[{").replace("])} if", "])}] if")
        assert refused(Twice(), lines, risk=3) == {"engine/bad-answer"}

    def test_data_that_would_answer_for_a_policy(self) -> None:
        data = {**LIMITS, "freehold": {"risk": {"deny": [], "cleared": ["too-high"]}}}
        verdict = Twice().evaluate({"policies/risk.rego": RISK}, data, {"risk": 9})
        assert [denial.rule for denial in verdict.denials] == ["engine/not-json"]

    def test_an_answer_that_comes_too_late(self) -> None:
        slow = RISK + (
            'cleared contains "too-high" if {\n'
            "\tsome i in numbers.range(1, 400)\n"
            "\tsome j in numbers.range(1, 400)\n\ti + j == -1\n}\n"
        )
        verdict = Twice(seconds=0.001).evaluate({"policies/risk.rego": slow}, LIMITS, GOOD)
        assert [denial.rule for denial in verdict.denials] == ["engine/timeout"]

    def test_small_numbers_keep_their_size(self) -> None:
        modules = {"policies/risk.rego": RISK}
        small, smaller = {"limits": {"risk": 1e-9}}, {"limits": {"risk": -1e-9}}
        assert Twice().evaluate(modules, small, {"risk": 1e-10}).allowed
        assert not Twice().evaluate(modules, small, {"risk": 1e-8}).allowed
        assert not Twice().evaluate(modules, smaller, {"risk": 0}).allowed
        assert Twice().evaluate(modules, {"limits": {"risk": 1e22}}, {"risk": 1e21}).allowed


class TestWhatTheLibraryDoesWhenUsedCarelessly:
    """Why there are checks: if one of these fails, the library has changed."""

    @pytest.mark.parametrize(
        ("trap", "shown"),
        [
            (
                "r.add_module('a', 'package p\\nallow := true'); r.query('data.p.allow');"
                "print(r.query('data.p.allow ==== '))",
                '{"expressions":[true]}',
            ),
            (
                "r.add_module('a', 'package p\\nallow if not http.send({})');"
                "print(r.query('x := data.p.allow'))",
                '{"expressions":[true], "bindings":{"x":true}}',
            ),
            (
                "r.add_module('a', 'package p\\nallow := false'); print(r.query('data.p.allow'))",
                "undefined",
            ),
            (
                "r.add_module('a', 'package p\\nallow := 1\\0 := ]');"
                "print(r.query('x := data.p.allow'))",
                '{"expressions":[true], "bindings":{"x":1}}',
            ),
            (
                "r.set_input({'a': 2**64 + 3}); print(r.query('x := input.a'))",
                '{"expressions":[true], "bindings":{"x":3}}',
            ),
        ],
    )
    def test_it_allows(self, trap: str, shown: str) -> None:
        assert alone(trap) == (0, shown)

    @pytest.mark.parametrize(
        "trap",
        [
            "r.add_module('a', 'package p\\nallow := false');r.query('data.p.allow').expressions()",
            "r.add_module('a', 'package p\\na if input.x\\nb if a');"
            "r.add_module('b', 'package q\\nt := x if { x := data.p.b with input as {\"x\": 1} }');"
            "r.set_input_term('{}'); print(r.query('x := data.q.t'))",
        ],
    )
    def test_it_ends_the_process(self, trap: str) -> None:
        assert alone(trap)[0] < 0

    def test_data_with_an_exponent_end_it_or_are_lost(self) -> None:
        data = '{"limits": {"risk": 1e-07}}'
        done, shown = alone(f"r.add_data_json({data!r}); print(r.query('x := data.limits.risk'))")
        assert (done, shown) != (0, '{"expressions":[true], "bindings":{"x":1e-07}}')

    def test_an_engine_whose_test_would_end_the_process_goes_on(self) -> None:
        test = (
            "package freehold.risk_test\n\nimport rego.v1\n\nimport data.freehold.risk\n\n"
            'good := {"risk": 1}\n\ntest_it if count(risk.deny) == 0 with input as good\n'
        )
        modules = {"policies/risk.rego": RISK, "policies/risk_test.rego": test}
        [result] = RegoEngine().test(modules, LIMITS)
        assert result.passed


RICH = """
default level := "low"

level := "high" if input.risk > 5 else := "middle" if input.risk > 1

twice(x) := y if { y := x * 2 }

names := {name | some name in ["a", "b"]; name != "b"}

pair := total if {
\t[a, b] := [1, twice(2)]
\ttotal := a + b
}

largest := max([x | x := [1, input.risk][_]])

listed if {
\tevery i, one in ["x", "y"] { contains(one, one); i >= 0 }
\t"a" in names
\tcount({k | some k in {"p": 1}}) >= 0
\tnot level == "other" # as it should be
\tpair == 5
\tlargest >= 1
\tregex.match(`^[a-z]+$`, level)
}
"""

TEST_HEAD = """package freehold.risk_test

import rego.v1

import data.freehold.risk

good := {"risk": 1}

worse(x) := {"risk": x}

"""


def test_ordinary_rego_is_not_refused() -> None:
    source = RISK.replace("if input.risk <= data.limits.risk", "if listed") + RICH
    modules = {"policies/risk.rego": source}
    assert RegoEngine().check(modules) == []
    assert Twice().evaluate(modules, LIMITS, GOOD).allowed


class TestSituations:
    """`with`, which the library cannot do."""

    @pytest.mark.parametrize(
        "test",
        [
            "test_a if count(risk.deny) == 0 with input as good",
            "test_a if { count(risk.deny) == 1 with input as worse(3); true }",
            'test_a if {\n\tcount(risk.deny) == 1 with input as {\n\t\t"risk": 2,\n\t}'
            "\n\t\twith data.limits.risk as 1\n}",
            "test_a if {\n\tsome one in risk.deny with input as worse(9) # far too high\n"
            '\tone.rule == "too-high"\n}',
            'test_a if not "too-high" in risk.cleared with input as worse(3)',
            "test_a if count(risk.deny) == 1 with input as json.patch(good,"
            ' [{"op": "replace", "path": "/risk", "value": 3}])',
        ],
    )
    def test_what_opa_would_find_true_passes(self, test: str) -> None:
        modules = {"policies/risk.rego": RISK, "policies/risk_test.rego": TEST_HEAD + test + "\n"}
        [result] = RegoEngine().test(modules, LIMITS)
        assert result.output == ""
        assert result.passed

    @pytest.mark.parametrize(
        "test",
        [
            "test_a if { risk.deny with input as good; risk.deny with input as worse(2) }",
            "test_a if { x := 1; risk.deny with input as worse(x) }",
            "test_a if { x := good; risk.deny with input as x }",
            "test_a if risk.deny with input.risk as 3",
            "test_a if risk.deny with data.freehold.risk.deny as []",
            "test_a if risk.deny with data as {}",
            "test_a if risk.deny with input as data.limits",
            "test_a if risk.deny with count as 3",
            "test_a if risk.deny with input",
            "test_a if true\n\nhelper if risk.deny with input as good",
            "test_a if risk.deny with input as good\n\ntest_a if true",
        ],
    )
    def test_what_cannot_be_done_is_refused(self, test: str) -> None:
        found = RegoEngine().check({"policies/risk_test.rego": TEST_HEAD + test + "\n"})
        assert {fault.code for fault in found} & {"policy.with", "policy.syntax"}

    @pytest.mark.parametrize(
        "source", ["", "{", "if", "with", "with as", "import", "test_a if with"]
    )
    def test_rubble_has_faults_and_raises_nothing(self, source: str) -> None:
        for name in ("policies/risk.rego", "policies/risk_test.rego"):
            assert RegoEngine().check({name: source})
            assert not Twice().evaluate({name: source}, LIMITS, GOOD).allowed


def alone(code: str) -> tuple[int, str]:
    """Exit code and last line of a process that uses the library as a beginner would."""
    lines = f"from regopy import Interpreter; r = Interpreter(); {code}"
    done = subprocess.run([sys.executable, "-c", lines], capture_output=True, text=True)
    return done.returncode, done.stdout.strip().rpartition("\n")[2]


ANSWERS: list[tuple[str, Any]] = [
    ("abs(-2.5)", 2.5),
    ("array.concat([1], [2])", [1, 2]),
    ("array.slice([1, 2, 3], 1, 2)", [2]),
    ("ceil(1.2)", 2),
    ('concat(", ", ["a", "b"])', "a, b"),
    ('contains("abc", "b")', True),
    ('count({"a", "b"})', 2),
    ('endswith("abc", "bc")', True),
    ("floor(1.8)", 1),
    ("format_int(15, 16)", "f"),
    ('indexof("abc", "c")', 2),
    ("is_array([])", True),
    ("is_boolean(false)", True),
    ("is_null(null)", True),
    ("is_number(1.5)", True),
    ("is_object({})", True),
    ('is_set({"a"})', True),
    ('is_string("a")', True),
    ('json.patch({"a": 1}, [{"op": "replace", "path": "/a", "value": 2}])', {"a": 2}),
    ('lower("AbC")', "abc"),
    ("max([1, 3, 2])", 3),
    ("min({3, 1})", 1),
    ("numbers.range(1, 3)", [1, 2, 3]),
    ('object.get({"a": 1}, "b", 7)', 7),
    ('object.keys({"a": 1})', ["a"]),
    ('regex.match("^a+$", "aaa")', True),
    ('replace("abab", "a", "c")', "cbcb"),
    ("round(2.5)", 3),
    ("sort([2, 1])", [1, 2]),
    ('split("a,b", ",")', ["a", "b"]),
    ('sprintf("%v %.2f %d %s", [0.5, 0.126, 3, "x"])', "0.5 0.13 3 x"),
    ('startswith("abc", "ab")', True),
    ('substring("abc", 1, 2)', "bc"),
    ('to_number("1.5")', 1.5),
    ('trim("xax", "x")', "a"),
    ('trim_prefix("abc", "a")', "bc"),
    ('trim_suffix("abc", "c")', "ab"),
    ("type_name(1)", "number"),
    ('upper("a")', "A"),
]


def test_every_allowed_function_answers_as_opa_documents_it() -> None:
    assert {call.split("(")[0] for call, _ in ANSWERS} == ALLOWED
    for call, expected in ANSWERS:
        assert ask(Query({}, call), "{}", 10.0) == expected, call


@pytest.mark.parametrize("call", ["1 / 0", 'to_number("x")', 'sprintf("%d", ["x"])', "]", ""])
def test_a_query_that_fails_is_a_doubt(call: str) -> None:
    with pytest.raises(Doubt):
        ask(Query({}, call), "{}", 10.0)


NUMBERS = st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(-1e300, 1e300).filter(
    lambda one: one == 0 or abs(one) > 1e-290
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda one: st.lists(one, max_size=4) | st.dictionaries(TEXTS, one, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.from_regex(r"k[a-z0-9_]{0,5}", fullmatch=True), VALUES, max_size=4))
def test_data_arrive_as_they_are(document: dict[str, Any]) -> None:
    """But for numbers, of which the library compares and tells sixteen digits."""
    found = ask(Query({}, "data.limits", data_text({"limits": document})), "{}", 10.0)
    assert same(found, document)


@given(NUMBERS, NUMBERS, st.booleans())
def test_numbers_of_data_compare_with_those_of_the_question(
    limit: float, risk: float, alike: bool
) -> None:
    risk = limit if alike else risk
    data = data_text({"limits": {"risk": limit}})
    query = "[input.risk < data.limits.risk, input.risk == data.limits.risk]"
    found = ask(Query({}, query, data), written({"risk": risk}), 10.0)
    if not isclose(risk, limit, rel_tol=1e-14):
        assert found == [risk < limit, False]
    elif risk == limit:
        assert found == [False, True]


def same(found: Any, meant: Any) -> bool:
    if isinstance(meant, dict):
        return found.keys() == meant.keys() and all(same(found[k], meant[k]) for k in meant)
    if isinstance(meant, list):
        return len(found) == len(meant) and all(map(same, found, meant))
    if isinstance(meant, (int, float)) and not isinstance(meant, bool):
        return not isinstance(found, bool) and isclose(found, meant, rel_tol=1e-14)
    return found is meant or (type(found) is str and found == meant)


def test_a_solver_may_be_loaded_after_the_engine() -> None:
    """Each brings a C++ library; in this order they ended the process."""
    order = "import freehold.adapters.rego.library, highspy; print(highspy.Highs().version())"
    done = subprocess.run([sys.executable, "-c", order], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
