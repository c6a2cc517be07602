"""Every file of a run that predicts whole genes, kept in step."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from agentic_spliceai.splice_engine.genome.bundle import GenomeBundle
from agentic_spliceai.splice_engine.genome.types import SiteType, Strand
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
        self._about = about
        self._stack = stack
        self._lengths = {contig: bundle.genome.contig_length(contig) for contig in bundle.genome.contigs}
        self._listed: dict[str, str] = {}
        self._bigwigs: dict[str, BigWigWriter] = {}
        self._contig: str | None = None
        self._tracks = {
            (name, column, strand): self._open_track(name, kind, word)
            for name in self.names
            for column, kind in enumerate(CLASSES)
            for strand, word in STRANDS.items()
        }
        self._sites = {name: self._open_sites(name) for name in self.names if "bed" in options.formats}
        self._positions = self._open_positions()
        path = self._new("genes.tsv", "one row a gene, or the reason why it has no values")
        self.genes = stack.enter_context(GenesTable(path, self.names, options.threshold))
        path = self._new("chrom.sizes", "lengths of the genome's contigs")
        path.write_text("".join(f"{contig}\t{n}\n" for contig, n in sorted(self._lengths.items())), encoding="utf-8")

    def _open_track(self, name: str, kind: SiteType, strand: str) -> list[TrackWriter]:
        """Open the files of one track, in every format that is asked for."""
        options, longest = self._options, max(self._lengths.values())
        stem, what = f"{name}.{kind}.{strand}", f"{name} probability of {kind}, {strand} strand"
        header = [what, *_header(self._about, _track_rule(options))]
        line = _track_line("bedGraph", stem, what) if options.track_lines else ""
        writers: list[TrackWriter] = []
        for suffix in ("bedgraph", "bedgraph.gz"):
            if suffix in options.formats:
                text = BedGraphWriter(self._new(f"{stem}.{suffix}", what), header, line, options.decimals, longest)
                writers.append(self._stack.enter_context(text))
        if "bedgraph.gz" in options.formats:
            self._new(f"{stem}.bedgraph.gz.{index_suffix(longest)}", "index for tabix")
        if "bigwig" in options.formats:
            bigwig = BigWigWriter(self._new(f"{stem}.bw", what), self._lengths, options.decimals)
            self._bigwigs[f"{stem}.bw"] = self._stack.enter_context(bigwig)
            writers.append(bigwig)
        return writers

    def _open_sites(self, name: str) -> SitesWriter:
        options, what = self._options, f"predicted sites ({name})"
        header = [what, *_header(self._about, _site_rule(options))]
        line = _track_line("bed", f"{name}.sites", what) if options.track_lines else ""
        writer = SitesWriter(self._new(f"{name}.sites.bed", what), header, line, options.threshold)
        return self._stack.enter_context(writer)

    def _open_positions(self) -> list[PositionWriter]:
        options, what = self._options, "each gene's own probabilities, 1-based positions"
        header = [what, *_header(self._about, _table_rule(options))]
        columns = PositionColumns(options.floor, options.decimals)
        tables: list[PositionWriter] = []
        if "tsv" in options.formats:
            tsv = TsvPositions(self._new("positions.tsv.gz", what), header, columns, options.decimals)
            tables.append(self._stack.enter_context(tsv))
        if "parquet" in options.formats:
            parquet = ParquetPositions(self._new("positions.parquet", what), header, columns)
            tables.append(self._stack.enter_context(parquet))
        return tables

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
