"""`freehold keys`"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

from freehold.app.project.reading import find_root, read_project
from freehold.app.site.health.finding import counted
from freehold.app.site.health.store_keys import add_key, new_key_file, plan_rotation
from freehold.cli import drawing, output


@click.group("keys")
def command() -> None:
    """The keys that wrap the keys of an encrypted store's objects."""


@command.command("new")
@click.option("--to", "path", type=click.Path(path_type=Path), required=True, help="A new file.")
@output.as_json
def new_command(path: Path, as_json: bool) -> None:
    """Make a key file. What is encrypted with its key can be read nowhere without it."""
    key = new_key_file(path)
    if as_json:
        output.data({"shape": 1, "file": str(path), "key": key})
        return
    click.echo(f"{path} has the key {key}")
    output.note("copy it to every site that reads the store, and keep a copy where no site is")
    output.next_command(f"write `encryption: file:{path.absolute()}` under `store:`, freehold sync")


@command.command("add")
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path))
@output.yes
@output.as_json
def add_command(path: Path, yes: bool, as_json: bool) -> None:
    """Put one more key into FILE. It wraps from now on; those that are there go on opening."""
    if not as_json:
        click.echo(f"{path} gets a key that no other copy of it has: copy it to every site then")
    output.confirm("Add a key?", yes)
    key = add_key(path)
    if as_json:
        output.data({"shape": 1, "file": str(path), "key": key})
        return
    click.echo(f"{path} wraps with the key {key} from now on")
    output.note("copy it to every site that reads the store, and start their processes again; then")
    output.next_command("freehold keys rotate")


@command.command("rotate")
@click.option("--site", default="", help="Another site than the one this checkout is.")
@output.yes
@output.as_json
def rotate_command(site: str, yes: bool, as_json: bool) -> None:
    """Wrap what lies in the site's store under older keys by the newest one.

    May be stopped and repeated. Bodies are not encrypted anew.
    """
    plan = plan_rotation(read_project(find_root(Path.cwd()), site))
    if not as_json:
        click.echo(f"all that lies in the store of {plan.site} will be wrapped by {plan.key}")
        click.echo("every site that reads this store must have that key already")
    output.confirm("Rotate?", yes)
    with _counting(quiet=as_json) as told:
        done = plan.run(told)
    if as_json:
        output.data({"shape": 1, **done})
        return
    click.echo(
        f"{counted(done['rotated'], 'object')} are wrapped anew, {done['current']:,} were so"
    )
    if done["not_encrypted"]:
        output.note(f"{counted(done['not_encrypted'], 'object')} are not encrypted at all")
    again = ["freehold keys rotate   (until nothing is left to do)"] if done["rotated"] else []
    output.next_command(*again, "freehold doctor")


@contextmanager
def _counting(quiet: bool) -> Iterator[Callable[[int], None]]:
    """On a terminal only."""
    console = drawing.console(stderr=True)
    if quiet or not console.is_terminal:
        yield lambda _count: None
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("objects looked at", total=None)
        yield lambda count: bar.advance(task, count)
