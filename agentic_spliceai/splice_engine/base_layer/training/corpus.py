"""Genes as arrays: sequence codes and splice-site labels in the sense of transcription.

A *locus* is the union of overlapping genes on one strand of one contig, so that no position is learned from twice. Its
labels come from all transcripts on that strand: a donor on the last exonic base, an acceptor on the first. A position
that is a donor in one transcript and an acceptor in another is ignored, and so is a position without sequence.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from agentic_spliceai.splice_engine.base_layer.results import SpliceClass
from agentic_spliceai.splice_engine.base_layer.training.split import ChromosomeSplit
from agentic_spliceai.splice_engine.errors import ResourceError
from agentic_spliceai.splice_engine.genome.types import Gene, SiteType, Strand

IGNORE = 255
"""Label of a position that neither trains nor counts: no sequence, contradicting transcripts, or outside the locus."""

UNKNOWN = 4
"""Sequence code of N; A, C, G, T are 0 to 3 in the sense of transcription."""

FORMAT = 1

Fetch = Callable[[str, int, int], str]
"""Bases of a contig's plus strand, 0-based half-open, N past either end."""


@dataclass(frozen=True)
class GeneSpan:
    """A gene's place on its contig (0-based half-open) and what it is."""

    id: str
    name: str
    biotype: str
    start: int
    end: int


@dataclass(frozen=True)
class Locus:
    """One training unit.

    Attributes
    ----------
    start, end
        Extent on the contig, 0-based half-open.
    offset
        Index of the locus's first transcribed base in the corpus arrays; `flank` real bases stand before it and after.
    genes
        The genes that were united.
    """

    contig: str
    strand: str
    start: int
    end: int
    split: str
    offset: int
    genes: tuple[GeneSpan, ...]

    @property
    def length(self) -> int:
        """Extent in nt."""
        return self.end - self.start

    def span_of(self, gene: GeneSpan) -> tuple[int, int]:
        """Return where `gene` lies in the corpus arrays, half-open."""
        if self.strand == Strand.PLUS:
            return self.offset + gene.start - self.start, self.offset + gene.end - self.start
        return self.offset + self.end - gene.end, self.offset + self.end - gene.start


