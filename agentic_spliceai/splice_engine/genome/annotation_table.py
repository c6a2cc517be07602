"""Genes, transcripts, exons and coding parts in columns: what the parsers fill, and what the cache keeps.

All coordinates are 0-based and half-open on the plus strand.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from agentic_spliceai.splice_engine.genome.types import (
    CDS_END_UNKNOWN,
    CDS_START_UNKNOWN,
    MIN_INTRON,
    Gene,
    Strand,
    Transcript,
)

TABLE_FORMAT = 2
"""Raise it whenever the columns, or the way in which parsers fill them, change."""

EXTENT_ONLY = "gene_extent_only"
"""Tag of the one-exon transcript that stands for a gene whose file gives no structure."""

MANE_SELECT = "MANE_Select"
"""Tag of the transcript that NCBI and EMBL-EBI agree on for a gene."""

CHOSEN_TAGS = (MANE_SELECT, "MANE_Plus_Clinical", "Ensembl_canonical", "RefSeq_Select")
"""Tags that name a gene's transcript, by weight; a list of preferred transcripts gives way to them."""

_WEAKER_TAG = "representative"

_Blocks = list[tuple[int, int]]
_Ints = npt.NDArray[np.int64]


@dataclass(slots=True)
class TranscriptDraft:
    """A transcript while its file is read; blocks in any order."""

    id: str
    biotype: str = ""
    tags: tuple[str, ...] = ()
    exons: _Blocks = field(default_factory=list)
    cds: _Blocks = field(default_factory=list)
    extent: tuple[int, int] | None = None
    out_of_phase: set[tuple[int, int]] = field(default_factory=set)
    """Blocks of `cds` that start inside a codon, as the file says."""


@dataclass(slots=True)
class GeneDraft:
    """A gene while its file is read; `extent` is None until the gene's own row is met."""

    id: str
    name: str
    contig: str
    strand: Strand
    extent: tuple[int, int] | None = None
    biotype: str = ""
    transcripts: list[TranscriptDraft] = field(default_factory=list)


@dataclass(slots=True)
class ParsedAnnotation:
    """What a parser hands over: genes in the file's order, and what the file's header says of itself."""

    genes: list[GeneDraft]
    build_name: str = ""
    source: str = ""


def merge_blocks(blocks: Iterable[tuple[int, int]]) -> _Blocks:
    """Sort blocks and join those that overlap or touch (a gap of 0 nt is no intron)."""
    merged: _Blocks = []
    for start, end in sorted(blocks):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def normal_tag(tag: str) -> str:
    """Return one spelling of a tag: RefSeq writes `MANE Select`, Ensembl `MANE_Select`."""
    return tag.strip().replace(" ", "_")


def _is_incomplete(transcript: TranscriptDraft) -> bool:
    return CDS_START_UNKNOWN in transcript.tags or CDS_END_UNKNOWN in transcript.tags


def _is_gapped(transcript: TranscriptDraft) -> bool:
    return any(b[0] - a[1] < MIN_INTRON for a, b in pairwise(transcript.exons))


def _representative(transcripts: list[TranscriptDraft]) -> int:
    """Return which transcript speaks for its gene.

    A coding sequence that the transcript holds only in part gives way to a whole one. Then decide, in this order,
    `CHOSEN_TAGS`, no difference between transcript and genome that looks like an intron (a coding transcript does not
    give way to a non-coding one for it), the tag `representative`, the longest coding sequence, the longest transcript,
    and the id. A list of preferred transcripts, which comes after
    `CHOSEN_TAGS`, is applied by `GeneAnnotation.load`.
    """
    coding = [draft for draft in transcripts if draft.cds]
    whole = any(not _is_incomplete(draft) for draft in coding)
    clean = any(not _is_gapped(draft) for draft in coding or transcripts)

    def rank(draft: TranscriptDraft) -> tuple[bool, int, bool, bool, int, int, str]:
        tag = next((order for order, name in enumerate(CHOSEN_TAGS) if name in draft.tags), len(CHOSEN_TAGS))
        gapped = clean and _is_gapped(draft)
        sizes = [sum(end - start for start, end in blocks) for blocks in (draft.cds, draft.exons)]
        weaker = _WEAKER_TAG not in draft.tags
        return whole and _is_incomplete(draft), tag, gapped, weaker, -sizes[0], -sizes[1], draft.id

    return min(range(len(transcripts)), key=lambda index: rank(transcripts[index]))


