"""Pieces of work with networks, side by side.

A library's own threads share out one layer after the other and wait for each other after each, some thirty times a
network; whole pieces of work, each on one thread, do not. Measured on two cores with five networks of 10,000 nt:
`benchmarks/README.md`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from threading import Barrier, Lock

import torch

Task = Callable[[], None]


def run_side_by_side(tasks: Sequence[Task], device: torch.device) -> None:
    """Run tasks that do not depend on each other, in inference mode.

    On a processor they share as many threads as `torch.get_num_threads()` of the caller; where there are fewer tasks
    than threads, each has several for its layers. On another device, which spreads each layer over all that it has,
    they run one after the other; there convolutions of float32 are computed in float32 (by default cuDNN takes TF32).

    Raises
    ------
    Exception
        What the first task that fails raises; tasks that have not begun by then do not run.
    """
    if device.type != "cpu":
        with _float32():
            for task in tasks:
                _run(task)
        return
    threads = torch.get_num_threads()
    workers = min(len(tasks), threads)
    if workers < 2:
        for task in tasks:
            _run(task)
        return
    for _ in _pool(workers, threads // workers).map(_run, tasks):
        pass


def _run(task: Task) -> None:
    with torch.inference_mode():
        task()


@contextmanager
def _float32() -> Iterator[None]:
    """Let a device compute float32 in float32; all else stays as it was."""
    cudnn = torch.backends.cudnn
    kept = {"enabled": cudnn.enabled, "benchmark": cudnn.benchmark, "deterministic": cudnn.deterministic}
    precision = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        with cudnn.flags(**kept, allow_tf32=False):
            yield
    finally:
        torch.set_float32_matmul_precision(precision)


_making = Lock()


def _pool(workers: int, threads: int) -> ThreadPoolExecutor:
    """Return threads that stay, because libraries keep memory and prepared code for each."""
    with _making:
        return _made_pool(workers, threads)


@cache
def _made_pool(workers: int, threads: int) -> ThreadPoolExecutor:
    before = torch.get_num_threads()
    pool = ThreadPoolExecutor(workers, "base-layer", initializer=_begin, initargs=(threads,))
    # Threads begin when there is work: each waits until all have begun.
    begun = Barrier(workers)
    for _ in pool.map(lambda _: begun.wait(), range(workers)):
        pass
    # What a thread sets for itself is also what threads that are made later begin with.
    torch.set_num_threads(before)
    return pool


def _begin(threads: int) -> None:
    # Asked for the first time, a thread takes the number that was set last anywhere, whatever was set in it.
    torch.get_num_threads()
    torch.set_num_threads(threads)


def _forget() -> None:
    """A forked process has the pools but not their threads, and perhaps a lock that nobody opens."""
    global _making
    _making = Lock()
    _made_pool.cache_clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
