"""Put evidence and summary into an interpretation: the form that is reported and recorded."""

from __future__ import annotations

from pydantic import Field

from agentic_spliceai.records.evidence import Claim, Evidence
from agentic_spliceai.records.interpretation import Interpretation
from agentic_spliceai.tools.context import ToolContext
from agentic_spliceai.tools.spec import CostClass, SideEffect, ToolArgumentError, ToolModel, ToolSpec


class CompleteInterpretationArgs(ToolModel):
    """An interpretation, its evidence and its summary."""

    interpretation: Interpretation = Field(description="All that is known about the variant.")
    evidence: tuple[Evidence, ...] = Field(description="The facts that were gathered from it.")
    claims: tuple[Claim, ...] = Field(description="The summary.")
    refused: tuple[Claim, ...] = Field(default=(), description="What a language model wrote and the check refused.")
    notes: tuple[str, ...] = Field(default=(), description="What a reader of the summary must know.")


class CompleteInterpretationResult(ToolModel):
    """The interpretation."""

    interpretation: Interpretation = Field(description="With its evidence and summary, versioned.")


def run(args: CompleteInterpretationArgs, context: ToolContext) -> CompleteInterpretationResult:
    """Join them.

    Raises
    ------
    ToolArgumentError
        If a claim rests on evidence that is not given.
    """
    known = {item.id for item in args.evidence}
    for claim in args.claims:
        if missing := set(claim.evidence_ids) - known:
            raise ToolArgumentError(
                f"the summary rests on {', '.join(sorted(missing))}, which is not among the evidence.",
                "Give the evidence that the summary was written from.",
            )
    unknowns = tuple(dict.fromkeys((*args.interpretation.unknowns, *args.notes)))
    return CompleteInterpretationResult(
        interpretation=args.interpretation.model_copy(
            update={"evidence": args.evidence, "claims": (*args.claims, *args.refused), "unknowns": unknowns}
        )
    )


TOOL = ToolSpec(
    name="complete_interpretation",
    purpose="Put evidence and summary into an interpretation, the form that is reported and recorded.",
    args=CompleteInterpretationArgs,
    result=CompleteInterpretationResult,
    side_effect=SideEffect.NONE,
    cost_class=CostClass.INSTANT,
    function=run,
    internal=True,
)
