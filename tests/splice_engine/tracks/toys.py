"""A toy genome with planted sites: a gene of each strand, two genes that overlap, one without sequence."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from agentic_spliceai.splice_engine.genome.annotation import GeneAnnotation
from agentic_spliceai.splice_engine.genome.bundle import GenomeBundle
from agentic_spliceai.splice_engine.genome.reference import ReferenceGenome
from agentic_spliceai.splice_engine.genome.sequence import reverse_complement
from tests.splice_engine.base_layer.toys import ACCEPTOR_MOTIF, DONOR_MOTIF, write_genome, write_gtf

LENGTH = 1500

#: Exons, 1-based and inclusive. FAR lies on a contig that the genome does not have, OUT reaches past chr1's end.
GENES = [
    ("FWD", "chr1", "+", [(101, 200), (301, 400)]),
    ("REV", "chr1", "-", [(151, 250), (351, 450)]),
    ("BIG", "chr1", "+", [(601, 700), (801, 900)]),
    ("SUB", "chr1", "+", [(651, 700), (801, 850)]),
    ("GAP", "chr1", "+", [(1001, 1100), (1201, 1300)]),
    ("OUT", "chr1", "+", [(1401, 1420), (1481, 1501)]),
    ("FAR", "chr9", "+", [(101, 200), (301, 400)]),
]

#: Exonic bases beside the introns, 1-based, by hand: on the plus strand the donor is an exon's last base and the
#: acceptor the next one's first; on the minus strand the first exon is the one further right, and its last transcribed
#: base is its leftmost.
SITES = {
    ("FWD", "donor"): 200,
    ("FWD", "acceptor"): 301,
    ("REV", "donor"): 351,
    ("REV", "acceptor"): 250,
    ("BIG", "donor"): 700,
    ("BIG", "acceptor"): 801,
}


def toy_sequence() -> str:
    rng = np.random.default_rng(5)
    bases = rng.choice(list("AC"), LENGTH)  # neither motif, on neither strand
    for donor, acceptor in ((200, 301), (700, 801)):
        plant(bases, donor - 3, DONOR_MOTIF)
        plant(bases, acceptor - len(ACCEPTOR_MOTIF), ACCEPTOR_MOTIF)
    # Minus strand: the motif's donor base, its third, falls on 351, so the motif ends two to the right of it.
    plant(bases, 353 - len(DONOR_MOTIF), reverse_complement(DONOR_MOTIF))
    plant(bases, 249, reverse_complement(ACCEPTOR_MOTIF))
    bases[1000:1300] = "N"
    return "".join(bases)


def plant(bases: np.ndarray, start: int, motif: str) -> None:
    bases[start : start + len(motif)] = list(motif)


@dataclass(frozen=True)
class Toy:
    genome: ReferenceGenome
    annotation: GeneAnnotation

    @property
    def bundle(self) -> GenomeBundle:
        return GenomeBundle("toy", None, self.genome, self.annotation, is_demo=False)


def toy(folder: Path, sequence: str | None = None) -> Toy:
    folder.mkdir(parents=True, exist_ok=True)
    return Toy(
        ReferenceGenome(write_genome(folder, sequence or toy_sequence()), cache_dir=folder),
        GeneAnnotation.load(write_gtf(folder, GENES), cache_dir=folder),
    )
