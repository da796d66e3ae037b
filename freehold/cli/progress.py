"""Progress of a run on stderr: a bar on a terminal, a line a step elsewhere."""

from threading import Lock
from types import TracebackType

import click
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from freehold.app.site.watching import Kind
from freehold.cli import drawing
from freehold.domain.run import Progress as StepProgress

WORDS = {
    "evidence": "measuring the model",
    "package": "packing and signing it",
    "tracking": "mirroring it into the tracker",
    "policy": "asking the policies",
}


class RunProgress:
    """A context in which a run's observer and stages are shown."""

    def __init__(self, quiet: bool = False) -> None:
        self._quiet = quiet
        console = drawing.console(stderr=True)
        self._bar = (
            Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                console=console,
                transient=True,
            )
            if console.is_terminal and not quiet
            else None
        )
        self._task = self._bar.add_task("starting", total=None) if self._bar else None

    def __enter__(self) -> "RunProgress":
        if self._bar:
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar:
            self._bar.stop()

    def step(self, told: StepProgress) -> None:
        seconds = int(told.detail.get("microseconds", 0)) / 1e6
        if self._bar and self._task is not None:
            self._bar.update(
                self._task, completed=told.done, total=told.total, description=told.step
            )
        if told.status == "started" or self._quiet:
            return
        took = f" in {seconds:.1f} s" if told.status == "finished" else ""
        why = f": {told.detail['summary']}" if "summary" in told.detail else ""
        self._line(f"  {told.status:9} {told.step}{took}{_where(told)}{why}")
        for warning in told.detail.get("warnings", ()):
            self._line(f"  warning: {told.step}: {warning}")

    def stage(self, name: str) -> None:
        if self._bar and self._task is not None:
            self._bar.update(self._task, description=WORDS[name])
        if not self._quiet:
            self._line(f"  {WORDS[name]}")

    def _line(self, text: str) -> None:
        if self._bar:
            self._bar.console.print(text)
        else:
            click.echo(text, err=True)


def _where(told: StepProgress) -> str:
    """Empty for this site."""
    site, machine = told.detail.get("site", ""), told.detail.get("machine", "")
    goes_on = told.detail.get("goes_on", "")
    on = f" on {machine}" if machine else ""
    then = f", goes on at {goes_on}" if goes_on else ""
    return f" at {site}{on}{then}" if site else ""


class TransferProgress:
    """A context in which bytes that go to and from stores are counted, on a terminal: a bar each
    for history and artifacts, from the first byte on."""

    def __init__(self, quiet: bool = False) -> None:
        console = drawing.console(stderr=True)
        self.counts = console.is_terminal and not quiet
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not self.counts,
        )
        kinds: tuple[Kind, ...] = ("history", "artifacts")
        self._tasks = {
            kind: self._bar.add_task(f"{kind:9}", total=None, visible=False) for kind in kinds
        }
        self._lock = Lock()
        self._expected = dict.fromkeys(kinds, 0)

    def __enter__(self) -> "TransferProgress":
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def expects(self, kind: Kind, size: int) -> None:
        with self._lock:
            self._expected[kind] += size
            if self._expected[kind]:
                self._bar.update(self._tasks[kind], total=self._expected[kind], visible=True)

    def moved(self, kind: Kind, size: int) -> None:
        if size:
            self._bar.update(self._tasks[kind], advance=size, visible=True)

    def line(self, text: str) -> None:
        if self._bar.disable:
            click.echo(text, err=True)
        else:
            self._bar.console.print(text)
