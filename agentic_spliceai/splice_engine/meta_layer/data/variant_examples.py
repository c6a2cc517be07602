"""Variants as arrays: both alleles aligned in a window, the base model's outputs on them, and what is known of them.

`VariantExamples` is compact, since a saturation assay repeats its references: each distinct sequence and its scores are
held once, an example holds rows and columns of them. `variant_dataset` makes batches of it, `variant_features` the
scalar features, `targets` the targets.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt

from agentic_spliceai.splice_engine.base_layer.model import BaseModel
from agentic_spliceai.splice_engine.errors import NotScored, SettingError, TrainingDataError
from agentic_spliceai.splice_engine.meta_layer.data.base_scores import HalfArray, Progress, score_sequences
from agentic_spliceai.splice_engine.meta_layer.data.codes import UNKNOWN, encode
from agentic_spliceai.splice_engine.meta_layer.data.variant_alignment import AllelePair, align
from agentic_spliceai.splice_engine.meta_layer.data.variant_inputs import RejectedInput, VariantInput

MISSING = int(np.iinfo(np.int32).min)
"""Column of an annotated site that the exon does not have: the outer end of a transcript."""

UNKNOWN_CLASS = -1

CONSTRUCT_WINDOW = 201
"""Columns of an example from an assay's construct; MFASS has 170 nt."""

EXON_BASES = 300
"""Bases of an exon that examples keep, to tell its composition and its near copies."""

IntArray = npt.NDArray[np.int32]
Float32Array = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class VariantExamples:
    """N examples on S distinct sequences with windows of L columns.

    Attributes
    ----------
    names : dict of str to str array [N]
        `id`, `source`, `variant`, `chrom`, `strand`, `gene`, `group`, `exon` (its bases, transcript sense; of a longer
        one the `EXON_BASES` in its middle).
    sequences : uint8 [S, W]
        Codes A, C, G, T, N = 0 to 4 of each distinct sequence, transcript sense, filled up with N.
    log_odds : float16 [S, W, M, 2]
        The base model's donor and acceptor log-odds by member; NaN where a sequence is filled up.
    ref_row, alt_row : int32 [N]
        Sequence of either allele.
    ref_index, alt_index : int16 [N, L]
        Offset in that sequence, or `OUTSIDE` or `GAP` of `variant_alignment`.
    start, end : int32 [N]
        Columns of the changed bases, half-open.
    acceptor, donor : int32 [N]
        Columns of the exon's annotated sites; may lie outside the window; `MISSING` where there is none.
    exon_start, exon_end : int32 [N]
        Columns of the exon, half-open; may lie outside the window.
    classes : int8 [N]
        `VariantClass`, or -1.
    altering : float32 [N]
        1, 0, or NaN where not known.
    psi : float32 [N]
        Measured change of exon inclusion, or NaN.
    known : float32 [N]
        Share of what the base model read for the reference, its context included, that is a known base; the rest lay
        outside the construct or transcript, or is N in the genome.
    published : dict of str to float32 [N]
        Scores of other predictors, NaN where the table has none.
    input_row : int32 [inputs]
        Row of each input, -1 for a rejected one.
    rejected : tuple of RejectedInput
        Why, one for each -1.
    base_model : dict
        Name, version, digests, context and members of the model that scored.
    hidden : float16 [S, W, H] or None
        What the base model's last layer reads, channels of the kept members side by side; 0 where a sequence is filled
        up.
    """

    names: dict[str, npt.NDArray[np.str_]]
    sequences: npt.NDArray[np.uint8]
    log_odds: HalfArray
    ref_row: IntArray
    alt_row: IntArray
    ref_index: npt.NDArray[np.int16]
    alt_index: npt.NDArray[np.int16]
    start: IntArray
    end: IntArray
    acceptor: IntArray
    donor: IntArray
    exon_start: IntArray
    exon_end: IntArray
    classes: npt.NDArray[np.int8]
    altering: Float32Array
    psi: Float32Array
    known: Float32Array
    published: dict[str, Float32Array]
    input_row: IntArray
    rejected: tuple[RejectedInput, ...] = ()
    base_model: dict[str, Any] = field(default_factory=dict)
    hidden: HalfArray | None = None

    def __len__(self) -> int:
        return len(self.ref_row)

    @property
    def window(self) -> int:
        """Columns L of each example."""
        return int(self.ref_index.shape[1])

    @property
    def digest(self) -> str:
        """SHA-256 over everything that a model can see, names and the base model's identity included."""
        hasher = hashlib.sha256(json.dumps(self.base_model, sort_keys=True).encode())
        for name, array in sorted(self._arrays().items()):
            hasher.update(f"{name}{array.dtype}{array.shape}".encode())
            hasher.update(np.ascontiguousarray(array).tobytes())
        return hasher.hexdigest()

    def subset(self, rows: npt.NDArray[np.integer] | Sequence[int]) -> Self:
        """Return the examples of these rows, in their order; sequences that none of them needs are left out.

        Inputs are then counted anew, one an example.
        """
        chosen = np.asarray(rows, dtype=np.int64)
        used, inverse = np.unique(np.concatenate([self.ref_row[chosen], self.alt_row[chosen]]), return_inverse=True)
        row_of: IntArray = inverse.astype(np.int32)
        per_row = {
            name: getattr(self, name)[chosen]
            for name in (*_PER_ROW, "ref_index", "alt_index", "classes", "altering", "psi", "known")
        }
        return replace(
            self,
            **per_row,
            names={name: values[chosen] for name, values in self.names.items()},
            published={name: values[chosen] for name, values in self.published.items()},
            sequences=self.sequences[used],
            log_odds=self.log_odds[used],
            hidden=None if self.hidden is None else self.hidden[used],
            ref_row=row_of[: len(chosen)],
            alt_row=row_of[len(chosen) :],
            input_row=np.arange(len(chosen), dtype=np.int32),
            rejected=(),
        )

    def save(self, path: Path) -> None:
        """Write one compressed `.npz` (no pickle); an existing file is replaced whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        meta = {
            "format": _FORMAT,
            "base_model": self.base_model,
            "rejected": [[item.index, item.id, item.reason.model_dump()] for item in self.rejected],
        }
        unfinished = path.with_name(f".{path.stem}.unfinished.npz")
        np.savez_compressed(unfinished, meta=np.array(json.dumps(meta)), **self._arrays())  # type: ignore[arg-type]
        unfinished.replace(path)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote.

        Raises
        ------
        TrainingDataError
            If the file is missing, damaged, or of another form.
        """
        advice = "Build the examples again with build_examples."
        try:
            with path.open("rb") as handle, np.load(handle, allow_pickle=False) as data:
                arrays = {name: data[name] for name in data.files}
            meta = json.loads(str(arrays.pop("meta")))
        except (OSError, EOFError, KeyError, ValueError, zlib.error, zipfile.BadZipFile) as error:
            raise TrainingDataError(f"{path} holds no variant examples: {error}.", advice) from error
        if meta.get("format") != _FORMAT:
            raise TrainingDataError(f"{path} has format {meta.get('format')}, not {_FORMAT}.", advice)
        values: dict[str, Any] = {"names": {}, "published": {}, "base_model": meta["base_model"]}
        for name, array in arrays.items():
            head, dot, tail = name.partition(".")
            if dot:
                values[head][tail] = array
            else:
                values[head] = array
        values["rejected"] = tuple(RejectedInput(i, name, NotScored(**reason)) for i, name, reason in meta["rejected"])
        return cls(**values)

    def _arrays(self) -> dict[str, npt.NDArray[Any]]:
        found: dict[str, npt.NDArray[Any]] = {}
        for item in fields(self):
            value = getattr(self, item.name)
            if isinstance(value, np.ndarray):
                found[item.name] = value
            elif item.name in ("names", "published"):
                found.update({f"{item.name}.{key}": array for key, array in value.items()})
        return found


