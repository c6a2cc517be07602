"""The network against the authors' own numbers, and what users rely on: causality, exact convolution, right caches."""

from __future__ import annotations

import copy
import json
import math
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM

from agentic_spliceai.splice_engine.errors import SettingError, WeightsError
from agentic_spliceai.splice_engine.meta_layer.models.hyenadna import (
    CharacterTokenizer,
    HyenaDNAConfig,
    HyenaDNAForCausalLM,
    HyenaDNAForSequenceClassification,
    HyenaDNAModel,
    implicit_filter,
    load_hyenadna,
)
from agentic_spliceai.splice_engine.meta_layer.models.hyenadna.implicit_filter import HyenaFilter, fft_size
from tests.splice_engine.meta_layer.models.hyena_toys import TINY, ids, toy

FINAL, BETWEEN, FILTER = 5e-5, 1e-4, 5e-6  # limits of the golden files' README


def near(actual: Tensor, expected: Tensor, limit: float) -> None:
    assert actual.shape == expected.shape
    assert (actual - expected).abs().max() <= limit


@pytest.fixture(params=["small", "tiny"])
def golden(request: pytest.FixtureRequest, mirror: Path) -> tuple[HyenaDNAModel, dict[str, Tensor]]:
    path = mirror / "golden" / "hyenadna" / f"{request.param}.safetensors"
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys() if name.startswith("io.")}  # noqa: SIM118
    return load_hyenadna(path), tensors


def recorded(model: HyenaDNAModel, tokens: Tensor) -> dict[str, Any]:
    """Outputs (and first inputs, under `.in`) of every submodule of one forward."""
    seen: dict[str, Any] = {}

    def keep(name: str) -> Any:
        def hook(_: nn.Module, args: tuple[Any, ...], out: Any) -> None:
            seen[name], seen[f"{name}.in"] = out, args[0] if args else None

        return hook

    handles = [module.register_forward_hook(keep(name)) for name, module in model.backbone.named_modules() if name]
    with torch.no_grad():
        seen["result"] = model(tokens, output_hidden_states=True)
    for handle in handles:
        handle.remove()
    return seen


@pytest.mark.parametrize("length", [64, 401])
def test_every_published_tensor_is_reproduced(golden: tuple[HyenaDNAModel, dict[str, Tensor]], length: int) -> None:
    model, expected = golden
    io = {n.removeprefix(f"io.len{length}."): t for n, t in expected.items() if n.startswith(f"io.len{length}.")}
    seen = recorded(model, io["input_ids"])
    near(seen["embeddings"], io["embeddings"], BETWEEN)
    for block in range(2):
        near(seen[f"layers.{block}.mixer"], io[f"block{block}.mixer_out"], BETWEEN)
        near(seen[f"layers.{block}.mlp"], io[f"block{block}.mlp_out"], BETWEEN)
        near(seen[f"layers.{block}"], io[f"block{block}.out"], BETWEEN)
    near(seen["result"].last_hidden_state, io["final_hidden"], FINAL)
    states = seen["result"].hidden_states
    assert len(states) == 4  # embedding, two blocks, final norm
    near(states[1], io["block0.out"], BETWEEN)
    assert torch.equal(states[-1], seen["result"].last_hidden_state)
    if length == 64:
        first = "layers.0.mixer"
        near(seen["layers.0.norm1"], io["block0.norm1_out"], BETWEEN)
        near(seen[f"{first}.in_proj"], io["block0.in_proj_out"], BETWEEN)
        near(seen[f"{first}.short_filter"][..., :length], io["block0.short_filter_out"], BETWEEN)
        near(seen[f"{first}.filter_fn.in"], io["block0.longconv_in"], BETWEEN)
        near(seen[f"{first}.filter_fn"], io["block0.longconv_out"], BETWEEN)
        near(seen[f"{first}.out_proj.in"], io["block0.out_proj_in"], BETWEEN)


def test_filter_of_a_shorter_input_is_the_start_of_the_longest(
    golden: tuple[HyenaDNAModel, dict[str, Tensor]],
) -> None:
    model, expected = golden
    for block in range(2):
        taps = expected[f"io.block{block}.filter"]
        near(model.backbone.layers[block].mixer.filter_fn.kernel(len(taps)), taps, FILTER)
        near(model.backbone.layers[block].mixer.filter_fn.kernel(17), taps[:17], FILTER)


