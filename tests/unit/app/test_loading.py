"""A project's modules are those that lie on the disk now."""

import shutil
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from freehold.app.project.loading import load_pipelines, module_sources
from freehold.app.project.reading import read_project

SOURCE = """\
from freehold import pipeline, step


@step
def answer() -> int:
    return {answer}


@pipeline
def ask() -> int:
    return answer()
"""


def project(folder: Path, answer: int) -> Any:
    folder.mkdir(exist_ok=True)
    (folder / "freehold.yaml").write_text("project: p\npipelines: {ask: asking:ask}\n")
    (folder / "asking.py").write_text(SOURCE.format(answer=answer))
    return read_project(folder)


def answered(opened: Any) -> int:
    graph = load_pipelines(opened)["ask"].trace()
    made: int = graph.nodes[0].step.function()
    return made


def test_code_that_changed_is_loaded_again_in_the_same_process(tmp_path: Path) -> None:
    assert answered(project(tmp_path, 1)) == 1
    assert answered(project(tmp_path, 42)) == 42


def test_two_projects_with_modules_of_one_name_do_not_meet(tmp_path: Path) -> None:
    one, other = project(tmp_path / "a", 1), project(tmp_path / "b", 2)
    assert [answered(p) for p in (one, other, one)] == [1, 2, 1]


@pytest.fixture
def eager() -> Iterator[None]:
    """Threads take turns at every chance."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def test_many_threads_that_load_one_project_at_once(tmp_path: Path, eager: None) -> None:
    """Each time after another project's modules of the same names had been loaded."""
    pair = [project(tmp_path / name, answer) for answer, name in enumerate("ab")]
    parts = "".join(f"import part_{n}\n" for n in range(40))
    for name in "ab":
        for n in range(40):
            (tmp_path / name / f"part_{n}.py").write_text("")
        source = tmp_path / name / "asking.py"
        source.write_text(parts + source.read_text())
    for _ in range(6):
        assert answered(pair[0]) == 0
        with ThreadPoolExecutor(4) as pool:
            assert set(pool.map(answered, [pair[1]] * 4)) == {1}


def test_what_people_did_not_write_is_no_source(tmp_path: Path) -> None:
    for name in ("steps.py", "shop/__init__.py", "shop/sales.py", ".venv/lib/far.py", "notes.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "folder.py").mkdir()
    assert module_sources(tmp_path) == {
        "shop": b"shop/__init__.py",
        "shop.sales": b"shop/sales.py",
        "steps": b"steps.py",
    }


def test_a_sites_own_folders_come_and_go_meanwhile(tmp_path: Path) -> None:
    (tmp_path / "steps.py").write_text("")
    ended = Event()

    def come_and_go() -> None:
        while not ended.is_set():
            for number in range(50):
                (tmp_path / f".freehold/{number}/payload").mkdir(parents=True)
            shutil.rmtree(tmp_path / ".freehold")

    thread = Thread(target=come_and_go)
    thread.start()
    try:
        for _ in range(50):
            assert list(module_sources(tmp_path)) == ["steps"]
    finally:
        ended.set()
        thread.join()
