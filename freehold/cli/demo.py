"""`freehold demo`"""

import time
from pathlib import Path

import click
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from freehold.app.demo.outcome import DemoOutcome
from freehold.app.demo.play import play
from freehold.app.demo.stage import SHORT, WHOLE, Hands
from freehold.app.loop.replay import Day
from freehold.cli import drawing, output
from freehold.cli.drill import Starter
from freehold.cli.progress import WORDS
from freehold.cli.replay import endpoint
from freehold.domain.errors import Refused
from freehold.domain.run import Progress as StepProgress

SEED = 7


@click.command("demo", help="The whole loop on every flight that left New York in 2013.")
@click.option(
    "--into",
    type=click.Path(path_type=Path),
    default=Path("demo-flights"),
    show_default=True,
    help="The new folder, which stays.",
)
@click.option("--short", is_flag=True, help="A few weeks of traffic instead of nine months.")
@click.option("--seed", type=int, default=SEED, show_default=True)
@click.option("--seeds", type=int, default=1, help="Play it with so many seeds and compare.")
@output.as_json
def command(into: Path, short: bool, seed: int, seeds: int, as_json: bool) -> None:
    if into.exists():
        raise Refused(
            f"'{into}' is there already",
            why="the demo begins in a new folder, which stays",
            hint=f"remove it (`rm -r {into}`), or say --into another-folder",
            code="demo.folder-exists",
        )
    folders = [into] if seeds == 1 else [into / f"seed-{seed + n}" for n in range(seeds)]
    played = [_one(folder, short, seed + n) for n, folder in enumerate(folders)]
    last = played[-1]
    if as_json:
        output.data(last.as_json())
    else:
        _tell(last, folders[-1])
    if seeds > 1 and not _same(played, seed):
        output.note("the seeds did not lead to the same events")
        raise click.exceptions.Exit(1)


def _one(folder: Path, short: bool, seed: int) -> DemoOutcome:
    started = time.monotonic()
    with Stage() as stage:
        finish = play(folder, SHORT if short else WHOLE, seed, stage, Hands(endpoint, _start))
    return finish(time.monotonic() - started)


def _start(serving: Path) -> None:
    Starter()(serving)


class Stage:
    """Shows a play on stderr as it goes."""

    def __init__(self) -> None:
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            TimeElapsedColumn(),
            console=drawing.console(stderr=True),
            transient=True,
        )
        self._task = self._bar.add_task("", total=None)

    def __enter__(self) -> "Stage":
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def command(self, line: str) -> None:
        self._bar.console.print(f"\n$ {line}")

    def say(self, line: str) -> None:
        self._bar.console.print(f"  {line}")

    def step(self, told: StepProgress) -> None:
        self._bar.update(self._task, description=f"{told.step}: {told.status}")

    def stage(self, name: str) -> None:
        self._bar.update(self._task, description=WORDS[name])

    def day(self, told: Day) -> None:
        self._bar.update(self._task, description=f"{told.day}: {told.requests:,} flights")


def _tell(outcome: DemoOutcome, folder: Path) -> None:
    click.echo()
    for line in outcome.story():
        click.echo(line)
    drawing.table(
        "",
        ["month", "flights>", "AUC of what served>", "AUC of the frozen first>", "gained>"],
        [
            [
                one.month,
                f"{one.rows:,}",
                f"{one.live.value:.3f}",
                f"{one.frozen.value:.3f}",
                f"{one.gained.value:+.3f}",
            ]
            for one in outcome.months
            if None not in (one.live.value, one.frozen.value, one.gained.value)
        ],
    )
    click.echo(f"{outcome.seconds:.0f} seconds. The folder {folder} stays for you to explore.")
    output.next_command(
        f"cd {folder} && freehold models",
        "freehold why flight-delay@champion",
        "freehold serve",
    )


def _same(played: list[DemoOutcome], seed: int) -> bool:
    """Whether all seeds led to the same events; what differs is told on stderr."""
    common = frozenset.intersection(*(one.events() for one in played))
    output.note("with every seed: " + "; ".join(sorted(common)))
    for number, one in enumerate(played):
        own = "; ".join(sorted(one.events() - common))
        told = f"and also: {own}" if own else "the same events"
        output.note(f"seed {seed + number}: {told} ({one.reasons()})")
    return all(one.events() == common for one in played)
