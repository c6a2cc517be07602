"""Our scorer, measured in a process of its own: `python ours.py JOB`, with the job and the answer as JSON."""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from measuring import Setting, run

if TYPE_CHECKING:
    from agentic_spliceai.splice_engine.base_layer.folding import FoldedNetwork
    from agentic_spliceai.splice_engine.base_layer.model import EnsembleModel
    from agentic_spliceai.splice_engine.genome.types import Variant

Scores = dict[str, list[float]]
"""By variant, gain and loss of acceptor and donor; or by site of a gene, its probability."""

PLAIN = "plain"
METHODS = (PLAIN, "float32", "bfloat16")
_WARM = 8
_SQUARE = 2048
SITE = 0.05
"""Probability from which a position of a gene is compared."""


@dataclass(frozen=True)
class Job:
    """What is to be measured.

    Attributes
    ----------
    method
        `plain` runs both alleles of a variant whole; the others are precisions of the incremental scorer.
    what
        A VCF, or the name of a gene that is scored whole.
    distance
        nt; of no meaning for a gene.
    """

    method: str
    what: str
    distance: int
    table: str
    fasta: str
    mirror: str
    scratch: str
    base_model: str
    device: str
    threads: int
    processor_time: bool


@dataclass(frozen=True)
class Answer:
    """What was found.

    Attributes
    ----------
    count
        Variants, or nt.
    seconds
        For all of them.
    mib
        Most memory of the process, or of the device.
    flop
        The least that one variant or nt takes, counted as direct convolutions, over all networks.
    peak
        FLOP/s of a matrix product in the number format of the method.
    scores
        See `Scores`.
    """

    count: int
    seconds: float
    mib: float
    flop: float
    peak: float
    scores: Scores


def ask(job: Job, setting: Setting) -> Answer:
    """Measure in a new process."""
    done = run(f"ours ({job.method})", [sys.executable, __file__, json.dumps(asdict(job))], setting)
    return Answer(**json.loads(done.output.splitlines()[-1]))


def prepare(job: Job) -> tuple[EnsembleModel, Callable[[bool], Scores], int, float]:
    """Load what a job needs; return the model, what scores all or, given True, a few to warm up, count and FLOP."""
    import torch

    from agentic_spliceai.splice_engine.base_layer.folding import fold
    from agentic_spliceai.splice_engine.base_layer.gene_tracks import score_gene
    from agentic_spliceai.splice_engine.base_layer.registry import load_base_model
    from agentic_spliceai.splice_engine.base_layer.results import Precision
    from agentic_spliceai.splice_engine.base_layer.scoring import VariantScorer
    from agentic_spliceai.splice_engine.genome.annotation import GeneAnnotation
    from agentic_spliceai.splice_engine.genome.reference import ReferenceGenome
    from agentic_spliceai.splice_engine.resources import ResourceResolver

    torch.set_num_threads(job.threads)
    resolver = ResourceResolver(Path(job.scratch), mirror=Path(job.mirror), allow_download=False)
    model = load_base_model(job.base_model, resolver, device=job.device)
    genome = ReferenceGenome(job.fasta, cache_dir=job.scratch)
    annotation = GeneAnnotation.load(job.table, cache_dir=job.scratch)
    network, members = fold(model.networks[0]), model.info.members
    precision = Precision.FLOAT32 if job.method == PLAIN else Precision(job.method)
    if not job.what.endswith(".vcf"):
        gene = annotation.gene(job.what)
        length = gene.end - gene.start

        def score_whole(warm: bool) -> Scores:
            end = min(gene.end, gene.start + 1000) if warm else None
            track = score_gene(gene, genome, model, end=end, precision=precision)
            return {
                f"{name}:{at}": [float(track.mean[at, column])]
                for column, name in enumerate(("donor", "acceptor"))
                for at in (track.mean[:, column] > SITE).nonzero()[0]
            }

        return model, score_whole, length, members * track_flop(network, length)
    variants = _read(Path(job.what))
    scorer = VariantScorer(genome, annotation, model, job.distance, precision=precision, plain=job.method == PLAIN)

    def score(warm: bool) -> Scores:
        return {
            key(str(row.variant.contig), row.variant.position, row.variant.ref, row.variant.alt): [
                change.score for change in row.deltas[0].raw.changes()
            ]
            for row in scorer.score_all(variants[-_WARM:] if warm else variants)
            if row.variant is not None
        }

    by_gene: dict[str, list[int]] = {}
    for variant in variants:
        by_gene.setdefault(annotation.genes_at_variant(variant)[0].id, []).append(variant.position)
    return model, score, len(variants), members * variant_flop(network, by_gene, job.distance)


