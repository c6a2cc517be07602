"""Columns of the artifact tables: what identifies a row, what is a feature, and what would leak the label.

The layout is that of the published analysis tables (`analysis_sequences_<chrom>_chunk_<a>_<b>.tsv`), with our own
features behind theirs. Positions are 1-based, plus strand.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from agentic_spliceai.splice_engine.errors import SchemaError

FORMAT = 1
"""Raise it whenever a column, or the way a column is computed, changes."""

IDENTITY: Mapping[str, str] = {
    "gene_id": "gene of the row",
    "transcript_id": "the gene's representative transcript",
    "gene_name": "symbol",
    "chrom": "contig",
    "strand": "strand that was scored, + or -",
    "position": "1-based, plus strand",
    "window_start": "first base of `sequence` on the plus strand, 1-based; may lie before the contig",
    "window_end": "last base of `sequence` on the plus strand, 1-based; may lie past the contig",
    "splice_type": "donor, acceptor, or empty: what some transcript of the gene has here",
    "pred_type": "TP, FP, FN or TN of the base model at its cut-off",
    "score": "the larger of the base model's donor and acceptor probability",
    "transcript_count": "transcripts of the gene that have this site",
    "sequence": "window in transcript sense, the position in its middle; N where the genome has no base",
    "sampling_weight": "positions that the row stands for: 1 / probability that it was kept",
}
"""Columns that say which position a row is, in order."""

NUMERIC_IDENTITY = ("position", "window_start", "window_end", "score", "transcript_count", "sampling_weight")

LEAK_COLUMNS = frozenset(
    {
        "splice_type", "pred_type", "true_position", "predicted_position", "is_correct", "error_type",
        "label", "transcript_count", "sampling_weight",
    }
)  # fmt: skip
"""Columns that know the label: none may be a feature. `sampling_weight` does, because every site is kept."""


class Transform(StrEnum):
    """What is done to a feature before its mean and spread are taken."""

    NONE = "none"
    SIGNED_LOG = "signed_log"
    """sign(x) ln(1 + |x|): for ratios, which have no bound."""


@dataclass(frozen=True)
class Feature:
    """A column that a model may read."""

    name: str
    group: str
    meaning: str
    transform: Transform = Transform.NONE


def _features() -> tuple[Feature, ...]:
    log = Transform.SIGNED_LOG
    rows = [
        Feature("donor_score", "score", "d, the base model's donor probability (mean over the ensemble)"),
        Feature("acceptor_score", "score", "a, acceptor probability"),
        Feature("neither_score", "score", "n, probability of neither"),
        Feature("context_score_m2", "context", "max(d, a) two positions upstream"),
        Feature("context_score_m1", "context", "max(d, a) one position upstream"),
        Feature("context_score_p1", "context", "max(d, a) one position downstream"),
        Feature("context_score_p2", "context", "max(d, a) two positions downstream"),
        Feature("relative_donor_probability", "probability", "d / (d + a)"),
        Feature("splice_probability", "probability", "(d + a) / (d + a + n)"),
        Feature("donor_acceptor_diff", "probability", "(d - a) / max(d, a)"),
        Feature("splice_neither_diff", "probability", "(max(d, a) - n) / max(d, a, n)"),
        Feature("donor_acceptor_logodds", "probability", "ln d - ln a"),
        Feature("splice_neither_logodds", "probability", "ln(d + a) - ln n"),
        Feature("probability_entropy", "probability", "entropy of d, a, n in nats"),
        Feature("context_neighbor_mean", "context", "mean of the four context scores"),
        Feature("context_asymmetry", "context", "(m1 + m2) - (p1 + p2)"),
        Feature("context_max", "context", "largest of the four context scores"),
    ]
    for kind, s in (("donor", "d"), ("acceptor", "a")):
        rows += [
            *(Feature(f"{kind}_diff_{at}", kind, f"{s} minus {s} at {at}") for at in ("m1", "m2", "p1", "p2")),
            Feature(f"{kind}_surge_ratio", kind, f"{s} / ({s} at m1 + {s} at p1)", log),
            Feature(f"{kind}_is_local_peak", kind, f"1 where {s} exceeds both neighbours and 0.001"),
            Feature(f"{kind}_weighted_context", kind, f"{s} smoothed with 0.1, 0.2, 0.4, 0.2, 0.1"),
            Feature(f"{kind}_peak_height_ratio", kind, f"{s} / mean of its four neighbours", log),
            Feature(f"{kind}_second_derivative", kind, f"2 {s} - {s} at m1 - {s} at p1"),
            Feature(f"{kind}_signal_strength", kind, f"{s} - mean of its four neighbours"),
            Feature(f"{kind}_context_diff_ratio", kind, f"{s} / largest of its four neighbours", log),
        ]
    rows += [
        Feature("donor_acceptor_peak_ratio", "cross", "donor over acceptor peak height ratio", log),
        Feature("type_signal_difference", "cross", "donor minus acceptor signal strength"),
        Feature("score_difference_ratio", "cross", "(d - a) / (d + a)"),
        Feature("signal_strength_ratio", "cross", "donor over acceptor signal strength", log),
    ]
    for kind in ("donor", "acceptor"):
        rows += [
            Feature(f"{kind}_logodds", "logodds", f"log-odds of {kind} against the rest, from logits, ensemble mean"),
            Feature(f"{kind}_logodds_std", "spread", f"spread of the {kind} log-odds among the ensemble"),
            Feature(f"{kind}_score_std", "spread", f"spread of the {kind} probability among the ensemble"),
        ]
    rows += [
        Feature("site_logodds", "logodds", "log-odds of donor or acceptor against neither, ensemble mean"),
        *(Feature(f"gc_{w}", "sequence", f"share of G and C among the known bases of {w} nt") for w in GC_WINDOWS),
        Feature("motif_gt", "sequence", "1 where GT follows the position, as after most donors"),
        Feature("motif_gc", "sequence", "1 where GC follows the position"),
        Feature("motif_ag", "sequence", "1 where AG precedes the position, as before most acceptors"),
        Feature("gene_start_distance", "place", "ln(1 + nt to the gene's first base)"),
        Feature("gene_end_distance", "place", "ln(1 + nt to the gene's last base)"),
    ]
    for kind in ("donor", "acceptor"):
        rows += [
            *(
                Feature(f"{kind}_rival_{w}", "rival", f"largest {kind} log-odds within {w} nt, the position left out")
                for w in RIVAL_WINDOWS
            ),
            Feature(
                f"{kind}_rank_{RANK_WINDOW}",
                "rival",
                f"share of positions within {RANK_WINDOW} nt that are more {kind}-like",
            ),
        ]
    for kind in ("acceptor", "donor"):
        for side in ("upstream", "downstream"):
            rows += [
                Feature(f"{kind}_{side}_distance", "partner", f"ln(1 + nt to the next predicted {kind} {side})"),
                Feature(f"{kind}_{side}_logodds", "partner", "its log-odds, 0 where there is none"),
            ]
    return tuple(rows)


GC_WINDOWS = (51, 201, 501)
RIVAL_WINDOWS = (10, 50, 200)
RANK_WINDOW = 50

FEATURES = _features()
"""Every feature column, in the order of the tables: the 43 of the reference design, then our own."""

FEATURE_NAMES = tuple(feature.name for feature in FEATURES)
REFERENCE_FEATURE_NAMES = FEATURE_NAMES[:43]
"""Those of the reference design."""

COLUMNS = (*IDENTITY, *FEATURE_NAMES)
"""Columns of an analysis table, in order."""

_BY_NAME = {feature.name: feature for feature in FEATURES}


def feature(name: str) -> Feature:
    """Return the description of a feature; one of your own counts as bounded and is called `own`."""
    return _BY_NAME.get(name) or Feature(name, "own", "column of another tool")


def schema_digest(features: Sequence[str] = FEATURE_NAMES) -> str:
    """Return the SHA-256 over the format, the identity columns, and name, meaning and transform of each feature."""
    described = [[f.name, f.meaning, str(f.transform)] for f in map(feature, features)]
    text = json.dumps([FORMAT, list(IDENTITY), described], separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def check_features(names: Sequence[str]) -> tuple[str, ...]:
    """Return `names` if a model may read them.

    Raises
    ------
    SchemaError
        Naming the column that would leak the label, identifies the row, or is asked for twice.
    """
    for name in names:
        if name in LEAK_COLUMNS:
            raise SchemaError(
                f"Column {name!r} knows the label and may not be a feature.", "Leave it out of the features."
            )
        if name in IDENTITY and name != "score":
            raise SchemaError(f"Column {name!r} says which row it is and is no feature.", "Leave it out.")
    twice = next((name for name in names if list(names).count(name) > 1), None)
    if twice is not None:
        raise SchemaError(f"Feature {twice!r} is asked for twice.", "Name each once.")
    return tuple(names)


def check_columns(
    table: Mapping[str, Any],
    *,
    features: Sequence[str] = FEATURE_NAMES,
    identity: Collection[str] = tuple(IDENTITY),
    source: str = "the table",
    first_row: int = 1,
) -> None:
    """Check a table, or a piece of one.

    Parameters
    ----------
    table
        Columns by name, each convertible to an array: a dict of arrays or a pandas DataFrame.
    features
        Columns that a model will read.
    identity
        Identity columns that have to be there.
    source
        What the table is called in messages.
    first_row
        Number of the first row in messages; 1 is the row under the header.

    Raises
    ------
    SchemaError
        Naming the first column that is missing, asked for though it leaks, no number, or not finite (with its row).
    """
    check_features(features)
    have = list(table)
    for name in [*identity, *features]:
        if name not in have:
            raise SchemaError(
                f"{source} lacks the column {name!r}.",
                "Write the artifacts again, or leave the column out of those asked for.",
            )
        if have.count(name) > 1:
            raise SchemaError(f"{source} has the column {name!r} twice.", "Keep one of them.")
    for name in [*(n for n in NUMERIC_IDENTITY if n in identity), *features]:
        values = np.asarray(table[name])
        if values.dtype.kind not in "iufb":
            raise SchemaError(
                f"{source}: column {name!r} holds {values.dtype} instead of numbers{_first_text(values, first_row)}.",
                "Mend the column.",
            )
        if values.dtype.kind == "f" and not (finite := np.isfinite(values)).all():
            row = int(np.flatnonzero(~finite)[0])
            raise SchemaError(
                f"{source}: column {name!r} is {values[row]} in row {row + first_row}.",
                "Every feature is a finite number; mend or leave out the row.",
            )
    if "splice_type" in identity:
        _check_types(np.asarray(table["splice_type"]), source, first_row)


def _first_text(values: np.ndarray[Any, Any], first_row: int) -> str:
    """Return ` (row 7: 'abc')` for the first value that is no number."""
    for row, value in enumerate(values):
        try:
            float(value)
        except (TypeError, ValueError):
            return f" (row {row + first_row}: {str(value)[:30]!r})"
    return ""


def _check_types(values: np.ndarray[Any, Any], source: str, first_row: int) -> None:
    wrong = ~np.isin(values.astype(str), ("donor", "acceptor", ""))
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise SchemaError(
            f"{source}: column 'splice_type' is {str(values[row])[:30]!r} in row {row + first_row}.",
            "It is donor, acceptor or empty.",
        )
