"""Convolutions in tiles and pieces against the library's in double precision."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from agentic_spliceai.splice_engine.base_layer.folding import Convolution, fold
from agentic_spliceai.splice_engine.base_layer.fourier import transform

from .test_incremental import random_network

NETWORK = random_network(2000, 1, channels=4)
FOLDED = fold(NETWORK)


def expected(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, dilation: int) -> torch.Tensor:
    wide = x.double().transpose(1, 2), weight.double(), bias.double()
    return F.conv1d(*wide, dilation=dilation).transpose(1, 2).float()


@settings(max_examples=30, deadline=None)
@given(
    width=st.sampled_from([3, 11, 21, 41]),
    dilation=st.integers(1, 25),
    outputs=st.sampled_from([2, 8, 40]),
    tiles=st.integers(1, 3),
    batch=st.integers(1, 3),
    channels=st.tuples(st.integers(1, 8), st.integers(1, 8)),
    ahead=st.integers(0, 5),
)
def test_tiles_equal_the_direct_convolution(
    width: int, dilation: int, outputs: int, tiles: int, batch: int, channels: tuple[int, int], ahead: int
) -> None:
    torch.manual_seed(width + dilation)
    weight = torch.randn(channels[1], channels[0], width) / width
    prepared = transform(weight, dilation, outputs)
    x = torch.randn(batch, ahead + (tiles * outputs + width - 1) * dilation + 3, channels[0])[:, ahead:]
    out = torch.full((batch, tiles * prepared.tile, channels[1]), torch.nan)
    with torch.inference_mode():
        prepared.into(out, x)
    wanted = expected(x, weight, torch.zeros(channels[1]), dilation)[:, : out.shape[1]]
    torch.testing.assert_close(out, wanted, atol=3e-6, rtol=1e-5)


@pytest.mark.parametrize(("width", "dilation"), [(21, 10), (41, 25)])
def test_in_bf16_the_error_is_what_is_said(width: int, dilation: int) -> None:
    torch.manual_seed(1)
    weight = torch.randn(32, 32, width) / (32 * width) ** 0.5
    prepared = transform(weight, dilation, dtype=torch.bfloat16)
    x = torch.randn(2, 2 * prepared.tile + (width - 1) * dilation, 32)
    out = torch.empty(2, 2 * prepared.tile, 32)
    with torch.inference_mode():
        prepared.into(out, x)
    error = (out - expected(x, weight, torch.zeros(32), dilation)).square().mean().sqrt()
    assert 1e-3 < float(error) < 5e-3


def test_an_odd_length_is_refused() -> None:
    with pytest.raises(ValueError, match="odd"):
        transform(torch.randn(2, 2, 3), 1, 3)


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("length", [1, 16, 17, 399, 400, 561, 1001, 3333])
@pytest.mark.parametrize("unit", [0, 4, 8])
def test_any_length_is_put_together(unit: int, length: int, batch: int) -> None:
    """Units of width 11, dilation 1 and 4, and of width 21; whole tiles, what is left over, and pieces."""
    layer = NETWORK.units[unit].conv2
    convolution: Convolution = FOLDED.units[unit].conv2
    x = torch.randn(batch, length + 2 * convolution.halo, 4)
    with torch.inference_mode():
        wanted = expected(x, layer.weight, layer.bias, layer.dilation[0])
        for pieces in ((), (16, 64, 256, 1024)):
            torch.testing.assert_close(convolution(x, pieces), wanted, atol=1e-5, rtol=1e-5)
