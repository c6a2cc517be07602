"""Training as a whole: what can be learned is, what cannot is not, and every setting does what it says."""

from __future__ import annotations

import logging
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from agentic_spliceai.splice_engine.errors import CheckpointError, SettingError, TrainingDataError
from agentic_spliceai.splice_engine.meta_layer.config import MetaLayerConfig, ModelConfig
from agentic_spliceai.splice_engine.meta_layer.models.base import MetaModule
from agentic_spliceai.splice_engine.meta_layer.training import trainer
from agentic_spliceai.splice_engine.meta_layer.training.callbacks import read_metrics
from agentic_spliceai.splice_engine.meta_layer.training.results import TrainingResult
from agentic_spliceai.splice_engine.meta_layer.training.trainer import MetaTrainer, _trainer, train
from tests.splice_engine.meta_layer.training.parallel_run import run as run_parallel
from tests.splice_engine.meta_layer.training.toys import (
    Data,
    EncoderModel,
    LinearModel,
    MotifModel,
    build,
    motif_data,
    settings,
)

NAN = float("nan")


def weights(result: TrainingResult) -> dict[str, torch.Tensor]:
    return result.load(build=build).model.state_dict()


def accuracy(model: MetaModule, data: Data) -> float:
    with torch.inference_mode():
        called = model(data.columns["ref"]) > 0
    return float((called == (data.columns["altering"] > 0.5)).float().mean())


def linear_data(size: int, part: str, seed: int = 0) -> Data:
    random = np.random.default_rng(seed)
    x = random.normal(size=(size, 2))
    y = (x @ [1.0, -2.0] + random.normal(size=size) > 0).astype(float)
    return Data({"features": torch.from_numpy(x).float(), "altering": torch.from_numpy(y).float()}, part)


def test_a_tiny_model_learns_32_examples_by_heart(tmp_path: Path) -> None:
    data = motif_data(32, "t", 0, shuffled=True)
    config = settings(max_epochs=100, learning_rate=0.1, patience=100, batch_size=32)
    check = Data(data.columns, "v")
    result = train(lambda: MotifModel(width=32), data, check, output_dir=tmp_path, config=config)
    assert accuracy(result.load(build=build).model, data) == 1
    assert result.best_run.best < 0.05


@pytest.mark.parametrize(("shuffled", "low", "high"), [(False, 0.9, 1.0), (True, 0.4, 0.6)])
def test_a_planted_motif_is_learned_and_shuffled_labels_are_not(
    shuffled: bool, low: float, high: float, tmp_path: Path
) -> None:
    config = settings(max_epochs=12, learning_rate=0.02, patience=12, batch_size=32, schedule="one_cycle")
    result = train(
        MotifModel,
        motif_data(600, "t", 1, shuffled=shuffled),
        motif_data(300, "v", 2, shuffled=shuffled),
        output_dir=tmp_path,
        config=config,
    )
    assert low <= accuracy(result.load(build=build).model, motif_data(1000, "test", 3)) <= high


def test_same_seed_same_weights_other_seed_others(tmp_path: Path) -> None:
    def once(name: str, seed: int) -> dict[str, torch.Tensor]:
        # What the caller drew before must not matter.
        torch.rand(seed + len(name))
        config = settings(seeds=(seed,), learning_rate=0.01)
        data, check = motif_data(60, "t", 1), motif_data(30, "v", 2)
        return weights(train(lambda: MotifModel(dropout=0.3), data, check, output_dir=tmp_path / name, config=config))

    first, second, other = once("a", 0), once("bb", 0), once("ccc", 1)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not any(torch.equal(first[name], other[name]) for name in first)


def test_each_seed_has_its_run_and_the_best_one_is_named(tmp_path: Path) -> None:
    config = settings(seeds=(3, 1, 2), learning_rate=0.02)
    result = train(MotifModel, motif_data(60, "t", 1), motif_data(30, "v", 2), output_dir=tmp_path, config=config)
    assert [(run.seed, run.folder.name) for run in result.runs] == [(3, "seed_3"), (1, "seed_1"), (2, "seed_2")]
    assert len({run.best for run in result.runs}) == 3
    assert result.best_run.best == min(run.best for run in result.runs)
    card = result.load(build=build).card
    assert card.seed == result.best_run.seed
    assert card.metrics["val_loss"] == result.best_run.best
    assert result.best_run.parameters == result.best_run.trainable == MotifModel().parameter_count
    assert {path.name for path in (tmp_path / "seed_1").iterdir()} == {
        "best.safetensors",
        "metrics.jsonl",
        "result.json",
        "run.json",
    }


