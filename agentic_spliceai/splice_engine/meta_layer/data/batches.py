"""Names and shapes of what a batch holds: the one agreement between datasets, models, training and evaluation.

A batch is a `dict[str, Tensor]`. B examples, L positions, F features, K channels of the base model. Sequences are in
transcript sense, channels A, C, G, T, N an all-zero column. Classes are in `SpliceClass` order: donor, acceptor,
neither.

One position an example (`MetaLayerDataset`)

| key | type | what |
|---|---|---|
| sequence | float32 [B, 4, L] or int64 [B, L] | window with the position in the middle, one-hot or token ids |
| features | float32 [B, F] | normalised score features |
| label | int64 [B] | `SpliceClass` |
| weight | float32 [B] | sample weight |

One variant an example (`VariantDataset`)

| key | type | what |
|---|---|---|
| ref, alt | float32 [B, 4, L] | both alleles, aligned: a deleted or not yet inserted base is an all-zero column |
| gap | float32 [B, 2, L] | 1 where ref (row 0) or alt (row 1) has no base because of an insertion or deletion |
| ref_base, alt_base | float32 [B, 4] | changed base, transcript sense; the mean over an allele of several |
| base_ref, base_alt | float32 [B, K, L] | the base model's outputs on either allele; see `data.variant_examples` |
| place | float32 [B, P, L] | variant, annotated acceptor and donor, exon, real sequence; see `data.variant_examples` |
| features | float32 [B, F] | normalised scalar features of the variant |
| altering | float32 [B] | 1 splice-altering, 0 normal, NaN unknown |
| psi | float32 [B] | measured change of exon inclusion, -1 to 1, NaN unknown |
| delta | float32 [B, 3] | target of the validated delta, NaN where none |
| site | int64 [B] | `AffectedSite`, -100 unknown |
| effect | int64 [B] | `EffectType`, -100 unknown |
| position | int64 [B] | column of [L] with the largest effect, -100 unknown |
| weight | float32 [B] | sample weight |
| base_delta | float32 [B, L, 2] | base_model(alt) - base_model(ref), donor and acceptor, per position |

Per-position recalibration (`RecalibrationDataset`)

| key | type | what |
|---|---|---|
| sequence | float32 [B, 4, L] | as above |
| base | float32 [B, L, 3] | base probabilities |
| label | int64 [B, L] | `SpliceClass`, -100 ignored |
| weight | float32 [B, L] | position weight |
"""

from __future__ import annotations

from enum import IntEnum

IGNORE_INDEX = -100
"""Label that neither trains nor counts; PyTorch's own default."""


class EffectType(IntEnum):
    """What a variant does, as one class: the four of the base model, complex, and nothing."""

    NONE = 0
    DONOR_GAIN = 1
    DONOR_LOSS = 2
    ACCEPTOR_GAIN = 3
    ACCEPTOR_LOSS = 4
    COMPLEX = 5


class AffectedSite(IntEnum):
    """Which annotated site of the exon a variant weakens most."""

    NONE = 0
    ACCEPTOR = 1
    DONOR = 2
    BOTH = 3
