"""What is to be predicted: genes by name, regions and BED files, turned into stretches of genes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from agentic_spliceai.splice_engine.errors import (
    NotScored,
    OutsideGenesError,
    PositionOutOfRangeError,
    SpliceEngineError,
    UnknownGeneError,
)
from agentic_spliceai.splice_engine.genome.annotation import GeneAnnotation
from agentic_spliceai.splice_engine.genome.contigs import canonical_contig
from agentic_spliceai.splice_engine.genome.intervals import looks_like_region, parse_region, read_bed
from agentic_spliceai.splice_engine.genome.reference import ReferenceGenome
from agentic_spliceai.splice_engine.genome.types import Gene, Interval, Strand

Span = tuple[int, int]
Given = TypeVar("Given")


@dataclass(frozen=True, slots=True)
class GeneSpans:
    """The parts of a gene that are wanted.

    Light, so that a whole annotation fits into memory; `of` finds the gene itself again.

    Attributes
    ----------
    gene_id, gene_name, contig, strand
        Whose and where.
    start, end
        The gene's extent, 0-based half-open: outside of it the network sees N.
    spans
        What is wanted of it, 0-based half-open, ascending and apart from each other.
    """

    gene_id: str
    gene_name: str
    contig: str
    strand: Strand
    start: int
    end: int
    spans: tuple[Span, ...]

    def __len__(self) -> int:
        return sum(end - start for start, end in self.spans)

    def of(self, annotation: GeneAnnotation) -> Gene:
        """Return the gene: by its place too, since an id may stand in both pseudo-autosomal regions.

        Raises
        ------
        UnknownGeneError
            If the annotation is another one.
        """
        for gene in annotation.genes_at(self.contig, self.start, self.end):
            if gene.id == self.gene_id and (gene.start, gene.end) == (self.start, self.end):
                return gene
        raise UnknownGeneError(f"gene {self.gene_id!r} is not where it was.", "Use one annotation throughout.")


@dataclass(frozen=True, slots=True)
class Refused:
    """A target, or a gene, that gets no values, and why."""

    target: str
    reason: NotScored
    gene: GeneSpans | None = None


@dataclass(frozen=True)
class Targets:
    """What was asked for, in order: `genes` by contig name, start and end, and what has a reason instead."""

    genes: tuple[GeneSpans, ...]
    refused: tuple[Refused, ...]

    def __len__(self) -> int:
        return sum(len(gene) for gene in self.genes)


def find_targets(
    named: Sequence[str | Interval],
    genome: ReferenceGenome,
    annotation: GeneAnnotation,
    *,
    bed: Path | None = None,
    everything: bool = False,
    contigs: Sequence[str] = (),
) -> Targets:
    """Find the genes, and the parts of genes, that are asked for.

    A gene that is asked for several times, or in several pieces, is one entry with the union of them. A region stands
    for the parts of all genes in it, of both strands.

    Parameters
    ----------
    named
        Names and ids of genes; regions as `chr7:117559500-117559700` (1-based) or as intervals.
    genome, annotation
        Of one build.
    bed
        A BED file with further regions.
    everything
        Take every gene of the annotation.
    contigs
        With `everything`, only genes of these contigs; by default of all.

    Raises
    ------
    ResourceError
        If the BED file cannot be read.
    """
    finder = _Finder(genome, annotation)
    if everything:
        finder.add_all({canonical_contig(name) for name in contigs})
    for target in named:
        if isinstance(target, Interval):
            finder.attempt(str(target), finder.add_region, target)
        elif looks_like_region(target):
            finder.attempt(target, finder.add_written, target)
        else:
            finder.attempt(target, finder.add_named, target)
    if bed is not None:
        for place, found in read_bed(bed):
            finder.attempt(place, finder.add_region, found)
    return finder.targets()


class _Finder:
    """Collects spans by gene, and reasons."""

    def __init__(self, genome: ReferenceGenome, annotation: GeneAnnotation) -> None:
        self._genome = genome
        self._annotation = annotation
        self._found: dict[tuple[str, str, int], tuple[GeneSpans, list[Span]]] = {}
        self._refused: list[Refused] = []

    def attempt(self, target: str, step: Callable[[Given], object], given: Given) -> None:
        """Take a step for a target, or keep the reason why it cannot be taken."""
        try:
            step(given)
        except SpliceEngineError as error:
            self._refused.append(Refused(target, error.as_not_scored()))

    def add(self, gene: Gene, span: Span) -> None:
        """Want a part of a gene."""
        key = (gene.contig, gene.id, gene.start)
        if key not in self._found:
            self._found[key] = (_light(gene), [])
        self._found[key][1].append(span)

    def add_all(self, contigs: set[str]) -> None:
        """Want every gene, or every one of some contigs."""
        seen = set()
        for gene in self._annotation.genes:
            if not contigs or gene.contig in contigs:
                seen.add(gene.contig)
                self.add(gene, (gene.start, gene.end))
        for contig in sorted(contigs - seen):
            self.attempt(contig, self._no_gene_on, contig)

    def _no_gene_on(self, contig: str) -> None:
        self._genome.contig_length(contig)  # a contig that is not known either has its own words
        raise OutsideGenesError(f"No gene of {self._annotation.source} is on {contig}.", "Check the annotation.")

    def add_named(self, name: str) -> None:
        gene = self._annotation.gene(name)
        self.add(gene, (gene.start, gene.end))

    def add_written(self, text: str) -> None:
        self.add_region(parse_region(text))

    def add_region(self, place: Interval | SpliceEngineError) -> None:
        if isinstance(place, SpliceEngineError):
            raise place
        length = self._genome.contig_length(place.contig)
        if place.end > length:
            raise PositionOutOfRangeError(
                f"{place} reaches past the end of {place.contig}, which has {length:,} bases.",
                "Check the position and the genome build.",
            )
        genes = self._annotation.genes_at(place.contig, place.start, place.end)
        if not genes:
            raise OutsideGenesError(
                f"No gene of {self._annotation.source} lies in {place}.", "Check build and annotation."
            )
        for gene in genes:
            self.add(gene, (max(gene.start, place.start), min(gene.end, place.end)))

    def targets(self) -> Targets:
        """Return what can be scored, in the order in which it is, and what cannot."""
        genes: list[GeneSpans] = []
        for gene, spans in self._found.values():
            wanted = replace(gene, spans=_union(spans))
            try:
                length = self._genome.contig_length(gene.contig)
                if gene.end > length:
                    raise PositionOutOfRangeError(
                        f"{gene.gene_name} reaches past the end of {gene.contig}, which has {length:,} bases.",
                        "The annotation belongs to another build than the genome.",
                    )
                genes.append(wanted)
            except SpliceEngineError as error:
                self._refused.append(Refused(gene.gene_name, error.as_not_scored(), wanted))
        genes.sort(key=lambda gene: (gene.contig, gene.spans[0][0], gene.spans[-1][1], gene.gene_id))
        return Targets(tuple(genes), tuple(self._refused))


def _light(gene: Gene) -> GeneSpans:
    return GeneSpans(gene.id, gene.name, gene.contig, gene.strand, gene.start, gene.end, ())


def _union(spans: Sequence[Span]) -> tuple[Span, ...]:
    """Return spans sorted, with those that touch or overlap made one."""
    joined: list[Span] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return tuple(joined)
