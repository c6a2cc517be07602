"""HyenaDNA's tokenizer: one token a base."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from agentic_spliceai.splice_engine.errors import SettingError

VOCABULARY = ("[CLS]", "[SEP]", "[BOS]", "[MASK]", "[PAD]", "[RESERVED]", "[UNK]", "A", "C", "G", "T", "N")
"""Tokens by id."""

CLS, SEP, BOS, MASK, PAD, RESERVED, UNKNOWN = range(7)

_IDS = np.full(256, UNKNOWN, dtype=np.int64)
for _id, _token in enumerate(VOCABULARY):
    if len(_token) == 1:
        _IDS[[ord(_token), ord(_token.lower())]] = _id


class CharacterTokenizer:
    """Bases to ids and back.

    Soft-masked (lower-case) bases get the id of the base; the published tokenizers make them `[UNK]`. Letters other
    than A, C, G, T, N are `[UNK]`, as published.

    Parameters
    ----------
    max_length
        Longest sequence taken, special tokens included; the model's M.
    special_tokens
        `none` (by default: bases alone are what pretraining showed the network), `sep` (a final `[SEP]`, as the
        published tokenizer) or `cls_sep` (`[CLS]` too, as the published stand-alone script).
    """

    def __init__(
        self, *, max_length: int | None = None, special_tokens: Literal["none", "sep", "cls_sep"] = "none"
    ) -> None:
        if special_tokens not in ("none", "sep", "cls_sep"):
            raise SettingError(f"special_tokens is {special_tokens!r}.", "Use none, sep or cls_sep.")
        self.max_length = max_length
        self._prefix = [CLS] if special_tokens == "cls_sep" else []
        self._suffix = [] if special_tokens == "none" else [SEP]

    def encode(self, sequence: str) -> Tensor:
        """Return the ids of one sequence, int64 [L].

        Raises
        ------
        SettingError
            If the sequence is longer than `max_length`; nothing is cut off.
        """
        letters = np.frombuffer(sequence.encode("ascii", errors="replace"), dtype=np.uint8)
        ids = np.concatenate([self._prefix, _IDS[letters], self._suffix]).astype(np.int64)
        if self.max_length is not None and len(ids) > self.max_length:
            raise SettingError(
                f"The sequence has {len(ids):,} tokens; the model reads at most {self.max_length:,}.",
                "Take a shorter window, or a model of longer context.",
            )
        return torch.from_numpy(ids)

    def __call__(self, sequences: str | Sequence[str]) -> Tensor:
        """Return the ids of one or several sequences, int64 [B, L]; shorter ones are padded on the left."""
        encoded = [self.encode(s) for s in ([sequences] if isinstance(sequences, str) else sequences)]
        width = max((len(ids) for ids in encoded), default=0)
        batch = torch.full((len(encoded), width), PAD, dtype=torch.int64)
        for row, ids in zip(batch, encoded, strict=True):
            row[width - len(ids) :] = ids
        return batch

    def decode(self, ids: Iterable[int]) -> str:
        """Return the text of ids: bases as letters, padding left out, other special tokens by name."""
        return "".join(VOCABULARY[i] for i in map(int, ids) if i != PAD)
