"""Places in a genome and the structure of genes: the types that every other room reads.

Coordinates
-----------
`Variant.position` and `SpliceSite.position` are 1-based and on the plus strand, as in VCF.
`Interval.start` and `.end` are 0-based and half-open, as in BED.
"""

from __future__ import annotations

from enum import StrEnum
from functools import cached_property
from itertools import pairwise
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

MIN_INTRON = 25
"""nt from which a gap between two exon blocks is an intron. The shortest human intron known to be spliced has 30 nt
(Piovesan et al., DNA Research 2015); a shorter gap is a difference between the transcript's sequence and the genome's,
written by the aligner as if the transcript skipped those bases."""

CDS_START_UNKNOWN, CDS_END_UNKNOWN = "cds_start_NF", "cds_end_NF"
"""Tags (Ensembl's words) of a transcript whose coding sequence starts before it, or ends after it."""

Alleles = Annotated[str, StringConstraints(pattern=r"^[ACGT]+$")]


class Strand(StrEnum):
    """The strand that a gene is transcribed from."""

    PLUS = "+"
    MINUS = "-"


class GenomeBuild(StrEnum):
    """A named genome assembly; `DEMO` is the synthetic minigene that ships with the package."""

    GRCH37 = "GRCh37"
    GRCH38 = "GRCh38"
    CHM13 = "T2T-CHM13v2.0"
    GRCM39 = "GRCm39"
    DEMO = "demo"

    @classmethod
    def parse(cls, text: str) -> GenomeBuild:
        """Return the build for any of its usual names (`hg38`, `b37`, `GRCh38.p14`, ...).

        Raises
        ------
        ValueError
            If the name is not known.
        """
        key = text.strip().lower().replace("_", "")
        aliases = {
            "grch37": cls.GRCH37, "hg19": cls.GRCH37, "b37": cls.GRCH37, "hs37d5": cls.GRCH37,
            "grch38": cls.GRCH38, "hg38": cls.GRCH38,
            "chm13": cls.CHM13, "t2t": cls.CHM13, "hs1": cls.CHM13, "t2t-chm13v2.0": cls.CHM13,
            "grcm39": cls.GRCM39, "mm39": cls.GRCM39, "demo": cls.DEMO,
        }  # fmt: skip
        build = aliases.get(key) or aliases.get(key.split(".p")[0])
        if build is None:
            raise ValueError(f"unknown genome build {text!r}; known: {', '.join(cls)}")
        return build


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", ignored_types=(cached_property,))


class Interval(_Frozen):
    """A stretch of one contig, 0-based and half-open: the first hundred bases are `start=0, end=100`."""

    contig: str = Field(min_length=1, description="Canonical contig name, see `genome.contigs`.")
    start: int = Field(ge=0, description="First base, 0-based.")
    end: int = Field(ge=0, description="One past the last base, 0-based; equal to the last base's 1-based position.")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.end < self.start:
            raise ValueError(f"interval ends ({self.end}) before it starts ({self.start})")
        return self

    def __len__(self) -> int:
        return self.end - self.start

    def __str__(self) -> str:
        """Return the 1-based inclusive form that people read, `chr1:101-200`."""
        return f"{self.contig}:{self.start + 1}-{self.end}"

    def contains(self, position: int) -> bool:
        """Whether the 1-based `position` lies inside."""
        return self.start < position <= self.end

    def overlaps(self, other: Interval) -> bool:
        """Whether the two share at least one base."""
        return self.contig == other.contig and self.start < other.end and other.start < self.end


class Variant(_Frozen):
    """A change of one stretch of the plus strand, as VCF writes it.

    Held invariant: alleles are upper-case A, C, G, T and not empty; an insertion or deletion carries its left anchor
    base. Left-alignment, trimming and the REF check need the reference sequence and are done by
    `normalize_variant`; a `Variant` made by hand has not been through it.
    """

    contig: str = Field(min_length=1, description="Canonical contig name, see `genome.contigs`.")
    position: int = Field(ge=1, description="1-based position of the first REF base, plus strand.")
    ref: Alleles = Field(description="Reference allele, plus strand.")
    alt: Alleles = Field(description="Alternate allele, plus strand.")
    build: GenomeBuild | None = Field(default=None, description="Genome build of the position; None where unnamed.")

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if self.ref == self.alt:
            raise ValueError("REF and ALT are the same")
        return self

    def __str__(self) -> str:
        """Return `chr3-37012011-A-G`."""
        return f"{self.contig}-{self.position}-{self.ref}-{self.alt}"

    @property
    def end(self) -> int:
        """1-based position of the last REF base."""
        return self.position + len(self.ref) - 1

    @property
    def kind(self) -> str:
        """`snv`, `mnv`, `insertion`, `deletion` or `delins`."""
        if len(self.ref) == len(self.alt):
            return "snv" if len(self.ref) == 1 else "mnv"
        if len(self.ref) == 1 and self.alt.startswith(self.ref):
            return "insertion"
        if len(self.alt) == 1 and self.ref.startswith(self.alt):
            return "deletion"
        return "delins"


class SiteType(StrEnum):
    """The two kinds of splice site."""

    DONOR = "donor"
    ACCEPTOR = "acceptor"


