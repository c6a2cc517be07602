"""Where the genes are: look-up of genes and transcripts by place and by name."""

from __future__ import annotations

import difflib
import re
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np

from agentic_spliceai.splice_engine.errors import AnnotationFileError, BuildMismatchError, UnknownGeneError
from agentic_spliceai.splice_engine.genome.annotation_cache import AnnotationCache, file_sha256
from agentic_spliceai.splice_engine.genome.annotation_lines import lines
from agentic_spliceai.splice_engine.genome.annotation_table import (
    CHOSEN_TAGS,
    AnnotationTable,
    ParsedAnnotation,
)
from agentic_spliceai.splice_engine.genome.contigs import canonical_contig
from agentic_spliceai.splice_engine.genome.gene_table import parse_gene_table
from agentic_spliceai.splice_engine.genome.gff3 import parse_gff3
from agentic_spliceai.splice_engine.genome.gtf import parse_gtf
from agentic_spliceai.splice_engine.genome.types import Gene, GenomeBuild, Transcript, Variant

_GENES_KEPT = 2048
_CHOSEN = frozenset(CHOSEN_TAGS)
_VERSION = re.compile(r"^(.+)\.(\d+)$")
_GTF_STYLE = re.compile(r'[^\s=;]+\s+("[^"]*"|[^\s;"=]+)\s*(;|$)')
_GFF3_STYLE = re.compile(r"[^\s=;]+=")


