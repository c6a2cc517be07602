"""Windows along genes, one label a position, for models that refine the base model's track."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import Dataset

from agentic_spliceai.splice_engine.base_layer.gene_tracks import GeneTrack
from agentic_spliceai.splice_engine.errors import SettingError, TrainingDataError
from agentic_spliceai.splice_engine.meta_layer.data.batches import IGNORE_INDEX
from agentic_spliceai.splice_engine.meta_layer.data.codes import UNKNOWN, Codes, one_hot, tokens
from agentic_spliceai.splice_engine.meta_layer.data.dataset import Batch, Form
from agentic_spliceai.splice_engine.meta_layer.data.site_labels import SiteLabels


@dataclass(frozen=True, eq=False)
class LabelledTrack:
    """A gene's base scores and labels, in transcript sense.

    Attributes
    ----------
    gene_id
        Whose.
    base : float32 [L, 3]
        Ensemble probabilities.
    labels : int64 [L]
        `SpliceClass` or `IGNORE_INDEX`.
    codes : uint8 [flank + L + flank]
        Bases; `flank` more on either side than were scored.
    """

    gene_id: str
    base: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int64]
    codes: Codes

    @classmethod
    def of(cls, track: GeneTrack, labels: SiteLabels, codes: Codes) -> Self:
        """Take what `artifacts.gene_inputs` returns."""
        return cls(track.gene_id, track.mean, labels.labels, codes)

    @property
    def flank(self) -> int:
        """Bases on either side of the scored ones, nt."""
        return (len(self.codes) - len(self.base)) // 2


class RecalibrationDataset(Dataset[Batch]):
    """Windows that tile genes; every position is labelled in exactly one of them.

    A window's first and last `margin` positions are context only: label `IGNORE_INDEX`, weight 0. Beyond the gene the
    sequence is the genome's as far as `codes` reach, then N, and the base scores are 0.

    Parameters
    ----------
    tracks
        Genes of one part of a split.
    window
        Positions a window, L.
    margin
        Context on either side, less than half the window.
    form
        Form of the sequence.

    Attributes
    ----------
    groups : list of str
        Gene of each window.

    Raises
    ------
    SettingError
        If window and margin leave no position.
    TrainingDataError
        If no position is labelled.
    """

    def __init__(
        self, tracks: Sequence[LabelledTrack], *, window: int = 1000, margin: int = 100, form: Form = "one_hot"
    ) -> None:
        if margin < 0 or window <= 2 * margin:
            raise SettingError(
                f"A window of {window} with a margin of {margin} on either side has no position of its own.",
                "Give a margin of less than half the window.",
            )
        self._tracks, self._window, self._margin, self.form = tuple(tracks), window, margin, form
        step = window - 2 * margin
        self._places = [
            (number, start)
            for number, track in enumerate(self._tracks)
            for start in range(0, len(track.labels), step)
            if (track.labels[start : start + step] != IGNORE_INDEX).any()
        ]
        if not self._places:
            raise TrainingDataError("No position of the tracks is labelled.", "Check genes and annotation.")
        self.groups: list[str] = [self._tracks[number].gene_id for number, _ in self._places]

    def __len__(self) -> int:
        return len(self._places)

    def place(self, index: int) -> tuple[str, int]:
        """Return the gene of a window, and the entry of its track at the window's first position (may be negative)."""
        number, start = self._places[index]
        return self._tracks[number].gene_id, start - self._margin

    def __getitem__(self, index: int) -> Batch:
        number, start = self._places[index]
        track = self._tracks[number]
        first, length = start - self._margin, len(track.labels)
        low, high = max(first, 0), min(first + self._window, length)
        base = np.zeros((self._window, 3), dtype=np.float32)
        base[low - first : high - first] = track.base[low:high]
        labels = np.full(self._window, IGNORE_INDEX, dtype=np.int64)
        stop = min(start + self._window - 2 * self._margin, length)
        labels[start - first : stop - first] = track.labels[start:stop]
        codes = np.full(self._window, UNKNOWN, dtype=np.uint8)
        low, high = max(first, -track.flank), min(first + self._window, length + track.flank)
        codes[low - first : high - first] = track.codes[low + track.flank : high + track.flank]
        return {
            "sequence": (one_hot if self.form == "one_hot" else tokens)(codes[None])[0],
            "base": torch.from_numpy(base),
            "label": torch.from_numpy(labels),
            "weight": torch.from_numpy((labels != IGNORE_INDEX).astype(np.float32)),
        }
