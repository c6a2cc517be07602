"""Write a summary whose every number and name is a reference to evidence: by rules, or by a model that is checked."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from agentic_spliceai.records.evidence import Claim, ClaimStatus, Evidence
from agentic_spliceai.tools.context import ToolContext
from agentic_spliceai.tools.interaction import TextWriter, WriterError
from agentic_spliceai.tools.prompting import Prompt, load_prompt
from agentic_spliceai.tools.spec import CostClass, SideEffect, ToolArgumentError, ToolModel, ToolSpec

SummaryKind = Literal["interpretation", "experiment"]
_ATTEMPTS = 2


class WriteSummaryArgs(ToolModel):
    """What the summary is about and may refer to."""

    evidence: tuple[Evidence, ...] = Field(min_length=1, description="All facts that the summary may refer to.")
    kind: SummaryKind = Field(description="interpretation of a variant, or experiment.")
    run_id: str | None = Field(default=None, description="The run that the summary belongs to; null is this one.")


class WriteSummaryResult(ToolModel):
    """The summary."""

    claims: tuple[Claim, ...] = Field(description="The verified claims, in their order: the summary.")
    refused: tuple[Claim, ...] = Field(default=(), description="What a language model wrote and the check refused.")
    text: str = Field(description="The summary as a person reads it.")
    author: str = Field(description="'rules', or the language model's name.")
    notes: tuple[str, ...] = Field(
        default=(), description="Why the rules wrote it although a model was asked, and what was left out."
    )
    prompt_sha256: str | None = Field(default=None, description="Digest of the prompt that a model was asked with.")
    run_id: str = Field(description="The run.")


def run(args: WriteSummaryArgs, context: ToolContext) -> WriteSummaryResult:
    """Write the summary.

    A language model, if there is one, gets two attempts: the second with the problems of the first. What it writes is
    shown only if the check finds nothing; otherwise the rules' summary takes its place and the result says so.

    Raises
    ------
    ToolArgumentError
        If the evidence holds nothing that a summary could be about.
    PromptError
        If the prompt is missing or malformed.
    """
    claims, notes = _by_rules(args)
    author = claims[0].author
    refused: tuple[Claim, ...] = ()
    digest: str | None = None
    if context.writer is not None:
        prompt = load_prompt(f"summarise_{args.kind}")
        digest = prompt.digest
        accepted, refused, why = _by_model(context.writer, prompt, args.evidence)
        if accepted is not None:
            claims, author, notes = (accepted,), accepted.author, ()
        else:
            notes = (*notes, *why)
    return WriteSummaryResult(
        claims=claims,
        refused=refused,
        text=" ".join(claim.rendered for claim in claims),
        author=author,
        notes=notes,
        prompt_sha256=digest,
        run_id=args.run_id or context.run_id,
    )


def _by_rules(args: WriteSummaryArgs) -> tuple[tuple[Claim, ...], tuple[str, ...]]:
    """Return the rules' sentences, and a note if one of them did not pass."""
    from agentic_spliceai.reporting.claims import verify_text
    from agentic_spliceai.reporting.experiment_summary import summarise_experiment
    from agentic_spliceai.reporting.summary import summarise_interpretation

    write = summarise_interpretation if args.kind == "interpretation" else summarise_experiment
    claims = tuple(verify_text(sentence, args.evidence) for sentence in write(args.evidence))
    # The rules are held to the check too: an odd name in the data may break a sentence.
    kept = tuple(claim for claim in claims if claim.status is ClaimStatus.VERIFIED)
    if not kept:
        raise ToolArgumentError(
            f"the evidence holds nothing that a summary of kind {args.kind!r} could be about.",
            "Give the evidence of gather_evidence, or of an experiment.",
        )
    lost = len(claims) - len(kept)
    if lost == 0:
        return kept, ()
    what = "A sentence" if lost == 1 else f"{lost} sentences"
    return kept, (f"{what} of the summary did not pass the check against the evidence and was left out.",)


def _by_model(
    writer: TextWriter, prompt: Prompt, evidence: Sequence[Evidence]
) -> tuple[Claim | None, tuple[Claim, ...], tuple[str, ...]]:
    """Return the model's text if it passes, what was refused before, and why it was not taken."""
    from agentic_spliceai.reporting.claims import verify_text

    refused: list[Claim] = []
    told = "\n".join(_line(item) for item in evidence)
    problems = "none: this is the first attempt"
    for _ in range(_ATTEMPTS):
        try:
            text = writer.write(*prompt.messages(evidence=told, problems=problems))
        except WriterError as error:
            note = f"{writer.name} gave no text ({error.message}): the summary was written by rules."
            return None, tuple(refused), (note,)
        claim = verify_text(text.strip(), evidence, writer.name)
        if claim.status is ClaimStatus.VERIFIED:
            return claim, tuple(refused), ()
        refused.append(claim)
        problems = "\n".join((f"You wrote: {claim.text}", *(f"- {problem}" for problem in claim.problems)))
    note = (
        f"What {writer.name} wrote was refused {len(refused)} times, because no evidence backs all that it says: the "
        "summary was written by rules."
    )
    return None, tuple(refused), (note,)


def _line(item: Evidence) -> str:
    """Return one piece of evidence as a line of JSON: whatever a name in it holds, it stays one value."""
    return json.dumps(
        {"id": item.id, "kind": item.kind.value, "statement": item.statement, "shown_as": item.display},
        ensure_ascii=False,
    )


TOOL = ToolSpec(
    name="write_summary",
    purpose="Summarise evidence in sentences whose numbers and names are references, checked, by rules or a model.",
    args=WriteSummaryArgs,
    result=WriteSummaryResult,
    side_effect=SideEffect.NONE,
    cost_class=CostClass.SECONDS,
    function=run,
)
