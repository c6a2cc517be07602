"""Data sets by name: measured or simulated variants, where each is from, and what may be done with it.

A new data set is one entry of `DATASETS`.
"""

from __future__ import annotations

import difflib
import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from agentic_spliceai.splice_engine.base_layer.model import BaseModel as SpliceBaseModel
from agentic_spliceai.splice_engine.genome.contigs import canonical_contig
from agentic_spliceai.splice_engine.meta_layer.data.base_scores import Progress
from agentic_spliceai.splice_engine.meta_layer.data.measured import (
    MeasuredTable,
    MeasuredVariant,
    load_mfass,
    load_vexseq,
)
from agentic_spliceai.splice_engine.meta_layer.data.variant_examples import (
    CONSTRUCT_WINDOW,
    VariantExamples,
    build_examples,
)
from agentic_spliceai.splice_engine.meta_layer.data.variant_inputs import GENOMIC_WINDOW, construct_inputs
from agentic_spliceai.splice_engine.meta_layer.experiments.errors import MissingDatasetError, UnknownDatasetError
from agentic_spliceai.splice_engine.meta_layer.experiments.minigene import minigene_records
from agentic_spliceai.splice_engine.resources import ResourceFile, ResourceResolver, sha256_of

Center = Literal["construct", "variant"]