class GeneAnnotation:
    """Genes and transcripts of one annotation file.

    Made by `load`. Genes become objects when they are asked for; until then they are columns.

    Attributes
    ----------
    digest : str
        SHA-256 of the file as it lies on disk.
    source : str
        Where the annotation comes from, in words.
    build : GenomeBuild or None
        As given, or as the file says; None where neither does.
    """

    def __init__(self, table: AnnotationTable, *, digest: str, source: str, build: GenomeBuild | None) -> None:
        self._table = table
        self.digest = digest
        self.source = source
        self.build = build
        self._kept: OrderedDict[int, Gene] = OrderedDict()

    @classmethod
    def load(
        cls,
        path: Path | str,
        *,
        build: GenomeBuild | None = None,
        source: str | None = None,
        cache_dir: Path | str | None = None,
        preferred: Iterable[str] = (),
    ) -> GeneAnnotation:
        """Read a GTF, a GFF3 or the peers' gene table, plain or gzipped; the content tells which.

        Parameters
        ----------
        path
            The file.
        build
            Genome build; by default the one that the file names.
        source
            Where the annotation comes from; by default what the file says of itself, else its name.
        cache_dir
            Folder for the compact form that makes the next start fast. A damaged one is rebuilt, and one that
            cannot be written is done without.
        preferred
            Ids of transcripts (version ignored) that speak for their genes where the file tags none itself (MANE
            Select, MANE Plus Clinical, Ensembl canonical, RefSeq Select), for example those of a clinical list. They
            are no part of the compact form.

        Raises
        ------
        AnnotationFileError
            If the file is missing, unreadable, malformed (the message has the line) or without a gene.
        BuildMismatchError
            If `build` contradicts the file's own header.
        """
        path = Path(path)
        cache = None if cache_dir is None else AnnotationCache(Path(cache_dir), path)
        digest = cache.known_digest() if cache else None
        table = cache.read(digest) if cache and digest else None
        if table is None or digest is None:
            digest = file_sha256(path)
            table = cache.read(digest) if cache else None
            if table is None:
                table = AnnotationTable.from_parsed(_parser_for(path)(path))
                if not table.gene_id:
                    raise AnnotationFileError(
                        f"{path.name} holds no gene.", "Give a GTF, GFF3 or gene table with genes."
                    )
            if cache:
                cache.write(digest, table)
        table = _with_preferred(table, {_unversioned(name) for name in preferred})
        return cls(
            table,
            digest=digest,
            source=source or table.source or path.name,
            build=_checked_build(build, table.build_name, path),
        )

    # -- all of it ---------------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self._table.gene_id)

    def __repr__(self) -> str:
        return f"<GeneAnnotation {self.source!r}, build {self.build}, {len(self)} genes>"

    @property
    def genes(self) -> Iterator[Gene]:
        """All genes in the file's order, each built as it is reached."""
        return (self._table.gene(row) for row in range(len(self)))

    @property
    def contigs(self) -> tuple[str, ...]:
        """Canonical names of the contigs that have genes."""
        return tuple(self._table.contigs)

    # -- by place ----------------------------------------------------------------------------------------------------

    @cached_property
    def _by_contig(self) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
        """Rows of each contig by rising start, with starts, ends, and the largest end up to each of them."""
        table = self._table
        order = np.lexsort((table.gene_start, table.gene_contig))
        bounds = np.searchsorted(table.gene_contig[order], np.arange(len(table.contigs) + 1))
        found = {}
        for index, contig in enumerate(table.contigs):
            rows = order[bounds[index] : bounds[index + 1]]
            ends = table.gene_end[rows]
            found[contig] = (rows, table.gene_start[rows], ends, np.maximum.accumulate(ends))
        return found

    def genes_at(self, contig: str, start: int, end: int) -> tuple[Gene, ...]:
        """Return every gene, of both strands, that shares a base with an interval.

        Parameters
        ----------
        contig
            Any of the contig's names.
        start, end
            0-based, half-open.

        Returns
        -------
        tuple of Gene
            In the file's order; empty where there is none, also for a contig without genes.
        """
        index = self._by_contig.get(canonical_contig(contig))
        if index is None or end <= start:
            return ()
        rows, starts, ends, furthest = index
        first = int(np.searchsorted(furthest, start, side="right"))
        last = int(np.searchsorted(starts, end, side="left"))
        hits = rows[first:last][ends[first:last] > start]
        return tuple(self._gene(int(row)) for row in np.sort(hits))

    def genes_at_variant(self, variant: Variant) -> tuple[Gene, ...]:
        """Return every gene that shares a base with the variant's REF allele, its anchor base included.

        Raises
        ------
        BuildMismatchError
            If the variant and the annotation name different builds.
        """
        if variant.build is not None and self.build is not None and variant.build is not self.build:
            raise BuildMismatchError(
                f"{variant} is on {variant.build}, the annotation on {self.build}.",
                "Use an annotation of the variant's build.",
            )
        return self.genes_at(variant.contig, variant.position - 1, variant.end)

    # -- by name -----------------------------------------------------------------------------------------------------

    def gene(self, name_or_id: str) -> Gene:
        """Return a gene by its id (version optional) or its name (either case).

        Of a gene in both pseudo-autosomal regions, the one that the file has first is returned.

        Raises
        ------
        UnknownGeneError
            If there is none (the advice lists near names), or several different genes share the name.
        """
        asked = name_or_id.strip()
        rows = (
            self._gene_rows.get(asked)
            or self._gene_rows.get(_unversioned(asked))
            or self._gene_rows_folded.get(asked.upper())
        )
        if not rows:
            near = difflib.get_close_matches(asked.upper(), self._gene_rows_folded, n=4, cutoff=0.6)
            names = dict.fromkeys(self._table.gene_name[self._gene_rows_folded[name][0]] for name in near)
            raise UnknownGeneError(
                f"gene {asked[:40]!r} is not in the annotation ({self.source}).",
                f"Near names: {', '.join(names)}."
                if names
                else "Check the name, or give a transcript or genomic position.",
            )
        if len({_unversioned(self._table.gene_id[row]).removesuffix("_PAR_Y") for row in rows}) > 1:
            listed = ", ".join(self._table.gene_id[row] for row in rows[:6])
            raise UnknownGeneError(f"{asked[:40]!r} names {len(rows)} genes: {listed}.", "Give the id of one of them.")
        return self._gene(rows[0])

    def transcript(self, transcript_id: str) -> Transcript:
        """Return a transcript by its id.

        Without a version, the newest is taken; a version fits an annotation that gives none.

        Raises
        ------
        UnknownGeneError
            If there is none, or only in another version than the one asked for.
        """
        asked = transcript_id.strip()
        rows = self._transcript_rows
        row = rows.get(asked)
        stem = _unversioned(asked)
        if row is None and stem != asked:
            row = rows.get(stem)
        if row is None:
            versions = self._transcript_versions.get(stem, [])
            if versions and stem == asked:
                row = rows[versions[-1]]
            elif versions:
                raise UnknownGeneError(
                    f"transcript {asked[:40]!r} is in the annotation as {', '.join(versions)} only.",
                    f"Write {stem} to use that version; positions may differ between versions.",
                )
        if row is None:
            near = difflib.get_close_matches(stem, rows, n=3, cutoff=0.8)
            raise UnknownGeneError(
                f"transcript {asked[:40]!r} is not in the annotation ({self.source}).",
                f"Near ids: {', '.join(near)}." if near else "Check the id, or give a genomic position.",
            )
        gene = int(np.searchsorted(self._table.first_transcript, row, side="right")) - 1
        return self._table.transcript(row, gene)

    @cached_property
    def _gene_rows(self) -> dict[str, list[int]]:
        rows: dict[str, list[int]] = {}
        for column in (
            self._table.gene_id,
            [_unversioned(name) for name in self._table.gene_id],
            self._table.gene_name,
        ):
            known = set(rows)  # an id means its gene even where another gene has it as a name
            for row, name in enumerate(column):
                if name not in known:
                    rows.setdefault(name, []).append(row)
        return rows

    @cached_property
    def _gene_rows_folded(self) -> dict[str, list[int]]:
        rows: dict[str, list[int]] = {}
        for name, found in self._gene_rows.items():
            rows.setdefault(name.upper(), []).extend(row for row in found if row not in rows.get(name.upper(), ()))
        return rows

    @cached_property
    def _transcript_rows(self) -> dict[str, int]:
        rows: dict[str, int] = {}
        for row, name in enumerate(self._table.transcript_id):
            rows.setdefault(name, row)
        return rows

    @cached_property
    def _transcript_versions(self) -> dict[str, list[str]]:
        """Ids with a version, oldest first, by the id without it."""
        found: dict[str, list[tuple[int, str]]] = {}
        for name in self._transcript_rows:
            if match := _VERSION.match(name):
                found.setdefault(match[1], []).append((int(match[2]), name))
        return {stem: [name for _, name in sorted(versions)] for stem, versions in found.items()}

    def _gene(self, row: int) -> Gene:
        gene = self._kept.get(row)
        if gene is None:
            gene = self._kept[row] = self._table.gene(row)
            while len(self._kept) > _GENES_KEPT:
                self._kept.popitem(last=False)
        return gene


