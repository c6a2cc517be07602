"""Alleles that wait for the incremental scorer, and how they are put together into regions with one reference pass."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from agentic_spliceai.splice_engine.base_layer.cones import EditShape, Interval

Codes = npt.NDArray[np.uint8]

N_CODE = 4
"""A, C, G, T are 0 to 3."""

_LENGTH_STEP = 64
"""Regions become a multiple of it, nt, which is a hundredth of what their context costs."""

_ALLELES_WORTH_A_PASS = 32
"""A reference pass over little more than its context takes as long as 6 alternates (`incremental`)."""

_IDLE = 0.1
"""Share of the work that threads may stand idle."""


@dataclass(frozen=True, eq=False)
class AlleleRequest:
    """An edit of a reference sequence, and the outputs that are wanted on both alleles.

    All places are positions of the reference sequence along an axis in transcript sense; where it begins does not
    matter, as long as it is the same for all requests with the same `sequence`.

    Attributes
    ----------
    sequence
        Names the reference; requests that share it agree wherever they overlap.
    start
        Position of the first base of `reference`.
    reference : uint8 [L + context]
        Codes, with half the context on either side of the wanted outputs.
    edit
        Half-open interval that is replaced; it may be empty.
    inserted : uint8 [m]
        Codes that replace it.
    """

    sequence: Hashable
    start: int
    reference: Codes
    edit: Interval
    inserted: Codes

    def window(self, context: int) -> Interval:
        """Return the wanted outputs of the reference, half-open."""
        return self.start + context // 2, self.start + len(self.reference) - context // 2


@dataclass(frozen=True, eq=False)
class PlannedAllele:
    """A request widened to one of few shapes, so that many can be computed together.

    Attributes
    ----------
    number
        Of the request.
    shape, edit
        What is computed instead: the same alternate, with some more outputs at its ends, and an edit that may put the
        bases that follow it back in their place.
    window
        Outputs of the reference that this needs.
    wanted
        Those of the request, among them.
    """

    number: int
    shape: EditShape
    edit: Interval
    window: Interval
    wanted: Interval


@dataclass(frozen=True, eq=False)
class Region:
    """Alleles on one reference sequence that share one pass over it.

    Attributes
    ----------
    start, end
        Outputs of the pass, half-open.
    alleles
        What is computed from it.
    """

    start: int
    end: int
    alleles: tuple[PlannedAllele, ...]


def widen(number: int, request: AlleleRequest, context: int) -> PlannedAllele:
    """Round a request's shape up to one of few.

    Libraries prepare code for each shape of a tensor and keep it, so that few shapes save time and memory. The outputs
    on either side become a multiple of half the window, which lets deletions of any length share a shape; inserted
    bases become 1, 4, 16, 32, 64, ... At D = 50 or more this adds about a hundredth to the work.
    """
    first, last = request.window(context)
    start, end = request.edit
    count = len(request.inserted)
    inserted = next((size for size in (1, 4, 16) if count <= size), 1 << max(count - 1, 0).bit_length())
    end += inserted - count
    step = 8 * (1 + (last - first + 1) // 16)
    left, right = (-(-side // step) * step for side in (start - first, last - end))
    window = start - left, end + right
    return PlannedAllele(number, EditShape(left, inserted, right), (start, end), window, (first, last))


def plan_regions(requests: Sequence[AlleleRequest], context: int, *, worth: int, longest: int) -> list[Region]:
    """Put requests into regions.

    Parameters
    ----------
    requests
        In any order.
    context
        Of the network, both sides together, nt.
    worth
        Outputs whose work equals that of a region's context: two windows with a smaller gap share a region.
    longest
        A region has at most so many outputs, unless one window has more.
    """
    by_sequence: dict[Hashable, list[PlannedAllele]] = {}
    for number, request in enumerate(requests):
        by_sequence.setdefault(request.sequence, []).append(widen(number, request, context))
    regions = []
    for alleles in by_sequence.values():
        alleles.sort(key=lambda allele: allele.window)
        group: list[PlannedAllele] = []
        end = 0
        for allele in alleles:
            start, stop = allele.window
            if group and (start - end > worth or max(stop, end) - group[0].window[0] > longest):
                regions.append(_spanning(group))
                group = []
            end = max(stop, end) if group else stop
            group.append(allele)
        regions.append(_spanning(group))
    return regions


def within(regions: Sequence[Region], fits: Callable[[Region], bool]) -> list[Region]:
    """Cut regions in two, each with half of the alleles, until each fits or has one allele."""
    done: list[Region] = []
    waiting = list(reversed(regions))
    while waiting:
        region = waiting.pop()
        if len(region.alleles) == 1 or fits(region):
            done.append(region)
        else:
            waiting += reversed(_halves(region))
    return done


def share_out(regions: Sequence[Region], members: int, threads: int) -> list[Region]:
    """Cut regions in two where threads would else wait for each other.

    Each region is worked on once a member. A piece has its own reference pass, so that it keeps many alleles.
    """
    pieces = list(regions)
    while True:
        tasks = len(pieces) * members
        idle = -(-tasks // threads) * threads / max(tasks, 1) - 1
        large = [len(region.alleles) >= 2 * _ALLELES_WORTH_A_PASS for region in pieces]
        if idle <= _IDLE or not any(large):
            return pieces
        pieces = [
            part for region, ok in zip(pieces, large, strict=True) for part in (_halves(region) if ok else [region])
        ]


def _halves(region: Region) -> list[Region]:
    middle = len(region.alleles) // 2
    return [_spanning(region.alleles[:middle]), _spanning(region.alleles[middle:])]


def _spanning(alleles: Sequence[PlannedAllele]) -> Region:
    return Region(min(a.window[0] for a in alleles), max(a.window[1] for a in alleles), tuple(alleles))


def of_one_length(regions: Sequence[Region], share: Callable[[Region], float]) -> list[list[Region]]:
    """Put regions of about one length together, so that they share reference pass and batches.

    Parameters
    ----------
    regions
        Each becomes as long as the others of its group: some more outputs, which nobody reads.
    share
        Of what a group may take, how much a region takes; one that takes more than all of it stays alone.
    """
    by_length: dict[int, list[Region]] = {}
    for region in regions:
        length = -(-(region.end - region.start) // _LENGTH_STEP) * _LENGTH_STEP
        by_length.setdefault(length, []).append(replace(region, end=region.start + length))
    groups: list[list[Region]] = []
    for alike in by_length.values():
        taken = math.inf
        for region in alike:
            taken += (more := share(region))
            if taken > 1:
                groups.append([])
                taken = more
            groups[-1].append(region)
    return groups


def region_codes(region: Region, requests: Sequence[AlleleRequest], context: int) -> Codes:
    """Put together the reference of a region; N where no request knows it, which no wanted output sees."""
    start = region.start - context // 2
    codes = np.full(region.end - region.start + context, N_CODE, dtype=np.uint8)
    for allele in region.alleles:
        request = requests[allele.number]
        low = max(request.start, start)
        high = min(request.start + len(request.reference), start + len(codes))
        codes[low - start : high - start] = request.reference[low - request.start : high - request.start]
    return codes


def inserted_codes(allele: PlannedAllele, request: AlleleRequest, region_start: int, codes: Codes) -> Codes:
    """Return what stands in an edit, uint8 [shape.inserted].

    Parameters
    ----------
    allele, request
        What was planned, and for what.
    region_start
        Position of the first of `codes`.
    codes
        From `region_codes`; behind them there is N.
    """
    found = np.full(allele.shape.inserted, N_CODE, dtype=np.uint8)
    own = len(request.inserted)
    found[:own] = request.inserted
    behind = codes[request.edit[1] - region_start : allele.edit[1] - region_start]
    found[own : own + len(behind)] = behind
    return found