def test_a_given_model_is_the_start_of_every_seed_and_stays_as_it_is(tmp_path: Path) -> None:
    model = MotifModel()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    config = settings(seeds=(0, 1), learning_rate=1e-9, max_epochs=1)
    result = train(model, motif_data(30, "t", 1), motif_data(20, "v", 2), output_dir=tmp_path, config=config)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    for run in result.runs:
        trained = result.load(run, build=build).model.state_dict()
        assert all(torch.allclose(trained[name], before[name], atol=1e-6) for name in before)


def test_training_leaves_no_trace_in_the_callers_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    random.seed(5), np.random.seed(5), torch.manual_seed(5)  # noqa: NPY002
    expected = random.random(), np.random.random(), torch.rand(2)  # noqa: NPY002
    random.seed(5), np.random.seed(5), torch.manual_seed(5)  # noqa: NPY002
    level = logging.getLogger("lightning.pytorch").level
    train(
        MotifModel,
        motif_data(30, "t", 1),
        motif_data(20, "v", 2),
        output_dir=tmp_path / "out",
        config=settings(max_epochs=1),
    )
    found = random.random(), np.random.random(), torch.rand(2)  # noqa: NPY002
    assert found[:2] == expected[:2]
    assert torch.equal(found[2], expected[2])
    assert not torch.are_deterministic_algorithms_enabled()
    assert logging.getLogger("lightning.pytorch").level == level
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


class Scripted(MetaModule):
    """A model whose validation loss in each epoch is given: it predicts its square root against a target of 0."""

    inputs = ("features",)
    task = "delta"
    losses: ClassVar[list[float]] = []

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.register_buffer("epoch", torch.zeros((), dtype=torch.int64))

    def train(self, mode: bool = True) -> Scripted:
        if self.training and not mode:
            self.epoch += 1
        return super().train(mode)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        value = self.losses[int(self.epoch) - 1] ** 0.5 if not self.training else 0.0
        return torch.full((len(features), 3), value) + 0 * self.weight


@pytest.mark.parametrize(
    ("losses", "epochs", "best"),
    [
        ([5.0, 4.0, 4.5, 4.0, 4.2, 1.0], 5, 1),  # equal is not better: three in a row after epoch 1
        ([5.0, 6.0, 7.0, 4.0, 5.0, 6.0], 6, 3),  # gained just in time, then the epochs are over
        ([1.0, 2.0, 2.0, 2.0, 0.0, 0.0], 4, 0),
    ],
)
def test_early_stopping_at_the_epoch_worked_out_by_hand(
    losses: list[float], epochs: int, best: int, tmp_path: Path
) -> None:
    data = {"features": torch.zeros(10, 2), "delta": torch.zeros(10, 3)}
    Scripted.losses = losses
    config = settings(max_epochs=6, patience=3)
    result = train(Scripted, Data(data, "t"), Data(data, "v"), output_dir=tmp_path, config=config)
    run = result.best_run
    assert [line["val_loss"] for line in run.history] == pytest.approx(losses[:epochs])
    assert (run.epochs, run.best_epoch, run.stopped_early) == (epochs, best, epochs < 6)
    # The weights are those of the best epoch, not of the last.
    assert int(load_file(run.checkpoint)["epoch"]) == best + 1


def test_monitoring_a_measure_takes_the_largest(tmp_path: Path) -> None:
    config = settings(monitor="val_pr_auc", max_epochs=6, learning_rate=0.05)
    result = train(MotifModel, motif_data(60, "t", 1), motif_data(60, "v", 2), output_dir=tmp_path, config=config)
    values = [line["val_pr_auc"] for line in result.best_run.history]
    assert result.best_run.best == max(values)
    assert result.best_run.best_epoch == values.index(max(values))


def test_an_unknown_measure_is_refused_with_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="val_auc") as caught:
        train(
            MotifModel,
            motif_data(30, "t", 1),
            motif_data(20, "v", 2),
            output_dir=tmp_path,
            config=settings(monitor="val_auc"),
        )
    assert "val_pr_auc" in caught.value.advice


