"""The errors of the science, and the typed reason that stands for one in a batch."""

from __future__ import annotations

from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field


class NotScored(BaseModel):
    """Why an input has no score: the row that takes a score's place, so that nothing is lost in a batch."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: str = Field(description="Stable machine-readable reason, for example 'reference_mismatch'.")
    message: str = Field(description="What is wrong with this input, in one sentence.")
    advice: str = Field(description="What the user can do about it.")


class SpliceEngineError(Exception):
    """Base of every error that a user can act on.

    Parameters
    ----------
    message
        What is wrong, one line, with the offending value in it.
    advice
        What to do about it, one line.
    """

    code: ClassVar[str] = "error"

    def __init__(self, message: str, advice: str) -> None:
        super().__init__(message)
        self.message = message
        self.advice = advice

    def __str__(self) -> str:
        # Some messages end with what another program said, which has no full stop.
        stop = "." if self.advice and self.message[-1:] not in ".!?:;" else ""
        return f"{self.message}{stop} {self.advice}".strip()

    def as_not_scored(self) -> NotScored:
        """Return the error as the row that stands for it in a batch."""
        return NotScored(code=self.code, message=self.message, advice=self.advice)


class InvalidVariantError(SpliceEngineError):
    """The text is no variant, or its alleles are not what a variant can have."""

    code = "invalid_variant"


class UnsupportedAlleleError(SpliceEngineError):
    """A symbolic, missing, starred or breakend allele: there is no sequence to score."""

    code = "unsupported_allele"


class UnknownContigError(SpliceEngineError):
    """The contig is in neither the genome nor its aliases."""

    code = "unknown_contig"


class PositionOutOfRangeError(SpliceEngineError):
    """The position lies past the end of its contig, or before base 1."""

    code = "position_out_of_range"


class ReferenceMismatchError(SpliceEngineError):
    """REF is not what the genome has at this position."""

    code = "reference_mismatch"


class NoSequenceError(SpliceEngineError):
    """The genome file has N where the variant lies."""

    code = "no_sequence"


class OutsideGenesError(SpliceEngineError):
    """No annotated gene contains the variant."""

    code = "outside_genes"


class NoTranscriptNameError(SpliceEngineError):
    """The change lies in the transcript, but the transcript has no number for it."""

    code = "no_transcript_name"


class BuildMismatchError(SpliceEngineError):
    """Variant, genome, annotation or model belong to different genome builds."""

    code = "build_mismatch"


class GenomeFileError(SpliceEngineError):
    """The FASTA, or its index, is missing or cannot be read."""

    code = "genome_file"


class AnnotationFileError(SpliceEngineError):
    """The gene annotation is missing or cannot be read."""

    code = "annotation_file"


class UnknownGeneError(SpliceEngineError):
    """The gene or transcript is not in the annotation."""

    code = "unknown_gene"


class WeightsError(SpliceEngineError):
    """Model weights are missing, damaged, or not of this architecture."""

    code = "weights"


class RegistryError(SpliceEngineError):
    """A registry entry is unknown or malformed."""

    code = "registry"


class ResourceError(SpliceEngineError):
    """A file that has to be found, downloaded or verified was not."""

    code = "resource"


class SettingError(SpliceEngineError):
    """An option has a value that cannot be used."""

    code = "setting"


class SchemaError(SpliceEngineError):
    """A table lacks a column, has one that may not be there, or holds a value that its column cannot have."""

    code = "schema"


class TrainingDataError(SpliceEngineError):
    """Training, validation or test data cannot be used: empty, one class only, or shared between splits."""

    code = "training_data"


class CheckpointError(SpliceEngineError):
    """A checkpoint is missing, damaged, or does not fit what it is asked to do."""

    code = "checkpoint"


class MissingExtraError(SpliceEngineError):
    """An optional library is needed and not installed."""

    code = "missing_extra"


class InvalidRegionError(SpliceEngineError):
    """The text is no stretch of a contig."""

    code = "invalid_region"
