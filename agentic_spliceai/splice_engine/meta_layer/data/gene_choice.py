"""Which genes a study takes: a reproducible choice by part of the split."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from agentic_spliceai.splice_engine.base_layer.training.split import TEST, TRAIN, VALIDATION, ChromosomeSplit
from agentic_spliceai.splice_engine.errors import TrainingDataError
from agentic_spliceai.splice_engine.genome.annotation import GeneAnnotation
from agentic_spliceai.splice_engine.genome.reference import ReferenceGenome
from agentic_spliceai.splice_engine.genome.types import Gene

COUNTS: Mapping[str, int] = {TRAIN: 120, VALIDATION: 30, TEST: 70}
"""Genes of each part in the study of canonical sites."""


def choose_genes(
    annotation: GeneAnnotation,
    genome: ReferenceGenome,
    *,
    counts: Mapping[str, int] = COUNTS,
    split: ChromosomeSplit | None = None,
    max_length: int = 60_000,
    min_introns: int = 2,
    seed: int = 0,
) -> dict[str, tuple[Gene, ...]]:
    """Choose protein-coding genes that are wholly sequenced, by a seeded hash of their ids.

    Parameters
    ----------
    annotation, genome
        Where the genes are.
    counts
        How many genes of each part; all of them where there are fewer.
    split
        Which chromosomes belong to which part; genes in a region that it leaves out are never taken.
    max_length
        Longest gene, nt.
    min_introns
        Introns that the representative transcript has at least.
    seed
        Another seed chooses other genes. Asking for more genes keeps those chosen before.

    Returns
    -------
    dict of tuple of Gene
        By part, in genomic order.

    Raises
    ------
    TrainingDataError
        If a part has no gene.
    """
    split = split or ChromosomeSplit()
    found: dict[str, list[tuple[str, Gene]]] = {part: [] for part in counts}
    for gene in annotation.genes:
        part = split.part_of(gene.contig, gene.start, gene.end)
        transcript = gene.representative
        if part not in found or not transcript.is_coding or len(transcript.introns) < min_introns:
            continue
        if gene.end - gene.start <= max_length and genome.has_contig(gene.contig):
            key = hashlib.sha256(f"{seed}\t{gene.id}\t{gene.contig}".encode()).hexdigest()
            found[part].append((key, gene))
    chosen: dict[str, tuple[Gene, ...]] = {}
    for part, candidates in found.items():
        taken: list[Gene] = []
        for _, gene in sorted(candidates, key=lambda item: item[0]):
            if len(taken) == counts[part]:
                break
            if genome.has_sequence(gene.interval):
                taken.append(gene)
        if not taken:
            raise TrainingDataError(
                f"No wholly sequenced coding gene is left for {part}.", "Allow longer genes, or change the split."
            )
        chosen[part] = tuple(sorted(taken, key=lambda g: (g.contig, g.start, g.id)))
    return chosen
