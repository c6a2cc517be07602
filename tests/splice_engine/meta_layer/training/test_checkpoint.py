"""A checkpoint gives back what was saved, says where it is from, and refuses what it does not fit."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from agentic_spliceai.splice_engine.errors import CheckpointError
from agentic_spliceai.splice_engine.meta_layer import checkpoint
from agentic_spliceai.splice_engine.meta_layer.checkpoint import (
    BaseProvenance,
    CheckpointContent,
    ModelCard,
    code_digest,
    load_checkpoint,
    read_card,
    save_checkpoint,
    schema_digest,
)
from agentic_spliceai.splice_engine.meta_layer.models.registry import build_model
from agentic_spliceai.splice_engine.meta_layer.training.calibration import choose_threshold, fit_calibration
from tests.splice_engine.meta_layer.training.toys import LinearModel, MotifModel, build

FEATURES = ("donor", "acceptor")
BASE = BaseProvenance(predictor="openspliceai", version="1", weights_sha256=("a" * 64, "b" * 64))
SCORES, LABELS = [0.1, 0.4, 0.6, 0.9], [0, 1, 0, 1]


def card(**fields: Any) -> ModelCard:
    values: dict[str, Any] = {
        "config": {"base_model": "openspliceai"},
        "features": FEATURES,
        "normaliser": {"names": list(FEATURES), "mean": [0.1, 1 / 3], "std": [1e-9, 2.5]},
        "base": BASE,
        "data_digest": "d" * 64,
        "thresholds": {"altering": choose_threshold(SCORES, LABELS)},
        "calibration": {name: fit_calibration(name, SCORES, LABELS) for name in ("temperature", "platt", "isotonic")},
        "seed": 3,
        "metrics": {"val_loss": 0.1},
    }
    return ModelCard(**values | fields)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    path = tmp_path / "deep" / "model.safetensors"
    save_checkpoint(path, CheckpointContent(LinearModel(), card()))
    return path


def rewrite(path: Path, **changes: Any) -> None:
    """Change the card of a file as someone would who keeps its digests right."""
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        metadata = dict(file.metadata())
    text = json.dumps(json.loads(metadata["card"]) | changes, sort_keys=True)
    save_file(tensors, path, metadata | {"card": text, "sha256": checkpoint._digest(text, tensors)})


def test_model_and_card_come_back(tmp_path: Path) -> None:
    model, path = MotifModel(width=5, dropout=0.5), tmp_path / "model.safetensors"
    written = save_checkpoint(path, CheckpointContent(model, card()))
    content = load_checkpoint(path, build=build)
    x = torch.rand(3, 4, 24)
    assert torch.equal(content.model(x), model.eval()(x))
    assert not content.model.training
    assert content.model.config == {"width": 5, "dropout": 0.5}
    assert content.card == written == read_card(path)
    assert (content.card.task, content.card.code_digest) == ("binary", code_digest())
    assert content.card.same_code
    for name, fitted in card().calibration.items():
        np.testing.assert_array_equal(content.card.calibration[name].apply(SCORES), fitted.apply(SCORES))
    assert [path.name for path in tmp_path.iterdir()] == ["model.safetensors"]


def test_the_card_has_a_digest_that_a_result_can_name(saved: Path) -> None:
    first = read_card(saved)
    assert first.sha256 == read_card(saved).sha256
    assert first.sha256 != first.model_copy(update={"seed": 4}).sha256


REGISTERED: dict[str, dict[str, Any]] = {
    "meta_splice": {"num_features": 4, "hidden_dim": 16, "encoder": "gated_cnn"},
    "recalibrator": {},
    "delta": {"hidden_dim": 16},
    "simple_cnn_delta": {"hidden_dim": 16, "n_layers": 2},
    "validated_delta": {"hidden_dim": 16, "n_layers": 2},
    "effect_type": {"hidden_dim": 16, "n_layers": 2},
    "calibrated": {"base": "simple_cnn_delta", "base_options": {"hidden_dim": 16}, "strategy": "hybrid"},
    "variant_aware": {"num_features": 4, "width": 8, "probes": (0, 1)},
}


@pytest.mark.parametrize("name", list(REGISTERED))
def test_registered_models_come_back_by_name(name: str, tmp_path: Path) -> None:
    model = build_model(name, **REGISTERED[name])
    save_checkpoint(tmp_path / "model.safetensors", CheckpointContent(model, ModelCard()))
    content = load_checkpoint(tmp_path / "model.safetensors")
    assert type(content.model) is type(model)
    assert content.card.model == name
    before, after = model.state_dict(), content.model.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[key], after[key]) for key in before)


TINY = {"d_model": 8, "n_layer": 2, "d_inner": 16, "filter_order": 8, "emb_dim": 3}


@pytest.mark.parametrize("weights", [False, True], ids=["release", "weights of another shape"])
@pytest.mark.parametrize("name", ["hyenadna_binary", "meta_splice"])
def test_a_pretrained_encoder_is_restored_without_its_weights(
    name: str, weights: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Options that leave `pretrained` to its default, or that name a file since deleted, load nothing but the file."""
    from agentic_spliceai.splice_engine.meta_layer.models import hyenadna

    real, asked = hyenadna.load_hyenadna, []

    def empty(source: Any, *, pretrained: bool, config: Any, **options: Any) -> Any:
        asked.append(pretrained)
        config = dict(config or {}) | (TINY if pretrained and weights else {})
        return real("hyenadna-tiny-1k", pretrained=False, config=config, **options)

    monkeypatch.setattr(hyenadna, "load_hyenadna", empty)
    encoder = {"weights": "/gone/weights.pt"} if weights else {"model_name": "hyenadna-tiny-1k"}
    options = {"encoder_options": encoder} | ({} if name == "hyenadna_binary" else {"encoder": "hyenadna"})
    model = build_model(name, hidden_dim=16, **options)
    save_checkpoint(tmp_path / "model.safetensors", CheckpointContent(model, ModelCard()))
    content = load_checkpoint(tmp_path / "model.safetensors")
    assert asked == [True, False]
    before, after = model.state_dict(), content.model.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)


