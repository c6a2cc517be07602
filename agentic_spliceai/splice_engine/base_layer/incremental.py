"""The exact incremental scorer: one reference pass a region, and of each alternate only what differs and is needed.

Scoring a variant with a network of 10,000 nt of context computes some 20,000 positions of the two alleles, most of
which are the same in both or do not reach the compared window. Here the reference's layers are kept (`activations`),
and each alternate costs 2.4 GFLOP a network instead of 9 or, with the reference, 18 (D = 50). The result is the plain
scorer's up to rounding, for every edit of the sequence.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate

import numpy as np
import torch

from agentic_spliceai.splice_engine.base_layer.activations import ReferenceActivations
from agentic_spliceai.splice_engine.base_layer.cones import EditShape, longest_layer
from agentic_spliceai.splice_engine.base_layer.folding import FoldedNetwork, fold_all
from agentic_spliceai.splice_engine.base_layer.forward import DTYPES, FloatArray
from agentic_spliceai.splice_engine.base_layer.network import SpliceNetwork
from agentic_spliceai.splice_engine.base_layer.regions import (
    AlleleRequest,
    Codes,
    PlannedAllele,
    Region,
    inserted_codes,
    of_one_length,
    plan_regions,
    region_codes,
    share_out,
    within,
)
from agentic_spliceai.splice_engine.base_layer.results import Precision
from agentic_spliceai.splice_engine.base_layer.stretches import Edit, Stretches, kept_bytes, stretches_read
from agentic_spliceai.splice_engine.base_layer.threads import Task, run_side_by_side

Alleles = tuple[FloatArray, FloatArray]
"""Something of the reference and of the alternate."""


@dataclass(frozen=True)
class AtOnce:
    """How much is computed at once.

    Attributes
    ----------
    kept
        What reference passes may keep, bytes (`stretches.kept_bytes`).
    positions
        Times rows or alternates that one layer may hold.
    """

    kept: int
    positions: int


AT_ONCE = {
    # 4 MiB a tensor of 32 channels is near what caches hold: three single variants, or 22,000 outputs of a long gene,
    # with 10,000 nt of context. Of the three variants 18 MB are kept.
    "cpu": AtOnce(kept=48 * 2**20, positions=2**15),
    # Tensors of 128 MiB fill the device.
    "cuda": AtOnce(kept=4 * 2**30, positions=2**20),
    "mps": AtOnce(kept=2**30, positions=2**18),
}
"""By kind of device."""


@dataclass(frozen=True, eq=False)
class _Placed:
    """An allele, the row of the reference pass in which its region stands, and where that begins."""

    row: int
    start: int
    allele: PlannedAllele

    @property
    def edit(self) -> Edit:
        """Row, and the edit from the first output on."""
        return self.row, self.allele.edit[0] - self.start, self.allele.edit[1] - self.start


@dataclass(frozen=True, eq=False)
class _Batch:
    """Alleles that are computed at once, and the codes that stand in their edits, uint8 [B, shape.inserted]."""

    shape: EditShape
    placed: Sequence[_Placed]
    inserted: Codes


class IncrementalScorer:
    """Scores edits of reference sequences with an ensemble, network by network.

    Networks and regions are worked on side by side, see `threads`. Memory a thread, beside the results: `at_once.kept`,
    or what one network keeps of one request where that is more, and the tensors of one batch.

    Parameters
    ----------
    networks
        Members, in evaluation mode, with the same context; each of them can be folded (`folding.can_fold`).
    precision
        Of the convolutions: float32 is exact.
    at_once
        How much; by default what suits the networks' device.
    """

    def __init__(
        self,
        networks: Sequence[SpliceNetwork],
        precision: Precision = Precision.FLOAT32,
        *,
        at_once: AtOnce | None = None,
    ) -> None:
        self._networks = fold_all(networks, dtype=DTYPES[precision])
        if len({network.halos for network in self._networks}) != 1:
            raise ValueError("members of one ensemble have the same shape")
        self._context = 2 * self._networks[0].half_context
        self._at_once = at_once or AT_ONCE.get(self._networks[0].bases.device.type, AT_ONCE["cpu"])

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
        network, positions = self._networks[0], self._at_once.positions
        regions = plan_regions(
            requests,
            self._context,
            worth=_outputs_worth_a_context(network),
            longest=max(1, positions - self._context),
        )

        def share(region: Region) -> float:
            kept = kept_bytes(self._read([region]), network.channels)
            return max(kept / self._at_once.kept, (region.end - region.start + self._context) / positions)

        fitting = within(regions, lambda region: share(region) <= 1)
        groups = of_one_length(share_out(fitting, len(self._networks), torch.get_num_threads()), share)
        run_side_by_side(
            [task for group in groups for task in self._tasks(group, requests, found)], network.bases.device
        )
        return found

    def _read(self, regions: Sequence[Region]) -> tuple[Stretches, ...]:
        """Return what alternates read of the reference of some regions of one length, one a row."""
        outputs = max(region.end - region.start for region in regions)
        return stretches_read(
            [(one.allele.shape, one.edit) for one in _placed(regions)], self._networks[0].halos, outputs
        )

    def _empty(self, request: AlleleRequest) -> Alleles:
        first, last = request.window(self._context)
        longer = len(request.inserted) - (request.edit[1] - request.edit[0])
        if last <= first or last + longer <= first:
            raise ValueError(f"no output is wanted on one of the alleles: {last - first} and {last - first + longer}")
        shape = len(self._networks), last - first, 3
        return np.empty(shape, dtype=np.float32), np.empty((shape[0], shape[1] + longer, 3), dtype=np.float32)

    def _tasks(
        self, regions: Sequence[Region], requests: Sequence[AlleleRequest], found: Sequence[Alleles]
    ) -> Iterator[Task]:
        """Yield what fills in the logits of some regions of one length, a member at a time."""
        codes = np.stack([region_codes(region, requests, self._context) for region in regions])
        placed = _placed(regions)
        read = self._read(regions)
        batches = [_Batch(shape, group, self._inserted(group, requests, codes)) for shape, group in self._alike(placed)]
        for member, network in enumerate(self._networks):
            rows = [(ref[member], alt[member]) for ref, alt in found]
            yield partial(_score_member, network, codes, read, placed, batches, rows)

    def _inserted(self, placed: Sequence[_Placed], requests: Sequence[AlleleRequest], codes: Codes) -> Codes:
        half = self._context // 2
        return np.stack(
            [inserted_codes(p.allele, requests[p.allele.number], p.start - half, codes[p.row]) for p in placed]
        )

    def _alike(self, placed: Sequence[_Placed]) -> Iterator[tuple[EditShape, list[_Placed]]]:
        """Yield alleles of one shape, as many as may be computed at once: a power of two, so that sizes are few."""
        by_shape: dict[EditShape, list[_Placed]] = {}
        for one in placed:
            by_shape.setdefault(one.allele.shape, []).append(one)
        for shape, alleles in by_shape.items():
            most = max(1, self._at_once.positions // longest_layer(shape, self._networks[0].halos))
            at = 0
            while at < len(alleles):
                size = 1 << (min(most, len(alleles) - at).bit_length() - 1)
                yield shape, alleles[at : at + size]
                at += size


def _placed(regions: Sequence[Region]) -> list[_Placed]:
    return [_Placed(row, region.start, allele) for row, region in enumerate(regions) for allele in region.alleles]


def _score_member(
    network: FoldedNetwork,
    codes: Codes,
    read: Sequence[Stretches],
    placed: Sequence[_Placed],
    batches: Sequence[_Batch],
    found: Sequence[Alleles],
) -> None:
    """Fill in one member's logits; what it keeps of the regions ends with the call."""
    reference = ReferenceActivations(network, _tensor(codes, network), read)
    logits = reference.logits.cpu().numpy()
    for one in placed:
        first, last = (place - one.start for place in one.allele.wanted)
        found[one.allele.number][0][:] = logits[one.row, first:last]
    for batch in batches:
        edits = [one.edit for one in batch.placed]
        outputs = reference.alternates(batch.shape, edits, _tensor(batch.inserted, network)).cpu().numpy()
        for one, output in zip(batch.placed, outputs, strict=True):
            alternate = found[one.allele.number][1]
            ahead = one.allele.wanted[0] - one.allele.window[0]
            alternate[:] = output[ahead : ahead + len(alternate)]


def _tensor(codes: Codes, network: FoldedNetwork) -> torch.Tensor:
    return torch.from_numpy(codes.astype(np.int64)).to(network.bases.device)


def _outputs_worth_a_context(network: FoldedNetwork) -> int:
    """Return how many outputs cost as much as the context of a region: what layers compute beside the outputs."""
    widths = [conv.weight.shape[3] for unit in network.units for conv in (unit.conv1, unit.conv2)]
    beside = [2 * (network.half_context - grown) for grown in accumulate(network.halos)]
    return sum(w * n for w, n in zip(widths, beside, strict=True)) // sum(widths)
