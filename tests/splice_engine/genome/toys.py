"""Small genomes and annotations written to a folder."""

from __future__ import annotations

import random
from pathlib import Path

import pysam

from agentic_spliceai.splice_engine.genome import ReferenceGenome, Variant


def fasta_text(contigs: dict[str, str], width: int = 60, end: str = "\n") -> str:
    return "".join(
        f">{name} made up{end}" + "".join(f"{sequence[i : i + width]}{end}" for i in range(0, len(sequence), width))
        for name, sequence in contigs.items()
    )


def write_fasta(path: Path, contigs: dict[str, str], width: int = 60) -> Path:
    path.write_text(fasta_text(contigs, width), encoding="ascii")
    return path


def write_bgzf(path: Path, contigs: dict[str, str], width: int = 60) -> Path:
    """A block-gzipped FASTA without indices, written by htslib."""
    plain = write_fasta(path.with_suffix(".plain"), contigs, width)
    pysam.tabix_compress(str(plain), str(path))
    return path


def random_bases(length: int, seed: int, letters: str = "ACGT") -> str:
    return "".join(random.Random(seed).choices(letters, k=length))


def applied(variant: Variant, sequence: str) -> str:
    """The contig's sequence with the variant in place; asserts that REF is what the sequence has."""
    start = variant.position - 1
    assert sequence[start : start + len(variant.ref)] == variant.ref
    return sequence[:start] + variant.alt + sequence[start + len(variant.ref) :]


def genome_of(folder: Path, **contigs: str) -> ReferenceGenome:
    return ReferenceGenome(write_fasta(folder / "toy.fa", contigs))


def gtf_row(kind: str, start: int, end: int, strand: str, attributes: str, contig: str = "chr1") -> str:
    return f"{contig}\ttoy\t{kind}\t{start}\t{end}\t.\t{strand}\t.\t{attributes}\n"


def write_transcripts(
    path: Path, transcripts: dict[str, tuple[str, str, list[tuple[int, int]], list[tuple[int, int]]]]
) -> Path:
    """A GTF of `id -> (gene, strand, exons, cds)`, blocks 1-based and inclusive."""
    text = ""
    for name, (gene, strand, exons, cds) in transcripts.items():
        attributes = f'gene_id "{gene}"; gene_name "{gene}"; transcript_id "{name}";'
        for kind, blocks in (("exon", exons), ("CDS", cds)):
            for start, end in blocks:
                text += gtf_row(kind, start, end, strand, attributes)
    path.write_text(text, encoding="ascii")
    return path
