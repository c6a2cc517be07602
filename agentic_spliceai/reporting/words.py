"""Names, numbers and places in the words that a reader knows; used alike by HTML, Markdown, plot and terminal."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime

from agentic_spliceai.splice_engine.base_layer.results import ChangeKind, Mask, SiteChange, Thresholds
from agentic_spliceai.splice_engine.consequence.codes import CodeStrength
from agentic_spliceai.splice_engine.consequence.types import EventType, Frame, NmdPrediction, Strength
from agentic_spliceai.splice_engine.genome.types import GenomeBuild, Strand, Variant

MINUS = "\N{MINUS SIGN}"
ARROW = "\N{RIGHTWARDS ARROW}"
_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_LONGEST_ALLELE = 24

CHANGE_WORDS = {
    ChangeKind.ACCEPTOR_GAIN: "Acceptor gain",
    ChangeKind.ACCEPTOR_LOSS: "Acceptor loss",
    ChangeKind.DONOR_GAIN: "Donor gain",
    ChangeKind.DONOR_LOSS: "Donor loss",
}
MASK_WORDS = {
    Mask.ANNOTATED: "gains at the gene's annotated sites and losses elsewhere left out, by type of site",
    Mask.NEAREST_BOUNDARY: "as SpliceAI 1.3.1: only the exon end nearest to the variant counts as annotated",
}
EVENT_WORDS = {
    EventType.EXON_SKIPPING: "Exon skipping",
    EventType.DONOR_SHIFT: "Donor shift",
    EventType.ACCEPTOR_SHIFT: "Acceptor shift",
    EventType.INTRON_RETENTION: "Intron retention",
    EventType.PSEUDOEXON: "Pseudoexon",
    EventType.NONE: "No splice change predicted",
}
FRAME_WORDS = {
    Frame.IN_FRAME: "in frame",
    Frame.FRAMESHIFT: "frameshift",
    Frame.START_LOST: "start codon lost",
    Frame.NO_CODING_CHANGE: "coding sequence unchanged",
    Frame.NON_CODING: "non-coding transcript",
    Frame.UNKNOWN: "unknown",
}
NMD_WORDS = {
    NmdPrediction.PREDICTED: "predicted (NMD)",
    NmdPrediction.ESCAPES: "predicted to escape NMD",
    NmdPrediction.NOT_APPLICABLE: "not applicable",
    NmdPrediction.UNKNOWN: "unknown",
}
CODE_STRENGTH_WORDS = {
    CodeStrength.VERY_STRONG: "very strong",
    CodeStrength.STRONG: "strong",
    CodeStrength.MODERATE: "moderate",
    CodeStrength.SUPPORTING: "supporting",
    CodeStrength.UNDETERMINED: "strength not determined",
}
STRENGTH_WORDS = {Strength.STRONG: "Strong", Strength.MODERATE: "Moderate", Strength.WEAK: "Weak"}


def clean(text: str) -> str:
    """Return `text` on one line without control, format, surrogate or unassigned characters.

    Names come from files and from the person's input. A direction override or a line break in one of them could make
    a report say something else than its data; the JSON form keeps the original.
    """
    spaced = "".join(" " if character.isspace() else character for character in text)
    kept = "".join(c for c in spaced if unicodedata.category(c) not in {"Cc", "Cf", "Cs", "Co", "Cn"})
    return " ".join(kept.split())


def shorten(text: str, longest: int) -> str:
    """Return `text`, its middle replaced by an ellipsis where it is longer than `longest` characters."""
    if len(text) <= longest:
        return text
    head = (longest - 1) // 2
    return f"{text[:head]}…{text[len(text) - (longest - 1 - head) :]}"


def number(value: int) -> str:
    """Return an integer with thousands separators and a true minus sign."""
    return f"{value:,}".replace("-", MINUS)


def signed(value: int) -> str:
    """Return an integer with its sign; zero has none."""
    return f"+{value:,}" if value > 0 else number(value)


def decimals(score: float, thresholds: Thresholds) -> int:
    """Return how many decimals show `score` on the right side of every threshold; at least two, as the field writes."""
    limits = (thresholds.weak, thresholds.moderate, thresholds.strong)
    for digits in range(2, 7):
        shown = round(score, digits)
        if all((shown >= limit) == (score >= limit) for limit in limits):
            return digits
    return 7


def delta(score: float, thresholds: Thresholds) -> str:
    """Return a delta score, rounded so that it stays on its side of every threshold."""
    return f"{score:.{decimals(score, thresholds)}f}"


def probability(value: float) -> str:
    """Return a probability with two decimals."""
    return f"{value:.2f}"


def level(score: float, thresholds: Thresholds) -> Strength | None:
    """Return the strength of a delta score by the predictor's thresholds; None below the weak one."""
    if score >= thresholds.strong:
        return Strength.STRONG
    if score >= thresholds.moderate:
        return Strength.MODERATE
    return Strength.WEAK if score >= thresholds.weak else None


