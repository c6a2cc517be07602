"""Constructs, a two-exon gene and tables small enough to reckon by hand."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np

from agentic_spliceai.splice_engine.genome.annotation import GeneAnnotation
from agentic_spliceai.splice_engine.genome.reference import ReferenceGenome
from agentic_spliceai.splice_engine.genome.sequence import reverse_complement
from agentic_spliceai.splice_engine.genome.types import GenomeBuild, Strand, Variant
from agentic_spliceai.splice_engine.meta_layer.data.measured import Construct, MeasuredVariant
from agentic_spliceai.splice_engine.meta_layer.data.variant_examples import VariantExamples, build_examples
from agentic_spliceai.splice_engine.meta_layer.data.variant_inputs import construct_inputs
from tests.splice_engine.base_layer.toys import ACCEPTOR_MOTIF, DONOR_MOTIF, MotifModel, write_genome, write_gtf

FILL = "ACTCATTCACTT"

# A construct of 80 nt: exon of 30 nt at 25. The acceptor's G stands at 25, the donor's G at 54.
EXON_AT, EXON_LENGTH = 25, 30


def toy_construct() -> str:
    sequence = list((FILL * 10)[:80])
    sequence[EXON_AT - 6 : EXON_AT + 1] = ACCEPTOR_MOTIF
    sequence[EXON_AT + EXON_LENGTH - 3 : EXON_AT + EXON_LENGTH + 5] = DONOR_MOTIF
    return "".join(sequence)


def measured(
    name: str,
    at: int,
    deleted: str,
    inserted: str,
    *,
    psi: float = 0.0,
    ref: str | None = None,
    chrom: str = "chr2",
    group: str = "exon",
    gene: str | None = None,
) -> MeasuredVariant:
    """A variant of the toy construct; `at` is the 0-based place of the change in it."""
    ref = ref or toy_construct()
    assert ref[at : at + len(deleted)] == deleted
    alt = ref[:at] + inserted + ref[at + len(deleted) :]
    anchor = "" if deleted and inserted else ref[at - 1]
    return MeasuredVariant(
        id=name,
        source="toy",
        chrom=chrom,
        strand=Strand.PLUS,
        group=group,
        variant=Variant(
            contig=chrom,
            position=1001 + at - len(anchor),
            ref=anchor + deleted,
            alt=anchor + inserted,
            build=GenomeBuild.GRCH38,
        ),
        positions={GenomeBuild.GRCH38: 1001 + at - len(anchor)},
        gene=gene,
        construct=Construct(ref, alt, at, at, deleted, inserted, EXON_AT, EXON_LENGTH),
        psi=psi,
        altering=psi <= -0.5,
        published={"other": abs(psi)},
    )


def toy_examples(
    *records: MeasuredVariant, window: int = 81, model: MotifModel | None = None, center: str = "construct"
) -> VariantExamples:
    model = model or MotifModel()
    inputs = construct_inputs(records, context=model.info.context)
    return build_examples(inputs, model, window=window, center=center)  # type: ignore[arg-type]


# A gene of 700 nt: exon 1: 101-200, exon 2: 301-400, exon 3: 501-600 (1-based).
EXONS = [(101, 200), (301, 400), (501, 600)]


def toy_sequence() -> str:
    sequence = list((FILL * 70)[:700])
    for donor in (200, 400):
        sequence[donor - 3 : donor + 5] = DONOR_MOTIF
    for acceptor in (301, 501):
        sequence[acceptor - 7 : acceptor] = ACCEPTOR_MOTIF
    return "".join(sequence)


def toy_gene(folder: Path, strand: str = "+") -> tuple[ReferenceGenome, GeneAnnotation]:
    """The gene on the plus strand, or its mirror image on the minus strand of a mirrored genome."""
    folder.mkdir(exist_ok=True)
    sequence, exons = toy_sequence(), EXONS
    if strand == "-":
        sequence = reverse_complement(sequence)
        exons = [(701 - end, 701 - start) for start, end in reversed(EXONS)]
    genome = ReferenceGenome(write_genome(folder, sequence))
    return genome, GeneAnnotation.load(write_gtf(folder, [("GENE", "chr1", strand, exons)]))


def mirrored(variant: Variant) -> Variant:
    """The same change on the mirrored genome, not normalised."""
    return Variant(
        contig="chr1",
        position=701 - variant.end,
        ref=reverse_complement(variant.ref),
        alt=reverse_complement(variant.alt),
    )


def write_table(path: Path, header: list[str], rows: list[list[object]], *, delimiter: str = "\t") -> Path:
    text = "\n".join(delimiter.join(map(str, row)) for row in [header, *rows]) + "\n"
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def bases(codes: np.ndarray) -> str:
    return "".join("ACGT."[code] for code in codes)