@pytest.mark.parametrize("size", [32, 27], ids=["even", "last window and batch are short"])
def test_accumulated_batches_are_one_large_batch(size: int, tmp_path: Path) -> None:
    found = [
        weights(
            train(
                LinearModel,
                linear_data(size, "t"),
                linear_data(20, "v", 1),
                output_dir=tmp_path / str(accumulate),
                config=settings(batch_size=16 // accumulate, accumulate=accumulate, learning_rate=0.05),
            )
        )
        for accumulate in (1, 4)
    ]
    for name in found[0]:
        assert torch.allclose(found[0][name], found[1][name], atol=1e-5), name


def test_validation_loss_is_that_of_the_whole_set(tmp_path: Path) -> None:
    """Batches of unequal size, with weights and missing labels, give the mean over examples, not over batches."""
    validation = linear_data(37, "v", 1)
    validation.columns["altering"][3:20] = NAN
    validation.columns["weight"] = torch.linspace(0.1, 2, 37)
    config = settings(max_epochs=1, batch_size=8)
    train_data = linear_data(20, "t")
    train_data.columns["weight"] = torch.ones(20)
    result = train(LinearModel, train_data, validation, output_dir=tmp_path, config=config)
    model = result.load(build=build).model
    known = ~torch.isnan(validation.columns["altering"])
    each = torch.nn.functional.binary_cross_entropy_with_logits(
        model(validation.columns["features"])[known], validation.columns["altering"][known], reduction="none"
    )
    w = validation.columns["weight"][known]
    assert result.best_run.best == pytest.approx(((each * w).sum() / w.sum()).item(), rel=1e-5)


def test_examples_without_label_do_not_train(tmp_path: Path) -> None:
    full = linear_data(20, "t")
    labelled = Data(full.columns, "t")
    unlabelled = Data({"features": torch.full((20, 2), 99.0), "altering": torch.full((20,), NAN)}, "t")
    both = Data({key: torch.cat([labelled.columns[key], unlabelled.columns[key]]) for key in full.columns}, "t")
    config = settings(batch_size=40, max_epochs=5, learning_rate=0.05)
    found = [
        weights(train(LinearModel, data, linear_data(20, "v", 1), output_dir=tmp_path / str(i), config=config))
        for i, data in enumerate((labelled, both))
    ]
    for name in found[0]:
        assert torch.allclose(found[0][name], found[1][name], atol=1e-6)


def test_frozen_parameters_stay_and_layers_are_freed_from_the_last(tmp_path: Path) -> None:
    model = EncoderModel(blocks=3)
    config = settings(
        max_epochs=5, unfreeze_at=(2, 4), learning_rate=0.05, encoder_lr_multiplier=0.1, patience=9, weight_decay=0.1
    )
    seen: dict[int, dict[str, torch.Tensor]] = {}

    class Watching(Data):
        """Notes the weights when the first validation example of each epoch is read."""

        digest = "watched"  # else the examples are read once more

        def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
            if index == 0:
                seen[len(seen)] = {name: p.detach().clone() for name, p in trained[0].named_parameters()}
            return super().__getitem__(index)

    trained: list[EncoderModel] = []

    def make() -> EncoderModel:
        copy = EncoderModel(blocks=3)
        copy.load_state_dict(model.state_dict())
        trained.append(copy)
        return copy

    validation = Watching(motif_data(20, "v", 2).columns, "v")
    result = train(make, motif_data(60, "t", 1), validation, output_dir=tmp_path, config=config)
    start = dict(model.named_parameters())
    for epoch, free in enumerate([set(), set(), {2}, {2}, {1, 2}]):
        for block in range(3):
            name = f"encoder.blocks.{block}.weight"
            assert torch.equal(seen[epoch][name], start[name]) == (block not in free), (epoch, block)
        # AdamW's decay must not shrink what is frozen either.
        assert torch.equal(seen[epoch]["encoder.filter_fn.weight"], start["encoder.filter_fn.weight"])
    assert not torch.equal(seen[0]["head.weight"], start["head.weight"])
    # No group was added, and each keeps its own rate.
    assert result.best_run.history[-1]["lr"] == pytest.approx(
        {"encoder": 0.005, "encoder_no_decay": 0.005, "head": 0.05, "head_no_decay": 0.05}
    )
    assert result.best_run.trainable == 5


def test_a_freed_layer_moves_at_the_encoders_rate(tmp_path: Path) -> None:
    """Adam's first step is the rate itself, whatever the gradient."""
    model = EncoderModel(blocks=3)
    config = settings(max_epochs=2, unfreeze_at=(1,), learning_rate=0.01, encoder_lr_multiplier=0.1, batch_size=60)
    data = motif_data(60, "t", 1)
    result = train(model, data, Data(data.columns, "v"), output_dir=tmp_path, config=config)
    assert result.best_run.best_epoch == 1
    moved = weights(result)["encoder.blocks.2.bias"] - model.encoder.blocks[2].bias
    assert torch.allclose(moved.abs(), torch.full((4,), 0.001), rtol=1e-2)


def test_unfreezing_what_is_not_frozen_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="0 of 3 are frozen"):
        train(
            lambda: EncoderModel(unfreeze=3),
            motif_data(30, "t", 1),
            motif_data(20, "v", 2),
            output_dir=tmp_path,
            config=settings(unfreeze_at=(1,)),
        )


