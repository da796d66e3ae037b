"""The documents' commands, typed as a reader would, print what the documents show."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TYPED = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (ROOT / "docs").rglob("*.md")
    if "```console" in path.read_text()
)


def transcript(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "docs.transcript", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )


def test_the_quickstart_and_the_guides_are_typed() -> None:
    assert "docs/quickstart.md" in TYPED
    assert len(TYPED) >= 8


@pytest.mark.parametrize("document", TYPED)
def test_its_commands_print_what_it_shows(document: str) -> None:
    done = transcript("--check", document)
    assert not done.returncode and not done.stdout, f"{done.stdout}\n{done.stderr}"


DOCUMENT = """\
```text note.txt
one
two
```

```console
$ cat note.txt
{shown}
$ echo made 3 rows at 12:30 of 64a876e5, plan sha256:2e3a1238df2c
made 4 rows at 11:00 of 99e8ab01, plan sha256:219fc6626fd7
```
"""


@pytest.mark.parametrize(
    ("shown", "agrees"),
    [
        ("one\ntwo", True),
        ("one\n…", True),
        ("…\ntwo", True),
        ("one", False),
        ("one\nthree", False),
        ("two\none", False),
        ("", False),
    ],
)
def test_a_page_that_shows_something_else_is_found(
    tmp_path: Path, shown: str, agrees: bool
) -> None:
    page = tmp_path / "page.md"
    page.write_text(DOCUMENT.format(shown=shown))
    assert (transcript("--check", str(page)).returncode == 0) is agrees


def test_a_page_is_written_anew(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(DOCUMENT.format(shown="three"))
    transcript("--write", str(page))
    assert "$ cat note.txt\none\ntwo\n$ echo" in page.read_text()
    assert transcript("--check", str(page)).returncode == 0


def test_a_page_may_go_on_where_another_ends(tmp_path: Path) -> None:
    (tmp_path / "first.md").write_text("```console\n$ echo kept > note.txt\n```\n")
    second = tmp_path / "second.md"
    second.write_text("<!-- after first.md -->\n\n```console\n$ cat note.txt\nkept\n```\n")
    assert transcript("--check", str(second)).returncode == 0
