"""Weights on disk to networks in memory: our safetensors, OpenSpliceAI's `.pt`, SpliceAI's `.h5`.

Both foreign formats emit `neither, acceptor, donor`; the last layer's rows are put into `SpliceClass` order here, at
the border, and nowhere else.
"""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import BaseModel, Field
from torch import Tensor

from agentic_spliceai.splice_engine.base_layer.network import NetworkSpec, SpliceNetwork, fold_batch_norms
from agentic_spliceai.splice_engine.errors import WeightsError

# Row i of ours is row _FROM_FOREIGN[i] of theirs.
_FROM_FOREIGN = [2, 1, 0]

Adapter = Callable[[Path, int], list[SpliceNetwork]]


class _Header(BaseModel):
    """What a safetensors file of ours says of its networks (each value is text there)."""

    context: int = Field(gt=0)
    members: int = Field(ge=1, le=100)
    negative_slope: float = Field(ge=0, lt=1)
    batch_norm_eps: float = Field(gt=0, lt=1)


def load_openspliceai(path: Path, context: int) -> list[SpliceNetwork]:
    """Load one OpenSpliceAI `.pt` state dict.

    Parameters
    ----------
    path
        A file such as `model_10000nt_rs10.pt`. Only tensors are unpickled.
    context
        80, 400, 2000 or 10000 nt.

    Returns
    -------
    list of SpliceNetwork
        The one network, in evaluation mode, batch norms folded where possible.

    Raises
    ------
    WeightsError
        If the file is missing, damaged, or of another shape.
    """
    _require(path)
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise _damaged(path, "it is damaged, or holds code and not only weights, which is refused") from error
    except (RuntimeError, EOFError, OSError, ValueError, zipfile.BadZipFile) as error:
        raise _damaged(path, "it is cut short or no PyTorch file") from error
    if not isinstance(state, Mapping) or not all(isinstance(v, Tensor) for v in state.values()):
        raise _damaged(path, "it holds no state dict")
    spec = NetworkSpec.for_context(context, negative_slope=0.1, batch_norm_eps=1e-5)
    renamed: dict[str, Tensor] = {}
    for name, value in state.items():
        ours = _openspliceai_name(str(name))
        if ours is None:
            raise _damaged(path, f"unknown tensor {name!r}")
        renamed[ours] = value
    return [_build(path, spec, renamed, foreign=True)]


def load_spliceai(path: Path, context: int) -> list[SpliceNetwork]:
    """Load one SpliceAI `.h5` with h5py alone; see `load_openspliceai` for arguments and errors.

    Convolutions and batch norms are numbered in the order of the network, the Keras kernel is (width, in, out).
    """
    _require(path)
    try:
        import h5py
    except ImportError:
        raise WeightsError(
            "Reading SpliceAI's .h5 weights needs h5py, which is not installed.",
            "Install it: pip install 'agentic-spliceai[spliceai]'.",
        ) from None
    spec = NetworkSpec.for_context(context, negative_slope=0.0, batch_norm_eps=1e-3)
    try:
        with h5py.File(path, "r") as file:
            group = file["model_weights"]
            state = _spliceai_state(spec, lambda layer, name: np.asarray(group[layer][layer][f"{name}:0"]))
    except (OSError, KeyError, ValueError, TypeError, AttributeError) as error:  # what h5py and NumPy raise on it
        raise _damaged(path, error) from error
    return [_build(path, spec, state, foreign=True)]


def load_safetensors(path: Path, context: int) -> list[SpliceNetwork]:
    """Load an ensemble in the project's own format; see `load_openspliceai` for arguments and errors.

    Tensors are named `<member>/<state dict key>`; the header's metadata states `negative_slope`, `batch_norm_eps` and
    `members`. float16 on disk becomes float32.
    """
    from safetensors import SafetensorError, safe_open

    _require(path)
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
        header = _Header.model_validate({key: metadata[key] for key in _Header.model_fields})
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise _damaged(path, " ".join(str(error).split())) from error
    if header.context != context:
        raise _damaged(path, f"its context is {header.context} nt, not {context}")
    spec = NetworkSpec.for_context(context, negative_slope=header.negative_slope, batch_norm_eps=header.batch_norm_eps)
    networks = []
    for member in range(header.members):
        prefix = f"{member}/"
        state = {
            name.removeprefix(prefix): tensor.float() if tensor.is_floating_point() else tensor
            for name, tensor in tensors.items()
            if name.startswith(prefix)
        }
        networks.append(_build(path, spec, state))
    return networks


