"""The score features of a position: the 43 of the reference design, and what else is cheap and knows no label.

Everything is computed from the base model's output along the gene, from the sequence around the position, and from the
gene's extent. No annotated splice site enters. Neighbours before the first and past the last scored position count
as probability 0.

Formulas of the 43: eps = 1e-10 is added to every denominator and inside every logarithm; logarithms are natural.
Differences and context of a type are computed within that type's own track; `context_score_*` take the larger of donor
and acceptor, so that no column depends on which of the two a position is labelled with.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from agentic_spliceai.splice_engine.base_layer.gene_tracks import GeneTrack
from agentic_spliceai.splice_engine.base_layer.results import SpliceClass
from agentic_spliceai.splice_engine.errors import SchemaError
from agentic_spliceai.splice_engine.meta_layer.data.codes import Codes
from agentic_spliceai.splice_engine.meta_layer.data.schema import (
    FEATURE_NAMES,
    GC_WINDOWS,
    RANK_WINDOW,
    REFERENCE_FEATURE_NAMES,
    RIVAL_WINDOWS,
)

Columns = dict[str, npt.NDArray[np.float64]]
Rows = npt.NDArray[np.int64]

EPS = 1e-10
PEAK = 1e-3
"""Probability below which nothing counts as a local peak; from the reference design."""

PARTNER = 0.5
"""Ensemble probability from which a position counts as a predicted site, and so as somebody's partner."""

PARTNER_REACH = 100_000
"""A partner farther away than this counts as none, nt; human introns beyond are rare."""

NO_RIVAL = -20.0
"""Log-odds that stand where a position has no neighbour at all."""

FLANK = max(GC_WINDOWS) // 2
"""Bases on either side of the scored positions that `gene_features` reads, nt."""

_KINDS = (("donor", SpliceClass.DONOR), ("acceptor", SpliceClass.ACCEPTOR))


def gene_features(track: GeneTrack, codes: Codes, rows: Rows | None = None) -> npt.NDArray[np.float32]:
    """Compute every feature column.

    Parameters
    ----------
    track
        The base model's output along the gene.
    codes : uint8 [FLANK + L + FLANK]
        Bases in transcript sense, with `FLANK` more on either side than were scored (N where there are none).
    rows : int64 [R]
        Entries of the track to compute; by default all of them.

    Returns
    -------
    float32 [R, F]
        Columns in the order of `FEATURE_NAMES`.
    """
    if len(codes) != len(track) + 2 * FLANK:
        raise ValueError(f"{len(track)} positions need {len(track) + 2 * FLANK} bases, not {len(codes)}")
    rows = np.arange(len(track)) if rows is None else rows
    columns = score_columns(track.probabilities.mean(axis=0, dtype=np.float64), rows)
    columns |= _ensemble_columns(track, rows)
    columns |= sequence_columns(codes, rows + FLANK)
    columns["gene_start_distance"] = np.log1p(rows.astype(np.float64))
    columns["gene_end_distance"] = np.log1p(len(track) - 1.0 - rows)
    return np.stack([columns[name] for name in FEATURE_NAMES], axis=1).astype(np.float32)


def score_columns(probabilities: npt.NDArray[np.float64], rows: Rows | None = None) -> Columns:
    """Compute the 43 features of the reference design.

    Parameters
    ----------
    probabilities : float [L, 3]
        Ensemble probability along the gene, `SpliceClass` order.
    rows : int64 [R]
        Positions to compute; by default all.

    Returns
    -------
    dict of float64 [R]
        By name, in the order of `REFERENCE_FEATURE_NAMES`.
    """
    rows = np.arange(len(probabilities)) if rows is None else rows
    padded = np.zeros((len(probabilities) + 4, 3))
    padded[2:-2] = probabilities
    d, a, n = padded[rows + 2].T
    site = padded[:, :2].max(axis=1)
    columns: Columns = {"donor_score": d, "acceptor_score": a, "neither_score": n}
    columns |= position_columns(d, a, n, *(site[rows + 2 + shift] for shift in (-2, -1, 1, 2)))
    for kind, index in _KINDS:
        columns |= _type_columns(kind, *(padded[rows + 2 + shift, index] for shift in (0, -2, -1, 1, 2)))
    peak, strength = (
        [columns[f"{kind}_{name}"] for kind in ("donor", "acceptor")]
        for name in ("peak_height_ratio", "signal_strength")
    )
    columns["donor_acceptor_peak_ratio"] = _ratio(*peak)
    columns["type_signal_difference"] = strength[0] - strength[1]
    columns["score_difference_ratio"] = _ratio(d - a, d + a)
    columns["signal_strength_ratio"] = _ratio(*strength)
    return {name: columns[name] for name in REFERENCE_FEATURE_NAMES}