@dataclass(frozen=True, eq=False)
class Corpus:
    """All loci end to end.

    Attributes
    ----------
    codes : uint8 [T]
        Bases in the sense of transcription: A, C, G, T as 0 to 3, N as 4; flanks included.
    labels : uint8 [T]
        `SpliceClass` of each position, or `IGNORE`; the flanks are ignored.
    representative : bool [T]
        Whether a gene's representative transcript has a splice site there.
    flank
        Bases beyond the locus on each side, nt.
    about
        Where it came from: digests, split, counts.
    """

    codes: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.uint8]
    representative: npt.NDArray[np.bool_]
    loci: tuple[Locus, ...]
    flank: int
    about: dict[str, object]

    def of(self, *splits: str) -> tuple[Locus, ...]:
        """Return the loci of the named parts."""
        return tuple(locus for locus in self.loci if locus.split in splits)

    def digest(self) -> str:
        """Return the SHA-256 over sequence, labels and loci."""
        value = hashlib.sha256(self.codes.tobytes())
        value.update(self.labels.tobytes())
        value.update(self.representative.tobytes())
        value.update(json.dumps([asdict(locus) for locus in self.loci], sort_keys=True).encode())
        return value.hexdigest()

    def save(self, folder: Path) -> None:
        """Write `codes.npy`, `labels.npy`, `representative.npy` and `corpus.json`."""
        folder.mkdir(parents=True, exist_ok=True)
        np.save(folder / "codes.npy", self.codes)
        np.save(folder / "labels.npy", self.labels)
        np.save(folder / "representative.npy", self.representative)
        text = {"format": FORMAT, "flank": self.flank, "sha256": self.digest(), "about": self.about}
        document = {**text, "loci": [asdict(locus) for locus in self.loci]}
        (folder / "corpus.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Corpus:
        """Read what `save` wrote.

        Raises
        ------
        ResourceError
            If there is no corpus in `folder`, or it is not what was written.
        """
        try:
            document = json.loads((folder / "corpus.json").read_text(encoding="utf-8"))
            codes, labels, chosen = (np.load(folder / f"{name}.npy") for name in ("codes", "labels", "representative"))
        except (OSError, ValueError) as error:
            raise ResourceError(
                f"no training corpus in {folder}: {error}.", "Run the `prepare` command first."
            ) from error
        loci = tuple(
            Locus(**{**entry, "genes": tuple(GeneSpan(**gene) for gene in entry["genes"])})
            for entry in document["loci"]
        )
        corpus = cls(codes, labels, chosen, loci, document["flank"], document["about"])
        if document["format"] != FORMAT or corpus.digest() != document["sha256"]:
            raise ResourceError(
                f"the training corpus in {folder} is damaged or of another format.", "Run `prepare` again."
            )
        return corpus


_CODE = np.full(256, UNKNOWN, dtype=np.uint8)
for _index, _base in enumerate(b"ACGT"):
    _CODE[_base] = _index


def encode(bases: str) -> npt.NDArray[np.uint8]:
    """Return codes of upper-case `bases`: A, C, G, T as 0 to 3, anything else as `UNKNOWN`."""
    return _CODE[np.frombuffer(bases.encode("ascii"), dtype=np.uint8)]


def reverse_complement(codes: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return the codes of the other strand, read in its own sense."""
    flipped = codes[::-1]
    return np.where(flipped == UNKNOWN, UNKNOWN, 3 - flipped).astype(np.uint8)


def unite(genes: Iterable[Gene]) -> list[list[Gene]]:
    """Group genes that overlap on the same strand, in genomic order."""
    ordered = sorted(genes, key=lambda g: (g.contig, str(g.strand), g.start, g.end, g.id))
    groups: list[list[Gene]] = []
    reach = -1
    for gene in ordered:
        last = groups[-1][-1] if groups else None
        if last is not None and (last.contig, last.strand) == (gene.contig, gene.strand) and gene.start < reach:
            groups[-1].append(gene)
            reach = max(reach, gene.end)
        else:
            groups.append([gene])
            reach = gene.end
    return groups


def label(
    genes: Sequence[Gene], codes: npt.NDArray[np.uint8], flank: int
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_]]:
    """Label one locus.

    Parameters
    ----------
    genes
        The united genes.
    codes : uint8 [flank + locus + flank]
        Sequence in the sense of transcription.
    flank
        Ignored positions at either end, nt.

    Returns
    -------
    labels : uint8, same length
        `SpliceClass` or `IGNORE`.
    representative : bool, same length
        Whether the site belongs to a gene's representative transcript.
    """
    start, end = min(g.start for g in genes), max(g.end for g in genes)
    plus = genes[0].strand is Strand.PLUS
    kinds = np.zeros((2, len(codes)), dtype=bool)
    representative = np.zeros(len(codes), dtype=bool)
    for gene in genes:
        for transcript in gene.transcripts:
            for site in transcript.splice_sites:
                index = flank + (site.position - 1 - start if plus else end - site.position)
                kinds[SpliceClass.DONOR if site.type is SiteType.DONOR else SpliceClass.ACCEPTOR, index] = True
                representative[index] |= transcript.id == gene.representative_id
    labels = np.full(len(codes), IGNORE, dtype=np.uint8)
    labels[flank : flank + end - start] = SpliceClass.NEITHER
    labels[kinds[0]] = SpliceClass.DONOR
    labels[kinds[1]] = SpliceClass.ACCEPTOR
    labels[kinds.all(axis=0) | (codes == UNKNOWN)] = IGNORE
    return labels, representative & (labels != IGNORE)


def build_corpus(
    genes: Iterable[Gene], fetch: Fetch, split: ChromosomeSplit, *, flank: int, about: dict[str, object] | None = None
) -> Corpus:
    """Turn genes and a genome into arrays.

    Loci that touch a left-out region, or that have no sequence at all, are dropped.

    Parameters
    ----------
    genes
        Every gene of the annotation.
    fetch
        Reads the plus strand.
    split
        Which contig belongs to which part.
    flank
        Real bases kept beyond each locus, nt; half the network's context.
    about
        Facts to keep with the corpus.
    """
    loci: list[Locus] = []
    codes: list[npt.NDArray[np.uint8]] = []
    labels: list[npt.NDArray[np.uint8]] = []
    chosen: list[npt.NDArray[np.bool_]] = []
    total = 0
    for group in unite(genes):
        contig, strand = group[0].contig, group[0].strand
        start, end = min(g.start for g in group), max(g.end for g in group)
        part = split.part_of(contig, start, end)
        if part is None:
            continue
        bases = encode(fetch(contig, start - flank, end + flank))
        if strand is Strand.MINUS:
            bases = reverse_complement(bases)
        marks, representative = label(group, bases, flank)
        if (marks == IGNORE).all():
            continue
        spans = tuple(GeneSpan(g.id, g.name, g.biotype, g.start, g.end) for g in group)
        loci.append(Locus(contig, str(strand), start, end, part, total + flank, spans))
        codes.append(bases)
        labels.append(marks)
        chosen.append(representative)
        total += len(bases)
    arrays = np.concatenate(codes), np.concatenate(labels), np.concatenate(chosen)
    return Corpus(*arrays, loci=tuple(loci), flank=flank, about=dict(about or {}))
