"""What a batch is made of: inputs, results, and how it went."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pydantic import Field

from agentic_spliceai.splice_engine.base_layer.results import VariantResult
from agentic_spliceai.splice_engine.errors import NotScored
from agentic_spliceai.splice_engine.meta_layer.results import VariantPrediction

if TYPE_CHECKING:
    from agentic_spliceai.splice_engine.genome.variant_parsing import RawVariant


@dataclass(frozen=True)
class BatchInput:
    """One input.

    Attributes
    ----------
    text
        As given.
    raw
        What a file with columns says; None where the text is still to be read.
    not_scored
        The reason why there is no variant to score.
    record
        1-based number of the VCF's record, or of the list's line; 0 where it comes from no file.
    id
        The VCF's ID column; empty where it has none.
    """

    text: str
    raw: RawVariant | None = None
    not_scored: NotScored | None = None
    record: int = 0
    id: str = ""


Numbered = tuple[int, BatchInput]
"""An input and its number in the whole, 0-based."""

Chunk = Sequence[Numbered]
"""Inputs that are scored together."""


class BatchResult(VariantResult):
    """One row of a batch, with where its input stands in the file."""

    record: int = Field(default=0, ge=0, description="1-based number of the VCF's record, or of the list's line.")
    id: str = Field(default="", description="The VCF's ID column; empty where it has none.")
    meta: tuple[VariantPrediction, ...] = Field(
        default=(),
        description="What a trained meta-layer says, one a gene in the order of `deltas`; empty without one.",
    )


@dataclass
class BatchSummary:
    """How a batch went; it grows with the results.

    Attributes
    ----------
    inputs, scored
        How many there were, and how many have scores.
    reasons
        How many have none, by the code of the reason.
    """

    inputs: int = 0
    scored: int = 0
    reasons: Counter[str] = field(default_factory=Counter)

    def add(self, results: Iterable[BatchResult]) -> None:
        """Count results."""
        for result in results:
            self.inputs += 1
            self.scored += bool(result.deltas)
            if result.not_scored is not None:
                self.reasons[result.not_scored.code] += 1

    def __str__(self) -> str:
        missing = ", ".join(f"{code} {count}" for code, count in sorted(self.reasons.items()))
        return f"{self.inputs} inputs: {self.scored} scored" + (f", not scored: {missing}" if missing else "")
