"""Functions of graphs: their types from annotations, their sources as modules of their own."""

import functools
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from freehold import (
    Column,
    Columns,
    ModelGraph,
    Number,
    Scores,
    cascade,
    ensemble,
    post,
    trained,
    transformer,
)
from freehold.domain.errors import PipelineInvalid
from freehold.domain.model_graph_part import Ensemble, Function, Transformer

COLUMNS = Columns((Column("items", "number"), Column("device", "category", ("desk", "phone"))))
ITEMS = Columns((Column("items", "number"),))
HEAD = """
from typing import TypedDict
from freehold import Category, Number, Scores

class Basket(TypedDict):
    items: Number
    device: Category

class Paced(TypedDict):
    pace: Number
"""
_NUMBERS = count()

Project = Callable[..., ModuleType]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """Writes a module of a project, and imports it."""
    monkeypatch.syspath_prepend(tmp_path)
    made: list[str] = []

    def write(text: str, name: str = "") -> ModuleType:
        made.append(name or f"project_{next(_NUMBERS)}")
        (tmp_path / f"{made[-1]}.py").write_text(text)
        return import_module(made[-1])

    yield write
    for name in made:
        sys.modules.pop(name, None)


def function_of(part: Any) -> Function:
    assert isinstance(part.function, Function)
    return part.function


def codes(part: Any) -> list[str]:
    return [fault.code for fault in function_of(part).faults]


def run(function: Function) -> Any:
    """As somebody else's process does, which has neither the project nor Freehold."""
    namespace: dict[str, Any] = {}
    exec(compile(function.source, "carried", "exec"), namespace)
    return namespace[function.name]


def test_a_function_is_carried_with_what_it_needs_and_nothing_else(project: Project) -> None:
    module = project(
        HEAD
        + """
import os, subprocess
import numpy as np
from math import inf, tau
from freehold import step

LIMIT, FLOOR = 40.0, 1.0
NAMES = {"desk": ["a", 1.5, None], "phone": (True,)}
RATES = np.array([1.0, 2.0])


def unused(x):
    return os.getcwd()


@step
def train() -> int:
    return 1


class Pace:
    def __init__(self, value: Basket) -> None:
        self.value = value

    def capped(self):
        return np.minimum(self.value, LIMIT)


def per(a, b):
    # Why: nobody divides by nothing.
    return a / np.maximum(b, FLOOR) * RATES[0]


def paced(basket: Basket) -> Paced:
    total: Basket = sum(len(NAMES.get(one) or ()) for one in basket["device"])
    if total > inf:
        return paced(basket)
    return {"pace": Pace(per(basket["items"], np.full(2, 0.5))).capped() + total}
"""
    )
    part = transformer(module.paced)
    function = function_of(part)
    assert function.faults == () and function.requirements == ()
    assert function.takes == {"items": "number", "device": "category"}
    assert function.gives == {"pace": "number"}
    for absent in ("freehold", "subprocess", "import os", "tau", "unused", "train", "TypedDict"):
        assert absent not in function.source
    assert "# Why: nobody divides by nothing." in function.source
    table = {"items": np.array([3.0, 90.0]), "device": np.array(["desk", None], dtype=object)}
    found = run(function)(table)["pace"]
    assert found.tolist() == module.paced(table)["pace"].tolist() == [6.0, 43.0]
    assert "authoring/test_graph.py:" in part.where


def test_what_it_needs_may_stand_in_other_modules_of_the_project(project: Project) -> None:
    shared = project("import numpy as np\nBASE = 2\ndef double(x):\n    return BASE * np.abs(x)\n")
    module = project(
        HEAD
        + f"""
from {shared.__name__} import double

def paced(basket: Basket) -> Paced:
    return {{"pace": double(basket["items"])}}
"""
    )
    function = function_of(transformer(module.paced))
    assert function.faults == () and shared.__name__ not in function.source
    table = {"items": np.array([-3.0])}
    assert run(function)(table)["pace"].tolist() == [6.0]


