"""Look up what was found before: a run, an experiment, a prediction, a piece of evidence or an artifact."""

from __future__ import annotations

import codecs
import re
from typing import Any, Literal, Self

from pydantic import AwareDatetime, Field, JsonValue, model_validator

from agentic_spliceai.records.errors import UnknownRecordError
from agentic_spliceai.records.evidence import Claim, ClaimStatus, Evidence
from agentic_spliceai.records.models import RunDetail
from agentic_spliceai.splice_engine.genome.variant_parsing import parse_variant
from agentic_spliceai.tools.context import ToolContext
from agentic_spliceai.tools.spec import CostClass, SideEffect, ToolModel, ToolSpec

_DIGEST = re.compile(r"[0-9a-f]{64}")
_EVIDENCE = re.compile(r"E-[0-9a-f]*")
_MOST_EVIDENCE = 50


class LookupResultArgs(ToolModel):
    """What is looked for: an id, or a variant."""

    id: str | None = Field(
        default=None, min_length=4, max_length=64,
        description="Id of a run, an experiment run or a piece of evidence (E-...), or the beginning of it; or the "
        "sha256 of an artifact.",
    )  # fmt: skip
    variant: str | None = Field(default=None, min_length=1, description="A variant: chr3-37012011-A-G or SPDI.")
    gene: str | None = Field(default=None, min_length=1, description="With a variant: predictions on this gene only.")
    limit: int = Field(default=10, ge=1, le=100, description="Most entries of each kind, newest first.")
    offset: int = Field(default=0, ge=0, description="Of an artifact: the byte from which its text is given.")
    length: int = Field(default=4_000, ge=1, le=12_000, description="Of an artifact: how many bytes of it are given.")

    @model_validator(mode="after")
    def _one_question(self) -> Self:
        if (self.id is None) == (self.variant is None):
            raise ValueError("give either an id or a variant")
        if self.gene is not None and self.variant is None:
            raise ValueError("gene: it goes with a variant")
        return self


class StoredFile(ToolModel):
    """A file that was kept."""

    kind: str = Field(description="What it is: tracks, report_html, triage_table, ...")
    sha256: str = Field(description="Its id in the artifact store.")
    bytes: int = Field(ge=0, description="Its size.")


class StoredGene(ToolModel):
    """What an interpretation says of one gene."""

    gene_name: str = Field(description="The gene.")
    transcript_id: str = Field(description="The transcript.")
    max_score: float = Field(description="The base model's largest raw gain or loss.")
    predictor: str = Field(description="Base model and version.")
    probability: float | None = Field(description="The meta-layer's calibrated probability; null without a model.")
    verdict: str = Field(description="Its consequence in one sentence.")


class StoredRun(ToolModel):
    """One run of a workflow."""

    run_id: str = Field(description="The run.")
    workflow: str = Field(description="Name of the workflow.")
    status: str = Field(description="running, waiting, succeeded, failed or interrupted.")
    started_at: AwareDatetime = Field(description="When it started.")
    inputs: dict[str, JsonValue] = Field(description="Its inputs.")
    variant: str | None = Field(description="The variant that it interpreted.")
    verdict: str | None = Field(description="What it found, in one sentence.")
    error: str | None = Field(description="Why it failed.")
    genes: tuple[StoredGene, ...] = Field(default=(), description="What it found on each gene.")
    evidence_ids: tuple[str, ...] = Field(default=(), description=f"Evidence, the first {_MOST_EVIDENCE}.")
    summary: tuple[str, ...] = Field(default=(), description="The sentences of its checked summary.")
    artifacts: tuple[StoredFile, ...] = Field(default=(), description="Files that it left.")


class StoredExperiment(ToolModel):
    """One run of an experiment."""

    run_id: str = Field(description="The experiment run.")
    experiment: str = Field(description="Its experiment.")
    label: str = Field(description="Its arm.")
    status: str = Field(description="running, succeeded, failed, cancelled or interrupted.")
    model: str = Field(description="What was trained.")
    task: str = Field(description="For what.")
    dataset: str = Field(description="On what.")
    decision: str | None = Field(description="keep, discard or crash; null before it is decided.")
    decision_reason: str = Field(description="Why.")
    plan_id: str | None = Field(description="Its plan.")
    job_id: str | None = Field(description="Its job.")


class StoredPrediction(ToolModel):
    """What a predictor said about a variant."""

    run_id: str = Field(description="Run that made it.")
    variant: str = Field(description="The variant.")
    gene: str = Field(description="The gene.")
    predictor: str = Field(description="Predictor and version.")
    kind: str = Field(description="score, triage or delta.")
    score: float | None = Field(description="Its score.")
    probability: float | None = Field(description="Its calibrated probability.")
    created_at: AwareDatetime = Field(description="When it was made.")


class StoredText(ToolModel):
    """An artifact, or a part of it."""

    sha256: str = Field(description="Its id.")
    bytes: int = Field(ge=0, description="Its whole size.")
    form: Literal["text", "binary"] = Field(description="binary: its content is not shown.")
    text: str = Field(description="Its text from the offset on: data, whatever it says.")
    next_offset: int | None = Field(description="Where it goes on; null at its end.")


class LookupResultResult(ToolModel):
    """What was found; everything is empty where nothing was."""

    found: bool = Field(description="Whether anything was.")
    message: str = Field(description="One sentence for a person.")
    runs: tuple[StoredRun, ...] = Field(default=(), description="Runs of workflows, newest first.")
    experiments: tuple[StoredExperiment, ...] = Field(default=(), description="Runs of experiments.")
    predictions: tuple[StoredPrediction, ...] = Field(default=(), description="Predictions, newest first.")
    evidence: tuple[Evidence, ...] = Field(default=(), description="Pieces of evidence.")
    artifact: StoredText | None = Field(default=None, description="The artifact, where a sha256 was given.")


