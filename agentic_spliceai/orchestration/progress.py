"""Progress of a run for people: live lines on a terminal, plain lines elsewhere; always on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, TextIO

from agentic_spliceai.orchestration.events import (
    RunObserver,
    RunResult,
    RunStart,
    Step,
    StepEnd,
    StepOutcome,
    StepStart,
)
from agentic_spliceai.tools.interaction import ToolProgress
from agentic_spliceai.tools.plain_text import printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

_SECONDS_BETWEEN_LINES = 10.0


class ProgressDisplay(RunObserver):
    """A watcher of a run that also hears of downloads (`splice_engine.resources.Progress`)."""

    def __call__(self, name: str, done: int, total: int | None) -> None:
        """Take the bytes done so far of a download."""

    def suspended(self) -> AbstractContextManager[object]:
        """Return a context in which nothing is drawn, so that a question can be asked."""
        return nullcontext()

    def close(self) -> None:
        """Leave the terminal as it was."""


def progress_display(*, quiet: bool, stream: TextIO | None = None) -> ProgressDisplay:
    """Return the display that suits the stream: none, plain lines, or live ones on a terminal."""
    stream = stream or sys.stderr
    if quiet:
        return ProgressDisplay()
    return LiveProgress() if stream.isatty() else PlainProgress(stream)


class PlainProgress(ProgressDisplay):
    """One line when a step begins, one when it ends; a line of a download every ten seconds."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._last = 0.0
        self._last_progress: dict[str, tuple[float, str]] = {}

    def __call__(self, name: str, done: int, total: int | None) -> None:
        """Take the bytes done so far of a download."""
        now = time.monotonic()
        if now - self._last < _SECONDS_BETWEEN_LINES and done != total:
            return
        self._last = now
        share = f" ({done / total:.0%})" if total else ""
        self._line(f"  download of {name}: {done / 1e6:.1f} MB{share}")

    def run_started(self, start: RunStart) -> None:
        """Name the run."""
        again = f" (taken up again, attempt {start.attempt})" if start.attempt > 1 else ""
        self._line(f"{start.graph}: run {start.run_id}{again}")

    def step_started(self, start: StepStart) -> None:
        """Say what begins."""
        of = f" of {start.step.items}" if start.step.items else ""
        again = f" (attempt {start.attempt})" if start.attempt > 1 else ""
        self._line(f"  {start.step}{of}{again}: {start.purpose}")

    def step_progressed(self, step: Step, progress: ToolProgress) -> None:
        """Say how far the step is, at most every ten seconds, and only what is new."""
        now, text = time.monotonic(), f"  {step}: {_amount(progress)}"
        last, said = self._last_progress.get(str(step), (-_SECONDS_BETWEEN_LINES, ""))
        if now - last >= _SECONDS_BETWEEN_LINES and text != said:
            self._last_progress[str(step)] = (now, text)
            self._line(text)

    def step_ended(self, end: StepEnd) -> None:
        """Say how long it took."""
        word = "done" if end.outcome is StepOutcome.SUCCEEDED else str(end.outcome)
        self._line(f"  {end.step}: {word} in {end.seconds:.1f} s")

    def step_paused(self, step: Step) -> None:
        """Say that an answer is needed."""
        self._line(f"  {step}: waits for an answer")

    def run_succeeded(self, result: RunResult) -> None:
        """Say how long all took."""
        self._line(f"{result.graph}: done in {result.seconds:.1f} s")

    def _line(self, text: str) -> None:
        self._stream.write(printable(text) + "\n")
        self._stream.flush()


class LiveProgress(ProgressDisplay):
    """A spinner and the time for each step, a bar for each download."""

    def __init__(self, console: Console | None = None) -> None:
        from rich.console import Console
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
        from rich.table import Column

        self._progress: Progress = Progress(
            SpinnerColumn(finished_text="[green]✓[/]"),
            TextColumn(
                "{task.fields[label]}", style="bold", markup=False, table_column=Column(no_wrap=True, min_width=14)
            ),
            TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis")),
            TimeElapsedColumn(),
            console=console or Console(stderr=True),
        )
        self._tasks: dict[str, TaskID] = {}
        self._purposes: dict[str, str] = {}
        self._current = ""

    def __call__(self, name: str, done: int, total: int | None) -> None:
        """Show the download beside the step that waits for it."""
        amount = f"{done / 1e6:.0f} MB"
        if total:
            amount = f"{_bar(done / total)} of {total / 1e6:.0f} MB"
        self._describe(self._current, f"{name} {amount}")

    def run_started(self, start: RunStart) -> None:
        """Begin to draw."""
        self._progress.start()

    def step_started(self, start: StepStart) -> None:
        """Add a line; the items of a fan-out share one."""
        node, step = start.node, start.step
        again = f" (attempt {start.attempt})" if start.attempt > 1 else ""
        self._purposes[node] = start.purpose
        self._current = node
        if step.item is None or node not in self._tasks:
            self._tasks[node] = self._progress.add_task(start.purpose, total=step.items or 1, label=f"{node}{again}")

    def step_progressed(self, step: Step, progress: ToolProgress) -> None:
        """Show how far the step is."""
        self._describe(step.node, _amount(progress))

    def step_ended(self, end: StepEnd) -> None:
        """Tick the line off, or mark it."""
        node = end.node
        if end.outcome is not StepOutcome.SUCCEEDED:
            self._describe(node, f"{end.outcome}: {self._purposes[node]}")
            self._progress.stop_task(self._tasks[node])
            return
        self._progress.update(self._tasks[node], advance=1)
        done, items = end.step.item, end.step.items
        self._describe(node, f"{self._purposes[node]} {done} of {items}" if items else self._purposes[node])

    def step_paused(self, step: Step) -> None:
        """Mark the line."""
        self._describe(step.node, f"waits for an answer: {self._purposes[step.node]}")
        self._progress.stop_task(self._tasks[step.node])

    @contextmanager
    def suspended(self) -> Iterator[None]:
        """Stop drawing for as long as a question is asked."""
        self._progress.stop()
        try:
            yield
        finally:
            self._progress.start()

    def close(self) -> None:
        """Stop drawing."""
        self._progress.stop()

    def _describe(self, node: str, text: str) -> None:
        if node in self._tasks:
            self._progress.update(self._tasks[node], description=text)


def _amount(progress: ToolProgress) -> str:
    if progress.done is None:
        return progress.message
    if progress.total:
        return f"{progress.message} {_bar(progress.done / progress.total)}"
    return f"{progress.message} {progress.done:g}"


def _bar(share: float) -> str:
    filled = round(20 * min(max(share, 0.0), 1.0))
    return f"{'━' * filled}{'╌' * (20 - filled)} {share:4.0%}"
