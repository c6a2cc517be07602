"""Write a summary whose every number and name is a reference to evidence: by rules, or by a model that is checked."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from typing import Literal, Self

from pydantic import Field, model_validator

from agentic_spliceai.records.errors import UnknownRecordError
from agentic_spliceai.records.evidence import Claim, ClaimStatus, Evidence
from agentic_spliceai.tools.context import ToolContext
from agentic_spliceai.tools.interaction import TextWriter, WriterError
from agentic_spliceai.tools.plain_text import printable
from agentic_spliceai.tools.prompting import Prompt, load_prompt
from agentic_spliceai.tools.spec import CostClass, SideEffect, ToolArgumentError, ToolModel, ToolSpec

SummaryKind = Literal["interpretation", "experiment"]
_ATTEMPTS = 2

log = logging.getLogger(__name__)


class WriteSummaryArgs(ToolModel):
    """What the summary is about and may refer to: ids, a run's facts, or facts handed on from a step before."""

    kind: SummaryKind = Field(description="interpretation of a variant, or experiment.")
    evidence_ids: tuple[str, ...] = Field(default=(), description="Whole ids of recorded facts that it may refer to.")
    of_run: str | None = Field(default=None, description="A run, all of whose recorded facts it may refer to.")
    evidence: tuple[Evidence, ...] = Field(
        default=(), description="Facts by value, within a workflow: recorded, or made in this very run."
    )
    run_id: str | None = Field(default=None, description="The run that the summary belongs to; null is this one.")

    @model_validator(mode="after")
    def _has_facts(self) -> Self:
        if not (self.evidence_ids or self.of_run or self.evidence):
            raise ValueError("give evidence_ids or of_run")
        return self


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
    """Write a summary of facts whose source is sure: recorded ones, or those of this run.

    Raises
    ------
    ToolArgumentError
        If facts were given that neither are recorded nor belong to this run, or none that a summary could be about.
    UnknownRecordError
        If an id is not recorded.
    PromptError
        If the prompt is missing or malformed.
    """
    _must_be_known(args.evidence, context)
    facts = list(args.evidence)
    if args.of_run is not None:
        facts += context.records.evidence.of_run(args.of_run)
    if args.evidence_ids:
        facts += context.records.evidence.get_many(args.evidence_ids)
    evidence = tuple({item.id: item for item in facts}.values())
    return summarise(evidence, args.kind, context, run_id=args.run_id)


def _must_be_known(evidence: Sequence[Evidence], context: ToolContext) -> None:
    """Refuse facts of other runs that the database does not have: a caller can write anything down as a fact."""
    others = [item for item in evidence if item.source != f"run:{context.run_id}"]
    for item in others:
        try:
            recorded = context.records.evidence.get_many((item.id,))[0]
        except UnknownRecordError as error:
            raise ToolArgumentError(
                f"the fact {item.id} is neither recorded nor made in this run.",
                "Give evidence_ids of recorded facts, or the run whose facts they are.",
            ) from error
        if unknown := set(item.terms) - set(recorded.terms):
            raise ToolArgumentError(
                f"the recorded fact {item.id} does not name {printable(', '.join(sorted(unknown)))}.",
                "Give its id in evidence_ids.",
            )


def summarise(
    evidence: tuple[Evidence, ...], kind: SummaryKind, context: ToolContext, *, run_id: str | None = None
) -> WriteSummaryResult:
    """Write the summary of facts that the calling code itself has made or read.

    A language model, if there is one, gets two attempts: the second with the problems of the first. What it writes is
    shown only if the check finds nothing; otherwise the rules' summary takes its place and the result says so.

    Raises
    ------
    ToolArgumentError
        If the evidence holds nothing that a summary could be about.
    PromptError
        If the prompt is missing or malformed.
    """
    claims, notes = _by_rules(evidence, kind)
    author = claims[0].author
    refused: tuple[Claim, ...] = ()
    digest: str | None = None
    if context.writer is not None:
        prompt = load_prompt(f"summarise_{kind}")
        digest = prompt.digest
        accepted, refused, why = _by_model(context.writer, prompt, evidence)
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
        run_id=run_id or context.run_id,
    )


def _by_rules(evidence: tuple[Evidence, ...], kind: SummaryKind) -> tuple[tuple[Claim, ...], tuple[str, ...]]:
    """Return the rules' sentences, and a note if one of them did not pass."""
    from agentic_spliceai.reporting.claims import verify_text
    from agentic_spliceai.reporting.experiment_summary import summarise_experiment
    from agentic_spliceai.reporting.summary import summarise_interpretation

    write = summarise_interpretation if kind == "interpretation" else summarise_experiment
    claims = tuple(verify_text(sentence, evidence) for sentence in write(evidence))
    # The rules are held to the check too: an odd name in the data may break a sentence.
    kept = tuple(claim for claim in claims if claim.status is ClaimStatus.VERIFIED)
    if not kept:
        raise ToolArgumentError(
            f"the evidence holds nothing that a summary of kind {kind!r} could be about.",
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
    from agentic_spliceai.reporting import words
    from agentic_spliceai.reporting.claims import verify_text

    refused: list[Claim] = []
    name = printable(writer.name)
    told = "\n".join(_line(item) for item in evidence)
    problems = "none: this is the first attempt"
    for _ in range(_ATTEMPTS):
        try:
            text = writer.write(*prompt.messages(evidence=told, problems=problems))
        except WriterError as error:
            note = f"{name} gave no text ({error.message}): the summary was written by rules."
            return None, tuple(refused), (note,)
        except Exception as error:
            # A writer may be anyone's code: its defect costs the prose, never the interpretation.
            log.exception("%s failed unexpectedly", name)
            reason = printable(f"{type(error).__name__}: {error}")
            note = f"{name} failed ({words.shorten(reason, 200)}): the summary was written by rules."
            return None, tuple(refused), (note,)
        claim = verify_text(text.strip(), evidence, name)
        if claim.status is ClaimStatus.VERIFIED:
            return claim, tuple(refused), ()
        refused.append(claim)
        problems = "\n".join((f"You wrote: {claim.text}", *(f"- {problem}" for problem in claim.problems)))
    note = (
        f"What {name} wrote was refused {len(refused)} times, because no evidence backs all that it says: the "
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
    internal=True,
)
