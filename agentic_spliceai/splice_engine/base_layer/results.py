"""What the base layer says about an allele and a variant: one home for each result type.

Class order is `SpliceClass`: donor, acceptor, neither, everywhere inside the project.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, SkipValidation, model_validator
from pydantic.json_schema import SkipJsonSchema

from agentic_spliceai.splice_engine.errors import NotScored
from agentic_spliceai.splice_engine.genome.types import GenomeBuild, Strand, Variant


class SpliceClass(IntEnum):
    """Index of a class in the last axis of every probability and logit array of the project."""

    DONOR = 0
    ACCEPTOR = 1
    NEITHER = 2


class ChangeKind(StrEnum):
    """The four things a variant can do to a splice site."""

    ACCEPTOR_GAIN = "acceptor_gain"
    ACCEPTOR_LOSS = "acceptor_loss"
    DONOR_GAIN = "donor_gain"
    DONOR_LOSS = "donor_loss"


class Mask(StrEnum):
    """How masked scores are made.

    `ANNOTATED`: a gain at a site of that type that some transcript of the gene has, and a loss anywhere else, are left
    out before the largest change is looked for, so that a real change never hides behind a masked one.
    `NEAREST_BOUNDARY`: as SpliceAI 1.3.1 and OpenSpliceAI do: only the one exon end nearest to the variant counts as
    annotated, for both types, and the largest raw change is set to 0 when the mask hits it.
    """

    ANNOTATED = "annotated"
    NEAREST_BOUNDARY = "nearest_boundary"


class Precision(StrEnum):
    """In which numbers a base model's convolutions were computed."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Thresholds(_Frozen):
    """Delta scores from which a change counts, for one predictor and version."""

    weak: float = Field(gt=0, lt=1, description="Below this nothing is reported as a change on its own.")
    moderate: float = Field(gt=0, lt=1)
    strong: float = Field(gt=0, lt=1)
    source: str = Field(description="Where the numbers come from.")
    calibrated: bool = Field(description="Whether they were calibrated for this very predictor.")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.weak < self.moderate < self.strong:
            raise ValueError("thresholds must rise: weak < moderate < strong")
        return self


class Provenance(_Frozen):
    """Everything that one needs to get the same score again."""

    predictor: str = Field(description="Name in the registry, for example `openspliceai`.")
    version: str
    weights_sha256: tuple[str, ...] = Field(description="One digest an ensemble member, in the order of the members.")
    build: GenomeBuild | None
    genome_id: str = Field(description="Which genome file: its name and size, or its digest.")
    annotation_source: str
    annotation_sha256: str
    context: int = Field(description="Bases the network sees around a position, both sides together.")
    distance: int = Field(description="Largest distance from the variant at which a change is looked for, nt.")
    mask: Mask = Field(description="How the masked scores were made.")
    precision: Precision = Field(
        default=Precision.FLOAT32, description="Of the networks' convolutions; float32 is what the models are made in."
    )
    thresholds: Thresholds


class ContextReport(_Frozen):
    """How much of what the network saw was real sequence.

    `total = real + outside_gene + no_sequence + past_contig_end`, counted on the reference window.
    """

    total: int = Field(ge=0, description="Length of the reference window: the compared positions and the context, nt.")
    real: int = Field(ge=0, description="Bases A, C, G, T inside the transcript's extent.")
    outside_gene: int = Field(
        ge=0, description="Bases set to N because they lie outside the transcript (the protocol)."
    )
    no_sequence: int = Field(ge=0, description="N in the genome file, inside the transcript.")
    past_contig_end: int = Field(ge=0, description="Positions before the first or past the last base of the contig.")

    @property
    def unknown_fraction(self) -> float:
        """Share of the window that lies in the transcript but has no sequence."""
        inside = self.total - self.outside_gene - self.past_contig_end
        return self.no_sequence / inside if inside else 1.0


class SiteChange(_Frozen):
    """The largest gain or loss of one class within the distance."""

    kind: ChangeKind
    score: float = Field(ge=0, le=1, description="|ALT - REF| of the class's probability at the position.")
    position: int = Field(ge=1, description="1-based genomic position; the exonic base of the site.")
    offset: int = Field(description="`position` minus the variant's position, plus-strand direction.")
    insert_offset: int = Field(
        default=0, ge=0, description="For a site inside inserted bases: which base after the anchor."
    )
    ref_score: float = Field(ge=0, le=1, description="Probability on the reference allele.")
    alt_score: float = Field(ge=0, le=1, description="Probability on the alternate allele.")
    annotated: bool = Field(description="Whether some transcript of the gene has a site of this type there.")


class DeltaScores(_Frozen):
    """The four largest changes: raw, or with the mask applied."""

    acceptor_gain: SiteChange
    acceptor_loss: SiteChange
    donor_gain: SiteChange
    donor_loss: SiteChange

    def changes(self) -> tuple[SiteChange, SiteChange, SiteChange, SiteChange]:
        """Return the four in the order of SpliceAI's INFO field: AG, AL, DG, DL."""
        return (self.acceptor_gain, self.acceptor_loss, self.donor_gain, self.donor_loss)

    @property
    def max_score(self) -> float:
        """The largest of the four."""
        return max(change.score for change in self.changes())


