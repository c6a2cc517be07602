"""A toy gene with a protein that can be read by eye, on either strand, and tracks planted where a test wants them.

Tests speak in the transcript's own direction: base 0 is the first base of the toy contig as transcribed. On the minus
strand the contig is the reverse complement and every place is mirrored.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from agentic_spliceai.splice_engine.base_layer.results import (
    ChangeKind,
    ContextReport,
    DeltaScores,
    Mask,
    Provenance,
    SiteChange,
    SiteTrack,
    SpliceClass,
    SpliceDelta,
    Thresholds,
    VariantTracks,
)
from agentic_spliceai.splice_engine.consequence.infer import infer_consequence
from agentic_spliceai.splice_engine.consequence.types import Consequence
from agentic_spliceai.splice_engine.genome.types import Gene, Interval, Strand, Transcript, Variant

COMPLEMENT = str.maketrans("ACGTN", "TGCAN")
THRESHOLDS = Thresholds(weak=0.2, moderate=0.5, strong=0.8, source="toy", calibrated=True)
Site = tuple[str, int]
"""`("donor", last exonic base)` or `("acceptor", first exonic base)`, in the allele's own sense coordinates."""

FLANK = "CATTCATT" * 5
INTRONS = [
    "GTAAGT" + "C" * 286 + "TTTTTCAG",  # 300
    "GTAAGT" + "CTCCATCCTC" * 78 + "TTTTTTTTTTCCAG",  # 800
    "GTGAGT" + "CT" * 30 + "TTTTTTTTTTTCAG",  # 80
    "GTAAGT" + "CCT" * 60 + "TTTTTTTTTTTCAG",  # 200
]
EXONS = [
    "GGGGGGGGGG" + "ATGGCT",  # 10 nt of UTR, M A
    "GAA" * 10,  # E10
    "AAA" * 10 + "A",  # K10 and a third of another
    "AG" + "TGG" * 20,  # its rest, W20
    "CTGCTGTAA" + "CTGACTGACTGA" + "CCTT" * 5,  # L L stop, UTR with stops in every frame
]
PROTEIN = "MA" + "E" * 10 + "K" * 11 + "W" * 20 + "LL"


class ToyGenome:
    """One contig in memory."""

    def __init__(self, contig: str, sequence: str) -> None:
        self.contig, self.sequence = contig, sequence

    def fetch_padded(self, contig: str, start: int, end: int) -> str:
        assert contig == self.contig
        inside = self.sequence[max(start, 0) : max(end, 0)]
        return (
            "N" * min(max(-start, 0), end - start) + inside + "N" * min(max(end - len(self.sequence), 0), end - start)
        )


