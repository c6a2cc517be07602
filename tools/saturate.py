"""Every single-base change of a region, an exon or a gene: scored block by block, then one table and a picture."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from pydantic import Field

from agentic_spliceai import __version__
from agentic_spliceai.splice_engine.errors import NoSequenceError, SettingError
from agentic_spliceai.splice_engine.genome.bundle import GenomeBundle
from agentic_spliceai.splice_engine.genome.intervals import looks_like_region
from agentic_spliceai.splice_engine.genome.reference import ReferenceGenome
from agentic_spliceai.splice_engine.genome.types import Interval
from agentic_spliceai.tools.batch import Batch, open_batch
from agentic_spliceai.tools.batch_types import BatchInput, BatchResult
from agentic_spliceai.tools.context import Resources
from agentic_spliceai.tools.file_set import FileSet
from agentic_spliceai.tools.interaction import Listener, ToolProgress, nobody_listens
from agentic_spliceai.tools.result_file import refuse_to_overwrite
from agentic_spliceai.tools.saturation import Place, SaturatedChange, Tally, find_place, snv_inputs
from agentic_spliceai.tools.saturation_map import MapBuilder, check_plot
from agentic_spliceai.tools.saturation_parts import Block, Parts
from agentic_spliceai.tools.saturation_rows import Unscored, join_unscored, rows_of
from agentic_spliceai.tools.saturation_table import table_suffix, table_writer
from agentic_spliceai.tools.spec import ToolArgumentError, ToolModel

KEPT, SCORED = "read back", "changes scored"
"""Words of progress: what an earlier attempt had done, and what the model works on."""

_BLOCK = 64
"""Positions that are kept together. A kill loses the work on these and on what is scored together (512 changes in a
process): about a minute with the slowest models."""


@dataclass(frozen=True)
class SaturationOrder:
    """What to saturate, with what, and where to write; see `saturate`.

    Attributes
    ----------
    target
        Gene (symbol or id), or region `chr7:117559500-117559700`, 1-based.
    output
        The table: `.parquet`, `.tsv` or `.tsv.gz`.
    genome, annotation, base_model, weights, distance, precision, processes, threads
        As `tools.batch.score_inputs` takes them.
    transcript
        Id of the one to take instead of its gene's representative.
    exon
        Number of an exon of the gene; None for the whole transcript.
    flank
        Bases beside the exon, or beside the transcript, nt.
    masked
        Whether gains at annotated sites and losses elsewhere are left out.
    plot
        The picture: `.png`, `.svg` or `.html`; None for none.
    top
        How many of the strongest changes the summary names.
    """

    target: str
    output: str
    genome: str
    base_model: str = "small"
    annotation: str | None = None
    weights: str | None = None
    transcript: str | None = None
    exon: int | None = None
    flank: int | None = None
    distance: int = 50
    masked: bool = False
    precision: str = "float32"
    processes: int = 1
    threads: int | None = None
    plot: str | None = None
    top: int = 20


class SaturationSummary(ToolModel):
    """How a saturation went."""

    region: str = Field(description="The region, 1-based, both ends included.")
    what: str = Field(description="What it is, in words.")
    predictor: str = Field(description="Base model and version.")
    bases: int = Field(description="Length of the region, nt.")
    changes: int = Field(description="Single-base changes: three a base that is not N.")
    scored: int = Field(description="Changes with a score.")
    from_parts: int = Field(description="Changes that an earlier attempt had worked on.")
    rows: int = Field(description="Rows of the table: one a change and gene.")
    not_scored: dict[str, int] = Field(description="Bases without scores, by the code of the reason.")
    weak: int = Field(description="Changes from the predictor's weak threshold on.")
    moderate: int = Field(description="Changes from its moderate threshold on.")
    strong: int = Field(description="Changes from its strong threshold on.")
    thresholds: str = Field(description="These thresholds and their source.")
    top: tuple[SaturatedChange, ...] = Field(description="The strongest changes.")
    table: str = Field(description="The table.")
    table_bytes: int = Field(description="Its size.")
    plot: str | None = Field(description="The picture.")


def saturate(order: SaturationOrder, resources: Resources, listen: Listener = nobody_listens) -> SaturationSummary:
    """Score every single-base change of a place, and write them as a table and a picture.

    Blocks of neighbouring positions are kept beside the output as they are done; the same order goes on from there.
    Table and picture take the places of earlier files when both are whole.

    Parameters
    ----------
    order
        What to do.
    resources
        Where genome and model are found.
    listen
        Hears how many changes are done.

    Raises
    ------
    SpliceEngineError
        If the place, the genome, the model or a file cannot be used, or what an earlier attempt left was made with
        other settings.
    """
    suffix = table_suffix(order.output)
    if order.top < 0:
        raise SettingError(f"top={order.top} cannot be used.", "Give 0 or more.")
    given = {
        "genome": order.genome,
        "annotation": order.annotation,
        "weights": order.weights,
    }
    if order.plot is not None:
        check_plot(order.plot)
        refuse_to_overwrite(order.plot, given)
    bundle = resources.genome(order.genome, order.annotation)
    place = _place(order, bundle)
    batch = open_batch(
        resources,
        genome=order.genome,
        annotation=order.annotation,
        base_model=order.base_model,
        weights=order.weights,
        transcripts=[place.transcript.id] if place.transcript else [],
        distance=order.distance,
        precision=order.precision,
        processes=order.processes,
        threads=order.threads,
    )
    table = Path(order.output).expanduser()
    stem = table.name.removesuffix(f".{suffix}")
    files = FileSet(table.parent, stem, given)
    growing = files.growing(suffix)
    parts = Parts(files.kept, _decisive(order, place, batch))
    with files:
        parts.begin()
        work = _Work(place, bundle, batch, parts, order, listen)
        summary = work.write(growing)
    return summary.model_copy(update={"table_bytes": table.stat().st_size})


def _place(order: SaturationOrder, bundle: GenomeBundle) -> Place:
    if not looks_like_region(order.target):
        flank = order.flank if order.flank is not None else 0 if order.exon is None else 50
        return find_place(bundle, gene=order.target, transcript=order.transcript, exon=order.exon, flank=flank)
    for name, value in (("exon", order.exon), ("flank", order.flank)):
        if value is not None:
            raise ToolArgumentError(f"{name}: it goes with a gene, not with a region.", "Leave one of the two out.")
    return find_place(bundle, region=order.target, transcript=order.transcript)


def _decisive(order: SaturationOrder, place: Place, batch: Batch) -> dict[str, str]:
    about = batch.provenance
    return {
        "region": str(place.interval),
        "transcript": place.transcript.id if place.transcript else "the representative",
        "predictor": f"{about.predictor} {about.version}",
        "weights": " ".join(about.weights_sha256),
        "genome": about.genome_id,
        "annotation": about.annotation_sha256,
        "distance": str(about.distance),
        "precision": str(about.precision),
        "scores": f"masked ({about.mask})" if order.masked else "raw",
        "program": __version__,
        "block": str(_BLOCK),
    }


class _Work:
    """One saturation, from its blocks to its files."""

    def __init__(
        self,
        place: Place,
        bundle: GenomeBundle,
        batch: Batch,
        parts: Parts,
        order: SaturationOrder,
        listen: Listener,
    ) -> None:
        self._place, self._bundle, self._batch, self._parts = place, bundle, batch, parts
        self._order = order
        self._listen = listen
        self._changes = self._done = self._from_parts = self._rows = 0
        self._unscored: list[Unscored] = []

    def write(self, path: Path) -> SaturationSummary:
        """Score what is missing, and write the table and the picture."""
        order, limits = self._order, self._batch.provenance.thresholds
        tally = Tally(order.top)
        drawn = MapBuilder(self._place, self._bundle) if order.plot is not None else None
        for block in self._blocks():
            tally.add(block.rows)
            self._rows += len(block.rows)
            self._unscored = join_unscored([*self._unscored, *block.unscored])
            if drawn is not None:
                drawn.add(block.rows)
        missing: Counter[str] = Counter()
        for run in self._unscored:
            missing[run.code] += run.end - run.start + 1
        about = self._batch.provenance
        summary = SaturationSummary(
            region=str(self._place.interval),
            what=self._place.what,
            predictor=f"{about.predictor} {about.version}",
            bases=len(self._place.interval),
            changes=self._changes,
            scored=tally.scored,
            from_parts=self._from_parts,
            rows=self._rows,
            not_scored=dict(sorted(missing.items())),
            weak=tally.at_least(limits.weak),
            moderate=tally.at_least(limits.moderate),
            strong=tally.at_least(limits.strong),
            thresholds=f"weak {limits.weak:g}, moderate {limits.moderate:g}, strong {limits.strong:g}: {limits.source}",
            top=tally.top(),
            table=order.output,
            table_bytes=0,
            plot=order.plot,
        )
        with table_writer(path, self._about(summary)) as writer:
            for start in self._starts():
                writer.write(self._parts.kept(start, self._place.interval.contig).rows)
        if drawn is not None and order.plot is not None:
            drawn.save(order.plot, self._batch.provenance, masked=order.masked)
        return summary

    def _about(self, summary: SaturationSummary) -> dict[str, Any]:
        """Return what the table says of itself."""
        return {
            "program": f"agentic-spliceai {__version__}",
            "what": summary.what,
            "region": summary.region,
            "scores": "masked" if self._order.masked else "raw",
            "provenance": self._batch.provenance.model_dump(mode="json"),
            "changes": summary.changes,
            "scored": summary.scored,
            "rows": summary.rows,
            "not_scored": [
                {"start": run.start, "end": run.end, "code": run.code, "message": run.message, "advice": run.advice}
                for run in self._unscored
            ],
        }

    def _starts(self) -> range:
        return range(self._place.interval.start, self._place.interval.end, _BLOCK)

    def _interval(self, start: int) -> Interval:
        where = self._place.interval
        return Interval(contig=where.contig, start=start, end=min(start + _BLOCK, where.end))

    def _blocks(self) -> Iterator[Block]:
        """Yield every block, from what is kept or by scoring it."""
        genome, contig = self._bundle.genome, self._place.interval.contig
        self._changes = sum(_changes(self._interval(start), genome) for start in self._starts())
        missing = [start for start in self._starts() if self._parts.get(start, contig) is None]
        inputs = (item for start in missing for item in snv_inputs(self._interval(start), genome))
        todo = set(missing)
        with closing(self._batch.results(inputs)) as results:
            for start in self._starts():
                interval = self._interval(start)
                if start not in todo:
                    block = self._parts.kept(start, contig)
                    self._from_parts += _changes(interval, genome)
                    self._tell(KEPT, _changes(interval, genome))
                else:
                    given = list(snv_inputs(interval, genome))
                    block = self._block(interval, given, self._heard(islice(results, len(given))))
                    self._parts.put(start, block)
                yield block

    def _heard(self, results: Iterator[BatchResult]) -> Iterator[BatchResult]:
        for result in results:
            self._tell(SCORED, 1)
            yield result

    def _tell(self, message: str, done: int) -> None:
        self._done += done
        self._listen(ToolProgress(message, self._done, self._changes))

    def _block(self, interval: Interval, given: list[BatchInput], results: Iterator[BatchResult]) -> Block:
        unscored = list(_without_sequence(interval, self._bundle.genome))
        scored: list[BatchResult] = []
        for item, result in zip(given, results, strict=True):
            assert item.raw is not None
            at, reason = item.raw.position, result.not_scored
            if reason is None:
                scored.append(result)
            else:
                unscored.append(Unscored(at, at, reason.code, reason.message, reason.advice))
        rows = rows_of(scored, interval.contig, masked=self._order.masked)
        return Block(rows, tuple(join_unscored(sorted(unscored, key=lambda run: run.start))))


def _changes(interval: Interval, genome: ReferenceGenome) -> int:
    bases = genome.fetch(interval)
    return 3 * (len(bases) - bases.count("N"))


def _without_sequence(interval: Interval, genome: ReferenceGenome) -> Iterator[Unscored]:
    advice = "Take a genome file that has these bases."
    for position, base in enumerate(genome.fetch(interval), interval.start + 1):
        if base == "N":
            message = f"the genome has N at {interval.contig}:{position}."
            yield Unscored(position, position, NoSequenceError.code, message, advice)
