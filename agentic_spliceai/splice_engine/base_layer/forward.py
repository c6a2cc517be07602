"""Whole sequences through the networks of an ensemble: what a base model's `predict` does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from agentic_spliceai.splice_engine.base_layer.folding import FoldedNetwork, can_fold, fold_all
from agentic_spliceai.splice_engine.base_layer.network import SpliceNetwork
from agentic_spliceai.splice_engine.base_layer.results import Precision
from agentic_spliceai.splice_engine.base_layer.threads import run_side_by_side

FloatArray = npt.NDArray[np.float32]

DTYPES = {Precision.FLOAT32: torch.float32, Precision.BFLOAT16: torch.bfloat16}
"""In which the convolutions of residual units are computed."""

_POSITIONS_PER_PASS = 2**17
"""Positions times batch that one forward pass may hold: 16 MiB a tensor of 32 float32 channels."""


def whole_logits(
    networks: Sequence[SpliceNetwork], one_hot: FloatArray, precision: Precision = Precision.FLOAT32
) -> FloatArray:
    """Run sequences through every network.

    Parameters
    ----------
    networks
        Members in evaluation mode, with the same context, on one device. One that cannot be folded (a subclass, other
        layers, hooks) computes what its `forward` says, in its own numbers.
    one_hot : float32 [B, L + context, 4]
        In transcript sense; N is all zero.
    precision
        Of the convolutions of networks that can be folded.

    Returns
    -------
    float32 [B, M, L, 3]
        By sequence, network, position and `SpliceClass`.
    """
    batch, length = one_hot.shape[:2]
    step = max(1, _POSITIONS_PER_PASS // length)
    logits: FloatArray = np.empty((batch, len(networks), length - networks[0].spec.context, 3), dtype=np.float32)
    forwards = _forwards(networks, precision)
    tasks = [
        partial(_fill, logits[at : at + step, member], forward, one_hot[at : at + step], network.final.weight.device)
        for at in range(0, batch, step)
        for member, (network, forward) in enumerate(zip(networks, forwards, strict=True))
    ]
    run_side_by_side(tasks, networks[0].final.weight.device)
    return logits


def _forwards(networks: Sequence[SpliceNetwork], precision: Precision) -> list[Callable[[Tensor], Tensor]]:
    """Return functions from one-hot [B, L + context, 4] to logits [B, L, 3]."""

    def whole(network: SpliceNetwork, x: Tensor) -> Tensor:
        logits: Tensor = network(x.transpose(1, 2).contiguous()).transpose(1, 2)
        return logits

    def in_parts(folded: FoldedNetwork, x: Tensor) -> Tensor:
        return folded.logits(folded.first_layer(x))

    known = [can_fold(network) for network in networks]
    folded = iter(fold_all([n for n, ok in zip(networks, known, strict=True) if ok], dtype=DTYPES[precision]))
    return [
        partial(in_parts, next(folded)) if ok else partial(whole, network)
        for network, ok in zip(networks, known, strict=True)
    ]


def _fill(out: FloatArray, forward: Callable[[Tensor], Tensor], one_hot: FloatArray, device: torch.device) -> None:
    out[:] = forward(torch.from_numpy(one_hot).to(device)).cpu().numpy()