def test_input_may_fill_the_position_table_and_not_pass_it(mirror: Path) -> None:
    model = load_hyenadna(mirror / "golden" / "hyenadna" / "small.safetensors")
    assert model(ids(1, 401)).last_hidden_state.shape == (1, 401, 32)
    with pytest.raises(SettingError, match=r"402 tokens.*at most 401"):
        model(ids(1, 402))


def test_position_constants_are_the_stored_ones(mirror: Path) -> None:
    path = mirror / "golden" / "hyenadna" / "tiny.safetensors"
    with safe_open(path, framework="pt") as file:
        config = json.loads(file.metadata()["config"])
        z, t = implicit_filter.position_features(config["l_max"], config["emb_dim"])
        prefix = "backbone.layers.0.mixer.filter_fn"
        near(z, file.get_tensor(f"{prefix}.pos_emb.z"), 1e-6)
        near(t, file.get_tensor(f"{prefix}.pos_emb.t"), 1e-7)
        deltas = file.get_tensor(f"{prefix}.modulation.deltas")
    near(implicit_filter.decay_rates(config["d_model"]), deltas, 1e-5)


def test_long_convolution_is_the_sum_of_its_definition() -> None:
    layer = toy().double().hyena.backbone.layers[0].mixer.filter_fn
    x = torch.randn(2, 16, 37, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        taps, bias, y = layer.kernel(37), layer.bias, layer(x)
        expected = torch.zeros_like(x)
        for t in range(37):
            for j in range(t + 1):
                expected[:, :, t] += taps[j] * x[:, :, t - j]
        expected += bias[:, None] * x
    torch.testing.assert_close(y, expected, rtol=0, atol=1e-12)


def test_a_later_base_never_changes_an_earlier_output() -> None:
    model = toy().hyena.double()
    tokens = ids(2, 50)
    changed = tokens.clone()
    changed[:, 30] = 7 + (changed[:, 30] - 7 + 1) % 4
    with torch.no_grad():
        before, after = model(tokens).last_hidden_state, model(changed).last_hidden_state
    assert (before - after)[:, :30].abs().max() < 1e-12  # what the FFT's rounding leaves
    assert ((before - after)[:, 30:].abs().amax(dim=2) > 1e-9).all()


def test_fft_size_is_the_smallest_product_of_small_primes() -> None:
    def smooth(n: int) -> bool:
        for prime in (2, 3, 5):
            while n % prime == 0:
                n //= prime
        return n == 1

    for length in [*range(1, 400), 1001, 2001, 32769]:
        size = length
        while not smooth(size):
            size += 1
        assert fft_size(length) == size


def test_initialisation_is_that_of_the_original_code() -> None:
    torch.manual_seed(0)
    model = load_hyenadna("hyenadna-small-32k", pretrained=False)
    assert sum(p.numel() for p in model.parameters()) == 3_277_568
    block = model.backbone.layers[0]
    mixer = block.mixer
    assert model.backbone.embeddings.word_embeddings.weight.std().item() == pytest.approx(0.02, rel=0.1)
    assert mixer.in_proj.weight.std().item() == pytest.approx(0.02, rel=0.05)
    assert mixer.filter_fn.implicit_filter["2"].weight.std().item() == pytest.approx(0.02, rel=0.1)
    for scaled in (mixer.out_proj.weight, block.mlp.fc2.weight):
        assert scaled.std().item() == pytest.approx(0.02 / math.sqrt(8), rel=0.05)
    assert mixer.short_filter.weight.abs().max().item() <= 1 / math.sqrt(3)
    assert mixer.short_filter.weight.std().item() == pytest.approx(1 / 3, rel=0.1)  # of a uniform +-1/sqrt(3)
    assert mixer.filter_fn.bias.std().item() == pytest.approx(1, rel=0.2)
    assert (mixer.filter_fn.implicit_filter["1"].freq == 10).all()
    assert not mixer.in_proj.bias.any()
    assert not mixer.filter_fn.implicit_filter["0"].bias.any()
    assert (block.norm1.weight == 1).all()


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("hyenadna-tiny-1k", 436_096),
        ("hyenadna-tiny-1k-seqlen-d256", 1_641_088),
        ("hyenadna-tiny-16k-seqlen-d128", 436_096),
        ("hyenadna-medium-160k", 6_550_528),
    ],
)
def test_sizes_are_the_published_ones(name: str, parameters: int) -> None:
    model = load_hyenadna(name, pretrained=False)
    assert sum(p.numel() for p in model.parameters()) == parameters


