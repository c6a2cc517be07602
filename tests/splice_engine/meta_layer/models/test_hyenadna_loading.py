"""Weights in every published layout load to the same network; weights that do not fit raise, and none are made up."""

from __future__ import annotations

import json
import logging
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from agentic_spliceai.splice_engine.errors import SettingError, WeightsError
from agentic_spliceai.splice_engine.meta_layer.models.hyenadna import (
    RELEASES,
    HyenaDNAForCausalLM,
    HyenaDNAForSequenceClassification,
    HyenaDNAModel,
    Release,
    find_release,
    load_hyenadna,
    locate_hyenadna,
)
from agentic_spliceai.splice_engine.resources import ResourceResolver, sha256_of
from tests.splice_engine.meta_layer.models.hub_server import COMMIT, Hub, serving
from tests.splice_engine.meta_layer.models.hyena_toys import TINY, hf_state, ids, original_state, toy, write_hf

TOKENS = ids(2, 48)
OTHER_COMMIT = "f" * 40


@pytest.fixture(scope="module")
def model() -> HyenaDNAForCausalLM:
    return toy()


@pytest.fixture(scope="module")
def expected(model: HyenaDNAForCausalLM) -> Tensor:
    with torch.no_grad():
        out: Tensor = model(TOKENS).logits
    return out


def logits(path: Path | str, **options: Any) -> Tensor:
    with torch.no_grad():
        out: Tensor = load_hyenadna(path, model_class=HyenaDNAForCausalLM, **options)(TOKENS).logits
    return out


def original_config(**layer: Any) -> str:
    return json.dumps(
        {
            "d_model": 16, "n_layer": 3, "d_inner": 32, "vocab_size": 12, "pad_vocab_size_multiple": 8,
            "resid_dropout": 0.0, "embed_dropout": 0.1, "residual_in_fp32": True, "checkpoint_mixer": True,
            "layer": {"_name_": "hyena", "emb_dim": 5, "filter_order": 8, "local_order": 3, "l_max": 64,
                      "modulate": True, "w": 10, "lr": 6e-4, "wd": 0.0, "lr_pos_emb": 0.0, **layer},
        }
    )  # fmt: skip


# --- layouts


def test_hf_folder_and_file(tmp_path: Path, model: HyenaDNAForCausalLM, expected: Tensor) -> None:
    folder = write_hf(tmp_path, hf_state(model))
    for place in (folder, str(folder), folder / "model.safetensors"):
        torch.testing.assert_close(logits(place), expected)
    base = load_hyenadna(folder)
    assert type(base) is HyenaDNAModel
    assert not base.training
    assert base.weights_sha256 == sha256_of(folder / "model.safetensors")
    with torch.no_grad():
        torch.testing.assert_close(base(TOKENS).last_hidden_state, model.hyena(TOKENS).last_hidden_state)


@pytest.mark.parametrize("name", ["small", "tiny"])
def test_golden_file_renamed_to_the_hf_layout(mirror: Path, tmp_path: Path, name: str) -> None:
    golden = load_file(mirror / "golden" / "hyenadna" / f"{name}.safetensors")
    state = {
        f"hyena.{key}": tensor
        for key, tensor in golden.items()
        if key.startswith("backbone.") and not key.endswith(("3.freq", "5.freq"))
    }
    state["lm_head.weight"] = golden["backbone.embeddings.word_embeddings.weight"].clone()
    folder = write_hf(tmp_path, state, d_model=1, n_layer=1, d_inner=1, max_seq_len=9, filter_order=64)  # shapes win
    loaded = load_hyenadna(folder)
    with torch.no_grad():
        out = loaded(golden["io.len401.input_ids"]).last_hidden_state
    assert (out - golden["io.len401.final_hidden"]).abs().max() < 5e-5


