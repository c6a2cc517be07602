import pytest
import torch
import torch.nn.functional as F

from agentic_spliceai.splice_engine.base_layer.network import NetworkSpec, SpliceNetwork, fold_batch_norms


def random_network(context: int, seed: int = 0) -> SpliceNetwork:
    torch.manual_seed(seed)
    network = SpliceNetwork(NetworkSpec.for_context(context))
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm1d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
            torch.nn.init.normal_(module.weight, 1, 0.3)
            torch.nn.init.normal_(module.bias)
    return network.eval()


@pytest.mark.parametrize(("context", "units"), [(80, 4), (400, 8), (2000, 12), (10000, 16)])
def test_published_shapes(context: int, units: int) -> None:
    spec = NetworkSpec.for_context(context)
    assert spec.context == context
    assert len(spec.widths) == units


def test_unknown_context_is_refused() -> None:
    with pytest.raises(ValueError, match="500 nt"):
        NetworkSpec.for_context(500)


def test_input_shorter_than_the_context_is_refused() -> None:
    with pytest.raises(ValueError, match="shorter"):
        SpliceNetwork(NetworkSpec.for_context(80))(torch.zeros(1, 4, 80))


def padded_reference(network: SpliceNetwork, x: torch.Tensor) -> torch.Tensor:
    """The original formulation: zero-padded convolutions, crop at the end."""
    spec = network.spec

    def same(conv: torch.nn.Conv1d, y: torch.Tensor) -> torch.Tensor:
        pad = conv.dilation[0] * (conv.kernel_size[0] - 1) // 2
        return F.conv1d(y, conv.weight, conv.bias, padding=pad, dilation=conv.dilation)

    x = same(network.initial, x)
    skip = same(network.initial_skip, x)
    for i, unit in enumerate(network.units):
        y = same(unit.conv1, unit.act(unit.norm1(x)))
        x = x + same(unit.conv2, unit.act(unit.norm2(y)))
        if i % 4 == 3:
            skip = skip + same(network.skips[i // 4], x)
    half = spec.context // 2
    return same(network.final, skip[:, :, half:-half])


@pytest.mark.parametrize("context", [80, 400, 2000])
def test_unpadded_convolutions_equal_the_padded_original(context: int) -> None:
    network = random_network(context)
    x = F.one_hot(torch.randint(0, 4, (2, context + 37)), 4).float().transpose(1, 2)
    with torch.inference_mode():
        torch.testing.assert_close(network(x), padded_reference(network, x), atol=2e-4, rtol=1e-4)


def test_folding_keeps_the_function() -> None:
    network = random_network(400)
    x = torch.randn(2, 4, 450)
    with torch.inference_mode():
        before = network(x)
        after = fold_batch_norms(network)(x)
        again = fold_batch_norms(network)(x)
    torch.testing.assert_close(after, before, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(again, after, atol=0, rtol=0)


def test_receptive_field_is_the_context_and_no_more() -> None:
    network = random_network(80).double()
    x = torch.randn(1, 4, 83, dtype=torch.float64)
    with torch.inference_mode():
        base = network(x)
        for at, touched in ((0, [True, False, False]), (80, [True, True, True]), (82, [False, False, True])):
            changed = x.clone()
            changed[:, :, at] += 3
            difference = (network(changed) - base).abs().amax(dim=(0, 1)) > 1e-14
            assert difference.tolist() == touched