class SpliceSite(_Frozen):
    """An annotated splice site.

    A donor stands on the last base of its exon, an acceptor on the first base of its exon, in the transcript's sense.
    """

    contig: str
    position: int = Field(ge=1, description="1-based genomic position of the exonic base.")
    strand: Strand
    type: SiteType


class Transcript(_Frozen):
    """One transcript: exons and coding sequence on the genome."""

    id: str = Field(min_length=1)
    gene_id: str
    gene_name: str
    contig: str
    strand: Strand
    exons: tuple[tuple[int, int], ...] = Field(
        min_length=1,
        description="Exon blocks as (start, end), 0-based half-open, ascending on the genome, not overlapping; two "
        "blocks less than `MIN_INTRON` apart are one exon, see `spliced_exons`.",
    )
    cds: tuple[tuple[int, int], ...] = Field(
        default=(), description="Coding parts of the exons, stop codon included, same form; empty if non-coding."
    )
    biotype: str = ""
    tags: tuple[str, ...] = Field(default=(), description="Annotation tags, such as `MANE_Select`, `representative`.")

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        for name, blocks in (("exons", self.exons), ("cds", self.cds)):
            if any(a >= b for a, b in blocks) or any(e0 > s1 for (_, e0), (s1, _) in pairwise(blocks)):
                raise ValueError(f"transcript {self.id}: {name} are empty, overlapping or out of order")
        return self

    @property
    def start(self) -> int:
        """First base, 0-based."""
        return self.exons[0][0]

    @property
    def end(self) -> int:
        """One past the last base, 0-based."""
        return self.exons[-1][1]

    @property
    def interval(self) -> Interval:
        """From the first to the last exonic base."""
        return Interval(contig=self.contig, start=self.start, end=self.end)

    @property
    def is_coding(self) -> bool:
        """Whether a coding sequence is annotated."""
        return bool(self.cds)

    @property
    def cds_start_known(self) -> bool:
        """Whether the first annotated coding base is the first of the start codon."""
        return CDS_START_UNKNOWN not in self.tags

    @property
    def cds_is_complete(self) -> bool:
        """Whether the annotated coding sequence runs from start to stop codon; True for a non-coding transcript."""
        return self.cds_start_known and CDS_END_UNKNOWN not in self.tags

    @cached_property
    def spliced_exons(self) -> tuple[tuple[int, int], ...]:
        """What splicing joins: the exon blocks, merged over the `gaps`; same form as `exons`.

        Exons are counted and drawn by these. The transcript's own bases, and so its c. numbers, are those of `exons`.
        """
        merged = [self.exons[0]]
        for start, end in self.exons[1:]:
            if start - merged[-1][1] < MIN_INTRON:
                merged[-1] = (merged[-1][0], end)
            else:
                merged.append((start, end))
        return tuple(merged)

    @cached_property
    def gaps(self) -> tuple[tuple[int, int], ...]:
        """Bases of the genome inside an exon that the transcript lacks: gaps too short to be introns; as `introns`."""
        return tuple((a[1], b[0]) for a, b in pairwise(self.exons) if 0 < b[0] - a[1] < MIN_INTRON)

    @cached_property
    def introns(self) -> tuple[tuple[int, int], ...]:
        """Introns as (start, end), 0-based half-open, ascending on the genome; each has at least `MIN_INTRON` nt."""
        return tuple((a[1], b[0]) for a, b in pairwise(self.spliced_exons))

    @cached_property
    def splice_sites(self) -> tuple[SpliceSite, ...]:
        """Donors and acceptors, ascending on the genome; the outer ends of the transcript are none."""
        plus = self.strand is Strand.PLUS
        left, right = (SiteType.DONOR, SiteType.ACCEPTOR) if plus else (SiteType.ACCEPTOR, SiteType.DONOR)
        sites: list[SpliceSite] = []
        for start, end in self.introns:
            sites.append(SpliceSite(contig=self.contig, position=start, strand=self.strand, type=left))
            sites.append(SpliceSite(contig=self.contig, position=end + 1, strand=self.strand, type=right))
        return tuple(sites)

    @property
    def exons_in_order(self) -> tuple[tuple[int, int], ...]:
        """Exon blocks in the order of transcription; each stays (start, end) on the genome."""
        return self.exons if self.strand is Strand.PLUS else self.exons[::-1]

    @property
    def spliced_exons_in_order(self) -> tuple[tuple[int, int], ...]:
        """`spliced_exons` in the order of transcription (exon 1 first); each stays (start, end) on the genome."""
        return self.spliced_exons if self.strand is Strand.PLUS else self.spliced_exons[::-1]


class Gene(_Frozen):
    """A gene with all its transcripts; `representative` names the one that a result speaks of."""

    id: str = Field(min_length=1)
    name: str
    contig: str
    strand: Strand
    start: int = Field(ge=0, description="First base, 0-based.")
    end: int = Field(ge=0, description="One past the last base, 0-based.")
    biotype: str = ""
    transcripts: tuple[Transcript, ...] = Field(min_length=1)
    representative_id: str = Field(description="Chosen as `annotation_table` says: MANE Select where tagged.")

    @property
    def interval(self) -> Interval:
        """The gene's extent."""
        return Interval(contig=self.contig, start=self.start, end=self.end)

    @cached_property
    def representative(self) -> Transcript:
        """The transcript named by `representative_id`."""
        return next(t for t in self.transcripts if t.id == self.representative_id)
