"""The base model's output on many sequences: each distinct one scored once, kept on disk, resumable.

Only the members' donor and acceptor log-odds are kept, as float16: `log(p_s / (1 - p_s))` of a class s is its logit
minus the log-sum-exp of the other two. Both probabilities follow from them. At the project's largest |log-odds|, about
20, float16 errs by 0.008; a probability by less than 0.001.
"""

from __future__ import annotations

import hashlib
import os
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from agentic_spliceai.splice_engine.base_layer.model import BaseModel, FloatArray, ModelInfo
from agentic_spliceai.splice_engine.base_layer.results import SpliceClass
from agentic_spliceai.splice_engine.errors import SettingError, TrainingDataError
from agentic_spliceai.splice_engine.genome.sequence import one_hot

HalfArray = npt.NDArray[np.float16]
Progress = Callable[[int, int], None]
"""Hears how many of how many sequences are done."""

CHUNK = 256
"""Sequences a chunk file holds; what a killed run loses at most."""

MAX_LOG_ODDS = 30.0
"""Log-odds are clipped to +-30 (a probability of 1e-13), where float32 softmax has long said 0 or 1."""

_FORMAT = "base-scores-1"


@dataclass(frozen=True)
class BaseScores:
    """Scores of distinct sequences.

    Attributes
    ----------
    log_odds : float16 [S, W, M, 2]
        By sequence, position (0-based in its scored part), ensemble member, and donor or acceptor. Shorter sequences
        are filled up with NaN.
    lengths : int32 [S]
        Scored positions of each sequence.
    row_of : dict of str to int
        Row of each sequence.
    info
        The base model.
    hidden : float16 [S, W, H] or None
        What the last layer reads, channels of the kept members side by side; 0 where a sequence is filled up.
    """

    log_odds: HalfArray
    lengths: npt.NDArray[np.int32]
    row_of: dict[str, int]
    info: ModelInfo
    hidden: HalfArray | None = None


@runtime_checkable
class HiddenModel(Protocol):
    """A base model whose last hidden channels can be read."""

    def predict_hidden(self, one_hot: FloatArray) -> FloatArray:
        """Map float32 [B, L + context, 4] to float32 [B, M, C, L]."""
        ...


def site_log_odds(logits: FloatArray) -> FloatArray:
    """Return the log-odds of donor and acceptor, float32 [..., 2], from logits [..., 3] in `SpliceClass` order."""
    donor, acceptor, neither = (logits[..., c] for c in SpliceClass)
    log_odds = np.stack([donor - np.logaddexp(acceptor, neither), acceptor - np.logaddexp(donor, neither)], axis=-1)
    return log_odds.clip(-MAX_LOG_ODDS, MAX_LOG_ODDS).astype(np.float32)


def site_probabilities(log_odds: npt.NDArray[np.floating]) -> FloatArray:
    """Return probabilities, float32, from log-odds of the same shape; NaN stays NaN."""
    values: FloatArray = log_odds.astype(np.float32)
    return (1 / (1 + np.exp(-values))).astype(np.float32)


