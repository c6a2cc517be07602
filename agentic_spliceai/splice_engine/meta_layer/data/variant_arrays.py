"""Per-column arrays of variant examples: aligned bases, gaps, the base model's channels, and places.

Everything is computed when it is asked for, from the compact form that `VariantExamples` holds.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from agentic_spliceai.splice_engine.errors import TrainingDataError
from agentic_spliceai.splice_engine.meta_layer.data.base_scores import site_probabilities
from agentic_spliceai.splice_engine.meta_layer.data.codes import UNKNOWN
from agentic_spliceai.splice_engine.meta_layer.data.variant_alignment import GAP, OUTSIDE
from agentic_spliceai.splice_engine.meta_layer.data.variant_examples import Float32Array, VariantExamples

BASE_CHANNELS = (
    "donor_log_odds",
    "acceptor_log_odds",
    "donor_spread",
    "acceptor_spread",
    "donor_probability",
    "acceptor_probability",
)
"""Channels K of `base_ref` and `base_alt`: the members' mean log-odds over 10, within +-2; the members' standard
deviation of the log-odds over 3, up to 2; the mean of the members' probabilities. All are 0 outside the sequence. In a
gap the probability and spread are 0 and the log-odds `ABSENT_LOG_ODDS`: where there is no base there is no site."""

PLACE_CHANNELS = ("variant", "acceptor", "donor", "exon", "sequence", "distance")
"""Channels P of `place`: 1 at changed columns, at the exon's annotated acceptor and donor, inside the exon, and where a
base of either allele is known; signed distance to the changed columns, in units of 100, within +-2."""

ABSENT_LOG_ODDS = -20.0
"""Log-odds in a gap: what the base models give an ordinary base (median -20.2 for OpenSpliceAI 400 nt on the MFASS
constructs, -16.4 for our small model)."""

_LOG_ODDS_SCALE, _SPREAD_SCALE, _LARGEST = 10.0, 3.0, 2.0
_ABSENT = np.array([*[max(ABSENT_LOG_ODDS / _LOG_ODDS_SCALE, -_LARGEST)] * 2, 0, 0, 0, 0], dtype=np.float32)
_BATCH = 1024

Rows = npt.NDArray[np.integer]
_ONE_HOT = np.vstack([np.eye(4, dtype=np.float32), np.zeros((1, 4), dtype=np.float32)])


def aligned_codes(examples: VariantExamples, rows: Rows) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Return the bases of reference and alternate, uint8 [B, L] each; 4 (N) outside and in gaps."""

    def gather(sequence: Rows, index: npt.NDArray[np.int16]) -> npt.NDArray[np.uint8]:
        codes = examples.sequences[sequence[:, None], index.clip(0)]
        return np.where(index >= 0, codes, np.uint8(UNKNOWN))

    return (
        gather(examples.ref_row[rows], examples.ref_index[rows]),
        gather(examples.alt_row[rows], examples.alt_index[rows]),
    )


def aligned_log_odds(examples: VariantExamples, rows: Rows) -> tuple[Float32Array, Float32Array]:
    """Return donor and acceptor log-odds by member, float32 [B, L, M, 2], of reference and alternate.

    `ABSENT_LOG_ODDS` in gaps, NaN outside.
    """

    def gather(sequence: Rows, index: npt.NDArray[np.int16]) -> Float32Array:
        values: Float32Array = examples.log_odds[sequence[:, None], index.clip(0)].astype(np.float32)
        values[index == GAP] = ABSENT_LOG_ODDS
        values[index == OUTSIDE] = np.nan
        return values

    return (
        gather(examples.ref_row[rows], examples.ref_index[rows]),
        gather(examples.alt_row[rows], examples.alt_index[rows]),
    )


def aligned_probabilities(examples: VariantExamples, rows: Rows) -> tuple[Float32Array, Float32Array]:
    """Return the ensemble's probabilities, float32 [B, L, 3] in `SpliceClass` order, of reference and alternate.

    In a gap donor and acceptor are 0 and neither is 1; NaN outside.
    """
    ref, alt = aligned_log_odds(examples, rows)
    return (
        _with_neither(_mean_probability(ref, examples.ref_index[rows])),
        _with_neither(_mean_probability(alt, examples.alt_index[rows])),
    )


def sequence_channels(examples: VariantExamples, sequences: Rows | None = None) -> Float32Array:
    """Return the `BASE_CHANNELS` of distinct sequences, float32 [S, W, K]; NaN where one is filled up.

    Parameters
    ----------
    examples
        Whose sequences.
    sequences
        Which; by default all.
    """
    chosen = np.arange(len(examples.sequences)) if sequences is None else sequences
    table = np.empty((len(chosen), examples.sequences.shape[1], len(BASE_CHANNELS)), dtype=np.float32)
    for at in range(0, len(chosen), _BATCH):
        log_odds = examples.log_odds[chosen[at : at + _BATCH]].astype(np.float32)
        mean = member_mean(log_odds)
        spread = np.sqrt(member_mean((log_odds - mean[..., None, :]) ** 2))
        part = table[at : at + _BATCH]
        part[..., 0:2] = (mean / _LOG_ODDS_SCALE).clip(-_LARGEST, _LARGEST)
        part[..., 2:4] = (spread / _SPREAD_SCALE).clip(0, _LARGEST)
        part[..., 4:6] = member_mean(site_probabilities(log_odds))
    return table


