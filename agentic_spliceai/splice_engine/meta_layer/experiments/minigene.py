"""Simulated variants of exon constructs, for trying everything out: no download, and an answer that is known.

Nothing here is measured. An exon's inclusion follows one stated rule: `inclusion` is the logistic function of

    OFFSET + SITE_WEIGHT * (acceptor strength + donor strength) + ENHANCER * enhancers - SILENCER * silencers

Strength is the log-likelihood ratio, in nats, of a site's bases under a position weight matrix of the usual consensus
against equal frequencies; enhancers and silencers are counts of short motifs within the exon. A variant's effect is the
difference of inclusion between its two alleles plus normal noise. Base models of splice sites see the first part of the
rule and not the motifs, so a model that learns from these data can beat them. What it learns says nothing about a
human gene.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from functools import cache

import numpy as np

from agentic_spliceai.splice_engine.genome.sequence import BASES
from agentic_spliceai.splice_engine.genome.types import GenomeBuild, Strand, Variant
from agentic_spliceai.splice_engine.meta_layer.data.measured import Construct, MeasuredVariant
from agentic_spliceai.splice_engine.meta_layer.data.variant_classes import ALTERING_FROM

SOURCE = "minigene"

EXONS = 300
VARIANTS_PER_EXON = 10
FLANK = 45
"""Intron on either side of the exon, nt."""

SEED = 20240613
OFFSET, SITE_WEIGHT, ENHANCER, SILENCER = -11.5, 0.9, 2.0, 2.5
NOISE = 0.05
"""Standard deviation of a measured change of inclusion."""

INCLUDED = (0.75, 0.97)
"""Exons whose inclusion without a variant lies outside are drawn again: they cannot lose much, or hardly lose any."""

ENHANCERS = ("GAAG", "AGGA", "GACG")
SILENCERS = ("TAGG", "TTTG")

# Share of A, C, G, T at each place. Donor: -3 to +6; acceptor: -14 to +1. `|` is the end of the exon or the intron.
_DONOR = (
    (0.33, 0.37, 0.18, 0.12), (0.60, 0.13, 0.13, 0.14), (0.08, 0.04, 0.81, 0.07),  # M A G |
    (0.004, 0.004, 0.988, 0.004), (0.004, 0.004, 0.004, 0.988),  # G T
    (0.50, 0.03, 0.44, 0.03), (0.71, 0.08, 0.12, 0.09), (0.07, 0.06, 0.82, 0.05), (0.16, 0.17, 0.21, 0.46),  # R A G T
)  # fmt: skip
_ACCEPTOR = (
    *(((0.10, 0.31, 0.11, 0.48),) * 10),  # the polypyrimidine tract
    (0.24, 0.29, 0.21, 0.26), (0.05, 0.68, 0.01, 0.26),  # N Y
    (0.988, 0.004, 0.004, 0.004), (0.004, 0.004, 0.988, 0.004),  # A G
    (0.25, 0.14, 0.49, 0.12),  # | G
)  # fmt: skip
_DONOR_EXONIC, _ACCEPTOR_INTRONIC = 3, 14
_AREAS = (("donor", 0.35), ("acceptor", 0.25), ("exon", 0.3), ("intron", 0.1))


def inclusion(sequence: str, exon_start: int, exon_end: int) -> float:
    """Return the share of transcripts with the exon under the rule of this module.

    Parameters
    ----------
    sequence
        Construct, transcript sense.
    exon_start, exon_end
        0-based, half-open.
    """
    donor = sequence[exon_end - _DONOR_EXONIC : exon_end - _DONOR_EXONIC + len(_DONOR)]
    acceptor = sequence[exon_start - _ACCEPTOR_INTRONIC : exon_start - _ACCEPTOR_INTRONIC + len(_ACCEPTOR)]
    exon = sequence[exon_start:exon_end]
    score = OFFSET + SITE_WEIGHT * (_strength(donor, _DONOR) + _strength(acceptor, _ACCEPTOR))
    score += ENHANCER * _count(exon, ENHANCERS) - SILENCER * _count(exon, SILENCERS)
    return 1 / (1 + math.exp(-score))


@cache
def minigene_records() -> tuple[MeasuredVariant, ...]:
    """Return the simulated variants, always the same ones."""
    rng = np.random.default_rng(SEED)
    return tuple(record for number in range(EXONS) for record in _exon_records(number, rng))


def _exon_records(number: int, rng: np.random.Generator) -> Iterator[MeasuredVariant]:
    length = int(rng.integers(60, 101))
    start, end = FLANK, FLANK + length
    while True:
        sequence = _construct(length, rng)
        reference = inclusion(sequence, start, end)
        if INCLUDED[0] <= reference <= INCLUDED[1]:
            break
    # Exons stand on chromosomes 1 to 22 in turn, so that the usual split by chromosome works.
    chrom, position = f"chr{number % 22 + 1}", 1_000_000 + 10_000 * (number // 22)
    group = f"simulated_exon_{number:03d}"
    for at in _places(start, end, rng):
        ref = sequence[at]
        alt = str(rng.choice([base for base in BASES if base != ref]))
        changed = sequence[:at] + alt + sequence[at + 1 :]
        psi = inclusion(changed, start, end) - reference + float(rng.normal(0, NOISE))
        psi = round(min(1.0, max(-1.0, psi)), 4)
        yield MeasuredVariant(
            id=f"{group}:{at - start:+d}{ref}>{alt}",
            source=SOURCE,
            chrom=chrom,
            strand=Strand.PLUS,
            group=group,
            variant=Variant(contig=chrom, position=position + at, ref=ref, alt=alt, build=GenomeBuild.DEMO),
            positions={},
            gene=None,
            construct=Construct(sequence, changed, at, at, ref, alt, start, length),
            psi=psi,
            altering=psi <= ALTERING_FROM,
        )


def _construct(length: int, rng: np.random.Generator) -> str:
    """Return intron, exon and intron with sites drawn from the matrices, and a few motifs in the exon."""
    exon = list(_random(length, rng, (0.29, 0.21, 0.22, 0.28)))
    for _ in range(int(rng.integers(1, 4))):
        motif = str(rng.choice(ENHANCERS))
        at = int(rng.integers(3, length - _DONOR_EXONIC - len(motif)))
        exon[at : at + len(motif)] = motif
    before = _random(FLANK, rng, (0.25, 0.22, 0.18, 0.35))
    after = _random(FLANK, rng, (0.26, 0.20, 0.24, 0.30))
    sequence = list(before + "".join(exon) + after)
    for first, matrix in ((FLANK - _ACCEPTOR_INTRONIC, _ACCEPTOR), (FLANK + length - _DONOR_EXONIC, _DONOR)):
        sequence[first : first + len(matrix)] = [_random(1, rng, shares) for shares in matrix]
    return "".join(sequence)


def _places(start: int, end: int, rng: np.random.Generator) -> list[int]:
    """Return different places for variants: most near the sites and in the exon, as assays have them."""
    reach = {
        "donor": (end - _DONOR_EXONIC, end - _DONOR_EXONIC + len(_DONOR)),
        "acceptor": (start - _ACCEPTOR_INTRONIC, start - _ACCEPTOR_INTRONIC + len(_ACCEPTOR)),
        "exon": (start, end),
        "intron": (2, start - 20),
    }
    names, shares = [name for name, _ in _AREAS], [share for _, share in _AREAS]
    places: set[int] = set()
    while len(places) < VARIANTS_PER_EXON:
        low, high = reach[str(rng.choice(names, p=shares))]
        places.add(int(rng.integers(low, high)))
    return sorted(places)


def _random(length: int, rng: np.random.Generator, shares: tuple[float, ...]) -> str:
    weights = np.asarray(shares) / sum(shares)
    return "".join(rng.choice(list(BASES), size=length, p=weights).tolist())


def _strength(bases: str, matrix: tuple[tuple[float, ...], ...]) -> float:
    return sum(_LOG_RATIO[shares][base] for base, shares in zip(bases, matrix, strict=True))


def _count(exon: str, motifs: tuple[str, ...]) -> int:
    """Count the places at which one of the motifs begins."""
    return sum(exon.startswith(motifs, at) for at in range(len(exon)))


_LOG_RATIO: Mapping[tuple[float, ...], Mapping[str, float]] = {
    shares: {base: math.log(share / 0.25) for base, share in zip(BASES, shares, strict=True)}
    for shares in {*_DONOR, *_ACCEPTOR}
}
