"""The geometry of the locus plot, free of any drawing library: columns, stems, label places."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from agentic_spliceai.records.interpretation import GeneInterpretation
from agentic_spliceai.splice_engine.base_layer.results import SiteChange, SiteTrack, SpliceClass, VariantTracks
from agentic_spliceai.splice_engine.consequence.types import EventType
from agentic_spliceai.splice_engine.genome.types import Strand

MIN_PROBABILITY = 0.01
MAX_STEMS = 800
MAX_LABELS = 6
ZOOM_FLANK = 30
_COMPLEMENT = str.maketrans("ACGTN", "TGCAN")

Allele = Literal["ref", "alt"]
SITE_CLASSES = (SpliceClass.DONOR, SpliceClass.ACCEPTOR)


@dataclass(frozen=True)
class Stem:
    """One probability worth drawing; `position` is genomic and 1-based, `insert_offset` as in `SiteTrack`."""

    allele: Allele
    site: SpliceClass
    position: int
    insert_offset: int
    probability: float

    @property
    def key(self) -> tuple[int, int]:
        """Where it stands: position and inserted base."""
        return self.position, self.insert_offset

    @property
    def gid(self) -> str:
        """Its id in the SVG."""
        return f"stem-{self.allele}-{self.site.name.lower()}-{self.position}-{self.insert_offset}"


def select_stems(tracks: VariantTracks, limit: int = MAX_STEMS) -> tuple[tuple[Stem, ...], int]:
    """Return the donor and acceptor probabilities to draw and how many had to be left out.

    Parameters
    ----------
    tracks
        Reference and alternate track.
    limit
        Most stems to draw; of more, the largest are kept.

    Returns
    -------
    stems
        All of probability `MIN_PROBABILITY` or more, ascending on the genome within allele and class.
    left_out : int
        How many more there were.
    """
    pairs: tuple[tuple[Allele, SiteTrack], ...] = (("ref", tracks.ref), ("alt", tracks.alt))
    stems = [
        Stem(allele, site, int(track.positions[i]), int(track.insert_offsets[i]), float(mean[i, site]))
        for allele, track, mean in ((allele, track, track.mean) for allele, track in pairs)
        for site in SITE_CLASSES
        for i in np.flatnonzero(mean[:, site] >= MIN_PROBABILITY)
    ]
    if len(stems) <= limit:
        return tuple(stems), 0
    largest = sorted(range(len(stems)), key=lambda i: -stems[i].probability)[:limit]
    return tuple(stems[i] for i in sorted(largest)), len(stems) - limit


@dataclass(frozen=True)
class Column:
    """One column of the base-level panel; bases are in the transcript's sense, `-` where the allele has none."""

    position: int
    insert_offset: int
    ref: str
    alt: str

    @property
    def key(self) -> tuple[int, int]:
        """Where it stands: position and inserted base."""
        return self.position, self.insert_offset


def align_columns(tracks: VariantTracks) -> tuple[Column, ...]:
    """Put the bases of both alleles in common columns, in the order of transcription.

    An inserted base has a column of its own in which REF has a gap; a deleted base is a gap in ALT.
    """
    ref, alt = _bases(tracks.ref), _bases(tracks.alt)
    minus = tracks.ref.strand is Strand.MINUS
    keys = sorted({*ref, *alt}, reverse=minus)
    sense = _COMPLEMENT if minus else {}
    return tuple(Column(*key, ref.get(key, "-").translate(sense), alt.get(key, "-").translate(sense)) for key in keys)


def _bases(track: SiteTrack) -> dict[tuple[int, int], str]:
    keys = zip(track.positions.tolist(), track.insert_offsets.tolist(), strict=True)
    return dict(zip(keys, track.bases, strict=True))


def unseen_runs(track: SiteTrack) -> tuple[tuple[int, int], ...]:
    """Return the stretches where the network saw N, as (first, last) 1-based positions, ascending."""
    runs: list[tuple[int, int]] = []
    for position, base in zip(track.positions.tolist(), track.bases, strict=True):
        if base != "N":
            continue
        if runs and position <= runs[-1][1] + 1:
            runs[-1] = (runs[-1][0], position)
        else:
            runs.append((position, position))
    return tuple(runs)


def changes_to_label(gene: GeneInterpretation) -> tuple[SiteChange, ...]:
    """Return what deserves a label: the primary event's support, then raw changes from the weak threshold on.

    At most `MAX_LABELS`, the primary event's first, then by score; each site once.
    """
    raw = [c for c in gene.delta.raw.changes() if c.score >= gene.delta.provenance.thresholds.weak]
    others = [c for event in gene.consequence.events[1:] for c in event.support]
    kept: dict[tuple[str, int, int], SiteChange] = {}
    for group in (gene.consequence.primary.support, raw, others):
        for change in sorted(group, key=lambda c: (-c.score, c.position)):
            kept.setdefault((change.kind, change.position, change.insert_offset), change)
    return tuple(kept.values())[:MAX_LABELS]


def zoom_columns(gene: GeneInterpretation, columns: Sequence[Column]) -> tuple[Column, ...]:
    """Return the columns of the base-level panel: `ZOOM_FLANK` on either side of the primary change.

    Where variant and primary change are near each other the panel stands between them, so that it holds both.
    """
    index = {column.key: i for i, column in enumerate(columns)}
    variant = gene.delta.variant
    # An insertion or deletion changes what follows its anchor.
    anchored = variant.kind in {"insertion", "deletion"}
    middle = (2 * variant.position + len(variant.ref) - 1 + anchored) // 2
    at_variant = index.get((middle, 0), index.get((variant.position, 0), len(columns) // 2))
    support = gene.consequence.primary.support
    if gene.consequence.primary.type is EventType.NONE or not support:
        centre = at_variant
    else:
        top = max(support, key=lambda change: (change.score, -change.position))
        centre = index.get((top.position, top.insert_offset), at_variant)
        if abs(centre - at_variant) <= 2 * ZOOM_FLANK - 10:
            centre = (centre + at_variant) // 2
    last = len(columns) - 1
    first = max(0, min(centre - ZOOM_FLANK, last - 2 * ZOOM_FLANK))
    return tuple(columns[first : first + 2 * ZOOM_FLANK + 1])


def spread(centres: Sequence[float], widths: Sequence[float], low: float, high: float, gap: float) -> list[float]:
    """Move labels sideways as little as needed so that none overlaps another or leaves `low` to `high`.

    Parameters
    ----------
    centres, widths
        Wished centre and width of each label, ascending by centre, any one unit.
    low, high
        The space there is.
    gap
        Least distance between two labels.

    Returns
    -------
    list of float
        Centres, ascending. If the labels do not fit at all, they end at `high` and overhang `low`.
    """
    placed = list(centres)
    for i, width in enumerate(widths):
        floor = low if i == 0 else placed[i - 1] + widths[i - 1] / 2 + gap
        placed[i] = max(placed[i], floor + width / 2)
    for i in reversed(range(len(widths))):
        roof = high if i == len(widths) - 1 else placed[i + 1] - widths[i + 1] / 2 - gap
        placed[i] = min(placed[i], roof - widths[i] / 2)
    return placed
