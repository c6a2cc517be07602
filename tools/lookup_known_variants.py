"""Look a variant up in the tables of measured effects."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Self

from pydantic import Field, model_validator

from agentic_spliceai.records.artifacts import sha256_of
from agentic_spliceai.records.evidence import Evidence, EvidenceKind, make_evidence
from agentic_spliceai.splice_engine.genome.types import GenomeBuild, Variant
from agentic_spliceai.splice_engine.genome.variant_parsing import parse_variant
from agentic_spliceai.splice_engine.meta_layer.data.variant_classes import ALTERING_FROM, NORMAL_BELOW
from agentic_spliceai.tools.context import ToolContext
from agentic_spliceai.tools.gather_evidence import KnownVariantFact
from agentic_spliceai.tools.known_tables import TABLES, KnownTable, facts, key_of
from agentic_spliceai.tools.spec import CostClass, SideEffect, ToolArgumentError, ToolModel, ToolSpec

_MOST_ROWS = 20


class TableStatus(StrEnum):
    """What a table says of the variant."""

    FOUND = "found"
    NOT_LISTED = "not_listed"
    OTHER_BUILD = "other_build"
    NO_TABLE = "no_table"


class KnownVariant(ToolModel):
    """One row of a table."""

    id: str = Field(description="Name in the table: data, as the table has it.")
    gene: str | None = Field(description="Gene symbol.")
    classification: str | None = Field(description="Splice-altering, Normal, Low-frequency or Conflicting.")
    altering: bool | None = Field(description="Whether it alters splicing; null where the class says neither.")
    delta_psi: float | None = Field(default=None, description="Change of the exon's inclusion, -1 to 1.")
    replicates: tuple[float, ...] = Field(default=(), description="The same by replicate.")
    group: str = Field(default="", description="The exon, or the gene, that it was measured in.")
    hgvs: str = Field(default="", description="Its description in the table.")
    methods: tuple[str, ...] = Field(default=(), description="Experiments.")
    references: tuple[str, ...] = Field(default=(), description="Publications.")
    published_scores: dict[str, float] = Field(default={}, description="Scores of other predictors in the table.")


class TableAnswer(ToolModel):
    """What one table says."""

    table: str = Field(description="mfass, vexseq, mutsplicedb or splicevardb.")
    title: str = Field(description="Its name among people.")
    status: TableStatus = Field(description="found, not_listed, other_build or no_table (not on this machine).")
    message: str = Field(description="One sentence for a person.")
    rows: tuple[KnownVariant, ...] = Field(default=(), description=f"Its rows of this variant, at most {_MOST_ROWS}.")
    assay: str = Field(description="How the effects were measured.")
    citation: str = Field(description="Publication of the table.")
    licence: str = Field(description="Licence of the table.")
    table_sha256: str | None = Field(default=None, description="Digest of the file that was read.")


class LookupKnownVariantsArgs(ToolModel):
    """The variant, as a text or as `resolve_variant` returns it."""

    text: str | None = Field(
        default=None, min_length=1, description="chr3-37012011-A-G or SPDI; resolve HGVS with resolve_variant first."
    )
    variant: Variant | None = Field(default=None, description="The variant, normalised, instead of its text.")
    build: GenomeBuild = Field(default=GenomeBuild.GRCH38, description="Build of the position where none is named.")
    tables: tuple[str, ...] = Field(default=(), description="Only these tables; by default all.")

    @model_validator(mode="after")
    def _one_variant(self) -> Self:
        if (self.text is None) == (self.variant is None):
            raise ValueError("give either text or variant")
        return self


class LookupKnownVariantsResult(ToolModel):
    """What the tables say."""

    variant: str = Field(description="The variant that was looked for.")
    build: GenomeBuild = Field(description="Build of its position.")
    found: bool = Field(description="Whether any table lists it.")
    tables: tuple[TableAnswer, ...] = Field(description="One answer a table, also of those that are not here.")
    facts: tuple[KnownVariantFact, ...] = Field(description="What was found, as gather_evidence takes it.")
    evidence: tuple[Evidence, ...] = Field(description="The same as evidence, which an answer refers to.")
    classes: str = Field(description="How classes follow from measured values.")


def run(args: LookupKnownVariantsArgs, context: ToolContext) -> LookupKnownVariantsResult:
    """Look it up by position and alleles, trimmed; nothing is lifted from one build to another.

    Raises
    ------
    InvalidVariantError, UnsupportedAlleleError
        If the text is no variant.
    ToolArgumentError
        If a table is unknown.
    SchemaError
        If a table that is there cannot be read.
    """
    variant = args.variant or parse_variant(args.text or "", args.build)
    build = variant.build or args.build
    unknown = sorted(set(args.tables) - {table.name for table in TABLES})
    if unknown:
        raise ToolArgumentError(
            f"There is no table {unknown[0]!r:.60}.", f"Known: {', '.join(table.name for table in TABLES)}."
        )
    answers = tuple(
        _answer(table, variant, build, context) for table in TABLES if not args.tables or table.name in args.tables
    )
    facts = tuple((row, fact) for answer in answers for row in answer.rows for fact in _facts(answer, row))
    return LookupKnownVariantsResult(
        variant=str(variant),
        build=build,
        found=any(answer.status is TableStatus.FOUND for answer in answers),
        tables=answers,
        facts=tuple(fact for _, fact in facts),
        evidence=tuple(_evidence(str(variant), row, fact, context) for row, fact in facts),
        classes=f"Splice-altering from a change of inclusion of {ALTERING_FROM:g} on downward, Normal within "
        f"{NORMAL_BELOW:g} of none, else Low-frequency; SpliceVarDB's classes are its own.",
    )


def _answer(table: KnownTable, variant: Variant, build: GenomeBuild, context: ToolContext) -> TableAnswer:
    about = {"table": table.name, "title": table.title, "assay": table.assay, "citation": table.citation,
             "licence": table.licence}  # fmt: skip
    path = table.find(context.resources)
    if path is None:
        return TableAnswer(
            **about,
            status=TableStatus.NO_TABLE,
            message=f"{table.title} is not on this machine: nothing can be said from it.",
        )
    digest = context.resources.once(("sha256", path), lambda: sha256_of(path))
    if build not in table.builds:
        return TableAnswer(
            **about,
            status=TableStatus.OTHER_BUILD,
            message=f"{table.title} has positions on {' and '.join(table.builds)}, not on {build}.",
            table_sha256=digest,
        )
    key = key_of(build, variant.contig, variant.position, variant.ref, variant.alt)
    records = table.by_place(path, context.resources).get(key, [])
    rows = tuple(KnownVariant(**facts(record)) for record in records[:_MOST_ROWS])
    return TableAnswer(
        **about,
        status=TableStatus.FOUND if rows else TableStatus.NOT_LISTED,
        message=_message(table, rows),
        rows=rows,
        table_sha256=digest,
    )


def _facts(answer: TableAnswer, row: KnownVariant) -> Iterator[KnownVariantFact]:
    source = {"source": f"dataset:{answer.table}", "source_sha256": answer.table_sha256}
    if row.classification is not None:
        yield KnownVariantFact(
            statement=f"{answer.title}: class of the variant",
            value=row.classification,
            display=row.classification,
            **source,
        )
    if row.delta_psi is not None:
        yield KnownVariantFact(
            statement=f"{answer.title}: measured change of the exon's inclusion (delta PSI)",
            value=row.delta_psi,
            display=f"{row.delta_psi:+.2f}".replace("-", "\N{MINUS SIGN}"),
            **source,
        )


def _evidence(variant: str, row: KnownVariant, fact: KnownVariantFact, context: ToolContext) -> Evidence:
    return make_evidence(
        EvidenceKind.KNOWN_VARIANT,
        f"{variant}, {fact.statement}",
        fact.value,
        fact.display,
        source=fact.source,
        source_sha256=fact.source_sha256,
        terms=(variant, *((row.gene,) if row.gene else ())),
        created_at=context.started_at,
    )


def _message(table: KnownTable, rows: tuple[KnownVariant, ...]) -> str:
    if not rows:
        return f"{table.title} does not list the variant, which says nothing about its effect."
    classes = ", ".join(sorted({row.classification or "without class" for row in rows}))
    return f"{table.title} lists the variant: {classes}."


TOOL = ToolSpec(
    name="lookup_known_variants",
    purpose="Look a variant up in MFASS, Vex-seq, MutSpliceDB and SpliceVarDB: measured class, delta PSI, licence.",
    args=LookupKnownVariantsArgs,
    result=LookupKnownVariantsResult,
    side_effect=SideEffect.NONE,
    cost_class=CostClass.SECONDS,
    function=run,
)
