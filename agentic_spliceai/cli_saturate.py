"""`agentic-spliceai saturate`: every single-base change of a gene, an exon or a region, as a table and a picture."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agentic_spliceai.tools.saturate import SaturationSummary

EXIT_OK = 0
_EXAMPLES = """\
examples:
  agentic-spliceai saturate MYBPC3 --exon 15 --genome GRCh38 --base-model openspliceai -o e15.parquet --plot e15.svg
  agentic-spliceai saturate chr7:117559500-117559700 --genome GRCh38 -o region.tsv.gz
  agentic-spliceai saturate TP53 --genome GRCh38 --processes 4 -o tp53.parquet --plot tp53.png

The table has one row a change and gene: gain and loss of acceptor and donor (ds_), where (dp_, nt from the change), and
the probabilities on both alleles (ref_, alt_). A run that was stopped goes on where it was when the same command is
given again.
"""


def add_saturate(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand `saturate`."""
    p = commands.add_parser(
        "saturate",
        help="score every single-base change of a gene, exon or region: table and heat map",
        description="Score every single-base change of a gene, an exon or a region, as a table and a heat map.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument("target", metavar="TARGET", help="gene (symbol or id), or region chr7:117559500-117559700 (1-based)")
    p.add_argument("--genome", required=True, help="demo, GRCh38, GRCh37, or the path of a FASTA file")
    p.add_argument("--annotation", metavar="FILE", help="GTF, GFF3 or gene table instead of the genome's own")
    p.add_argument("--transcript", metavar="ID", help="transcript to take instead of its gene's representative")
    p.add_argument("--exon", metavar="N", type=int, help="only this exon of the gene, counted as it is transcribed")
    p.add_argument(
        "--flank", metavar="NT", type=int, help="bases beside the exon (default: 50), or beside the gene (default: 0)"
    )
    p.add_argument(
        "--base-model", metavar="NAME", default="small", help="base model; `models list` shows them (default: small)"
    )
    p.add_argument("--weights", metavar="PATH", help="file or folder with the model's weights")
    p.add_argument("--distance", metavar="NT", type=int, default=50, help="how far changes are sought (default: 50)")
    p.add_argument("--masked", action="store_true", help="leave out gains at annotated sites and losses elsewhere")
    p.add_argument(
        "--precision",
        choices=("float32", "bfloat16"),
        default="float32",
        help="numbers that the networks compute in; bfloat16 is faster on new processors, and not exact",
    )
    p.add_argument("--processes", metavar="N", type=int, default=1, help="processes that score (default: 1)")
    p.add_argument("--threads", metavar="N", type=int, help="threads of each process (default: the cores, shared out)")
    p.add_argument(
        "-o", "--output", metavar="FILE", required=True, help="the table: .parquet (needs pyarrow), .tsv or .tsv.gz"
    )
    p.add_argument("--plot", metavar="FILE", help="the heat map: .png, .svg or .html")
    p.add_argument("--top", metavar="N", type=int, default=10, help="how many changes to print (default: 10)")
    p.add_argument("--json", dest="as_json", action="store_true", help="print the summary as JSON")
    p.add_argument("--quiet", action="store_true", help="show no progress")
    p.set_defaults(handler=_saturate)


def _saturate(arguments: argparse.Namespace) -> int:
    from agentic_spliceai.orchestration.meter import Meter
    from agentic_spliceai.orchestration.progress import progress_display
    from agentic_spliceai.tools.context import Resources
    from agentic_spliceai.tools.interaction import nobody_listens
    from agentic_spliceai.tools.plain_text import json_text, printable
    from agentic_spliceai.tools.saturate import KEPT, SaturationOrder, saturate

    order = SaturationOrder(
        target=arguments.target,
        output=arguments.output,
        genome=arguments.genome,
        base_model=arguments.base_model,
        annotation=arguments.annotation,
        weights=arguments.weights,
        transcript=arguments.transcript,
        exon=arguments.exon,
        flank=arguments.flank,
        distance=arguments.distance,
        masked=arguments.masked,
        precision=arguments.precision,
        processes=arguments.processes,
        threads=arguments.threads,
        plot=arguments.plot,
        top=arguments.top,
    )
    meter = None if arguments.quiet else Meter(sys.stderr, "changes", idle=frozenset({KEPT}))
    display = progress_display(quiet=arguments.quiet)
    try:
        summary = saturate(order, Resources(progress=display), meter or nobody_listens)
    finally:
        display.close()
        if meter is not None:
            meter.close()
    if arguments.as_json:
        print(json_text(summary.model_dump(mode="json")))
    else:
        print("\n".join(printable(line) for line in _told(summary)))
    return EXIT_OK


def _told(summary: SaturationSummary) -> list[str]:
    """Return the summary for people."""
    again = f", {summary.from_parts:,} of them from an earlier attempt" if summary.from_parts else ""
    place = summary.region if summary.what == summary.region else f"{summary.what}, {summary.region}"
    lines = [
        f"{place}: {summary.bases:,} nt",
        f"{summary.changes:,} single-base changes{again}; {summary.scored:,} scored by {summary.predictor}",
    ]
    if summary.not_scored:
        listed = ", ".join(f"{code} {count:,} nt" for code, count in summary.not_scored.items())
        lines.append(f"without scores: {listed}; the table's metadata says where")
    lines.append(
        f"strong {summary.strong:,}, moderate or more {summary.moderate:,}, weak or more {summary.weak:,} "
        f"({summary.thresholds})"
    )
    for change in summary.top:
        kind = change.change.replace("_", " ")
        lines.append(
            f"  {change.max_score:.2f}  {change.variant:<24} {change.gene_name}  {kind} at {change.position:,}"
        )
    each = f", {summary.table_bytes / summary.rows:.1f} bytes each" if summary.rows else ""
    lines.append(f"{summary.table}: {summary.rows:,} rows{each}")
    if summary.plot is not None:
        lines.append(f"{summary.plot}: heat map")
    return lines