def test_pytorch_bin(tmp_path: Path, model: HyenaDNAForCausalLM, expected: Tensor) -> None:
    folder = write_hf(tmp_path, hf_state(model))
    (folder / "model.safetensors").unlink()
    torch.save(hf_state(model), folder / "pytorch_model.bin")
    torch.testing.assert_close(logits(folder), expected)


def test_bare_base_model(tmp_path: Path, model: HyenaDNAForCausalLM, expected: Tensor) -> None:
    model.hyena.save_pretrained(tmp_path)
    with torch.no_grad():
        hidden = load_hyenadna(tmp_path)(TOKENS).last_hidden_state
        torch.testing.assert_close(hidden, model.hyena(TOKENS).last_hidden_state)
    with pytest.raises(WeightsError, match="lm_head"):
        load_hyenadna(tmp_path, model_class=HyenaDNAForCausalLM)


class Spy:
    """An object of the training code that a Lightning file may hold; unpickling it would write a file."""

    def __init__(self, witness: Path) -> None:
        self.witness = witness

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.witness,)


@pytest.mark.parametrize("checkpointed", [False, True])
@pytest.mark.parametrize("plain", [True, False])
def test_original_lightning_checkpoint(
    tmp_path: Path, model: HyenaDNAForCausalLM, expected: Tensor, checkpointed: bool, plain: bool
) -> None:
    state = original_state(model, checkpointed=checkpointed) | {"val_loss.total": torch.tensor(1.0)}
    content: dict[str, Any] = {"state_dict": state, "epoch": 3, "global_step": 100, "optimizer_states": [{"state": {}}]}
    if not plain:
        content["hyper_parameters"] = {"config": Spy(tmp_path / "witness"), "nested": [Spy(tmp_path / "witness")]}
    torch.save(content, tmp_path / "weights.ckpt")
    (tmp_path / "config.json").write_text(original_config())
    torch.testing.assert_close(logits(tmp_path), expected)
    assert not (tmp_path / "witness").exists()
    (tmp_path / "config.json").unlink()  # nothing in it is needed where positions are stored
    torch.testing.assert_close(logits(tmp_path / "weights.ckpt"), expected)


def test_no_code_in_a_file_is_run(tmp_path: Path) -> None:
    for protocol in (0, 2):
        (tmp_path / "weights.ckpt").write_bytes(pickle.dumps(Spy(tmp_path / "witness"), protocol=protocol))
        with pytest.raises(WeightsError):
            load_hyenadna(tmp_path)
    torch.save(Spy(tmp_path / "witness"), tmp_path / "weights.ckpt")
    with pytest.raises(WeightsError):
        load_hyenadna(tmp_path)
    assert not (tmp_path / "witness").exists()


def test_file_of_the_format_before_pytorch_1_6(tmp_path: Path, model: HyenaDNAForCausalLM, expected: Tensor) -> None:
    content = {"state_dict": original_state(model, checkpointed=True), "config": Spy(tmp_path / "witness")}
    torch.save(content, tmp_path / "weights.ckpt", _use_new_zipfile_serialization=False)
    torch.testing.assert_close(logits(tmp_path), expected)
    assert not (tmp_path / "witness").exists()


def test_frequency_under_any_published_name(tmp_path: Path, model: HyenaDNAForCausalLM, expected: Tensor) -> None:
    for index in ("3", "5"):
        state = {name.replace(".1.freq", f".{index}.freq"): tensor for name, tensor in hf_state(model).items()}
        torch.testing.assert_close(logits(write_hf(tmp_path / index, state)), expected)
    state = hf_state(model)
    state["hyena.backbone.layers.1.mixer.filter_fn.implicit_filter.3.freq"] = torch.full((1, 8), 9.0)
    with pytest.raises(WeightsError, match=r"copies of layers\.1.*freq differ"):
        logits(write_hf(tmp_path / "other", state))