@dataclass(frozen=True, eq=False, slots=True)
class AnnotationTable:
    """Columns of an annotation; `first_*` arrays have one element more than rows and give each row's slice.

    Attributes
    ----------
    contigs : list of str
        Canonical contig names that genes refer to.
    gene_contig, gene_start, gene_end, gene_representative : int64 [G]
        Index into `contigs`, extent, and row of the representative transcript.
    gene_strand : int64 [G]
        1 or -1.
    first_transcript : int64 [G + 1]
        Slices of the transcripts.
    first_exon, first_cds : int64 [T + 1]
        Slices of the exons and coding parts, which ascend within a transcript.
    transcript_tag : list of str [T]
        Tags joined by commas.
    """

    contigs: list[str]
    gene_id: list[str]
    gene_name: list[str]
    gene_biotype: list[str]
    gene_contig: _Ints
    gene_strand: _Ints
    gene_start: _Ints
    gene_end: _Ints
    gene_representative: _Ints
    first_transcript: _Ints
    transcript_id: list[str]
    transcript_biotype: list[str]
    transcript_tag: list[str]
    first_exon: _Ints
    exon_start: _Ints
    exon_end: _Ints
    first_cds: _Ints
    cds_start: _Ints
    cds_end: _Ints
    build_name: str = ""
    source: str = ""

    @classmethod
    def from_parsed(cls, parsed: ParsedAnnotation) -> AnnotationTable:
        """Put drafts into columns; merges touching blocks and chooses each gene's representative."""
        contigs: dict[str, int] = {}
        texts: dict[str, list[str]] = {name: [] for name in _TEXT_COLUMNS}
        numbers: dict[str, list[int]] = {name: [] for name in _NUMBER_COLUMNS}
        for name in ("first_transcript", "first_exon", "first_cds"):
            numbers[name].append(0)
        for gene in parsed.genes:
            transcripts = _with_structure(gene)
            row = len(texts["transcript_id"])
            best = _representative(transcripts)
            extent = gene.extent or (
                min(transcript.exons[0][0] for transcript in transcripts),
                max(transcript.exons[-1][1] for transcript in transcripts),
            )
            texts["gene_id"].append(gene.id)
            texts["gene_name"].append(gene.name or gene.id)
            texts["gene_biotype"].append(gene.biotype)
            numbers["gene_contig"].append(contigs.setdefault(gene.contig, len(contigs)))
            numbers["gene_strand"].append(1 if gene.strand is Strand.PLUS else -1)
            numbers["gene_start"].append(extent[0])
            numbers["gene_end"].append(extent[1])
            numbers["gene_representative"].append(row + best)
            for transcript in transcripts:
                texts["transcript_id"].append(transcript.id)
                texts["transcript_biotype"].append(transcript.biotype)
                texts["transcript_tag"].append(",".join(transcript.tags))
                for part, blocks in (("exon", transcript.exons), ("cds", transcript.cds)):
                    numbers[f"{part}_start"].extend(start for start, _ in blocks)
                    numbers[f"{part}_end"].extend(end for _, end in blocks)
                    numbers[f"first_{part}"].append(len(numbers[f"{part}_start"]))
            numbers["first_transcript"].append(len(texts["transcript_id"]))
        columns = {name: np.array(values, dtype=np.int64) for name, values in numbers.items()}
        return cls(
            contigs=list(contigs),
            build_name=parsed.build_name,
            source=parsed.source,
            **_as_any(columns),
            **_as_any(texts),
        )

    # -- objects -----------------------------------------------------------------------------------------------------

    def strand(self, gene: int) -> Strand:
        """Return the strand of gene row `gene`."""
        return Strand.PLUS if self.gene_strand[gene] > 0 else Strand.MINUS

    def transcript(self, row: int, gene: int) -> Transcript:
        """Build the transcript of row `row`, which belongs to gene row `gene`."""
        tags = self.transcript_tag[row]
        return Transcript(
            id=self.transcript_id[row],
            gene_id=self.gene_id[gene],
            gene_name=self.gene_name[gene],
            contig=self.contigs[self.gene_contig[gene]],
            strand=self.strand(gene),
            exons=_slice(self.exon_start, self.exon_end, self.first_exon, row),
            cds=_slice(self.cds_start, self.cds_end, self.first_cds, row),
            biotype=self.transcript_biotype[row],
            tags=tuple(tags.split(",")) if tags else (),
        )

    def gene(self, row: int) -> Gene:
        """Build the gene of row `row` with all its transcripts."""
        rows = range(int(self.first_transcript[row]), int(self.first_transcript[row + 1]))
        return Gene(
            id=self.gene_id[row],
            name=self.gene_name[row],
            contig=self.contigs[self.gene_contig[row]],
            strand=self.strand(row),
            start=int(self.gene_start[row]),
            end=int(self.gene_end[row]),
            biotype=self.gene_biotype[row],
            transcripts=tuple(self.transcript(transcript, row) for transcript in rows),
            representative_id=self.transcript_id[int(self.gene_representative[row])],
        )

    # -- cache -------------------------------------------------------------------------------------------------------

    def save(self, path: Path) -> None:
        """Write the columns as one compressed `.npz` without pickle.

        Raises
        ------
        OSError
            If the file cannot be written.
        """
        arrays: dict[str, npt.NDArray[np.generic]] = {name: getattr(self, name) for name in _NUMBER_COLUMNS}
        for name in (*_TEXT_COLUMNS, "contigs"):
            arrays[name] = _pack(getattr(self, name))
        arrays["about"] = _pack([str(TABLE_FORMAT), self.build_name, self.source])
        with path.open("wb") as handle:
            np.savez_compressed(handle, **arrays)  # type: ignore[arg-type]

    @classmethod
    def read(cls, path: Path) -> AnnotationTable:
        """Read what `save` wrote.

        Raises
        ------
        ValueError
            If the file is damaged, of another format version, or does not hold together.
        OSError
            If it cannot be read.
        """
        try:
            with path.open("rb") as handle, np.load(handle, allow_pickle=False) as data:
                version, build_name, source = _unpack(data["about"])
                if version != str(TABLE_FORMAT):
                    raise ValueError(f"format {version} instead of {TABLE_FORMAT}")
                texts = {name: _unpack(data[name]) for name in (*_TEXT_COLUMNS, "contigs")}
                numbers = {name: data[name].astype(np.int64, copy=False) for name in _NUMBER_COLUMNS}
        except (zipfile.BadZipFile, zlib.error, KeyError, EOFError) as problem:
            raise ValueError(f"{path.name} is damaged: {problem}") from problem
        table = cls(build_name=build_name, source=source, **_as_any(texts), **_as_any(numbers))
        genes, transcripts = len(table.gene_id), len(table.transcript_id)
        if (
            any(len(values) != genes for values in (table.gene_name, table.gene_start, table.gene_representative))
            or len(table.first_transcript) != genes + 1
            or len(table.first_exon) != transcripts + 1
            or int(table.first_transcript[-1]) != transcripts
            or int(table.first_exon[-1]) != len(table.exon_end)
            or int(table.first_cds[-1]) != len(table.cds_end)
        ):
            raise ValueError(f"{path.name} is damaged: its columns differ in length")
        return table


