"""What models of variants are trained towards: validated delta, kind of effect, affected site, place of the effect.

All come from a class that an experiment gave and, for splice-altering variants, from what the base model says changes.
Arrays are aligned probabilities in transcript sense, classes in `SpliceClass` order, as `aligned_probabilities` returns
them; a column outside the sequence is NaN and counts as unchanged.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from agentic_spliceai.splice_engine.base_layer.results import SpliceClass
from agentic_spliceai.splice_engine.meta_layer.data.batches import IGNORE_INDEX, AffectedSite, EffectType
from agentic_spliceai.splice_engine.meta_layer.data.variant_arrays import aligned_log_odds, aligned_probabilities
from agentic_spliceai.splice_engine.meta_layer.data.variant_classes import VariantClass
from agentic_spliceai.splice_engine.meta_layer.data.variant_examples import Float32Array, VariantExamples
from agentic_spliceai.splice_engine.meta_layer.data.variant_features import site_drops

REACH = 50
"""Largest distance from the changed bases at which a change counts, nt; the design documents' window of +-50."""

MIN_CHANGE = 0.1
"""Change of a probability from which on it tells the kind and place of an effect; the documents' threshold of
detection."""

RIVAL_SHARE = 0.5
"""A second kind of change, or a second site, counts beside the largest if it is at least this share of it."""

MIN_DROP = 1.0
"""Drop of a site's log-odds, in nats, from which on a splice-altering variant is said to weaken it."""

_BATCH = 512
_KINDS = (
    (EffectType.DONOR_GAIN, SpliceClass.DONOR, 1.0),
    (EffectType.DONOR_LOSS, SpliceClass.DONOR, -1.0),
    (EffectType.ACCEPTOR_GAIN, SpliceClass.ACCEPTOR, 1.0),
    (EffectType.ACCEPTOR_LOSS, SpliceClass.ACCEPTOR, -1.0),
)

Classes = npt.NDArray[np.integer]
Labels = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class VariantTargets:
    """Targets of N variants; see the functions of the same names for their rules.

    Attributes
    ----------
    delta : float32 [N, 3]
        Validated delta, NaN where none.
    position : int64 [N]
        Column of the largest change, `IGNORE_INDEX` where none.
    effect : int64 [N]
        `EffectType`, or `IGNORE_INDEX`.
    site : int64 [N]
        `AffectedSite`, or `IGNORE_INDEX`.
    """

    delta: Float32Array
    position: Labels
    effect: Labels
    site: Labels


def variant_targets(examples: VariantExamples) -> VariantTargets:
    """Return the targets of all examples, by their classes."""
    deltas, positions, effects, sites = [], [], [], []
    for at in range(0, len(examples), _BATCH):
        rows = np.arange(at, min(at + _BATCH, len(examples)))
        classes = examples.classes[rows]
        ref, alt = aligned_probabilities(examples, rows)
        change = base_change(ref, alt, examples.start[rows], examples.end[rows])
        deltas.append(validated_delta(change, classes))
        positions.append(effect_position(change, classes))
        effects.append(effect_type(change, classes))
        drops = site_drops(examples, rows, *aligned_log_odds(examples, rows))
        sites.append(affected_site(drops["acceptor"].mean(axis=1), drops["donor"].mean(axis=1), classes))
    if not deltas:
        empty = np.empty(0, dtype=np.int64)
        return VariantTargets(np.empty((0, 3), dtype=np.float32), empty, empty, empty)
    return VariantTargets(
        np.concatenate(deltas), np.concatenate(positions), np.concatenate(effects), np.concatenate(sites)
    )