ADAPTERS: dict[str, Adapter] = {
    "openspliceai": load_openspliceai,
    "spliceai": load_spliceai,
    "safetensors": load_safetensors,
}


def _openspliceai_name(name: str) -> str | None:
    """Translate one tensor's name; units and skips share one numbering there (every fifth is a skip)."""
    head, _, rest = name.partition(".")
    if head == "initial_conv":
        return f"initial.{rest}"
    if head == "initial_skip":
        return f"initial_skip.{rest.removeprefix('conv.')}"
    if head == "final_conv":
        return f"final.{rest}"
    if head != "residual_units":
        return None
    number, _, rest = rest.partition(".")
    if not number.isdigit():
        return None
    block, place = divmod(int(number), 5)
    if place == 4:
        return f"skips.{block}.{rest.removeprefix('conv.')}"
    return f"units.{block * 4 + place}.{rest.replace('batchnorm', 'norm')}"


def _spliceai_state(spec: NetworkSpec, read: Callable[[str, str], Any]) -> dict[str, Tensor]:
    """Collect the state dict from Keras' numbered layers."""
    state: dict[str, Tensor] = {}

    def conv(number: int, name: str) -> None:
        kernel = np.ascontiguousarray(read(f"conv1d_{number}", "kernel").transpose(2, 1, 0))
        state[f"{name}.weight"] = torch.from_numpy(kernel)
        state[f"{name}.bias"] = torch.from_numpy(read(f"conv1d_{number}", "bias"))

    def norm(number: int, name: str) -> None:
        theirs = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}
        for ours, keras in theirs.items():
            state[f"{name}.{ours}"] = torch.from_numpy(read(f"batch_normalization_{number}", keras))
        state[f"{name}.num_batches_tracked"] = torch.tensor(0)

    conv(1, "initial")
    conv(2, "initial_skip")
    number = 3
    for unit in range(len(spec.widths)):
        norm(2 * unit + 1, f"units.{unit}.norm1")
        conv(number, f"units.{unit}.conv1")
        norm(2 * unit + 2, f"units.{unit}.norm2")
        conv(number + 1, f"units.{unit}.conv2")
        number += 2
        if unit % 4 == 3:
            conv(number, f"skips.{unit // 4}")
            number += 1
    conv(number, "final")
    return state


def _build(path: Path, spec: NetworkSpec, state: dict[str, Tensor], *, foreign: bool = False) -> SpliceNetwork:
    """Fill a network; a `foreign` state has its last layer in the published tools' class order."""
    network = SpliceNetwork(spec)
    try:
        network.load_state_dict(state, strict=True)
    except (RuntimeError, TypeError, AttributeError) as error:
        why = f"not a network of {spec.context} nt context ({str(error).splitlines()[-1].strip()})"
        raise _damaged(path, why) from error
    if not all(torch.isfinite(value).all() for value in state.values() if value.is_floating_point()):
        raise _damaged(path, "it holds NaN or infinite values")
    if foreign:
        with torch.no_grad():
            for parameter in (network.final.weight, network.final.bias):
                if parameter is not None:
                    parameter.copy_(parameter[_FROM_FOREIGN].clone())
    return fold_batch_norms(network)


def _require(path: Path) -> None:
    if not path.is_file():
        raise WeightsError(f"No weights at {path}.", "Check the path, or let the registry find them by name.")


def _damaged(path: Path, why: object) -> WeightsError:
    return WeightsError(
        f"Weights {path.name} cannot be used: {why}.", "Delete the file and fetch it again, or give another path."
    )
