"""Hand-made genes, and a corpus with planted splice sites."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from agentic_spliceai.splice_engine.base_layer.training.corpus import Corpus, build_corpus
from agentic_spliceai.splice_engine.base_layer.training.split import ChromosomeSplit
from agentic_spliceai.splice_engine.genome.types import Gene, Strand, Transcript

Exons = tuple[tuple[int, int], ...]


def gene(name: str, contig: str, strand: str, *transcripts: Exons) -> Gene:
    """A gene of transcripts given by their exons, 0-based half-open; the first is its representative."""
    made = tuple(
        Transcript(
            id=f"{name}.{i}", gene_id=name, gene_name=name, contig=contig, strand=Strand(strand), exons=exons,
            biotype="protein_coding",
        )
        for i, exons in enumerate(transcripts)
    )  # fmt: skip
    return Gene(
        id=name, name=name, contig=contig, strand=Strand(strand), start=min(t.start for t in made),
        end=max(t.end for t in made), biotype="protein_coding", transcripts=made, representative_id=f"{name}.0",
    )  # fmt: skip


def fetch_from(contigs: dict[str, str]) -> Callable[[str, int, int], str]:
    """A reader of plus strands with N beyond either end."""

    def fetch(contig: str, start: int, end: int) -> str:
        return "".join(contigs[contig][i] if 0 <= i < len(contigs[contig]) else "N" for i in range(start, end))

    return fetch


def random_bases(length: int, seed: int) -> str:
    """Bases drawn evenly."""
    return "".join(np.array(list("ACGT"))[np.random.default_rng(seed).integers(4, size=length)])


def planted_corpus(contigs: tuple[str, ...], *, length: int, flank: int) -> Corpus:
    """One plus-strand gene a contig, an intron every 100 nt whose ends stand out: `CAG|GTAAGT ... TTTTTTTTTTCAG|G`."""
    sequences, genes = {}, []
    for number, contig in enumerate(contigs):
        bases = list(random_bases(length, number))
        exons, start = [], 20
        for at in range(60, length - 100, 100):
            bases[at - 3 : at + 6] = "CAGGTAAGT"
            bases[at + 37 : at + 51] = "TTTTTTTTTTCAGG"
            exons.append((start, at))
            start = at + 50
        exons.append((start, length - 20))
        sequences[contig] = "".join(bases)
        genes.append(gene(f"g{number}", contig, "+", tuple(exons)))
    return build_corpus(genes, fetch_from(sequences), ChromosomeSplit(), flank=flank)
