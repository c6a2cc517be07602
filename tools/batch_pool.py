"""Scoring inputs in several processes, with results in the order of the inputs."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING

from agentic_spliceai.splice_engine.errors import SpliceEngineError
from agentic_spliceai.tools.batch_scoring import BatchScorer, ScoringOptions
from agentic_spliceai.tools.batch_types import BatchResult, Chunk
from agentic_spliceai.tools.context import Resources

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

    from agentic_spliceai.settings import Settings

_CHUNKS_PER_PROCESS = 2
"""Given out and not yet passed on: one that is worked on, and one that waits for its turn."""

_SECONDS_TO_END = 5.0


class WorkerDiedError(SpliceEngineError):
    """A process that scored a part of the inputs is gone."""

    code = "worker_died"


class WorkerDefectError(RuntimeError):
    """A process that scored a part of the inputs met a defect of the program; the note is its traceback."""


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def score_in_processes(
    chunks: Iterator[Chunk], options: ScoringOptions, settings: Settings, *, processes: int, threads: int
) -> Iterator[list[BatchResult]]:
    """Score chunks in processes of their own, each with genome, annotation and model of its own.

    A process starts when there is a chunk for it. Those that read a CUDA device without a number share out the devices.

    Parameters
    ----------
    chunks
        Taken as processes become free; at most two a process are held.
    options, settings
        What to score with, and where it is found. It is expected to be there: open it in this process first.
    processes, threads
        How many, and how many threads each.

    Yields
    ------
    list of BatchResult
        One a chunk, in the order of the chunks.

    Raises
    ------
    WorkerDiedError
        If a process ends by itself, most often for want of memory.
    """
    workers: list[_Worker] = []
    waiting: dict[int, list[BatchResult]] = {}
    taken = passed = 0
    more = True
    try:
        while True:
            while more and taken - passed < _CHUNKS_PER_PROCESS * processes:
                worker = next((one for one in workers if one.number is None), None)
                if worker is None and len(workers) == processes:
                    break
                chunk = next(chunks, None)
                if chunk is None:
                    more = False
                    break
                if worker is None:
                    worker = _start(options, settings, threads, len(workers))
                    workers.append(worker)
                worker.give(taken, chunk)
                taken += 1
            if passed in waiting:
                yield waiting.pop(passed)
                passed += 1
            elif passed == taken:
                return
            else:
                for ready in wait([one.connection for one in workers if one.number is not None]):
                    number, results = next(one for one in workers if one.connection is ready).take()
                    waiting[number] = results
    finally:
        _end(workers)


@dataclass
class _Worker:
    process: BaseProcess
    connection: Connection
    number: int | None = None
    chunk: Chunk = ()

    def give(self, number: int, chunk: Chunk) -> None:
        """Hand out a chunk to a process that has none."""
        self.number, self.chunk = number, chunk
        # Where it is gone already, `take` says so.
        with contextlib.suppress(OSError):
            self.connection.send(chunk)

    def take(self) -> tuple[int, list[BatchResult]]:
        """Receive what was made of the chunk."""
        try:
            answer = self.connection.recv()
        except (EOFError, OSError):
            raise self._gone() from None
        if isinstance(answer, _Failure):
            raise answer.as_error()
        number, self.number, self.chunk = self.number, None, ()
        assert number is not None
        return number, answer

    def _gone(self) -> WorkerDiedError:
        self.process.join(_SECONDS_TO_END)
        code = self.process.exitcode
        how = f"by signal {-code}" if code is not None and code < 0 else f"with status {code}"
        first, last = self.chunk[0][0] + 1, self.chunk[-1][0] + 1
        return WorkerDiedError(
            f"a process ended {how} while it scored inputs {first} to {last}.",
            "Most often memory ran out: take fewer processes, and begin again where it stopped.",
        )


@dataclass(frozen=True)
class _Failure:
    """An error on its way to the process that waits for results."""

    kind: type[SpliceEngineError] | None
    message: str
    advice: str

    def as_error(self) -> Exception:
        """Return the error as it was, or a defect."""
        if self.kind is not None:
            return self.kind(self.message, self.advice)
        error = WorkerDefectError("a process that scored inputs failed")
        error.add_note(self.message)
        return error


def _start(options: ScoringOptions, settings: Settings, threads: int, number: int) -> _Worker:
    # A forked process would have the locks of this one's threads, and none of its devices.
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(theirs, options, settings, threads, number), daemon=True)
    process.start()
    theirs.close()
    return _Worker(process, ours)


def _end(workers: list[_Worker]) -> None:
    for worker in workers:
        worker.connection.close()
        worker.process.terminate()
    for worker in workers:
        worker.process.join(_SECONDS_TO_END)
        if worker.process.is_alive():
            worker.process.kill()


def _work(connection: Connection, options: ScoringOptions, settings: Settings, threads: int, number: int) -> None:
    """Score what comes until nobody sends any more."""
    # Ctrl-C reaches every process of a terminal; the one that started this one ends it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        device = _device(settings.device, number)
        scorer = BatchScorer(options, Resources(settings.model_copy(update={"threads": threads, "device": device})))
        while True:
            connection.send(scorer.score(connection.recv()))
    except (EOFError, BrokenPipeError):
        return
    except Exception as error:  # noqa: BLE001 - raised again in the process that waits for results
        with contextlib.suppress(OSError):
            connection.send(
                _Failure(type(error), error.message, error.advice)
                if isinstance(error, SpliceEngineError)
                else _Failure(None, traceback.format_exc(), "")
            )


def _device(name: str, number: int) -> str:
    """Return the device of a process: where there are several of one kind, each takes the next."""
    import torch

    if name in ("auto", "cuda") and (count := torch.cuda.device_count()) > 1:
        return f"cuda:{number % count}"
    return name
