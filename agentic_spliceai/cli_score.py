"""`agentic-spliceai score`: the variants of a VCF or a list, as a VCF, a table or JSON lines."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from agentic_spliceai.run import EXIT_OK
from agentic_spliceai.splice_engine.errors import SettingError

if TYPE_CHECKING:
    from agentic_spliceai.settings import Settings
    from agentic_spliceai.tools.batch import Batch
    from agentic_spliceai.tools.batch_reading import Source
    from agentic_spliceai.tools.batch_text import OutputFormat, RowWriter
    from agentic_spliceai.tools.batch_types import BatchResult, BatchSummary
    from agentic_spliceai.tools.batch_vcf import VcfWriter
    from agentic_spliceai.tools.context import Resources

_EARLIER = "done before"
_SEVERAL = 10  # alleles that do not fit are no longer a slip of the pen
_DESCRIPTION = """Score the variants of a VCF, or of a text file with one a line. With -o out.vcf.gz each record is
written again with INFO fields added; with -o out.tsv or out.jsonl there is a line for each allele and gene.
Each allele has scores, or the reason why there are none. A command that was stopped goes on where it was when it is
given again."""


def add_score(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    parser = commands.add_parser("score", help="score the variants of a VCF or a list", description=_DESCRIPTION)
    parser.add_argument("source", metavar="FILE", help="VCF or text file, plain or gzipped; - for standard input")
    parser.add_argument("-o", "--output", metavar="FILE", help="where to write (default, and -: standard output)")
    parser.set_defaults(handler=_score)
    what = parser.add_argument_group("what is scored")
    what.add_argument("--genome", required=True, help="demo, GRCh38, GRCh37, or the path of a FASTA file")
    what.add_argument("--annotation", metavar="FILE", help="GTF, GFF3 or gene table instead of the genome's own")
    what.add_argument(
        "--transcript",
        metavar="ID",
        action="append",
        default=[],
        help="transcript to take instead of its gene's representative; may be repeated",
    )
    what.add_argument("--distance", metavar="NT", type=int, default=50, help="how far changes are sought (default: 50)")
    what.add_argument("--masked", action="store_true", help="leave out gains at annotated sites and losses elsewhere")
    what.add_argument(
        "--mask",
        choices=("annotated", "nearest_boundary"),
        default="annotated",
        help="sites that --masked takes as annotated: all of the gene's (default), or as SpliceAI the nearest exon end",
    )
    models = parser.add_argument_group("models")
    models.add_argument(
        "--base-model", metavar="NAME", default="small", help="base model; `models list` shows them (default: small)"
    )
    models.add_argument(
        "--weights", metavar="PATH", help="file or folder with its weights, instead of the usual search"
    )
    models.add_argument(
        "--meta", "--meta-model", dest="meta_model", metavar="PATH", help="trained meta-layer: a checkpoint or a folder"
    )
    output = parser.add_argument_group("output")
    output.add_argument("--format", choices=("vcf", "tsv", "jsonl"), help="default: by the suffix of the output")
    output.add_argument("--tag", metavar="NAME", help="INFO field with the scores (default: the base model's)")
    output.add_argument(
        "--replace-tags", action="store_true", help="remove what an earlier run left in INFO fields of these names"
    )
    output.add_argument("--digits", type=int, choices=range(1, 9), default=2, help="of the VCF's scores (default: 2)")
    output.add_argument("--restart", action="store_true", help="begin again, where a command was stopped")
    output.add_argument("--quiet", action="store_true", help="show neither progress nor summary")
    speed = parser.add_argument_group("speed")
    speed.add_argument("--device", help="auto, cpu, cuda, cuda:N or mps (default: the settings')")
    speed.add_argument(
        "--precision",
        choices=("float32", "bfloat16"),
        default="float32",
        help="of the convolutions; bfloat16 is faster where the processor has it, and not exact (default: float32)",
    )
    speed.add_argument("--processes", metavar="N", type=int, default=1, help="that score side by side (default: 1)")
    speed.add_argument("--threads", metavar="N", type=int, help="of each process (default: the cores are shared out)")


def _score(arguments: argparse.Namespace) -> int:
    from agentic_spliceai.orchestration.progress import PlainProgress, ProgressDisplay
    from agentic_spliceai.splice_engine.genome.vcf import check_contig_lengths, read_vcf_header
    from agentic_spliceai.tools.batch import format_of, open_batch
    from agentic_spliceai.tools.batch_output import is_blocked, made_by, opened_sink
    from agentic_spliceai.tools.batch_reading import opened_source
    from agentic_spliceai.tools.batch_writing import write_pieces
    from agentic_spliceai.tools.context import Resources
    from agentic_spliceai.tools.result_file import refuse_to_overwrite

    output = None if arguments.output == "-" else arguments.output
    output_format = arguments.format or format_of(output)
    refuse_to_overwrite(
        output,
        {
            "list of variants": arguments.source,
            "genome": arguments.genome,
            "annotation": arguments.annotation,
            "weights": arguments.weights,
            "meta-layer model": arguments.meta_model,
        },
    )
    display = ProgressDisplay() if arguments.quiet else PlainProgress(sys.stderr)
    resources = Resources(_settings(arguments.device), progress=display)
    with opened_source(arguments.source) as source:
        # The first variant is read before a model is: a file that cannot be read is heard of at once.
        inputs = source.inputs()
        if source.is_vcf and source.path is not None:
            header = read_vcf_header(source.path)
            check_contig_lengths(header, resources.genome(arguments.genome, arguments.annotation).genome)
        batch = open_batch(
            resources,
            genome=arguments.genome,
            annotation=arguments.annotation,
            base_model=arguments.base_model,
            weights=arguments.weights,
            transcripts=arguments.transcript,
            distance=arguments.distance,
            mask=arguments.mask,
            precision=arguments.precision,
            meta_model=arguments.meta_model,
            processes=arguments.processes,
            threads=arguments.threads,
        )
        writer = _writer(arguments, output_format, source, batch, resources)
        head = writer.header()
        made_of = made_by(batch, masked=arguments.masked) | {"Format": output_format, **writer.options()}
        with opened_sink(output, source, made_of, restart=arguments.restart) as sink:
            done = sink.summary.inputs
            # Rows on the screen are progress enough, and a line that is drawn over would run into them.
            shown = not arguments.quiet and not (output is None and sys.stdout.isatty())
            with closing(batch.chunks(inputs, done)) as chunks:
                results = _metered(chunks, source, done) if shown else (one for chunk in chunks for one in chunk)
                summary = write_pieces(head, writer.pieces(results, done), sink)
        notes = [str(summary), *_another_build(summary), *_index(writer, output if is_blocked(output) else None)]
    if not arguments.quiet:
        sys.stderr.write("".join(f"{note}\n" for note in notes))
    return EXIT_OK


def _another_build(summary: BatchSummary) -> Iterator[str]:
    """Say what it may mean that many alleles do not fit the genome."""
    apart = summary.reasons.get("reference_mismatch", 0)
    if apart >= _SEVERAL and 4 * apart >= summary.inputs:
        yield f"{apart} of {summary.inputs} REF alleles are not what the genome has: are they of another build?"


def _settings(device: str | None) -> Settings:
    from agentic_spliceai.settings import get_settings

    settings = get_settings()
    if device is None:
        return settings
    from agentic_spliceai.splice_engine.base_layer.model import pick_device

    pick_device(device)
    return settings.model_copy(update={"device": device})


def _writer(
    arguments: argparse.Namespace, output_format: OutputFormat, source: Source, batch: Batch, resources: Resources
) -> RowWriter | VcfWriter:
    from agentic_spliceai.splice_engine.base_layer.registry import base_models, vcf_tag
    from agentic_spliceai.tools.batch_output import made_by
    from agentic_spliceai.tools.batch_text import RowWriter
    from agentic_spliceai.tools.batch_vcf import Tags, VcfWriter

    meta = batch.meta_card is not None
    if output_format != "vcf":
        return RowWriter(output_format, masked=arguments.masked, meta=meta)
    if source.path is None or not source.is_vcf:
        raise SettingError(f"{arguments.source} is no VCF.", "Write a table: -o out.tsv, or --format tsv.")
    known = base_models(resources.resolver.data_dir / "base_models.yaml")
    return VcfWriter(
        source.path,
        Tags(arguments.tag or vcf_tag(arguments.base_model, known)),
        masked=arguments.masked,
        digits=arguments.digits,
        provenance=made_by(batch, masked=arguments.masked),
        meta=meta,
        replace=arguments.replace_tags,
    )


def _metered(chunks: Iterator[list[BatchResult]], source: Source, done: int) -> Iterator[BatchResult]:
    """Pass results on, and say how many there are, how fast they come, and how long the rest will take."""
    from agentic_spliceai.orchestration.meter import Meter
    from agentic_spliceai.tools.batch_reading import count_inputs
    from agentic_spliceai.tools.interaction import ToolProgress

    total = count_inputs(source) if source.path is not None else None
    meter = Meter(sys.stderr, "inputs", idle=frozenset({_EARLIER}))
    try:
        if done:
            meter(ToolProgress(_EARLIER, done, total))
        for chunk in chunks:
            done += len(chunk)
            # Of a large file the total is an estimate.
            meter(ToolProgress("scoring", done, total if total and done <= total else None))
            yield from chunk
    finally:
        meter.close()


def _index(writer: RowWriter | VcfWriter, output: str | None) -> Iterator[str]:
    """Make the index of a block-gzipped VCF, and say where it is, or why there is none."""
    from agentic_spliceai.splice_engine.errors import ResourceError
    from agentic_spliceai.tools.batch_vcf import VcfWriter

    if output is None or not isinstance(writer, VcfWriter):
        return
    try:
        yield f"index: {writer.make_index(Path(output).expanduser())}"
    except ResourceError as error:
        yield str(error)
