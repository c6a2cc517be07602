"""Results of a batch as a table or as JSON lines."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Literal, TextIO

from agentic_spliceai.splice_engine.base_layer.results import SpliceDelta
from agentic_spliceai.splice_engine.errors import SettingError
from agentic_spliceai.tools.batch_types import BatchResult, BatchSummary
from agentic_spliceai.tools.plain_text import table_cell
from agentic_spliceai.tools.result_file import result_file

OutputFormat = Literal["tsv", "jsonl"]

_KINDS = ("acceptor_gain", "acceptor_loss", "donor_gain", "donor_loss")
COLUMNS = (
    "index",
    "input",
    "record",
    "id",
    "variant",
    "gene_id",
    "gene_name",
    "strand",
    "transcript_id",
    "max_score",
    *(f"{kind}{part}" for kind in _KINDS for part in ("", "_position", "_ref", "_alt")),
    "predictor",
    "version",
    "masked",
    "reason_code",
    "reason",
    "advice",
)


def write_results(
    results: Iterable[BatchResult], output: str | None, output_format: OutputFormat, *, masked: bool
) -> BatchSummary:
    """Write results as they come, one line a gene, or one with the reason; to standard output where `output` is None.

    A table's texts are cells as `plain_text.table_cell` makes them: no formula of a spreadsheet, long alleles by their
    ends; JSON lines have them as they are. A file is there when everything is written, in place of an earlier one; see
    `result_file` for what a failure leaves.

    Raises
    ------
    SettingError
        If the file cannot be written.
    """
    summary = BatchSummary()
    with _opened(output) as handle:
        table = csv.writer(handle, delimiter="\t", lineterminator="\n", quoting=csv.QUOTE_NONE, quotechar=None)
        if output_format == "tsv":
            table.writerow(COLUMNS)
        for result in results:
            summary.add([result])
            if output_format == "tsv":
                table.writerows(_rows(result, masked))
            else:
                handle.write(json.dumps(result.model_dump(mode="json"), ensure_ascii=False) + "\n")
            handle.flush()
    return summary


def format_of(output: str | None) -> OutputFormat:
    """Return the format that a file's name asks for; TSV by default.

    Raises
    ------
    SettingError
        If the suffix is another.
    """
    suffix = Path(output).suffix.lower() if output else ".tsv"
    if suffix in (".tsv", ".txt"):
        return "tsv"
    if suffix in (".jsonl", ".ndjson"):
        return "jsonl"
    raise SettingError(f"cannot write {output}: the suffix {suffix!r} is unknown.", "Use .tsv or .jsonl, or --format.")


def _rows(result: BatchResult, masked: bool) -> Iterator[list[object]]:
    variant = table_cell(str(result.variant)) if result.variant else ""
    head = [result.index, table_cell(result.text), result.record or "", table_cell(result.id), variant]
    if result.not_scored is not None:
        reason = result.not_scored
        empty = [""] * (len(COLUMNS) - len(head) - 3)
        yield [*head, *empty, reason.code, table_cell(reason.message), table_cell(reason.advice)]
    for delta in result.deltas:
        yield [*head, *_cells(delta, masked), "", "", ""]


def _cells(delta: SpliceDelta, masked: bool) -> list[object]:
    scores = delta.masked if masked else delta.raw
    changes = [
        cell
        for change in scores.changes()
        for cell in (f"{change.score:.4f}", change.position, f"{change.ref_score:.4f}", f"{change.alt_score:.4f}")
    ]
    names = [table_cell(text) for text in (delta.gene_id, delta.gene_name, str(delta.strand), delta.transcript_id)]
    head = [*names, f"{scores.max_score:.4f}"]
    return [*head, *changes, delta.provenance.predictor, delta.provenance.version, "true" if masked else "false"]


def _opened(output: str | None) -> AbstractContextManager[TextIO]:
    return nullcontext(sys.stdout) if output is None else result_file(output)
