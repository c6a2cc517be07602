"""What one network computes on a stretch of reference, kept, and alternates computed from it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import torch
import torch.nn.functional as F
from torch import Tensor

from agentic_spliceai.splice_engine.base_layer.cones import EditShape, Interval, computed_intervals
from agentic_spliceai.splice_engine.base_layer.folding import Convolution, FoldedNetwork
from agentic_spliceai.splice_engine.base_layer.stretches import Edit, Stretches


class ReferenceActivations:
    """One network's activations on some sequences of one length, as far as alternates read them.

    The positions of all methods count from the first output. Memory: `stretches.kept_bytes`.

    Parameters
    ----------
    network
        Folded weights.
    codes : int64 [R, L + context]
        A, C, G, T as 0 to 3, N as 4, in transcript sense, with half the context on either side of the L outputs; one
        sequence a row.
    keep
        What alternates will read, by level: `stretches_read` of all of them.

    Attributes
    ----------
    logits : float32 [R, L, 3]
        The reference's.
    """

    def __init__(self, network: FoldedNetwork, codes: Tensor, keep: Sequence[Stretches]) -> None:
        if codes.shape[1] <= 2 * network.half_context:
            raise ValueError(f"{codes.shape[1]} nt hold no output of a context of {2 * network.half_context} nt")
        self._network = network
        self._keep = keep
        self._levels: list[Tensor] = []
        # A level begins before the first output by what later convolutions cut off.
        starts = [grown - network.half_context for grown in accumulate(network.halos, initial=0)]

        def cut(level: Tensor) -> None:
            number = len(self._levels)
            pieces = [
                level[row, start - starts[number] : end - starts[number]] for row, start, end in keep[number].spans
            ]
            self._levels.append(torch.cat(pieces) if pieces else level.new_empty(0, network.channels))

        first = network.bases[codes]
        cut(first)
        self.logits = network.logits(first, cut)

    def alternates(self, shape: EditShape, edits: Sequence[Edit], inserted: Tensor) -> Tensor:
        """Compute alternates that are edits of one shape.

        Parameters
        ----------
        shape
            Edit and output window; on the reference, the window has to lie within the outputs.
        edits
            B of them.
        inserted : int64 [B, shape.inserted]
            Codes of the bases that stand there instead.

        Returns
        -------
        float32 [B, left + inserted + right, 3]
            Logits over the window.
        """
        network, window = self._network, shape.window
        computed = computed_intervals(shape, network.halos)
        x = network.bases[inserted[:, slice(*computed[0])]]
        skip = F.linear(self._splice(0, shape, edits, computed[0], x, window), *network.skips[0])
        for number, unit in enumerate(network.units):
            before, between, after = (2 * number + step for step in range(3))
            wanted = _widened(computed[between], unit.conv1)
            x = self._splice(before, shape, edits, computed[before], x, wanted)
            inner = unit.activate(_convolve(unit.conv1, unit.enter(x)))
            source = _widened(computed[after], unit.conv2)
            inner = self._splice(between, shape, edits, computed[between], inner, source)
            start, end = (place - wanted[0] for place in computed[after])
            x = _convolve(unit.conv2, inner).add_(x[:, start:end])
            if number % 4 == 3:
                spliced = self._splice(after, shape, edits, computed[after], x, window)
                skip += F.linear(spliced, *network.skips[number // 4 + 1])
        return F.linear(skip, *network.final)

    def _splice(
        self, level: int, shape: EditShape, edits: Sequence[Edit], interval: Interval, x: Tensor, wanted: Interval
    ) -> Tensor:
        """Put computed positions into the reference's.

        `x` [B, end - start, C] stands at `interval` of the alternate. What is `wanted` outside of it is the same as in
        the reference: before it as it stands, behind it moved by the difference in length.
        """
        low, high = wanted
        start, end = (min(max(place, low), high) for place in interval)
        own = x[:, start - interval[0] : end - interval[0]]
        shifts = []
        for row, cut, resume in edits:
            moved = resume - shape.inserted
            # Any position that is read tells the stretch; all that an alternate reads of a level lies in one.
            shift = self._keep[level].shift(row, cut + low if low < start else moved + high - 1)
            shifts.append((shift + cut, shift + moved))
        put_together = join if x.device.type == "cpu" else gather
        return put_together(self._levels[level], shifts, (low, start, end, high), own)


def join(kept: Tensor, shifts: Sequence[Interval], places: tuple[int, int, int, int], own: Tensor) -> Tensor:
    """Put alternates together from stretches of the reference and what was computed, by copying stretches.

    Parameters
    ----------
    kept : float32 [N, C]
        The reference's.
    shifts
        By alternate: what its positions before `start`, and those from `end` on, add up with to places of `kept`.
    places
        low, start, end, high: positions wanted, low to high, of which start to end are computed.
    own : float32 [B, end - start, C]
        Computed.

    Returns
    -------
    float32 [B, high - low, C]
    """
    low, start, end, high = places
    pieces = []
    for mine, (ahead, behind) in zip(own, shifts, strict=True):
        pieces += [kept[ahead + low : ahead + start], mine, kept[behind + end : behind + high]]
    return torch.cat(pieces).view(len(shifts), high - low, kept.shape[1])


def gather(kept: Tensor, shifts: Sequence[Interval], places: tuple[int, int, int, int], own: Tensor) -> Tensor:
    """Do as `join` does in a handful of calls, however many alternates there are: for devices where calls are dear."""
    low, start, end, high = places
    if (start, end) == (low, high):
        return own
    position = torch.arange(low, high, device=kept.device)
    shift = torch.tensor(shifts, device=kept.device)
    # Of what lies between, which `own` replaces, some may be no place at all.
    rows = (position + torch.where(position < start, shift[:, :1], shift[:, 1:])).clamp_(0, len(kept) - 1)
    together = kept[rows]
    together[:, start - low : end - low] = own
    return together


def _widened(interval: Interval, convolution: Convolution) -> Interval:
    return interval[0] - convolution.halo, interval[1] + convolution.halo


def _convolve(convolution: Convolution, x: Tensor) -> Tensor:
    """Convolve, also where there is nothing to compute."""
    if x.shape[1] > 2 * convolution.halo:
        return convolution(x)
    return x.new_zeros(x.shape[0], 0, convolution.weight.shape[0])