def test_what_is_seldom_written_is_carried_too(project: Project) -> None:
    module = project(
        HEAD
        + """
import functools, re
from dataclasses import dataclass
from enum import Enum, IntEnum

class Size(IntEnum):
    SMALL = 1
    LARGE = 2

class Way(Enum):
    UP = "up"

@dataclass(frozen=True)
class Rule:
    limit: float = 3.0
    rates: tuple[int, ...] = (1, 2)
    most = 2
    least = most - 1

    def of(self, value: Basket) -> Basket:
        return value + self.limit

@functools.lru_cache
def cached(x: Basket) -> Basket:
    return x * Size.LARGE

def twice(f):
    @functools.wraps(f)
    def g(*a):
        return f(*a) * 2
    return g

@twice
def doubled(x):
    return x

A = [i for i in range(3)]
B = {i: str(i) for i in range(3)}
WORD = re.compile("a+")
KEY = lambda x, y=len(A): x + y
TABLE = {"cached": cached, "key": KEY}
later: int
C: int = 4

def paced(basket: Basket) -> Paced:
    def inner(x: Basket, y: Basket = 1) -> Basket:
        kept: Basket = x + y
        return kept
    total = TABLE["key"](len(B)) + C + bool(WORD.match("a")) + len(Way.UP.value)
    return {"pace": doubled(Rule().of(inner(basket["items"]))) + cached(total)}
"""
    )
    function = function_of(transformer(module.paced))
    assert function.faults == ()
    assert run(function)({"items": 1.0}) == module.paced({"items": 1.0})


PACED = 'def paced(basket: Basket) -> Paced:\n    return {"pace": basket["items"] + %s}\n'


@pytest.mark.parametrize(
    ("text", "code", "named"),
    [
        ("import polars as pl\n" + PACED % "len(pl.Series())", "graph.requirement", "'polars'"),
        ("from freehold import step\n" + PACED % "bool(step)", "graph.requirement", "'freehold'"),
        ("import freehold\n" + PACED % "len(dir(freehold))", "graph.requirement", "'freehold'"),
        ("from os.path import *\n" + PACED % "len(sep)", "graph.not-carried", "'sep'"),
        ("KEPT = {}\n" + PACED % "len(KEPT)" + "KEPT['a'] = 1\n", "graph.not-carried", "'KEPT'"),
        ("K = 1\nK = 2\n" + PACED % "K", "graph.not-carried", "'K'"),
        ("if True:\n    K = 1\n" + PACED % "K", "graph.not-carried", "'K'"),
        ("KEPT = [1]\n" + PACED % "len(KEPT)" + "KEPT.append(2)\n", "graph.not-carried", "'KEPT'"),
        (
            "import numpy as np\nK = np.zeros(5000)\n" + PACED % "K[2500]" + "K[2500] = 1\n",
            "graph.not-carried",
            "'K'",
        ),
        (
            "class K:\n    limit = 1\n" + PACED % "K.limit" + "K.limit = 2\n",
            "graph.not-carried",
            "'K'",
        ),
        (
            "class K:\n    def f(self):\n        return 1\n"
            + PACED % "K().f()"
            + "K.f = lambda self: 2\n",
            "graph.not-carried",
            "'K'",
        ),
        (
            "def k():\n    return 1\n" + PACED % "k()" + "globals()['k'] = lambda: 2\n",
            "graph.not-carried",
            "'k'",
        ),
        (
            "import functools\ndef times(n):\n    def around(f):\n        @functools.wraps(f)\n"
            "        def g():\n            return f() * n[0]\n        return g\n    return around\n"
            "N = [1]\n@times(N)\ndef k():\n    return 1\n" + PACED % "k()" + "N[0] = 7\n",
            "graph.not-carried",
            "'k'",
        ),
        ("K = []\nK.append(K)\n" + PACED % "len(K)", "graph.not-carried", "'K'"),
        ("K = object()\n" + PACED % "bool(K)", "graph.not-carried", "'K'"),
        ("K = __file__\n" + PACED % "len(K)", "graph.not-carried", "'__file__'"),
        (PACED % "nothing", "graph.not-carried", "'nothing'"),
        ("import random\nK = random.random()\n" + PACED % "K", "graph.not-carried", "'K'"),
        (
            "def twice(f):\n    return lambda t: f(t)\n@twice\n" + PACED % "1",
            "graph.lambda",
            "no name",
        ),
        (
            "import functools\ndef twice(f):\n    @functools.wraps(f)\n    def g(t):\n"
            "        return f(t)\n    return g\n@twice\n" + PACED % "1",
            "graph.closure",
            "'f'",
        ),
        (PACED % "1" + "one = paced\n" + PACED % "2", "graph.not-carried", "'paced'"),
        (
            "def made(n):\n    def paced(basket: Basket) -> Paced:\n"
            "        return {'pace': basket['items'] * n}\n    return paced\npaced = made(3)\n",
            "graph.closure",
            "'n'",
        ),
        (
            "class Kept:\n    @staticmethod\n    def paced(basket: Basket) -> Paced:\n"
            "        return {'pace': basket['items']}\npaced = Kept.paced\n",
            "graph.closure",
            "Kept",
        ),
    ],
)
def test_what_a_source_does_not_carry_is_refused_by_name(
    project: Project, text: str, code: str, named: str
) -> None:
    function = function_of(transformer(project(HEAD + text).paced))
    assert code in [fault.code for fault in function.faults]
    told = [fault for fault in function.faults if fault.code == code and named in fault.what]
    assert told and function.source == ""
    assert all(fault.hint and fault.where for fault in function.faults)


