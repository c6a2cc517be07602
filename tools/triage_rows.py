"""What the triage of many variants is made of: chunks of inputs, rows of results, and both as lines of a file."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from agentic_spliceai.records.errors import ArtifactError
from agentic_spliceai.splice_engine.base_layer.results import DeltaScores, Thresholds
from agentic_spliceai.splice_engine.errors import NotScored
from agentic_spliceai.splice_engine.genome.types import GenomeBuild
from agentic_spliceai.splice_engine.genome.variant_parsing import RawVariant
from agentic_spliceai.tools.batch import BatchInput
from agentic_spliceai.tools.plain_text import json_text, table_cell
from agentic_spliceai.tools.spec import ToolModel

SHA256 = r"^[0-9a-f]{64}$"


class Verdict(StrEnum):
    """What triage says of a variant on a gene, the strongest first."""

    ALTERING = "altering"
    POSSIBLE = "possible"
    NOT_ALTERING = "not_altering"
    NOT_JUDGED = "not_judged"


class VcfChunk(ToolModel):
    """A part of a list of variants, kept as an artifact: one input a line."""

    index: int = Field(ge=0, description="Which part, 0-based.")
    first: int = Field(ge=0, description="Number of its first input in the whole, 0-based.")
    inputs: int = Field(ge=1, description="How many inputs, one an allele of a VCF's record.")
    sha256: str = Field(pattern=SHA256, description="Artifact with the inputs.")


class TriagedChunk(ToolModel):
    """A part that was triaged; its rows are an artifact."""

    index: int = Field(ge=0, description="Which part, 0-based.")
    inputs: int = Field(ge=1, description="How many inputs it had.")
    rows: int = Field(ge=1, description="How many rows came of them, one a gene, or one with the reason.")
    sha256: str = Field(pattern=SHA256, description="Artifact with the rows, one a line.")
    verdicts: dict[str, int] = Field(description="Inputs by their strongest verdict on any gene.")
    reasons: dict[str, int] = Field(description="Inputs without a verdict, by the code of the reason.")
    made_by: str = Field(description="Models, versions and thresholds that the verdicts rest on.")


class TriageRow(ToolModel):
    """What triage says of one input on one gene, or why it says nothing."""

    index: int = Field(ge=0, description="Which input, 0-based.")
    input: str = Field(description="The input as given.")
    record: int = Field(ge=0, description="1-based number of the VCF's record or of the list's line.")
    id: str = Field(description="The VCF's ID column; empty where it has none.")
    variant: str = Field(default="", description="The variant, normalised: chr3-37012011-A-G.")
    gene_id: str = Field(default="", description="The gene.")
    gene_name: str = Field(default="", description="Its symbol.")
    strand: str = Field(default="", description="+ or -.")
    transcript_id: str = Field(default="", description="The transcript that was scored.")
    verdict: Verdict = Field(description="altering, possible, not_altering or not_judged.")
    judged_by: str = Field(default="", description="meta_layer or base_model.")
    probability: float | None = Field(default=None, description="Calibrated probability that it alters splicing.")
    probability_low: float | None = Field(default=None, description="Lower end of the spread over seeds.")
    probability_high: float | None = Field(default=None, description="Upper end of the spread over seeds.")
    threshold: float | None = Field(default=None, description="From this probability or score on: altering.")
    max_score: float | None = Field(default=None, description="The base model's largest gain or loss.")
    change: str = Field(default="", description="Which of the four that is.")
    position: int | None = Field(default=None, description="Where, 1-based.")
    acceptor_gain: float | None = Field(default=None, description="Largest gain of an acceptor.")
    acceptor_loss: float | None = Field(default=None, description="Largest loss of an acceptor.")
    donor_gain: float | None = Field(default=None, description="Largest gain of a donor.")
    donor_loss: float | None = Field(default=None, description="Largest loss of a donor.")
    predictor: str = Field(default="", description="Base model and version.")
    model_card_sha256: str = Field(default="", description="Card of the trained meta-layer model.")
    caveats: str = Field(default="", description="In what the variant lies outside of what the model learned from.")
    reason_code: str = Field(default="", description="Why there is no verdict: a stable code.")
    reason: str = Field(default="", description="The same as a sentence.")
    advice: str = Field(default="", description="What to do about it.")


COLUMNS: tuple[str, ...] = tuple(TriageRow.model_fields)
_ORDER = {verdict: rank for rank, verdict in enumerate(Verdict)}


def judged_by_score(score: float, thresholds: Thresholds) -> Verdict:
    """Return the verdict of a base model's score alone: from `moderate` altering, from `weak` possible."""
    if score >= thresholds.moderate:
        return Verdict.ALTERING
    return Verdict.POSSIBLE if score >= thresholds.weak else Verdict.NOT_ALTERING