class Dataset(BaseModel):
    """What is known of a data set before it is read."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    name: str
    title: str = Field(description="One line.")
    licence: str
    n: int = Field(gt=0, description="Variants.")
    synthetic: bool = Field(default=False, description="Simulated: says nothing about a human gene.")
    file: str | None = Field(default=None, description="Within data folder or mirror; null for none.")
    window: int = Field(default=CONSTRUCT_WINDOW, description="Columns of an example that shows a construct whole.")
    read: Callable[[Path], MeasuredTable] | None = Field(default=None, exclude=True, repr=False)
    make: Callable[[], Sequence[MeasuredVariant]] | None = Field(default=None, exclude=True, repr=False)


@dataclass(frozen=True, eq=False)
class Records:
    """A data set as it was read.

    Attributes
    ----------
    dataset
        Its entry.
    records
        The variants.
    source_sha256
        Of the file; of the variants themselves where they are made.
    rejected
        Rows of the file that are no variants.
    """

    dataset: Dataset
    records: tuple[MeasuredVariant, ...]
    source_sha256: str
    rejected: int = 0


DATASETS: Mapping[str, Dataset] = {
    entry.name: entry
    for entry in (
        Dataset(
            name="minigene",
            title="Simulated variants of exon constructs under a stated rule; made in seconds, no download",
            licence="Apache-2.0",
            n=3000,
            synthetic=True,
            make=minigene_records,
        ),
        Dataset(
            name="mfass",
            title="MFASS saturation assay of human exons (Cheung et al., Mol Cell 2019): change of exon inclusion",
            licence="none stated by the authors; published scores MIT",
            n=27733,
            file="variants/mfass.tsv.gz",
            read=load_mfass,
        ),
        Dataset(
            name="vexseq",
            title="Vex-seq (Adamson et al., Genome Biol 2018), CAGI 5 training part: change of exon inclusion",
            licence="CAGI terms of use",
            n=957,
            file="variants/vexseq_train.tsv.gz",
            window=GENOMIC_WINDOW,
            read=load_vexseq,
        ),
    )
}
"""The data sets, by name."""


def find_dataset(name: str) -> Dataset:
    """Return the entry called `name`.

    Raises
    ------
    UnknownDatasetError
        If there is none; near names are in the advice.
    """
    if name not in DATASETS:
        near = difflib.get_close_matches(name, DATASETS, n=1)
        advice = f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(DATASETS)}."
        raise UnknownDatasetError(f"there is no data set {name!r}.", advice)
    return DATASETS[name]


def dataset_file(dataset: Dataset, resolver: ResourceResolver, explicit: Path | None = None) -> Path | None:
    """Return the file of a data set; None where it needs none.

    Raises
    ------
    MissingDatasetError
        If it is not on this machine.
    """
    if dataset.file is None:
        return None
    if explicit is not None:
        found = explicit if explicit.is_file() else None
    else:
        found = resolver.locate(ResourceFile(paths=(dataset.file,)))
    if found is None:
        where = explicit or f"{dataset.file} in {resolver.data_dir}" + (
            f" or {resolver.mirror}" if resolver.mirror is not None else ""
        )
        raise MissingDatasetError(
            f"the data set {dataset.name} is not on this machine: there is no {where}.",
            f"Put {dataset.file} there, set AGENTIC_SPLICEAI_MIRROR to a folder that has it, or take the simulated "
            "data set minigene.",
        )
    return found


def read_dataset(name: str, resolver: ResourceResolver, *, file: Path | None = None) -> Records:
    """Read a data set; nothing is scored.

    Parameters
    ----------
    name
        One of `DATASETS`.
    resolver
        Finds its file.
    file
        The file itself, instead of the search.

    Raises
    ------
    UnknownDatasetError, MissingDatasetError, SchemaError
        If there is no such data set, its file is not here, or the file cannot be read.
    """
    dataset = find_dataset(name)
    path = dataset_file(dataset, resolver, file)
    if path is None or dataset.read is None:
        made = tuple(dataset.make()) if dataset.make is not None else ()
        return Records(dataset, made, _records_digest(made))
    table = dataset.read(path)
    return Records(dataset, table.records, sha256_of(path), len(table.rejected))


def draw_groups(
    records: Sequence[MeasuredVariant], at_most: int | None, *, test_chromosomes: Collection[str], seed: int = 0
) -> tuple[MeasuredVariant, ...]:
    """Draw whole exon groups, in the order of `records`, until no further one fits.

    The draw depends on names and seed alone, and keeps the share of the test chromosomes, so every model that is given
    the same limit sees the same variants.

    Parameters
    ----------
    records
        Variants.
    at_most
        How many; None takes all.
    test_chromosomes
        Chromosomes that are drawn from on their own.
    seed
        Another seed, another draw.
    """
    if at_most is None or at_most >= len(records):
        return tuple(records)
    held_out = {canonical_contig(name) for name in test_chromosomes}
    sizes: dict[bool, dict[str, int]] = {True: defaultdict(int), False: defaultdict(int)}
    for record in records:
        sizes[record.chrom in held_out][record.group] += 1
    chosen: set[tuple[bool, str]] = set()
    for side, groups in sizes.items():
        left = round(at_most * sum(groups.values()) / len(records))
        names = sorted(groups)
        for number in np.random.default_rng([seed, int(side)]).permutation(len(names)).tolist():
            if groups[names[number]] <= left:
                chosen.add((side, names[number]))
                left -= groups[names[number]]
    return tuple(record for record in records if (record.chrom in held_out, record.group) in chosen)


def score_records(
    dataset: Dataset,
    records: Sequence[MeasuredVariant],
    model: SpliceBaseModel,
    *,
    center: Center = "construct",
    cache: Path | None = None,
    progress: Progress | None = None,
) -> VariantExamples:
    """Score both alleles of each variant with a base model, which sees the construct and N beyond it.

    Parameters
    ----------
    dataset, records
        What is scored.
    model
        Base model.
    center
        What stands in the middle: `variant` for models that are not told where it is.
    cache
        Folder in which scores are kept by the digest of model and sequences.
    progress
        Hears how many sequences of how many are done.

    Raises
    ------
    TrainingDataError
        If nothing can be scored.
    """
    inputs = construct_inputs(records, context=model.info.context)
    window = GENOMIC_WINDOW if center == "variant" else dataset.window
    return build_examples(inputs, model, window=window, center=center, cache=cache, progress=progress)


def _records_digest(records: Sequence[MeasuredVariant]) -> str:
    """Return the sha256 of made variants: names, both sequences, effect."""
    digest = hashlib.sha256()
    for record in records:
        construct = record.construct
        sequences = None if construct is None else (construct.ref, construct.alt)
        digest.update(json.dumps([record.id, record.chrom, record.group, sequences, record.psi]).encode() + b"\n")
    return digest.hexdigest()