def test_a_function_that_was_typed_into_a_session_has_no_source() -> None:
    text = "from freehold import *\nfrom freehold.authoring.graph import post\n" + (
        "def calmed(scores: Scores) -> Scores:\n    return scores\n"
        "print(*[fault.code for fault in post(calmed).function.faults])\n"
    )
    done = subprocess.run([sys.executable, "-"], input=text, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("graph.no-source\n", "")


def test_a_file_that_was_changed_since_it_was_imported(project: Project, tmp_path: Path) -> None:
    module = project(HEAD + PACED % "1")
    path = Path(str(module.__file__))
    path.write_text(path.read_text().replace("+ 1", "+ 2"))
    function = function_of(transformer(module.paced))
    assert [fault.code for fault in function.faults] == ["graph.not-carried"]
    assert "'paced', which is another than" in function.faults[0].what


def test_things_that_are_no_functions_and_functions_of_others() -> None:
    def within(scores: Scores) -> Scores:
        return scores

    made = transformer
    for odd in (np.log1p, len, functools.partial(within), 7, np.zeros(3)):
        assert codes(made(odd)) == ["graph.function"]  # type: ignore[arg-type]
    assert codes(post(lambda scores: scores)) == ["graph.lambda"]
    assert codes(post(within)) == ["graph.closure"]
    import scipy.special  # type: ignore[import-untyped]

    softmax = scipy.special.softmax
    assert "graph.requirement" in codes(transformer(softmax, takes=ITEMS, gives=ITEMS))


def test_a_function_of_a_distribution_that_is_required_is_carried_by_its_address() -> None:
    from importlib.metadata import version

    from scipy.special import softmax

    part = transformer(softmax, takes=ITEMS, gives=ITEMS, requirements=["scipy"])
    function = function_of(part)
    # It has more parameters than a table, which is another fault.
    assert {fault.code for fault in function.faults} == {"graph.function"}
    assert f"scipy=={version('scipy')}" in function.requirements
    missing = transformer(softmax, takes=ITEMS, gives=ITEMS, requirements=["no-such-thing"])
    assert {"graph.requirement", "graph.function"} == set(codes(missing))


def test_a_library_that_is_required_may_be_imported(project: Project) -> None:
    module = project(HEAD + "from polars import Series\n" + PACED % "len(Series([1]))")
    function = function_of(transformer(module.paced, requirements=["Polars"]))
    assert function.faults == () and function.requirements[0].startswith("Polars==")
    assert run(function)({"items": 1})["pace"] == 2


@pytest.mark.parametrize(
    ("text", "part", "what"),
    [
        ("def f(table: Basket): ...", transformer, "columns for what it returns"),
        ("def f(table) -> Paced: ...", transformer, "columns for 'table'"),
        ("def f(table: dict) -> Paced: ...", transformer, "columns for 'table'"),
        ("def f() -> Paced: ...", transformer, "has 0 parameters"),
        ("def f(a: Basket, b: Basket) -> Paced: ...", transformer, "has 2 parameters"),
        ("def f(*, a: Basket) -> Paced: ...", transformer, "has 1 parameters"),
        ("def f(*a: Basket) -> Paced: ...", transformer, "has 1 parameters"),
        ("def f(table: Lost) -> Paced: ...", transformer, "cannot be resolved"),
        ("async def f(table: Basket) -> Paced: ...", transformer, "does not return"),
        ("def f(table: Basket) -> Paced:\n    yield", transformer, "does not return"),
        (
            'Odd = TypedDict("Odd", {"a": int})\ndef f(table: Odd) -> Paced: ...',
            transformer,
            "'a'",
        ),
        (
            'No = TypedDict("No", {})\ndef f(table: No) -> Paced: ...',
            transformer,
            "not one column",
        ),
        ("def f(scores) -> Scores: ...", post, "type of 'scores'"),
        ("def f(scores: Scores): ...", post, "type of what it returns"),
        ("def f(scores: Number) -> Scores: ...", post, "another type than Scores"),
        ("def f(scores: Scores, table) -> Scores: ...", post, "columns for 'table'"),
        ("def f(a: Scores, b: Basket, c: Basket) -> Scores: ...", post, "has 3 parameters"),
    ],
)
def test_types_that_are_not_said(project: Project, text: str, part: Any, what: str) -> None:
    head = HEAD.replace("from typing", "from __future__ import annotations\nfrom typing")
    function = function_of(part(project(head + text).f))
    found = [fault for fault in function.faults if what in fault.what]
    assert found and all(fault.hint or "resolved" in fault.what for fault in found)


def test_columns_may_be_declared(project: Project) -> None:
    module = project(HEAD + "def f(table): ...\ndef g(scores: Scores, table) -> Scores: ...\n")
    part = transformer(module.f, takes=COLUMNS, gives={"average price": "number"})
    assert codes(part) == []
    assert function_of(part).takes == {"items": "number", "device": "category"}
    assert function_of(part).gives == {"average price": "number"}
    assert function_of(post(module.g, takes={"items": "number"})).takes == {"items": "number"}
    for odd in ({"items": "float"}, ["items"], {}, 7):
        assert codes(transformer(module.f, takes=odd, gives=ITEMS)) == ["graph.annotation"]
    typed = project(HEAD + PACED % "1")
    assert codes(transformer(typed.paced, takes=ITEMS)) == ["graph.annotation"]
    calmed = project(HEAD + "def h(scores: Scores) -> Scores: ...\n")
    assert codes(post(calmed.h, takes=ITEMS)) == ["graph.function"]


def test_all_of_it_is_told_at_once(project: Project) -> None:
    module = project(HEAD + PACED % "nothing" + "def calmed(scores) -> Scores: ...\n")
    model = trained(None, Columns((Column("pice", "number"), Column("device", "number"))))
    with pytest.raises(PipelineInvalid) as caught:
        ModelGraph(
            COLUMNS,
            transformer(module.paced)
            >> ensemble(
                {"a": model, "b": cascade(model, 7, unsure=(0.7, 0.3))},  # type: ignore[arg-type]
                weights={"a": 1.0, "c": 2.0},
            )
            >> post(module.calmed),
        )
    assert sorted(fault.code for fault in caught.value.faults) == sorted(
        [
            "graph.annotation",
            "graph.band",
            "graph.column-kind",
            "graph.column-kind",
            "graph.not-carried",
            "graph.part",
            "graph.weight",
            "graph.weight",
        ]
    )
    assert all(
        "test_graph.py:" in one.where or "project_" in one.where for one in caught.value.faults
    )
    assert all(fault.hint for fault in caught.value.faults)


def test_what_has_no_columns_is_told_and_so_is_what_is_no_member() -> None:
    model: Any = trained(None, ["items"])  # type: ignore[arg-type]
    for columns, part, code in (
        (ITEMS, model, "graph.columns"),
        (["items"], trained(None, ITEMS), "graph.columns"),
        (ITEMS, ensemble({"a": trained(None, ITEMS)}, weights=[1.0]), "graph.weight"),  # type: ignore[arg-type]
        (ITEMS, ensemble([trained(None, ITEMS)]), "graph.part"),  # type: ignore[arg-type]
        (ITEMS, cascade(trained(None, ITEMS), trained(None, ITEMS), unsure=0.5), "graph.band"),  # type: ignore[arg-type]
    ):
        with pytest.raises(PipelineInvalid) as caught:
            ModelGraph(columns, part)  # type: ignore[arg-type]
        assert [fault.code for fault in caught.value.faults] == [code]


def test_weights_are_one_for_each_unless_they_are_given() -> None:
    model = trained(None, ITEMS)
    equal = ensemble({"a": model, "b": model})
    assert isinstance(equal, Ensemble) and [one.weight for one in equal.members] == [1.0, 1.0]
    assert equal == ensemble({"a": model, "b": model}, weights={"b": 1, "a": 1})
    assert isinstance(transformer(len), Transformer)


def test_names_of_kinds_are_any_to_whoever_reads_types() -> None:
    def added(a: Number, b: Number) -> Number:
        return a + b

    assert added(1.0, 2.0) == 3.0
