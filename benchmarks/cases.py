"""What the benchmarks score: SNVs and genes of real, completely sequenced transcripts, in files that all programs read.

Each gene is one transcript, the representative of the annotation, and everything outside of it is N to every program.
Of the SNVs of a case every other one stands at the end of an exon, so that some of them change something.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from agentic_spliceai.splice_engine.genome.annotation import GeneAnnotation
from agentic_spliceai.splice_engine.genome.reference import ReferenceGenome
from agentic_spliceai.splice_engine.genome.sequence import reverse_complement
from agentic_spliceai.splice_engine.genome.types import Strand, Transcript, Variant

Item = TypeVar("Item")

VARIANT_CASES = ("isolated", "genes", "saturation")
TRACK = "track"
"""The case of a whole gene; the others are of variants."""

USUAL = 45_000
"""Length of the genes of `genes` and `track`, nt."""
_SATURATED = 20_000
_LONE = (15_000, 100_000)


@dataclass(frozen=True)
class Sizes:
    """How large the cases are.

    Attributes
    ----------
    isolated
        Genes with one variant each.
    genes, variants_per_gene
        Genes with several, and how many.
    positions
        Of a gene, each changed to the three other bases.
    sample
        Variants of a case that are measured where neighbours do not help: by the peers, and by whole alleles.
    """

    isolated: int = 24
    genes: int = 10
    variants_per_gene: int = 20
    positions: int = 320
    sample: int = 12


@dataclass(frozen=True)
class Case:
    """Variants of one kind.

    Attributes
    ----------
    name
        One of `VARIANT_CASES`.
    variants
        All of them.
    sample
        Some, spread over all; of a saturation, whole positions.
    unit
        How many of the sample belong together: 1, or the 3 of a position.
    """

    name: str
    variants: tuple[Variant, ...]
    sample: tuple[Variant, ...]
    unit: int = 1


class Cases:
    """Chooses and writes them.

    Parameters
    ----------
    mirror
        Folder with `GRCh38/genome.fa.gz` and `GRCh38/annotation.gtf.gz`.
    scratch
        Folder for what is written.
    """

    def __init__(self, mirror: Path, scratch: Path) -> None:
        self.fasta = mirror / "GRCh38" / "genome.fa.gz"
        self._scratch = scratch
        self._genome = ReferenceGenome(self.fasta, cache_dir=scratch)
        self._annotation = GeneAnnotation.load(mirror / "GRCh38" / "annotation.gtf.gz", cache_dir=scratch)

    @cached_property
    def transcripts(self) -> tuple[Transcript, ...]:
        """Representative transcripts whose sequence is complete and that overlap no other, along the genome."""
        found: dict[str, Transcript] = {}
        for gene in self._annotation.genes:
            transcript = next(t for t in gene.transcripts if t.id == gene.representative_id)
            if len(transcript.exons) > 2 and gene.name not in found and "N" not in self._bases(transcript):
                found[gene.name] = transcript
        apart: list[Transcript] = []
        for transcript in sorted(found.values(), key=lambda t: (t.contig, t.start)):
            if not apart or apart[-1].contig != transcript.contig or apart[-1].end <= transcript.start:
                apart.append(transcript)
        return tuple(apart)

    @cached_property
    def table(self) -> Path:
        """The transcripts as the peers' gene table."""
        rows = ["#NAME\tCHROM\tSTRAND\tTX_START\tTX_END\tEXON_START\tEXON_END"]
        for t in self.transcripts:
            starts, ends = ("".join(f"{exon[side]}," for exon in t.exons) for side in (0, 1))
            rows.append(f"{t.gene_name}\t{t.contig}\t{t.strand}\t{t.start}\t{t.end}\t{starts}\t{ends}")
        path = self._scratch / "genes.tsv"
        path.write_text("\n".join(rows) + "\n", encoding="utf-8")
        return path

    def genes(self, length: int, count: int = 1) -> list[Transcript]:
        """Return the `count` genes whose length is nearest to `length` nt."""
        return sorted(self.transcripts, key=lambda t: abs(t.end - t.start - length))[:count]

    def case(self, name: str, sizes: Sizes) -> Case:
        """Return one of `VARIANT_CASES`."""
        if name == "isolated":
            fitting = [t for t in self.transcripts if _LONE[0] <= t.end - t.start <= _LONE[1]]
            chosen = _spread(fitting, sizes.isolated)
            variants = [self.along(t, 1, at_exon=bool(i % 2))[0] for i, t in enumerate(chosen)]
            return Case(name, tuple(variants), tuple(_spread(variants, sizes.sample)))
        if name == "genes":
            of_gene = [self.along(t, sizes.variants_per_gene) for t in self.genes(USUAL, sizes.genes)]
            variants = [variant for one in of_gene for variant in one]
            return Case(name, tuple(variants), tuple(_spread(variants, sizes.sample)))
        transcript = self.genes(_SATURATED)[0]
        exon_end = transcript.exons[len(transcript.exons) // 2][1]
        first = exon_end - sizes.positions // 2
        variants = [
            self._snv(transcript, position, step)
            for position in range(first, first + sizes.positions)
            for step in (1, 2, 3)
        ]
        positions = _spread(range(sizes.positions), max(1, sizes.sample // 3))
        sample = tuple(variants[3 * at + step] for at in positions for step in range(3))
        return Case(name, tuple(variants), sample, unit=3)

    def along(self, transcript: Transcript, count: int, *, at_exon: bool = False) -> list[Variant]:
        """Return SNVs at equal distances, every other one moved to the nearest exon's end: the second, the fourth, or
        with `at_exon` the first, the third."""
        ends = [end for exon in transcript.exons[1:-1] for end in exon]
        found: dict[int, Variant] = {}
        for number in range(count):
            position = transcript.start + (2 * number + 1) * (transcript.end - transcript.start) // (2 * count)
            if (number % 2 == 1) is not at_exon:
                nearest = min(ends, key=lambda end: abs(end - position))
                position = next(p for p in range(nearest + 1, nearest + count + 2) if p not in found)
            found[position] = self._snv(transcript, position)
        return [found[position] for position in sorted(found)]

    def write_vcf(self, name: str, variants: Iterable[Variant]) -> Path:
        """Write variants in the order given."""
        path = self._scratch / f"{name}.vcf"
        variants = list(variants)
        contigs = dict.fromkeys(variant.contig for variant in variants)
        lines = ["##fileformat=VCFv4.2"]
        lines += [f"##contig=<ID={contig},length={self._genome.contig_length(contig)}>" for contig in contigs]
        lines.append("#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO")
        lines += [f"{v.contig}\t{v.position}\t.\t{v.ref}\t{v.alt}\t.\t.\t." for v in variants]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    def write_sequence(self, transcript: Transcript, length: int | None = None) -> Path:
        """Write the first `length` bases of a gene, or all, in transcript sense; the record's name ends in its strand,
        as OpenSpliceAI wants it."""
        bases = self._bases(transcript)
        sense = bases if transcript.strand is Strand.PLUS else reverse_complement(bases)
        path = self._scratch / f"{transcript.gene_name}_{length or len(bases)}.fa"
        path.write_text(f">{transcript.gene_name}+\n{sense[:length]}\n", encoding="utf-8")
        return path

    def _bases(self, transcript: Transcript) -> str:
        return self._genome.fetch_padded(transcript.contig, transcript.start, transcript.end)

    def _snv(self, transcript: Transcript, position: int, step: int = 1) -> Variant:
        ref = self._genome.fetch_padded(transcript.contig, position - 1, position)
        alt = "ACGT"[("ACGT".index(ref) + step) % 4]
        return Variant(contig=transcript.contig, position=position, ref=ref, alt=alt)


def _spread(items: Sequence[Item], count: int) -> list[Item]:
    """Return `count` of them at equal distances, or all where there are fewer."""
    count = min(count, len(items))
    return [items[(2 * number + 1) * len(items) // (2 * count)] for number in range(count)]
