"""HyenaDNA as an encoder: what is trained and what is not, padding and N, and weights that must be there."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from agentic_spliceai.splice_engine.errors import MissingExtraError, SettingError, WeightsError
from agentic_spliceai.splice_engine.meta_layer.models.factory import SequenceEncoderFactory
from agentic_spliceai.splice_engine.meta_layer.models.hyenadna.implicit_filter import HyenaFilter
from agentic_spliceai.splice_engine.meta_layer.models.hyenadna_encoder import HyenaDNAEncoder
from agentic_spliceai.splice_engine.meta_layer.models.inputs import tokens_to_one_hot
from tests.splice_engine.meta_layer.models.hyena_toys import TINY, hf_state, ids, toy, write_hf


def encoder(**options: Any) -> HyenaDNAEncoder:
    torch.manual_seed(0)
    return HyenaDNAEncoder(**{"output_dim": None, "pretrained": False, "hyena_config": TINY, **options})


def with_gradient(model: nn.Module) -> set[str]:
    return {name for name, parameter in model.named_parameters() if parameter.grad is not None}


def blocks_of(names: set[str]) -> set[str]:
    """The parts of the network that parameters belong to: `layers.1`, `ln_f`, `embeddings`, `projection`."""
    parts = [name.removeprefix("network.backbone.").split(".") for name in names]
    return {".".join(part[:2]) if part[0] == "layers" else part[0] for part in parts}


# --- forms of input


def test_one_hot_and_tokens_are_one_input() -> None:
    model, tokens = encoder().eval(), ids(3, 40)
    assert (tokens == 11).any()  # N among them: an all-zero column, and not A
    torch.testing.assert_close(model(tokens_to_one_hot(tokens)), model(tokens))
    torch.testing.assert_close(model.encode_positions(tokens_to_one_hot(tokens)), model.encode_positions(tokens))


def test_n_is_neither_a_base_nor_padding() -> None:
    model, tokens = encoder().eval(), ids(1, 20)
    outputs = []
    for token in (7, 8, 9, 10, 11, 4):
        changed = tokens.clone()
        changed[0, 10] = token
        outputs.append(model(changed))
    for i, one in enumerate(outputs):
        for other in outputs[:i]:
            assert (one - other).abs().max() > 1e-6


def test_shapes_and_width() -> None:
    assert encoder().output_dim == 16
    model = encoder(output_dim=10)
    assert model(ids(2, 30)).shape == (2, 10)
    assert model.encode_positions(ids(2, 30)).shape == (2, 30, 10)
    assert model.depth == 3
    with pytest.raises(SettingError, match=r"65 tokens.*at most 64"):
        model(ids(1, 65))


# --- padding and pooling


@pytest.mark.parametrize("pooling", ["mean", "last", "max"])
def test_pooling_is_over_what_is_no_padding(pooling: str) -> None:
    model = encoder(pooling=pooling).eval()
    tokens = ids(2, 30)
    tokens[1, :12] = 4
    states = model.network(tokens).last_hidden_state
    real = [states[0], states[1, 12:]]
    expected = {
        "mean": [s.mean(0) for s in real], "last": [s[-1] for s in real], "max": [s.amax(0) for s in real]
    }[pooling]  # fmt: skip
    torch.testing.assert_close(model(tokens), torch.stack(expected))
    positions = model.encode_positions(tokens)
    assert not positions[1, :12].any()
    torch.testing.assert_close(positions[1, 12:], states[1, 12:])


def test_mean_of_nothing_but_padding_is_zero() -> None:
    assert not encoder()(torch.full((1, 9), 4)).any()


def test_positions_know_only_what_is_to_their_left() -> None:
    model, tokens = encoder().eval(), ids(1, 40)
    changed = tokens.clone()
    changed[0, 25] = 7 + (changed[0, 25] - 6) % 4
    difference = (model.encode_positions(tokens) - model.encode_positions(changed)).abs().amax(dim=2)[0]
    assert difference[:25].max() < 1e-5
    assert difference[25] > 1e-4


# --- what is trained


def test_frozen_encoder_has_no_gradient() -> None:
    model = encoder(output_dim=10).train()
    model(ids(2, 30)).sum().backward()
    assert with_gradient(model) == {"projection.weight", "projection.bias"}
    assert not encoder()(ids(2, 30)).requires_grad
    assert encoder().trainable_count == 0


def test_last_two_are_exactly_two_blocks_and_the_final_norm() -> None:
    model = encoder(unfreeze_last=2).train()
    model(ids(2, 30)).square().sum().backward()
    trained = with_gradient(model)
    assert trained == {name for name, p in model.named_parameters() if p.requires_grad}
    assert blocks_of(trained) == {"layers.1", "layers.2", "ln_f"}
    assert all(f"network.backbone.layers.{block}.mlp.fc1.weight" in trained for block in (1, 2))
    assert "network.backbone.layers.1.mixer.filter_fn.implicit_filter.1.freq" in trained
    per_block = sum(p.numel() for p in model.network.backbone.layers[0].parameters())
    assert model.trainable_count == 2 * per_block + 2 * 16


@pytest.mark.parametrize("everything", [None, -1])
def test_everything_includes_the_embedding(everything: int | None) -> None:
    model = encoder(unfreeze_last=everything).train()
    model(ids(2, 30)).square().sum().backward()
    assert with_gradient(model) == {name for name, _ in model.named_parameters()}
    assert model.unfrozen == -1
    model.unfreeze_last(3)
    assert blocks_of({n for n, p in model.named_parameters() if p.requires_grad}) == {
        "layers.0", "layers.1", "layers.2", "ln_f",
    }  # fmt: skip


def test_gradual_unfreezing_trains_one_more_block_each_time() -> None:
    model = encoder().train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for blocks in range(4):
        model.unfreeze_last(blocks)
        before = copy.deepcopy(model.state_dict())
        optimizer.zero_grad()
        out = model(ids(2, 30)).square().sum()
        if out.requires_grad:
            out.backward()
        optimizer.step()
        changed = {name for name, tensor in model.state_dict().items() if not torch.equal(tensor, before[name])}
        last = {f"layers.{i}" for i in range(3 - blocks, 3)}
        assert blocks_of(changed) == (last | {"ln_f"} if blocks else set())
    model.unfreeze_last(0)
    assert model.trainable_count == 0


@pytest.mark.parametrize("blocks", [-2, 4])
def test_no_more_blocks_than_there_are(blocks: int) -> None:
    with pytest.raises(SettingError, match="has 3 blocks"):
        encoder().unfreeze_last(blocks)


def test_frequencies_that_are_not_trained_stay_so() -> None:
    model = encoder(hyena_config={**TINY, "train_freq": False}, unfreeze_last=None)
    frozen = {name for name, p in model.named_parameters() if not p.requires_grad}
    assert len(frozen) == 3
    assert all(name.endswith(".freq") for name in frozen)


def test_what_is_frozen_stays_in_evaluation_mode() -> None:
    strong = {**TINY, "embed_dropout": 0.5, "hyena_dropout": 0.5}
    model = encoder(hyena_config=strong, unfreeze_last=1).train()
    backbone = model.network.backbone
    assert [layer.training for layer in backbone.layers] == [False, False, True]
    assert backbone.ln_f.training
    assert not backbone.dropout.training
    assert model.training
    assert not model.eval().network.backbone.layers[2].training
    frozen, tokens = encoder(hyena_config=strong).train(), ids(2, 30)
    assert torch.equal(frozen(tokens), frozen(tokens))
    wrapped = nn.Sequential(frozen).train()  # as a trainer does it, from outside
    assert not frozen.network.training
    assert torch.equal(wrapped(tokens), frozen(tokens))
    free = encoder(hyena_config=strong, unfreeze_last=None).train()
    assert not torch.equal(free(tokens), free(tokens))


def test_frozen_part_makes_its_filters_once_and_keeps_nothing_for_backward(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    kernel = HyenaFilter.kernel
    monkeypatch.setattr(HyenaFilter, "kernel", lambda self, length: made.append(length) or kernel(self, length))
    model = encoder(unfreeze_last=1).train()
    kept: list[int] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.numel()) or t, lambda t: t):
        for _ in range(3):
            model(ids(2, 30)).sum().backward()
    partly, kept_partly = len(made), sum(kept)
    assert partly == 2 + 3  # both frozen blocks once, the free one at each step
    kept.clear()
    whole = encoder(unfreeze_last=None).train()
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.numel()) or t, lambda t: t):
        for _ in range(3):
            whole(ids(2, 30)).sum().backward()
    assert kept_partly < 0.5 * sum(kept)


def test_gradient_checkpointing_changes_no_gradient() -> None:
    gradients = []
    for saving in (False, True):
        model = encoder(gradient_checkpointing=saving, unfreeze_last=2).train()
        model(ids(2, 30)).square().sum().backward()
        gradients.append({name: p.grad for name, p in model.named_parameters() if p.grad is not None})
    assert gradients[0].keys() == gradients[1].keys()
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], gradient, msg=name)


# --- weights


def test_pretrained_weights_are_the_file_s(tmp_path: Path) -> None:
    source = toy()
    folder = write_hf(tmp_path, hf_state(source))
    model = HyenaDNAEncoder(None, weights=str(folder), hyena_config={"embed_dropout": 0.0})
    tokens = ids(2, 30)
    with torch.no_grad():
        torch.testing.assert_close(model.encode_positions(tokens), source.hyena(tokens).last_hidden_state)
    assert model.weights_sha256 is not None
    assert model.network.config.embed_dropout == 0


def test_a_checkpoint_that_does_not_load_raises(tmp_path: Path) -> None:
    state = hf_state(toy())
    del state["hyena.backbone.ln_f.weight"]
    folder = write_hf(tmp_path, state)
    with pytest.raises(WeightsError, match="ln_f"):
        HyenaDNAEncoder(weights=str(folder))
    with pytest.raises(WeightsError, match="nowhere"):
        HyenaDNAEncoder(weights=str(tmp_path / "nowhere"))
    with pytest.raises(WeightsError, match="not in the hub's cache"):
        HyenaDNAEncoder(model_name="someone/never-downloaded", local_files_only=True)


def test_configuration_builds_the_same_network_without_weights(tmp_path: Path) -> None:
    folder = write_hf(tmp_path, hf_state(toy()))
    model = HyenaDNAEncoder(10, weights=str(folder), unfreeze_last=1, pooling="last").eval()
    options = json.loads(json.dumps(model.config)) | {"pretrained": False}
    (folder / "model.safetensors").unlink()
    again = HyenaDNAEncoder(**options)
    again.load_state_dict(model.state_dict())
    assert torch.equal(again.eval()(ids(2, 30)), model(ids(2, 30)))
    assert again.trainable_count == model.trainable_count


def test_factory_makes_it_by_name() -> None:
    options: dict[str, Any] = {"pretrained": False, "hyena_config": TINY}
    for name in ("hyenadna", "hyenadna-small-32k", "LongSafari/hyenadna-medium-160k-seqlen-hf"):
        made = SequenceEncoderFactory.create(name, output_dim=10, **options)
        assert isinstance(made, HyenaDNAEncoder)
        assert made.output_dim == 10
    assert made.config["model_name"] == "LongSafari/hyenadna-medium-160k-seqlen-hf"
    released = SequenceEncoderFactory.create("hyenadna", pretrained=False)
    assert isinstance(released, HyenaDNAEncoder)
    assert released.depth == 4
    assert released.output_dim == 256


def test_wrong_options_are_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingError, match="pooling"):
        encoder(pooling="sum")

    def missing(module: str, *, purpose: str) -> None:
        raise MissingExtraError(purpose, "")

    monkeypatch.setattr(f"{HyenaDNAEncoder.__module__}.require", missing)
    with pytest.raises(MissingExtraError, match="HyenaDNA"):
        encoder()


def test_autocast_gives_float32() -> None:
    model: HyenaDNAEncoder = encoder(unfreeze_last=1).train()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out: Tensor = model(ids(2, 30))
    assert out.dtype == torch.float32
    out.sum().backward()