def test_a_model_of_ones_own_needs_its_builder(saved: Path) -> None:
    assert read_card(saved).model.endswith("toys:LinearModel")
    with pytest.raises(CheckpointError, match="not in the registry"):
        load_checkpoint(saved)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"There is no checkpoint .*nothing\.safetensors"):
        load_checkpoint(tmp_path / "nothing.safetensors")


@pytest.mark.parametrize("place", ["cut", "header", "card", "tensor"])
def test_damage_anywhere_is_found(place: str, saved: Path) -> None:
    content = bytearray(saved.read_bytes())
    if place == "cut":
        content = content[:-4]
    else:
        # The seed in the card; the first byte of the header; a bit of the last weight.
        at = {"header": 8, "card": content.index(b'seed\\": 3') + 8, "tensor": len(content) - 2}[place]
        content[at] ^= 1
    saved.write_bytes(content)
    with pytest.raises(CheckpointError, match="damaged"):
        load_checkpoint(saved, build=build)


def test_foreign_and_newer_files_are_refused(saved: Path) -> None:
    with safe_open(saved, framework="pt") as file:
        metadata = dict(file.metadata())
    save_file({"x": torch.zeros(1)}, saved, metadata | {"format": "2"})
    with pytest.raises(CheckpointError, match="format '2'; this version reads 1"):
        load_checkpoint(saved)
    save_file({"x": torch.zeros(1)}, saved)
    with pytest.raises(CheckpointError, match="format None"):
        load_checkpoint(saved)


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        (["donor"], "acceptor is missing"),
        (["donor", "acceptor", "gc"], "gc is one too many"),
        (["acceptor", "donor"], "their order is another"),
    ],
)
def test_other_features_are_refused(schema: list[str], message: str, saved: Path) -> None:
    load_checkpoint(saved, build=build, expect_schema=list(FEATURES))
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(saved, build=build, expect_schema=schema)
    assert schema_digest(schema) != read_card(saved).schema_digest


