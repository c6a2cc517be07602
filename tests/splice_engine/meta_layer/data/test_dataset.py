"""Batches: right keys and shapes, N stays N, and nothing of validation or test reaches the scale of features."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from agentic_spliceai.splice_engine.base_layer.results import SpliceClass
from agentic_spliceai.splice_engine.errors import SettingError, TrainingDataError
from agentic_spliceai.splice_engine.genome.sequence import one_hot
from agentic_spliceai.splice_engine.meta_layer.config import ModelConfig, TrainingConfig
from agentic_spliceai.splice_engine.meta_layer.data.artifacts import gene_inputs
from agentic_spliceai.splice_engine.meta_layer.data.batches import IGNORE_INDEX
from agentic_spliceai.splice_engine.meta_layer.data.codes import decode, encode
from agentic_spliceai.splice_engine.meta_layer.data.dataset import MetaLayerDataset, make_loaders
from agentic_spliceai.splice_engine.meta_layer.data.loader import ArtifactLoader, ArtifactTable
from agentic_spliceai.splice_engine.meta_layer.data.normalization import Normalizer
from agentic_spliceai.splice_engine.meta_layer.data.recalibration import LabelledTrack, RecalibrationDataset
from agentic_spliceai.splice_engine.meta_layer.data.splits import split_table
from agentic_spliceai.splice_engine.meta_layer.models.inputs import TOKEN_OF_BASE, tokens_to_one_hot
from agentic_spliceai.splice_engine.meta_layer.training.trainer import train

from .artifact_toys import CONTIGS, ToyWorld


@pytest.fixture(scope="module")
def table(artifacts: Path) -> ArtifactTable:
    return ArtifactLoader(artifacts).load_analysis_sequences()


def test_an_example_is_the_row(table: ArtifactTable) -> None:
    rows = np.array([600, 3, 77])
    dataset = MetaLayerDataset(table, rows, part="train")
    assert len(dataset) == 3
    for number, row in enumerate(rows):
        item = dataset[number]
        np.testing.assert_array_equal(item["sequence"].numpy(), one_hot(table.bases(row)).T)
        assert item["label"] == table.labels[row]
        assert item["weight"] == pytest.approx(table.weights[row])
        wanted = dataset.normalizer.transform(table.features[row : row + 1])[0]
        np.testing.assert_array_equal(item["features"].numpy(), wanted)
    torch.testing.assert_close(dataset[-1]["features"], dataset[2]["features"])
    with pytest.raises(IndexError):
        dataset[3]


def test_batches_have_the_agreed_keys_and_shapes(table: ArtifactTable) -> None:
    for form, shape, dtype in (("one_hot", (4, 4, 501), torch.float32), ("tokens", (4, 501), torch.int64)):
        batch = next(iter(DataLoader(MetaLayerDataset(table, part="train", form=form), batch_size=4)))  # type: ignore[arg-type]
        assert {key: (tuple(value.shape), value.dtype) for key, value in batch.items()} == {
            "sequence": (shape, dtype),
            "features": ((4, table.features.shape[1]), torch.float32),
            "label": ((4,), torch.int64),
            "weight": ((4,), torch.float32),
        }


def test_together_is_the_same_as_one_by_one(table: ArtifactTable) -> None:
    dataset = MetaLayerDataset(table, part="train")
    at = [5, 0, 311, 5]
    together, one_by_one = dataset.batch(at), [dataset[i] for i in at]
    loaded = next(iter(DataLoader(dataset, batch_size=4, sampler=at)))
    for key, value in together.items():
        torch.testing.assert_close(value, torch.stack([item[key] for item in one_by_one]), rtol=0, atol=0)
        torch.testing.assert_close(loaded[key], value, rtol=0, atol=0)


def test_n_stays_n(table: ArtifactTable) -> None:
    row = int(np.argmax((table.sequences == 4).sum(axis=1)))
    text = table.bases(row)
    unknown = torch.tensor([base == "N" for base in text])
    assert unknown.any()
    hot = MetaLayerDataset(table, np.array([row]), part="train")[0]["sequence"]
    ids = MetaLayerDataset(table, np.array([row]), part="train", form="tokens")[0]["sequence"]
    assert torch.equal(hot.sum(dim=0) == 0, unknown)
    assert torch.equal(ids == TOKEN_OF_BASE["N"], unknown)
    assert ids.tolist() == [TOKEN_OF_BASE[base] for base in text]
    torch.testing.assert_close(tokens_to_one_hot(ids[None])[0], hot)


def test_codes_are_letters() -> None:
    assert decode(encode("ACGTNacgtn-R")) == "ACGTNACGTNNN"


def test_the_window_is_cut_around_the_position(table: ArtifactTable) -> None:
    narrow = MetaLayerDataset(table, part="train", window=101)
    whole = MetaLayerDataset(table, part="train")
    torch.testing.assert_close(narrow[9]["sequence"], whole[9]["sequence"][:, 200:301])
    for window in (100, 503, 0):
        with pytest.raises(SettingError, match=f"window of {window}"):
            MetaLayerDataset(table, part="train", window=window)


def test_only_training_learns_a_scale(table: ArtifactTable) -> None:
    with pytest.raises(TrainingDataError, match="validation part comes without a normaliser"):
        MetaLayerDataset(table, np.arange(10), part="validation")
    with pytest.raises(TrainingDataError, match="only part='train' learns its own"):
        MetaLayerDataset(table, np.arange(10))
    with pytest.raises(TrainingDataError, match="no example"):
        MetaLayerDataset(table, np.arange(0), part="train")


def test_normalisation_does_not_change_when_held_out_data_change(table: ArtifactTable) -> None:
    split = split_table(table)
    before = make_loaders(table, split)
    features = table.features.copy()
    held_out = np.concatenate([split.test, split.validation])
    features[held_out] = features[held_out] * 17 + 3
    after = make_loaders(replace(table, features=features), split)
    assert after.normalizer == before.normalizer
    assert after.normalizer == Normalizer.fit(table.features[split.train], table.feature_names)
    features[split.train] += 1
    assert make_loaders(replace(table, features=features), split).normalizer != before.normalizer


def test_loaders_hold_each_row_of_their_part_once(table: ArtifactTable) -> None:
    split = split_table(table)
    loaders = make_loaders(table, split, batch_size=16, seed=3)
    for part in ("train", "validation", "test"):
        seen = torch.cat([batch["label"] for batch in getattr(loaders, part)])
        rows = table.labels[split.part(part)]
        assert sorted(seen.tolist()) == sorted(rows.tolist())
        assert (seen.tolist() == rows.tolist()) is (part != "train")
    again = make_loaders(table, split, batch_size=16, seed=3)
    first, other = next(iter(loaders.train)), next(iter(again.train))
    other_seed = next(iter(make_loaders(table, split, batch_size=16, seed=4).train))
    # The first epoch of `loaders` is spent; a new one differs, a new loader of the same seed repeats the first.
    fresh = next(iter(make_loaders(table, split, batch_size=16, seed=3).train))
    torch.testing.assert_close(other["features"], fresh["features"])
    assert not torch.equal(other["features"], other_seed["features"])
    assert not torch.equal(first["features"], other["features"])


def test_weights_can_be_left_out(table: ArtifactTable) -> None:
    assert MetaLayerDataset(table, part="train").batch(range(650))["weight"].sum() == pytest.approx(6500)
    assert MetaLayerDataset(table, part="train", weight="uniform").batch(range(650))["weight"].sum() == 650


@pytest.fixture(scope="module")
def tracks(world: ToyWorld) -> list[LabelledTrack]:
    return [
        LabelledTrack.of(*gene_inputs(world.gene(c), world.genome, world.annotation, world.model, flank=30))
        for c in CONTIGS
    ]


@pytest.mark.parametrize(("window", "margin"), [(200, 50), (1000, 100), (64, 0), (3000, 20)])
def test_every_position_is_labelled_in_one_window(tracks: list[LabelledTrack], window: int, margin: int) -> None:
    dataset = RecalibrationDataset(tracks, window=window, margin=margin)
    labels = {track.gene_id: np.full(1300, IGNORE_INDEX) for track in tracks}
    count = {track.gene_id: np.zeros(1300) for track in tracks}
    by_id = {track.gene_id: track for track in tracks}
    for index in range(len(dataset)):
        item = dataset[index]
        gene, first = dataset.place(index)
        assert item["sequence"].shape == (4, window)
        assert item["base"].shape == (window, 3)
        assert torch.equal(item["weight"] > 0, item["label"] != IGNORE_INDEX)
        for at in np.flatnonzero(item["label"] != IGNORE_INDEX):
            count[gene][first + at] += 1
            labels[gene][first + at] = item["label"][at]
        inside = [at for at in range(window) if 0 <= first + at < 1300]
        np.testing.assert_array_equal(
            item["base"][inside].numpy(), by_id[gene].base[first + inside[0] : first + inside[-1] + 1]
        )
        assert item["base"].sum() == pytest.approx(len(inside), abs=1e-2)
        flanked = "N" * 4000 + decode(by_id[gene].codes) + "N" * 4000
        start = 4000 + 30 + first
        np.testing.assert_array_equal(item["sequence"].numpy(), one_hot(flanked[start : start + window]).T)
    for track in tracks:
        assert (count[track.gene_id] == 1).all()
        np.testing.assert_array_equal(labels[track.gene_id], track.labels)
        assert (track.labels == SpliceClass.DONOR).sum() == 3


def test_a_recalibrator_is_trained_on_the_windows(tracks: list[LabelledTrack], tmp_path: Path) -> None:
    training, validation = (RecalibrationDataset(part, window=300, margin=20) for part in (tracks[:2], tracks[2:]))
    assert training.groups == [training.place(index)[0] for index in range(len(training))]
    config = TrainingConfig(batch_size=4, max_epochs=3, learning_rate=0.01)
    model = ModelConfig(name="recalibrator", options={"hidden_dim": 8, "n_layers": 2})
    run = train(model, training, validation, output_dir=tmp_path, config=config).best_run
    assert run.history[-1]["train_loss"] < run.history[0]["train_loss"]
    with pytest.raises(TrainingDataError, match="are in both training and validation"):
        train(model, training, training, output_dir=tmp_path / "leak", config=config)


def test_windows_without_a_label_are_left_out(tracks: list[LabelledTrack]) -> None:
    labels = np.full(1300, IGNORE_INDEX)
    labels[650] = 0
    track = replace(tracks[0], labels=labels)
    dataset = RecalibrationDataset([track], window=100, margin=10)
    assert len(dataset) == 1
    assert dataset[0]["weight"].sum() == 1
    with pytest.raises(TrainingDataError, match="No position"):
        RecalibrationDataset([replace(track, labels=np.full(1300, IGNORE_INDEX))])
    with pytest.raises(SettingError, match="no position of its own"):
        RecalibrationDataset([track], window=100, margin=50)
