"""A project's modules are those that lie on the disk now."""

from pathlib import Path
from typing import Any

from freehold.app.project.loading import load_pipelines
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
