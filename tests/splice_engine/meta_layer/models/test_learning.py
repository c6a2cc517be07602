"""Models learn what is planted, and learn nothing from shuffled labels."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from tests.splice_engine.meta_layer.models.toys import FEATURES, GATED, L, make_model, make_one_hot, run, train

DONOR, ACCEPTOR = (2, 3, 0, 0, 2), (3, 3, 1, 0, 2)  # GTAAG behind, TTCAG before


def planted(n: int, seed: int, *, shuffled: bool = False) -> dict[str, Tensor]:
    """Return windows with a motif in the middle, beside it, or none; only the one in the middle makes the class."""
    generator = torch.Generator().manual_seed(seed)
    sequence, label = make_one_hot(n, seed=seed), torch.full((n,), 2)
    for row in range(n):
        kind = row % 5
        motif = DONOR if kind in (0, 2) else ACCEPTOR
        shift = 0 if kind < 2 else int(torch.randint(8, 22, (1,), generator=generator)) * (1 - 2 * (row // 5 % 2))
        if kind < 4:
            for offset, base in enumerate(motif):
                sequence[row, :, L // 2 + shift + offset - 2] = F.one_hot(torch.tensor(base), 4).float()
        if kind < 2:
            label[row] = kind
    if shuffled:
        label = label[torch.randperm(n, generator=generator)]
    return {"sequence": sequence, "features": torch.randn(n, FEATURES, generator=generator), "label": label}


def accuracy(fusion: str, *, shuffled: bool) -> float:
    model = make_model(
        "meta_splice", encoder_options={**GATED, "hidden_dim": 16, "kernel_size": 5}, fusion=fusion,
        fusion_options=None, base_logits=None,
    )  # fmt: skip
    train(model, planted(250, seed=1, shuffled=shuffled), steps=50)
    unseen = planted(250, seed=2)
    return (run(model.eval(), unseen).argmax(dim=1) == unseen["label"]).float().mean().item()


@pytest.mark.parametrize("fusion", ["concat", "gated", "cross_attention"])
def test_a_motif_in_the_middle_is_told_from_one_beside_it(fusion: str) -> None:
    """Three fifths are `neither`, and two of them have a motif: a model that pools position away stays near 0.6."""
    assert accuracy(fusion, shuffled=False) > 0.93


def test_nothing_is_learned_from_shuffled_labels() -> None:
    assert accuracy("concat", shuffled=True) < 0.65
