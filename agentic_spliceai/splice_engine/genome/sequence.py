"""Bases as text and as the one-hot rows that a network reads."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

BASES = "ACGT"
"""Channel order of every one-hot array of the project."""

_COMPLEMENT = str.maketrans("ACGTNacgtn", "TGCANtgcan")
_ROWS: npt.NDArray[np.float32] = np.zeros((256, 4), dtype=np.float32)
for _channel, _base in enumerate(BASES):
    _ROWS[ord(_base), _channel] = 1.0
    _ROWS[ord(_base.lower()), _channel] = 1.0
_ROWS.setflags(write=False)


def reverse_complement(sequence: str) -> str:
    """Return the other strand, read in its own direction; N stays N and case is kept."""
    return sequence.translate(_COMPLEMENT)[::-1]


def one_hot(sequence: str) -> npt.NDArray[np.float32]:
    """Encode bases as rows.

    Parameters
    ----------
    sequence : str of length L
        Bases of one strand, either case.

    Returns
    -------
    float32 [L, 4]
        Channels A, C, G, T. N, and every other character, is an all-zero row.
    """
    return _ROWS[np.frombuffer(sequence.encode("ascii", errors="replace"), dtype=np.uint8)]
