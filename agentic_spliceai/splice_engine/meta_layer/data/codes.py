"""Sequences as one byte a base, and the two forms that models read made from them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from agentic_spliceai.splice_engine.meta_layer.models.inputs import TOKEN_OF_BASE

Codes = npt.NDArray[np.uint8]

UNKNOWN = 4
"""Code of N; A, C, G, T are 0 to 3."""

_LETTERS = np.frombuffer(b"ACGTN", dtype=np.uint8)
_CODE = np.full(256, UNKNOWN, dtype=np.uint8)
for _index, _base in enumerate("ACGT"):
    _CODE[ord(_base)] = _CODE[ord(_base.lower())] = _index

_ONE_HOT = torch.cat([torch.eye(4), torch.zeros(1, 4)])
_TOKENS = torch.tensor([TOKEN_OF_BASE[base] for base in "ACGTN"])


def encode(bases: str) -> Codes:
    """Return uint8 [L]: A, C, G, T as 0 to 3, anything else as `UNKNOWN`; either case."""
    return _CODE[np.frombuffer(bases.encode("ascii", errors="replace"), dtype=np.uint8)]


def decode(codes: Codes) -> str:
    """Return the bases of codes [L]."""
    return _LETTERS[codes].tobytes().decode("ascii")


def one_hot(codes: Codes) -> Tensor:
    """Turn codes [B, L] into float32 [B, 4, L]; N is an all-zero column."""
    return _ONE_HOT[torch.from_numpy(codes.astype(np.int64))].transpose(1, 2).contiguous()


def tokens(codes: Codes) -> Tensor:
    """Turn codes [B, L] into int64 token ids [B, L]; N is N's own id."""
    return _TOKENS[torch.from_numpy(codes.astype(np.int64))]
