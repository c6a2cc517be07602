"""Genes predicted and written one after the other, in memory that does not grow with their number."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from agentic_spliceai.splice_engine.base_layer.model import BaseModel
from agentic_spliceai.splice_engine.base_layer.results import Precision
from agentic_spliceai.splice_engine.genome.bundle import GenomeBundle
from agentic_spliceai.splice_engine.meta_layer.inference import MetaPredictor
from agentic_spliceai.splice_engine.tracks import (
    GenePrediction,
    GeneSpans,
    MergedStretch,
    PartStore,
    Refused,
    Targets,
    groups,
    merge,
    predict_genes,
)
from agentic_spliceai.tools.file_set import FileSet
from agentic_spliceai.tools.interaction import Listener, ToolProgress
from agentic_spliceai.tools.plain_text import json_text
from agentic_spliceai.tools.track_output import TrackOutput
from agentic_spliceai.tools.track_types import KEPT, SCORED, SiteCounts, TrackOptions, TracksSummary, provenance_of


@dataclass
class _Totals:
    genes: int = 0
    from_parts: int = 0
    positions: int = 0
    unknown: int = 0
    annotated: int = 0
    sites: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)

    def add_gene(self, prediction: GenePrediction) -> None:
        unknown = int(np.isnan(prediction.values.base[:, 0]).sum())
        self.genes += 1
        self.from_parts += prediction.from_part
        self.unknown += unknown
        self.positions += len(prediction.positions) - unknown

    def add_stretch(self, stretch: MergedStretch, threshold: float) -> None:
        self.annotated += int((stretch.sites & ~np.isnan(stretch.values["base"])).sum())
        for name, values in stretch.values.items():
            self.sites[name] += int((values >= threshold).sum())
            self.found[name] += int(((values >= threshold) & stretch.sites).sum())


def write_tracks(
    targets: Targets,
    bundle: GenomeBundle,
    model: BaseModel,
    files: FileSet,
    options: TrackOptions,
    *,
    meta: MetaPredictor | None = None,
    parts: Path | None = None,
    precision: Precision = Precision.FLOAT32,
    listen: Listener,
    refuse: Callable[[Refused], None],
) -> TracksSummary:
    """Predict and write; `files` is entered by the caller.

    Parameters
    ----------
    targets
        As `find_targets` finds them.
    bundle, model, meta
        Genome, base model, and a meta-layer model of sites or None.
    files
        Where.
    options
        How.
    parts
        Folder that keeps finished genes, for later runs too; None keeps them with `files` until it is done.
    precision
        In which numbers the base model computes; a meta-layer model reads float32 scores only.
    listen
        Hears how many nt are done.
    refuse
        Hears of each target and gene without values.

    Raises
    ------
    MissingExtraError
        If a format needs a library that is not installed.
    CheckpointError
        If the meta-layer model does not fit.
    """
    about = provenance_of(bundle, model, meta, precision)
    totals = _Totals()
    with ExitStack() as stack:
        output = TrackOutput(files, bundle, options, about, stack, with_meta=meta is not None)

        def refused(item: Refused) -> None:
            totals.reasons[item.reason.code] += 1
            output.genes.refused(item)
            refuse(item)

        for item in targets.refused:
            refused(item)
        progress = _Progress(len(targets), listen)
        store = PartStore(parts or files.kept)
        for group in groups(targets.genes):
            predictions = []
            for found in predict_genes(
                group, bundle.genome, bundle.annotation, model,
                meta=meta, parts=store, precision=precision, heard=progress.within,
            ):  # fmt: skip
                if isinstance(found, Refused):
                    refused(found)
                    progress.over(found.gene, scored=False)
                    continue
                progress.over(found.spans, scored=not found.from_part)
                totals.add_gene(found)
                output.add_gene(found)
                predictions.append(found)
            if predictions:
                merged = merge(predictions)
                totals.add_stretch(merged, options.threshold)
                output.add_stretch(merged)
        output.end()
    summary = TracksSummary(
        provenance=about,
        options=options,
        genes=totals.genes,
        genes_from_parts=totals.from_parts,
        positions=totals.positions,
        without_sequence=totals.unknown,
        annotated_sites=totals.annotated,
        predictors={
            name: SiteCounts(sites=totals.sites[name], annotated_found=totals.found[name]) for name in output.names
        },
        reasons=dict(sorted(totals.reasons.items())),
        files=output.listed(),
    )
    files.growing("json").write_text(json_text(summary.model_dump(mode="json"), indent=1) + "\n", encoding="utf-8")
    return summary


class _Progress:
    """Counts nt over genes that are done and the one that is worked on."""

    def __init__(self, total: int, listen: Listener) -> None:
        self._total = total
        self._listen = listen
        self._before = 0

    def within(self, gene: GeneSpans, done: int) -> None:
        if done < len(gene):
            self._listen(ToolProgress(SCORED, self._before + done, self._total))

    def over(self, gene: GeneSpans | None, *, scored: bool) -> None:
        self._before += 0 if gene is None else len(gene)
        self._listen(ToolProgress(SCORED if scored else KEPT, self._before, self._total))
