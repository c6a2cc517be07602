"""Put triaged parts together again: one table, in the order of the file or by how likely splicing is altered."""

from __future__ import annotations

import heapq
import logging
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from agentic_spliceai.records.artifacts import sha256_of
from agentic_spliceai.splice_engine.errors import SettingError
from agentic_spliceai.tools.context import ToolContext
from agentic_spliceai.tools.interaction import ToolProgress
from agentic_spliceai.tools.plain_text import json_text, printable
from agentic_spliceai.tools.result_file import refuse_to_overwrite, result_file
from agentic_spliceai.tools.spec import CostClass, PathAccess, SideEffect, ToolArgumentError, ToolModel, ToolSpec
from agentic_spliceai.tools.triage_rows import (
    COLUMNS,
    SHA256,
    TriagedChunk,
    Verdict,
    rank,
    read_rows,
    row_at,
    tsv_line,
)

log = logging.getLogger(__name__)

_TOP = 10

Order = Literal["input", "rank"]


class JoinTriageArgs(ToolModel):
    """The parts, and where the table goes."""

    source: Annotated[str, PathAccess.READ] = Field(
        min_length=1, description="The file that was triaged; it is never written over."
    )
    inputs: int = Field(ge=0, description="How many inputs it has, as split_vcf counted: none may be missing.")
    chunks: tuple[TriagedChunk, ...] = Field(description="The triaged parts, as triage_chunk returns them.")
    out: Annotated[str | None, PathAccess.WRITE] = Field(
        default=None, description="Folder for the files; null is one in the reports folder."
    )
    order: Order = Field(default="input", description="input: as in the file; rank: most likely altering first.")


class TopVariant(ToolModel):
    """One of the most likely splice-altering variants."""

    index: int = Field(ge=0, description="Which input, 0-based.")
    id: str = Field(description="The VCF's ID column.")
    variant: str = Field(description="The variant.")
    gene_name: str = Field(description="The gene.")
    verdict: Verdict = Field(description="altering or possible.")
    probability: float | None = Field(description="The meta-layer's calibrated probability.")
    max_score: float | None = Field(description="The base model's largest gain or loss.")
    change: str = Field(description="Which of the four that is.")


class JoinTriageResult(ToolModel):
    """Where the table is, and what is in it."""

    folder: str = Field(description="Folder with the files.")
    table: str = Field(
        description="The table, tab-separated: one line a gene, or one with the reason; what a spreadsheet would "
        "take for a formula begins with an apostrophe, and of long alleles there are the ends."
    )
    lines: str = Field(description="The same as JSON, one object a line, nothing shortened.")
    summary: str = Field(description="Counts and what they rest on, as JSON.")
    table_sha256: str = Field(pattern=SHA256, description="Digest of the table.")
    lines_sha256: str = Field(pattern=SHA256, description="Digest of the JSON lines.")
    inputs: int = Field(ge=0, description="Inputs in all.")
    rows: int = Field(ge=0, description="Lines of the table, without its header.")
    verdicts: dict[str, int] = Field(description="Inputs by their strongest verdict on any gene.")
    reasons: dict[str, int] = Field(description="Inputs without a verdict, by the code of the reason.")
    warning: str = Field(default="", description="That the file has no variant, or none could be judged; else empty.")
    made_by: str = Field(description="Models, versions and thresholds that the verdicts rest on.")
    top: tuple[TopVariant, ...] = Field(description=f"The {_TOP} rows that most likely alter splicing.")


def run(args: JoinTriageArgs, context: ToolContext) -> JoinTriageResult:
    """Write the files; each takes the place of an earlier one only when it is whole.

    That there is no variant, or none that could be judged, is no failure, since the table is right; it is a warning in
    the log, which a program shows on standard error, and in the summary.

    Raises
    ------
    ToolArgumentError
        If a part is missing, is there twice, or was judged by other models than the rest.
    ArtifactError
        If the rows of a part are missing or damaged.
    SettingError
        If a file cannot be written, or would replace what was triaged.
    """
    chunks = _whole(args)
    folder = Path(args.out).expanduser() if args.out else context.settings.reports_dir / f"triage-{context.run_id}"
    table, lines, summary = folder / "triage.tsv", folder / "triage.jsonl", folder / "summary.json"
    for path in (table, lines, summary):
        refuse_to_overwrite(str(path), {"list of variants": args.source})
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingError(f"cannot make the folder {folder}: {error.strerror}.", "Give another as `out`.") from error
    paths = [context.artifacts.path(chunk.sha256) for chunk in chunks]
    best = _Best()
    rows = 0
    with result_file(str(table)) as tsv, result_file(str(lines)) as jsonl:
        tsv.write("\t".join(COLUMNS) + "\n")
        for row in _ranked(paths) if args.order == "rank" else _in_order(paths):
            tsv.write(tsv_line(row))
            jsonl.write(json_text(row) + "\n")
            best.see(row)
            rows += 1
            if rows % 10_000 == 0:
                context.listen(ToolProgress("rows written", rows, sum(chunk.rows for chunk in chunks)))
    verdicts, reasons = _sum(chunk.verdicts for chunk in chunks), _sum(chunk.reasons for chunk in chunks)
    made_by = chunks[0].made_by if chunks else "nothing: there was no variant"
    warning = _warning(args, verdicts, reasons)
    if warning:
        log.warning("warning: %s", warning)
    facts = {
        "source": Path(args.source).name, "inputs": args.inputs, "rows": rows, "order": args.order,
        "verdicts": {verdict.value: verdicts.get(verdict.value, 0) for verdict in Verdict},
        "reasons": reasons, "warning": warning, "made_by": made_by,
    }  # fmt: skip
    with result_file(str(summary)) as handle:
        handle.write(json_text(facts, indent=2) + "\n")
    return JoinTriageResult(
        folder=str(folder),
        table=str(table),
        lines=str(lines),
        summary=str(summary),
        table_sha256=sha256_of(table),
        lines_sha256=sha256_of(lines),
        inputs=args.inputs,
        rows=rows,
        verdicts=verdicts,
        reasons=reasons,
        warning=warning,
        made_by=made_by,
        top=best.top(),
    )


