"""`agentic-spliceai predict`: donors and acceptors along whole genes, as files for genome browsers and tables."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agentic_spliceai.tools.predict_tracks import PredictTracksResult

EXIT_OK = 0
_FORMATS = "bedgraph, bedgraph.gz, bigwig, bed, tsv, parquet"
_TOLD = 10
_EXAMPLES = """\
examples:
  agentic-spliceai predict MLH1 --genome GRCh38 -o mlh1
  agentic-spliceai predict chr7:117480025-117668665 --genome GRCh38 -o cftr --formats bigwig,bed
  agentic-spliceai predict --all-genes --contig chr21 --genome GRCh38 --meta runs/best -o chr21/

PREFIX.base.donor.plus.bedgraph.gz, ... hold one probability a position: donor and acceptor, plus and minus strand, base
and (with --meta) recalibrated. PREFIX.base.sites.bed lists the predicted sites, PREFIX.genes.tsv has one row a gene or
the reason why it has no values, PREFIX.json says how everything was made. A donor is the last exonic base, an acceptor
the first. A run that was stopped goes on where it was when the same command is given again.
"""


def add_predict(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand `predict`."""
    p = commands.add_parser(
        "predict",
        help="predict splice sites along whole genes: bedGraph, bigWig, BED, tables",
        description="Predict donors and acceptors at every position of genes, as tracks, sites and tables.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument(
        "targets", metavar="TARGET", nargs="*", help="gene (symbol or id), or region chr7:117480025-117668665 (1-based)"
    )
    p.add_argument("--bed", metavar="FILE", help="BED file with regions; every gene in them, of both strands")
    p.add_argument("--all-genes", action="store_true", help="every gene of the annotation")
    p.add_argument(
        "--contig",
        metavar="NAME",
        action="append",
        default=[],
        help="with --all-genes: only this contig; may be repeated",
    )
    p.add_argument("--genome", required=True, help="demo, GRCh38, GRCh37, or the path of a FASTA file")
    p.add_argument("--annotation", metavar="FILE", help="GTF, GFF3 or gene table instead of the genome's own")
    p.add_argument(
        "--base-model",
        metavar="NAME",
        help="base model; `models list` shows them (default: that of --meta, else small)",
    )
    p.add_argument("--weights", metavar="PATH", help="file or folder with the model's weights")
    p.add_argument("--meta", metavar="PATH", help="trained meta-layer model of sites: recalibrated probabilities too")
    p.add_argument(
        "--precision", choices=("float32", "bfloat16"), default="float32",
        help="numbers that the base model computes in (default: %(default)s)",
    )  # fmt: skip
    p.add_argument("-o", "--output", metavar="PREFIX", required=True, help="beginning of the files' names, or a folder")
    p.add_argument(
        "--formats", metavar="LIST", default="bedgraph.gz,bed", help=f"any of {_FORMATS} (default: %(default)s)"
    )
    p.add_argument(
        "--floor", type=float, default=0.001, metavar="P",
        help="leave out positions below this probability; 0 leaves out none (default: %(default)s)",
    )  # fmt: skip
    p.add_argument("--decimals", type=int, default=4, metavar="N", help="of a probability (default: %(default)s)")
    p.add_argument(
        "--threshold", type=float, default=0.5, metavar="P",
        help="probability from which a position is a site (default: %(default)s)",
    )  # fmt: skip
    p.add_argument("--track-lines", action="store_true", help="a track line in bedGraph and BED, for custom tracks")
    p.add_argument("--parts", metavar="FOLDER", help="keep finished genes here, for later runs too")
    p.add_argument("--json", dest="as_json", action="store_true", help="print the summary as JSON")
    p.add_argument("--quiet", action="store_true", help="show neither progress nor summary")
    p.set_defaults(handler=_predict)


def _predict(arguments: argparse.Namespace) -> int:
    from agentic_spliceai.orchestration.meter import Meter
    from agentic_spliceai.orchestration.progress import progress_display
    from agentic_spliceai.tools.context import Resources, ToolContext
    from agentic_spliceai.tools.interaction import nobody_listens
    from agentic_spliceai.tools.plain_text import json_text, printable
    from agentic_spliceai.tools.predict_tracks import TOOL
    from agentic_spliceai.tools.track_types import KEPT

    folder, name = _place(arguments.output)
    args = TOOL.parse_args(
        {
            "targets": arguments.targets,
            "bed": arguments.bed,
            "all_genes": arguments.all_genes,
            "contigs": arguments.contig,
            "genome": arguments.genome,
            "annotation": arguments.annotation,
            "base_model": arguments.base_model,
            "weights": arguments.weights,
            "meta_model": arguments.meta,
            "precision": arguments.precision,
            "folder": folder,
            "name": name,
            "parts": arguments.parts,
            "formats": [name.strip() for name in arguments.formats.split(",")],
            "floor": arguments.floor,
            "decimals": arguments.decimals,
            "threshold": arguments.threshold,
            "track_lines": arguments.track_lines,
        }
    )
    meter = None if arguments.quiet else Meter(sys.stderr, "nt", idle=frozenset({KEPT}))
    display = progress_display(quiet=arguments.quiet)
    context = ToolContext(Resources(progress=display), keep_record=False, listen=meter or nobody_listens)
    try:
        result = TOOL.call(args, context)
    finally:
        display.close()
        if meter is not None:
            meter.close()
    if arguments.as_json:
        print(json_text(TOOL.dump_result(result)))
    if not arguments.quiet:
        sys.stderr.write("".join(f"{printable(line)}\n" for line in _told(result)))
    return EXIT_OK


def _place(output: str) -> tuple[str, str]:
    """Return folder and beginning of the names that `-o` stands for."""
    from agentic_spliceai.tools.predict_tracks import NAME

    path = Path(output).expanduser()
    if output.endswith(("/", os.sep)) or path.is_dir() or not path.name:
        return str(path), NAME
    return str(path.parent), path.name


def _told(result: PredictTracksResult) -> list[str]:
    """Return the summary for people."""
    summary = result.summary
    lines = [f"note: {item.target}: {item.reason.message} {item.reason.advice}" for item in result.refused[:_TOLD]]
    missing = sum(summary.reasons.values())
    if missing > _TOLD:
        listed = ", ".join(f"{code} {count:,}" for code, count in summary.reasons.items())
        lines.append(f"note: {missing:,} targets and genes without values ({listed}): the table of genes has them all")
    again = f", {summary.genes_from_parts:,} of them from an earlier attempt" if summary.genes_from_parts else ""
    unknown = f" ({summary.without_sequence:,} nt have no sequence)" if summary.without_sequence else ""
    lines.append(f"{_count(summary.genes, 'gene')}{again}, {summary.positions:,} nt{unknown}")
    for name, counts in summary.predictors.items():
        share = f", {counts.annotated_found / summary.annotated_sites:.1%}" if summary.annotated_sites else ""
        lines.append(
            f"{name}: {_count(counts.sites, 'site')} from {summary.options.threshold:g} on; "
            f"{counts.annotated_found:,} of {_count(summary.annotated_sites, 'annotated site')} found{share}"
        )
    listing = next(path for path in summary.files if path.endswith(".json"))
    lines.append(f"{len(summary.files)} files {listing.removesuffix('json')}*; {listing} says what each of them holds")
    return lines


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"