_FORMAT = 2
_PER_ROW = ("start", "end", "acceptor", "donor", "exon_start", "exon_end")


def build_examples(
    inputs: Sequence[VariantInput | RejectedInput],
    model: BaseModel,
    *,
    window: int = CONSTRUCT_WINDOW,
    center: Literal["construct", "variant"] = "construct",
    hidden_members: int = 0,
    cache: Path | None = None,
    progress: Progress | None = None,
) -> VariantExamples:
    """Score both alleles of each input and put them into windows.

    Parameters
    ----------
    inputs
        From `construct_inputs` or `genomic_inputs`, made for this model's context.
    model
        Base model.
    window
        Columns L; odd.
    center
        What stands in column L // 2: the middle of the two sequences' common axis, so that a construct of up to L bases
        is kept whole, or the first changed base. Take `variant` for genomic inputs. A variant of a longer construct
        that falls outside the window is rejected.
    hidden_members, cache, progress
        See `score_sequences`.

    Raises
    ------
    SettingError
        If the window is even, or the inputs were made for another context.
    TrainingDataError
        If no input can be scored.
    """
    if window < 3 or window % 2 == 0:
        raise SettingError(f"A window of {window} columns cannot be used.", "Give an odd number from 3.")
    context = model.info.context
    kept: list[VariantInput] = []
    rejected: list[RejectedInput] = []
    places: list[tuple[IntArray, dict[str, int]]] = []
    input_row = np.full(len(inputs), -1, dtype=np.int32)
    for number, item in enumerate(inputs):
        if isinstance(item, RejectedInput):
            rejected.append(replace(item, index=number))
            continue
        if any(len(side) != context // 2 for side in item.pair.flank):
            raise SettingError(
                f"The inputs were not made for {model.info.name}, whose context is {context} nt.",
                f"Make them again with context={context}.",
            )
        place = _place(item.pair, window, center)
        if not 0 <= place[1]["start"] < window:
            rejected.append(RejectedInput(number, item.record.id, _unseen(item, window)))
            continue
        input_row[number] = len(kept)
        kept.append(item)
        places.append(place)
    alleles = [item.pair.scored() for item in kept]
    scores = score_sequences(
        model,
        [sequence for pair in alleles for sequence in pair],
        hidden_members=hidden_members,
        cache=cache,
        progress=progress,
    )
    half = context // 2
    sequences = np.full(scores.log_odds.shape[:2], UNKNOWN, dtype=np.uint8)
    for sequence, row in scores.row_of.items():
        bases = sequence[half : len(sequence) - half]
        sequences[row, : len(bases)] = encode(bases)
    columns = {name: np.array([place[name] for _, place in places], dtype=np.int32) for name in _PER_ROW}
    index = np.stack([rows for rows, _ in places], axis=1).astype(np.int16)
    records = [item.record for item in kept]
    return VariantExamples(
        names={
            "id": _strings(record.id for record in records),
            "source": _strings(record.source for record in records),
            "variant": _strings(str(record.variant) for record in records),
            "chrom": _strings(record.variant.contig for record in records),
            "strand": _strings(str(item.strand) for item in kept),
            "gene": _strings(item.gene for item in kept),
            "group": _strings(record.group for record in records),
            "exon": _strings(_middle(item.pair.exon_sequence) for item in kept),
        },
        sequences=sequences,
        log_odds=scores.log_odds,
        hidden=scores.hidden,
        ref_row=np.array([scores.row_of[ref] for ref, _ in alleles], dtype=np.int32),
        alt_row=np.array([scores.row_of[alt] for _, alt in alleles], dtype=np.int32),
        ref_index=index[0],
        alt_index=index[1],
        **columns,
        classes=np.array(
            [UNKNOWN_CLASS if r.classification is None else r.classification for r in records], dtype=np.int8
        ),
        altering=_floats(r.altering for r in records),
        psi=_floats(r.psi for r in records),
        known=_floats(1 - ref.count("N") / len(ref) for ref, _ in alleles),
        published={
            name: _floats(r.published.get(name) for r in records)
            for name in sorted({name for r in records for name in r.published})
        },
        input_row=input_row,
        rejected=tuple(rejected),
        base_model={
            "name": model.info.name,
            "version": model.info.version,
            "weights_sha256": list(model.info.weights_sha256),
            "context": context,
            "members": model.info.members,
        },
    )


def _unseen(item: VariantInput, window: int) -> NotScored:
    return NotScored(
        code="outside_window",
        message=f"{item.record.variant} lies outside the {window} columns around the middle of its construct.",
        advice="Take a longer window, or center='variant'.",
    )


def site_distance(examples: VariantExamples) -> npt.NDArray[np.float64]:
    """Return the distance of each variant to the nearer annotated site of its exon, nt, float64 [N]; inf for none."""
    distances = []
    for site in (examples.acceptor, examples.donor):
        column = site.astype(np.float64)
        away = np.maximum(np.maximum(examples.start - column, column - (examples.end - 1)), 0.0)
        distances.append(np.where(site == MISSING, np.inf, away))
    nearer: npt.NDArray[np.float64] = np.minimum(*distances)
    return nearer


def _place(pair: AllelePair, window: int, center: str) -> tuple[npt.NDArray[np.int32], dict[str, int]]:
    """Return index rows [2, L] and the columns of everything, counted from the window's first."""
    axis = align(pair)
    first = (axis.start if center == "variant" else len(axis) // 2) - window // 2
    change_end = pair.ref_at + len(pair.ref_allele)

    def column(offset: int) -> int:
        return axis.column_of(offset, change_end) - first

    place = {
        "start": axis.start - first,
        "end": axis.end - first,
        "acceptor": MISSING if pair.acceptor is None else column(pair.acceptor),
        "donor": MISSING if pair.donor is None else column(pair.donor),
        "exon_start": column(pair.exon_start),
        "exon_end": column(pair.exon_end - 1) + 1,
    }
    return np.stack(axis.window(first, window)), place


def _middle(exon: str) -> str:
    start = max(len(exon) - EXON_BASES, 0) // 2
    return exon[start : start + EXON_BASES]


def _strings(values: Iterable[str]) -> npt.NDArray[np.str_]:
    return np.array(list(values), dtype=np.str_)


def _floats(values: Iterable[float | None]) -> Float32Array:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float32)