@pytest.mark.parametrize("schedule", ["constant", "cosine", "one_cycle", "plateau"])
def test_each_groups_rate_in_training_is_its_own_times_the_schedule(schedule: str, tmp_path: Path) -> None:
    """The rates that Lightning's steps are really made with, plateau with a loss that never improves."""
    from agentic_spliceai.splice_engine.meta_layer.training import callbacks
    from agentic_spliceai.splice_engine.meta_layer.training.optimization import Schedule

    rates: list[dict[str, float]] = []
    note = callbacks.MetricsWriter.on_before_optimizer_step

    def spy(self: Any, trainer: Any, module: Any, optimizer: Any) -> None:
        note(self, trainer, module, optimizer)
        rates.append(dict(self._rates))

    config = settings(
        schedule=schedule,
        max_epochs=4,
        learning_rate=1e-3,
        encoder_lr_multiplier=0.1,
        warmup_fraction=0.25,
        plateau_patience=0,
        weight_decay=0.1,
    )
    validation = motif_data(20, "v", 2)
    validation.columns["altering"][:] = 0.5
    model = EncoderModel(unfreeze=3)
    torch.nn.init.zeros_(model.head.weight)
    torch.nn.init.zeros_(model.head.bias)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(callbacks.MetricsWriter, "on_before_optimizer_step", spy)
        # 40 examples in batches of 16: 3 steps an epoch, 12 in all.
        result = train(model, motif_data(40, "t", 1), validation, output_dir=tmp_path, config=config)
    base = {"encoder": 1e-4, "encoder_no_decay": 1e-4, "head": 1e-3, "head_no_decay": 1e-3}
    shape = Schedule(config, 3)
    multipliers = [shape(step) for step in range(12)]
    if schedule == "plateau":
        values = [line["val_loss"] for line in result.best_run.history]
        worse = [values[i] >= min(values[:i]) for i in range(1, 4)]
        assert any(worse)
        multipliers = [m * 0.5 ** sum(worse[: max(0, i // 3 - 1)]) for i, m in enumerate(multipliers)]
    assert len(rates) == 12
    for found, multiplier in zip(rates, multipliers, strict=True):
        assert found == pytest.approx({name: rate * multiplier for name, rate in base.items()})


def test_gradients_are_clipped(tmp_path: Path) -> None:
    norms: list[float] = []
    from agentic_spliceai.splice_engine.meta_layer.training import callbacks

    def spy(self: Any, trainer: Any, module: Any, *_: Any) -> None:
        gradients = [p.grad.flatten() for p in module.parameters() if p.grad is not None]
        norms.extend([float(torch.cat(gradients).norm())] if gradients else [])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(callbacks.MetricsWriter, "on_before_zero_grad", spy, raising=False)
        train(
            LinearModel,
            linear_data(40, "t"),
            linear_data(20, "v", 1),
            output_dir=tmp_path,
            config=settings(gradient_clip=0.01),
        )
    assert norms == pytest.approx([0.01] * len(norms), rel=1e-3)
    assert len(norms) > 5


def test_bf16_trains(tmp_path: Path) -> None:
    config = settings(precision="bf16-mixed", max_epochs=8, learning_rate=0.03, batch_size=32)
    result = train(MotifModel, motif_data(400, "t", 1), motif_data(200, "v", 2), output_dir=tmp_path, config=config)
    assert result.best_run.best < 0.4
    assert all(value.dtype == torch.float32 for value in weights(result).values())


class Three(MetaModule):
    """All three outputs from two features."""

    inputs = ("features",)
    task = "multi_task"

    def __init__(self) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(2, 6)

    def forward(self, features: torch.Tensor) -> dict[str, torch.Tensor]:
        y = self.linear(features)
        return {"altering": y[:, 0], "psi": torch.tanh(y[:, 1]), "site": y[:, 2:]}


def test_parts_of_a_multi_task_model_are_reported_and_learned_weights_resume(tmp_path: Path) -> None:
    def data(size: int, part: str) -> Data:
        random = np.random.default_rng(size)
        x = random.normal(size=(size, 2)).astype(np.float32)
        psi = np.where(random.random(size) < 0.5, np.tanh(x[:, 1]), np.nan).astype(np.float32)
        columns = {"features": x, "altering": (x[:, 0] > 0).astype(np.float32), "psi": psi}
        columns["site"] = random.integers(0, 4, size)
        return Data({key: torch.from_numpy(value) for key, value in columns.items()}, part)

    config = settings(task_weights="learned", learning_rate=0.05, max_epochs=4)
    result = train(Three, data(64, "t"), data(40, "v"), output_dir=tmp_path, config=config)
    last = result.best_run.history[-1]
    parts = [last[f"val_{part}_loss"] for part in ("altering", "psi", "site")]
    assert last["val_loss"] == pytest.approx(sum(parts), rel=1e-5)
    assert last["val_pr_auc"] > 0.9
    assert "val_psi_pearson" in last


def test_balanced_sampling_sees_the_rare_class_as_often(tmp_path: Path) -> None:
    seen: list[float] = []

    class Counting(Data):
        digest = "counted"  # else the examples are read once more

        def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
            example = super().__getitem__(index)
            seen.append(float(example["altering"]))
            return example

    data = motif_data(100, "t", 1)
    data.columns["altering"] = (torch.arange(100) < 8).float()
    counting = Counting(data.columns, "t", labels=data.columns["altering"].numpy())
    config = settings(balanced=True, max_epochs=4)
    train(MotifModel, counting, motif_data(20, "v", 2), output_dir=tmp_path, config=config)
    assert len(seen) == 400
    assert sum(seen) == 200


def test_a_shared_group_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(TrainingDataError, match="both training and validation"):
        train(
            MotifModel,
            motif_data(30, "t", 1),
            motif_data(30, "t", 2),
            output_dir=tmp_path / "out",
            config=settings(),
        )
    assert not (tmp_path / "out").exists()


def test_a_loss_that_is_not_finite_ends_the_run_and_names_the_epoch(tmp_path: Path) -> None:
    data = linear_data(40, "t")
    data.columns["features"][7] = NAN
    with pytest.raises(TrainingDataError, match="train_loss is nan in epoch 0"):
        train(LinearModel, data, linear_data(20, "v", 1), output_dir=tmp_path, config=settings())


def test_settings_that_the_machine_cannot_fulfil_are_refused(tmp_path: Path) -> None:
    def attempt(**options: Any) -> None:
        train(
            MotifModel,
            motif_data(30, "t", 1),
            motif_data(20, "v", 2),
            output_dir=tmp_path,
            config=settings(**options),
        )

    with pytest.raises(SettingError, match="16-mixed needs an NVIDIA GPU"):
        attempt(precision="16-mixed")
    with pytest.raises(SettingError, match="set free during training on several devices"):
        attempt(devices=2, unfreeze_at=(1,))
    if not torch.cuda.is_available():
        with pytest.raises(SettingError, match="no gpu"):
            attempt(accelerator="gpu")


def test_progress_is_shown_on_a_terminal_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def shown(folder: str) -> str:
        data, check = motif_data(40, "t", 1), motif_data(20, "v", 2)
        train(MotifModel, data, check, output_dir=tmp_path / folder, config=settings(max_epochs=1), progress=True)
        captured = capsys.readouterr()
        assert captured.out == ""
        return captured.err

    assert shown("file") == ""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    assert "Epoch 0/0" in shown("terminal")


def test_several_devices_train_data_parallel(tmp_path: Path) -> None:
    trainer = _trainer(settings(devices=2), tmp_path, [], progress=False)
    assert type(trainer.strategy).__name__ == "DDPStrategy"
    assert trainer.num_devices == 2


@pytest.mark.slow
def test_two_processes_train_as_one_with_batches_twice_as_large(tmp_path: Path) -> None:
    """Order, loss, gradient, validation and both seeds, on the CPU; each process is a Python of its own."""
    root = Path(__file__).resolve().parents[4]
    done = subprocess.run(
        [sys.executable, "-m", "tests.splice_engine.meta_layer.training.parallel_run", str(tmp_path / "two"), "2"],
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    one = run_parallel(tmp_path / "one", 1)
    for run in one.runs:
        folder = tmp_path / "two" / run.folder.name
        lines = read_metrics(folder / "metrics.jsonl", "epoch")
        for name in ("train_loss", "val_loss", "val_pr_auc"):
            assert [line[name] for line in lines] == pytest.approx([line[name] for line in run.history], rel=1e-3)
        expected, found = load_file(run.checkpoint), load_file(folder / "best.safetensors")
        assert all(torch.allclose(found[name], expected[name], atol=1e-4) for name in expected)


def test_every_fiftieth_step_has_a_line(tmp_path: Path) -> None:
    """With one example again and again and hardly any learning, the loss of each step is that of the epoch."""
    data = Data({"features": torch.ones(131, 2), "altering": torch.ones(131)}, "t")
    config = settings(batch_size=2, max_epochs=4, accumulate=2, learning_rate=1e-9)
    result = train(LinearModel, data, linear_data(20, "v", 1), output_dir=tmp_path, config=config)
    lines = read_metrics(result.best_run.folder / "metrics.jsonl", "step")
    # 130 examples are 65 batches and 33 steps an epoch; the 131st would be a batch of its own.
    assert [(line["epoch"], line["step"]) for line in lines] == [(1, 50), (3, 100)]
    expected = result.best_run.history[0]["train_loss"]
    assert [line["loss"] for line in lines] == pytest.approx([expected, expected], rel=1e-5)
    assert [line["step"] for line in result.best_run.history] == [33, 66, 99, 132]


def test_the_trainer_of_a_configuration(tmp_path: Path) -> None:
    config = MetaLayerConfig(
        data_root=tmp_path,
        model=ModelConfig(name="meta_splice", options={"num_features": 5, "hidden_dim": 16, "encoder": "none"}),
        training=settings(max_epochs=2),
    )
    random = np.random.default_rng(0)
    label = random.integers(0, 3, 60)
    columns = {
        "sequence": torch.zeros(60, 4, 11),
        "features": torch.from_numpy(np.eye(5)[label]).float(),
        "label": torch.from_numpy(label),
        "weight": torch.ones(60),
    }
    result = MetaTrainer(config).train(Data(columns, "t"), Data(columns, "v"))
    assert result.best_checkpoint == config.checkpoints_dir / "seed_0" / "best.safetensors"
    content = result.load()
    assert content.card.model == "meta_splice"
    assert content.card.config is not None
    assert MetaLayerConfig(**content.card.config) == config


@pytest.mark.parametrize("changed", ["ref", "altering"])
def test_a_finished_run_is_not_given_out_for_other_data(changed: str, tmp_path: Path) -> None:
    """The groups are the same; what is in them is not."""
    data, validation = motif_data(40, "t", 1), motif_data(20, "v", 2)
    config = settings(max_epochs=1)
    train(MotifModel, data, validation, output_dir=tmp_path, config=config)
    other = Data(data.columns | {changed: data.columns[changed].roll(1, dims=0)}, "t")
    assert other.groups == data.groups
    with pytest.raises(CheckpointError, match="holds a run that differs in data"):
        train(MotifModel, other, validation, output_dir=tmp_path, config=config)
    train(MotifModel, motif_data(40, "t", 1), validation, output_dir=tmp_path, config=config)


def test_a_run_of_other_code_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = (MotifModel, motif_data(40, "t", 1), motif_data(20, "v", 2))
    train(*arguments, output_dir=tmp_path, config=settings(max_epochs=1))
    monkeypatch.setattr(trainer, "code_digest", lambda: "other")
    with pytest.raises(CheckpointError, match="differs in code"):
        train(*arguments, output_dir=tmp_path, config=settings(max_epochs=1))


def test_the_card_says_what_the_data_know(tmp_path: Path) -> None:
    data = motif_data(40, "t", 1)
    data.window, data.form = 24, "one_hot"  # type: ignore[attr-defined]
    data.base_model = {"name": "toy", "version": "1", "weights_sha256": ["0" * 64]}  # type: ignore[attr-defined]
    result = train(MotifModel, data, motif_data(20, "v", 2), output_dir=tmp_path, config=settings(max_epochs=1))
    card = result.load(build=build).card
    assert (card.window, card.sequence_form) == (24, "one_hot")
    assert card.base is not None
    assert card.base.predictor == "toy"
    assert card.data_digest == trainer.examples_digest(data, motif_data(20, "v", 2))