def base_channels(
    examples: VariantExamples, rows: Rows, table: Float32Array | None = None
) -> tuple[Float32Array, Float32Array]:
    """Return the `BASE_CHANNELS` of reference and alternate, float32 [B, K, L].

    Parameters
    ----------
    examples, rows
        Which examples.
    table
        `sequence_channels(examples)`, for who asks often.
    """
    ref_row, alt_row = examples.ref_row[rows], examples.alt_row[rows]
    if table is None:
        used, inverse = np.unique(np.concatenate([ref_row, alt_row]), return_inverse=True)
        table = sequence_channels(examples, used)
        ref_row, alt_row = inverse[: len(ref_row)].astype(np.int32), inverse[len(ref_row) :].astype(np.int32)
    channels = table

    def gather(sequence: Rows, index: npt.NDArray[np.int16]) -> Float32Array:
        values = channels[sequence[:, None], index.clip(0)]
        values[index == OUTSIDE] = 0.0
        values[index == GAP] = _ABSENT
        return np.ascontiguousarray(values.transpose(0, 2, 1))

    return gather(ref_row, examples.ref_index[rows]), gather(alt_row, examples.alt_index[rows])


def place_channels(examples: VariantExamples, rows: Rows) -> Float32Array:
    """Return the `PLACE_CHANNELS`, float32 [B, P, L]."""
    columns = np.arange(examples.window)
    start, end = examples.start[rows, None], examples.end[rows, None]
    distance = np.where(columns < start, columns - start, np.maximum(columns - end + 1, 0))
    ref, alt = aligned_codes(examples, rows)
    channels = (
        (columns >= start) & (columns < end),
        columns == examples.acceptor[rows, None],
        columns == examples.donor[rows, None],
        (columns >= examples.exon_start[rows, None]) & (columns < examples.exon_end[rows, None]),
        (ref < UNKNOWN) | (alt < UNKNOWN),
        (distance / 100.0).clip(-_LARGEST, _LARGEST),
    )
    return np.stack([channel.astype(np.float32) for channel in channels], axis=1)


def gap_masks(examples: VariantExamples, rows: Rows) -> Float32Array:
    """Return float32 [B, 2, L]: 1 where the reference (row 0) or the alternate (row 1) has a gap."""
    return np.stack([examples.ref_index[rows] == GAP, examples.alt_index[rows] == GAP], axis=1).astype(np.float32)


def hidden_channels(examples: VariantExamples, rows: Rows) -> tuple[Float32Array, Float32Array]:
    """Return the base model's hidden channels, float32 [B, H, L], of reference and alternate; 0 outside and in gaps.

    Raises
    ------
    TrainingDataError
        If the examples were built without them.
    """
    hidden = examples.hidden
    if hidden is None:
        raise TrainingDataError(
            "The examples hold no hidden channels.", "Build them with build_examples(..., hidden_members=1)."
        )

    def gather(sequence: Rows, index: npt.NDArray[np.int16]) -> Float32Array:
        values = hidden[sequence[:, None], index.clip(0)].astype(np.float32)
        values[index < 0] = 0.0
        return np.ascontiguousarray(values.transpose(0, 2, 1))

    return (
        gather(examples.ref_row[rows], examples.ref_index[rows]),
        gather(examples.alt_row[rows], examples.alt_index[rows]),
    )


def changed_bases(examples: VariantExamples, rows: Rows) -> tuple[Float32Array, Float32Array]:
    """Return the mean one-hot of the changed bases, float32 [B, 4], of reference and alternate; zeros for no base."""
    columns = np.arange(examples.window)
    changed = (columns >= examples.start[rows, None]) & (columns < examples.end[rows, None])

    def mean(codes: npt.NDArray[np.uint8]) -> Float32Array:
        rows_of = _ONE_HOT[np.where(changed, codes, UNKNOWN)]
        total: Float32Array = rows_of.sum(axis=1) / np.maximum(rows_of.sum(axis=(1, 2)), 1)[:, None]
        return total

    ref, alt = aligned_codes(examples, rows)
    return mean(ref), mean(alt)


def member_mean(values: Float32Array) -> Float32Array:
    """Return the mean over members, float32 [..., 2] of [..., M, 2]; by slices, which NumPy sums far faster."""
    total: Float32Array = values[..., 0, :].copy()
    for member in range(1, values.shape[-2]):
        total += values[..., member, :]
    total /= values.shape[-2]
    return total


def _mean_probability(log_odds: Float32Array, index: npt.NDArray[np.int16]) -> Float32Array:
    """Ensemble probability [B, L, 2] of log-odds [B, L, M, 2]: 0 in gaps, NaN outside."""
    mean = member_mean(site_probabilities(log_odds))
    mean[index == GAP] = 0.0
    return mean


def _with_neither(sites: Float32Array) -> Float32Array:
    return np.concatenate([sites, (1 - sites.sum(axis=-1, keepdims=True)).clip(0, 1)], axis=-1)
