"""commands.md, from the command line itself."""

from collections.abc import Iterator
from pathlib import Path

import click

from docs.reference.sources import table
from freehold.cli.main import COMMANDS, freehold

HEAD = """\
# Commands

Data goes to standard output, everything else to standard error. `--json` prints JSON on every
command that reads, and errors as `{"error": {code, what, because, hint, faults}}`. A command that
changes something shows what it will do and asks first; `--yes` skips the question and is needed
where nobody can be asked.

| exit code | meaning |
| --- | --- |
| 0 | done |
| 1 | refused, or tried and failed |
| 2 | wrong usage |
| 3 | something outside did not answer |

A command works on the project in this folder or in one above it.

"""


def page() -> str:
    context = click.Context(freehold, info_name="freehold")
    parts = [f"- [`{name}`](#freehold-{name}): {line}\n" for name, line in COMMANDS.items()]
    for name in COMMANDS:
        command = freehold.get_command(context, name)
        assert command is not None
        parts += _sections(f"freehold {name}", command)
    return HEAD + "".join(parts).rstrip() + "\n"


def _sections(name: str, command: click.Command) -> Iterator[str]:
    yield f"\n## {name}\n\n"
    yield _help(command) + "\n"
    if isinstance(command, click.Group):
        for below in sorted(command.commands):
            # Those that other commands start are nobody's to type.
            if command.commands[below].hidden:
                continue
            yield from _sections(f"{name} {below}", command.commands[below])
        return
    yield f"\n```\n{_usage(name, command)}\n```\n"
    options = [one for one in command.params if isinstance(one, click.Option) and not one.hidden]
    if options:
        rows = [[_spelling(one), _default(one), one.help or ""] for one in options]
        yield "\n" + table(["option", "default", ""], rows) + "\n"


def _help(command: click.Command) -> str:
    return " ".join((command.help or "").split())


def _usage(name: str, command: click.Command) -> str:
    words = [name]
    if any(isinstance(one, click.Option) for one in command.params):
        words.append("[OPTIONS]")
    for one in command.params:
        if isinstance(one, click.Argument):
            metavar = one.metavar or (one.name or "").upper()
            words.append(metavar if one.required else f"[{metavar}]")
    return " ".join(words)


def _spelling(option: click.Option) -> str:
    if option.is_flag:
        return f"`{option.opts[0]}`"
    kind = option.type
    value = "|".join(kind.choices) if isinstance(kind, click.Choice) else option.metavar
    if not value:
        value = "DATE" if isinstance(kind, click.DateTime) else kind.name.upper()
    return f"`{option.opts[0]} {value}`"


def _default(option: click.Option) -> str:
    if option.required:
        return "required"
    given = option.default
    plain = not option.is_flag and isinstance(given, str | int | float | Path) and given != ""
    return f"`{given}`" if plain else ""
