"""Names of contigs: one canonical spelling inside the project, each file's own spelling at its border."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

from agentic_spliceai.splice_engine.errors import UnknownContigError
from agentic_spliceai.splice_engine.genome.types import GenomeBuild

_CHROMOSOMES = (*(str(number) for number in range(1, 23)), "X", "Y")

# RefSeq accession versions of GRCh37, chromosomes 1-22, X, Y (NCBI assembly GCF_000001405.25). GRCh38
# (GCF_000001405.26 and its patches) raised every one of them by one.
_GRCH37_VERSIONS = (10, 11, 11, 11, 9, 11, 13, 10, 11, 10, 9, 11, 10, 8, 9, 9, 10, 9, 9, 10, 8, 10, 10, 9)

# T2T-CHM13v2.0 (GCF_009914755.1): NC_060925.1 is chromosome 1, NC_060947.1 X, NC_060948.1 Y.
_CHM13_FIRST = 60925
_MITOCHONDRION = "NC_012920"

_UCSC = re.compile(r"(?:chr)?([1-9]|1\d|2[0-2]|X|Y|M|MT)", re.IGNORECASE | re.ASCII)
_REFSEQ = re.compile(r"NC_(\d{6})\.(\d{1,3})", re.IGNORECASE | re.ASCII)


def canonical_contig(name: str) -> str:
    """Return the UCSC name of a primary human contig, and any other name unchanged.

    `7`, `chr7`, `CHR7` and `NC_000007.14` give `chr7`; `M`, `MT`, `chrMT` and `NC_012920.1` give `chrM`.
    """
    name = name.strip()
    if match := _UCSC.fullmatch(name):
        stem = match[1].upper()
        return "chrM" if stem in ("M", "MT") else f"chr{stem}"
    if match := _REFSEQ.fullmatch(name):
        number = int(match[1])
        if 1 <= number <= len(_CHROMOSOMES):
            return f"chr{_CHROMOSOMES[number - 1]}"
        if 0 <= number - _CHM13_FIRST < len(_CHROMOSOMES):
            return f"chr{_CHROMOSOMES[number - _CHM13_FIRST]}"
        if f"NC_{match[1]}" == _MITOCHONDRION:
            return "chrM"
    return name


def refseq_build(accession: str) -> GenomeBuild | None:
    """Return the human build that a RefSeq chromosome accession belongs to.

    None for any other text, for a version that neither GRCh37 nor GRCh38 uses, and for the mitochondrion
    (`NC_012920.1` is the same sequence in both).
    """
    match = _REFSEQ.fullmatch(accession.strip())
    if match is None:
        return None
    number, version = int(match[1]), int(match[2])
    if 1 <= number <= len(_CHROMOSOMES):
        older = _GRCH37_VERSIONS[number - 1]
        return {older: GenomeBuild.GRCH37, older + 1: GenomeBuild.GRCH38}.get(version)
    if 0 <= number - _CHM13_FIRST < len(_CHROMOSOMES) and version == 1:
        return GenomeBuild.CHM13
    return None


def refseq_accession(contig: str, build: GenomeBuild | None) -> str | None:
    """Return the RefSeq accession of a primary human contig in a build, or None where there is none."""
    stem = canonical_contig(contig).removeprefix("chr")
    if stem == "M" and build in (GenomeBuild.GRCH37, GenomeBuild.GRCH38):
        return f"{_MITOCHONDRION}.1"
    if stem not in _CHROMOSOMES:
        return None
    index = _CHROMOSOMES.index(stem)
    if build is GenomeBuild.CHM13:
        return f"NC_{_CHM13_FIRST + index:06d}.1"
    if build in (GenomeBuild.GRCH37, GenomeBuild.GRCH38):
        return f"NC_{index + 1:06d}.{_GRCH37_VERSIONS[index] + (build is GenomeBuild.GRCH38)}"
    return None


class ContigAliases:
    """The spelling that one file uses for each contig.

    Parameters
    ----------
    names
        Contig names as the file has them, in the file's order. Where two of them mean the same contig, the first wins
        for the canonical name, and each is still found by its own exact spelling.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._own: dict[str, str] = {}
        self._by_canonical: dict[str, str] = {}
        for name in names:
            self._own[name] = name
            self._by_canonical.setdefault(canonical_contig(name), name)

    @property
    def canonical(self) -> tuple[str, ...]:
        """Canonical names, in the file's order."""
        return tuple(self._by_canonical)

    def get(self, name: str) -> str | None:
        """Return the file's name of a contig, or None where the file has no such contig."""
        return self._own.get(name) or self._by_canonical.get(canonical_contig(name))

    def resolve(self, name: str) -> str:
        """Return the file's name of a contig.

        Raises
        ------
        UnknownContigError
            If the file has no such contig; the advice lists the nearest names.
        """
        found = self.get(name)
        if found is not None:
            return found
        known = self.canonical
        near = difflib.get_close_matches(canonical_contig(name), known, n=4, cutoff=0.5) or list(known[:4])
        listed = ", ".join(near) + (", ..." if len(known) > len(near) else "")
        shown = name if len(name) <= 40 else name[:37] + "..."
        raise UnknownContigError(
            f"contig {shown!r} is not in the file.", f"It has {listed}; use one of its {len(known)} names."
        )