def place(contig: str, position: int) -> str:
    """Return a 1-based position, `chr11:47,343,158`."""
    return f"{clean(contig)}:{position:,}"


def strand_words(strand: Strand) -> str:
    """Return `plus strand` or `minus strand`."""
    return "plus strand" if strand is Strand.PLUS else "minus strand"


def build_words(build: GenomeBuild | None) -> str:
    """Return the name of a genome build, or that there is none."""
    if build is None:
        return "build not named"
    return "demo (synthetic)" if build is GenomeBuild.DEMO else str(build)


def alleles(variant: Variant) -> str:
    """Return `C>T`; long alleles are shortened in their middle and keep their length."""

    def one(allele: str) -> str:
        if len(allele) <= _LONGEST_ALLELE:
            return allele
        return f"{shorten(allele, _LONGEST_ALLELE)} ({len(allele)} nt)"

    return f"{one(variant.ref)}>{one(variant.alt)}"


def genomic_name(variant: Variant) -> str:
    """Return the variant on the genome, `chr11:g.47343158C>T`.

    Insertions and deletions are given in their left-aligned VCF form: HGVS places them at the other end of a repeat,
    which takes the reference sequence to know.
    """
    contig = clean(variant.contig)
    if variant.kind == "snv":
        return f"{contig}:g.{variant.position}{variant.ref}>{variant.alt}"
    if variant.kind in {"mnv", "delins"}:
        inserted = alleles(variant).split(">")[1]
        span = f"{variant.position}" if len(variant.ref) == 1 else f"{variant.position}_{variant.end}"
        return f"{contig}:g.{span}delins{inserted}"
    return f"{contig}:{variant.position} {alleles(variant)}"


def kind_words(variant: Variant) -> str:
    """Return the kind of the variant with its size, for example `deletion of 3 nt, VCF form, left-aligned`."""
    gained = len(variant.alt) - len(variant.ref)
    match variant.kind:
        case "snv":
            return "single-nucleotide variant"
        case "mnv":
            return f"substitution of {len(variant.ref)} nt"
        case "insertion":
            return f"insertion of {number(gained)} nt, VCF form, left-aligned"
        case "deletion":
            return f"deletion of {number(-gained)} nt, VCF form, left-aligned"
        case _:
            return f"replacement of {number(len(variant.ref))} nt by {number(len(variant.alt))} nt"


def offset_words(change: SiteChange, strand: Strand) -> str:
    """Return where the change lies as seen along the transcript, for example `11 nt upstream`."""
    along = change.offset if strand is Strand.PLUS else -change.offset
    if change.insert_offset:
        return f"inserted base {change.insert_offset} after the anchor"
    if along == 0:
        return "at the variant"
    return f"{abs(along):,} nt {'downstream' if along > 0 else 'upstream'}"


def share(part: int, whole: int) -> str:
    """Return a percentage that is neither rounded up to all nor down to nothing."""
    if whole == 0:
        return "0 %"
    percent = 100 * part / whole
    if 0 < percent < 0.1:
        return "under 0.1 %"
    if 99.9 < percent < 100:
        return "over 99.9 %"
    return f"{percent:.1f} %".replace(".0 %", " %")


def date_words(moment: datetime) -> str:
    """Return `21 November 2025, 03:11 UTC`, the same in every locale."""
    zone = "(time zone not recorded)"
    if moment.tzinfo is not None:
        moment, zone = moment.astimezone(UTC), "UTC"
    return f"{moment.day} {_MONTHS[moment.month - 1]} {moment.year}, {moment:%H:%M} {zone}"
