"""Many variants from a file, scored as a stream: one row or more an input, none lost."""

from __future__ import annotations

import csv
import io
import json
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal, TextIO

from pydantic import Field

from agentic_spliceai.splice_engine.base_layer.results import SpliceDelta, VariantResult
from agentic_spliceai.splice_engine.errors import NotScored, ResourceError, SettingError
from agentic_spliceai.tools.context import Resources
from agentic_spliceai.tools.plain_text import table_cell
from agentic_spliceai.tools.result_file import result_file

if TYPE_CHECKING:
    from agentic_spliceai.splice_engine.base_layer.scoring import VariantScorer
    from agentic_spliceai.splice_engine.genome.types import GenomeBuild
    from agentic_spliceai.splice_engine.genome.variant_parsing import RawVariant

OutputFormat = Literal["tsv", "jsonl"]

_GZIP = b"\x1f\x8b"
_VCF_SUFFIXES = (".vcf", ".vcf.gz", ".vcf.bgz")
_VCF_HEADER = "##fileformat=VCF"
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


@dataclass(frozen=True)
class BatchInput:
    """One input.

    Attributes
    ----------
    text
        As given.
    raw
        What a file with columns says; None where the text is still to be read.
    not_scored
        The reason why there is no variant to score.
    record
        1-based number of the VCF's record, or of the list's line; 0 where it comes from no file.
    id
        The VCF's ID column; empty where it has none.
    """

    text: str
    raw: RawVariant | None = None
    not_scored: NotScored | None = None
    record: int = 0
    id: str = ""


class BatchResult(VariantResult):
    """One row of a batch, with where its input stands in the file."""

    record: int = Field(default=0, ge=0, description="1-based number of the VCF's record, or of the list's line.")
    id: str = Field(default="", description="The VCF's ID column; empty where it has none.")


@dataclass(frozen=True)
class BatchSummary:
    """How a batch went."""

    inputs: int
    scored: int
    reasons: dict[str, int]

    def __str__(self) -> str:
        missing = ", ".join(f"{code} {count}" for code, count in sorted(self.reasons.items()))
        return f"{self.inputs} inputs: {self.scored} scored" + (f", not scored: {missing}" if missing else "")


def read_inputs(source: str, build: GenomeBuild | None = None, stdin: TextIO | None = None) -> Iterator[BatchInput]:
    """Open a VCF, or a text file with one variant a line, and return its variants; `-` reads standard input.

    In a text file, blank lines and lines that begin with `#` are skipped. Both may be gzipped.

    Raises
    ------
    ResourceError
        At once if the file cannot be read; from the iterator where it turns out to be damaged further on.
    """
    if source == "-":
        stream = stdin or _standard_input()
        zipped = _zipped(stream)
        return _first_at_once(_read_zipped(zipped, build)) if zipped else _read_stream(stream, build)
    path = Path(source).expanduser()
    if path.name.lower().endswith(_VCF_SUFFIXES) or _begins_as_vcf(path):
        inputs = _read_vcf(path, build)
    else:
        from agentic_spliceai.splice_engine.genome.text_files import numbered_lines

        inputs = _from_lines(numbered_lines(path, ResourceError, "the list of variants"))
    return _first_at_once(inputs)


def score_inputs(
    inputs: Iterable[BatchInput],
    resources: Resources,
    *,
    genome: str,
    annotation: str | None = None,
    base_model: str,
    weights: str | None = None,
    transcripts: Sequence[str] = (),
    distance: int,
    mask: str = "annotated",
) -> Iterator[BatchResult]:
    """Open genome and model, and return an iterator that scores inputs as they come: one result an input, in order.

    Raises
    ------
    SpliceEngineError
        At once if the genome or the model cannot be opened, or `distance` cannot be used. What is wrong with one input
        is in its result.
    """
    from agentic_spliceai.splice_engine.base_layer.scoring import Mask, VariantScorer

    bundle = resources.genome(genome, annotation)
    model = resources.base_model(base_model, weights)
    scorer = VariantScorer(bundle.genome, bundle.annotation, model, distance, Mask(mask), tuple(transcripts))
    return _score(inputs, scorer)


