"""Which examples are drawn, in which order, and whether they may be used at all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from agentic_spliceai.splice_engine.errors import TrainingDataError
from agentic_spliceai.splice_engine.meta_layer.config import TrainingConfig
from agentic_spliceai.splice_engine.meta_layer.training.tasks import Task, take


@runtime_checkable
class GroupedDataset(Protocol):
    """A data set that can be trained on.

    Attributes
    ----------
    groups : sequence of str
        Gene, exon group or chromosome of each example: what may not be in two splits.

    Notes
    -----
    Read where they are there: `labels`, the class of each example (int; -100 or NaN for none), so that balancing need
    not load examples; `digest` (str), which stands for the content of all examples, otherwise read once to make it;
    `normalizer`, `base_model`, `window` and `form`, which the checkpoint's card keeps.
    """

    @property
    def groups(self) -> Sequence[str]:
        """Group of each example."""
        ...

    def __len__(self) -> int:
        """Return the number of examples."""
        ...

    def __getitem__(self, index: int) -> Mapping[str, Tensor]:
        """Return one example: a batch of `data.batches` without its first dimension."""
        ...


def check_split(train: GroupedDataset, validation: GroupedDataset) -> None:
    """Refuse what would make validation worthless.

    Raises
    ------
    TrainingDataError
        If a part is empty, does not say the group of each example, or shares a group with the other part.
    """
    for name, data in (("training", train), ("validation", validation)):
        if len(data) == 0:
            raise TrainingDataError(f"The {name} data are empty.", "Check the chromosomes and the filters.")
        groups = getattr(data, "groups", None)
        if groups is None or len(groups) != len(data):
            raise TrainingDataError(
                f"The {name} data do not name the group of each example.",
                "Give the data set an attribute `groups`: gene or exon group, one string an example.",
            )
    shared = sorted(set(map(str, train.groups)) & set(map(str, validation.groups)))
    if shared:
        raise TrainingDataError(
            f"{len(shared)} groups are in both training and validation data, for example {', '.join(shared[:3])}.",
            "Split by gene, exon group or chromosome, never by variant or position.",
        )


def example_classes(data: GroupedDataset, task: Task) -> npt.NDArray[np.int64]:
    """Return the class of each example, -1 where it has none.

    Reads the data set's `labels`, or else every example once.

    Raises
    ------
    TrainingDataError
        If the task has no classes, or fewer than two of them occur.
    """
    labels = getattr(data, "labels", None)
    values = np.asarray(_targets(data, task) if labels is None else labels, dtype=np.float64)
    if values.shape != (len(data),):
        raise TrainingDataError(f"`labels` has shape {values.shape}.", "Give one class an example.")
    known = np.isfinite(values) & (values >= 0)
    classes = np.where(known, np.where(known, values, 0).round(), -1).astype(np.int64)
    found = np.unique(classes[classes >= 0])
    if len(found) < 2:
        raise TrainingDataError(
            f"Balanced sampling needs two classes, and the training data have {len(found)}.",
            "Set balanced to false, or check the labels.",
        )
    return classes


class EpochSampler(Sampler[int]):
    """Order of the examples in an epoch, as a function of seed and epoch alone.

    An interrupted run thus draws the same examples again without having to save where a generator stood.

    Parameters
    ----------
    size
        Number of examples.
    seed
        Seed of the run.
    classes : int [size], optional
        With it every class is drawn equally often: `size` draws an epoch, shared out among the classes to within one,
        each class used up in a random order before it begins again. Examples of class -1 are not drawn.
    replicas
        Processes that share an epoch; each gets every `replicas`-th example, the first ones twice where it does not
        come out even.

    Attributes
    ----------
    generator : torch.Generator
        Where the loader's worker processes get their seeds from; a stream of its own, set anew with each epoch, so that
        loading draws nothing from the stream that makes dropout.
    """

    def __init__(
        self, size: int, seed: int, *, classes: npt.NDArray[np.int64] | None = None, replicas: int = 1
    ) -> None:
        self.size, self.seed, self.replicas = size, seed, replicas
        self._members: list[npt.NDArray[np.int64]] | None = None
        if classes is not None:
            self._members = [np.flatnonzero(classes == c) for c in np.unique(classes[classes >= 0])]
        self.generator = torch.Generator()
        self.set_epoch(0)

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch; Lightning calls this before each."""
        self.epoch = epoch
        self.generator.manual_seed(int(np.random.SeedSequence([self.seed, epoch]).generate_state(1, np.uint64)[0] >> 1))

    def __len__(self) -> int:
        return -(-self.size // self.replicas)

    def order(self) -> npt.NDArray[np.int64]:
        """Return the indices of this epoch, of all replicas together: int64 [size]."""
        random = np.random.default_rng([self.seed, self.epoch])
        if self._members is None:
            return random.permutation(self.size)
        # Which classes get the odd draw changes from epoch to epoch.
        share, odd = divmod(self.size, len(self._members))
        draws = np.full(len(self._members), share)
        draws[random.permutation(len(draws))[:odd]] += 1
        chosen = [_rounds(members, count, random) for members, count in zip(self._members, draws, strict=True)]
        return random.permutation(np.concatenate(chosen))

    def __iter__(self) -> Iterator[int]:
        order = self.order()
        rank = torch.distributed.get_rank() if self.replicas > 1 and torch.distributed.is_initialized() else 0
        padded = np.resize(order, len(self) * self.replicas)
        return iter(padded[rank :: self.replicas].tolist())


def training_loader(
    data: GroupedDataset, config: TrainingConfig, task: Task, seed: int, *, pin: bool = False
) -> DataLoader[Mapping[str, Tensor]]:
    """Return the loader of training batches, shuffled or balanced.

    A last batch of one example is left out where there are others, because batch normalisation cannot work on it.
    """
    classes = example_classes(data, task) if config.balanced else None
    sampler = EpochSampler(len(data), seed, classes=classes, replicas=config.devices)
    single = len(sampler) > 1 and len(sampler) % config.batch_size == 1
    return _loader(data, config, sampler, sampler.generator, pin, drop_last=single)


def validation_loader(
    data: GroupedDataset, config: TrainingConfig, *, pin: bool = False
) -> DataLoader[Mapping[str, Tensor]]:
    """Return the loader of validation batches, each example once and in order, whatever the number of processes."""
    return _loader(data, config, _InOrder(len(data), config.devices), torch.Generator(), pin, drop_last=False)


class _InOrder(Sampler[int]):
    """Every `replicas`-th index, none twice."""

    def __init__(self, size: int, replicas: int) -> None:
        self.size, self.replicas = size, replicas

    def _indices(self) -> range:
        rank = torch.distributed.get_rank() if self.replicas > 1 and torch.distributed.is_initialized() else 0
        return range(rank, self.size, self.replicas)

    def __len__(self) -> int:
        return len(self._indices())

    def __iter__(self) -> Iterator[int]:
        return iter(self._indices())


def _loader(
    data: GroupedDataset,
    config: TrainingConfig,
    sampler: Sampler[int],
    generator: torch.Generator,
    pin: bool,
    *,
    drop_last: bool,
) -> DataLoader[Mapping[str, Tensor]]:
    source: Dataset[Mapping[str, Tensor]] = data  # type: ignore[assignment]
    return DataLoader(
        source,
        batch_size=config.batch_size,
        sampler=sampler,
        num_workers=config.workers,
        pin_memory=pin,
        drop_last=drop_last,
        generator=generator,
    )


def _rounds(members: npt.NDArray[np.int64], count: int, random: np.random.Generator) -> npt.NDArray[np.int64]:
    """Draw `count` members, all of them once before any is drawn again."""
    rounds = [random.permutation(members) for _ in range(-(-count // len(members)))]
    return np.concatenate(rounds)[:count]


def _targets(data: GroupedDataset, task: Task) -> npt.NDArray[Any]:
    """Return the target of each example, read from all of them."""
    source: Dataset[Mapping[str, Tensor]] = data  # type: ignore[assignment]
    targets = torch.cat([take(batch, task.target) for batch in DataLoader(source, batch_size=256)])
    if targets.ndim != 1:
        raise TrainingDataError(
            f"Examples of the task {task.name} have no single class to balance.", "Set balanced to false."
        )
    values: npt.NDArray[Any] = targets.numpy()
    return values
