"""Our weights beside OpenSpliceAI's 400-nt models, on the very same positions of the test chromosomes."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from agentic_spliceai.splice_engine.base_layer.loaders import load_openspliceai, load_safetensors
from agentic_spliceai.splice_engine.base_layer.network import SpliceNetwork
from agentic_spliceai.splice_engine.base_layer.results import SpliceClass
from agentic_spliceai.splice_engine.base_layer.training.corpus import IGNORE, Corpus, Locus
from agentic_spliceai.splice_engine.base_layer.training.metrics import (
    Ranking,
    expected_calibration_error,
    reliability,
)
from agentic_spliceai.splice_engine.base_layer.training.predict import score_span
from agentic_spliceai.splice_engine.base_layer.training.split import TEST

log = logging.getLogger(__name__)

BINS = (0.0, 0.001, 0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0)
CLASSES = (SpliceClass.DONOR, SpliceClass.ACCEPTOR)
PROTEIN_CODING = "protein_coding"


@dataclass(frozen=True, eq=False)
class Panel:
    """The positions of one comparison.

    Attributes
    ----------
    name, meaning
        Short name, and what is counted.
    loci
        Test loci; the unit of the bootstrap.
    use : one bool array a locus
        Positions that count.
    """

    name: str
    meaning: str
    loci: tuple[int, ...]
    use: tuple[npt.NDArray[np.bool_], ...]


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def draw_loci(corpus: Corpus, nucleotides: int | None, seed: int) -> tuple[Locus, ...]:
    """Return test loci: all of them, or a random draw that stops at a number of labelled nucleotides."""
    loci = corpus.of(TEST)
    if nucleotides is None:
        return loci
    chosen, total = [], 0
    for i in np.random.default_rng(seed).permutation(len(loci)):
        if total >= nucleotides:
            break
        chosen.append(int(i))
        total += int((_labels(corpus, loci[i]) != IGNORE).sum())
    return tuple(loci[i] for i in sorted(chosen))


def panels(corpus: Corpus, loci: Sequence[Locus]) -> tuple[Panel, ...]:
    """Return the comparisons: all genes, protein-coding genes, and these with the representative transcripts' sites.

    In the last one the sites of other transcripts are neither right nor wrong; it is nearest to what OpenSpliceAI was
    trained on, one MANE transcript a protein-coding gene.
    """
    known = [_labels(corpus, locus) != IGNORE for locus in loci]
    coding = tuple(i for i, x in enumerate(loci) if all(g.biotype == PROTEIN_CODING for g in x.genes))
    minor = [
        (_labels(corpus, x) < SpliceClass.NEITHER) & ~corpus.representative[x.offset : x.offset + x.length]
        for x in loci
    ]
    return (
        Panel("all genes", "every gene, sites of all transcripts", tuple(range(len(loci))), tuple(known)),
        Panel(
            "protein-coding", "protein-coding genes, sites of all transcripts", coding, tuple(known[i] for i in coding)
        ),
        Panel(
            "protein-coding, representative",
            "protein-coding genes, sites of the representative transcripts; other transcripts' sites left out",
            coding,
            tuple(known[i] & ~minor[i] for i in coding),
        ),
    )


def score_loci(
    network: SpliceNetwork, corpus: Corpus, loci: Sequence[Locus], cache: Path | None, workers: int
) -> list[npt.NDArray[np.float32]]:
    """Return donor and acceptor probability, float32 [L, 2], of each locus; N outside of it, as variant scoring has it.

    `cache` is a file that keeps them, None for no cache. `workers` loci are scored at once.
    """
    bounds = np.cumsum([0, *(x.length for x in loci)])
    if cache is not None and cache.exists():
        flat = np.load(cache)
    else:
        flat = np.empty((bounds[-1], 2), dtype=np.float32)

        def score(index: int) -> None:
            x, at = loci[index], bounds[index]
            flat[at : at + x.length] = score_span([network], corpus, x.offset, x.offset + x.length)[0, :, :2]

        with ThreadPoolExecutor(workers) as pool:
            # The longest first, so that no worker is left alone with one at the end.
            list(pool.map(score, sorted(range(len(loci)), key=lambda i: -loci[i].length)))
        if cache is not None:
            cache.parent.mkdir(parents=True, exist_ok=True)
            np.save(cache, flat)
    return [flat[a:b] for a, b in pairwise(bounds)]


def measure(
    scores: Sequence[npt.NDArray[np.float32]],
    corpus: Corpus,
    loci: Sequence[Locus],
    panel: Panel,
    draws: int,
    seed: int,
) -> dict[str, Any]:
    """Return the figures of one model on one panel, by class."""
    result: dict[str, Any] = {}
    for kind in CLASSES:
        p = [scores[i][use, kind] for i, use in zip(panel.loci, panel.use, strict=True)]
        truth = [_labels(corpus, loci[i])[use] == kind for i, use in zip(panel.loci, panel.use, strict=True)]
        topk, area = Ranking.of(p, truth).estimates(draws=draws, seed=seed)
        every, right = np.concatenate(p), np.concatenate(truth)
        bins = reliability(every, right, BINS)
        result[kind.name.lower()] = {
            "sites": int(right.sum()),
            "positions": len(right),
            "top_k": asdict(topk),
            "pr_auc": asdict(area),
            "expected_over_observed_sites": float(every.sum(dtype=np.float64) / right.sum()),
            "calibration_error_from_0.1": expected_calibration_error(tuple(b for b in bins if b.low >= 0.1)),
            "reliability": [asdict(b) for b in bins],
        }
    return result


def evaluate(
    corpus: Corpus,
    weights: Path,
    openspliceai: Path | None,
    *,
    context: int,
    cache: Path | None,
    draws: int,
    seed: int,
    nucleotides: int | None,
    workers: int = 1,
) -> dict[str, Any]:
    """Score the test loci with every model and return all figures.

    Parameters
    ----------
    weights
        Our safetensors file.
    openspliceai
        Folder with OpenSpliceAI's `.pt` files of the same context, None to leave them out.
    cache
        Folder for scores, None for none.
    draws, seed
        Bootstrap samples, and the seed of bootstrap and draw.
    nucleotides
        Stop drawing loci at this many labelled nucleotides; None takes all.
    workers
        Loci scored at once, each by as many threads as torch is set to.
    """
    loci = draw_loci(corpus, nucleotides, seed)
    wanted = panels(corpus, loci)
    models: dict[str, list[tuple[str, SpliceNetwork]]] = {}
    digest = sha256(weights)
    models["ours"] = [(f"{digest}-{i}", n) for i, n in enumerate(load_safetensors(weights, context))]
    files = sorted(openspliceai.glob("*.pt")) if openspliceai else []
    if files:
        models["openspliceai"] = [(sha256(f), load_openspliceai(f, context)[0]) for f in files]
    rows = []
    tag = f"{corpus.digest()[:16]}-{nucleotides or 'all'}-{seed}"
    for name, members in models.items():
        total: list[npt.NDArray[np.float32]] = []
        for number, (key, network) in enumerate(members):
            log.info("%s: member %d of %d", name, number + 1, len(members))
            found = score_loci(network, corpus, loci, cache / f"{key}-{tag}.npy" if cache else None, workers)
            total = [a + b for a, b in zip(total, found, strict=True)] if total else [f.copy() for f in found]
            if len(members) > 1:
                rows.append(_row(name, number, found, corpus, loci, wanted, draws, seed))
        mean = [t / np.float32(len(members)) for t in total]
        rows.append(_row(name, None, mean, corpus, loci, wanted, draws, seed))
    return {
        "weights_sha256": digest,
        "weights_bytes": weights.stat().st_size,
        "openspliceai_sha256": {f.name: key for f, (key, _) in zip(files, models.get("openspliceai", []), strict=True)},
        "test": {
            "contigs": sorted({x.contig for x in loci}),
            "loci": len(loci),
            "genes": sum(len(x.genes) for x in loci),
            "nucleotides_drawn": nucleotides,
            "seed": seed,
            "bootstrap_draws": draws,
            "panels": [{"name": p.name, "meaning": p.meaning, "loci": len(p.loci)} for p in wanted],
        },
        "rows": rows,
    }


def _row(
    model: str,
    member: int | None,
    scores: list[npt.NDArray[np.float32]],
    corpus: Corpus,
    loci: Sequence[Locus],
    wanted: Sequence[Panel],
    draws: int,
    seed: int,
) -> dict[str, Any]:
    figures = {panel.name: measure(scores, corpus, loci, panel, draws, seed) for panel in wanted}
    return {"model": model, "member": member, "panels": figures}


def _labels(corpus: Corpus, locus: Locus) -> npt.NDArray[np.uint8]:
    return corpus.labels[locus.offset : locus.offset + locus.length]