@dataclass(frozen=True, eq=False)
class SiteTrack:
    """Splice-site probabilities of one allele along the genome.

    Attributes
    ----------
    strand
        The strand that was scored; arrays are nevertheless ordered along the plus strand.
    positions : int64 [L]
        1-based genomic position of each base of the allele, not falling. Inserted bases carry their anchor's position.
    insert_offsets : int32 [L]
        0 for a base of the reference's frame, k for the k-th inserted base after its anchor.
    bases : str of length L
        Plus-strand bases of the allele; N where the network saw none.
    probabilities : float32 [M, L, 3]
        Probabilities by ensemble member, `SpliceClass` order.
    logits : float32 [M, L, 3]
        Before the softmax, same layout.
    """

    strand: Strand
    positions: npt.NDArray[np.int64]
    insert_offsets: npt.NDArray[np.int32]
    bases: str
    probabilities: npt.NDArray[np.float32]
    logits: npt.NDArray[np.float32]

    @property
    def mean(self) -> npt.NDArray[np.float32]:
        """Ensemble probability, float32 [L, 3]: the mean of the members' probabilities."""
        mean: npt.NDArray[np.float32] = self.probabilities.mean(axis=0, dtype=np.float32)
        return mean


@dataclass(frozen=True, eq=False)
class VariantTracks:
    """Reference and alternate track of one variant on one gene."""

    ref: SiteTrack
    alt: SiteTrack

    def aligned(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Put both alleles on the reference's positions.

        Deleted positions get 0 in the alternate; an anchor gets the maximum over itself and the bases inserted after
        it, class by class. This is the convention of SpliceAI 1.3.1.

        Returns
        -------
        positions : int64 [L]
            1-based genomic positions of the reference window.
        ref, alt : float32 [L, 3]
            Ensemble probabilities.
        """
        ref = self.ref.mean
        aligned = np.zeros_like(ref)
        index = (self.alt.positions - self.ref.positions[0]).astype(np.int64)
        np.maximum.at(aligned, index, self.alt.mean)
        return self.ref.positions, ref, aligned

    def save(self, path: Path) -> None:
        """Write both tracks to one compressed `.npz` (no pickle)."""
        arrays: dict[str, npt.NDArray[np.generic]] = {"strand": np.array(str(self.ref.strand))}
        for name, track in (("ref", self.ref), ("alt", self.alt)):
            arrays[f"{name}_positions"] = track.positions
            arrays[f"{name}_insert_offsets"] = track.insert_offsets
            arrays[f"{name}_bases"] = np.array(track.bases)
            arrays[f"{name}_probabilities"] = track.probabilities
            arrays[f"{name}_logits"] = track.logits
        with path.open("wb") as handle:
            np.savez_compressed(handle, **arrays)  # type: ignore[arg-type]

    @classmethod
    def load(cls, path: Path) -> VariantTracks:
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as data:
            strand = Strand(str(data["strand"]))
            tracks = {
                name: SiteTrack(
                    strand=strand,
                    positions=data[f"{name}_positions"],
                    insert_offsets=data[f"{name}_insert_offsets"],
                    bases=str(data[f"{name}_bases"]),
                    probabilities=data[f"{name}_probabilities"],
                    logits=data[f"{name}_logits"],
                )
                for name in ("ref", "alt")
            }
        return cls(**tracks)


class SpliceDelta(BaseModel):
    """What one variant does to the splice sites of one gene, according to one base model."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    variant: Variant
    gene_id: str
    gene_name: str
    transcript_id: str = Field(
        description="The transcript whose extent bounds the sequence and whose sites the mask uses."
    )
    strand: Strand
    provenance: Provenance
    window_start: int = Field(description="First position whose scores were compared, 1-based.")
    window_end: int = Field(description="Last position whose scores were compared, 1-based, inclusive.")
    context: ContextReport
    raw: DeltaScores
    masked: DeltaScores = Field(description="Gains at annotated sites and losses elsewhere set to 0.")
    tracks: SkipJsonSchema[SkipValidation[VariantTracks | None]] = Field(
        default=None, exclude=True, repr=False, description="Per-position scores; not part of the JSON form."
    )


class VariantResult(_Frozen):
    """One row of a batch: the scores of one input, one a gene, or the reason why there are none."""

    index: int = Field(ge=0, description="Which input, 0-based.")
    text: str = Field(description="The input as given.")
    variant: Variant | None = None
    deltas: tuple[SpliceDelta, ...] = ()
    not_scored: NotScored | None = None

    @model_validator(mode="after")
    def _scores_or_reason(self) -> Self:
        if bool(self.deltas) == (self.not_scored is not None):
            raise ValueError("a row has either scores or the reason why it has none")
        return self