def test_constants_are_stored_ones_or_by_formula(tmp_path: Path, model: HyenaDNAForCausalLM, expected: Tensor) -> None:
    state = hf_state(model)
    constants = [name for name in state if name.endswith(("pos_emb.z", "pos_emb.t", "modulation.deltas"))]
    assert len(constants) == 9
    without = {name: tensor for name, tensor in state.items() if name not in constants}
    torch.testing.assert_close(logits(write_hf(tmp_path / "without", without)), expected)
    stored = {**state, constants[0]: state[constants[0]] + 0.25}
    loaded = load_hyenadna(write_hf(tmp_path / "stored", stored), model_class=HyenaDNAForCausalLM)
    assert torch.equal(loaded.state_dict()[constants[0]], stored[constants[0]])
    (tmp_path / "without" / "config.json").unlink()
    with pytest.raises(WeightsError, match="maximum length"):
        logits(tmp_path / "without")


def test_half_precision_on_disk_is_float32_in_memory(tmp_path: Path, model: HyenaDNAForCausalLM) -> None:
    state = {name: tensor.to(torch.float16) for name, tensor in hf_state(model).items()}
    loaded = load_hyenadna(write_hf(tmp_path, state))
    assert {tensor.dtype for tensor in loaded.state_dict().values()} == {torch.float32}


def test_shapes_win_over_the_configuration_and_say_so(
    tmp_path: Path, model: HyenaDNAForCausalLM, expected: Tensor, caplog: pytest.LogCaptureFixture
) -> None:
    folder = write_hf(tmp_path, hf_state(model), d_model=256, d_inner=1024, n_layer=8, max_seq_len=1026)
    with caplog.at_level(logging.WARNING):
        torch.testing.assert_close(logits(folder), expected)
    assert "d_model: 256, not 16" in caplog.text
    assert "n_layer: 8, not 3" in caplog.text


def test_fields_that_no_shape_tells_come_from_the_configuration(tmp_path: Path, model: HyenaDNAForCausalLM) -> None:
    folder = write_hf(tmp_path, hf_state(model), layer_norm_epsilon=0.1, embed_dropout=0.3)
    loaded = load_hyenadna(folder, config={"embed_dropout": 0.0})
    assert loaded.config.layer_norm_epsilon == 0.1
    assert loaded.config.embed_dropout == 0
    assert loaded.backbone.ln_f.eps == 0.1


# --- what does not fit


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("missing", r"lacks backbone\.layers\.1\.mlp\.fc2\.weight"),
        ("unexpected", r"unknown backbone\.layers\.1\.mixer\.attention\.weight"),
        ("shape", r"another shape backbone\.layers\.1\.mlp\.fc2\.weight \(16, 31\) and not \(16, 32\)"),
        ("nan", r"layers\.1\.mlp\.fc2\.weight holds NaN"),
        ("infinite", r"layers\.1\.mlp\.fc2\.weight holds NaN or infinite"),
        ("layer", r"layers are numbered \[0, 2\]"),
        ("order", "not of order 2"),
        ("embedding", "0 tensors named"),
        ("lacks first", "lacks a tensor"),
    ],
)
def test_weights_that_do_not_fit_raise(tmp_path: Path, model: HyenaDNAForCausalLM, change: str, says: str) -> None:
    state, name = hf_state(model), "hyena.backbone.layers.1.mlp.fc2.weight"
    block = "hyena.backbone.layers.0.mixer"
    if change == "missing":
        del state[name]
    elif change == "unexpected":
        state["hyena.backbone.layers.1.mixer.attention.weight"] = torch.zeros(2)
    elif change == "shape":
        state[name] = state[name][:, 1:].clone()
    elif change in ("nan", "infinite"):
        state[name][0, 0] = float(change[:3])
    elif change == "layer":
        state = {key: tensor for key, tensor in state.items() if ".layers.1." not in key}
    elif change == "order":
        state[f"{block}.in_proj.weight"] = torch.zeros(64, 16)
    elif change == "embedding":
        del state["hyena.backbone.embeddings.word_embeddings.weight"]
    else:
        del state[f"{block}.filter_fn.implicit_filter.0.weight"]
    with pytest.raises(WeightsError, match=says) as caught:
        load_hyenadna(write_hf(tmp_path, state))
    assert "pretrained=False" in caught.value.advice


