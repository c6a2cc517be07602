"""Sequence encoders: what a position sees, what N and padding do, both strands, pooling, the factory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from agentic_spliceai.splice_engine.errors import SettingError
from agentic_spliceai.splice_engine.meta_layer.models import SequenceEncoderFactory
from agentic_spliceai.splice_engine.meta_layer.models.encoders import (
    CNNEncoder,
    ConvolutionalEncoder,
    GatedCNNEncoder,
    NoSequenceEncoder,
)
from agentic_spliceai.splice_engine.meta_layer.models.inputs import one_hot_to_tokens
from agentic_spliceai.splice_engine.meta_layer.models.layers import centred_positions, real_positions
from tests.splice_engine.meta_layer.models.toys import HYENA, make_one_hot, pad

CASES: list[tuple[type[ConvolutionalEncoder], dict[str, Any]]] = [
    (CNNEncoder, {"hidden_dim": 6, "kernel_sizes": (3, 9)}),
    (GatedCNNEncoder, {"hidden_dim": 12, "n_layers": 4, "kernel_size": 5}),
    (GatedCNNEncoder, {"hidden_dim": 12, "n_layers": 3, "kernel_size": 3, "dilations": (1, 3, 7), "separable": True}),
]
COMPLEMENT = {0: 3, 1: 2, 2: 1, 3: 0}


def make_encoder(case: int, **options: Any) -> ConvolutionalEncoder:
    torch.manual_seed(0)
    cls, given = CASES[case]
    return cls(10, **{**given, **options}).eval()


def opposite_strand(one_hot: Tensor) -> Tensor:
    """Reverse complement, base by base."""
    out = torch.zeros_like(one_hot)
    length = one_hot.shape[2]
    for b, base, i in one_hot.nonzero().tolist():
        out[b, COMPLEMENT[base], length - 1 - i] = 1
    return out


@pytest.mark.parametrize(("case", "field"), [(0, 2 * 9 - 1), (1, 1 + 4 * (1 + 2 + 4 + 8)), (2, 1 + 2 * (1 + 3 + 7))])
def test_a_position_sees_exactly_its_receptive_field(case: int, field: int) -> None:
    encoder, length = make_encoder(case), 121
    sequence = make_one_hot(1, length).requires_grad_()
    encoder.encode_positions(sequence)[0, length // 2].sum().backward()
    assert sequence.grad is not None
    seen = sequence.grad[0].abs().sum(dim=0).nonzero().flatten()
    assert encoder.receptive_field == field
    assert (seen.min().item(), seen.max().item()) == (length // 2 - field // 2, length // 2 + field // 2)


@pytest.mark.parametrize("case", range(3))
def test_positions_stay_where_they_are(case: int) -> None:
    """A change moves the embeddings around it and none beyond the receptive field."""
    encoder = make_encoder(case)
    sequence = make_one_hot(1, 151)
    changed = sequence.clone()
    changed[:, :, 40] = changed[:, :, 40].roll(1, dims=1)
    moved = (encoder.encode_positions(sequence) - encoder.encode_positions(changed)).abs().amax(dim=2)[0]
    reach = encoder.receptive_field // 2
    assert moved[40] > 1e-4
    assert moved[40 + reach + 1 :].eq(0).all()
    assert moved[: max(40 - reach, 0)].eq(0).all()


@pytest.mark.parametrize("case", range(3))
def test_padding_is_silent_and_an_inner_n_is_not(case: int) -> None:
    encoder = make_encoder(case)
    sequence = make_one_hot(2, 41)
    short, long = encoder.encode_positions(sequence), encoder.encode_positions(pad(sequence, 30))
    assert long[:, :30].eq(0).all()
    assert long[:, -30:].eq(0).all()
    torch.testing.assert_close(long[:, 30:-30], short)
    torch.testing.assert_close(encoder(pad(sequence, 30)), encoder(sequence))
    hole = sequence.clone()
    hole[:, :, 20] = 0
    assert encoder.encode_positions(hole)[:, 20].abs().max() > 0
    for base in range(4):
        filled = hole.clone()
        filled[:, base, 20] = 1
        assert not torch.allclose(encoder(hole), encoder(filled), atol=1e-5)


@pytest.mark.parametrize("case", range(3))
def test_token_ids_and_one_hot_are_the_same_sequence(case: int) -> None:
    encoder = make_encoder(case)
    sequence = pad(make_one_hot(2, 31), 4)
    sequence[:, :, 12] = 0
    assert torch.equal(encoder(one_hot_to_tokens(sequence)), encoder(sequence))


@pytest.mark.parametrize("case", range(3))
def test_both_strands_are_one_where_asked_and_two_otherwise(case: int) -> None:
    sequence = pad(make_one_hot(2, 41), 3)
    sequence[:, :, 17] = 0
    opposite = opposite_strand(sequence)
    encoder = make_encoder(case, reverse_complement=True)
    torch.testing.assert_close(encoder.encode_positions(opposite), encoder.encode_positions(sequence).flip(1))
    torch.testing.assert_close(encoder(opposite), encoder(sequence))
    one_strand = make_encoder(case)
    assert not torch.allclose(one_strand(opposite), one_strand(sequence), atol=1e-3)


def test_pooling_by_hand() -> None:
    sequence = pad(make_one_hot(2, 21), 5)
    states = make_encoder(1).encode_positions(sequence)
    centre, mean = states[:, 15], states[:, 5:26].mean(dim=1)
    torch.testing.assert_close(make_encoder(1, pooling="centre")(sequence), centre)
    torch.testing.assert_close(make_encoder(1, pooling="mean")(sequence), mean)
    torch.testing.assert_close(make_encoder(1)(sequence), (centre + mean) / 2)


def test_by_default_the_pooled_embedding_knows_where_things_are() -> None:
    """A mean over positions would not: moving the sequence around a ring leaves it nearly as it is."""
    encoder = make_encoder(1)
    sequence = make_one_hot(1, 101)
    assert not torch.allclose(encoder(sequence), encoder(sequence.roll(7, dims=2)), atol=1e-2)


@pytest.mark.parametrize(
    ("text", "real"),
    [("NNACGN", [2, 3, 4]), ("ANNC", [0, 1, 2, 3]), ("NNNN", []), ("ACGT", [0, 1, 2, 3]), ("NGN", [1])],
)
def test_only_the_ns_at_the_ends_are_padding(text: str, real: list[int]) -> None:
    one_hot = torch.tensor([[float(base == b) for base in text] for b in "ACGT"]).unsqueeze(0)
    assert real_positions(one_hot)[0].nonzero().flatten().tolist() == real


def test_positions_are_coded_by_signed_distance_from_the_centre() -> None:
    code = centred_positions(101, 12)
    assert torch.equal(centred_positions(131, 12)[15:-15], code)
    distinct = torch.cdist(code, code) + 10 * torch.eye(101)
    assert distinct.min() > 0.05
    torch.testing.assert_close(code[50], torch.tensor([0.0, 1.0] * 6))


def test_no_sequence_says_nothing() -> None:
    encoder = NoSequenceEncoder(5)
    for sequence in (make_one_hot(2, 9), one_hot_to_tokens(make_one_hot(2, 9))):
        assert encoder(sequence).shape == (2, 5)
        assert encoder.encode_positions(sequence).shape == (2, 9, 5)
        assert not encoder(sequence).any()


@pytest.mark.parametrize(
    ("name", "cls"), [("cnn", CNNEncoder), ("gated_cnn", GatedCNNEncoder), ("none", NoSequenceEncoder)]
)
def test_the_factory_knows_short_names(name: str, cls: type) -> None:
    encoder = SequenceEncoderFactory.create(name, output_dim=24)
    assert type(encoder) is cls
    assert encoder.output_dim == 24
    assert encoder(make_one_hot(2)).shape == (2, 24)


@pytest.mark.parametrize("name", ["hyenadna", "hyenadna-tiny-1k", "LongSafari/hyenadna-tiny-1k-seqlen-hf"])
def test_the_factory_knows_hyenadna_by_any_of_its_names(name: str) -> None:
    encoder = SequenceEncoderFactory.create(name, output_dim=24, **HYENA)
    assert type(encoder).__name__ == "HyenaDNAEncoder"
    assert encoder(make_one_hot(2)).shape == (2, 24)
    assert encoder.encode_positions(make_one_hot(2, 9)).shape == (2, 9, 24)


def test_the_factory_hands_options_on_and_refuses_others() -> None:
    encoder = SequenceEncoderFactory.create("gated_cnn", output_dim=8, n_layers=2, dilations=[1, 5])
    assert isinstance(encoder, GatedCNNEncoder)
    assert encoder.trunk.dilations == (1, 5)
    with pytest.raises(SettingError, match=r"'gated-cnn'.*gated_cnn"):
        SequenceEncoderFactory.create("gated-cnn")
    with pytest.raises(SettingError, match=r"'layers'.*n_layers"):
        SequenceEncoderFactory.create("gated_cnn", layers=2)


@pytest.mark.parametrize(
    ("cls", "options"),
    [
        (GatedCNNEncoder, {"kernel_size": 4}),
        (GatedCNNEncoder, {"n_layers": 0}),
        (GatedCNNEncoder, {"n_layers": 2, "dilations": (1, 2, 3)}),
        (GatedCNNEncoder, {"pooling": "max"}),
        (CNNEncoder, {"kernel_sizes": (3, 4)}),
        (CNNEncoder, {"kernel_sizes": ()}),
    ],
)
def test_shapes_that_cannot_be_are_refused(cls: type[ConvolutionalEncoder], options: dict[str, Any]) -> None:
    with pytest.raises(SettingError):
        cls(8, **options)


def test_parameter_count_by_hand() -> None:
    h, k, layers, d = 12, 5, 4, 10
    block = 2 * h + (h * k + 1) * 2 * h
    assert make_encoder(1).parameter_count == (4 + 1) * h + layers * block + 2 * h + (h + 1) * d
    separable = 2 * h + (3 + 1) * h + (h + 1) * 2 * h
    assert make_encoder(2).parameter_count == (4 + 1) * h + 3 * separable + 2 * h + (h + 1) * d


def test_a_folder_is_looked_up_as_a_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder in the way never hides a short name."""
    (tmp_path / "cnn").mkdir()
    monkeypatch.chdir(tmp_path)
    assert isinstance(SequenceEncoderFactory.create("cnn", output_dim=4), CNNEncoder)
