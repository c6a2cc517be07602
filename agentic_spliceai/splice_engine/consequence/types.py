"""What a splice change does to a transcript and its protein: result types."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from agentic_spliceai.splice_engine.base_layer.results import SiteChange
from agentic_spliceai.splice_engine.genome.types import Interval, Strand, Variant


class EventType(StrEnum):
    """What happens to the transcript."""

    EXON_SKIPPING = "exon_skipping"
    DONOR_SHIFT = "donor_shift"
    ACCEPTOR_SHIFT = "acceptor_shift"
    INTRON_RETENTION = "intron_retention"
    PSEUDOEXON = "pseudoexon"
    NONE = "none"


class Strength(StrEnum):
    """How strong the scores behind an event are, by the predictor's own thresholds."""

    STRONG = "strong"
    MODERATE = "moderate"
    WEAK = "weak"


class Frame(StrEnum):
    """What happens to the reading frame."""

    IN_FRAME = "in_frame"
    FRAMESHIFT = "frameshift"
    START_LOST = "start_lost"
    NO_CODING_CHANGE = "no_coding_change"
    NON_CODING = "non_coding"
    UNKNOWN = "unknown"


class NmdPrediction(StrEnum):
    """Nonsense-mediated decay by the 50-nt rule."""

    PREDICTED = "predicted"
    ESCAPES = "escapes"
    NOT_APPLICABLE = "not_applicable"
    UNKNOWN = "unknown"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TranscriptEffect(_Frozen):
    """What an event does to the coding sequence, predicted from sequence alone."""

    frame: Frame
    mrna_length_change: int = Field(description="Length of the altered mature mRNA minus the reference's, nt.")
    protein_length_ref: int | None = Field(default=None, description="Amino acids of the reference protein.")
    protein_length_alt: int | None = Field(
        default=None, description="Amino acids up to the first stop; None without one."
    )
    first_changed_residue: int | None = Field(default=None, ge=1, description="1-based; first residue that differs.")
    stop_residue: int | None = Field(
        default=None, ge=1, description="1-based residue number of a premature stop codon."
    )
    hgvs_p: str | None = Field(
        default=None, description="Predicted protein change, for example `p.(Gly410AlafsTer12)`."
    )
    nmd: NmdPrediction
    nmd_reason: str = Field(description="The measurement behind the prediction, in words.")


class SpliceEvent(_Frozen):
    """One thing that may happen to the transcript, with the scores that support it."""

    type: EventType
    strength: Strength
    score: float = Field(ge=0, le=1, description="The score that the event rests on (of a pair of gains: the smaller).")
    support: tuple[SiteChange, ...] = Field(description="The gains and losses that speak for it.")
    interval: Interval | None = Field(
        default=None, description="The exon skipped, intron retained, pseudoexon, or the bases gained or lost."
    )
    exon_number: int | None = Field(default=None, ge=1, description="1-based, in the order of transcription.")
    intron_number: int | None = Field(default=None, ge=1, description="1-based; intron n follows exon n.")
    cryptic_position: int | None = Field(default=None, ge=1, description="1-based genomic position of the new site.")
    length_change: int = Field(default=0, description="Exonic bases gained (+) or lost (-) by the event, nt.")
    alternative: bool = Field(default=False, description="Second reading of scores that an earlier event explains too.")
    description: str = Field(description="One sentence for a person.")
    effect: TranscriptEffect | None = None


class Consequence(_Frozen):
    """What a variant does to one transcript."""

    variant: Variant
    gene_name: str
    transcript_id: str
    strand: Strand
    hgvs_c: str | None = Field(default=None, description="Coding (or n.) change, for example `NM_000256:c.1227-13G>A`.")
    region: str = Field(description="Where the variant lies, for example `intron 13, 13 nt before exon 14`.")
    events: tuple[SpliceEvent, ...] = Field(
        min_length=1, description="Likeliest first; one NONE event if nothing is seen."
    )
    verdict: str = Field(description="One sentence for a person.")
    limits: tuple[str, ...] = Field(default=(), description="What was not known or not considered.")

    @property
    def primary(self) -> SpliceEvent:
        """The likeliest event."""
        return self.events[0]