def base_change(
    ref: Float32Array, alt: Float32Array, start: npt.NDArray[np.int32], end: npt.NDArray[np.int32], reach: int = REACH
) -> Float32Array:
    """Return alternate minus reference, 0 farther than `reach` from the changed columns and outside the sequence.

    Parameters
    ----------
    ref, alt : float32 [B, L, 3]
        Aligned probabilities.
    start, end : int32 [B]
        Changed columns, half-open.
    reach
        nt.
    """
    columns = np.arange(ref.shape[1])
    near = (columns >= start[:, None] - reach) & (columns < end[:, None] + reach)
    return np.where(near[..., None], np.nan_to_num(alt - ref, nan=0.0), np.float32(0))


def largest_change(change: Float32Array) -> Labels:
    """Return the column with the largest sum of absolute class differences, int64 [B]; the first of several."""
    column: Labels = np.abs(change).sum(axis=2).argmax(axis=1)
    return column


def validated_delta(change: Float32Array, classes: Classes) -> Float32Array:
    """Return the validated delta, float32 [B, 3].

    Splice-altering: the base model's change at the column where it is largest. Normal: zeros. Others: NaN.
    """
    delta = np.full((len(change), 3), np.nan, dtype=np.float32)
    delta[classes == VariantClass.NORMAL] = 0.0
    altering = np.flatnonzero(classes == VariantClass.SPLICE_ALTERING)
    delta[altering] = change[altering, largest_change(change)[altering]]
    return delta


def effect_position(change: Float32Array, classes: Classes) -> Labels:
    """Return the column of the largest change, int64 [B].

    `IGNORE_INDEX` for variants that are not splice-altering, and where donor and acceptor change by less than
    `MIN_CHANGE`: there the base model's maximum is noise.
    """
    told = (classes == VariantClass.SPLICE_ALTERING) & (np.abs(change[..., :2]).max(axis=(1, 2)) >= MIN_CHANGE)
    return np.where(told, largest_change(change), IGNORE_INDEX)


def effect_type(change: Float32Array, classes: Classes) -> Labels:
    """Return the kind of effect, int64 [B].

    Normal: NONE. Splice-altering: of the largest gain and loss of donor and acceptor, those of at least `MIN_CHANGE`
    and at least `RIVAL_SHARE` of the largest; one gives its own kind, several COMPLEX; none, and the other classes,
    `IGNORE_INDEX`.
    """
    sizes = np.stack([(sign * change[..., column]).max(axis=1) for _, column, sign in _KINDS], axis=1)
    counts = sizes >= np.maximum(MIN_CHANGE, RIVAL_SHARE * sizes.max(axis=1, keepdims=True))
    single = np.array([kind for kind, _, _ in _KINDS])[sizes.argmax(axis=1)]
    kind = np.where(counts.sum(axis=1) > 1, EffectType.COMPLEX, single)
    told = (classes == VariantClass.SPLICE_ALTERING) & counts.any(axis=1)
    return np.where(classes == VariantClass.NORMAL, EffectType.NONE, np.where(told, kind, IGNORE_INDEX)).astype(
        np.int64
    )


def affected_site(acceptor_drop: Float32Array, donor_drop: Float32Array, classes: Classes) -> Labels:
    """Return which annotated site of the exon is weakened most, int64 [B].

    Parameters
    ----------
    acceptor_drop, donor_drop : float32 [B]
        Reference minus alternate log-odds of the site.
    classes : int [B]
        `VariantClass`. Normal: NONE. Splice-altering: the sites that drop by at least `MIN_DROP` and by at least
        `RIVAL_SHARE` of the larger drop; no such site, and the other classes: `IGNORE_INDEX`.
    """
    least = np.maximum(MIN_DROP, RIVAL_SHARE * np.maximum(acceptor_drop, donor_drop))
    hit = (acceptor_drop >= least) * int(AffectedSite.ACCEPTOR) + (donor_drop >= least) * int(AffectedSite.DONOR)
    told = np.where((classes == VariantClass.SPLICE_ALTERING) & (hit > 0), hit, IGNORE_INDEX)
    return np.where(classes == VariantClass.NORMAL, AffectedSite.NONE, told).astype(np.int64)
