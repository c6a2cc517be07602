"""Tensors out of weight files: safetensors, PyTorch state dicts, and Lightning checkpoints. No code in them is run."""

from __future__ import annotations

import json
import pickle
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from agentic_spliceai.splice_engine.errors import WeightsError

WEIGHT_FILES = ("model.safetensors", "pytorch_model.bin", "weights.ckpt")
"""Names of a model folder's weight file, in the order of preference."""


def damaged(path: Path, why: object) -> WeightsError:
    """Return the error for a file that cannot be used."""
    return WeightsError(
        f"HyenaDNA weights {path} cannot be used: {why}.",
        "Delete the file and fetch it again, or give another path; random weights have to be asked for: "
        "pretrained=False.",
    )


def first_line(error: Exception) -> str:
    """Return the first line of what an error says, or its name where it says nothing."""
    text = str(error).strip()
    return text.splitlines()[0].rstrip(".") if text else type(error).__name__


def weight_file(path: Path) -> Path:
    """Return the weight file that a path means: the file itself, or the one of a folder.

    Raises
    ------
    WeightsError
        If there is none, or several of which none has a usual name.
    """
    if path.is_file():
        return path
    if not path.is_dir():
        raise WeightsError(f"No HyenaDNA weights at {path}.", "Check the path, or give the name of a release.")
    for name in WEIGHT_FILES:
        if (path / name).is_file():
            return path / name
    others = sorted(file for ending in ("*.safetensors", "*.ckpt", "*.bin") for file in path.glob(ending))
    if len(others) == 1:
        return others[0]
    found = f"several weight files ({', '.join(file.name for file in others)})" if others else "no weight file"
    raise WeightsError(f"{path} holds {found}.", f"Give the file itself, or name it {WEIGHT_FILES[0]}.")


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read every tensor of a file, and the configuration that a safetensors header may hold.

    Floating-point tensors come as float32. Inputs and outputs that a test file keeps under `io.` are left out.

    Raises
    ------
    WeightsError
        If the file is damaged or of another format.
    """
    if path.suffix == ".safetensors":
        return _read_safetensors(path)
    tensors = _state_dict(path)
    return {name: value.float() if value.is_floating_point() else value for name, value in tensors.items()}, {}


def read_config(weights: Path) -> dict[str, Any]:
    """Read the `config.json` beside a weight file; empty where there is none.

    Raises
    ------
    WeightsError
        If it is no JSON object.
    """
    path = weights.with_name("config.json")
    if not path.is_file():
        return {}
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise damaged(path, error) from error
    if not isinstance(config, dict):
        raise damaged(path, "it is no JSON object")
    return config


def _read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    try:
        with safe_open(path, framework="pt") as file:
            names = [name for name in file.keys() if not name.startswith("io.")]  # noqa: SIM118 - it is no mapping
            tensors = {name: file.get_tensor(name) for name in names}
            config = json.loads((file.metadata() or {}).get("config", "{}"))
    except (SafetensorError, OSError, ValueError) as error:
        raise damaged(path, f"it is cut short or no safetensors file ({error})") from error
    return {n: t.float() if t.is_floating_point() else t for n, t in tensors.items()}, config


def _state_dict(path: Path) -> dict[str, Tensor]:
    try:
        try:
            content = torch.load(path, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError:
            # A Lightning file holds hyperparameters of the training code's own classes beside the tensors.
            content = torch.load(path, map_location="cpu", weights_only=False, pickle_module=_TENSORS_ONLY)
    except (RuntimeError, EOFError, OSError, ValueError, TypeError, LookupError, AttributeError) as error:
        raise damaged(path, f"it is cut short or no PyTorch file ({first_line(error)})") from error
    except (pickle.UnpicklingError, zipfile.BadZipFile) as error:
        raise damaged(path, f"it is cut short or no PyTorch file ({first_line(error)})") from error
    state = content.get("state_dict", content) if isinstance(content, Mapping) else None
    if not isinstance(state, Mapping):
        raise damaged(path, "it holds no state dict")
    # Metrics of the training code may stand among the weights.
    return {str(name): value for name, value in state.items() if isinstance(value, Tensor)}


class _Inert:
    """Stands for an object of a class that is not loaded: takes everything, does nothing."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        pass

    def __call__(self, *args: object, **kwargs: object) -> _Inert:
        return self

    def __setstate__(self, state: object) -> None:
        pass

    def __setitem__(self, key: object, value: object) -> None:
        pass

    def append(self, value: object) -> None:
        """Take an element."""

    def add(self, value: object) -> None:
        """Take a member."""

    def extend(self, values: object) -> None:
        """Take elements."""


_STORAGE = re.compile(r"\w+Storage")
_ALLOWED = {
    ("collections", "OrderedDict"),
    ("torch._utils", "_rebuild_tensor_v2"),
    ("torch._utils", "_rebuild_parameter"),
    ("torch", "Size"),
    ("torch", "device"),
}


class _TensorUnpickler(pickle.Unpickler):
    """Builds tensors and plain containers; anything else becomes inert, so that no code of the file's choice runs."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _ALLOWED or (module == "torch" and _STORAGE.fullmatch(name)):
            return super().find_class(module, name)
        return _Inert


def _load(file: Any, **options: Any) -> Any:
    return _TensorUnpickler(file, **options).load()


# What torch.load uses of a pickle module; files of the format before 1.6 are read by `load`, others by `Unpickler`.
_TENSORS_ONLY: Any = SimpleNamespace(Unpickler=_TensorUnpickler, load=_load, __name__="tensors_only")
