"""The incremental scorer beside the plain one: variants a second, work, memory and error, each pair in one run.

    AGENTIC_SPLICEAI_MIRROR=... python benchmarks/incremental.py [--distances 50 500] [--span 100] [--threads 2]

Three cases of SNVs in completely sequenced genes: `isolated`, one a gene; `gene`, twenty in a gene of 40 to 50 kb;
`saturation`, every SNV of a stretch of that gene (`--span` nt; the longer, the less its reference pass counts). Each
measurement is a process of its own, after a warm-up on other variants, and reference passes are counted in. The plain
scorer does not gain from neighbours and is measured on the first variants of a case.

`GFLOP` is the least that a variant needs, over all networks: its alternate where it differs from the reference and the
window needs it, and its share of a reference pass over what any window of the gene needs. GFLOP/s is that times the
rate, `of peak` its share of the rate of a 2,048 x 2,048 matrix product in the same number format in this run; it may
pass 100 %, since the work is counted as direct convolutions (see `base_layer.fourier`). Errors are the largest
difference of a gain or loss to the plain scorer.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

CASES = ("isolated", "gene", "saturation")
METHODS = ("plain", "float32", "bfloat16")


def pick(case: str, genome: Any, annotation: Any, distance: int, span: int, context: int) -> list[Any]:
    """Return a case's SNVs, each in exactly one gene with real sequence in all of its context."""
    from agentic_spliceai.splice_engine.genome.types import Variant

    def bases(gene: Any, first: int, last: int) -> str:
        """Return the sequence that windows of positions first to last see, if it is complete and of one gene."""
        reach = distance + context // 2
        seen = genome.fetch_padded(gene.contig, first - 1 - reach, last + reach)
        lone = all(
            [g.id for g in annotation.genes_at_variant(Variant(contig=gene.contig, position=p, ref="A", alt="C"))]
            == [gene.id]
            for p in (first, last)
        )
        return seen[reach : reach + last - first + 1] if lone and "N" not in seen else ""

    def snv(gene: Any, position: int, ref: str, step: int = 1) -> Any:
        alt = "ACGT"[("ACGT".index(ref) + step) % 4]
        return Variant(contig=gene.contig, position=position, ref=ref, alt=alt)

    genes = sorted(annotation.genes, key=lambda gene: (gene.contig, gene.start))
    if case == "isolated":
        middles = [(gene, (gene.start + gene.end) // 2) for gene in genes if gene.end - gene.start > 15_000]
        found = [snv(gene, at, ref) for gene, at in middles if (ref := bases(gene, at, at))]
        return found[:: max(1, len(found) // 12)][:12]
    for gene in genes:
        if 40_000 <= gene.end - gene.start <= 50_000:
            first = gene.start + 1000
            sequence = bases(gene, first, gene.end - 1000)
            if sequence and case == "gene":
                return [snv(gene, first + i, sequence[i]) for i in range(0, len(sequence), len(sequence) // 19)][:20]
            if sequence:
                at = len(sequence) // 2
                return [snv(gene, first + at + i, sequence[at + i], step) for i in range(span) for step in (1, 2, 3)]
    raise SystemExit("No gene of 40 to 50 kb is completely sequenced in this genome.")


def minimal_flop(model: Any, variants: list[Any], annotation: Any, distance: int) -> float:
    """Return FLOP a variant, all networks."""
    from agentic_spliceai.splice_engine.base_layer.cones import EditShape, positions_by_convolution
    from agentic_spliceai.splice_engine.base_layer.folding import fold

    network = fold(model.networks[0])
    convolutions = [conv for unit in network.units for conv in (unit.conv1, unit.conv2)]
    cost = [2 * conv.weight.numel() for conv in convolutions]
    by_gene: dict[str, list[int]] = {}
    for variant in variants:
        by_gene.setdefault(annotation.genes_at_variant(variant)[0].id, []).append(variant.position)
    counts = positions_by_convolution(EditShape(distance, 1, distance), network.halos)
    total = len(variants) * sum(c * n for c, n in zip(cost, counts, strict=True))
    missing = network.half_context
    for conv, price in zip(convolutions, cost, strict=True):
        missing -= conv.halo
        width = 2 * (distance + missing) + 1
        for positions in by_gene.values():
            total += price * (width + sum(min(b - a, width) for a, b in pairwise(sorted(positions))))
    return len(model.networks) * total / len(variants)


def work(arguments: argparse.Namespace) -> dict[str, Any]:
    """Measure one method on one case in this process."""
    import torch

    from agentic_spliceai.splice_engine.base_layer.registry import load_base_model
    from agentic_spliceai.splice_engine.base_layer.results import Precision
    from agentic_spliceai.splice_engine.base_layer.scoring import VariantScorer
    from agentic_spliceai.splice_engine.genome.annotation import GeneAnnotation
    from agentic_spliceai.splice_engine.genome.reference import ReferenceGenome
    from agentic_spliceai.splice_engine.resources import ResourceResolver

    torch.set_num_threads(arguments.threads)
    clock = time.process_time if arguments.processor_time else time.perf_counter
    case, method, distance = arguments.worker
    scratch = Path(arguments.scratch)
    resolver = ResourceResolver(scratch, mirror=arguments.mirror, allow_download=False)
    model = load_base_model(arguments.base_model, resolver)
    genome = ReferenceGenome(arguments.mirror / "GRCh38/genome.fa.gz", cache_dir=scratch)
    annotation = GeneAnnotation.load(arguments.mirror / "GRCh38/annotation.gtf.gz", cache_dir=scratch)
    variants = pick(case, genome, annotation, int(distance), arguments.span, model.info.context)
    plain = method == "plain"
    scorer = VariantScorer(
        genome,
        annotation,
        model,
        int(distance),
        precision=Precision.FLOAT32 if plain else Precision(method),
        plain=plain,
    )
    warm = variants[-8:] if case == "saturation" else variants[-1:]
    list(scorer.score_all(warm))
    measured = variants[: arguments.plain_variants] if plain else variants
    seconds = []
    for _ in range(arguments.repeats):
        start = clock()
        rows = list(scorer.score_all(measured))
        seconds.append(clock() - start)
    peaks = []
    square = torch.randn(2048, 2048).to(torch.bfloat16 if method == "bfloat16" else torch.float32)
    peak_memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(8):
        start = clock()
        torch.mm(square, square)
        peaks.append(2 * 2048**3 / (clock() - start))
    return {
        "variants": len(variants),
        "rate": len(measured) / min(seconds),
        "mib": peak_memory / 1024,
        "peak": max(peaks),
        "flop": minimal_flop(model, variants, annotation, int(distance)),
        "scores": [[change.score for change in row.deltas[0].raw.changes()] for row in rows],
    }


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mirror", type=Path, default=os.environ.get("AGENTIC_SPLICEAI_MIRROR"))
    parser.add_argument("--base-model", default="openspliceai")
    parser.add_argument("--distances", type=int, nargs="+", default=[50, 500])
    parser.add_argument("--cases", nargs="+", choices=CASES, default=CASES)
    parser.add_argument("--span", type=int, default=100, help="nt of the saturated stretch")
    parser.add_argument("--plain-variants", type=int, default=8, help="variants that the plain scorer is measured on")
    parser.add_argument("--repeats", type=int, default=2, help="the best counts")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument(
        "--processor-time", action="store_true", help="count processor seconds: for a busy machine, with --threads 1"
    )
    parser.add_argument("--worker", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--scratch", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.mirror is None:
        raise SystemExit("Set AGENTIC_SPLICEAI_MIRROR or give --mirror: this benchmark runs on real data.")
    if arguments.worker:
        print(json.dumps(work(arguments)))
        return
    seconds = "processor" if arguments.processor_time else "wall-clock"
    print(f"{arguments.base_model}, threads: {arguments.threads}, {seconds} seconds, every pair in one run\n")
    print("| case | n | D | method | variants/s | ratio | GFLOP | GFLOP/s | of peak | peak MiB | error |")
    print("|---|---:|---:|---|---:|---:|---:|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as scratch:
        for case in arguments.cases:
            for distance in arguments.distances:
                found: dict[str, dict[str, Any]] = {}
                for method in METHODS:
                    command = [sys.executable, __file__, *sys.argv[1:], "--mirror", str(arguments.mirror)]
                    command += ["--scratch", scratch, "--worker", case, method, str(distance)]
                    done = subprocess.run(command, capture_output=True, text=True, check=False)
                    if done.returncode:
                        raise SystemExit(f"{case}, {method} failed: {done.stderr[-2000:]}")
                    row = found[method] = json.loads(done.stdout)
                    first = found["plain"]
                    error = max(
                        abs(a - b)
                        for ours, theirs in zip(row["scores"], first["scores"], strict=False)
                        for a, b in zip(ours, theirs, strict=True)
                    )
                    rate, flop = row["rate"], row["flop"]
                    print(
                        f"| {case} | {row['variants']} | {distance} | {method} | {rate:.2f} "
                        f"| {rate / first['rate']:.1f} | {flop / 1e9:.1f} | {rate * flop / 1e9:.0f} "
                        f"| {rate * flop / row['peak']:.0%} | {row['mib']:.0f} | {error:.0e} |",
                        flush=True,
                    )


if __name__ == "__main__":
    main()
