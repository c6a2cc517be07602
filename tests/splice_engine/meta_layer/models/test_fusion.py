"""Score encoder and fusions: tokens, widths, and an attention that attends."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from agentic_spliceai.splice_engine.errors import SettingError
from agentic_spliceai.splice_engine.meta_layer.models import ScoreEncoder, create_fusion
from agentic_spliceai.splice_engine.meta_layer.models.fusion import CrossAttentionFusion, GatedFusion

B, L, T, D = 3, 41, 6, 16


def make_inputs(seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    states, tokens = (torch.randn(B, n, D, generator=generator) for n in (L, T))
    return states, tokens, torch.ones(B, L, dtype=torch.bool)


def make_attention() -> CrossAttentionFusion:
    torch.manual_seed(0)
    return CrossAttentionFusion(D, heads=2).eval()


def test_the_documented_score_encoder() -> None:
    encoder = ScoreEncoder(num_features=50, hidden_dim=256)
    assert encoder(torch.randn(4, 50)).shape == (4, 256)
    assert encoder.tokens(torch.randn(4, 50)).shape == (4, 50, 256)
    with pytest.raises(ValueError, match="50"):
        encoder(torch.randn(4, 49))


def test_a_token_depends_on_its_feature_only() -> None:
    torch.manual_seed(0)
    encoder = ScoreEncoder(5, 8)
    features = torch.randn(2, 5)
    other = features.clone()
    other[:, 3] += 1
    moved = (encoder.tokens(other) - encoder.tokens(features)).abs().amax(dim=(0, 2))
    assert moved.nonzero().flatten().tolist() == [3]


def test_the_first_layer_is_the_sum_of_tokens() -> None:
    torch.manual_seed(0)
    encoder = ScoreEncoder(5, 8, dropout=0.0)
    features = torch.randn(2, 5)
    linear = features @ encoder.direction + encoder.offset.sum(dim=0)
    torch.testing.assert_close(encoder(features), encoder.layers(linear))


@pytest.mark.parametrize("name", ["concat", "gated"])
def test_fusions_of_two_vectors_have_twice_the_width_and_keep_sides_apart(name: str) -> None:
    fusion = create_fusion(name, D)
    sequence, scores = torch.randn(B, D), torch.randn(B, D)
    fused = fusion(sequence, scores)
    assert fused.shape == (B, fusion.output_dim) == (B, 2 * D)
    assert not torch.allclose(fused, fusion(torch.randn(B, D), scores))
    assert not torch.allclose(fused, fusion(sequence, torch.randn(B, D)))


def test_a_gate_shrinks_and_listens_to_both() -> None:
    torch.manual_seed(0)
    fusion = GatedFusion(D)
    sequence, scores = torch.randn(B, D), torch.randn(B, D)
    both = torch.cat([sequence, scores], dim=1)
    ratio = fusion(sequence, scores) / both
    assert ((ratio > 0) & (ratio < 1)).all()
    # The sequence half changes with the scores.
    assert not torch.allclose(fusion(sequence, scores)[:, :D], fusion(sequence, scores + 1)[:, :D])


def test_attention_weights_are_a_distribution_that_is_not_flat() -> None:
    states, tokens, real = make_inputs()
    weights = make_attention().attention(states, tokens, real)
    assert weights.shape == (B, T, L)
    torch.testing.assert_close(weights.sum(dim=2), torch.ones(B, T))
    assert (weights.std(dim=2) > 1e-3).all()
    # Tokens look at different places.
    assert (weights[:, 0] - weights[:, 1]).abs().max() > 1e-3


def test_what_stands_at_another_position_matters() -> None:
    fusion = make_attention()
    states, tokens, real = make_inputs()
    before = fusion(states, tokens, real)
    assert before.shape == (B, 2 * D)
    for position in (0, L // 2 + 5, L - 1):
        other = states.clone()
        other[:, position] = torch.randn(D, generator=torch.Generator().manual_seed(1))
        moved = (fusion(other, tokens, real) - before).abs()
        # Both halves, although only one position of the sequence changed.
        assert moved[:, :D].amax(dim=1).min() > 1e-4
        assert moved[:, D:].amax(dim=1).min() > 1e-4


def test_where_it_stands_matters() -> None:
    """A pooled model cannot tell two positions that swap their content."""
    fusion = make_attention()
    states, tokens, real = make_inputs()
    swapped = states.clone()
    swapped[:, [5, 30]] = states[:, [30, 5]]
    assert (fusion(swapped, tokens, real) - fusion(states, tokens, real)).abs().max() > 1e-3


def test_every_token_matters() -> None:
    fusion = make_attention()
    states, tokens, real = make_inputs()
    for token in range(T):
        other = tokens.clone()
        other[:, token] += torch.randn(D, generator=torch.Generator().manual_seed(1))
        assert (fusion(states, other, real) - fusion(states, tokens, real)).abs().max() > 1e-3


def test_padding_is_not_looked_at() -> None:
    fusion = make_attention()
    states, tokens, real = make_inputs()
    real[:, :8], real[0] = False, False
    other = states.clone()
    other[:, :8] += 5
    torch.testing.assert_close(fusion(other, tokens, real), fusion(states, tokens, real))
    weights = fusion.attention(states, tokens, real)
    assert weights[:, :, :8].eq(0).all()
    # A window without any sequence leaves the centre, and no NaN.
    torch.testing.assert_close(weights[0, :, L // 2], torch.ones(T))
    assert real.sum() == (B - 1) * (L - 8)


def test_attention_over_one_thing_is_refused() -> None:
    fusion = make_attention()
    states, tokens, real = make_inputs()
    with pytest.raises(ValueError, match="at least 2"):
        fusion(states[:, :1], tokens, real[:, :1])
    with pytest.raises(ValueError, match="at least 2"):
        fusion(states, tokens[:, :1], real)


def test_unknown_fusions_and_widths() -> None:
    with pytest.raises(SettingError, match=r"'cross-attention'.*cross_attention"):
        create_fusion("cross-attention", D)
    with pytest.raises(SettingError, match="heads"):
        create_fusion("cross_attention", 10)
    with pytest.raises(SettingError, match="concat fusion"):
        create_fusion("concat", D, heads=2)
