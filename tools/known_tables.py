"""Published tables of variants whose effect was measured: where they are, and what they say of a variant."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agentic_spliceai.splice_engine.genome.contigs import canonical_contig
from agentic_spliceai.splice_engine.genome.normalization import trim
from agentic_spliceai.splice_engine.genome.types import GenomeBuild, Variant
from agentic_spliceai.splice_engine.meta_layer.data.measured import (
    MeasuredTable,
    MeasuredVariant,
    load_mfass,
    load_mutsplicedb,
    load_vexseq,
)
from agentic_spliceai.splice_engine.meta_layer.data.splicevardb import SpliceVarDBRecord, load_splicevardb
from agentic_spliceai.splice_engine.resources import ResourceFile
from agentic_spliceai.tools.context import Resources

#: A place on a build: contig, 0-based start, replaced and new bases, both trimmed.
Key = tuple[GenomeBuild, str, int, str, str]


@dataclass(frozen=True)
class KnownTable:
    """One table.

    Attributes
    ----------
    name, title
        What it is called here and among people.
    paths
        Where it may lie, relative to data folder or mirror.
    builds
        Builds of its positions.
    assay
        How effects were measured.
    citation, licence
        Of the table.
    load
        Reads it into records.
    """

    name: str
    title: str
    paths: tuple[str, ...]
    builds: tuple[GenomeBuild, ...]
    assay: str
    citation: str
    licence: str
    load: Callable[[Path], Iterable[MeasuredVariant | SpliceVarDBRecord]] = field(repr=False)

    def find(self, resources: Resources) -> Path | None:
        """Return where the table is on this machine, or None."""
        return resources.resolver.locate(ResourceFile(paths=self.paths))

    def by_place(self, path: Path, resources: Resources) -> Mapping[Key, list[MeasuredVariant | SpliceVarDBRecord]]:
        """Return its records by place, read once a process.

        Raises
        ------
        SchemaError
            If the table cannot be read or lacks a column.
        """
        return resources.once(("known_table", self.name, path), lambda: _index(self.load(path)))


def _records(read: Callable[[Path], MeasuredTable]) -> Callable[[Path], Iterable[MeasuredVariant]]:
    return lambda path: read(path).records


_BOTH = (GenomeBuild.GRCH37, GenomeBuild.GRCH38)

TABLES: tuple[KnownTable, ...] = (
    KnownTable(
        "mfass", "MFASS", ("variants/mfass.tsv.gz", "variants/mfass.tsv"), _BOTH,
        "exon inclusion of a minigene construct in HEK293T cells, by splicing reporter",
        "Cheung et al., Mol Cell 2019", "none stated by the authors", _records(load_mfass),
    ),
    KnownTable(
        "vexseq", "Vex-seq", ("variants/vexseq_train.tsv.gz", "variants/vexseq_train.tsv"), (GenomeBuild.GRCH37,),
        "exon inclusion of a minigene construct in cultured cells, by RNA sequencing",
        "Adamson et al., Genome Biol 2018 (CAGI 5, training part)", "not stated in the table; CAGI's terms of use",
        _records(load_vexseq),
    ),
    KnownTable(
        "mutsplicedb", "MutSpliceDB", ("variants/mutsplicedb.tsv.gz", "variants/mutsplicedb.tsv"),
        (GenomeBuild.GRCH38,), "RNA sequencing of tumours and cell lines; only variants that alter splicing are listed",
        "Palmisano et al., Hum Mutat 2021", "not stated in the table", _records(load_mutsplicedb),
    ),
    KnownTable(
        "splicevardb", "SpliceVarDB",
        ("variants/splicevardb.tsv.gz", "variants/splicevardb.tsv", "variants/splicevardb.csv"), _BOTH,
        "experiments of many publications, named with each variant",
        "Sullivan et al., Am J Hum Genet 2024", "as agreed with its authors when it was downloaded",
        lambda path: load_splicevardb(path).records,
    ),
)  # fmt: skip


def key_of(build: GenomeBuild, contig: str, position: int, ref: str, alt: str) -> Key:
    """Return the place of an allele; the same for `TA>TC` and `A>C` one base on."""
    start, ref, alt = trim(position - 1, ref, alt)
    return build, canonical_contig(contig), start, ref, alt


def _index(
    records: Iterable[MeasuredVariant | SpliceVarDBRecord],
) -> dict[Key, list[MeasuredVariant | SpliceVarDBRecord]]:
    found: dict[Key, list[MeasuredVariant | SpliceVarDBRecord]] = {}
    for record in records:
        for key in _keys(record):
            found.setdefault(key, []).append(record)
    return found


def _keys(record: MeasuredVariant | SpliceVarDBRecord) -> set[Key]:
    if isinstance(record, SpliceVarDBRecord):
        variants: Iterable[tuple[GenomeBuild, Variant]] = record.variants.items()
        return {key_of(build, v.contig, v.position, v.ref, v.alt) for build, v in variants}
    variant = record.variant
    home = variant.build or next(iter(record.positions))
    moved = variant.position - record.positions[home]  # `variant` may be trimmed, `positions` are as the table has them
    return {
        key_of(build, variant.contig, position + moved, variant.ref, variant.alt)
        for build, position in record.positions.items()
    }


def facts(record: MeasuredVariant | SpliceVarDBRecord) -> dict[str, Any]:
    """Return what a record says, by the field names of `lookup_known_variants`."""
    known = record.classification
    common = {
        "id": record.id,
        "gene": record.gene,
        "classification": known.label if known is not None else None,
        "altering": record.altering,
    }
    if isinstance(record, SpliceVarDBRecord):
        return common | {"hgvs": record.hgvs, "methods": record.methods, "references": record.dois}
    return common | {
        "group": record.group,
        "delta_psi": record.psi,
        "replicates": record.replicates,
        "published_scores": dict(record.published),
    }
