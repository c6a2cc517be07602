"""Many variants from a file, scored as a stream: one row or more an input, none lost."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, repeat

from agentic_spliceai.splice_engine.errors import SettingError
from agentic_spliceai.tools.batch_pool import cores, score_in_processes
from agentic_spliceai.tools.batch_reading import read_inputs
from agentic_spliceai.tools.batch_scoring import BatchScorer, ScoringOptions
from agentic_spliceai.tools.batch_text import COLUMNS, OutputFormat, format_of, write_results
from agentic_spliceai.tools.batch_types import BatchInput, BatchResult, BatchSummary, Chunk
from agentic_spliceai.tools.context import Resources

__all__ = [
    "COLUMNS",
    "BatchInput",
    "BatchResult",
    "BatchSummary",
    "OutputFormat",
    "format_of",
    "read_inputs",
    "score_inputs",
    "write_results",
]


def score_inputs(
    inputs: Iterable[BatchInput],
    resources: Resources,
    *,
    genome: str,
    annotation: str | None = None,
    base_model: str,
    weights: str | None = None,
    transcripts: Sequence[str] = (),
    distance: int,
    mask: str = "annotated",
    precision: str = "float32",
    processes: int = 1,
    threads: int | None = None,
) -> Iterator[BatchResult]:
    """Open genome and model, and return an iterator that scores inputs as they come: one result an input, in order.

    Results have no scores by position (`SpliceDelta.tracks`).

    Parameters
    ----------
    inputs
        From `read_inputs`, or made by hand.
    resources
        Where genome and model are found.
    genome, annotation, base_model, weights
        As `Resources` takes them.
    transcripts, distance, mask, precision
        As `VariantScorer` takes them.
    processes
        With more than one, each has genome, annotation and model of its own; they end with the iterator.
    threads
        Of each process; by default the cores are shared out among them, and a single process leaves things as they are.

    Raises
    ------
    SpliceEngineError
        At once if the genome or the model cannot be opened, or an argument cannot be used. What is wrong with one input
        is in its result.
    WorkerDiedError
        From the iterator, if one of several processes ends by itself.
    """
    for name, value in (("processes", processes), ("threads", threads)):
        if value is not None and value < 1:
            raise SettingError(f"{name}={value} cannot be used.", "Give 1 or more.")
    options = ScoringOptions(genome, annotation, base_model, weights, tuple(transcripts), distance, mask, precision)
    # Also where others do the work: what is wrong with all inputs is said now, and what is missing is fetched once.
    scorer = BatchScorer(options, resources)
    chunks = _chunks(inputs, scorer.chunk_sizes(), processes)
    if processes == 1:
        if threads is not None:
            import torch

            torch.set_num_threads(threads)
        done: Iterator[list[BatchResult]] = map(scorer.score, chunks)
    else:
        share = threads or max(1, cores() // processes)
        done = score_in_processes(chunks, options, resources.settings, processes=processes, threads=share)
    return (result for results in done for result in results)


def _chunks(inputs: Iterable[BatchInput], sizes: Iterator[int], processes: int) -> Iterator[Chunk]:
    """Yield inputs in chunks; of each size one a process, so that none waits long for the others at the end."""
    stream = enumerate(inputs)
    for size in sizes:
        for _ in repeat(None, processes):
            if not (chunk := list(islice(stream, size))):
                return
            yield chunk
