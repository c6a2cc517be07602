"""Artifact tables back into memory, checked column by column."""

from __future__ import annotations

import re
from collections.abc import Collection, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from agentic_spliceai.splice_engine.base_layer.results import SpliceClass
from agentic_spliceai.splice_engine.errors import ResourceError, SchemaError, TrainingDataError
from agentic_spliceai.splice_engine.genome.contigs import canonical_contig
from agentic_spliceai.splice_engine.meta_layer.config import MetaLayerConfig
from agentic_spliceai.splice_engine.meta_layer.data.artifact_files import file_sha256, read_manifest
from agentic_spliceai.splice_engine.meta_layer.data.codes import Codes, decode, encode
from agentic_spliceai.splice_engine.meta_layer.data.features import recomputed
from agentic_spliceai.splice_engine.meta_layer.data.schema import (
    FEATURE_NAMES,
    IDENTITY,
    NUMERIC_IDENTITY,
    check_columns,
    check_features,
    schema_digest,
)
from agentic_spliceai.splice_engine.meta_layer.extras import require

_NEEDED = ("gene_id", "gene_name", "chrom", "strand", "position", "splice_type", "sequence")
_PIECE = 20_000  # rows parsed at once: 20,000 windows of 501 nt are 10 MB of text
_NUMBER_MISSING = ["", "NA", "N/A", "NaN", "nan", "null", "None"]
_NAME = re.compile(r"^analysis_sequences_.+_chunk_\d+_\d+\.tsv(\.gz)?$")
_CLASS_OF = {"donor": SpliceClass.DONOR, "acceptor": SpliceClass.ACCEPTOR, "": SpliceClass.NEITHER}


@dataclass(frozen=True, eq=False)
class ArtifactTable:
    """Positions with their sequence, features and label; unpacks as `sequences, features, labels`.

    Attributes
    ----------
    sequences : uint8 [N, W]
        Windows in transcript sense, one code a base, see `data.codes`.
    features : float32 [N, F]
        Raw, not normalised.
    labels : int64 [N]
        `SpliceClass`.
    feature_names
        Names of the F columns.
    weights : float64 [N]
        Positions that each row stands for.
    frame : pandas.DataFrame
        The identity columns but for the sequence, one row each.
    build
        Genome build, None where the folder does not say.
    base_model
        Name, version and weights' digests of the model that made the scores, None where the folder does not say.
    """

    sequences: Codes
    features: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int64]
    feature_names: tuple[str, ...]
    weights: npt.NDArray[np.float64]
    frame: Any
    build: str | None
    base_model: dict[str, Any] | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def __iter__(self) -> Iterator[npt.NDArray[Any]]:
        return iter((self.sequences, self.features, self.labels))

    @property
    def genes(self) -> npt.NDArray[np.str_]:
        """Gene id of each row, str [N]."""
        return np.asarray(self.frame["gene_id"].astype(str), dtype=np.str_)

    @property
    def chromosomes(self) -> npt.NDArray[np.str_]:
        """Canonical contig of each row, str [N]."""
        return np.asarray(self.frame["chrom"].astype(str), dtype=np.str_)

    def bases(self, row: int) -> str:
        """Return the sequence of a row as text."""
        return decode(self.sequences[row])

    def column(self, name: str) -> npt.NDArray[np.float32]:
        """Return one raw feature, float32 [N].

        Raises
        ------
        SchemaError
            If it was not loaded.
        """
        if name not in self.feature_names:
            raise SchemaError(f"Feature {name!r} was not loaded.", f"Loaded: {', '.join(self.feature_names[:8])}, ...")
        return self.features[:, self.feature_names.index(name)]

    def base_scores(self) -> npt.NDArray[np.float32]:
        """Return the base model's donor, acceptor and neither probability, float32 [N, 3]."""
        return np.stack([self.column(f"{kind}_score") for kind in ("donor", "acceptor", "neither")], axis=1)

    def take(self, rows: npt.NDArray[np.int64]) -> ArtifactTable:
        """Return the table of some rows."""
        return ArtifactTable(
            sequences=self.sequences[rows],
            features=self.features[rows],
            labels=self.labels[rows],
            feature_names=self.feature_names,
            weights=self.weights[rows],
            frame=self.frame.iloc[rows].reset_index(drop=True),
            build=self.build,
            base_model=self.base_model,
        )