# --- the kept filter


def final(model: HyenaDNAModel, tokens: Tensor) -> Tensor:
    with torch.no_grad():
        out: Tensor = model(tokens).last_hidden_state
    return out


def fresh(model: HyenaDNAModel, tokens: Tensor) -> Tensor:
    """The output of a model that has nothing kept."""
    other = HyenaDNAModel(model.config).eval()
    other.load_state_dict(model.state_dict())
    return final(other, tokens)


@pytest.fixture
def count(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    made: list[int] = []
    kernel = HyenaFilter.kernel

    def counted(self: HyenaFilter, length: int) -> Tensor:
        made.append(length)
        return kernel(self, length)

    monkeypatch.setattr(HyenaFilter, "kernel", counted)
    return made


def test_filter_is_made_once_for_many_forwards(count: list[int]) -> None:
    model, tokens = toy().hyena, ids(2, 40)
    first = final(model, tokens)
    assert len(count) == 3
    assert torch.equal(final(model, tokens), first)
    assert len(count) == 3
    final(model, ids(2, 41))
    assert count[3:] == [41, 41, 41]


def test_filter_is_made_anew_where_a_gradient_passes(count: list[int]) -> None:
    model, tokens = toy().hyena, ids(2, 40)
    for _ in range(2):
        model(tokens).last_hidden_state.sum().backward()
    assert len(count) == 6
    assert all(parameter.grad is not None for parameter in model.parameters())


@pytest.mark.parametrize("write", ["optimizer", "load_state_dict", "copy_", "data", "assign"])
def test_kept_filter_never_outlives_its_parameters(write: str) -> None:
    model, tokens = toy().hyena, ids(2, 40)
    stale = final(model, tokens)
    if write == "optimizer":
        model.train()
        optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
        final(model, tokens)
        model(tokens).last_hidden_state.square().sum().backward()
        optimizer.step()
        model.eval()
    elif write == "load_state_dict":
        model.load_state_dict(toy(seed=5).hyena.state_dict())
    elif write == "assign":
        model.load_state_dict(toy(seed=5).hyena.state_dict(), assign=True)
    else:
        with torch.no_grad():
            for parameter in model.parameters():
                if write == "copy_":
                    parameter.copy_(parameter * 1.5)
                else:
                    parameter.data = parameter.data * 1.5
    actual = final(model, tokens)
    assert (actual - stale).abs().max() > 1e-3
    assert torch.equal(actual, fresh(model, tokens))


def test_optimizer_step_on_a_model_in_evaluation_mode_is_seen() -> None:
    model, tokens = toy().hyena, ids(2, 40)
    for optimizer_class in (torch.optim.SGD, torch.optim.AdamW):
        final(model, tokens)
        optimizer = optimizer_class(model.parameters(), lr=0.05)
        model(tokens).last_hidden_state.square().sum().backward()
        optimizer.step()
        optimizer.zero_grad()
        assert torch.equal(final(model, tokens), fresh(model, tokens))


def test_inference_mode_gives_the_same_and_does_not_poison_training() -> None:
    model, tokens = toy().hyena, ids(2, 40)
    expected = final(model, tokens)
    model.eval()
    with torch.inference_mode():
        assert torch.equal(model(tokens).last_hidden_state, expected)
    model.requires_grad_(False)
    model.backbone.embeddings.requires_grad_(True)
    model(tokens).last_hidden_state.sum().backward()  # a filter kept from inference mode could not take part
    assert model.backbone.embeddings.word_embeddings.weight.grad is not None


def test_large_spectra_are_not_kept(monkeypatch: pytest.MonkeyPatch, count: list[int]) -> None:
    monkeypatch.setattr(implicit_filter, "CACHE_LIMIT", 1000)
    model, tokens = toy().hyena, ids(2, 40)
    final(model, tokens)
    final(model, tokens)
    assert len(count) == 6


def test_copies_and_pickles_compute_their_own_filter() -> None:
    model, tokens = toy().hyena, ids(2, 40)
    expected = final(model, tokens)
    twin = copy.deepcopy(model)
    with torch.no_grad():
        twin.backbone.layers[0].mixer.filter_fn.bias.add_(1)
    assert torch.equal(final(model, tokens), expected)
    assert not torch.equal(final(twin, tokens), expected)
    assert torch.equal(final(pickle.loads(pickle.dumps(model)), tokens), expected)


# --- precision


def test_autocast_keeps_the_long_convolution_and_the_residual_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    model, tokens = toy().hyena, ids(2, 60)
    seen: list[torch.dtype] = []
    rfft = torch.fft.rfft

    def spied(x: Tensor, **kwargs: Any) -> Tensor:
        seen.append(x.dtype)
        return rfft(x, **kwargs)

    monkeypatch.setattr(torch.fft, "rfft", spied)
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        out = model(tokens, output_hidden_states=True)
    assert set(seen) == {torch.float32}
    assert all(state.dtype == torch.float32 for state in out.hidden_states)
    reference = final(model, tokens)
    assert (out.last_hidden_state - reference).abs().max() < 0.2
    layer = model.backbone.layers[0].mixer.filter_fn
    x = torch.randn(1, 16, 60)
    with torch.no_grad():
        plain = layer(x)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert torch.equal(layer(x), plain)


def test_a_model_of_bfloat16_keeps_its_positions(tmp_path: Path) -> None:
    model, tokens = toy(), ids(2, 60)
    expected = final(model.hyena, tokens)
    model.save_pretrained(tmp_path)
    narrowed = copy.deepcopy(model).to(torch.bfloat16).hyena
    loaded = HyenaDNAModel.from_pretrained(tmp_path, dtype=torch.bfloat16)
    for narrow in (narrowed, loaded):
        assert narrow.backbone.layers[0].mlp.fc1.weight.dtype == torch.bfloat16
        for name, tensor in narrow.backbone.layers[0].mixer.filter_fn.state_dict().items():
            assert torch.equal(tensor, model.hyena.backbone.layers[0].mixer.filter_fn.state_dict()[name]), name
        assert (final(narrow, tokens).float() - expected).abs().mean() < 0.05


def test_gradient_checkpointing_changes_no_gradient() -> None:
    plain, saving = toy(embed_dropout=0.0).hyena.train(), toy(embed_dropout=0.0).hyena.train()
    saving.activation_checkpointing_enable({"use_reentrant": False})
    assert saving.is_activation_checkpointing
    for model in (plain, saving):
        model(ids(2, 40)).last_hidden_state.square().sum().backward()
    for (name, a), b in zip(plain.named_parameters(), saving.parameters(), strict=True):
        torch.testing.assert_close(a.grad, b.grad, rtol=1e-5, atol=1e-5, msg=name)


# --- as transformers models


def test_save_and_load_as_transformers_do(tmp_path: Path) -> None:
    model, tokens = toy(), ids(2, 40)
    model.save_pretrained(tmp_path)
    with torch.no_grad():
        expected = model(tokens).logits
        for loaded in (
            HyenaDNAForCausalLM.from_pretrained(tmp_path),
            AutoModelForCausalLM.from_pretrained(tmp_path),
            load_hyenadna(tmp_path, model_class=HyenaDNAForCausalLM),
        ):
            assert torch.equal(loaded(tokens).logits, expected)
        base = AutoModel.from_pretrained(tmp_path)
        assert type(base) is HyenaDNAModel
        assert torch.equal(base(tokens).last_hidden_state, model.hyena(tokens).last_hidden_state)
    assert AutoConfig.from_pretrained(tmp_path).d_model == 16
    assert json.loads((tmp_path / "config.json").read_text())["model_type"] == "hyenadna"


def test_transformers_own_loading_leaves_nothing_random(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    toy().save_pretrained(tmp_path)
    state = load_file(tmp_path / "model.safetensors")
    del state["hyena.backbone.layers.1.mixer.out_proj.weight"]
    save_file(state, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(WeightsError, match=r"layers\.1\.mixer\.out_proj\.weight"):
        HyenaDNAModel.from_pretrained(tmp_path)


def test_classifier_reads_the_last_position(tmp_path: Path) -> None:
    toy().save_pretrained(tmp_path)
    model = HyenaDNAForSequenceClassification.from_pretrained(tmp_path, num_labels=3)
    tokens = ids(4, 40)
    out = model(tokens, labels=torch.tensor([0, 1, 2, 0]))
    assert out.logits.shape == (4, 3)
    expected = model.hyena(tokens).last_hidden_state[:, -1] @ model.score.weight.T
    torch.testing.assert_close(out.logits, expected)
    torch.testing.assert_close(out.loss, nn.functional.cross_entropy(expected, torch.tensor([0, 1, 2, 0])))


def test_language_model_loss_is_of_the_next_token() -> None:
    model, tokens = toy(), ids(2, 30)
    labels = tokens.clone()
    labels[:, :5] = -100
    with torch.no_grad():
        out = model(tokens, labels=labels)
    log = out.logits.log_softmax(-1)
    expected = -torch.stack([log[b, t, tokens[b, t + 1]] for b in range(2) for t in range(4, 29)]).mean()
    torch.testing.assert_close(out.loss, expected)


def test_tied_head_is_the_embedding(tmp_path: Path) -> None:
    model = HyenaDNAForCausalLM(HyenaDNAConfig(**TINY, tie_word_embeddings=True)).eval()
    assert model.lm_head.weight is model.hyena.backbone.embeddings.word_embeddings.weight
    model.save_pretrained(tmp_path)
    loaded = load_hyenadna(tmp_path, model_class=HyenaDNAForCausalLM)
    torch.testing.assert_close(loaded(ids(1, 9)).logits, model(ids(1, 9)).logits)


def test_arguments_that_would_do_nothing_are_refused() -> None:
    model = toy().hyena
    with pytest.raises(SettingError, match="attention_mask"):
        model(ids(1, 9), attention_mask=torch.ones(1, 9))
    with pytest.raises(SettingError, match="either"):
        model()
    for wrong in ({"hyena_order": 3}, {"emb_dim": 4}, {"hyena_filter_dropout": 0.1}):
        with pytest.raises(SettingError):
            HyenaDNAConfig(**wrong)


def test_config_defaults_are_the_published_ones() -> None:
    config = HyenaDNAConfig()
    assert (config.d_model, config.d_inner, config.emb_dim, config.n_layer, config.max_seq_len) == (
        256,
        1024,
        3,
        12,
        1024,
    )
    assert (config.activation_freq, config.padded_vocab_size, config.pad_token_id) == (1, 16, 4)
    assert HyenaDNAConfig(**HyenaDNAConfig(**TINY).architecture()).to_dict() == HyenaDNAConfig(**TINY).to_dict()


# --- tokenizer


def test_tokenizer_reads_soft_masked_sequence_and_pads_on_the_left() -> None:
    tokenizer = CharacterTokenizer()
    assert tokenizer.encode("ACGTNacgtn").tolist() == [7, 8, 9, 10, 11] * 2
    assert tokenizer(["ACG", "T"]).tolist() == [[7, 8, 9], [4, 4, 10]]
    assert tokenizer.encode("ARU-é").tolist() == [7, 6, 6, 6, 6]
    assert tokenizer.decode(tokenizer(["ACGTN", "gn"])[1]) == "GN"
    assert tokenizer("").shape == (1, 0)


def test_tokenizer_adds_special_tokens_where_asked() -> None:
    assert CharacterTokenizer(special_tokens="sep").encode("AC").tolist() == [7, 8, 1]
    assert CharacterTokenizer(special_tokens="cls_sep")(["AC", "A"]).tolist() == [[0, 7, 8, 1], [4, 0, 7, 1]]
    with pytest.raises(SettingError, match="4 tokens; the model reads at most 3"):
        CharacterTokenizer(max_length=3, special_tokens="sep").encode("ACG")
    with pytest.raises(SettingError, match="bos"):
        CharacterTokenizer(special_tokens="bos")  # type: ignore[arg-type]
