"""Variants as people write them, read into one form that has not yet been compared with a genome."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pydantic import ValidationError

from agentic_spliceai.splice_engine.errors import InvalidVariantError, UnsupportedAlleleError
from agentic_spliceai.splice_engine.genome.contigs import canonical_contig, refseq_build
from agentic_spliceai.splice_engine.genome.types import GenomeBuild, Variant

ACCEPTED = (
    "Write it as chr3-37012011-A-G, 3:37012011 A>G, chr3:g.37012011A>G, SPDI NC_000003.12:37012010:A:G, "
    "HGVS NM_000249.4:c.790+1G>A, or a tab-separated VCF line."
)

_LONGEST = 200_000  # characters; a text longer than this is no variant
_SHOWN = 60

# Characters that word processors and web pages put in place of the plain ones.
_TYPOGRAPHY = str.maketrans({
    "\u2010": "-", "\u2011": "-", "\u2012": "-", "\u2013": "-", "\u2014": "-", "\u2212": "-", "\ufe63": "-",
    "\uff0d": "-",
    "\u203a": ">", "\u2192": ">", "\u27f6": ">", "\uff1e": ">", "\ufe65": ">", "\u21d2": ">",
    "\u00a0": " ", "\u2009": " ", "\u202f": " ", "\u200b": None, "\ufeff": None, "\uff1a": ":",
})  # fmt: skip

_ACCESSION = r"[A-Z]{2}_\d+\.\d+"
_CONTIG = r"(?P<contig>[\w.*|](?:[\w.*|-]{0,98}?[\w.*|])?)"  # bounded, so that no text takes long
_PLACE = rf"{_CONTIG}\s*[-:_\s]\s*(?P<position>\d[\d,]*)"
_ALLELE = r"[A-Za-z]+|-|\.|\*|<[^<>\s]*>|[A-Za-z.]{0,99}[\[\]][^\s/>\[\]]{0,99}[\[\]][A-Za-z.]{0,99}"
_SPDI = re.compile(rf"(?P<contig>{_ACCESSION}):(?P<position>\d+):(?P<ref>[A-Za-z]*|\d+):(?P<alt>[A-Za-z]*)", re.ASCII)
_GENOMIC = re.compile(
    rf"{_PLACE}\s*(?:[-:_\s]\s*)?(?P<ref>{_ALLELE})\s*(?:->|[->:/_]|\s)\s*(?P<alt>{_ALLELE})", re.ASCII
)
_HGVS_G = re.compile(rf"{_CONTIG}\s*:\s*[gm]\.\s*(?P<start>\d[\d,]*)(?:_(?P<end>\d[\d,]*))?(?P<change>.+)", re.ASCII)
_HGVS_TRANSCRIPT = re.compile(r"[^:\s]+(?:\s*:\s*|\s+)[cnrp]\.", re.ASCII)
_CHANGE = re.compile(
    r"(?P<sub_ref>[A-Z]+)>(?P<sub_alt>[A-Z]+)"
    r"|del(?P<delins_ref>[A-Z]*|\d+)ins(?P<delins_alt>[A-Z]+)"
    r"|del(?P<del_ref>[A-Z]*|\d+)"
    r"|dup(?P<dup_ref>[A-Z]*|\d+)"
    r"|ins(?P<ins_alt>[A-Z]+)",
    re.ASCII | re.IGNORECASE,
)
_UNSUPPORTED = re.compile(r"<.*>|\*|\.|.*[\[\]].*")
_BEFORE_BASE_1 = re.compile(rf"{_CONTIG}\s*[-:_\s]\s*(?P<position>-\d[\d,]*)\b", re.ASCII)
_BASES = re.compile(r"[ACGTN]*")


@dataclass(frozen=True, slots=True)
class RawVariant:
    """A variant as read: plus strand, not yet compared with a genome.

    Attributes
    ----------
    text
        The input it was read from.
    contig
        Canonical contig name.
    position
        1-based position of the first reference base replaced; for a pure insertion, of the base after it.
    ref
        Reference bases as given (A, C, G, T, N), or None where the text gives only their number.
    ref_length
        How many reference bases are replaced; 0 for an insertion without an anchor base.
    alt
        New bases (A, C, G, T); may be empty.
    duplicated
        The reference bases are doubled; `alt` is empty.
    build
        Genome build, where named.
    """

    text: str
    contig: str
    position: int
    ref: str | None
    ref_length: int
    alt: str
    duplicated: bool = False
    build: GenomeBuild | None = None

    @classmethod
    def from_variant(cls, variant: Variant) -> RawVariant:
        """Return the raw form of a variant."""
        return cls(
            text=str(variant),
            contig=variant.contig,
            position=variant.position,
            ref=variant.ref,
            ref_length=len(variant.ref),
            alt=variant.alt,
            build=variant.build,
        )


def shortened(text: str) -> str:
    """Return a text as one quoted line that is safe to put into a message."""
    return repr(text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}...")


def invalid(text: str, why: str = "", advice: str = ACCEPTED) -> InvalidVariantError:
    """Return the error for a text that is no variant."""
    return InvalidVariantError(f"{shortened(text)} is no variant{': ' + why if why else ''}.", advice)


def is_transcript_hgvs(text: str) -> bool:
    """Whether the text is written on a transcript (`...:c.` or `...:n.`), so that it needs an annotation."""
    return _HGVS_TRANSCRIPT.match(clean(text)) is not None


def clean(text: str) -> str:
    """Strip a text and replace typographic dashes, arrows and spaces by plain ones; refuse one that is far too long."""
    if len(text) > _LONGEST:
        raise invalid(text, f"it has {len(text)} characters")
    return text.translate(_TYPOGRAPHY).replace("&gt;", ">").strip(" \r\n\"'")


def parse_raw(text: str, build: GenomeBuild | None = None) -> RawVariant:
    """Read a genomic variant without looking at a genome.

    Accepted are `chr3-37012011-A-G` and its spellings with `:`, `_`, `/`, `>` or spaces, HGVS `g.` (substitution, del,
    dup, ins, delins), SPDI (an accession with version; 0-based, deletion as bases or as their number), and a VCF line
    with one ALT allele. Positions may have commas, alleles either case.

    Parameters
    ----------
    text
        The variant.
    build
        Build of the position where the text does not name one; a RefSeq accession does.

    Raises
    ------
    InvalidVariantError
        If the text is no such variant, or is written on a transcript.
    UnsupportedAlleleError
        If an allele is symbolic, missing, starred or a breakend.
    """
    plain = clean(text)
    if "\t" in plain:
        fields = plain.split("\t")
        if len(fields) >= 5 and fields[1].isdigit():
            return _from_vcf_fields(text, fields, build)
    if match := _SPDI.fullmatch(plain.upper()):
        return _from_spdi(text, match, build)
    if match := _HGVS_G.fullmatch(plain):
        return _from_hgvs_g(text, match, build)
    if _HGVS_TRANSCRIPT.match(plain):
        raise invalid(text, "it is written on a transcript", "Give a gene annotation too, or a genomic position.")
    if match := _GENOMIC.fullmatch(plain):
        return _placed(text, match["contig"], match["position"], match["ref"], match["alt"], build)
    if match := _BEFORE_BASE_1.match(plain):
        raise invalid(text, f"position {shortened(match['position'])} is before base 1", "Positions are 1-based.")
    raise invalid(text)


def parse_variant(text: str, build: GenomeBuild | None = None) -> Variant:
    """Read a genomic variant that gives both alleles; it is neither normalised nor compared with a genome.

    Parameters and errors are those of `parse_raw`; moreover a text that leaves bases out (`del`, `dup`, an empty
    allele) is an InvalidVariantError here, because only a genome can fill them in: see `resolve_variant`.
    """
    raw = parse_raw(text, build)
    if not raw.ref or not raw.alt:
        raise invalid(
            text, "its bases are not all given", "Give both alleles with an anchor base, or use resolve_variant."
        )
    return as_variant(raw, raw.position, raw.ref, raw.alt)


def as_variant(raw: RawVariant, position: int, ref: str, alt: str) -> Variant:
    """Return the `Variant` of checked parts; what it refuses becomes an InvalidVariantError about `raw`."""
    if ref == alt:
        raise invalid(raw.text, "REF and ALT are the same", "Give the changed allele as ALT.")
    try:
        return Variant(contig=raw.contig, position=position, ref=ref, alt=alt, build=raw.build)
    except ValidationError as problem:
        raise invalid(raw.text, "an allele has other letters than A, C, G, T") from problem


def raw_from_alleles(
    text: str, contig: str, position: int, ref: str, alt: str, build: GenomeBuild | None = None
) -> RawVariant:
    """Return the raw form of VCF-like alleles (REF not empty); raises as `parse_raw` does."""
    ref, alt = ref.upper(), alt.upper()
    for allele in (ref, alt):
        if _UNSUPPORTED.fullmatch(allele):
            raise UnsupportedAlleleError(
                f"allele {shortened(allele)} of {shortened(text)} has no sequence.",
                "Give the bases of both alleles (A, C, G, T).",
            )
    if position < 1:
        raise invalid(text, f"position {position} is before base 1", "Positions are 1-based.")
    if not _BASES.fullmatch(ref) or not _BASES.fullmatch(alt) or "N" in alt:
        raise invalid(text, "an allele has other letters than A, C, G, T")
    if ref == alt:
        raise invalid(text, "REF and ALT are the same", "Give the changed allele as ALT.")
    own = refseq_build(contig)
    if own is None and re.fullmatch(r"NC_0000\d\d\.\d+", contig) and canonical_contig(contig) != contig:
        raise invalid(
            text, f"{contig} is a version of no build that is known", "Use the accession of GRCh37 or GRCh38."
        )
    if own is not None and build is not None and own is not build:
        raise invalid(text, f"{contig} is on {own}, not on {build}", f"Give the accession of {build}, or use {own}.")
    return RawVariant(text, canonical_contig(contig), position, ref, len(ref), alt, build=own or build)


def _number(text: str, digits: str) -> int:
    plain = digits.replace(",", "")
    if len(plain) > 12:
        raise invalid(text, "its position has too many digits")
    return int(plain)


def _placed(text: str, contig: str, position: str, ref: str, alt: str, build: GenomeBuild | None) -> RawVariant:
    if ref == "-" or (alt == "-" and not ref.isalpha()):
        raise invalid(text, "where it inserts is ambiguous", "Give the base before the insertion in both alleles.")
    if alt == "-":  # a deletion without anchor base stands at its first deleted base in every convention
        alt = ""
    return raw_from_alleles(text, contig, _number(text, position), ref, alt, build)


def _from_vcf_fields(text: str, fields: list[str], build: GenomeBuild | None) -> RawVariant:
    if "," in fields[4]:
        raise invalid(
            text,
            "it has several ALT alleles",
            "Give one ALT allele a line, or the whole file as a VCF with its header.",
        )
    return raw_from_alleles(text, fields[0], _number(text, fields[1]), fields[3], fields[4], build)


def _from_spdi(text: str, match: re.Match[str], build: GenomeBuild | None) -> RawVariant:
    position = _number(text, match["position"]) + 1
    deleted, inserted = match["ref"], match["alt"]
    if deleted.isdigit():
        return _unspelled(text, match["contig"], position, _number(text, deleted), inserted, False, build)
    return raw_from_alleles(text, match["contig"], position, deleted, inserted, build)


def _unspelled(
    text: str, contig: str, position: int, length: int, alt: str, duplicated: bool, build: GenomeBuild | None
) -> RawVariant:
    """Return a variant that replaces `length` bases which the text does not spell."""
    if not length and not alt:
        raise invalid(text, "it changes nothing")
    probe = raw_from_alleles(text, contig, position, "N", alt, build)
    return RawVariant(text, probe.contig, position, None, length, probe.alt, duplicated, probe.build)


def _from_hgvs_g(text: str, match: re.Match[str], build: GenomeBuild | None) -> RawVariant:
    start = _number(text, match["start"])
    end = _number(text, match["end"]) if match["end"] else start
    change = parse_change(text, match["change"])
    if end < start:
        raise invalid(text, f"its range ends ({end}) before it starts ({start})")
    if change.inserts_between:
        if end != start + 1:
            raise invalid(
                text, "an insertion stands between two neighbouring bases", "Write for example g.100_101insA."
            )
        return _unspelled(text, match["contig"], end, 0, change.alt, False, build)
    length = end - start + 1
    change.check_length(text, length)
    if change.ref is not None:
        raw = raw_from_alleles(text, match["contig"], start, change.ref, "" if change.duplicated else change.alt, build)
        return RawVariant(text, raw.contig, start, raw.ref, length, raw.alt, change.duplicated, raw.build)
    return _unspelled(text, match["contig"], start, length, change.alt, change.duplicated, build)


@dataclass(frozen=True, slots=True)
class Change:
    """The part of an HGVS description after its position, upper-case, in the direction of its reference."""

    ref: str | None
    ref_length: int | None
    alt: str
    duplicated: bool = False
    inserts_between: bool = False

    def check_length(self, text: str, length: int) -> None:
        """Refuse a change whose stated bases are not as many as its position says."""
        stated = len(self.ref) if self.ref is not None else self.ref_length
        if stated is not None and stated != length:
            raise invalid(text, f"its position covers {length} nt, and its change {stated}")


def parse_change(text: str, change: str) -> Change:
    """Read `A>G`, `del`, `delA`, `del3`, `dup`, `insACG`, `delinsAT` or `delAinsAT`.

    Raises
    ------
    InvalidVariantError
        If it is none of these; `text` is the whole input, for the message.
    """
    plain = "".join(change.split())
    match = _CHANGE.fullmatch(plain)
    if match is None:
        raise invalid(text, f"the change {shortened(plain)} is not read", "Write A>G, del, dup, insACG or delinsACG.")
    found = {name: value.upper() for name, value in match.groupdict().items() if value is not None}
    for name, value in found.items():
        if not value.isdigit() and not re.fullmatch("[ACGT]*" if name.endswith("alt") else "[ACGTN]*", value):
            raise invalid(text, "an allele has other letters than A, C, G, T")
    if "sub_ref" in found:
        return Change(found["sub_ref"], None, found["sub_alt"])
    if "ins_alt" in found:
        return Change(None, None, found["ins_alt"], inserts_between=True)
    stated = found.get("delins_ref") or found.get("del_ref") or found.get("dup_ref") or ""
    ref, length = (None, int(stated)) if stated.isdigit() else (stated or None, None)
    return Change(ref, length, found.get("delins_alt", ""), duplicated="dup_ref" in found)
