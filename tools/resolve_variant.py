"""Turn what a person typed into a checked variant."""

from __future__ import annotations

from pydantic import Field

from agentic_spliceai.splice_engine.errors import UnknownContigError
from agentic_spliceai.splice_engine.genome.types import Variant
from agentic_spliceai.tools.context import ToolContext
from agentic_spliceai.tools.spec import CostClass, SideEffect, ToolModel, ToolSpec
from agentic_spliceai.tools.types import TRANSCRIPT, GenomeArgs

_DEMO_ADVICE = "This is the demo genome; add --genome GRCh38 (or genome=GRCh38 with --set)."


class ResolveVariantArgs(GenomeArgs):
    """The text and the genome that it speaks of."""

    text: str = Field(min_length=1, description="chr3-37012011-A-G, SPDI, HGVS (NM_...:c.) or a VCF line.")
    transcript: str | None = Field(default=None, description=TRANSCRIPT)


class ResolveVariantResult(ToolModel):
    """The variant, left-aligned, trimmed, its REF checked."""

    text: str = Field(description="The variant as given.")
    variant: Variant = Field(description="The variant on the plus strand of the genome, 1-based.")
    genome: str = Field(description="Name of the genome that it was checked against.")
    is_demo: bool = Field(description="Whether the genome is synthetic demonstration data.")
    transcript: str | None = Field(
        description="The transcript asked for, or else the one that the text describes it on."
    )


def run(args: ResolveVariantArgs, context: ToolContext) -> ResolveVariantResult:
    """Parse, normalise and check the variant; raises the typed errors of `genome.resolve.resolve_variant`."""
    from agentic_spliceai.splice_engine.genome.hgvs import described_transcript
    from agentic_spliceai.splice_engine.genome.resolve import resolve_variant

    bundle = context.resources.genome(args.genome, args.annotation)
    try:
        variant = resolve_variant(args.text, bundle.genome, bundle.annotation)
    except UnknownContigError as error:
        if not bundle.is_demo:
            raise
        raise UnknownContigError(error.message, _DEMO_ADVICE) from error
    return ResolveVariantResult(
        text=args.text,
        variant=variant,
        genome=bundle.name,
        is_demo=bundle.is_demo,
        transcript=args.transcript or described_transcript(args.text, variant, bundle.annotation, bundle.genome),
    )


TOOL = ToolSpec(
    name="resolve_variant",
    purpose="Turn HGVS, SPDI, VCF-like or genomic text into a normalised variant checked against the genome.",
    args=ResolveVariantArgs,
    result=ResolveVariantResult,
    side_effect=SideEffect.NONE,
    cost_class=CostClass.SECONDS,
    function=run,
)
