"""Several processes score what one does, in the same order, and none outlives its batch."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from agentic_spliceai.settings import Settings
from agentic_spliceai.splice_engine.errors import SpliceEngineError
from agentic_spliceai.tools.batch import BatchInput, BatchResult, score_inputs
from agentic_spliceai.tools.batch_pool import WorkerDiedError
from agentic_spliceai.tools.context import Resources


@pytest.fixture(scope="module")
def resources(tmp_path_factory: pytest.TempPathFactory) -> Resources:
    folder = tmp_path_factory.mktemp("pool")
    return Resources(Settings(data_dir=folder / "data", cache_dir=folder / "cache", allow_download=False, device="cpu"))


def score(resources: Resources, given: Iterator[BatchInput], **options: Any) -> Iterator[BatchResult]:
    return score_inputs(given, resources, genome="demo", base_model="small", distance=20, **options)


def plain(results: Iterator[BatchResult]) -> list[dict[str, Any]]:
    rows = [result.model_dump(mode="json") for result in results]
    for row in rows:
        for delta in row["deltas"]:
            for scores in (delta["raw"], delta["masked"]):
                for change in scores.values():
                    change |= {key: round(value, 4) for key, value in change.items() if isinstance(value, float)}
    return rows


def snvs(resources: Resources, count: int) -> list[BatchInput]:
    genome = resources.genome("demo").genome
    bases = genome.fetch_padded("minigene", 2100, 2100 + count)
    texts = [f"minigene-{2101 + at}-{base}-{'A' if base != 'A' else 'C'}" for at, base in enumerate(bases)]
    texts[3:4] = ["nonsense"]
    return [BatchInput(text, record=number) for number, text in enumerate(texts, 1)]


def test_two_processes_say_the_same_in_the_same_order_and_end_with_the_batch(resources: Resources) -> None:
    given = snvs(resources, 40)
    one = plain(score(resources, iter(given)))
    two = plain(score(resources, iter(given), processes=2, threads=1))
    assert [row["record"] for row in two] == list(range(1, 41))
    assert [row["not_scored"] is None for row in two] == [number != 3 for number in range(40)]
    assert two == one
    assert multiprocessing.active_children() == []


def test_a_process_that_dies_is_one_error_that_says_where(resources: Resources) -> None:
    def given() -> Iterator[BatchInput]:
        for number, item in enumerate(snvs(resources, 40)):
            if number == 4:  # the first four are with a process
                (child,) = multiprocessing.active_children()
                child.kill()
                child.join()
            yield item

    with pytest.raises(WorkerDiedError, match=rf"ended by signal {int(signal.SIGKILL)} while it scored inputs 1 to 4"):
        list(score(resources, given(), processes=2, threads=1))
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize("wrong", [{"processes": 0}, {"threads": 0}, {"base_model": "typo"}, {"weights": "no"}])
def test_what_is_wrong_with_all_inputs_is_said_before_a_process_starts(
    resources: Resources, wrong: dict[str, Any]
) -> None:
    options: dict[str, Any] = {"base_model": "small", "processes": 2} | wrong
    with pytest.raises(SpliceEngineError):
        score_inputs(iter(()), resources, genome="demo", distance=20, **options)
    assert multiprocessing.active_children() == []


def test_precision_is_in_the_provenance_and_scores_by_position_are_left_out(resources: Resources) -> None:
    low = list(score(resources, iter(snvs(resources, 2)[:2]), precision="bfloat16"))
    assert {delta.provenance.precision.value for result in low for delta in result.deltas} == {"bfloat16"}
    assert all(delta.tracks is None for result in low for delta in result.deltas)