def score_sequences(
    model: BaseModel,
    sequences: Sequence[str],
    *,
    hidden_members: int = 0,
    cache: Path | None = None,
    progress: Progress | None = None,
) -> BaseScores:
    """Score sequences in transcript sense.

    Parameters
    ----------
    model
        Any base model.
    sequences
        Bases A, C, G, T, N with half the model's context on either side of what is scored. Repeats cost nothing.
    hidden_members
        Keep the hidden channels of this many members, the first ones; the model must be a `HiddenModel`. This doubles
        the work, and 32 channels a member take 64 bytes a base.
    cache
        Folder of chunk files, named by a digest of the model's weights and the sequences in them. A run that was killed
        goes on after its last whole chunk; a damaged chunk is computed again.
    progress
        Called after each chunk.

    Raises
    ------
    SettingError
        If a sequence is no longer than the model's context, or the model has no hidden channels to read, or not so
        many members.
    TrainingDataError
        If there are no sequences, or the model's output is not finite.
    """
    distinct = list(dict.fromkeys(sequences))
    if not distinct:
        raise TrainingDataError("There are no sequences to score.", "Give at least one variant that can be scored.")
    context = model.info.context
    lengths = np.array([len(sequence) - context for sequence in distinct], dtype=np.int32)
    if lengths.min() < 1:
        raise SettingError(
            f"A sequence of {min(map(len, distinct))} nt cannot be scored with a context of {context} nt.",
            "Put half the context on either side, N where nothing is known.",
        )
    if hidden_members and (not isinstance(model, HiddenModel) or hidden_members > model.info.members):
        raise SettingError(
            f"{model.info.name} offers no hidden channels of {hidden_members} members.",
            f"Take a model with predict_hidden, and at most its {model.info.members} members.",
        )
    scores = np.full((len(distinct), lengths.max(), model.info.members, 2), np.nan, dtype=np.float16)
    hidden: HalfArray | None = None
    done = 0
    for rows in _chunks(lengths):
        part, length = [distinct[row] for row in rows], lengths[rows[0]]
        scores[rows, :length] = _cached(cache, model.info, "log-odds", part, partial(_log_odds, model))
        if hidden_members and isinstance(model, HiddenModel):
            what = f"hidden-{hidden_members}"
            found = _cached(cache, model.info, what, part, partial(_hidden, model, hidden_members))
            if hidden is None:
                hidden = np.zeros((*scores.shape[:2], found.shape[2]), dtype=np.float16)
            hidden[rows, :length] = found
        done += len(rows)
        if progress is not None:
            progress(done, len(distinct))
    return BaseScores(scores, lengths, {sequence: row for row, sequence in enumerate(distinct)}, model.info, hidden)


def _chunks(lengths: npt.NDArray[np.int32]) -> Iterator[npt.NDArray[np.intp]]:
    """Yield rows of equal length, at most `CHUNK` at a time, in their order."""
    for length in np.unique(lengths):
        rows = np.flatnonzero(lengths == length)
        yield from (rows[start : start + CHUNK] for start in range(0, len(rows), CHUNK))


def _log_odds(model: BaseModel, sequences: list[str]) -> FloatArray:
    """Return float32 [B, W, M, 2]."""
    logits = model.predict(np.stack([one_hot(sequence) for sequence in sequences])).logits
    return site_log_odds(_finite(logits, model.info)).transpose(0, 2, 1, 3)


def _hidden(model: HiddenModel, members: int, sequences: list[str]) -> FloatArray:
    """Return float32 [B, W, members * C]."""
    channels = model.predict_hidden(np.stack([one_hot(sequence) for sequence in sequences]))[:, :members]
    return channels.reshape(len(channels), -1, channels.shape[-1]).transpose(0, 2, 1)


def _finite(values: FloatArray, info: ModelInfo) -> FloatArray:
    if not np.isfinite(values).all():
        raise TrainingDataError(
            f"Base model {info.name} gives values that are not finite.", "Check its weights and its inputs."
        )
    return values


def _cached(
    cache: Path | None, info: ModelInfo, what: str, sequences: list[str], compute: Callable[[list[str]], FloatArray]
) -> HalfArray:
    path = None if cache is None else cache / f"{_digest(info, what, sequences)}.npz"
    if path is not None and (found := _read(path, len(sequences), len(sequences[0]) - info.context)) is not None:
        return found
    compact = np.ascontiguousarray(_finite(compute(sequences), info), dtype=np.float16)
    if path is not None:
        _write(path, compact)
    return compact


def _digest(info: ModelInfo, what: str, sequences: list[str]) -> str:
    hasher = hashlib.sha256()
    for part in (_FORMAT, what, info.name, info.version, str(info.context), *info.weights_sha256, *sequences):
        hasher.update(part.encode() + b"\n")
    return hasher.hexdigest()


def _read(path: Path, count: int, length: int) -> HalfArray | None:
    """Return a chunk, or None if it is not there, damaged (the archive's own CRC tells), or of another shape."""
    try:
        with path.open("rb") as handle, np.load(handle, allow_pickle=False) as data:
            values: HalfArray = data["values"]
    except (OSError, EOFError, KeyError, ValueError, zlib.error, zipfile.BadZipFile):
        return None
    return values if values.shape[:2] == (count, length) and values.dtype == np.float16 else None


def _write(path: Path, values: HalfArray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # Two runs may write the same chunk; each renames its own whole file, so that nobody reads half of one.
    unfinished = path.with_name(f".{path.stem}.{os.getpid()}.npz")
    np.savez_compressed(unfinished, values=values)
    unfinished.replace(path)
