"""Pieces of work with networks, side by side.

A library's own threads share out one layer after the other and wait for each other after each, some thirty times a
network; whole pieces of work, each on one thread, do not. Measured on two cores with five networks of 10,000 nt:
`benchmarks/README.md`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache

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
        with torch.backends.cudnn.flags(allow_tf32=False):
            for task in tasks:
                _run(task, torch.get_num_threads())
        return
    threads = torch.get_num_threads()
    workers = min(len(tasks), threads)
    if workers < 2:
        for task in tasks:
            _run(task, threads)
        return
    try:
        for _ in _pool(workers).map(_run, tasks, [threads // workers] * len(tasks)):
            pass
    finally:
        # What a task sets for its own thread is also what threads that are made later begin with.
        torch.set_num_threads(threads)


def _run(task: Task, threads: int) -> None:
    if torch.get_num_threads() != threads:
        torch.set_num_threads(threads)
    with torch.inference_mode():
        task()


@cache
def _pool(workers: int) -> ThreadPoolExecutor:
    """Return threads that stay, because libraries keep memory and prepared code for each."""
    return ThreadPoolExecutor(workers, thread_name_prefix="base-layer")


# A forked process has the pool but not its threads.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.cache_clear)
