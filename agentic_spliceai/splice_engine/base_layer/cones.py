"""Which positions an edit of the sequence changes, layer by layer, and which of them an output window needs.

A convolution of dilation d and width w widens what an edit changes by d * (w - 1) / 2 positions a side, and what an
output window needs by as much, seen from the other end. Only what lies in both has to be computed for an alternate
allele; everything else is the reference's, behind the edit shifted by the difference in length.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate

Interval = tuple[int, int]
"""Half-open."""


@dataclass(frozen=True)
class EditShape:
    """An edit and its output window; edits of one shape can be computed together, whatever they delete.

    Positions are the alternate's, relative to the first inserted base: the window is [-left, inserted + right).

    Attributes
    ----------
    left, right
        Wanted outputs before and behind the inserted bases; negative where the edit lies outside the window.
    inserted
        Bases that the edit puts in.
    """

    left: int
    inserted: int
    right: int

    @property
    def window(self) -> Interval:
        """Wanted outputs, half-open."""
        return -self.left, self.inserted + self.right


@lru_cache(maxsize=1024)
def computed_intervals(shape: EditShape, halos: tuple[int, ...]) -> tuple[Interval, ...]:
    """Return what has to be computed of the first layer and after each convolution.

    Parameters
    ----------
    shape
        Edit and window.
    halos
        What each convolution, in order, needs beside a position on either side: d * (w - 1) / 2.

    Returns
    -------
    tuple of (start, end)
        One more than there are convolutions; half-open, in the positions of `EditShape`. Empty where an edit's effect
        does not reach the window; then the start is the place where reference before and behind the edit meet.
    """
    first, last = shape.window
    context = sum(halos)
    intervals = []
    for grown in accumulate(halos, initial=0):
        missing = context - grown
        low, high = first - missing, last + missing
        start = min(max(-grown, low), high)
        intervals.append((start, max(start, min(shape.inserted + grown, high))))
    return tuple(intervals)


def positions_by_convolution(shape: EditShape, halos: Sequence[int]) -> tuple[int, ...]:
    """Return how many outputs of each convolution an alternate of this shape costs."""
    return tuple(end - start for start, end in computed_intervals(shape, tuple(halos))[1:])


def longest_layer(shape: EditShape, halos: tuple[int, ...]) -> int:
    """Return how many positions the longest input of a convolution has, per alternate."""
    outputs = positions_by_convolution(shape, halos)
    return max(count + 2 * halo for count, halo in zip(outputs, halos, strict=True))
