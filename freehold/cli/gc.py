"""`freehold gc`"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import click
from rich.progress import Progress as Bar

from freehold.app.site.opening import open_site
from freehold.app.storage import inspection
from freehold.app.storage.gc import Collection, Progress, collect
from freehold.app.storage.inspection import Judged, Row
from freehold.app.storage.survey import Survey, survey
from freehold.cli import drawing, output


@click.command("gc", help="Let go of stored objects that nothing refers to any more.")
@click.option("--dry-run", is_flag=True, help="Show what would go and what stays; change nothing.")
@click.option("--explain", metavar="DIGEST|MODEL@VERSION", help="Why an object stays or goes.")
@output.yes
@output.as_json
def command(dry_run: bool, explain: str | None, yes: bool, as_json: bool) -> None:
    with open_site() as site:
        if explain is not None:
            _explain(inspection.explain(site, explain), as_json)
            return
        seen = survey(site)
        if not as_json:
            _show(seen)
        made = None
        if not dry_run:
            if seen.goes:
                output.confirm("Let them go?", yes)
            with _bar(quiet=as_json) as progress:
                made = collect(site, seen, progress)
    if as_json:
        found = {"shape": 1, "dry_run": dry_run, **inspection.as_json(seen)}
        output.data({**found, "collected": made.as_json() if made else None})
    elif made is None:
        output.next_command(*(["freehold gc"] if seen.goes or seen.waits else ["freehold status"]))
    else:
        _tell(made)


def _show(seen: Survey) -> None:
    for title, name, rows in (
        ("goes: nothing refers to it, for long enough", "kind", inspection.going(seen)),
        ("waits: nothing refers to it, noted too recently", "kind", inspection.waiting(seen)),
        ("stays", "reason", inspection.kept(seen)),
    ):
        if rows:
            _table(title, name, rows)
    if not seen.goes:
        click.echo("nothing goes now")
    for one in seen.under_way:
        click.echo(f"{one} is under way: nothing goes until it has ended")


def _table(title: str, name: str, rows: Sequence[Row]) -> None:
    cells = [[inspection.spoken(what), f"{n:,}", size(total)] for what, n, total in rows]
    drawing.table(title, [name, "objects>", "bytes>"], cells)


def size(number: int) -> str:
    """`1.3 MB`: decimal, as disks are sold."""
    amount = float(number)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"


def _tell(made: Collection) -> None:
    if made.objects or made.parts:
        parts = f" and {made.parts:,} files of the request log" if made.parts else ""
        total = size(made.bytes + made.part_bytes)
        click.echo(f"{made.objects:,} objects{parts} are gone: {total}")
    if made.noted:
        click.echo(f"{made.noted:,} objects are noted: a later `freehold gc` lets them go")
    for one in made.held_up:
        why = "the history kept growing" if one == "history" else f"{one} is under way"
        output.note(f"not all went: {why}; repeat the command later")
    output.next_command("freehold status", "freehold gc --dry-run")


def _explain(found: Judged, as_json: bool) -> None:
    if as_json:
        output.data(inspection.object_as_json(found))
        return
    click.echo(found.digest)
    click.echo(f"{found.kind}, {size(found.bytes)}: {inspection.sentence(found)}")
    output.next_command(f"freehold hold add {found.digest[:19]}", "freehold gc --dry-run")


@contextmanager
def _bar(quiet: bool) -> Iterator[Progress]:
    """On a terminal only."""
    console = drawing.console(stderr=True)
    if quiet or not console.is_terminal:
        yield lambda _done, _all: None
        return
    with Bar(console=console, transient=True) as bar:
        task = bar.add_task("letting go", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