_TEXT_COLUMNS = ("gene_id", "gene_name", "gene_biotype", "transcript_id", "transcript_biotype", "transcript_tag")
_NUMBER_COLUMNS = tuple(
    entry.name
    for entry in fields(AnnotationTable)
    if entry.name not in (*_TEXT_COLUMNS, "contigs", "build_name", "source")
)


def _with_structure(gene: GeneDraft) -> list[TranscriptDraft]:
    """Return the gene's transcripts with merged blocks, at least one of them and none without an exon."""
    transcripts = gene.transcripts
    if not transcripts:
        if gene.extent is None:
            raise ValueError(f"gene {gene.id} has neither an extent nor a transcript")
        transcripts = [TranscriptDraft(gene.id, gene.biotype, (EXTENT_ONLY,), [gene.extent])]
    for transcript in transcripts:
        if transcript.cds and CDS_START_UNKNOWN not in transcript.tags:
            first = (
                min(transcript.cds) if gene.strand is Strand.PLUS else max(transcript.cds, key=lambda block: block[1])
            )
            if first in transcript.out_of_phase:
                transcript.tags = (*transcript.tags, CDS_START_UNKNOWN)
        transcript.cds = merge_blocks(transcript.cds)
        blocks = transcript.exons or transcript.cds or ([transcript.extent] if transcript.extent else [])
        transcript.exons = merge_blocks(blocks)
    return transcripts


def _as_any(columns: Mapping[str, object]) -> dict[str, Any]:
    return dict(columns)


def _slice(starts: _Ints, ends: _Ints, first: _Ints, row: int) -> tuple[tuple[int, int], ...]:
    part = slice(int(first[row]), int(first[row + 1]))
    return tuple(zip(starts[part].tolist(), ends[part].tolist(), strict=True))


def _pack(values: Sequence[str]) -> npt.NDArray[np.uint8]:
    # One text is far smaller than a fixed-width array of strings. Names hold no line break: files are read by line.
    return np.frombuffer("".join(f"{value}\n" for value in values).encode(), dtype=np.uint8)


def _unpack(packed: npt.NDArray[np.uint8]) -> list[str]:
    return packed.tobytes().decode().split("\n")[:-1]