def test_digest_is_checked_where_one_is_given(tmp_path: Path, model: HyenaDNAForCausalLM) -> None:
    folder = write_hf(tmp_path, hf_state(model))
    digest = sha256_of(folder / "model.safetensors")
    load_hyenadna(folder, sha256=digest)
    with pytest.raises(WeightsError, match="sha256"):
        load_hyenadna(folder, sha256="0" * 64)


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin", "weights.ckpt"])
@pytest.mark.parametrize("content", [b"", b"version https://git-lfs.github.com/spec/v1\n", "cut"])
def test_damaged_files_raise(tmp_path: Path, model: HyenaDNAForCausalLM, name: str, content: bytes | str) -> None:
    file = tmp_path / name
    if isinstance(content, str):
        if name == "model.safetensors":
            save_file(hf_state(model), file)
        else:
            torch.save({"state_dict": hf_state(model)}, file)
        content = file.read_bytes()[:2000]
    file.write_bytes(content)
    with pytest.raises(WeightsError, match=name):
        load_hyenadna(tmp_path)


def test_files_without_weights_raise(tmp_path: Path, model: HyenaDNAForCausalLM) -> None:
    with pytest.raises(WeightsError, match="no weight file"):
        load_hyenadna(tmp_path)
    with pytest.raises(WeightsError, match="No HyenaDNA weights"):
        load_hyenadna(tmp_path / "nowhere")
    torch.save([1, 2], tmp_path / "weights.ckpt")
    with pytest.raises(WeightsError, match="no state dict"):
        load_hyenadna(tmp_path)
    write_hf(tmp_path / "json", hf_state(model))
    (tmp_path / "json" / "config.json").write_text("[1]")
    with pytest.raises(WeightsError, match=r"config\.json"):
        load_hyenadna(tmp_path / "json")
    for name in ("a.safetensors", "b.safetensors"):
        (tmp_path / "json" / "model.safetensors").rename(tmp_path / "json" / name)
        write_hf(tmp_path / "json", hf_state(model))
    (tmp_path / "json" / "model.safetensors").unlink()
    with pytest.raises(WeightsError, match=r"several weight files \(a.safetensors, b.safetensors\)"):
        load_hyenadna(tmp_path / "json")


def test_a_classification_head_is_not_made_up(tmp_path: Path, model: HyenaDNAForCausalLM) -> None:
    with pytest.raises(WeightsError, match="score"):
        load_hyenadna(write_hf(tmp_path, hf_state(model)), model_class=HyenaDNAForSequenceClassification)


def test_loading_leaves_the_random_state_alone(tmp_path: Path, model: HyenaDNAForCausalLM) -> None:
    folder = write_hf(tmp_path, hf_state(model))
    before = torch.get_rng_state()
    load_hyenadna(folder)
    assert torch.equal(torch.get_rng_state(), before)


# --- names


@pytest.mark.parametrize(
    ("name", "release"),
    [
        ("hyenadna-small-32k", "hyenadna-small-32k-seqlen"),
        ("hyenadna-small-32k-seqlen", "hyenadna-small-32k-seqlen"),
        ("hyenadna-small-32k-seqlen-hf", "hyenadna-small-32k-seqlen"),
        ("LongSafari/hyenadna-small-32k-seqlen", "hyenadna-small-32k-seqlen"),
        ("LongSafari/hyenadna-small-32k-seqlen-hf", "hyenadna-small-32k-seqlen"),
        ("hyenadna-tiny-1k", "hyenadna-tiny-1k-seqlen"),
        ("hyenadna-tiny-1k-seqlen-d256-hf", "hyenadna-tiny-1k-seqlen-d256"),
        ("hyenadna-tiny-16k-seqlen-d128", "hyenadna-tiny-16k-seqlen-d128"),
        ("hyenadna-medium-160k", "hyenadna-medium-160k-seqlen"),
        ("hyenadna-medium-450k-seqlen", "hyenadna-medium-450k-seqlen"),
        ("hyenadna-large-1m", "hyenadna-large-1m-seqlen"),
        ("someone/hyenadna-small-32k-seqlen-hf", None),
        ("hyenadna-small", None),
    ],
)
def test_every_name_of_a_release_means_it(name: str, release: str | None) -> None:
    found = find_release(name)
    assert (None if found is None else found.name) == release