def position_columns(
    d: npt.NDArray[np.float64],
    a: npt.NDArray[np.float64],
    n: npt.NDArray[np.float64],
    m2: npt.NDArray[np.float64],
    m1: npt.NDArray[np.float64],
    p1: npt.NDArray[np.float64],
    p2: npt.NDArray[np.float64],
) -> Columns:
    """Compute the features that need the position's three scores and its four context scores only, all float64 [R]."""
    context = np.stack([m2, m1, p1, p2])
    best = np.maximum(d, a)
    return {
        "context_score_m2": m2,
        "context_score_m1": m1,
        "context_score_p1": p1,
        "context_score_p2": p2,
        "relative_donor_probability": _ratio(d, d + a),
        "splice_probability": _ratio(d + a, d + a + n),
        "donor_acceptor_diff": _ratio(d - a, best),
        "splice_neither_diff": _ratio(best - n, np.maximum(best, n)),
        "donor_acceptor_logodds": np.log(d + EPS) - np.log(a + EPS),
        "splice_neither_logodds": np.log(d + a + EPS) - np.log(n + EPS),
        "probability_entropy": -sum((p * np.log(p + EPS) for p in (d, a, n)), start=np.zeros_like(d)),
        "context_neighbor_mean": context.mean(axis=0),
        "context_asymmetry": (m1 + m2) - (p1 + p2),
        "context_max": context.max(axis=0),
    }


def _type_columns(
    kind: str,
    s: npt.NDArray[np.float64],
    m2: npt.NDArray[np.float64],
    m1: npt.NDArray[np.float64],
    p1: npt.NDArray[np.float64],
    p2: npt.NDArray[np.float64],
) -> Columns:
    context = np.stack([m2, m1, p1, p2])
    mean = context.mean(axis=0)
    return {
        f"{kind}_diff_m1": s - m1,
        f"{kind}_diff_m2": s - m2,
        f"{kind}_diff_p1": s - p1,
        f"{kind}_diff_p2": s - p2,
        f"{kind}_surge_ratio": _ratio(s, m1 + p1),
        f"{kind}_is_local_peak": ((s > m1) & (s > p1) & (s > PEAK)).astype(np.float64),
        f"{kind}_weighted_context": 0.1 * m2 + 0.2 * m1 + 0.4 * s + 0.2 * p1 + 0.1 * p2,
        f"{kind}_peak_height_ratio": _ratio(s, mean),
        f"{kind}_second_derivative": 2 * s - m1 - p1,
        f"{kind}_signal_strength": s - mean,
        f"{kind}_context_diff_ratio": _ratio(s, context.max(axis=0)),
    }


