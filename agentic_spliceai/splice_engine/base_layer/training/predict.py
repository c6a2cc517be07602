"""Scores along whole loci."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from agentic_spliceai.splice_engine.base_layer.channels_last import forward_channels_last, one_hot
from agentic_spliceai.splice_engine.base_layer.network import SpliceNetwork
from agentic_spliceai.splice_engine.base_layer.training.corpus import IGNORE, UNKNOWN, Corpus

PIECE = 2000
"""Positions scored at once; shorter than most genes, long against the context."""


def score_span(
    networks: Sequence[SpliceNetwork],
    corpus: Corpus,
    begin: int,
    end: int,
    *,
    autocast: bool = False,
    batch: int = 16,
) -> npt.NDArray[np.float32]:
    """Return class probabilities of corpus positions [begin, end), N outside of it.

    Pieces without a single labelled position are not computed.

    Returns
    -------
    float32 [M, end - begin, 3]
        By network; 0 where nothing was computed.
    """
    context = networks[0].spec.context
    half = context // 2
    codes = np.full(end - begin + context + PIECE, UNKNOWN, dtype=np.uint8)
    codes[half : half + end - begin] = corpus.codes[begin:end]
    out = np.zeros((len(networks), end - begin + PIECE, 3), dtype=np.float32)
    labels = corpus.labels[begin:end]
    starts = [s for s in range(0, end - begin, PIECE) if (labels[s : s + PIECE] != IGNORE).any()]
    with torch.inference_mode():
        for at in range(0, len(starts), batch):
            some = starts[at : at + batch]
            x = one_hot(np.stack([codes[s : s + PIECE + context] for s in some]))
            for m, network in enumerate(networks):
                scores = forward_channels_last(network, x, autocast=autocast).softmax(dim=1)
                for s, piece in zip(some, scores.transpose(1, 2).numpy(), strict=True):
                    out[m, s : s + PIECE] = piece
    return out[:, : end - begin]
