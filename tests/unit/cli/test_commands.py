"""What holds of every command: help, `--json` where it reads, `--yes` where it asks."""

from collections.abc import Iterator

import click
import pytest

from freehold.cli.main import COMMANDS, freehold, run

CHANGES = {
    "freehold run",
    "freehold release begin",
    "freehold release pause",
    "freehold release resume",
    "freehold release promote",
    "freehold release abort",
    "freehold revoke",
    "freehold work cancel",
    "freehold approve",
    "freehold bills import",
    "freehold replay",
    "freehold audit erase",
    "freehold gc",
    "freehold conflicts settle",
    "freehold fetch",
    "freehold hold add",
    "freehold hold release",
    "freehold labels",
    "freehold sites trust",
    "freehold sites rekey",
    "freehold keys add",
    "freehold keys rotate",
}
"""Those that change a project that is there already, and so ask first."""
NO_JSON = {
    "freehold console",
    "freehold gateway",
    "freehold serve",
    "freehold step",
    "freehold audit checkpoint",
}
"""Three answer until they are stopped, one is for engines, one prints JSON anyway."""


def commands() -> Iterator[tuple[str, click.Command]]:
    """Every command and every group, by what is typed."""
    context = click.Context(freehold)
    for name in COMMANDS:
        command = freehold.get_command(context, name)
        assert command is not None
        yield f"freehold {name}", command
        if isinstance(command, click.Group):
            for below, nested in command.commands.items():
                # Those that other commands start, and no person types, are hidden.
                if not nested.hidden:
                    yield f"freehold {name} {below}", nested


ALL = dict(commands())
LEAVES = {name: one for name, one in ALL.items() if not isinstance(one, click.Group)}


@pytest.mark.parametrize("name", ALL)
def test_each_has_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert ALL[name].help
    for flag in ("--help", "-h"):
        assert run([*name.split()[1:], flag]) == 0
    said = capsys.readouterr()
    assert said.out.startswith(f"Usage: {name}")
    assert said.err == ""


@pytest.mark.parametrize("name", LEAVES)
def test_each_option_has_one_name_in_whole_words(name: str) -> None:
    for option in LEAVES[name].params:
        if isinstance(option, click.Option):
            assert [len(spelled) > 3 for spelled in option.opts] == [True], option.opts


@pytest.mark.parametrize("name", sorted(LEAVES.keys() - NO_JSON))
def test_each_prints_json(name: str) -> None:
    (flag,) = [one for one in LEAVES[name].params if "--json" in one.opts]
    assert isinstance(flag, click.Option)
    assert flag.is_flag


@pytest.mark.parametrize("name", LEAVES)
def test_those_that_change_what_is_there_ask_first(name: str) -> None:
    asks = any("--yes" in one.opts for one in LEAVES[name].params)
    assert asks == (name in CHANGES)


def test_the_whole_has_help_that_names_each(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    told = capsys.readouterr().out
    for name in COMMANDS:
        assert (f"  {name} " in told) == (name != "step")


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert "freehold" in capsys.readouterr().out
