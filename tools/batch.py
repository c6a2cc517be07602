"""Many variants from a file, scored as a stream: one row or more an input, none lost."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import dropwhile, islice, repeat

from agentic_spliceai.splice_engine.base_layer.results import Provenance
from agentic_spliceai.splice_engine.errors import SettingError
from agentic_spliceai.tools.batch_pool import cores, score_in_processes
from agentic_spliceai.tools.batch_reading import read_inputs
from agentic_spliceai.tools.batch_scoring import BatchScorer, ScoringOptions
from agentic_spliceai.tools.batch_text import COLUMNS, OutputFormat, format_of, write_results
from agentic_spliceai.tools.batch_types import BatchInput, BatchResult, BatchSummary, Chunk
from agentic_spliceai.tools.context import Resources

__all__ = [
    "COLUMNS",
    "Batch",
    "BatchInput",
    "BatchResult",
    "BatchSummary",
    "OutputFormat",
    "format_of",
    "open_batch",
    "read_inputs",
    "score_inputs",
    "write_results",
]


@dataclass(frozen=True)
class Batch:
    """Genome and models, opened; see `open_batch`.

    Attributes
    ----------
    options
        What decides the scores, by name.
    provenance
        What every score carries.
    meta_card
        Digest of the trained meta-layer's card, if there is one.
    """

    options: ScoringOptions
    provenance: Provenance
    meta_card: str | None
    _scorer: BatchScorer
    _resources: Resources
    _processes: int
    _threads: int | None

    def chunks(self, inputs: Iterable[BatchInput], done: int = 0) -> Generator[list[BatchResult], None, None]:
        """Score inputs as they come: one result an input, in order, as many at a time as are scored together.

        Parameters
        ----------
        inputs
            All of them.
        done
            So many of the first have their results already. They are read, so that the others are scored together with
            the same as they would have been, but none of their results comes again.
        """
        chunks = dropwhile(
            lambda chunk: chunk[-1][0] < done, _chunks(inputs, self._scorer.chunk_sizes(), self._processes)
        )
        if self._processes == 1:
            if self._threads is not None:
                import torch

                torch.set_num_threads(self._threads)
            found: Iterator[list[BatchResult]] = map(self._scorer.score, chunks)
        else:
            found = score_in_processes(
                chunks,
                self.options,
                self._resources.settings,
                processes=self._processes,
                threads=self._threads or self._resources.settings.threads or max(1, cores() // self._processes),
            )
        return ([result for result in results if result.index >= done] for results in found)

    def results(self, inputs: Iterable[BatchInput]) -> Generator[BatchResult, None, None]:
        """Score inputs as they come: one result an input, in order."""
        return (result for results in self.chunks(inputs) for result in results)


def open_batch(
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
    meta_model: str | None = None,
    processes: int = 1,
    threads: int | None = None,
) -> Batch:
    """Open genome and models; the arguments are those of `score_inputs`.

    Raises
    ------
    SpliceEngineError
        If they cannot be opened, or an argument cannot be used.
    """
    for name, value in (("processes", processes), ("threads", threads)):
        if value is not None and value < 1:
            raise SettingError(f"{name}={value} cannot be used.", "Give 1 or more.")
    options = ScoringOptions(
        genome, annotation, base_model, weights, tuple(transcripts), distance, mask, precision, meta_model
    )
    # Also where others do the work: what is wrong with all inputs is said now, and what is missing is fetched once.
    scorer = BatchScorer(options, resources)
    return Batch(options, scorer.provenance, scorer.meta_card, scorer, resources, processes, threads)


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
    meta_model: str | None = None,
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
    meta_model
        Trained meta-layer model, a checkpoint or a folder: results also have what it says of each gene.
    processes
        With more than one, each has genome, annotation and model of its own; they end with the iterator.
    threads
        Of each process; by default the settings', or else the cores are shared out among them.

    Raises
    ------
    SpliceEngineError
        At once if the genome or a model cannot be opened, or an argument cannot be used. What is wrong with one input
        is in its result.
    WorkerDiedError
        From the iterator, if one of several processes ends by itself.
    """
    return open_batch(
        resources,
        genome=genome,
        annotation=annotation,
        base_model=base_model,
        weights=weights,
        transcripts=transcripts,
        distance=distance,
        mask=mask,
        precision=precision,
        meta_model=meta_model,
        processes=processes,
        threads=threads,
    ).results(inputs)


def _chunks(inputs: Iterable[BatchInput], sizes: Iterator[int], processes: int) -> Iterator[Chunk]:
    """Yield inputs in chunks; of each size one a process, so that none waits long for the others at the end."""
    stream = enumerate(inputs)
    for size in sizes:
        for _ in repeat(None, processes):
            if not (chunk := list(islice(stream, size))):
                return
            yield chunk