def _unversioned(name: str) -> str:
    match = _VERSION.match(name)
    return match[1] if match else name


def _with_preferred(table: AnnotationTable, preferred: set[str]) -> AnnotationTable:
    if not preferred:
        return table
    representative = table.gene_representative.copy()
    tagged = set(np.searchsorted(table.first_transcript, _tagged_rows(table), side="right") - 1)
    for row, name in enumerate(table.transcript_id):
        if _unversioned(name) in preferred:
            gene = int(np.searchsorted(table.first_transcript, row, side="right")) - 1
            if gene not in tagged:
                representative[gene] = row
    return replace(table, gene_representative=representative)


def _tagged_rows(table: AnnotationTable) -> np.ndarray:
    rows = [row for row, tags in enumerate(table.transcript_tag) if not _CHOSEN.isdisjoint(tags.split(","))]
    return np.array(rows, dtype=np.int64)


def _checked_build(given: GenomeBuild | None, named: str, path: Path) -> GenomeBuild | None:
    if not named:
        return given
    try:
        found = GenomeBuild.parse(named)
    except ValueError:  # the header of another species, or in other words than ours: the caller's word stands
        return given
    if given is not None and given is not found:
        raise BuildMismatchError(
            f"{path.name} says that it is on {found}, not on {given}.",
            f"Name the build {found}, or give {given}'s file.",
        )
    return found


def _parser_for(path: Path) -> Callable[[Path], ParsedAnnotation]:
    """Recognise the format by the first line that tells it."""
    for number, line in lines(path):
        if line.startswith("##gff-version"):
            if line.split()[1:2] and line.split()[1].startswith("3"):
                return parse_gff3
            continue
        if line.upper().startswith("#NAME\t"):
            return parse_gene_table
        if not line.strip() or line.startswith("#"):
            continue
        fields = line.split("\t")
        if len(fields) == 9 and _GFF3_STYLE.match(fields[8]):
            return parse_gff3
        if len(fields) == 9 and _GTF_STYLE.match(fields[8]):
            return parse_gtf
        raise AnnotationFileError(
            f"{path.name} is no gene annotation that can be read: line {number} is of none of the three formats.",
            "Give a GTF, a GFF3, or the table with the header #NAME CHROM STRAND TX_START TX_END EXON_START EXON_END.",
        )
    raise AnnotationFileError(f"{path.name} is empty.", "Give a GTF, GFF3 or gene table with genes.")
