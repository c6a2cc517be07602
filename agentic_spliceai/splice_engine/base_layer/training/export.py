"""Trained members to the one safetensors file that the program loads."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from agentic_spliceai.splice_engine.errors import ResourceError

FORMAT_VERSION = 1


def read_member(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the chosen weights of one member, and its record.

    Raises
    ------
    ResourceError
        If the member has no weights yet.
    """
    path = folder / "best.pt"
    if not path.is_file():
        raise ResourceError(f"{folder.name} holds no trained weights.", "Run the `train` command first.")
    saved = torch.load(path, weights_only=True)
    return saved["weights"], saved["record"]


def export_members(folders: Sequence[Path], about: Mapping[str, object], path: Path) -> dict[str, Any]:
    """Write an ensemble and return its metadata.

    Convolution kernels are float16, all else (biases, batch norms) stays float32: their values span more orders of
    magnitude, and they are few.

    Parameters
    ----------
    folders
        One a member.
    about
        What is known of the corpus.
    path
        The file; its tensors are named `<member>/<state dict key>`.
    """
    tensors: dict[str, Tensor] = {}
    records = []
    for number, folder in enumerate(folders):
        weights, record = read_member(folder)
        records.append(record)
        for name, value in weights.items():
            kernel = value.is_floating_point() and value.ndim > 1
            tensors[f"{number}/{name}"] = (value.half() if kernel else value).contiguous()
    first = records[0]["settings"]
    shared = ("context", "negative_slope", "batch_norm_eps")
    if any(record["settings"][key] != first[key] for record in records for key in shared):
        raise ResourceError("the members differ in architecture.", "Export members of one context and activation.")
    metadata = {
        "format_version": FORMAT_VERSION,
        **{key: first[key] for key in shared},
        "members": len(records),
        "seeds": [record["settings"]["seed"] for record in records],
        "corpus": dict(about),
        "training": records,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".tmp")
    save_file(tensors, beside, metadata={key: json.dumps(value) for key, value in metadata.items()})
    beside.chmod(0o644)  # safetensors writes it for its owner only
    beside.replace(path)
    return metadata


def read_metadata(path: Path) -> dict[str, Any]:
    """Return what `export_members` wrote into the header."""
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        return {key: json.loads(value) for key, value in (file.metadata() or {}).items()}