def test_another_normaliser_is_refused(saved: Path) -> None:
    same = {"names": FEATURES, "mean": [0.1, 1 / 3], "std": [1e-9, 2.5]}
    load_checkpoint(saved, build=build, expect_normaliser=same)
    with pytest.raises(CheckpointError, match="normalised with other numbers"):
        load_checkpoint(saved, build=build, expect_normaliser=same | {"mean": [0.1, 0.33]})
    with pytest.raises(ValueError, match="the normaliser is for other features"):
        card(features=("donor", "gc"))
    rewrite(saved, features=["donor", "gc"])
    with pytest.raises(CheckpointError, match="the normaliser is for other features"):
        load_checkpoint(saved, build=build)


@pytest.mark.parametrize("change", [{"predictor": "spliceai"}, {"version": "2"}, {"weights_sha256": ("a" * 64,)}])
def test_another_base_model_is_refused(change: dict[str, Any], saved: Path) -> None:
    load_checkpoint(saved, build=build, expect_base=BASE)
    with pytest.raises(CheckpointError, match=r"trained on the scores of openspliceai 1 .*, not of"):
        load_checkpoint(saved, build=build, expect_base=BASE.model_copy(update=change))
    rewrite(saved, base=None)
    with pytest.raises(CheckpointError, match="trained on the scores of no base model"):
        load_checkpoint(saved, build=build, expect_base=BASE)


def test_other_code_is_said_and_on_demand_refused(saved: Path) -> None:
    load_checkpoint(saved, build=build, strict=True)
    rewrite(saved, code_digest="0" * 64)
    assert not load_checkpoint(saved, build=build).card.same_code
    with pytest.raises(CheckpointError, match="other code"):
        load_checkpoint(saved, build=build, strict=True)


def test_tensors_must_be_those_of_the_model(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    model = LinearModel()
    for change, message in {
        "lacks": "lacks: linear.bias",
        "more": "has one too many: linear.extra",
        "shape": "has another shape of: linear.bias",
    }.items():
        model = LinearModel()
        if change == "lacks":
            model.linear.bias = None  # type: ignore[assignment]
        elif change == "more":
            model.linear.register_buffer("extra", torch.zeros(1))
        else:
            model.linear.bias = torch.nn.Parameter(torch.zeros(2))
        save_checkpoint(path, CheckpointContent(model, ModelCard()))
        with pytest.raises(CheckpointError, match=message):
            load_checkpoint(path, build=build)


def test_options_that_the_model_does_not_know_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_checkpoint(path, CheckpointContent(build_model("simple_cnn_delta", hidden_dim=16), ModelCard()))
    rewrite(path, options={"hidden_width": 16})
    with pytest.raises(CheckpointError, match="simple_cnn_delta cannot be built"):
        load_checkpoint(path)


def test_what_no_file_can_hold_is_refused(tmp_path: Path) -> None:
    model = LinearModel()
    model.config["callback"] = print
    with pytest.raises(CheckpointError, match="builtin_function"):
        save_checkpoint(tmp_path / "model.safetensors", CheckpointContent(model, ModelCard()))
    assert not list(tmp_path.iterdir())


def test_tied_weights_are_saved(tmp_path: Path) -> None:
    class Tied(LinearModel):
        def __init__(self, num_features: int = 2) -> None:
            super().__init__(num_features)
            self.other = self.linear

    model = Tied()
    save_checkpoint(tmp_path / "model.safetensors", CheckpointContent(model, ModelCard()))
    loaded = load_checkpoint(tmp_path / "model.safetensors", build=lambda name, options: Tied(**options)).model
    assert torch.equal(loaded.state_dict()["other.weight"], model.linear.weight)


def test_a_checkpoint_is_read_without_the_libraries_of_training(saved: Path) -> None:
    code = (
        "import sys\n"
        "from agentic_spliceai.splice_engine.meta_layer.checkpoint import read_card\n"
        "from pathlib import Path\n"
        f"read_card(Path({str(saved)!r})).calibration['isotonic'].apply([0.5])\n"
        "print(*{'lightning', 'sklearn', 'pandas', 'transformers', 'scipy', 'torchmetrics'} & set(sys.modules))"
    )
    found = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, env=os.environ, check=False
    )
    assert (found.stdout.strip(), found.returncode) == ("", 0), found.stderr
