"""A genome of a few small genes with whole and broken splice motifs, on both strands, and artifacts made of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from pydantic import BaseModel

from agentic_spliceai.splice_engine.genome.annotation import GeneAnnotation
from agentic_spliceai.splice_engine.genome.reference import ReferenceGenome
from agentic_spliceai.splice_engine.genome.sequence import reverse_complement
from agentic_spliceai.splice_engine.genome.types import Gene
from tests.splice_engine.base_layer.toys import ACCEPTOR_MOTIF, DONOR_MOTIF, MotifModel
from tests.splice_engine.genome.toys import gtf_row, write_fasta

_Model = TypeVar("_Model", bound=BaseModel)

LENGTH = 1600
"""nt of each contig; the gene lies at 101-1400 (1-based), or at 201-1500 where it is on the minus strand."""

EXONS = ((101, 300), (501, 650), (801, 900), (1201, 1400))
"""On the plus strand, 1-based inclusive. The third exon is skipped by the second transcript."""

DECOY = 1000
"""1-based position of a whole donor motif that no transcript uses: the base model's false positive."""

CONTIGS = {"chr1": "+", "chr2": "-", "chr4": "+", "chr13": "-", "chr16": "+"}


def plus_sequence(seed: int) -> str:
    """The donor at 300, 900, and the acceptors but that at 801, have whole motifs; the donor at 650 has none."""
    bases = np.random.default_rng(seed).choice(list("ACT"), LENGTH)  # without G no motif arises by chance
    for donor in (300, 900, DECOY):
        bases[donor - 4 : donor + 5] = list("A" + DONOR_MOTIF)  # without the A, CAGG could end an acceptor's motif
    for acceptor in (501, 1201):
        bases[acceptor - 7 : acceptor] = list(ACCEPTOR_MOTIF)
    return "".join(bases)


def changed(thing: _Model, **fields: object) -> _Model:
    """A copy with other fields, without what the original has cached of its own."""
    return type(thing)(**{**{name: getattr(thing, name) for name in type(thing).model_fields}, **fields})


def mirrored(blocks: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    return sorted((LENGTH + 1 - end, LENGTH + 1 - start) for start, end in blocks)


@dataclass(frozen=True)
class ToyWorld:
    genome: ReferenceGenome
    annotation: GeneAnnotation
    model: MotifModel

    def gene(self, contig: str) -> Gene:
        return self.annotation.gene(f"G{contig}")


def toy_world(folder: Path, contigs: dict[str, str] | None = None, *, seed: int | None = None) -> ToyWorld:
    """Write one gene a contig; with `seed` all contigs have the same sequence, each on its strand."""
    folder.mkdir(parents=True, exist_ok=True)
    contigs = contigs or CONTIGS
    sequences, rows = {}, ""
    for number, (contig, strand) in enumerate(contigs.items()):
        plus = plus_sequence(number if seed is None else seed)
        sequences[contig] = plus if strand == "+" else reverse_complement(plus)
        for name, exons in (("a", EXONS), ("b", (EXONS[0], EXONS[1], EXONS[3]))):
            blocks = list(exons) if strand == "+" else mirrored(exons)
            attributes = f'gene_id "G{contig}"; gene_name "N{contig}"; transcript_id "T{contig}{name}";'
            for kind in ("exon", "CDS") if name == "a" else ("exon",):
                rows += "".join(gtf_row(kind, start, end, strand, attributes, contig) for start, end in blocks)
    fasta = write_fasta(folder / "toy.fa", sequences)
    gtf = folder / "toy.gtf"
    gtf.write_text(rows, encoding="ascii")
    return ToyWorld(
        ReferenceGenome(fasta, cache_dir=folder), GeneAnnotation.load(gtf, cache_dir=folder), MotifModel(context=40)
    )