class ArtifactLoader:
    """Reads the artifacts of any base model.

    Parameters
    ----------
    source
        The configuration, whose `artifacts_dir` is read, or a folder.

    Raises
    ------
    ResourceError
        If the folder is missing or holds no analysis table.
    """

    def __init__(self, source: MetaLayerConfig | Path | str) -> None:
        self.folder = source.artifacts_dir if isinstance(source, MetaLayerConfig) else Path(source)
        if not self.folder.is_dir():
            raise ResourceError(f"There is no folder {self.folder}.", "Write the artifacts first, or check the path.")
        self._manifest = read_manifest(self.folder)
        self.files = self._files()

    def manifest(self) -> dict[str, Any]:
        """Return what `manifest.json` says: provenance, settings, digests, counts; empty for a folder without one."""
        return dict(self._manifest or {})

    def verify(self) -> None:
        """Compare each table with its digest in the manifest.

        Raises
        ------
        ResourceError
            Naming the file that is not as it was written.
        """
        for chunk in self.manifest().get("chunks", {}).values():
            for name, digest in chunk["files"].items():
                if not (self.folder / name).is_file() or file_sha256(self.folder / name) != digest:
                    raise ResourceError(
                        f"{self.folder / name} is missing or not as it was written.", "Write the artifacts again."
                    )

    def statistics(self) -> dict[str, Any]:
        """Count rows, genes, positions that the rows stand for, classes, outcomes and rows a chromosome."""
        pandas = require("pandas", purpose="reading artifacts")
        wanted = ("gene_id", "chrom", "splice_type", "pred_type", "sampling_weight")
        parts = [
            pandas.read_csv(path, sep="\t", usecols=lambda name: name in wanted, keep_default_na=False)
            for path in self.files
        ]
        frame = pandas.concat(parts, ignore_index=True)
        kinds = frame["splice_type"].replace("", "neither").value_counts()
        positions = frame["sampling_weight"].sum() if "sampling_weight" in frame else None
        return {
            "files": len(self.files),
            "rows": len(frame),
            "genes": int(frame[["gene_id", "chrom"]].drop_duplicates().shape[0]),
            "positions": None if positions is None else round(float(positions)),
            "classes": {kind: int(kinds.get(kind, 0)) for kind in ("donor", "acceptor", "neither")},
            "outcomes": _counts(frame["pred_type"]) if "pred_type" in frame else {},
            "chromosomes": _counts(frame["chrom"].astype(str)),
        }

    def load_analysis_sequences(
        self,
        chromosomes: Collection[str] | None = None,
        genes: Collection[str] | None = None,
        columns: Sequence[str] | None = None,
        limit: int | None = None,
        *,
        unweighted: bool = False,
    ) -> ArtifactTable:
        """Read positions.

        Parameters
        ----------
        chromosomes
            Only these, under any of their names.
        genes
            Only these, by id or name.
        columns
            Feature columns; by default all of ours. A table of another tool may lack some: what its other columns
            determine is computed, for the rest name the columns to do with.
        limit
            Stop after so many rows, in the order of the files.
        unweighted
            Give every row the weight 1 where the table has no `sampling_weight`, which is right only if every
            position was kept.

        Raises
        ------
        SchemaError
            Naming the column that is missing, leaks the label, is no number or not finite, and the row.
        TrainingDataError
            If no row is left.
        """
        names = check_features(FEATURE_NAMES if columns is None else columns)
        if self._manifest is not None and self._manifest.get("schema_sha256") != schema_digest():
            raise SchemaError(
                f"{self.folder} was written with another version of the feature columns.", "Write the artifacts again."
            )
        wanted_chromosomes = None if chromosomes is None else {canonical_contig(name) for name in chromosomes}
        parts: list[ArtifactTable] = []
        left = limit
        for path in self.files:
            if wanted_chromosomes is not None and _chromosome_of(path) not in wanted_chromosomes:
                continue
            if left == 0:
                break
            with closing(self._pieces(path, names, unweighted, wanted_chromosomes, genes)) as pieces:
                for part in pieces:
                    part = part if left is None else part.take(np.arange(min(left, len(part))))
                    left = None if left is None else left - len(part)
                    if len(part):
                        parts.append(part)
                    if left == 0:
                        break
        if not parts:
            raise TrainingDataError(
                f"No row of {self.folder} is on the chromosomes and of the genes asked for.", "Check their names."
            )
        return _join(parts)

    def _files(self) -> tuple[Path, ...]:
        found = [path for path in self.folder.iterdir() if _NAME.match(path.name)]
        if self._manifest is not None:
            listed = {name for chunk in self._manifest["chunks"].values() for name in chunk["files"]}
            found = [path for path in found if path.name in listed]
            missing = sorted(n for n in listed if _NAME.match(n) and n not in {path.name for path in found})
            if missing:
                raise ResourceError(f"{self.folder} lacks {missing[0]}.", "Write the artifacts again.")
        if not found:
            raise ResourceError(f"{self.folder} holds no analysis_sequences_*.tsv.", "Write the artifacts first.")
        return tuple(sorted(found, key=_order))

    def _pieces(
        self,
        path: Path,
        names: tuple[str, ...],
        unweighted: bool,
        chromosomes: set[str] | None,
        genes: Collection[str] | None,
    ) -> Generator[ArtifactTable, None, None]:
        pandas = require("pandas", purpose="reading artifacts")
        numeric = {*NUMERIC_IDENTITY, *FEATURE_NAMES, *names}
        header = list(pandas.read_csv(path, sep="\t", nrows=0).columns)
        text = [name for name in IDENTITY if name not in NUMERIC_IDENTITY]
        # What a missing feature is computed from has to be read too.
        usable = [c for c in header if c in IDENTITY or c in names or (c in FEATURE_NAMES and _lacks(names, header))]
        reader = pandas.read_csv(
            path,
            sep="\t",
            usecols=usable,
            dtype=dict.fromkeys(text, str),
            keep_default_na=False,
            na_values={name: _NUMBER_MISSING for name in usable if name in numeric},
            chunksize=_PIECE,
        )
        row = 1
        with reader:
            for frame in reader:
                yield from self._piece(frame, path.name, row, names, unweighted, chromosomes, genes)
                row += len(frame)

    def _piece(
        self,
        frame: Any,
        source: str,
        first_row: int,
        names: tuple[str, ...],
        unweighted: bool,
        chromosomes: set[str] | None,
        genes: Collection[str] | None,
    ) -> Iterator[ArtifactTable]:
        have = tuple(frame.columns)
        needed = (*_NEEDED, *(n for n in NUMERIC_IDENTITY if n in have and n not in _NEEDED))
        if not unweighted and "sampling_weight" not in have:
            raise SchemaError(
                f"{source} lacks the column 'sampling_weight'.",
                "Pass unweighted=True if every position was kept; otherwise figures over all positions would be wrong.",
            )
        present = tuple(name for name in names if name in have)
        _check_ranges(frame, source, first_row)
        check_columns(frame, features=present, identity=needed, source=source, first_row=first_row)
        sequences = _sequences(frame["sequence"], source, first_row)
        features = np.empty((len(frame), len(names)), dtype=np.float32)
        for index, name in enumerate(names):
            if name in have:
                features[:, index] = frame[name].to_numpy()
            else:
                known = {c: frame[c].to_numpy(dtype=np.float64) for c in have if c in FEATURE_NAMES}
                features[:, index] = recomputed(name, known, sequences)
        frame = frame.assign(chrom=[canonical_contig(name) for name in frame["chrom"]])
        keep = np.ones(len(frame), dtype=bool)
        if chromosomes is not None:
            keep &= frame["chrom"].isin(chromosomes).to_numpy()
        if genes is not None:
            keep &= (frame["gene_id"].isin(genes) | frame["gene_name"].isin(genes)).to_numpy()
        weights = (
            frame["sampling_weight"].to_numpy(dtype=np.float64) if "sampling_weight" in have else np.ones(len(frame))
        )
        table = ArtifactTable(
            sequences=sequences,
            features=features,
            labels=frame["splice_type"].map(_CLASS_OF).to_numpy(dtype=np.int64),
            feature_names=names,
            weights=weights,
            frame=frame[[name for name in IDENTITY if name in have and name != "sequence"]],
            build=self.manifest().get("build"),
            base_model=self.manifest().get("base_model"),
        )
        yield table if keep.all() else table.take(np.flatnonzero(keep))