def _ratio(above: npt.NDArray[np.float64], below: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Divide; a denominator of exactly -eps, which only a signal strength can have, counts as eps."""
    shifted = below + EPS
    result: npt.NDArray[np.float64] = above / np.where(shifted == 0, EPS, shifted)
    return result


def _ensemble_columns(track: GeneTrack, rows: Rows) -> Columns:
    """Log-odds, spread among members, rivals and partners."""
    columns: Columns = {}
    logits = track.logits.astype(np.float64)
    mean = track.probabilities.mean(axis=0, dtype=np.float64)
    donor, acceptor, neither = (logits[..., c] for c in (SpliceClass.DONOR, SpliceClass.ACCEPTOR, SpliceClass.NEITHER))
    columns["site_logodds"] = (np.logaddexp(donor, acceptor) - neither)[:, rows].mean(axis=0)
    for kind, index in _KINDS:
        own, other = logits[..., index], logits[..., 1 - index]
        members = own - np.logaddexp(other, neither)
        odds = members.mean(axis=0)
        columns[f"{kind}_logodds"] = odds[rows]
        columns[f"{kind}_logodds_std"] = members[:, rows].std(axis=0)
        columns[f"{kind}_score_std"] = track.probabilities[:, rows, index].std(axis=0, dtype=np.float64)
        for reach in RIVAL_WINDOWS:
            columns[f"{kind}_rival_{reach}"] = _rival(odds, reach)[rows]
        columns[f"{kind}_rank_{RANK_WINDOW}"] = _rank(odds, rows, RANK_WINDOW)
        columns |= _partner_columns(kind, odds, np.flatnonzero(mean[:, index] >= PARTNER), rows)
    return columns


def _rival(x: npt.NDArray[np.float64], reach: int) -> npt.NDArray[np.float64]:
    """Return the maximum over the `reach` entries before each entry and the `reach` after it, itself left out."""
    best = np.pad(x, reach, constant_values=-np.inf)
    width = 1  # best[j] is the maximum over `width` padded entries from j on
    while width < reach:
        step = min(width, reach - width)
        best = np.maximum(best[:-step], best[step:])
        width += step
    found = np.maximum(best[: len(x)], best[reach + 1 : reach + 1 + len(x)])
    return np.where(np.isneginf(found), NO_RIVAL, found)


def _rank(x: npt.NDArray[np.float64], rows: Rows, reach: int) -> npt.NDArray[np.float64]:
    """Return which share of the neighbours within `reach` is larger; 0 is a local maximum."""
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(x, reach, constant_values=-np.inf), 2 * reach + 1)
    larger = np.empty(len(rows))
    for at in range(0, len(rows), 4096):  # 4,096 windows of 101 are 3 MB
        part = rows[at : at + 4096]
        larger[at : at + 4096] = (windows[part] > x[part, None]).sum(axis=1)
    neighbours = np.minimum(rows, reach) + np.minimum(len(x) - 1 - rows, reach)
    share: npt.NDArray[np.float64] = larger / np.maximum(neighbours, 1)
    return share


def _partner_columns(kind: str, odds: npt.NDArray[np.float64], sites: Rows, rows: Rows) -> Columns:
    """Find the nearest predicted site of `kind` on either side of each row, the row itself left out."""
    columns: Columns = {}
    before, after = np.searchsorted(sites, rows, side="left") - 1, np.searchsorted(sites, rows, side="right")
    for side, index in (("upstream", before), ("downstream", after)):
        there = (index >= 0) & (index < len(sites))
        at = sites[np.where(there, index, 0)] if len(sites) else np.zeros_like(rows)
        distance = np.abs(at - rows)
        there &= distance <= PARTNER_REACH
        columns[f"{kind}_{side}_distance"] = np.log1p(np.where(there, distance, PARTNER_REACH).astype(np.float64))
        columns[f"{kind}_{side}_logodds"] = np.where(there, odds[at], 0.0)
    return columns


def sequence_columns(codes: Codes, rows: Rows) -> Columns:
    """Compute GC content and motif flags.

    Parameters
    ----------
    codes : uint8 [T]
        Bases in transcript sense, see `data.codes`.
    rows : int64 [R]
        Entries of `codes`, at least `FLANK` from either end.

    Returns
    -------
    dict of float64 [R]
        GC content is 0.5 where no base of the window is known.
    """
    columns: Columns = {}
    strong = np.concatenate([[0], np.cumsum((codes == 1) | (codes == 2))])
    known = np.concatenate([[0], np.cumsum(codes < 4)])
    for width in GC_WINDOWS:
        low, high = rows - width // 2, rows + width // 2 + 1
        bases = known[high] - known[low]
        columns[f"gc_{width}"] = np.where(bases > 0, (strong[high] - strong[low]) / np.maximum(bases, 1), 0.5)
    for name, first, second, shift in (("gt", 2, 3, 1), ("gc", 2, 1, 1), ("ag", 0, 2, -2)):
        found = (codes[rows + shift] == first) & (codes[rows + shift + 1] == second)
        columns[f"motif_{name}"] = found.astype(np.float64)
    return columns


def recomputed(name: str, table: Columns, sequences: Codes | None) -> npt.NDArray[np.float64]:
    """Compute a feature column that a table of another tool lacks, from columns that it has.

    Parameters
    ----------
    name
        The missing feature.
    table
        Columns that are there, float64 [R].
    sequences : uint8 [R, W]
        Windows with the position in the middle, W at least 501.

    Raises
    ------
    SchemaError
        If the feature needs more than scores at the position, its context scores, or its sequence.
    """
    sources = (
        "donor_score",
        "acceptor_score",
        "neither_score",
        *(f"context_score_{s}" for s in ("m2", "m1", "p1", "p2")),
    )
    if all(source in table for source in sources):
        made = position_columns(*(table[source] for source in sources))
        if name in made:
            return made[name]
    if name == "score_difference_ratio" and "donor_score" in table and "acceptor_score" in table:
        d, a = table["donor_score"], table["acceptor_score"]
        return _ratio(d - a, d + a)
    if name.startswith(("gc_", "motif_")) and sequences is not None and sequences.shape[1] > 2 * FLANK:
        width = sequences.shape[1]
        middles = np.arange(len(sequences)) * width + width // 2
        return sequence_columns(sequences.reshape(-1), middles)[name]
    raise SchemaError(
        f"The table lacks the feature {name!r}, and it cannot be computed from the columns that are there.",
        "Leave it out of the features asked for, or write the artifacts with this package.",
    )
