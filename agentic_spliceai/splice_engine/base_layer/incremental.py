"""The exact incremental scorer: one reference pass a region, and of each alternate only what differs and is needed.

Scoring a variant with a network of 10,000 nt of context computes some 25,000 positions of both alleles, most of which
are the same in both or do not reach the compared window. Here the reference's layers are kept (`activations`), and each
alternate costs 2.4 GFLOP a network instead of 9 or, with the reference, 18 (D = 50). The result is the plain scorer's
up to rounding, for every edit of the sequence.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
import numpy.typing as npt
import torch

from agentic_spliceai.splice_engine.base_layer.activations import ReferenceActivations
from agentic_spliceai.splice_engine.base_layer.cones import EditShape, longest_layer
from agentic_spliceai.splice_engine.base_layer.folding import FoldedNetwork, fold
from agentic_spliceai.splice_engine.base_layer.network import SpliceNetwork
from agentic_spliceai.splice_engine.base_layer.regions import (
    AlleleRequest,
    Codes,
    PlannedAllele,
    Region,
    inserted_codes,
    plan_regions,
    region_codes,
)
from agentic_spliceai.splice_engine.base_layer.results import Precision

FloatArray = npt.NDArray[np.float32]
Alleles = tuple[FloatArray, FloatArray]
"""Something of the reference and of the alternate."""

REGION = 30_000
"""Outputs of one reference pass. Of a network with 10,000 nt of context and 32 channels this keeps 161 MB; the context
then adds a fifth to the work."""

_POSITIONS_PER_BATCH = 2**15
"""Positions times alternates that one layer may hold: 4 MiB a tensor of 32 float32 channels, near what caches hold."""


_DTYPES = {Precision.FLOAT32: torch.float32, Precision.BFLOAT16: torch.bfloat16}


@dataclass(frozen=True, eq=False)
class _Batch:
    """Alleles that are computed at once, and the codes that stand in their edits, uint8 [B, shape.inserted]."""

    shape: EditShape
    alleles: Sequence[PlannedAllele]
    inserted: Codes


class IncrementalScorer:
    """Scores edits of reference sequences with an ensemble, network by network.

    Memory, beside the results: what one network keeps of one region (`activations.kept_bytes`) of `region` outputs, or
    of one request's where that is longer, and the tensors of one batch.

    Parameters
    ----------
    networks
        Members, in evaluation mode, with the same context; each a `SpliceNetwork` and no subclass.
    precision
        Of the convolutions: float32 is exact.
    region
        Outputs of one reference pass.
    """

    def __init__(
        self,
        networks: Sequence[SpliceNetwork],
        precision: Precision = Precision.FLOAT32,
        *,
        region: int = REGION,
    ) -> None:
        self._networks = [fold(network, dtype=_DTYPES[precision]) for network in networks]
        if len({network.halos for network in self._networks}) != 1:
            raise ValueError("members of one ensemble have the same shape")
        self._context = 2 * self._networks[0].half_context
        self._region = region

    def logits(self, requests: Sequence[AlleleRequest]) -> list[Alleles]:
        """Score both alleles of each request.

        Returns
        -------
        list of (reference, alternate)
            In the order of the requests; float32 [M, L, 3] by member, wanted output in transcript sense and
            `SpliceClass`. The alternate's outputs are those of the reference, the replaced ones exchanged for one an
            inserted base.
        """
        found = [self._empty(request) for request in requests]
        regions = plan_regions(
            requests,
            self._context,
            worth=_outputs_worth_a_context(self._networks[0]),
            longest=self._region,
        )
        with torch.inference_mode():
            for region in regions:
                self._score(region, requests, found)
        return found

    def _empty(self, request: AlleleRequest) -> Alleles:
        first, last = request.window(self._context)
        longer = len(request.inserted) - (request.edit[1] - request.edit[0])
        if last <= first or last + longer <= first:
            raise ValueError(f"no output is wanted on one of the alleles: {last - first} and {last - first + longer}")
        shape = len(self._networks), last - first, 3
        return np.empty(shape, dtype=np.float32), np.empty((shape[0], shape[1] + longer, 3), dtype=np.float32)

    def _score(self, region: Region, requests: Sequence[AlleleRequest], found: Sequence[Alleles]) -> None:
        codes = region_codes(region, requests, self._context)
        begin = region.start - self._context // 2
        batches = [
            _Batch(shape, alleles, np.stack([inserted_codes(a, requests[a.number], begin, codes) for a in alleles]))
            for shape, alleles in self._alike(region)
        ]
        for member, network in enumerate(self._networks):
            rows = [(ref[member], alt[member]) for ref, alt in found]
            _score_member(network, codes, region, batches, rows)

    def _alike(self, region: Region) -> Iterator[tuple[EditShape, list[PlannedAllele]]]:
        """Yield alleles of one shape, as many as may be computed at once: a power of two, so that sizes are few."""
        by_shape: dict[EditShape, list[PlannedAllele]] = {}
        for allele in region.alleles:
            by_shape.setdefault(allele.shape, []).append(allele)
        for shape, alleles in by_shape.items():
            most = max(1, _POSITIONS_PER_BATCH // longest_layer(shape, self._networks[0].halos))
            at = 0
            while at < len(alleles):
                size = 1 << (min(most, len(alleles) - at).bit_length() - 1)
                yield shape, alleles[at : at + size]
                at += size


def _score_member(
    network: FoldedNetwork, codes: Codes, region: Region, batches: Sequence[_Batch], found: Sequence[Alleles]
) -> None:
    """Fill in one member's logits; what it keeps of the region ends with the call, before the next member begins."""
    reference = ReferenceActivations(network, _tensor(codes, network))
    logits = reference.logits.cpu().numpy()
    for allele in region.alleles:
        first, last = (place - region.start for place in allele.wanted)
        found[allele.number][0][:] = logits[first:last]
    for batch in batches:
        edits = [(a.edit[0] - region.start, a.edit[1] - region.start) for a in batch.alleles]
        outputs = reference.alternates(batch.shape, edits, _tensor(batch.inserted, network)).cpu().numpy()
        for allele, output in zip(batch.alleles, outputs, strict=True):
            alternate = found[allele.number][1]
            ahead = allele.wanted[0] - allele.window[0]
            alternate[:] = output[ahead : ahead + len(alternate)]


def _tensor(codes: Codes, network: FoldedNetwork) -> torch.Tensor:
    return torch.from_numpy(codes.astype(np.int64)).to(network.bases.device)


def _outputs_worth_a_context(network: FoldedNetwork) -> int:
    """Return how many outputs cost as much as the context of a region: what layers compute beside the outputs."""
    widths = [conv.weight.shape[3] for unit in network.units for conv in (unit.conv1, unit.conv2)]
    beside = [2 * (network.half_context - grown) for grown in accumulate(network.halos)]
    return sum(w * n for w, n in zip(widths, beside, strict=True)) // sum(widths)
