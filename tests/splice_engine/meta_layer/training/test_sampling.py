"""Splits that share groups are refused; examples come in the order that seed and epoch say."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch

from agentic_spliceai.splice_engine.errors import TrainingDataError
from agentic_spliceai.splice_engine.meta_layer.training.sampling import (
    EpochSampler,
    check_split,
    example_classes,
    training_loader,
    validation_loader,
)
from agentic_spliceai.splice_engine.meta_layer.training.tasks import TASKS
from tests.splice_engine.meta_layer.training.toys import Data, motif_data, settings


def features(size: int, part: str = "t", **columns: torch.Tensor) -> Data:
    return Data({"features": torch.arange(size * 2.0).reshape(size, 2), **columns}, part)


def test_a_group_in_both_parts_is_refused_by_name() -> None:
    train, validation = features(30), features(20, "v")
    check_split(train, validation)
    validation.groups[3] = "t2"
    with pytest.raises(TrainingDataError, match=r"1 groups are in both .* t2"):
        check_split(train, validation)


def test_empty_data_and_data_without_groups_are_refused() -> None:
    with pytest.raises(TrainingDataError, match="validation data are empty"):
        check_split(features(3), features(0, "v"))
    train = features(3)
    del train.groups[0]
    with pytest.raises(TrainingDataError, match="training data do not name the group"):
        check_split(train, features(3, "v"))
    bare = torch.utils.data.TensorDataset(torch.zeros(3))
    with pytest.raises(TrainingDataError, match="do not name the group"):
        check_split(bare, features(3, "v"))  # type: ignore[arg-type]


def test_order_is_a_function_of_seed_and_epoch() -> None:
    first, second = EpochSampler(50, seed=1), EpochSampler(50, seed=1)
    epochs = []
    for epoch in range(3):
        first.set_epoch(epoch)
        epochs.append(list(first))
        assert sorted(epochs[-1]) == list(range(50))
    second.set_epoch(2)
    assert list(second) == epochs[2]
    assert epochs[0] != epochs[1]
    assert list(EpochSampler(50, seed=2)) != epochs[0]


def test_balanced_classes_are_drawn_equally_often_and_evenly() -> None:
    classes = np.array([0] * 70 + [1] * 20 + [2] * 7 + [-1] * 3)
    sampler = EpochSampler(100, seed=0, classes=classes)
    odd = Counter()
    for epoch in range(30):
        sampler.set_epoch(epoch)
        drawn = list(sampler)
        counts = Counter(classes[drawn].tolist())
        assert sorted(counts.values()) == [33, 33, 34]
        assert set(counts) == {0, 1, 2}
        odd[max(counts, key=lambda c: counts[c])] += 1
        # No example is drawn a third time before every other of its class has been drawn twice.
        for c in range(3):
            times = Counter(i for i in drawn if classes[i] == c)
            members = int((classes == c).sum())
            assert max(times.values()) - (min(times.values()) if len(times) == members else 0) <= 1
    assert set(odd) == {0, 1, 2}
    # Over many epochs every example of a large class gets its turn.
    seen = set()
    for epoch in range(30):
        sampler.set_epoch(epoch)
        seen.update(sampler)
    assert seen == set(range(97))


def test_classes_are_read_from_labels_or_from_the_examples() -> None:
    altering = torch.tensor([0.0, 1, float("nan"), 1])
    from_examples = example_classes(features(4, altering=altering), TASKS["binary"])
    assert from_examples.tolist() == [0, 1, -1, 1]
    data = features(4, altering=altering)
    data.labels = [1, 0, -100, 0]
    assert example_classes(data, TASKS["binary"]).tolist() == [1, 0, -1, 0]


def test_balancing_one_class_or_numbers_is_refused() -> None:
    with pytest.raises(TrainingDataError, match="have 1"):
        example_classes(features(4, altering=torch.ones(4)), TASKS["binary"])
    with pytest.raises(TrainingDataError, match="no single class"):
        example_classes(features(4, delta=torch.zeros(4, 3)), TASKS["delta"])


def test_replicas_share_an_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    parts = []
    for rank in range(3):
        monkeypatch.setattr(torch.distributed, "get_rank", lambda rank=rank: rank)
        parts.append(list(EpochSampler(20, seed=0, replicas=3)))
    assert [len(part) for part in parts] == [7, 7, 7]
    whole = EpochSampler(20, seed=0).order().tolist()
    together = [i for trio in zip(*parts, strict=True) for i in trio]
    assert together == [*whole, whole[0]]


def test_a_last_batch_of_one_is_left_out_of_training_only() -> None:
    config = settings(batch_size=4)
    task = TASKS["binary"]
    sizes = [len(batch["features"]) for batch in training_loader(features(9), config, task, 0)]
    assert sizes == [4, 4]
    assert [len(batch["features"]) for batch in validation_loader(features(9), config)] == [4, 4, 1]
    assert [len(batch["features"]) for batch in training_loader(features(1), config, task, 0)] == [1]


def test_worker_processes_load_the_same_batches() -> None:
    data = motif_data(20, "t", 0)
    batches = [
        [batch["ref"] for batch in training_loader(data, settings(batch_size=8, workers=n), TASKS["binary"], 0)]
        for n in (0, 1)
    ]
    assert all(torch.equal(a, b) for a, b in zip(*batches, strict=True))