def _score(inputs: Iterable[BatchInput], scorer: VariantScorer) -> Iterator[BatchResult]:
    stream = enumerate(inputs)
    for size in scorer.chunk_sizes():
        if not (chunk := list(islice(stream, size))):
            return
        results = scorer.score_chunk([item.raw or item.text for _, item in chunk if item.not_scored is None])
        for index, item in chunk:
            if item.not_scored is not None:
                found = VariantResult(index=index, text=item.text, not_scored=item.not_scored)
            else:
                found = next(results)
            yield BatchResult(
                index=index,
                text=found.text,
                variant=found.variant,
                deltas=found.deltas,
                not_scored=found.not_scored,
                record=item.record,
                id=item.id,
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
    inputs = scored = 0
    reasons: Counter[str] = Counter()
    with _opened(output) as handle:
        table = csv.writer(handle, delimiter="\t", lineterminator="\n", quoting=csv.QUOTE_NONE, quotechar=None)
        if output_format == "tsv":
            table.writerow(COLUMNS)
        for result in results:
            inputs += 1
            scored += bool(result.deltas)
            if result.not_scored is not None:
                reasons[result.not_scored.code] += 1
            if output_format == "tsv":
                table.writerows(_rows(result, masked))
            else:
                handle.write(json.dumps(result.model_dump(mode="json"), ensure_ascii=False) + "\n")
            handle.flush()
    return BatchSummary(inputs, scored, dict(reasons))


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


def _first_at_once(inputs: Iterator[BatchInput]) -> Iterator[BatchInput]:
    """Read the first input now, so that a file that cannot be read is heard of before anything is written."""
    return chain(list(islice(inputs, 1)), inputs)


def _from_lines(lines: Iterable[tuple[int, str]]) -> Iterator[BatchInput]:
    for number, line in lines:
        text = _printable(line.strip())
        if text and not text.startswith("#"):
            yield BatchInput(text, record=number)


def _read_vcf(path: Path, build: GenomeBuild | None) -> Iterator[BatchInput]:
    from agentic_spliceai.splice_engine.genome.vcf import iter_vcf

    for allele in iter_vcf(path, build):
        text = _printable(allele.text)
        raw = replace(allele.raw, text=text) if allele.raw else None
        identifier = "" if allele.id == "." else _printable(allele.id)
        yield BatchInput(text, raw, allele.error.as_not_scored() if allele.error else None, allele.record, identifier)


def _standard_input() -> TextIO:
    """Return standard input, read as files are, whatever the locale."""
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(encoding="utf-8", errors="surrogateescape")
    return sys.stdin


def _read_stream(stream: TextIO, build: GenomeBuild | None) -> Iterator[BatchInput]:
    first = stream.readline()
    if not first.startswith(_VCF_HEADER):
        yield from _from_lines(enumerate(chain([first], stream), 1))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "stdin.vcf"
        with path.open("w", encoding="utf-8", errors="surrogateescape") as handle:
            handle.write(first)
            shutil.copyfileobj(stream, handle)
        yield from _read_vcf(path, build)


def _zipped(stream: TextIO) -> BinaryIO | None:
    """Return the bytes behind a stream that has not been read from, if they are gzipped."""
    binary = getattr(stream, "buffer", None)
    return binary if isinstance(binary, io.BufferedReader) and binary.peek(2)[:2] == _GZIP else None


def _read_zipped(stream: BinaryIO, build: GenomeBuild | None) -> Iterator[BatchInput]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "stdin.gz"
        with path.open("wb") as handle:
            shutil.copyfileobj(stream, handle)
        yield from read_inputs(str(path), build)


def _begins_as_vcf(path: Path) -> bool:
    from agentic_spliceai.splice_engine.genome.text_files import numbered_lines

    first = next(numbered_lines(path, ResourceError, "the list of variants"), (1, ""))
    return first[1].startswith(_VCF_HEADER)


def _printable(text: str) -> str:
    """Replace bytes that are no UTF-8: they can neither be a variant nor be written out."""
    return text.encode("utf-8", errors="surrogateescape").decode("utf-8", errors="replace")


def _opened(output: str | None) -> AbstractContextManager[TextIO]:
    return nullcontext(sys.stdout) if output is None else result_file(output)