def _check_ranges(frame: Any, source: str, first_row: int) -> None:
    """Refuse values that a column cannot have, where the column is there and holds numbers or text at all."""
    allowed = {f"{kind}_score": (0.0, 1.0 + 1e-6) for kind in ("donor", "acceptor", "neither")}
    allowed |= {"sampling_weight": (np.nextafter(0, 1), np.inf), "position": (1, np.inf)}
    for name, (low, high) in allowed.items():
        if name not in frame or frame[name].dtype.kind not in "iuf":
            continue  # `check_columns` says what is wrong with it
        values = frame[name].to_numpy(dtype=np.float64)
        bad = np.flatnonzero((values < low) | (values > high) | ((name == "position") & (values % 1 != 0)))
        if len(bad):
            raise SchemaError(
                f"{source}: column {name!r} is {values[bad[0]]:g} in row {int(bad[0]) + first_row}.",
                "Scores are probabilities, weights above 0, positions whole and from 1.",
            )
    if "strand" in frame and not frame["strand"].isin(["+", "-"]).all():
        bad = np.flatnonzero(~frame["strand"].isin(["+", "-"]))
        raise SchemaError(
            f"{source}: column 'strand' is {frame['strand'].iloc[bad[0]]!r} in row {int(bad[0]) + first_row}.",
            "It is + or -.",
        )