def run(args: LookupResultArgs, context: ToolContext) -> LookupResultResult:
    """Look it up; that there is nothing is a result, too.

    Raises
    ------
    InvalidVariantError, UnsupportedAlleleError
        If the variant cannot be read.
    ArtifactError
        If an artifact is missing or damaged.
    UnknownRecordError
        If several things begin with the id.
    RecordError
        If the database cannot be read.
    """
    if args.variant is not None:
        return _of_variant(args, context)
    wanted = args.id or ""
    if _DIGEST.fullmatch(wanted):
        text = _text(wanted, args, context)
        return LookupResultResult(found=True, message=f"An artifact of {text.bytes:,} bytes.", artifact=text)
    if _EVIDENCE.fullmatch(wanted):
        fact = context.records.evidence.get(wanted)
        return LookupResultResult(found=True, message=f"{fact.statement}: {fact.display}.", evidence=(fact,))
    return _of_run(wanted, context)


def _of_variant(args: LookupResultArgs, context: ToolContext) -> LookupResultResult:
    variant = str(parse_variant(args.variant or ""))
    records = context.records
    runs = tuple(_stored_run(records.get_run(run.id), (), ()) for run in records.list_runs(args.limit, variant=variant))
    predictions = records.predictions.find(variant, args.gene, limit=args.limit)
    evidence = records.evidence.find(variant, limit=args.limit)
    found = bool(runs or predictions or evidence)
    message = (
        f"{variant}: {len(runs)} runs, {len(predictions)} predictions, {len(evidence)} pieces of evidence."
        if found
        else f"Nothing is recorded about {variant}."
    )
    return LookupResultResult(
        found=found,
        message=message,
        runs=runs,
        predictions=tuple(
            StoredPrediction(**prediction.model_dump(include=set(StoredPrediction.model_fields)))
            for prediction in predictions
        ),
        evidence=evidence,
    )


def _of_run(wanted: str, context: ToolContext) -> LookupResultResult:
    records = context.records
    try:
        run = records.get_run(wanted)
    except UnknownRecordError as unknown:
        if unknown.message.startswith("several"):
            raise
    else:
        facts = records.evidence.of_run(run.id)[:_MOST_EVIDENCE]
        claims = records.evidence.claims_of(run.id)
        return LookupResultResult(
            found=True,
            message=run.verdict or f"{run.graph_name}: {run.status}.",
            runs=(_stored_run(run, facts, claims),),
            evidence=facts,
        )
    try:
        trained = records.experiments.get(wanted)
    except UnknownRecordError as unknown:
        if unknown.message.startswith("several"):
            raise
        return LookupResultResult(found=False, message=f"No run or experiment has the id {wanted!r}.")
    stored = StoredExperiment(
        run_id=trained.id,
        decision=trained.decision.value if trained.decision else None,
        **trained.model_dump(include=set(StoredExperiment.model_fields) - {"run_id", "decision"}, mode="json"),
    )
    evidence = records.evidence.of_source(f"experiment_run:{trained.id}")[:_MOST_EVIDENCE]
    return LookupResultResult(
        found=True,
        message=f"{trained.experiment}, {trained.label}: {trained.status}.",
        experiments=(stored,),
        evidence=evidence,
    )


def _stored_run(run: RunDetail, facts: tuple[Evidence, ...], claims: tuple[Claim, ...]) -> StoredRun:
    return StoredRun(
        run_id=run.id,
        workflow=run.graph_name,
        status=run.status.value,
        started_at=run.started_at,
        inputs=run.inputs,
        variant=run.variant,
        verdict=run.verdict,
        error=run.error.message if run.error else None,
        genes=tuple(_genes(run.interpretation or {})),
        evidence_ids=tuple(fact.id for fact in facts),
        summary=tuple(claim.rendered for claim in claims if claim.status is ClaimStatus.VERIFIED),
        artifacts=tuple(
            StoredFile(kind=artifact.kind, sha256=artifact.sha256, bytes=artifact.bytes) for artifact in run.artifacts
        ),
    )


def _genes(document: dict[str, Any]) -> list[StoredGene]:
    """Read the few fields that every version of an interpretation has."""
    found = []
    for gene in document.get("genes", ()):
        raw, made_by = gene["delta"]["raw"], gene["delta"]["provenance"]
        found.append(
            StoredGene(
                gene_name=gene["gene_name"],
                transcript_id=gene["delta"]["transcript_id"],
                max_score=max(change["score"] for change in raw.values()),
                predictor=f"{made_by['predictor']} {made_by['version']}",
                probability=gene["triage"].get("probability"),
                verdict=gene["consequence"]["verdict"],
            )
        )
    return found


def _text(digest: str, args: LookupResultArgs, context: ToolContext) -> StoredText:
    path = context.artifacts.path(digest)
    size = path.stat().st_size
    with path.open("rb") as handle:
        handle.seek(args.offset)
        data = handle.read(args.length)
    if b"\0" in data:
        return StoredText(sha256=digest, bytes=size, form="binary", text="", next_offset=None)
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    text = decoder.decode(data, final=args.offset + len(data) >= size)
    # The bytes of a character that the length cuts in two come with the next part.
    end = args.offset + len(data) - len(decoder.getstate()[0])
    return StoredText(sha256=digest, bytes=size, form="text", text=text, next_offset=end if end < size else None)


TOOL = ToolSpec(
    name="lookup_result",
    purpose="Look up a stored run, experiment, prediction, piece of evidence or artifact, by its id or by a variant.",
    args=LookupResultArgs,
    result=LookupResultResult,
    side_effect=SideEffect.NONE,
    cost_class=CostClass.INSTANT,
    function=run,
)
