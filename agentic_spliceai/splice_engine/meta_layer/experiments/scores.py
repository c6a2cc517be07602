"""`scores.npz` of an experiment, read back."""

from __future__ import annotations

import re
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from agentic_spliceai.splice_engine.errors import TrainingDataError
from agentic_spliceai.splice_engine.meta_layer.experiments.evaluate import PartScores

_SEED = re.compile(r"^seed_(\d+)$")


def load_scores(path: Path, part: str = "test") -> PartScores:
    """Read the scores of one part of the data.

    Parameters
    ----------
    path
        The file.
    part
        `test` or `validation`.

    Raises
    ------
    TrainingDataError
        If the file is missing, damaged, or has no such part.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as data:
            arrays: dict[str, npt.NDArray[Any]] = {
                name.removeprefix(f"{part}_"): data[name] for name in data.files if name.startswith(f"{part}_")
            }
        seeds = {int(found[1]): array for name, array in arrays.items() if (found := _SEED.match(name))}
        if not seeds:
            raise KeyError(f"{part}_seed_...")
        return PartScores(
            truth=arrays["truth"], group=arrays["group"], id=arrays["id"], base=arrays["base"], model=seeds
        )
    except (OSError, EOFError, KeyError, ValueError, zlib.error, zipfile.BadZipFile) as error:
        raise TrainingDataError(f"{path} holds no scores of {part}: {error}.", "Run the experiment again.") from error
