"""The protocol of a base model, and the ensemble of networks that fulfils it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch

from agentic_spliceai.splice_engine.base_layer.folding import can_fold
from agentic_spliceai.splice_engine.base_layer.forward import FloatArray as FloatArray
from agentic_spliceai.splice_engine.base_layer.forward import whole_logits
from agentic_spliceai.splice_engine.base_layer.network import SpliceNetwork
from agentic_spliceai.splice_engine.base_layer.results import Thresholds
from agentic_spliceai.splice_engine.errors import SettingError
from agentic_spliceai.splice_engine.genome.types import GenomeBuild


@dataclass(frozen=True)
class ModelInfo:
    """What a result must say about the model that made it.

    Attributes
    ----------
    name, version
        Name in the registry and version of the weights.
    weights_sha256
        One digest a file, in the order of the ensemble's members.
    context
        Bases seen beside a position, both sides together, nt.
    members
        Number of networks in the ensemble.
    training_build
        Genome build of the training data.
    annotation_source
        Annotation of the training data.
    thresholds
        Delta scores from which a change counts.
    """

    name: str
    version: str
    weights_sha256: tuple[str, ...]
    context: int
    members: int
    training_build: GenomeBuild | None
    annotation_source: str
    thresholds: Thresholds


@dataclass(frozen=True)
class Prediction:
    """Per-position output of a base model on a batch.

    Attributes
    ----------
    probabilities : float32 [B, M, L, 3]
        By sequence, ensemble member, position and `SpliceClass`; each row of 3 sums to 1.
    logits : float32 [B, M, L, 3]
        The same before the softmax.
    """

    probabilities: FloatArray
    logits: FloatArray


@runtime_checkable
class BaseModel(Protocol):
    """Anything that gives donor, acceptor and neither for each position of a sequence."""

    @property
    def info(self) -> ModelInfo:
        """What to write into provenance."""
        ...

    def predict(self, one_hot: FloatArray) -> Prediction:
        """Score sequences in transcript sense.

        Parameters
        ----------
        one_hot : float32 [B, L + context, 4]
            Channels A, C, G, T; an unknown base is an all-zero row.

        Returns
        -------
        Prediction
            For the L positions in the middle.
        """
        ...


@runtime_checkable
class NetworkModel(BaseModel, Protocol):
    """A base model whose members are networks whose layers can be kept and computed in part.

    Without it, or where it offers no networks, variants are scored by running both alleles whole.
    """

    @property
    def residual_networks(self) -> tuple[SpliceNetwork, ...]:
        """The members in evaluation mode, in their order; none if one may compute anything else than its layers say."""
        ...


class EnsembleModel:
    """Networks of one shape whose probabilities are averaged by whoever reads them.

    Parameters
    ----------
    info
        Name, digests and thresholds.
    networks
        The members, each with the same context.
    device
        `cpu`, `cuda`, `mps`, or `auto` for the best one at hand.
    """

    def __init__(self, info: ModelInfo, networks: Sequence[SpliceNetwork], device: str = "cpu") -> None:
        self._info = info
        self.device = pick_device(device)
        self._networks = [network.eval().to(self.device) for network in networks]

    @property
    def info(self) -> ModelInfo:
        """What to write into provenance."""
        return self._info

    @property
    def networks(self) -> tuple[SpliceNetwork, ...]:
        """The members."""
        return tuple(self._networks)

    @property
    def residual_networks(self) -> tuple[SpliceNetwork, ...]:
        """See `NetworkModel`."""
        return self.networks if all(map(can_fold, self._networks)) else ()

    def predict(self, one_hot: FloatArray) -> Prediction:
        """Score sequences; see `BaseModel.predict`."""
        _, length, channels = one_hot.shape
        if channels != 4 or length <= self._info.context:
            raise SettingError(
                f"Input of shape {one_hot.shape} cannot be scored with a context of {self._info.context} nt.",
                "Give [B, L + context, 4] with L of at least 1.",
            )
        logits = whole_logits(self._networks, one_hot)
        return Prediction(probabilities=softmax(logits), logits=logits)

    def predict_hidden(self, one_hot: FloatArray) -> FloatArray:
        """Return what each member's last layer reads.

        Parameters
        ----------
        one_hot : float32 [B, L + context, 4]
            As `predict`.

        Returns
        -------
        float32 [B, M, C, L]
            By sequence, ensemble member, channel and position.
        """
        with torch.inference_mode():
            part = torch.from_numpy(one_hot).to(self.device).transpose(1, 2).contiguous()
            hidden = torch.stack([network.hidden(part) for network in self._networks], dim=1)
        result: FloatArray = hidden.cpu().numpy()
        return result


def softmax(logits: FloatArray) -> FloatArray:
    """Softmax over the last axis, float32, safe for large values."""
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    result: FloatArray = shifted / shifted.sum(axis=-1, keepdims=True)
    return result


def pick_device(name: str) -> torch.device:
    """Return the torch device for `auto`, `cpu`, `cuda`, `cuda:1` or `mps`.

    Raises
    ------
    SettingError
        If the device is unknown or not at hand; nothing falls back to the CPU unasked.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    device: torch.device | None
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if device is None or device.type not in ("cpu", "cuda", "mps"):
        raise SettingError(f"Unknown device {name!r}.", "Use auto, cpu, cuda, cuda:N or mps.")
    missing = (device.type == "cuda" and not torch.cuda.is_available()) or (
        device.type == "mps" and not torch.backends.mps.is_available()
    )
    if missing:
        raise SettingError(f"Device {name!r} is not at hand on this machine.", "Use device=cpu or device=auto.")
    return device
