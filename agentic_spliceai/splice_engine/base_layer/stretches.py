"""Which positions of each layer of a reference its alternates read, and where they stand in what is kept of the layer.

A level is what a convolution reads: the first layer, then what each convolution puts out. An edit changes few positions
of the first levels, and few beside those are read with them; of the last levels a window's alternates read about as
many positions as there are. Keeping the stretches that are read, and nothing between them, takes a sixth of the memory
for a single variant and 10,000 nt of context.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import accumulate

from agentic_spliceai.splice_engine.base_layer.cones import EditShape, Interval, computed_intervals

LEVELS_PER_SKIP = 8
"""Every eighth level, from the first on, is also read by a skip connection: by the window alone."""

Edit = tuple[int, int, int]
"""Row of the reference, and start and end of what is replaced there, half-open; from the first output on."""


@lru_cache(maxsize=1024)
def read_intervals(shape: EditShape, halos: tuple[int, ...]) -> tuple[Interval, ...]:
    """Return what an alternate reads of each level, of its own and of the reference's positions together.

    Parameters
    ----------
    shape
        Edit and window.
    halos
        See `computed_intervals`.

    Returns
    -------
    tuple of (start, end)
        One more than there are convolutions; half-open, in the positions of `EditShape`.
    """
    computed = computed_intervals(shape, halos)
    intervals = []
    for level in range(len(halos) + 1):
        read = []
        if level % LEVELS_PER_SKIP == 0:
            read.append(shape.window)
        if level < len(halos):
            start, end = computed[level + 1]
            read.append((start - halos[level], end + halos[level]))
        intervals.append((min(start for start, _ in read), max(end for _, end in read)))
    return tuple(intervals)


class Stretches:
    """Stretches of one level that are kept, of all rows, one after the other.

    Parameters
    ----------
    wanted
        (row, start, end), from the first output on; they may overlap.
    """

    def __init__(self, wanted: Iterable[Edit]) -> None:
        merged: list[Edit] = []
        for row, start, end in sorted(wanted):
            if merged and merged[-1][0] == row and start <= merged[-1][2]:
                merged[-1] = row, merged[-1][1], max(end, merged[-1][2])
            else:
                merged.append((row, start, end))
        self.spans: tuple[Edit, ...] = tuple(merged)
        self._begins = [(row, start) for row, start, _ in merged]
        self._places = list(accumulate((end - start for _, start, end in merged), initial=0))

    def __len__(self) -> int:
        return self._places[-1]

    def shift(self, row: int, position: int) -> int:
        """Return what positions of the stretch that holds this one add up with to places of what is kept."""
        number = max(bisect_right(self._begins, (row, position)) - 1, 0)
        return self._places[number] - self._begins[number][1]


def stretches_read(
    alleles: Sequence[tuple[EditShape, Edit]], halos: tuple[int, ...], outputs: int
) -> tuple[Stretches, ...]:
    """Return what has to be kept of each level.

    Parameters
    ----------
    alleles
        What is computed from the reference.
    halos
        See `computed_intervals`.
    outputs
        Of the reference, a row.
    """
    wanted: list[list[Edit]] = [[] for _ in range(len(halos) + 1)]
    missing = [sum(halos) - grown for grown in accumulate(halos, initial=0)]
    for shape, (row, cut, resume) in alleles:
        # Ahead of the edit an alternate's position is the reference's from `cut` on; behind it, from `moved` on.
        moved = resume - shape.inserted
        for level, (low, high) in enumerate(read_intervals(shape, halos)):
            start = max(min(cut, moved) + low, -missing[level])
            end = min(max(cut, moved) + high, outputs + missing[level])
            if start < end:
                wanted[level].append((row, start, end))
    return tuple(Stretches(one) for one in wanted)


def kept_bytes(stretches: Sequence[Stretches], channels: int) -> int:
    """Return what float32 activations of these take."""
    return 4 * channels * sum(map(len, stretches))