def test_table_of_releases_is_the_published_one() -> None:
    assert {(r.name.removeprefix("hyenadna-"), r.layers, r.width, r.max_seq_len) for r in RELEASES.values()} == {
        ("tiny-1k-seqlen", 2, 128, 1026), ("tiny-1k-seqlen-d256", 2, 256, 1026),
        ("tiny-16k-seqlen-d128", 2, 128, 16386), ("small-32k-seqlen", 4, 256, 32770),
        ("medium-160k-seqlen", 8, 256, 160002), ("medium-450k-seqlen", 8, 256, 450002),
        ("large-1m-seqlen", 8, 256, 1000002),
    }  # fmt: skip
    assert all(len(release.revision) == 40 for release in RELEASES.values())


def test_unknown_names_are_no_reason_for_random_weights() -> None:
    for name in ("hyenadna-huge", "./nowhere"):
        with pytest.raises(SettingError, match="neither"):
            load_hyenadna(name)
    with pytest.raises(SettingError, match="architecture is not known"):
        load_hyenadna("hyenadna-huge", pretrained=False)
    with pytest.raises(SettingError, match="embed_dropot"):
        load_hyenadna("hyenadna-tiny-1k", pretrained=False, config={"embed_dropot": 0.0})
    assert load_hyenadna("hyenadna-huge", pretrained=False, config=TINY).config.d_model == 16


# --- data folder, mirror, hub


@pytest.fixture
def toy_release(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, model: HyenaDNAForCausalLM) -> Release:
    """A release of the toy's shape, whose digest is that of the file that `write_hf` makes."""
    digest = sha256_of(write_hf(tmp_path / "original", hf_state(model)) / "model.safetensors")
    release = Release("hyenadna-toy-1k-seqlen", 3, 16, 64, OTHER_COMMIT, digest)
    monkeypatch.setitem(RELEASES, release.name, release)
    return release


@pytest.fixture
def hub(tmp_path: Path, toy_release: Release, model: HyenaDNAForCausalLM) -> Any:
    write_hf(tmp_path / "hub" / toy_release.repository, hf_state(model))
    write_hf(tmp_path / "hub" / "someone" / "finetuned", hf_state(model))
    (tmp_path / "hub" / "someone" / "empty").mkdir()
    (tmp_path / "hub" / "someone" / "empty" / "config.json").write_text("{}")
    with serving(tmp_path / "hub") as server:
        server.revisions.add(toy_release.revision)
        yield server


@pytest.mark.usefixtures("toy_release")
@pytest.mark.parametrize("folder", ["hyenadna-toy-1k-seqlen-hf", "hyenadna-toy-1k-seqlen", "hyenadna-toy-1k"])
def test_data_folder_and_mirror_come_before_the_hub(
    tmp_path: Path, model: HyenaDNAForCausalLM, expected: Tensor, folder: str
) -> None:
    data, mirror = tmp_path / "data", tmp_path / "mirror"
    resolver = ResourceResolver(data, mirror=mirror, allow_download=False)
    assert locate_hyenadna("hyenadna-toy-1k", resolver) is None
    in_mirror = write_hf(mirror / "models" / "hyenadna" / folder, hf_state(model))
    torch.testing.assert_close(logits("hyenadna-toy-1k", resolver=resolver), expected)
    assert locate_hyenadna("LongSafari/hyenadna-toy-1k-seqlen-hf", resolver) == in_mirror / "model.safetensors"
    in_data = write_hf(data / "models" / "hyenadna" / folder, hf_state(model))
    assert locate_hyenadna("hyenadna-toy-1k", resolver) == in_data / "model.safetensors"