def key(contig: str, position: int, ref: str, alt: str) -> str:
    """Name a variant in `Scores`."""
    return f"{contig}-{position}-{ref}-{alt}"


def variant_flop(network: FoldedNetwork, positions_by_gene: Mapping[str, Iterable[int]], distance: int) -> float:
    """Return the least FLOP that an SNV takes in one network.

    That is its alternate where it differs from the reference and the window needs it, and its share of a reference pass
    over what any window of its gene needs.
    """
    from agentic_spliceai.splice_engine.base_layer.cones import EditShape, positions_by_convolution

    genes = [sorted(positions) for positions in positions_by_gene.values()]
    variants = sum(map(len, genes))
    prices = _prices(network)
    counts = positions_by_convolution(EditShape(distance, 1, distance), network.halos)
    total = variants * sum(price * count for price, count in zip(prices, counts, strict=True))
    missing = network.half_context
    for halo, price in zip(network.halos, prices, strict=True):
        missing -= halo
        width = 2 * (distance + missing) + 1
        for positions in genes:
            total += price * (width + sum(min(after - before, width) for before, after in pairwise(positions)))
    return total / variants


def track_flop(network: FoldedNetwork, length: int) -> float:
    """Return the least FLOP that a position of a gene of so many takes in one network."""
    missing, total = network.half_context, 0
    for halo, price in zip(network.halos, _prices(network), strict=True):
        missing -= halo
        total += price * (length + 2 * missing)
    return total / length


def _prices(network: FoldedNetwork) -> list[int]:
    """Return the FLOP of one output position of each convolution."""
    return [2 * conv.weight.numel() for unit in network.units for conv in (unit.conv1, unit.conv2)]


def _read(path: Path) -> list[Variant]:
    from agentic_spliceai.splice_engine.genome.types import Variant

    rows = (line.split("\t") for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#"))
    return [Variant(contig=row[0], position=int(row[1]), ref=row[3], alt=row[4]) for row in rows]


def measure(job: Job) -> Answer:
    """Measure in this process, after a warm-up on a few."""
    model, score, count, flop = prepare(job)
    setting = Setting(job.threads, job.processor_time)
    score(True)
    start = setting.clock()
    scores = score(False)
    seconds = setting.clock() - start
    mib = _held(job.device)
    return Answer(count, seconds, mib, flop, _peak(model, job.method, setting), scores)


def _held(device: str) -> float:
    if device.startswith("cuda"):
        import torch

        return torch.cuda.max_memory_allocated() / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def _peak(model: EnsembleModel, method: str, setting: Setting) -> float:
    """Return the FLOP/s of a large matrix product."""
    import torch

    dtype = torch.bfloat16 if method == "bfloat16" else torch.float32
    size = _SQUARE if model.device.type == "cpu" else 4 * _SQUARE
    square = torch.randn(size, size, device=model.device).to(dtype)
    rates = []
    for _ in range(8):
        _finish(model)
        start = setting.clock()
        torch.mm(square, square)
        _finish(model)
        rates.append(2 * size**3 / (setting.clock() - start))
    return max(rates)


def _finish(model: EnsembleModel) -> None:
    """Wait for what the device still has to do."""
    if model.device.type == "cuda":
        import torch

        torch.cuda.synchronize(model.device)


def profile(job: Job, top: int) -> list[tuple[str, int, float]]:
    """Score once more under torch's profiler; return the operators that take most, their calls and seconds of their
    own, and what is left of the whole as `outside of operators`."""
    import torch
    from torch.profiler import ProfilerActivity

    model, score, *_ = prepare(job)
    score(True)
    on_device = model.device.type == "cuda"
    activities = [ProfilerActivity.CPU, ProfilerActivity.CUDA] if on_device else [ProfilerActivity.CPU]
    with torch.profiler.profile(activities=activities) as found:
        start = time.perf_counter()
        score(False)
        whole = time.perf_counter() - start
    rows: list[tuple[str, int, float]] = []
    for event in found.key_averages():
        micros: Any = event.self_device_time_total if on_device else event.self_cpu_time_total
        rows.append((event.key, event.count, micros / 1e6))
    rows.sort(key=lambda row: -row[2])
    return [*rows[:top], ("outside of operators", 1, whole - sum(row[2] for row in rows)), ("all", 1, whole)]


if __name__ == "__main__":
    print(json.dumps(asdict(measure(Job(**json.loads(sys.argv[1]))))))
