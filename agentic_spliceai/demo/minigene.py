"""Write the synthetic minigene: `python -m agentic_spliceai.demo.minigene [--out FOLDER]`.

Four exons with an open reading frame, three introns with consensus sites (donor MAG|GTRWGW, branch point CTNAC,
polypyrimidine tract, acceptor YAG|G), random bases elsewhere. Same seed, same files.
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path

CONTIG = "minigene"
GENE = "DEMO1"
TRANSCRIPT = "DEMO1.1"
SEED = 123  # one of those where the shipped model finds every site and no strong decoy

_FLANK = 1200
_UTR5, _UTR3 = 60, 180
_CODING = (120, 118, 146, 156)  # coding bases of the four exons; the two inner ones are no multiple of 3
_INTRONS = (640, 900, 760)
_STOPS = ("TAA", "TAG", "TGA")
_CODONS = tuple(a + b + c for a in "ACGT" for b in "ACGT" for c in "ACGT" if a + b + c not in _STOPS)


def make_minigene(seed: int = SEED) -> tuple[str, list[tuple[int, int]], tuple[int, int]]:
    """Make the sequence.

    Returns
    -------
    sequence : str
        The whole contig, plus strand.
    exons : list of (start, end)
        0-based, half-open.
    cds : (start, end)
        From the A of ATG to the end of the stop codon, 0-based, half-open.
    """
    rng = random.Random(seed)
    coding = _coding_sequence(rng, sum(_CODING))
    parts = [_random(rng, _FLANK, "ACGT")]
    exons: list[tuple[int, int]] = []
    at, taken = _FLANK, 0
    for number, length in enumerate(_CODING):
        exon = coding[taken : taken + length]
        taken += length
        if number == 0:
            exon = _random(rng, _UTR5, "GCGCAT") + exon
        if number == len(_CODING) - 1:
            exon += _random(rng, _UTR3 - 30, "ACGT") + "AATAAA" + _random(rng, 24, "ACGT")
        parts.append(exon)
        exons.append((at, at + len(exon)))
        at += len(exon)
        if number < len(_INTRONS):
            intron = _intron(rng, number, _INTRONS[number])
            parts.append(intron)
            at += len(intron)
    parts.append(_random(rng, _FLANK, "ACGT"))
    return "".join(parts), exons, (exons[0][0] + _UTR5, exons[-1][1] - _UTR3)


def write_minigene(folder: Path, seed: int = SEED) -> tuple[Path, Path]:
    """Write `minigene.fa`, its index, and `minigene.gtf`; return the FASTA and the GTF."""
    sequence, exons, cds = make_minigene(seed)
    width = 60
    fasta, gtf = folder / "minigene.fa", folder / "minigene.gtf"
    lines = [sequence[i : i + width] for i in range(0, len(sequence), width)]
    fasta.write_text(f">{CONTIG}\n" + "\n".join(lines) + "\n", encoding="ascii")
    (folder / "minigene.fa.fai").write_text(
        f"{CONTIG}\t{len(sequence)}\t{len(CONTIG) + 2}\t{width}\t{width + 1}\n", encoding="ascii"
    )
    gene = f'gene_id "{GENE}"; gene_name "{GENE}"; gene_biotype "protein_coding";'
    transcript = f'{gene} transcript_id "{TRANSCRIPT}"; tag "representative";'

    def row(feature: str, start: int, end: int, attributes: str, frame: str = ".") -> str:
        return "\t".join([CONTIG, "synthetic", feature, str(start + 1), str(end), ".", "+", frame, attributes])

    rows = [row("gene", exons[0][0], exons[-1][1], gene), row("transcript", exons[0][0], exons[-1][1], transcript)]
    before = 0
    for number, (start, end) in enumerate(exons, start=1):
        rows.append(row("exon", start, end, f'{transcript} exon_number "{number}";'))
        coding = max(start, cds[0]), min(end, cds[1])
        rows.append(row("CDS", *coding, transcript, str(-before % 3)))
        before += coding[1] - coding[0]
    gtf.write_text("#!source synthetic minigene of agentic-spliceai\n" + "\n".join(rows) + "\n", encoding="ascii")
    return fasta, gtf


def _random(rng: random.Random, length: int, alphabet: str) -> str:
    return "".join(rng.choice(alphabet) for _ in range(length))


def _coding_sequence(rng: random.Random, length: int) -> str:
    """ATG, codons, stop; exon ends are bent to CAG|G afterwards, where no stop arises."""
    codons = ["ATG"] + [rng.choice(_CODONS) for _ in range(length // 3 - 2)] + ["TGA"]
    sequence = list("".join(codons))
    end = 0
    for exon in _CODING[:-1]:
        end += exon
        for offset, base in ((-3, "C"), (-2, "A"), (-1, "G"), (0, "G")):
            kept = sequence[end + offset]
            sequence[end + offset] = base
            at = (end + offset) // 3 * 3
            if "".join(sequence[at : at + 3]) in _STOPS:
                sequence[end + offset] = kept
    return "".join(sequence)


def _intron(rng: random.Random, number: int, length: int) -> str:
    """A common but not perfect donor, random middle, branch point, pyrimidine-rich tract with gaps, CAG or TAG."""
    donor = ("GTGAGT", "GTAAGA", "GTATGT")[number]
    branch = ("CTCAC", "CTAAC", "CTGAC")[number]
    tract = "".join(rng.choice("TTTCCTCTTACT") for _ in range(16))
    tail = _random(rng, 3, "ACT") + branch + _random(rng, 8, "ACT") + tract + rng.choice("CT") + "AG"
    middle = _random(rng, length - len(donor) - len(tail), "AAACCGGTTT")
    return donor + middle + tail


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Write the synthetic minigene's FASTA and GTF.")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, help="folder (default: beside this script)")
    parser.add_argument("--seed", type=int, default=SEED)
    arguments = parser.parse_args()
    write_minigene(arguments.out, arguments.seed)


if __name__ == "__main__":
    main()
