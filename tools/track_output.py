"""Every file of a run that predicts whole genes, kept in step."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from agentic_spliceai.splice_engine.genome.bundle import GenomeBundle
from agentic_spliceai.splice_engine.genome.types import Strand
from agentic_spliceai.splice_engine.tracks import CLASSES, GenePrediction, MergedStretch
from agentic_spliceai.tools.file_set import FileSet
from agentic_spliceai.tools.track_files import (
    BedGraphWriter,
    BigWigWriter,
    SitesWriter,
    TrackWriter,
    index_suffix,
    runs_of,
)
from agentic_spliceai.tools.track_tables import (
    GenesTable,
    ParquetPositions,
    PositionColumns,
    PositionWriter,
    TsvPositions,
)
from agentic_spliceai.tools.track_types import TrackOptions, TrackProvenance

STRANDS = {Strand.PLUS: "plus", Strand.MINUS: "minus"}


class TrackOutput:
    """Every file of a run, registered with its set at once, so that what cannot be written is known before scoring.

    Parameters
    ----------
    files
        Where they grow and how they get their names.
    bundle
        Genome and annotation.
    options, about
        How values are written, and what made them.
    stack
        Closes them.
    with_meta
        Whether there are recalibrated values too.
    """

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
        """Write a gene's own rows."""
        self.genes.add(prediction)
        for table in self._positions:
            table.write(prediction)

    def add_stretch(self, stretch: MergedStretch) -> None:
        """Write what stands along a stretch; contigs come in the order of their names."""
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