def _whole(args: JoinTriageArgs) -> list[TriagedChunk]:
    chunks = sorted(args.chunks, key=lambda chunk: chunk.index)
    if [chunk.index for chunk in chunks] != list(range(len(chunks))):
        raise ToolArgumentError(
            "A part is missing, or is there twice.", "Give every part once, as split_vcf made them."
        )
    inputs = sum(chunk.inputs for chunk in chunks)
    if inputs != args.inputs:
        raise ToolArgumentError(
            f"The parts have {inputs:,} inputs, the file has {args.inputs:,}.", "Give all parts of one file."
        )
    if len({chunk.made_by for chunk in chunks}) > 1:
        raise ToolArgumentError("The parts were judged by different models.", "Triage all parts in the same way.")
    return chunks


def _warning(args: JoinTriageArgs, verdicts: Mapping[str, int], reasons: Mapping[str, int]) -> str:
    name = printable(Path(args.source).name)
    if args.inputs == 0:
        return f"{name} holds no variant: the table has no line."
    if verdicts.get(Verdict.NOT_JUDGED.value, 0) < args.inputs:
        return ""
    why = ", ".join(f"{code} {count:,}" for code, count in sorted(reasons.items(), key=lambda item: -item[1]))
    return f"none of the {args.inputs:,} variants of {name} could be judged ({why}): is it the right genome?"


def _in_order(paths: Sequence[Path]) -> Iterator[dict[str, Any]]:
    for path in paths:
        for _, row in read_rows(path):
            yield row


def _ranked(paths: Sequence[Path]) -> Iterator[dict[str, Any]]:
    """Yield all rows by rank; in memory is only where each of them stands, equal ones in the order of the file."""
    order, value, part, at = array("b"), array("d"), array("i"), array("q")
    for number, path in enumerate(paths):
        for begin, row in read_rows(path):
            verdict, worth = rank(row)
            order.append(verdict)
            value.append(worth)
            part.append(number)
            at.append(begin)
    # The last key counts first.
    for number in np.lexsort([np.asarray(key) for key in (at, part, value, order)]).tolist():
        yield row_at(paths[part[number]], at[number])


def _sum(counts: Iterable[dict[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for one in counts:
        total.update(one)
    return dict(sorted(total.items()))


class _Best:
    """Keeps the rows of the highest rank, the first of equal ones."""

    def __init__(self) -> None:
        self._held: list[tuple[tuple[int, float], int, dict[str, Any]]] = []
        self._seen = 0

    def see(self, row: dict[str, Any]) -> None:
        if row["verdict"] not in (Verdict.ALTERING, Verdict.POSSIBLE):
            return
        order, value = rank(row)
        self._seen += 1
        # A heap whose first is the worst: ranks rise from best to worst, so they are turned around.
        item = ((-order, -value), -self._seen, row)
        if len(self._held) < _TOP:
            heapq.heappush(self._held, item)
        else:
            heapq.heappushpop(self._held, item)

    def top(self) -> tuple[TopVariant, ...]:
        rows = [row for *_, row in sorted(self._held, key=lambda item: item[:2], reverse=True)]
        return tuple(
            TopVariant(**{name: row[name] for name in TopVariant.model_fields} | {"verdict": Verdict(row["verdict"])})
            for row in rows
        )


TOOL = ToolSpec(
    name="join_triage",
    purpose="Write triaged parts of a VCF as one table, JSON lines and a summary, in the file's order or ranked.",
    args=JoinTriageArgs,
    result=JoinTriageResult,
    side_effect=SideEffect.WRITES_FILES,
    cost_class=CostClass.SECONDS,
    function=run,
)