def score_cells(scores: DeltaScores) -> dict[str, Any]:
    """Return the cells that hold a base model's scores."""
    largest = max(scores.changes(), key=lambda change: change.score)
    return {
        "max_score": _rounded(largest.score),
        "change": largest.kind.value if largest.score > 0 else "",
        "position": largest.position if largest.score > 0 else None,
        **{change.kind.value: _rounded(change.score) for change in scores.changes()},
    }


def tally(rows: Iterable[TriageRow]) -> tuple[dict[str, int], dict[str, int]]:
    """Count inputs by their strongest verdict, and those without any by the reason; rows of an input stand together."""
    best: dict[int, TriageRow] = {}
    for row in rows:
        held = best.setdefault(row.index, row)
        if _ORDER[row.verdict] < _ORDER[held.verdict]:
            best[row.index] = row
    verdicts = Counter(row.verdict.value for row in best.values())
    reasons = Counter(row.reason_code for row in best.values() if row.verdict is Verdict.NOT_JUDGED)
    return (
        {verdict.value: verdicts[verdict.value] for verdict in Verdict if verdicts[verdict.value]},
        dict(sorted(reasons.items())),
    )


def rank(row: Mapping[str, Any]) -> tuple[int, float]:
    """Return what a ranked list is ordered by: the verdict, then the probability, or the score where there is none."""
    value = row["probability"] if row["probability"] is not None else row["max_score"]
    return _ORDER[Verdict(row["verdict"])], -(value or 0.0)


def tsv_line(row: Mapping[str, Any]) -> str:
    """Return a row as one line of a table; see `plain_text.table_cell` for its texts."""
    return "\t".join(_cell(row[name]) for name in COLUMNS) + "\n"


def _cell(value: object) -> str:
    if value is None:
        return ""
    return table_cell(value) if isinstance(value, str) else str(value)


def _rounded(value: float) -> float:
    return round(float(value), 6)


def input_line(index: int, item: BatchInput) -> str:
    """Return one input as a line of a chunk."""
    raw = item.raw
    return (
        json_text(
            {
                "index": index,
                "text": item.text,
                "record": item.record,
                "id": item.id,
                "raw": None
                if raw is None
                else [
                    raw.contig, raw.position, raw.ref, raw.ref_length, raw.alt, raw.duplicated,
                    raw.build.value if raw.build else None,
                ],
                "not_scored": item.not_scored.model_dump() if item.not_scored else None,
            }
        )
        + "\n"
    )  # fmt: skip


def read_chunk(path: Path) -> list[tuple[int, BatchInput]]:
    """Return the inputs of a chunk with their numbers in the whole.

    Raises
    ------
    ArtifactError
        If the file is no chunk.
    """
    return [_input(values) for _, values in _lines(path)]


def _input(values: Mapping[str, Any]) -> tuple[int, BatchInput]:
    try:
        raw = None
        if values["raw"] is not None:
            contig, position, ref, length, alt, duplicated, build = values["raw"]
            raw = RawVariant(
                values["text"], contig, position, ref, length, alt, duplicated, GenomeBuild(build) if build else None
            )
        reason = values["not_scored"]
        item = BatchInput(
            values["text"], raw, NotScored.model_validate(reason) if reason else None, values["record"], values["id"]
        )
        return int(values["index"]), item
    except (KeyError, TypeError, ValueError, ValidationError):
        raise _no_chunk("an artifact is no chunk of variants") from None


def row_lines(rows: Sequence[TriageRow]) -> bytes:
    """Return rows as the lines of an artifact."""
    return "".join(json_text(row.model_dump(mode="json")) + "\n" for row in rows).encode()


def read_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the rows of a triaged chunk, each with the byte at which its line begins; raises as `read_chunk`."""
    for at, values in _lines(path):
        if set(values) != set(COLUMNS):
            raise _no_chunk("an artifact holds no triaged variants")
        yield at, values


def row_at(path: Path, at: int) -> dict[str, Any]:
    """Return the row whose line begins at byte `at`."""
    with path.open("rb") as handle:
        handle.seek(at)
        row: dict[str, Any] = json.loads(handle.readline())
    return row


def _lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    at = 0
    with path.open("rb") as handle:
        for line in handle:
            try:
                values = json.loads(line)
            except ValueError:
                values = None
            if not isinstance(values, dict):
                raise _no_chunk("an artifact is no list of JSON objects")
            yield at, values
            at += len(line)


def _no_chunk(what: str) -> ArtifactError:
    return ArtifactError(f"{what}.", "Give the chunks as split_vcf and triage_chunk return them.")
