"""Tasks side by side: all run, with the threads that they are given, and failures come out."""

from __future__ import annotations

import multiprocessing
import threading

import pytest
import torch

from agentic_spliceai.splice_engine.base_layer.threads import run_side_by_side

from .test_incremental import torch_threads

CPU = torch.device("cpu")


@pytest.mark.parametrize(("tasks", "threads", "each"), [(6, 2, 1), (2, 8, 4), (3, 8, 2), (1, 4, 4), (5, 1, 1)])
def test_threads_are_shared_out(tasks: int, threads: int, each: int) -> None:
    seen: list[int] = []
    with torch_threads(threads):
        run_side_by_side([lambda: seen.append(torch.get_num_threads())] * tasks, CPU)
        assert torch.get_num_threads() == threads
        later: list[int] = []
        thread = threading.Thread(target=lambda: later.append(torch.get_num_threads()))
        thread.start()
        thread.join()
        assert later == [threads], "threads of the caller's own would have got what a task has"
    assert seen == [each] * tasks


def test_threads_that_a_caller_makes_meanwhile_are_not_short_of_threads() -> None:
    later: list[int] = []
    running, asked = threading.Event(), threading.Event()

    def task() -> None:
        running.set()
        assert asked.wait(20)

    with torch_threads(2):
        run_side_by_side([lambda: None] * 2, CPU)
        caller = threading.Thread(target=lambda: (torch.set_num_threads(2), run_side_by_side([task] * 2, CPU)))
        caller.start()
        assert running.wait(20)
        other = threading.Thread(target=lambda: later.append(torch.get_num_threads()))
        other.start()
        other.join()
        asked.set()
        caller.join()
    assert later == [2]


def test_tasks_run_at_the_same_time_and_in_inference_mode() -> None:
    barrier = threading.Barrier(2, timeout=20)
    modes: list[bool] = []

    def task() -> None:
        barrier.wait()
        modes.append(torch.is_inference_mode_enabled())

    with torch_threads(2):
        run_side_by_side([task, task], CPU)
    assert modes == [True, True]
    assert not torch.is_inference_mode_enabled()


def test_a_failure_comes_out_and_ends_the_rest() -> None:
    done: list[int] = []
    out = threading.Event()

    def fail() -> None:
        raise ZeroDivisionError

    def after() -> None:
        # No task ends before the failure is out, so that the count does not hang on which thread has its turn when.
        assert out.wait(20)
        done.append(1)

    with torch_threads(2):
        with pytest.raises(ZeroDivisionError):
            run_side_by_side([fail, *[after] * 1000], CPU)
        out.set()
        # The threads come to these after all that is left of the others.
        run_side_by_side([lambda: None] * 2, CPU)
    assert len(done) <= 2, "each thread ends at most the task that it had begun"


def test_another_device_has_tasks_one_after_the_other() -> None:
    names: list[str] = []
    settings: list[tuple[object, ...]] = []

    def now() -> tuple[object, ...]:
        cudnn = torch.backends.cudnn
        return cudnn.enabled, cudnn.benchmark, cudnn.allow_tf32, torch.get_float32_matmul_precision()

    def task() -> None:
        names.append(threading.current_thread().name)
        settings.append(now())

    before = now()
    with torch_threads(2), torch.backends.cudnn.flags(enabled=True, benchmark=True, allow_tf32=True):
        torch.set_float32_matmul_precision("high")
        try:
            run_side_by_side([task, task], torch.device("cuda"))
            assert now() == (True, True, True, "high")
        finally:
            torch.set_float32_matmul_precision("highest")
    assert names == [threading.current_thread().name] * 2
    assert settings == [(True, True, False, "highest")] * 2, "float32 is computed in float32, by the fast library"
    assert now() == before


def _run_two() -> None:
    run_side_by_side([lambda: None, lambda: None], CPU)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_has_threads_of_its_own() -> None:
    with torch_threads(2):
        _run_two()
        child = multiprocessing.get_context("fork").Process(target=_run_two)
        child.start()
        child.join(20)
        stuck = child.is_alive()
        child.kill()
    assert not stuck
    assert child.exitcode == 0
