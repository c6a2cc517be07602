"""Results of a batch as a table or as JSON lines."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TextIO

from agentic_spliceai.splice_engine.base_layer.results import SpliceDelta
from agentic_spliceai.splice_engine.errors import SettingError
from agentic_spliceai.splice_engine.meta_layer.results import VariantPrediction
from agentic_spliceai.tools.batch_meta import meta_call
from agentic_spliceai.tools.batch_reading import VCF_SUFFIXES
from agentic_spliceai.tools.batch_types import BatchResult, BatchSummary
from agentic_spliceai.tools.batch_writing import Piece, StreamSink, write_pieces
from agentic_spliceai.tools.plain_text import table_cell
from agentic_spliceai.tools.result_file import result_file

TextFormat = Literal["tsv", "jsonl"]
OutputFormat = Literal["tsv", "jsonl", "vcf"]

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
    "distance",
    "precision",
    "masked",
    "reason_code",
    "reason",
    "advice",
)
META_COLUMNS = (
    "meta_probability",
    "meta_probability_low",
    "meta_probability_high",
    "meta_threshold",
    "meta_call",
    "meta_donor",
    "meta_acceptor",
    "meta_inclusion",
    "meta_site",
    "meta_caveats",
    "meta_card_sha256",
    "meta_reason_code",
    "meta_reason",
)


def write_results(
    results: Iterable[BatchResult], output: str | None, output_format: TextFormat, *, masked: bool
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
    writer = RowWriter(output_format, masked=masked)
    with _opened(output) as handle:
        return write_pieces(writer.header(), writer.pieces(results), StreamSink(handle))


@dataclass(frozen=True)
class RowWriter:
    """A table, or JSON lines.

    Attributes
    ----------
    output_format
        Which.
    masked
        Which scores a table shows; JSON lines have both.
    meta
        Whether there is a trained meta-layer, and columns for what it says.
    """

    output_format: TextFormat
    masked: bool
    meta: bool = False

    def header(self) -> str:
        """Return the first line, if there is one."""
        return _line([*COLUMNS, *(META_COLUMNS if self.meta else ())]) if self.output_format == "tsv" else ""

    def options(self) -> dict[str, str]:
        """Return what decides the text beside the scores: nothing."""
        return {}

    def pieces(self, results: Iterable[BatchResult], done: int = 0) -> Iterator[Piece]:
        """Yield the lines of each result; how many were done before makes no difference."""
        for result in results:
            if self.output_format == "tsv":
                yield Piece("".join(map(_line, self._rows(result))), [result])
            else:
                content = result.model_dump(mode="json", exclude=None if self.meta else {"meta"})
                yield Piece(json.dumps(content, ensure_ascii=False) + "\n", [result])

    def _rows(self, result: BatchResult) -> Iterator[list[object]]:
        variant = table_cell(str(result.variant)) if result.variant else ""
        head = [result.index, table_cell(result.text), result.record or "", table_cell(result.id), variant]
        if result.not_scored is not None:
            reason = result.not_scored
            empty = [""] * (len(COLUMNS) - len(head) - 3)
            nothing = [""] * len(META_COLUMNS) if self.meta else []
            yield [*head, *empty, reason.code, table_cell(reason.message), table_cell(reason.advice), *nothing]
        for number, delta in enumerate(result.deltas):
            said = _meta_cells(result.meta[number]) if self.meta else []
            yield [*head, *_cells(delta, self.masked), "", "", "", *said]


def format_of(output: str | None) -> OutputFormat:
    """Return the format that a file's name asks for; TSV by default.

    Raises
    ------
    SettingError
        If the suffix is another.
    """
    if output and output.lower().endswith(VCF_SUFFIXES):
        return "vcf"
    suffix = Path(output).suffix.lower() if output else ".tsv"
    if suffix in (".tsv", ".txt"):
        return "tsv"
    if suffix in (".jsonl", ".ndjson"):
        return "jsonl"
    raise SettingError(
        f"cannot write {output}: the suffix {suffix!r} is unknown.",
        "Use .vcf, .vcf.gz, .tsv or .jsonl, or --format.",
    )


def _cells(delta: SpliceDelta, masked: bool) -> list[object]:
    scores = delta.masked if masked else delta.raw
    changes = [
        cell
        for change in scores.changes()
        for cell in (f"{change.score:.4f}", change.position, f"{change.ref_score:.4f}", f"{change.alt_score:.4f}")
    ]
    names = [table_cell(text) for text in (delta.gene_id, delta.gene_name, str(delta.strand), delta.transcript_id)]
    head = [*names, f"{scores.max_score:.4f}"]
    made = delta.provenance
    return [*head, *changes, made.predictor, made.version, made.distance, made.precision, "true" if masked else "false"]


def _meta_cells(said: VariantPrediction) -> list[object]:
    triage, delta, reason = said.triage, said.delta, said.not_scored
    caveats = dict.fromkeys([*(triage.caveats if triage else ()), *(delta.caveats if delta else ())])
    card = (triage and triage.model_card_sha256) or (delta and delta.model_card_sha256) or ""
    numbers = [
        *((triage.probability, triage.probability_low, triage.probability_high) if triage else (None,) * 3),
        triage.threshold if triage else None,
        *((delta.donor, delta.acceptor, delta.inclusion) if delta else (None,) * 3),
    ]
    cells = ["" if number is None else f"{number:.4f}" for number in numbers]
    return [
        *cells[:4],
        meta_call(said),
        *cells[4:],
        (delta and delta.site) or "",
        table_cell("; ".join(caveats)),
        card,
        reason.code if reason else "",
        table_cell(reason.message) if reason else "",
    ]


def _line(cells: Iterable[object]) -> str:
    return "\t".join(map(str, cells)) + "\n"


def _opened(output: str | None) -> AbstractContextManager[TextIO]:
    return nullcontext(sys.stdout) if output is None else result_file(output)