def _lacks(names: Sequence[str], header: Sequence[str]) -> bool:
    return any(name not in header for name in names)


def _sequences(column: Any, source: str, first_row: int) -> Codes:
    """Turn a text column into codes [N, W]."""
    lengths = column.str.len().to_numpy()
    width = int(lengths[0]) if len(lengths) else 0
    if (lengths != width).any() or width % 2 == 0:
        row = int(np.flatnonzero(lengths != width)[0]) if (lengths != width).any() else 0
        raise SchemaError(
            f"{source}: column 'sequence' has {lengths[row]} nt in row {row + first_row}.",
            f"All rows need the same odd length (the first has {width}), with the position in the middle.",
        )
    return encode("".join(column)).reshape(len(column), width)


def _join(parts: Sequence[ArtifactTable]) -> ArtifactTable:
    pandas = require("pandas", purpose="reading artifacts")
    widths = {part.sequences.shape[1] for part in parts}
    if len(widths) > 1:
        raise SchemaError(f"The tables have sequences of {sorted(widths)} nt.", "Read one window length at a time.")
    frame = pandas.concat([part.frame for part in parts], ignore_index=True)
    for name in ("gene_id", "transcript_id", "gene_name", "chrom", "strand", "splice_type", "pred_type"):
        if name in frame:
            frame[name] = frame[name].astype("category")
    return ArtifactTable(
        sequences=np.concatenate([part.sequences for part in parts]),
        features=np.concatenate([part.features for part in parts]),
        labels=np.concatenate([part.labels for part in parts]),
        feature_names=parts[0].feature_names,
        weights=np.concatenate([part.weights for part in parts]),
        frame=frame,
        build=parts[0].build,
        base_model=parts[0].base_model,
    )


def _counts(column: Any) -> dict[str, int]:
    return {str(name): int(count) for name, count in sorted(column.value_counts().items())}


def _chromosome_of(path: Path) -> str:
    return canonical_contig(path.name.removeprefix("analysis_sequences_").partition("_chunk_")[0])


def _order(path: Path) -> tuple[int, str, int]:
    """Chromosomes by number, then the others by name; chunks by their first gene."""
    chromosome = _chromosome_of(path)
    number = chromosome.removeprefix("chr")
    return (int(number) if number.isdigit() else 10**6, chromosome, int(path.name.split("_chunk_")[1].split("_")[0]))
