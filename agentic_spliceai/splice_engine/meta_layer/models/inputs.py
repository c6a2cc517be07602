"""The two forms of a sequence that models read, one-hot and token ids, and the way between them."""

from __future__ import annotations

import torch
from torch import Tensor

TOKEN_OF_BASE = {"A": 7, "C": 8, "G": 9, "T": 10, "N": 11}
"""Ids of HyenaDNA's character tokenizer, whose seven special tokens come first; used for every token input here."""

PAD_TOKEN = 4

_FIRST, _N = TOKEN_OF_BASE["A"], TOKEN_OF_BASE["N"]


def one_hot_to_tokens(one_hot: Tensor) -> Tensor:
    """Turn float [B, 4, L] into int64 ids [B, L]; an all-zero column becomes N, never A.

    Raises
    ------
    ValueError
        If the shape is another one.
    """
    if one_hot.ndim != 3 or one_hot.shape[1] != 4:
        raise ValueError(f"one-hot sequence has shape {tuple(one_hot.shape)}, not [B, 4, L]")
    known = one_hot.sum(dim=1) > 0.5
    return torch.where(known, one_hot.argmax(dim=1) + _FIRST, _N)


def tokens_to_one_hot(tokens: Tensor, *, dtype: torch.dtype = torch.float32) -> Tensor:
    """Turn int64 ids [B, L] into [B, 4, L]; every id other than A, C, G, T becomes an all-zero column."""
    ids = torch.arange(_FIRST, _FIRST + 4, device=tokens.device)
    return (tokens[:, None, :] == ids[None, :, None]).to(dtype)


def as_one_hot(sequence: Tensor) -> Tensor:
    """Return either form as float [B, 4, L]."""
    return sequence if sequence.is_floating_point() else tokens_to_one_hot(sequence)


def as_tokens(sequence: Tensor) -> Tensor:
    """Return either form as int64 ids [B, L]."""
    return one_hot_to_tokens(sequence) if sequence.is_floating_point() else sequence