@pytest.mark.usefixtures("toy_release")
def test_a_release_found_locally_must_be_that_release(tmp_path: Path) -> None:
    resolver = ResourceResolver(tmp_path / "data", allow_download=False)
    folder = tmp_path / "data" / "models" / "hyenadna" / "hyenadna-toy-1k-seqlen-hf"
    write_hf(folder, hf_state(toy(seed=3)))
    with pytest.raises(WeightsError, match="sha256"):
        load_hyenadna("hyenadna-toy-1k", resolver=resolver)
    (folder / "model.safetensors").unlink()
    torch.save({"state_dict": original_state(toy(n_layer=2), checkpointed=False)}, folder / "weights.ckpt")
    with pytest.raises(WeightsError, match="2 layers of width 16: not hyenadna-toy-1k-seqlen"):
        load_hyenadna("hyenadna-toy-1k", resolver=resolver)


def test_release_comes_from_the_hub_at_its_pinned_commit(tmp_path: Path, hub: Hub, expected: Tensor) -> None:
    options: dict[str, Any] = {"endpoint": hub.url, "cache_dir": tmp_path / "cache"}
    torch.testing.assert_close(logits("hyenadna-toy-1k", **options), expected)
    assert {request.split("/resolve/")[1].split("/")[0] for request in hub.asked} == {OTHER_COMMIT}
    assert not any(request.endswith(".py") for request in hub.asked)
    asked = len(hub.asked)
    torch.testing.assert_close(logits("hyenadna-toy-1k", local_files_only=True, **options), expected)
    resolver = ResourceResolver(tmp_path / "data", allow_download=False)
    torch.testing.assert_close(logits("hyenadna-toy-1k", resolver=resolver, **options), expected)
    assert len(hub.asked) == asked  # from the hub's cache on this machine


def test_any_repository_in_the_hf_layout(tmp_path: Path, hub: Hub, expected: Tensor) -> None:
    options: dict[str, Any] = {"endpoint": hub.url, "cache_dir": tmp_path / "cache"}
    torch.testing.assert_close(logits("someone/finetuned", **options), expected)
    torch.testing.assert_close(logits("someone/finetuned", revision=COMMIT, **options), expected)


def test_changed_file_on_the_hub_is_refused(tmp_path: Path, hub: Hub, toy_release: Release) -> None:
    write_hf(hub.root / toy_release.repository, hf_state(toy(seed=3)))
    options: dict[str, Any] = {"endpoint": hub.url, "cache_dir": tmp_path / "cache"}
    with pytest.raises(WeightsError, match="sha256"):
        load_hyenadna("hyenadna-toy-1k", **options)
    load_hyenadna("hyenadna-toy-1k", revision="main", **options)  # asked for by name: another commit, another digest


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("someone/nothing", {}),
        ("someone/finetuned", {"revision": "b" * 40}),
        ("someone/empty", {}),
        ("someone/finetuned", {"local_files_only": True}),
        ("some one/finetuned", {}),
    ],
)
def test_what_the_hub_does_not_have_raises(tmp_path: Path, hub: Hub, name: str, options: dict[str, Any]) -> None:
    with pytest.raises(WeightsError, match=name) as caught:
        load_hyenadna(name, endpoint=hub.url, cache_dir=tmp_path / "cache", **options)
    assert caught.value.advice


def test_unreachable_hub_raises(tmp_path: Path, toy_release: Release, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda _: None)
    with serving(tmp_path) as server:
        url = server.url
    with pytest.raises(WeightsError, match=toy_release.repository) as caught:
        load_hyenadna("hyenadna-toy-1k", endpoint=url, cache_dir=tmp_path / "cache")
    assert "HF_ENDPOINT" in caught.value.advice
