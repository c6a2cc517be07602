"""Genes predicted and written one after the other, in memory that does not grow with their number."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from pydantic import Field

from agentic_spliceai import __version__
from agentic_spliceai.splice_engine.base_layer.model import BaseModel
from agentic_spliceai.splice_engine.base_layer.results import Precision
from agentic_spliceai.splice_engine.genome.bundle import GenomeBundle
from agentic_spliceai.splice_engine.genome.types import GenomeBuild, Strand
from agentic_spliceai.splice_engine.meta_layer.inference import MetaPredictor
from agentic_spliceai.splice_engine.tracks import (
    CLASSES,
    GenePrediction,
    GeneSpans,
    MergedStretch,
    PartStore,
    Refused,
    Targets,
    groups,
    merge,
    predict_genes,
)
from agentic_spliceai.tools.file_set import FileSet
from agentic_spliceai.tools.interaction import Listener, ToolProgress
from agentic_spliceai.tools.plain_text import json_text, table_cell
from agentic_spliceai.tools.spec import ToolModel
from agentic_spliceai.tools.track_files import (
    BedGraphWriter,
    BigWigWriter,
    SitesWriter,
    TrackWriter,
    index_suffix,
    runs_of,
)
from agentic_spliceai.tools.track_tables import ParquetPositions, PositionColumns, PositionWriter, TsvPositions

TrackFormat = Literal["bedgraph", "bedgraph.gz", "bigwig", "bed", "tsv", "parquet"]
FORMATS: tuple[TrackFormat, ...] = get_args(TrackFormat)

STRANDS = {Strand.PLUS: "plus", Strand.MINUS: "minus"}
KEPT, SCORED = "read back", "scored"
"""Words of progress: nt of genes that an earlier attempt had finished, and nt that the models work on."""


class TrackOptions(ToolModel):
    """How values are written."""

    formats: tuple[TrackFormat, ...] = Field(
        default=("bedgraph.gz", "bed"), min_length=1, description=f"What to write: {', '.join(FORMATS)}."
    )
    floor: float = Field(
        default=0.001, ge=0, le=1,
        description="Probability below which a position is left out of tracks and tables; 0 leaves out none.",
    )  # fmt: skip
    decimals: int = Field(default=4, ge=1, le=7, description="Digits behind the point of a written probability.")
    threshold: float = Field(default=0.5, gt=0, le=1, description="Probability from which a position is a site.")
    track_lines: bool = Field(default=False, description="Put a track line into bedGraph and BED.")


class SiteCounts(ToolModel):
    """What one predictor sees."""

    sites: int = Field(ge=0, description="Positions of a strand from the threshold on; one row of the BED each.")
    annotated_found: int = Field(ge=0, description="Of them, those that a transcript of a predicted gene has.")


class TrackProvenance(ToolModel):
    """Everything that one needs to get the same tracks again."""

    software_version: str = Field(description="Of agentic-spliceai.")
    predictor: str = Field(description="Base model.")
    version: str = Field(description="Of the base model.")
    weights_sha256: tuple[str, ...] = Field(description="One digest a file, in the order of the members.")
    context: int = Field(description="Bases the network sees around a position, both sides together.")
    precision: Precision = Field(description="In which numbers the base model computed.")
    build: GenomeBuild | None = Field(description="Genome build.")
    genome_id: str = Field(description="Which genome file: its name, size and the digest of its index.")
    annotation: str = Field(description="Where the genes come from.")
    annotation_sha256: str = Field(description="Digest of the annotation file.")
    meta_card_sha256: str | None = Field(description="Card of the meta-layer model; null without one.")
    meta_weights_sha256: tuple[str, ...] = Field(description="Of the meta-layer model, one digest a member.")


class TracksSummary(ToolModel):
    """What was predicted and written."""

    provenance: TrackProvenance = Field(description="Models, genome and annotation.")
    options: TrackOptions = Field(description="How values were written.")
    genes: int = Field(ge=0, description="Genes with values.")
    genes_from_parts: int = Field(ge=0, description="Of them, those that an earlier attempt had finished.")
    positions: int = Field(ge=0, description="Positions with values, each gene's own counted, nt.")
    without_sequence: int = Field(ge=0, description="Positions of these genes where the genome has N, nt.")
    annotated_sites: int = Field(ge=0, description="Annotated donors and acceptors at positions with values.")
    predictors: dict[str, SiteCounts] = Field(description="By predictor: base, and recalibrated where asked for.")
    reasons: dict[str, int] = Field(description="Targets and genes without values, by the code of the reason.")
    files: dict[str, str] = Field(description="What was written: path, and what it holds.")


@dataclass
class _Totals:
    genes: int = 0
    from_parts: int = 0
    positions: int = 0
    unknown: int = 0
    annotated: int = 0
    sites: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)

    def add_gene(self, prediction: GenePrediction) -> None:
        unknown = int(np.isnan(prediction.values.base[:, 0]).sum())
        self.genes += 1
        self.from_parts += prediction.from_part
        self.unknown += unknown
        self.positions += len(prediction.positions) - unknown

    def add_stretch(self, stretch: MergedStretch, threshold: float) -> None:
        self.annotated += int((stretch.sites & ~np.isnan(stretch.values["base"])).sum())
        for name, values in stretch.values.items():
            self.sites[name] += int((values >= threshold).sum())
            self.found[name] += int(((values >= threshold) & stretch.sites).sum())


def write_tracks(
    targets: Targets,
    bundle: GenomeBundle,
    model: BaseModel,
    files: FileSet,
    options: TrackOptions,
    *,
    meta: MetaPredictor | None = None,
    parts: Path | None = None,
    precision: Precision = Precision.FLOAT32,
    listen: Listener,
    refuse: Callable[[Refused], None],
) -> TracksSummary:
    """Predict and write; `files` is entered by the caller.

    Parameters
    ----------
    targets
        As `find_targets` finds them.
    bundle, model, meta
        Genome, base model, and a meta-layer model of sites or None.
    files
        Where.
    options
        How.
    parts
        Folder that keeps finished genes, for later runs too; None keeps them with `files` until it is done.
    precision
        In which numbers the base model computes; a meta-layer model reads float32 scores only.
    listen
        Hears how many nt are done.
    refuse
        Hears of each target and gene without values.

    Raises
    ------
    MissingExtraError
        If a format needs a library that is not installed.
    CheckpointError
        If the meta-layer model does not fit.
    """
    about = _provenance(bundle, model, meta, precision)
    totals = _Totals()
    with ExitStack() as stack:
        output = _Output(files, bundle, options, about, stack, with_meta=meta is not None)

        def refused(item: Refused) -> None:
            totals.reasons[item.reason.code] += 1
            output.genes.refused(item)
            refuse(item)

        for item in targets.refused:
            refused(item)
        progress = _Progress(len(targets), listen)
        store = PartStore(parts or files.kept)
        for group in groups(targets.genes):
            predictions = []
            for found in predict_genes(
                group, bundle.genome, bundle.annotation, model,
                meta=meta, parts=store, precision=precision, heard=progress.within,
            ):  # fmt: skip
                if isinstance(found, Refused):
                    refused(found)
                    progress.over(found.gene, scored=False)
                    continue
                progress.over(found.spans, scored=not found.from_part)
                totals.add_gene(found)
                output.add_gene(found)
                predictions.append(found)
            if predictions:
                merged = merge(predictions)
                totals.add_stretch(merged, options.threshold)
                output.add_stretch(merged)
        output.end()
    summary = TracksSummary(
        provenance=about,
        options=options,
        genes=totals.genes,
        genes_from_parts=totals.from_parts,
        positions=totals.positions,
        without_sequence=totals.unknown,
        annotated_sites=totals.annotated,
        predictors={
            name: SiteCounts(sites=totals.sites[name], annotated_found=totals.found[name]) for name in output.names
        },
        reasons=dict(sorted(totals.reasons.items())),
        files=output.listed(),
    )
    files.growing("json").write_text(json_text(summary.model_dump(mode="json"), indent=1) + "\n", encoding="utf-8")
    return summary


class _Output:
    """Every file of a run."""

    def __init__(
        self,
        files: FileSet,
        bundle: GenomeBundle,
        options: TrackOptions,
        about: TrackProvenance,
        stack: ExitStack,
        *,
        with_meta: bool,
    ) -> None:
        self.names = ("base", "recalibrated") if with_meta else ("base",)
        self._files = files
        self._options = options
        self._listed: dict[str, str] = {}
        self._bigwigs: dict[str, BigWigWriter] = {}
        lengths = {contig: bundle.genome.contig_length(contig) for contig in bundle.genome.contigs}
        longest = max(lengths.values())
        header = _header(about, _track_rule(options))
        formats = dict.fromkeys(options.formats)
        self._tracks: dict[tuple[str, int, Strand], list[TrackWriter]] = {}
        self._sites: dict[str, SitesWriter] = {}
        self._positions: list[PositionWriter] = []
        for name in self.names:
            for column, kind in enumerate(CLASSES):
                for strand, word in STRANDS.items():
                    what = f"{name} probability of {kind}, {word} strand"
                    stem = f"{name}.{kind}.{word}"
                    writers: list[TrackWriter] = []
                    for text_format in ("bedgraph", "bedgraph.gz"):
                        if text_format in formats:
                            path = self._new(f"{stem}.{text_format}", what)
                            line = _track_line("bedGraph", stem, what) if options.track_lines else ""
                            writers.append(
                                stack.enter_context(
                                    BedGraphWriter(path, [what, *header], line, options.decimals, longest)
                                )
                            )
                    if "bedgraph.gz" in formats:
                        self._new(f"{stem}.bedgraph.gz.{index_suffix(longest)}", "index for tabix")
                    if "bigwig" in formats:
                        path = self._new(f"{stem}.bw", what)
                        bigwig = stack.enter_context(BigWigWriter(path, lengths, options.decimals))
                        self._bigwigs[f"{stem}.bw"] = bigwig
                        writers.append(bigwig)
                    self._tracks[name, column, strand] = writers
            if "bed" in formats:
                what = f"predicted sites ({name})"
                line = _track_line("bed", f"{name}.sites", what) if options.track_lines else ""
                path = self._new(f"{name}.sites.bed", what)
                self._sites[name] = stack.enter_context(
                    SitesWriter(path, [what, *_header(about, _site_rule(options))], line, options.threshold)
                )
        columns = PositionColumns(options.floor, options.decimals)
        header = _header(about, _table_rule(options))
        what = "each gene's own probabilities, 1-based positions"
        if "tsv" in formats:
            path = self._new("positions.tsv.gz", what)
            self._positions.append(stack.enter_context(TsvPositions(path, [what, *header], columns, options.decimals)))
        if "parquet" in formats:
            path = self._new("positions.parquet", what)
            self._positions.append(stack.enter_context(ParquetPositions(path, [what, *header], columns)))
        self.genes = stack.enter_context(
            GenesTable(self._new("genes.tsv", "one row a gene, or the reason why it has no values"),
                       self.names, options.threshold)
        )  # fmt: skip
        sizes = self._new("chrom.sizes", "lengths of the genome's contigs")
        sizes.write_text("".join(f"{contig}\t{n}\n" for contig, n in sorted(lengths.items())), encoding="utf-8")
        self._contig: str | None = None

    def add_gene(self, prediction: GenePrediction) -> None:
        self.genes.add(prediction)
        for table in self._positions:
            table.write(prediction)

    def add_stretch(self, stretch: MergedStretch) -> None:
        if self._contig not in (None, stretch.contig):
            self.end()
        self._contig = stretch.contig
        for name, values in stretch.values.items():
            if name in self._sites:
                self._sites[name].add(stretch, name)
            for column in range(len(CLASSES)):
                runs = runs_of(
                    values[:, column], stretch.start, floor=self._options.floor, decimals=self._options.decimals
                )
                for writer in self._tracks[name, column, stretch.strand]:
                    writer.write(stretch.contig, runs)

    def end(self) -> None:
        """Write what is kept until a contig is over."""
        for sites in self._sites.values():
            sites.end_contig()

    def listed(self) -> dict[str, str]:
        """Return the files that there are, once they are closed."""
        for suffix, bigwig in self._bigwigs.items():
            if bigwig.empty:
                self._files.without(suffix)
                del self._listed[suffix]
        listed = self._listed | {"json": "this summary: models, options and counts"}
        return {str(self._files.final(suffix)): what for suffix, what in listed.items()}

    def _new(self, suffix: str, what: str) -> Path:
        self._listed[suffix] = what
        return self._files.growing(suffix)


class GenesTable:
    """One row a gene with its counts, or a target with its reason; `start` is 0-based.

    Parameters
    ----------
    path
        The file.
    names
        Predictors.
    threshold
        Probability from which a position is a site.
    """

    def __init__(self, path: Path, names: tuple[str, ...], threshold: float) -> None:
        self._names = names
        self._threshold = threshold
        self._handle = path.open("w", encoding="utf-8", newline="")
        self._table = csv.writer(
            self._handle, delimiter="\t", lineterminator="\n", quoting=csv.QUOTE_NONE, quotechar=None
        )
        counts = [f"{name}_{what}" for name in names for what in ("sites", "annotated_found")]
        self._counts = ("positions", "without_sequence", "annotated_sites", *counts)
        place = ("target", "gene_id", "gene_name", "chrom", "start", "end", "strand")
        self._table.writerow((*place, *self._counts, "reason_code", "reason", "advice"))

    def add(self, prediction: GenePrediction) -> None:
        """Add a gene with values."""
        values, sites = prediction.values, prediction.sites()
        known = ~np.isnan(values.base[:, 0])
        counts = [int(known.sum()), int((~known).sum()), int(sites[known].sum())]
        for given in values.tracks().values():
            above = given >= self._threshold
            counts += [int(above.sum()), int((above & sites).sum())]
        self._table.writerow([*_place(prediction.spans.gene_name, prediction.spans), *counts, "", "", ""])

    def refused(self, item: Refused) -> None:
        """Add a reason."""
        texts = (item.reason.code, item.reason.message, item.reason.advice)
        self._table.writerow([*_place(item.target, item.gene), *[""] * len(self._counts), *map(table_cell, texts)])

    def __enter__(self) -> GenesTable:
        return self

    def __exit__(self, *error: object) -> None:
        self._handle.close()


def _place(target: str, gene: GeneSpans | None) -> list[object]:
    if gene is None:
        return [table_cell(target), *[""] * 6]
    names = [table_cell(text) for text in (target, gene.gene_id, gene.gene_name, gene.contig)]
    return [*names, gene.start, gene.end, str(gene.strand)]


class _Progress:
    """Counts nt over genes that are done and the one that is worked on."""

    def __init__(self, total: int, listen: Listener) -> None:
        self._total = total
        self._listen = listen
        self._before = 0

    def within(self, gene: GeneSpans, done: int) -> None:
        if done < len(gene):
            self._listen(ToolProgress(SCORED, self._before + done, self._total))

    def over(self, gene: GeneSpans | None, *, scored: bool) -> None:
        self._before += 0 if gene is None else len(gene)
        self._listen(ToolProgress(SCORED if scored else KEPT, self._before, self._total))


def _provenance(
    bundle: GenomeBundle, model: BaseModel, meta: MetaPredictor | None, precision: Precision
) -> TrackProvenance:
    info = model.info
    return TrackProvenance(
        software_version=__version__,
        predictor=info.name,
        version=info.version,
        weights_sha256=info.weights_sha256,
        context=info.context,
        precision=precision,
        build=bundle.genome.build or bundle.build,
        genome_id=bundle.genome.identity,
        annotation=bundle.annotation.source,
        annotation_sha256=bundle.annotation.digest,
        meta_card_sha256=None if meta is None else meta.card_sha256,
        meta_weights_sha256=() if meta is None else meta.weights_sha256,
    )


def _header(about: TrackProvenance, rule: str) -> list[str]:
    """Return lines that say what made a file, and by which rule values were written."""
    given = {name: value for name, value in about.model_dump(mode="json").items() if value not in (None, [])}
    lines = [f"{name}: {', '.join(value) if isinstance(value, list) else value}" for name, value in given.items()]
    where = "donor: last exonic base, acceptor: first exonic base; nothing outside of genes and where the genome has N"
    return [*(" ".join(line.split()) for line in lines), f"positions: {where}", f"values: {rule}"]


def _track_rule(options: TrackOptions) -> str:
    return f"{_rounding(options)}; where genes of a strand overlap, the highest probability stands"


def _site_rule(options: TrackOptions) -> str:
    return f"probability at least {options.threshold:g}; the score is 1000 times the probability"


def _table_rule(options: TrackOptions) -> str:
    return f"{_rounding(options)}, except at annotated sites; each gene's own, also where genes overlap"


def _rounding(options: TrackOptions) -> str:
    return f"rounded to {options.decimals} decimals; below {options.floor:g} left out"


def _track_line(kind: str, name: str, what: str) -> str:
    extra = " visibility=full viewLimits=0:1 autoScale=off" if kind == "bedGraph" else " useScore=1"
    return f'track type={kind} name="{name}" description="{what}"{extra}'
