"""The incremental scorer against the plain one: whole alleles through the network."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from agentic_spliceai.splice_engine.base_layer import activations, incremental
from agentic_spliceai.splice_engine.base_layer.activations import ReferenceActivations
from agentic_spliceai.splice_engine.base_layer.channels_last import forward_channels_last
from agentic_spliceai.splice_engine.base_layer.cones import EditShape
from agentic_spliceai.splice_engine.base_layer.folding import fold
from agentic_spliceai.splice_engine.base_layer.forward import whole_logits
from agentic_spliceai.splice_engine.base_layer.incremental import AT_ONCE, AtOnce, IncrementalScorer
from agentic_spliceai.splice_engine.base_layer.model import softmax
from agentic_spliceai.splice_engine.base_layer.network import NetworkSpec, SpliceNetwork, fold_batch_norms
from agentic_spliceai.splice_engine.base_layer.regions import AlleleRequest, plan_regions, share_out
from agentic_spliceai.splice_engine.base_layer.results import Precision
from agentic_spliceai.splice_engine.base_layer.stretches import kept_bytes, stretches_read

ONE_HOT = torch.cat([torch.eye(4), torch.zeros(1, 4)])


def random_network(context: int, seed: int, *, channels: int = 32, slope: float = 0.1) -> SpliceNetwork:
    """Weights of the size that keeps activations near 1, so that logits are neither flat nor saturated."""
    torch.manual_seed(seed)
    spec = NetworkSpec.for_context(context, negative_slope=slope)
    network = SpliceNetwork(replace(spec, channels=channels))
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm1d):
                module.running_mean.normal_()
                module.running_var.uniform_(0.5, 2)
                module.weight.normal_(1, 0.3)
                module.bias.normal_()
        for unit in network.units:
            unit.conv2.weight.mul_(0.5)
        network.final.weight.mul_(3)
    return network.eval()


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def plain(networks: Sequence[SpliceNetwork], codes: np.ndarray) -> np.ndarray:
    """Logits [M, L, 3] of a whole sequence."""
    x = ONE_HOT[torch.from_numpy(codes.astype(np.int64))].T[None]
    with torch.inference_mode():
        return np.stack([network(x)[0].T.numpy() for network in networks])


def edited(request: AlleleRequest) -> np.ndarray:
    start, end = (place - request.start for place in request.edit)
    return np.concatenate([request.reference[:start], request.inserted, request.reference[end:]])


def check(
    scorer: IncrementalScorer, networks: Sequence[SpliceNetwork], requests: Sequence[AlleleRequest], atol: float = 1e-5
) -> None:
    for request, (reference, alternate) in zip(requests, scorer.logits(requests), strict=True):
        for found, codes in ((reference, request.reference), (alternate, edited(request))):
            expected = plain(networks, codes)
            assert found.shape == expected.shape
            np.testing.assert_allclose(softmax(found), softmax(expected), atol=atol, rtol=0)


SMALL = {
    (context, slope): [random_network(context, seed, channels=channels, slope=slope) for seed in (1, 2)[:members]]
    for context, channels, members in ((80, 8, 2), (400, 8, 1), (2000, 4, 1), (10000, 4, 1))
    for slope in (0.0, 0.1)
}
SCORERS = {key: IncrementalScorer(networks) for key, networks in SMALL.items()}


PUBLISHED = random_network(10000, 3)


def random_requests(
    seed: int, context: int, count: int, *, reach: int, longest: int = 30, share_n: float = 0.0
) -> list[AlleleRequest]:
    """Edits of every kind on two sequences, shuffled: SNV, insertion, deletion, MNV, delins, beside the window too."""
    rng = np.random.default_rng(seed)
    half = context // 2
    requests = []
    for name in ("one", "two"):
        length = context + 2 * reach + int(rng.integers(1, 3 * reach + 60))
        sequence = rng.integers(0, 4, length, dtype=np.uint8)
        if rng.random() < share_n:
            ends = rng.integers(0, length // 2, 2)
            sequence[: ends[0]] = 4
            sequence[length - ends[1] :] = 4
        if rng.random() < share_n:
            at = int(rng.integers(0, length))
            sequence[at : at + int(rng.integers(1, 50))] = 4
        for _ in range(count):
            n_ref, n_alt = (int(n) for n in rng.choice([0, 1, 1, 1, 2, 3, int(rng.integers(4, longest))], 2))
            first = int(rng.integers(half, length - half))
            last = min(first + 1 + int(rng.integers(0, 2 * reach + 1)), length - half)
            beside = half if rng.random() < 0.2 else 0
            start = int(rng.integers(first - beside, last + beside + 1))
            end = min(start + n_ref, last + beside)
            if last - first + n_alt - (end - start) < 1:
                continue
            requests.append(
                AlleleRequest(
                    sequence=name,
                    start=first - half - 1000,
                    reference=sequence[first - half : last + half],
                    edit=(start - 1000, end - 1000),
                    inserted=rng.integers(0, 5 if rng.random() < share_n else 4, n_alt, dtype=np.uint8),
                )
            )
    return [requests[i] for i in rng.permutation(len(requests))]


# Cases an example: 2 sequences with so many edits each. All in all about 4,000 edits, each on both alleles.
@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), reach=st.integers(1, 120), slope=st.sampled_from([0.0, 0.1]))
@pytest.mark.parametrize("context", [80, 400])
def test_equal_to_whole_alleles(context: int, seed: int, reach: int, slope: float) -> None:
    key = context, slope
    check(SCORERS[key], SMALL[key], random_requests(seed, context, 20, reach=reach, share_n=0.3))


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), reach=st.integers(1, 1200), slope=st.sampled_from([0.0, 0.1]))
def test_equal_to_whole_alleles_with_2000_nt(seed: int, reach: int, slope: float) -> None:
    requests = random_requests(seed, 2000, 8, reach=reach, share_n=0.3, longest=300)
    check(SCORERS[2000, slope], SMALL[2000, slope], requests)


@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), reach=st.sampled_from([1, 50, 500, 6000]))
def test_equal_to_whole_alleles_with_10000_nt(seed: int, reach: int) -> None:
    requests = random_requests(seed, 10000, 3, reach=reach, share_n=0.5, longest=600)
    check(SCORERS[10000, 0.1], SMALL[10000, 0.1], requests)


@pytest.mark.parametrize("context", [80, 400, 2000, 10000])
def test_equal_with_networks_of_the_published_size(context: int) -> None:
    networks = [PUBLISHED if context == 10000 else random_network(context, 3)]
    scorer = IncrementalScorer(networks)
    check(scorer, networks, random_requests(5, context, 3, reach=50, share_n=0.5))


def test_batches_equal_singles_and_keep_the_order() -> None:
    requests = random_requests(11, 80, 60, reach=50)
    scorer = SCORERS[80, 0.1]
    together = scorer.logits(requests)
    for request, pair in zip(requests, together, strict=True):
        [alone] = scorer.logits([request])
        for found, expected in zip(pair, alone, strict=True):
            np.testing.assert_allclose(found, expected, atol=2e-6, rtol=1e-5)


def test_other_devices_put_alternates_together_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    """What runs on a graphics card, run on the processor."""
    monkeypatch.setattr(activations, "join", activations.gather)
    for seed in range(5):
        check(SCORERS[80, 0.1], SMALL[80, 0.1], random_requests(seed, 80, 20, reach=60, share_n=0.3))


def test_the_networks_of_these_tests_respond() -> None:
    """Otherwise equality would show nothing: scores are spread, and edits change them."""
    for key, scorer in SCORERS.items():
        pairs = scorer.logits(random_requests(7, key[0], 10, reach=60))
        probabilities = np.concatenate([softmax(reference).reshape(-1, 3) for reference, _ in pairs])
        assert probabilities.std(axis=0).max() > 0.02, key
        same_length = [pair for pair in pairs if pair[0].shape == pair[1].shape]
        assert max(float(np.abs(softmax(a) - softmax(b)).max()) for a, b in same_length) > 0.005, key


def test_distances_share_a_region() -> None:
    """Windows of any length on one sequence are scored together."""
    networks = SMALL[80, 0.1]
    codes = np.random.default_rng(3).integers(0, 4, 700, dtype=np.uint8)
    requests = [
        AlleleRequest("s", 300 - d - 40, codes[300 - d - 40 : 301 + d + 40], (300, 301), (codes[300:301] + 1) % 4)
        for d in (5, 50, 200)
    ]
    assert len(plan_regions(requests, 80, worth=40, longest=10_000)) == 1
    check(SCORERS[80, 0.1], networks, requests)


def test_regions_longer_than_the_limit_are_split() -> None:
    networks = SMALL[400, 0.1]
    requests = random_requests(8, 400, 40, reach=60)
    check(IncrementalScorer(networks, at_once=AtOnce(kept=2**30, positions=700)), networks, requests)
    regions = plan_regions(requests, 400, worth=200, longest=300)
    assert all(region.end - region.start <= max(300, _longest(region.alleles)) for region in regions)
    assert sorted(allele.number for region in regions for allele in region.alleles) == list(range(len(requests)))


def _longest(alleles: Sequence[object]) -> int:
    return max(allele.window[1] - allele.window[0] for allele in alleles)  # type: ignore[attr-defined]


def test_windows_far_apart_do_not_pay_for_what_lies_between() -> None:
    codes = np.zeros(101 + 400, dtype=np.uint8)
    requests = [AlleleRequest("s", at, codes, (at + 250, at + 251), codes[:1] + 1) for at in (0, 1000, 90, 1080)]
    regions = plan_regions(requests, 400, worth=250, longest=10_000)
    assert [sorted(allele.number for allele in region.alleles) for region in regions] == [[0, 2], [1, 3]]


def kept_by(reference: ReferenceActivations) -> int:
    """Bytes of all tensors that it holds, however large their storage is, but the logits."""
    storages = {level.untyped_storage().data_ptr(): level.untyped_storage().nbytes() for level in reference._levels}
    return sum(storages.values())


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_what_is_kept_is_what_is_said(seed: int) -> None:
    rng = np.random.default_rng(seed)
    network = fold(SMALL[400, 0.1][0])
    shapes = [EditShape(*map(int, rng.integers(1, 60, 3))) for _ in range(7)]
    starts, rows, deleted = (
        rng.integers(60, 900, 7).tolist(),
        rng.integers(0, 3, 7).tolist(),
        rng.integers(0, 9, 7).tolist(),
    )
    alleles = [(shape, (row, at, at + n)) for shape, row, at, n in zip(shapes, rows, starts, deleted, strict=True)]
    keep = stretches_read(alleles, network.halos, 1000)
    with torch.inference_mode():
        reference = ReferenceActivations(network, torch.zeros(3, 1400, dtype=torch.int64), keep)
    assert kept_by(reference) == kept_bytes(keep, network.channels)


def test_what_a_single_variant_keeps() -> None:
    """What the comment beside the bound says of a network of the published size: 6 MB of the 35 MB that there are."""
    network = fold(PUBLISHED)
    keep = stretches_read([(EditShape(56, 1, 56), (0, 60, 61))], network.halos, 128)
    assert kept_bytes(keep, network.channels) == pytest.approx(18e6 / 3, rel=0.05)
    assert AT_ONCE["cpu"].positions // (128 + 10_000) == 3


def test_what_is_kept_stays_within_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[int] = []

    class Watched(ReferenceActivations):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments)  # type: ignore[arg-type]
            kept.append(kept_by(self))

    monkeypatch.setattr(incremental, "ReferenceActivations", Watched)
    networks, bound = SMALL[400, 0.1], 300_000
    requests = random_requests(21, 400, 60, reach=60)
    check(IncrementalScorer(networks, at_once=AtOnce(kept=bound, positions=2**15)), networks, requests)
    cut = len(kept)
    assert max(kept) <= bound
    kept.clear()
    check(IncrementalScorer(networks), networks, requests)
    assert max(kept) > bound
    assert len(kept) < cut


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_kept_networks_do_not_add_up(monkeypatch: pytest.MonkeyPatch, threads: int) -> None:
    """Memory grows with the number of threads, not with that of networks or regions."""
    alive: weakref.WeakSet[ReferenceActivations] = weakref.WeakSet()
    counts = []
    lock = threading.Lock()

    class Counted(ReferenceActivations):
        def __init__(self, *arguments: object) -> None:
            with lock:
                alive.add(self)
                counts.append(len(alive))
            super().__init__(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(incremental, "ReferenceActivations", Counted)
    with torch_threads(threads):
        scorer = IncrementalScorer(SMALL[80, 0.1], at_once=AtOnce(kept=2**30, positions=200))
        scorer.logits(random_requests(2, 80, 30, reach=50))
    assert len(counts) > 4
    assert max(counts) <= threads


@pytest.mark.parametrize("threads", [2, 3, 8])
def test_threads_change_nothing(threads: int) -> None:
    requests = random_requests(12, 80, 60, reach=50)
    with torch_threads(1):
        alone = SCORERS[80, 0.1].logits(requests)
    with torch_threads(threads):
        together = SCORERS[80, 0.1].logits(requests)
        assert torch.get_num_threads() == threads
    for a, b in zip(alone, together, strict=True):
        for found, expected in zip(a, b, strict=True):
            np.testing.assert_allclose(found, expected, atol=2e-6, rtol=1e-5)


@pytest.mark.parametrize(
    ("members", "threads", "pieces"),
    [(5, 1, 1), (5, 2, 2), (2, 2, 1), (1, 2, 2), (5, 5, 1), (1, 64, 4), (3, 4, 4)],
)
def test_a_long_region_is_shared_out(members: int, threads: int, pieces: int) -> None:
    """128 alleles are cut no further than threads need, and never below 32 a piece."""
    codes = np.zeros(501, dtype=np.uint8)
    requests = [AlleleRequest("s", at, codes, (at + 250, at + 251), codes[:1] + 1) for at in range(128)]
    regions = share_out(plan_regions(requests, 400, worth=250, longest=10_000), members, threads)
    assert len(regions) == pieces
    assert sorted(allele.number for region in regions for allele in region.alleles) == list(range(128))


def test_folded_and_unfolded_networks_score_alike() -> None:
    requests = random_requests(4, 80, 10, reach=30)
    folded = [fold_batch_norms(random_network(80, seed, channels=8)) for seed in (1, 2)]
    for a, b in zip(SCORERS[80, 0.1].logits(requests), IncrementalScorer(folded).logits(requests), strict=True):
        for found, expected in zip(a, b, strict=True):
            np.testing.assert_allclose(softmax(found), softmax(expected), atol=1e-5, rtol=0)


def test_weights_that_change_are_folded_again() -> None:
    network = random_network(80, 1, channels=8)
    requests = random_requests(4, 80, 5, reach=30)
    check(IncrementalScorer([network]), [network], requests)
    with torch.no_grad():
        network.units[0].conv1.weight.mul_(1.5)
        network.units[1].norm2.running_mean.add_(1)
    check(IncrementalScorer([network]), [network], requests)
    network.load_state_dict(random_network(80, 2, channels=8).state_dict())
    check(IncrementalScorer([network]), [network], requests)
    assert fold(network) is fold(network)


def _change_in_training(network: SpliceNetwork) -> None:
    network.train()
    forward_channels_last(network, torch.rand(2, 4, 120))
    network.eval()


@pytest.mark.parametrize(
    "change",
    [
        _change_in_training,
        lambda network: network.units[0].conv1.weight.data.mul_(1.5),
        lambda network: network.final.weight.detach().numpy().__imul__(1.5),
        lambda network: network.units[2].norm1.running_var.mul_(2),
    ],
)
def test_weights_are_folded_again_however_they_were_changed(change: Callable[[SpliceNetwork], object]) -> None:
    network = random_network(80, 1, channels=8)
    requests = random_requests(4, 80, 5, reach=30)
    before = IncrementalScorer([network]).logits(requests)
    change(network)
    after = IncrementalScorer([network]).logits(requests)
    assert max(float(np.abs(a[0] - b[0]).max()) for a, b in zip(before, after, strict=True)) > 0.01
    check(IncrementalScorer([network]), [network], requests)


def _with_other_activation(network: SpliceNetwork) -> None:
    network.units[1].act = torch.nn.GELU()


def _with_other_norm(network: SpliceNetwork) -> None:
    network.units[1].norm2 = torch.nn.InstanceNorm1d(8)


def _with_other_first_norm(network: SpliceNetwork) -> None:
    network.units[1].norm1 = torch.nn.Identity()


def _with_hook(network: SpliceNetwork) -> None:
    network.units[3].register_forward_hook(lambda module, inputs, output: output * 2)


@pytest.mark.parametrize("change", [_with_other_activation, _with_other_norm, _with_other_first_norm, _with_hook])
def test_a_network_that_computes_something_else_is_run_as_it_is(change: Callable[[SpliceNetwork], None]) -> None:
    """Its layers are not guessed: the scorer of edits refuses it, and whole sequences go through its own forward."""
    network = random_network(80, 1, channels=8)
    change(network)
    with pytest.raises(TypeError, match="something else"):
        IncrementalScorer([network])
    codes = np.random.default_rng(1).integers(0, 4, 200, dtype=np.uint8)
    one_hot = ONE_HOT[torch.from_numpy(codes.astype(np.int64))].numpy()[None]
    np.testing.assert_allclose(whole_logits([network], one_hot)[0], plain([network], codes), atol=1e-6)


@pytest.mark.parametrize(("context", "reach"), [(80, 30), (2000, 600)])
def test_bfloat16_is_near(context: int, reach: int) -> None:
    """With 2,000 nt, wide layers go through the transform in bf16."""
    networks = SMALL[context, 0.1]
    scorer = IncrementalScorer(networks, Precision.BFLOAT16)
    requests = random_requests(6, context, 6, reach=reach)
    check(scorer, networks, requests, atol=0.05)
    exact = IncrementalScorer(networks).logits(requests)
    apart = [float(np.abs(a[0] - b[0]).max()) for a, b in zip(scorer.logits(requests), exact, strict=True)]
    assert max(apart) > 1e-4, "float32 was computed"


def test_what_cannot_be_scored_is_refused() -> None:
    class Other(SpliceNetwork):
        pass

    with pytest.raises(TypeError, match="Other"):
        IncrementalScorer([Other(NetworkSpec.for_context(80))])
    with pytest.raises(ValueError, match="same shape"):
        IncrementalScorer([*SMALL[80, 0.1], *SMALL[400, 0.1]])
    codes = np.zeros(83, dtype=np.uint8)
    with pytest.raises(ValueError, match="no output"):
        SCORERS[80, 0.1].logits([AlleleRequest("s", 0, codes, (40, 43), codes[:0])])
