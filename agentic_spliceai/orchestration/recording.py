"""A watcher that writes what a run does into the database, as it happens."""

from __future__ import annotations

import os

from agentic_spliceai import __version__
from agentic_spliceai.orchestration.errors import PausedRun
from agentic_spliceai.orchestration.events import RunObserver, RunResult, RunStart, StepEnd
from agentic_spliceai.records.errors import RecordError
from agentic_spliceai.records.models import NewRun, NewStep, RecordedError, RunStatus, RunSummary, StepStatus
from agentic_spliceai.records.process import environment, host_name, process_token
from agentic_spliceai.records.store import RecordStore
from agentic_spliceai.splice_engine.errors import SpliceEngineError


class Recorder(RunObserver):
    """Keeps one run in the store.

    The run is there, marked as running, before its first step; a process that is killed leaves it so, and the next
    start marks it as interrupted.

    Attributes
    ----------
    found_interrupted
        Runs of other processes that were found to have ended without a word.
    """

    def __init__(self, store: RecordStore) -> None:
        self._store = store
        self._run_id = ""
        self.found_interrupted: tuple[RunSummary, ...] = ()

    def run_started(self, start: RunStart) -> None:
        """Mark dead runs as interrupted, and write this one down; one that is taken up again is there already."""
        self.found_interrupted = self._store.mark_interrupted()
        self._run_id = start.run_id
        if start.attempt > 1:
            return
        self._store.start_run(
            NewRun(
                id=start.run_id,
                graph_name=start.graph,
                graph_sha256=start.graph_sha256,
                software_version=__version__,
                inputs=dict(start.inputs),
                started_at=start.started_at,
                environment=environment(),
                host=host_name(),
                pid=os.getpid(),
                process_token=process_token(os.getpid()),
            )
        )

    def step_ended(self, end: StepEnd) -> None:
        """Write the step down."""
        step = NewStep(
            node=str(end.step),
            tool=end.tool,
            attempt=end.attempt,
            started_at=end.started_at,
            seconds=end.seconds,
            status=StepStatus(end.outcome.value),
            error=recorded_error(end.error, str(end.step)) if end.error is not None else None,
        )
        try:
            self._store.add_step(self._run_id, step)
        except RecordError as error:
            if end.error is None:
                raise
            # The step's own failure is what the user has to hear of; that it could not be kept is added to it.
            end.error.add_note(f"The failure was not recorded: {error}")

    def run_succeeded(self, result: RunResult) -> None:
        """Mark the run as succeeded."""
        self._store.finish_run(result.run_id, RunStatus.SUCCEEDED)

    def run_paused(self, paused: PausedRun) -> None:
        """Mark the run as waiting."""
        self._store.pause_run(paused.run_id)

    def run_failed(self, start: RunStart, error: BaseException, node: str | None) -> None:
        """Mark the run as failed, or as interrupted where it was stopped from outside."""
        status = RunStatus.FAILED if isinstance(error, Exception) else RunStatus.INTERRUPTED
        try:
            self._store.finish_run(start.run_id, status, error=recorded_error(error, node))
        except RecordError as record_error:
            error.add_note(f"The failure was not recorded: {record_error}")


def recorded_error(error: BaseException, node: str | None = None) -> RecordedError:
    """Return an exception as it is kept and as `--json` shows it."""
    if isinstance(error, SpliceEngineError):
        return RecordedError(code=error.code, message=error.message, advice=error.advice, node=node)
    if not isinstance(error, Exception):
        return RecordedError(code="interrupted", message="stopped by the user or the system", node=node)
    lines = str(error).splitlines()
    message = f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
    return RecordedError(code="unexpected", message=message, advice="Report this with the traceback.", node=node)
