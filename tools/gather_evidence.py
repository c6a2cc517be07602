"""Turn an interpretation into evidence: facts with ids, sources and displays that a summary may refer to."""

from __future__ import annotations

from pydantic import Field, JsonValue

from agentic_spliceai.records.evidence import Evidence
from agentic_spliceai.records.interpretation import Interpretation
from agentic_spliceai.tools.context import ToolContext
from agentic_spliceai.tools.spec import CostClass, SideEffect, ToolModel, ToolSpec


class KnownVariantFact(ToolModel):
    """What a data set or database says of this variant."""

    statement: str = Field(min_length=1, description="What it says, without the value: 'MFASS, change of inclusion'.")
    value: JsonValue = Field(description="The value.")
    display: str = Field(min_length=1, description="The value as a text shows it.")
    source: str = Field(min_length=1, description="'dataset:NAME'.")
    source_sha256: str | None = Field(default=None, description="Digest of the file that it was read from.")


class GatherEvidenceArgs(ToolModel):
    """The interpretation, and what else is known of the variant."""

    interpretation: Interpretation = Field(description="All that is known about the variant.")
    known: tuple[KnownVariantFact, ...] = Field(default=(), description="Facts of data sets about this very variant.")


class GatherEvidenceResult(ToolModel):
    """The evidence."""

    evidence: tuple[Evidence, ...] = Field(description="One fact each; the same interpretation gives the same ids.")
    count: int = Field(ge=0, description="How many.")


def run(args: GatherEvidenceArgs, context: ToolContext) -> GatherEvidenceResult:
    """Return the evidence; nothing is stored by this."""
    from agentic_spliceai.reporting.evidence import interpretation_evidence

    evidence = interpretation_evidence(args.interpretation, args.known)
    return GatherEvidenceResult(evidence=evidence, count=len(evidence))


TOOL = ToolSpec(
    name="gather_evidence",
    purpose="Turn an interpretation's scores, events, protein, triage and codes into evidence with ids and sources.",
    args=GatherEvidenceArgs,
    result=GatherEvidenceResult,
    side_effect=SideEffect.NONE,
    cost_class=CostClass.INSTANT,
    function=run,
    internal=True,
)
