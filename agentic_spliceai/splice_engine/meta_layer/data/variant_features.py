"""Scalar features of a variant: what the base model says at the exon's sites, where the variant lies, and its bases.

None of them looks at a label. They are raw: `normalization.Normalizer`, fitted on the training part, scales them. Every
value is finite; a site that the exon lacks, or that lies outside the window, has log-odds, drop and loss 0, and a flag
says so.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from agentic_spliceai.splice_engine.base_layer.results import SpliceClass
from agentic_spliceai.splice_engine.genome.sequence import BASES
from agentic_spliceai.splice_engine.meta_layer.data.base_scores import site_probabilities
from agentic_spliceai.splice_engine.meta_layer.data.codes import UNKNOWN
from agentic_spliceai.splice_engine.meta_layer.data.variant_alignment import GAP
from agentic_spliceai.splice_engine.meta_layer.data.variant_arrays import (
    aligned_codes,
    aligned_log_odds,
    changed_bases,
    member_mean,
)
from agentic_spliceai.splice_engine.meta_layer.data.variant_examples import (
    MISSING,
    Float32Array,
    VariantExamples,
)

NEIGHBOURS = (-3, -2, -1, 1, 2, 3)
"""Places beside the changed bases whose bases are features, in transcript sense."""

FLOOR_LOG_ODDS = -6.0
"""Log-odds below this (probability 0.0025) count as this when gains and rivals are looked for: far below it, a change
means nothing."""

FAR = 300
"""Distances are clipped to this many nt."""

_BATCH = 512
_SITES = ((SpliceClass.ACCEPTOR, "acceptor"), (SpliceClass.DONOR, "donor"))

VARIANT_FEATURES: tuple[str, ...] = (
    # The base model at the two annotated sites of the exon. drop = reference minus alternate of the log-odds.
    *(
        f"{site}_{what}"
        for site in ("acceptor", "donor")
        for what in ("log_odds_ref", "drop", "drop_spread", "probability_ref", "loss", "present")
    ),
    "drop_sum", "drop_max", "drop_min", "drop_sum_spread", "loss_max",
    # Over the whole window: largest gain and loss; the best site of each kind beside the annotated one, and its rise.
    *(f"{site}_{what}" for site in ("acceptor", "donor")
      for what in ("gain_any", "loss_any", "log_odds_gain_any", "log_odds_loss_any", "rival_alt", "rival_rise")),
    "max_delta",
    # Where. Signed: positive downstream of the exon's first base, or of its last base.
    "from_acceptor", "from_donor", "from_acceptor_log", "from_donor_log", "from_nearest_log",
    "exonic", "upstream", "downstream", "acceptor_dinucleotide", "donor_dinucleotide", "acceptor_region",
    "donor_region", "exon_length_log", "exon_gc", "local_gc",
    # What.
    *(f"ref_{base}" for base in BASES), *(f"alt_{base}" for base in BASES),
    "transition", "transversion", "inserted", "deleted", "cpg_lost", "cpg_gained",
    *(f"base_{place:+d}_{base}" for place in NEIGHBOURS for base in BASES),
)  # fmt: skip
"""Names of the columns that `variant_features` returns, in their order."""


def variant_features(examples: VariantExamples, rows: npt.NDArray[np.integer] | None = None) -> Float32Array:
    """Return the features of examples, float32 [N, F], columns as in `VARIANT_FEATURES`.

    Parameters
    ----------
    examples
        The examples.
    rows
        Which; by default all.
    """
    chosen = np.arange(len(examples)) if rows is None else np.asarray(rows)
    parts = [_features(examples, chosen[at : at + _BATCH]) for at in range(0, len(chosen), _BATCH)]
    return np.concatenate(parts) if parts else np.empty((0, len(VARIANT_FEATURES)), dtype=np.float32)


def _features(examples: VariantExamples, rows: npt.NDArray[np.integer]) -> Float32Array:
    found: dict[str, npt.NDArray[np.generic]] = {}
    found.update(_score_features(examples, rows))
    found.update(_place_features(examples, rows))
    found.update(_base_features(examples, rows))
    return np.stack([found[name].astype(np.float32) for name in VARIANT_FEATURES], axis=1)


def _score_features(examples: VariantExamples, rows: npt.NDArray[np.integer]) -> dict[str, npt.NDArray[np.generic]]:
    ref, alt = aligned_log_odds(examples, rows)  # [B, L, M, 2]
    ref_p, alt_p = (_known(member_mean(site_probabilities(x))) for x in (ref, alt))  # [B, L, 2]
    ref_level, alt_level = (
        np.nan_to_num(member_mean(x), nan=FLOOR_LOG_ODDS).clip(FLOOR_LOG_ODDS, None) for x in (ref, alt)
    )
    found: dict[str, npt.NDArray[np.generic]] = {}
    drops_of = site_drops(examples, rows, ref, alt)
    drops, losses = {}, {}
    for site, name in _SITES:
        column, present = site_column(examples, rows, name)
        at = np.arange(len(rows)), column
        drops[name] = drops_of[name].mean(axis=1)
        losses[name] = np.where(present, (ref_p[at] - alt_p[at])[..., site], 0)
        found[f"{name}_log_odds_ref"] = np.where(present, _known(ref[at])[..., site].mean(axis=1), 0)
        found[f"{name}_drop"] = drops[name]
        found[f"{name}_drop_spread"] = drops_of[name].std(axis=1)
        found[f"{name}_probability_ref"] = np.where(present, ref_p[at][..., site], 0)
        found[f"{name}_loss"] = losses[name]
        found[f"{name}_present"] = present

        change = alt_p[..., site] - ref_p[..., site]
        before, after = ref_level[..., site], alt_level[..., site]
        elsewhere = (np.arange(examples.window) != column[:, None]) | ~present[:, None]
        rival = np.where(elsewhere, after, FLOOR_LOG_ODDS)
        best = rival.argmax(axis=1)
        found[f"{name}_gain_any"] = change.max(axis=1).clip(0, None)
        found[f"{name}_loss_any"] = -change.min(axis=1).clip(None, 0)
        found[f"{name}_log_odds_gain_any"] = (after - before).max(axis=1).clip(0, None)
        found[f"{name}_log_odds_loss_any"] = (before - after).max(axis=1).clip(0, None)
        found[f"{name}_rival_alt"] = rival.max(axis=1)
        found[f"{name}_rival_rise"] = rival.max(axis=1) - before[np.arange(len(rows)), best]
    found["drop_sum"] = drops["acceptor"] + drops["donor"]
    found["drop_max"] = np.maximum(drops["acceptor"], drops["donor"])
    found["drop_min"] = np.minimum(drops["acceptor"], drops["donor"])
    found["drop_sum_spread"] = (drops_of["acceptor"] + drops_of["donor"]).std(axis=1)
    found["loss_max"] = np.maximum(losses["acceptor"], losses["donor"])
    found["max_delta"] = np.abs(alt_p - ref_p).max(axis=(1, 2))
    return found


def site_drops(
    examples: VariantExamples, rows: npt.NDArray[np.integer], ref: Float32Array, alt: Float32Array
) -> dict[str, Float32Array]:
    """Return reference minus alternate log-odds of the annotated `acceptor` and `donor`, float32 [B, M] by member.

    0 where the site is not present. A deleted site has `ABSENT_LOG_ODDS` in the alternate.

    Parameters
    ----------
    examples, rows
        Which examples.
    ref, alt : float32 [B, L, M, 2]
        Their `aligned_log_odds`.
    """
    drops = {}
    for site, name in _SITES:
        column, present = site_column(examples, rows, name)
        at = np.arange(len(rows)), column
        drops[name] = np.where(present[:, None], _known(ref[at] - alt[at])[..., site], np.float32(0))
    return drops


def site_column(
    examples: VariantExamples, rows: npt.NDArray[np.integer], site: str
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.bool_]]:
    """Return the column of the annotated acceptor or donor, and whether the window has scores there.

    Parameters
    ----------
    examples, rows
        Which examples.
    site
        `acceptor` or `donor`.

    Returns
    -------
    column : int32 [B]
        0 where it is not present.
    present : bool [B]
    """
    column = (examples.acceptor if site == "acceptor" else examples.donor)[rows]
    inside = (column >= 0) & (column < examples.window)
    column = np.where(inside, column, 0).astype(np.int32)
    scored = examples.ref_index[rows, column] >= 0
    return np.where(inside & scored, column, 0).astype(np.int32), inside & scored


def _known(values: Float32Array) -> Float32Array:
    """Outside the sequence neither allele has a site: same value for both, so that no change is seen."""
    return np.nan_to_num(values, nan=0.0)


def _place_features(examples: VariantExamples, rows: npt.NDArray[np.integer]) -> dict[str, npt.NDArray[np.generic]]:
    start, last = examples.start[rows], examples.end[rows] - 1
    first_exonic, last_exonic = examples.exon_start[rows], examples.exon_end[rows] - 1
    from_acceptor = _signed(start, last, first_exonic)
    from_donor = _signed(start, last, last_exonic)
    length = last_exonic - first_exonic + 1
    has_acceptor, has_donor = (getattr(examples, name)[rows] != MISSING for name in ("acceptor", "donor"))
    ref, _ = aligned_codes(examples, rows)
    columns = np.arange(examples.window)
    near = (columns >= start[:, None] - 20) & (columns <= last[:, None] + 20)
    exons, exon_of = np.unique(examples.names["exon"][rows], return_inverse=True)

    def touches(low: npt.NDArray[np.integer], high: npt.NDArray[np.integer]) -> npt.NDArray[np.bool_]:
        return np.asarray((start <= high) & (last >= low))

    return {
        "from_acceptor": from_acceptor,
        "from_donor": from_donor,
        "from_acceptor_log": np.log1p(np.abs(from_acceptor)),
        "from_donor_log": np.log1p(np.abs(from_donor)),
        "from_nearest_log": np.log1p(np.minimum(np.abs(from_acceptor), np.abs(from_donor))),
        "exonic": touches(first_exonic, last_exonic),
        "upstream": start < first_exonic,
        "downstream": last > last_exonic,
        "acceptor_dinucleotide": has_acceptor & touches(first_exonic - 2, first_exonic - 1),
        "donor_dinucleotide": has_donor & touches(last_exonic + 1, last_exonic + 2),
        # The region a splice factor reads: 20 nt of tract to the exon's first base; the last 3 bases to intron base 6.
        "acceptor_region": has_acceptor & touches(first_exonic - 20, first_exonic),
        "donor_region": has_donor & touches(last_exonic - 2, last_exonic + 6),
        "exon_length_log": np.log(length),
        "exon_gc": np.array([_gc_share(exon) for exon in exons.tolist()])[exon_of],
        "local_gc": _share((ref == 1) | (ref == 2), near & (ref < UNKNOWN)),
    }


def _base_features(examples: VariantExamples, rows: npt.NDArray[np.integer]) -> dict[str, npt.NDArray[np.generic]]:
    ref, alt = aligned_codes(examples, rows)
    ref_base, alt_base = changed_bases(examples, rows)
    start, end = examples.start[rows], examples.end[rows]
    width = end - start
    columns = np.arange(examples.window)
    changed = (columns >= start[:, None]) & (columns < end[:, None])
    gaps = [((index[rows] == GAP) & changed).sum(axis=1) for index in (examples.ref_index, examples.alt_index)]
    # Both purines (A, G) or both pyrimidines: codes of equal parity.
    single = (width == 1) & (gaps[0] == 0) & (gaps[1] == 0)
    ref_code, alt_code = (codes[np.arange(len(rows)), start.clip(0, examples.window - 1)] for codes in (ref, alt))
    known = single & (ref_code < UNKNOWN) & (alt_code < UNKNOWN)
    same_kind = ref_code % 2 == alt_code % 2
    cpg_ref, cpg_alt = (_cpg_count(codes, start, end) for codes in (ref, alt))
    found: dict[str, npt.NDArray[np.generic]] = {
        "transition": known & same_kind,
        "transversion": known & ~same_kind,
        "inserted": np.log1p(gaps[0]),
        "deleted": np.log1p(gaps[1]),
        "cpg_lost": (cpg_ref - cpg_alt).clip(0, 1),
        "cpg_gained": (cpg_alt - cpg_ref).clip(0, 1),
    }
    for channel, base in enumerate(BASES):
        found[f"ref_{base}"], found[f"alt_{base}"] = ref_base[:, channel], alt_base[:, channel]
    for place in NEIGHBOURS:
        at = (start if place < 0 else end - 1) + place
        inside = (at >= 0) & (at < examples.window)
        code = np.where(inside, ref[np.arange(len(rows)), at.clip(0, examples.window - 1)], UNKNOWN)
        for channel, base in enumerate(BASES):
            found[f"base_{place:+d}_{base}"] = code == channel
    return found


def _signed(start: npt.NDArray[np.int32], last: npt.NDArray[np.int32], site: npt.NDArray[np.int32]) -> Float32Array:
    """Distance of the changed columns from a column: 0 if they hold it, negative before, positive after it."""
    distance = np.where(last < site, last - site, np.maximum(start - site, 0))
    return distance.clip(-FAR, FAR).astype(np.float32)


def _share(hits: npt.NDArray[np.bool_], among: npt.NDArray[np.bool_]) -> npt.NDArray[np.generic]:
    share: npt.NDArray[np.generic] = (hits & among).sum(axis=1) / np.maximum(among.sum(axis=1), 1)
    return share


def _gc_share(exon: str) -> float:
    known = sum(exon.count(base) for base in BASES)
    return (exon.count("C") + exon.count("G")) / known if known else 0.0


def _cpg_count(
    codes: npt.NDArray[np.uint8], start: npt.NDArray[np.int32], end: npt.NDArray[np.int32]
) -> npt.NDArray[np.integer]:
    """Count CG in the changed columns and one beside them, gaps skipped."""
    counts = np.zeros(len(codes), dtype=np.int64)
    for row, (first, last) in enumerate(zip(start, end, strict=True)):
        bases = codes[row, max(first - 1, 0) : last + 1]
        bases = bases[bases < UNKNOWN]
        counts[row] = ((bases[:-1] == 1) & (bases[1:] == 2)).sum()
    return counts
