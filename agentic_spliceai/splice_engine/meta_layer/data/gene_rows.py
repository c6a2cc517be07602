"""One gene to the rows of an artifact table: which positions are kept, with which weight, and what stands in each."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from agentic_spliceai.splice_engine.base_layer.gene_tracks import GeneTrack
from agentic_spliceai.splice_engine.base_layer.results import SpliceClass
from agentic_spliceai.splice_engine.errors import SettingError
from agentic_spliceai.splice_engine.genome.types import Gene
from agentic_spliceai.splice_engine.meta_layer.data.batches import IGNORE_INDEX
from agentic_spliceai.splice_engine.meta_layer.data.codes import Codes, decode
from agentic_spliceai.splice_engine.meta_layer.data.features import FLANK, gene_features
from agentic_spliceai.splice_engine.meta_layer.data.schema import FEATURE_NAMES
from agentic_spliceai.splice_engine.meta_layer.data.site_labels import SiteLabels

SPLICE_TYPES = ("donor", "acceptor", "")
"""What `splice_type` says for each `SpliceClass`."""

_FLOATS = "\t".join(["%.7g"] * len(FEATURE_NAMES))


@dataclass(frozen=True)
class ArtifactSettings:
    """What is kept of a gene.

    Attributes
    ----------
    window
        Length of `sequence`, nt; odd, at least 501 (what the sequence features need).
    cutoff
        Base-model probability from which a position counts as called.
    hard_negative
        Negatives from this probability on are all kept.
    fraction
        Share of a gene's positions that is kept in all; the rest of it is drawn among the remaining negatives.
    minimum
        Drawn negatives a gene, if it has as many, even where sites and hard negatives alone exceed `fraction`.
    seed
        Seed of the draw; each gene draws by its own, so that neither order nor company of the genes matters.
    genes_per_chunk
        Genes of a chromosome in one file.
    compress
        Write `.tsv.gz`.
    """

    window: int = 501
    cutoff: float = 0.5
    hard_negative: float = 0.01
    fraction: float = 0.1
    minimum: int = 50
    seed: int = 0
    genes_per_chunk: int = 20
    compress: bool = False

    def __post_init__(self) -> None:
        bad = (
            ("window", self.window % 2 == 0 or self.window < 2 * FLANK + 1, f"odd and at least {2 * FLANK + 1}"),
            ("cutoff", not 0 < self.cutoff < 1, "between 0 and 1"),
            ("hard_negative", not 0 < self.hard_negative <= self.cutoff, "above 0, at most the cut-off"),
            ("fraction", not 0 < self.fraction <= 1, "above 0, at most 1"),
            ("minimum", self.minimum < 1, "at least 1, so that every negative can be drawn"),
            ("genes_per_chunk", self.genes_per_chunk < 1, "at least 1"),
        )
        for name, wrong, wanted in bad:
            if wrong:
                raise SettingError(f"{name} is {getattr(self, name)}.", f"It has to be {wanted}.")

    def as_dict(self) -> dict[str, int | float | bool]:
        """Return the settings by name."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class Kept:
    """The positions of a gene that become rows.

    Attributes
    ----------
    rows : int64 [R]
        Entries of the track, rising.
    weights : float64 [R]
        1 / probability of being kept; they add up to the number of labelled positions.
    outcomes : str [R]
        TP, FP, FN or TN.
    positions
        Labelled positions of the gene.
    """

    rows: npt.NDArray[np.int64]
    weights: npt.NDArray[np.float64]
    outcomes: npt.NDArray[np.str_]
    positions: int


def choose_positions(track: GeneTrack, sites: SiteLabels, settings: ArtifactSettings) -> Kept:
    """Keep every site, every call and every hard negative, and draw among the other negatives.

    The draw takes a fixed number without replacement, so that the weights add up exactly.
    """
    mean = track.mean
    labels = sites.labels
    best = mean[:, :2].max(axis=1)
    is_site = (labels == SpliceClass.DONOR) | (labels == SpliceClass.ACCEPTOR)
    own = np.where(labels == SpliceClass.ACCEPTOR, mean[:, SpliceClass.ACCEPTOR], mean[:, SpliceClass.DONOR])
    called = np.where(is_site, own, best) >= settings.cutoff
    outcomes = np.where(is_site, np.where(called, "TP", "FN"), np.where(called, "FP", "TN"))
    usable = labels != IGNORE_INDEX
    certain = usable & (is_site | (best >= settings.hard_negative))
    others = np.flatnonzero(usable & ~certain)
    wanted = max(round(settings.fraction * int(usable.sum())) - int(certain.sum()), settings.minimum)
    drawn = min(wanted, len(others))
    picked = _generator(settings.seed, track).choice(others, size=drawn, replace=False)
    weights = certain.astype(np.float64)
    weights[picked] = len(others) / max(drawn, 1)
    rows = np.flatnonzero(weights)
    return Kept(rows=rows, weights=weights[rows], outcomes=outcomes[rows], positions=int(usable.sum()))


def _generator(seed: int, track: GeneTrack) -> np.random.Generator:
    digest = hashlib.sha256(f"{seed}\t{track.gene_id}\t{track.contig}\t{track.strand}".encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:8], "big"))


def gene_lines(
    track: GeneTrack, gene: Gene, codes: Codes, sites: SiteLabels, kept: Kept, settings: ArtifactSettings
) -> Iterator[tuple[str, str | None]]:
    """Make the lines of a gene.

    Parameters
    ----------
    codes : uint8 [window // 2 + L + window // 2]
        Bases of the genome in transcript sense, beyond the gene too.

    Yields
    ------
    line of the analysis table, line of the error table or None
        Without line end; first transcribed position first.
    """
    half = settings.window // 2
    features = gene_features(track, codes[half - FLANK : len(codes) - (half - FLANK)], kept.rows)
    mean, positions = track.mean, track.positions
    gene_fields = (gene.id, gene.representative_id, gene.name, track.contig, str(track.strand))
    for number, row in enumerate(kept.rows):
        position, outcome = int(positions[row]), str(kept.outcomes[number])
        label = int(sites.labels[row])
        donor, acceptor, neither = (float(value) for value in mean[row])
        place = (*gene_fields, str(position), str(position - half), str(position + half))
        score = f"{max(donor, acceptor):.7g}"
        line = "\t".join(
            (
                *place,
                SPLICE_TYPES[label],
                outcome,
                score,
                str(sites.transcripts[row]),
                decode(codes[row : row + settings.window]),
                f"{kept.weights[number]:.10g}",
                _FLOATS % tuple(features[number].tolist()),
            )
        )
        error = None
        if outcome in ("FP", "FN"):
            error = "\t".join(
                (*place, SPLICE_TYPES[label], outcome, score, f"{donor:.7g}", f"{acceptor:.7g}", f"{neither:.7g}")
            )
        yield line, error


ERROR_COLUMNS = (
    "gene_id", "transcript_id", "gene_name", "chrom", "strand", "position", "window_start", "window_end",
    "splice_type", "error_type", "score", "donor_score", "acceptor_score", "neither_score",
)  # fmt: skip
"""Columns of `splice_errors_*.tsv`: the base model's false positives and false negatives, one position a row."""