@dataclass(frozen=True)
class Toy:
    """A transcript, its genome, and everything that a test has to say about both."""

    strand: Strand
    exon_sequences: tuple[str, ...]
    intron_sequences: tuple[str, ...]
    coding: tuple[int, int] | None
    """Transcript offsets of the coding sequence, stop codon included, in the spliced sequence."""
    contig: str = "chrToy"
    gene: Gene = field(init=False)
    genome: ToyGenome = field(init=False)

    def __post_init__(self) -> None:
        sense = self.sense
        plus = sense if self.strand is Strand.PLUS else sense.translate(COMPLEMENT)[::-1]
        object.__setattr__(self, "genome", ToyGenome(self.contig, plus))
        transcript = Transcript(
            id="NM_TOY",
            gene_id="toy",
            gene_name="TOY",
            contig=self.contig,
            strand=self.strand,
            exons=self._genomic(self.exons),
            cds=self._genomic(self.cds),
        )
        gene = Gene(
            id="toy",
            name="TOY",
            contig=self.contig,
            strand=self.strand,
            start=transcript.start,
            end=transcript.end,
            transcripts=(transcript,),
            representative_id=transcript.id,
        )
        object.__setattr__(self, "gene", gene)

    @property
    def sense(self) -> str:
        """The contig as transcribed."""
        body = self.exon_sequences[0]
        for intron, exon in zip(self.intron_sequences, self.exon_sequences[1:], strict=True):
            body += intron + exon
        return FLANK + body + FLANK

    @property
    def exons(self) -> list[tuple[int, int]]:
        """Exons in sense coordinates, 0-based half-open."""
        found, at = [], len(FLANK)
        for index, exon in enumerate(self.exon_sequences):
            found.append((at, at + len(exon)))
            at += len(exon) + (len(self.intron_sequences[index]) if index < len(self.intron_sequences) else 0)
        return found

    @property
    def cds(self) -> list[tuple[int, int]]:
        """Coding parts in sense coordinates."""
        if self.coding is None:
            return []
        found, before = [], 0
        for start, end in self.exons:
            low, high = max(self.coding[0] - before, 0), min(self.coding[1] - before, end - start)
            if low < high:
                found.append((start + low, start + high))
            before += end - start
        return found

    def _genomic(self, spans: list[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
        if self.strand is Strand.PLUS:
            return tuple(spans)
        size = len(self.sense)
        return tuple(sorted((size - end, size - start) for start, end in spans))

    def position(self, base: int) -> int:
        """1-based genomic position of a sense base of the reference."""
        return base + 1 if self.strand is Strand.PLUS else len(self.sense) - base

    def interval(self, start: int, end: int) -> Interval:
        ((low, high),) = self._genomic([(start, end)])
        return Interval(contig=self.contig, start=low, end=high)

    def sites(self, probability: float = 0.95) -> dict[Site, float]:
        """The annotated sites of the reference allele."""
        found: dict[Site, float] = {}
        for index, (start, end) in enumerate(self.exons):
            if index > 0:
                found["acceptor", start] = probability
            if index < len(self.exons) - 1:
                found["donor", end - 1] = probability
        return found

    def variant(self, start: int, end: int, alt: str) -> Variant:
        """Replace the sense stretch [start, end) by `alt`; left-aligned on the genome, anchored as in VCF."""
        plus = self.genome.sequence
        ((low, high),) = self._genomic([(start, end)])
        new = alt if self.strand is Strand.PLUS else alt.translate(COMPLEMENT)[::-1]
        old = plus[low:high]
        if not old or not new:
            unit = old or new
            while plus[low - 1] == unit[-1]:
                unit = unit[-1] + unit[:-1]
                low -= 1
            anchor = plus[low - 1]
            old, new = (anchor + unit, anchor) if old else (anchor, anchor + unit)
            low -= 1
        return Variant(contig=self.contig, position=low + 1, ref=old, alt=new)

    def delta(
        self,
        variant: Variant,
        alt: dict[Site, float],
        *,
        ref: dict[Site, float] | None = None,
        distance: int = 2000,
        thresholds: Thresholds = THRESHOLDS,
    ) -> SpliceDelta:
        """Scores with these probabilities by site; all other places are `neither`."""
        size = len(self.sense)
        start, end = max(variant.position - distance, 1), min(variant.position + distance, size)
        shared = min(len(variant.ref), len(variant.alt))
        shift = len(variant.alt) - len(variant.ref)
        positions = [*range(start, variant.position + shared)]
        offsets = [0] * len(positions)
        positions += [variant.position + shared - 1] * max(shift, 0)
        offsets += [*range(1, max(shift, 0) + 1)]
        after = [*range(variant.end + 1, end + 1)]
        tracks = VariantTracks(
            ref=self._track(ref or self.sites(), [*range(start, end + 1)], [0] * (end - start + 1), start - 1, size),
            alt=self._track(alt, positions + after, offsets + [0] * len(after), start - 1, size + shift),
        )
        return _delta(variant, self.gene.representative, tracks, distance, thresholds)

    def _track(
        self, sites: dict[Site, float], positions: list[int], offsets: list[int], first: int, size: int
    ) -> SiteTrack:
        scores = np.zeros((1, len(positions), 3), dtype=np.float32)
        for (kind, base), probability in sites.items():
            index = (base if self.strand is Strand.PLUS else size - 1 - base) - first
            if 0 <= index < len(positions):
                scores[0, index, SpliceClass.DONOR if kind == "donor" else SpliceClass.ACCEPTOR] = probability
        scores[:, :, SpliceClass.NEITHER] = 1 - scores.sum(axis=2)
        return SiteTrack(
            strand=self.strand,
            positions=np.array(positions, dtype=np.int64),
            insert_offsets=np.array(offsets, dtype=np.int32),
            bases="N" * len(positions),
            probabilities=scores,
            logits=np.zeros_like(scores),
        )

    def infer(
        self, variant: Variant, alt: dict[Site, float], *, ref: dict[Site, float] | None = None, distance: int = 2000
    ) -> Consequence:
        return infer_consequence(self.delta(variant, alt, ref=ref, distance=distance), self.gene, self.genome)


def planted(
    variant: Variant, transcript: Transcript, alt: dict[Site, float], *, distance: int = 500, probability: float = 0.99
) -> SpliceDelta:
    """Scores of a substitution on a real transcript; sites by 1-based genomic position, those not named stay."""
    start, end = variant.position - distance, variant.position + distance
    ref = {(str(site.type), site.position): probability for site in transcript.splice_sites}
    tracks = []
    for sites in (ref, ref | alt):
        scores = np.zeros((1, end - start + 1, 3), dtype=np.float32)
        for (kind, position), value in sites.items():
            if start <= position <= end:
                column = SpliceClass.DONOR if kind == "donor" else SpliceClass.ACCEPTOR
                scores[0, position - start, column] = value
        scores[:, :, SpliceClass.NEITHER] = 1 - scores.sum(axis=2)
        tracks.append(
            SiteTrack(
                strand=transcript.strand,
                positions=np.arange(start, end + 1, dtype=np.int64),
                insert_offsets=np.zeros(end - start + 1, dtype=np.int32),
                bases="N" * (end - start + 1),
                probabilities=scores,
                logits=np.zeros_like(scores),
            )
        )
    return _delta(variant, transcript, VariantTracks(ref=tracks[0], alt=tracks[1]), distance, THRESHOLDS)


def _delta(
    variant: Variant, transcript: Transcript, tracks: VariantTracks, distance: int, thresholds: Thresholds
) -> SpliceDelta:
    scores = _largest(tracks, variant)
    return SpliceDelta(
        variant=variant,
        gene_id=transcript.gene_id,
        gene_name=transcript.gene_name,
        transcript_id=transcript.id,
        strand=transcript.strand,
        provenance=Provenance(
            predictor="toy",
            version="1",
            weights_sha256=("0",),
            build=None,
            genome_id="toy",
            annotation_source="toy",
            annotation_sha256="0",
            context=0,
            distance=distance,
            mask=Mask.ANNOTATED,
            thresholds=thresholds,
        ),
        window_start=int(tracks.ref.positions[0]),
        window_end=int(tracks.ref.positions[-1]),
        context=ContextReport(total=1, real=1, outside_gene=0, no_sequence=0, past_contig_end=0),
        raw=scores,
        masked=scores,
        tracks=tracks,
    )


def _largest(tracks: VariantTracks, variant: Variant) -> DeltaScores:
    positions, ref, alt = tracks.aligned()
    found = {}
    for kind in ChangeKind:
        column = SpliceClass.DONOR if kind.value.startswith("donor") else SpliceClass.ACCEPTOR
        sign = 1 if kind.value.endswith("gain") else -1
        change = sign * (alt[:, column] - ref[:, column])
        at = int(change.argmax())
        found[kind.value] = SiteChange(
            kind=kind,
            score=max(0.0, float(change[at])),
            position=int(positions[at]),
            offset=int(positions[at]) - variant.position,
            ref_score=float(ref[at, column]),
            alt_score=float(alt[at, column]),
            annotated=False,
        )
    return DeltaScores(**found)


def toy(strand: Strand, *, coding: bool = True) -> Toy:
    """The standard toy gene: five exons, protein M A E10 K11 W20 L2."""
    return Toy(strand, tuple(EXONS), tuple(INTRONS), (10, 10 + 3 * (len(PROTEIN) + 1)) if coding else None)


def snv(gene: Toy, base: int) -> Variant:
    """A transition at a sense base of the reference."""
    return gene.variant(base, base + 1, {"A": "G", "G": "A", "C": "T", "T": "C"}[gene.sense[base]])


def sites_after_cut(gene: Toy, start: int, end: int) -> dict[tuple[str, int], float]:
    """The sites that are left after a deletion, in the alternate's coordinates."""
    return {
        (kind, base - (end - start if base >= end else 0)): probability
        for (kind, base), probability in gene.sites().items()
        if not start <= base < end
    }
