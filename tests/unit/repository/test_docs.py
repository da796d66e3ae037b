"""The documents keep up with the code: what exists is described, what is described exists."""

import ast
import re
import shlex
import subprocess
import sys
import tomllib
from dataclasses import fields, is_dataclass
from pathlib import Path

import click
import pytest

from freehold.catalog.contracts.vocabulary import KINDS
from freehold.cli.main import COMMANDS, freehold
from freehold.cli.release import BEGIN, WordsOrVersion
from freehold.domain import project

ROOT = Path(__file__).parents[3]
REFERENCE = ROOT / "docs" / "reference"
PORTS = sorted(
    path.stem for path in (ROOT / "freehold" / "ports").glob("*.py") if path.stem != "__init__"
)
ADAPTERS = sorted(
    path.parent.name for path in (ROOT / "freehold" / "adapters").glob("*/__init__.py")
)
CONTENTS = ROOT / "contributing" / "README.md"
ENTRIES = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]
PAGES = sorted(
    path
    for path in (
        *ROOT.glob("*.md"),
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "contributing").glob("*.md"),
        *(ROOT / "benchmarks").glob("*.md"),
    )
)


def page(name: str) -> str:
    return (REFERENCE / f"{name}.md").read_text()


def headings(text: str) -> set[str]:
    return {line.lstrip("# ").replace("`", "") for line in text.splitlines() if line[:1] == "#"}


def anchors(text: str) -> set[str]:
    plain = {re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings(text)}
    return {heading.replace(" ", "-") for heading in plain}


def rows(text: str) -> dict[str, list[str]]:
    """First cell of each row of a table → the other cells."""
    found = {}
    for line in text.splitlines():
        if line.startswith("| `"):
            cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            found[cells[0].strip("`")] = cells[1:]
    return found


def leaves(name: str, command: click.Command) -> list[tuple[str, click.Command]]:
    if not isinstance(command, click.Group):
        return [(name, command)]
    below = [
        leaves(f"{name} {key}", one) for key, one in command.commands.items() if not one.hidden
    ]
    return [(name, command), *(leaf for each in below for leaf in each)]


def commands() -> list[tuple[str, click.Command]]:
    context = click.Context(freehold)
    found = []
    for name in COMMANDS:
        command = freehold.get_command(context, name)
        assert command is not None
        found += leaves(f"freehold {name}", command)
    return found


def test_the_reference_is_what_the_code_says() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "docs.reference", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("name", "command"), commands())
def test_a_command_has_help_and_a_heading(name: str, command: click.Command) -> None:
    assert command.help
    assert name in headings(page("commands"))


def test_every_setting_has_a_row_with_a_meaning() -> None:
    described = rows(page("settings"))
    specs = [kind for kind in vars(project).values() if is_dataclass(kind)]
    names = {one.name for kind in specs for one in fields(kind)}
    assert len(names) > 30
    assert {name for name in names if name not in described or not described[name][-1]} == set()


def test_every_code_in_the_code_has_a_row_with_words() -> None:
    """Found by another way than the generator's: `code="..."` as text."""
    described = rows(page("errors"))
    codes = {
        code
        for path in (ROOT / "freehold").rglob("*.py")
        if not {"templates", "contracts"} & set(path.parts[len(ROOT.parts) :][:-1])
        for code in re.findall(r'code="([a-z.-]+)"', path.read_text())
    }
    assert len(codes) > 100
    assert codes - set(described) == set()
    assert [code for code, cells in described.items() if not cells[-1]] == []


def test_every_port_has_a_heading() -> None:
    assert set(PORTS) <= headings(page("adapters"))


def test_every_entry_point_has_a_row() -> None:
    described = rows(page("adapters"))
    names = {name for group in ENTRIES.values() for name in group}
    assert names - set(described) == set()


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_an_adapter_says_what_it_is(adapter: str) -> None:
    assert (ROOT / "freehold" / "adapters" / adapter / "README.md").is_file()


def test_every_expectation_is_in_the_guide() -> None:
    assert set(KINDS) - set(rows((ROOT / "docs" / "guides" / "contracts.md").read_text())) == set()


def test_the_types_of_facts_are_all_there() -> None:
    """Found by another way than the generator's: what the code appends, as text."""
    described = rows(page("facts"))
    types = {
        kind
        for path in (ROOT / "freehold").rglob("*.py")
        if "contracts" not in path.parts
        for kind in re.findall(r'Draft\(\s*"([a-z.-]+)"', path.read_text())
    }
    assert len(types) > 12
    assert types - set(described) == set()


def test_contributors_find_every_page() -> None:
    linked = set(re.findall(r"\]\(([a-z-]+\.md)\)", CONTENTS.read_text()))
    pages = {path.name for path in CONTENTS.parent.glob("*.md")} - {CONTENTS.name}
    assert pages - linked == set()


def written(path: Path) -> list[str]:
    """Lines of code blocks that are a command of ours, without what follows `#`, `&` or `>`."""
    blocks = re.findall(r"^```.*?\n(.*?)^```", path.read_text(), flags=re.DOTALL | re.MULTILINE)
    lines = [line.removeprefix("$ ") for block in blocks for line in block.splitlines()]
    ours = [line for line in lines if line.startswith("freehold ")]
    return [re.split(r"\s+[#&>]", line)[0].strip() for line in ours]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_commands_in_code_blocks_can_be_typed(path: Path) -> None:
    if path.is_relative_to(REFERENCE):
        return
    wrong = []
    for line in written(path):
        command: click.Command = freehold
        words = shlex.split(line)[1:]
        try:
            while isinstance(command, click.Group) and words:
                found = command.get_command(click.Context(command), words[0])
                if found is None and isinstance(command, WordsOrVersion):
                    found = command.commands[BEGIN]
                else:
                    words.pop(0)
                assert found is not None, line
                command = found
            # A command keeps its first help option: it must know `-h`, as under its group.
            command.make_context(line, words, **freehold.context_settings)
        except (click.UsageError, AssertionError) as error:
            wrong.append(f"{line}: {error}")
    assert wrong == []


def test_every_command_is_shown_somewhere() -> None:
    pages = (path for path in PAGES if not path.is_relative_to(REFERENCE))
    shown = "\n".join(path.read_text() for path in pages)
    assert {name for name in COMMANDS if f"freehold {name}" not in shown} == set()


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(path: Path) -> None:
    text = re.sub(r"```.*?```", "", path.read_text(), flags=re.DOTALL)
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        found = (path.parent / name).resolve() if name else path
        if not found.exists() or (anchor and anchor not in anchors(found.read_text())):
            broken.append(target)
    assert broken == []


def test_the_example_script_stays_short() -> None:
    script = ROOT / "examples" / "verify_ledger.py"
    assert len(script.read_text().splitlines()) <= 40
    imported = {
        name.name if isinstance(node, ast.Import) else node.module or ""
        for node in ast.walk(ast.parse(script.read_text()))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in node.names
    }
    assert not any(name.startswith("freehold") for name in imported)
