"""A trained model as one file: tensors, and a card that says what the model is, what it needs and where it is from.

The file is safetensors: no code is run when it is read. Its metadata hold the card as JSON and a digest of card and
tensors. Reading refuses a damaged file and a model that does not fit what it is asked to do. No weights are downloaded:
a pretrained encoder is built empty, because its weights are in the file.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from agentic_spliceai.splice_engine.base_layer.model import ModelInfo
from agentic_spliceai.splice_engine.errors import CheckpointError, SettingError
from agentic_spliceai.splice_engine.meta_layer.models.base import MetaModule
from agentic_spliceai.splice_engine.meta_layer.models.registry import build_model, name_of
from agentic_spliceai.splice_engine.meta_layer.training.calibration import Calibration, Threshold

FORMAT = 1
"""Version of the file; a reader knows this one only."""

Build = Callable[[str, Mapping[str, Any]], MetaModule]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")


class BaseProvenance(_Frozen):
    """The base model whose scores the model was trained on."""

    predictor: str
    version: str
    weights_sha256: tuple[str, ...] = Field(description="One digest a file, in the order of the ensemble's members.")

    @classmethod
    def of(cls, info: ModelInfo) -> BaseProvenance:
        """Return what identifies a loaded base model."""
        return cls(predictor=info.name, version=info.version, weights_sha256=info.weights_sha256)


class ModelCard(_Frozen):
    """What a checkpoint says about its model."""

    model: str = Field(default="", description="Name in `models.registry`, or module:Class of a model of one's own.")
    options: dict[str, Any] = Field(default_factory=dict, description="Arguments of the model's constructor.")
    task: str = ""
    config: dict[str, Any] | None = Field(default=None, description="MetaLayerConfig, as JSON.")
    features: tuple[str, ...] = Field(default=(), description="Names of the scalar features, in order.")
    normaliser: dict[str, Any] | None = Field(default=None, description="Its numbers, fitted on training data.")
    base: BaseProvenance | None = None
    window: int | None = Field(default=None, description="Positions of the sequences that it was trained on.")
    sequence_form: str | None = Field(default=None, description="one_hot or tokens, where the data say so.")
    domain: dict[str, float] = Field(
        default_factory=dict, description="How far the training variants reach: site_distance and allele_length, nt."
    )
    data_digest: str | None = Field(default=None, description="Of every training and validation example.")
    code_digest: str = Field(default="", description="`code_digest()` when the model was trained.")
    thresholds: dict[str, Threshold] = Field(default_factory=dict, description="By what they are for.")
    calibration: dict[str, Calibration] = Field(default_factory=dict, description="By the output they are for.")
    seed: int | None = None
    metrics: dict[str, float] = Field(default_factory=dict, description="On validation, at this epoch.")

    @property
    def schema_digest(self) -> str:
        """Digest of the names of the features and their order."""
        return schema_digest(self.features)

    @property
    def sha256(self) -> str:
        """Digest of the card, which results name."""
        return hashlib.sha256(self._text().encode()).hexdigest()

    @property
    def same_code(self) -> bool:
        """Whether model and features are defined by the code that the model was trained with."""
        return self.code_digest == code_digest()

    @model_validator(mode="after")
    def _normaliser_fits(self) -> ModelCard:
        names = None if self.normaliser is None else self.normaliser.get("names")
        if names is not None and tuple(names) != self.features:
            raise ValueError(f"the normaliser is for other features: {_difference(self.features, tuple(names))}")
        return self

    def _text(self) -> str:
        return json.dumps(self.model_dump(mode="json"), sort_keys=True)


@dataclass(frozen=True)
class CheckpointContent:
    """A model and its card.

    Attributes
    ----------
    model
        As it was trained; after loading on the CPU and in evaluation mode.
    card
        Before saving, `model`, `options`, `task` and `code_digest` may be left out: they are filled in.
    """

    model: MetaModule
    card: ModelCard


def save_checkpoint(path: Path, content: CheckpointContent) -> ModelCard:
    """Write a model and its card, replacing the file in one step.

    Returns
    -------
    ModelCard
        The card as it was written, with what was filled in.

    Raises
    ------
    CheckpointError
        If the model cannot be built again from its options.
    """
    model, card = content.model, content.card
    card = ModelCard.model_validate(
        card.model_dump()
        | {
            "model": card.model or _name(model),
            "options": _plain(model.config),
            "task": model.task,
            "code_digest": card.code_digest or code_digest(),
        }
    )
    # Each tensor on its own: safetensors refuses those that share memory, as tied weights do.
    tensors = {name: t.detach().cpu().contiguous().clone() for name, t in model.state_dict().items()}
    text = card._text()
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        save_file(tensors, part, {"format": str(FORMAT), "card": text, "sha256": _digest(text, tensors)})
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return card


def load_checkpoint(
    path: Path,
    *,
    expect_schema: Sequence[str] | None = None,
    expect_normaliser: Mapping[str, Any] | None = None,
    expect_base: BaseProvenance | ModelInfo | None = None,
    strict: bool = False,
    build: Build | None = None,
) -> CheckpointContent:
    """Read a model.

    Parameters
    ----------
    path
        The file.
    expect_schema
        Names of the features that the model will be given, in order.
    expect_normaliser
        Numbers of the normaliser that its features will have been through.
    expect_base
        The base model whose scores it will be given.
    strict
        Refuse a model that was trained with other code of models and features; otherwise see `card.same_code`.
    build
        Makes the empty model from name and options; by default the registry's `build_model`. A model that is not in
        the registry needs it: a file does not decide which code is imported.

    Raises
    ------
    CheckpointError
        If the file is missing, damaged, of an unknown format, lacks a tensor or has one too many, or does not fit one
        of the expectations.
    """
    card, tensors = _read(path)
    _check(path, card, expect_schema, expect_normaliser, expect_base)
    if strict and not card.same_code:
        raise CheckpointError(
            f"{path} was trained with other code of models and features ({card.code_digest[:12]}).",
            "Train again, install the version it was trained with, or load with strict=False.",
        )
    try:
        model = _built(card.model, card.options, build)
    except (SettingError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"{path}: {card.model} cannot be built with its options: {error}",
            "Install the version of agentic-spliceai that wrote the file.",
        ) from error
    expected = model.state_dict()
    wrong = {
        "lacks": sorted(set(expected) - set(tensors)),
        "has one too many": sorted(set(tensors) - set(expected)),
        "has another shape of": sorted(
            name for name in set(tensors) & set(expected) if tensors[name].shape != expected[name].shape
        ),
    }
    for what, names in wrong.items():
        if names:
            raise CheckpointError(
                f"{path} {what}: {', '.join(names[:3])} ({len(names)} in all).",
                "It was written by another version of the model.",
            )
    model.load_state_dict(tensors)
    return CheckpointContent(model.eval(), card)


def read_card(path: Path) -> ModelCard:
    """Read a checkpoint's card, after checking the whole file; raises as `load_checkpoint`."""
    return _read(path)[0]


def schema_digest(features: Sequence[str]) -> str:
    """Return the sha256 of feature names in their order."""
    return hashlib.sha256("\n".join(features).encode()).hexdigest()


def weights_digest(model: MetaModule) -> str:
    """Return the sha256 of a model's tensors and their names."""
    return _digest("", {name: tensor.detach().cpu() for name, tensor in model.state_dict().items()})


@cache
def code_digest() -> str:
    """Return the sha256 over the sources that define models and features: `models/` and `data/` of this package."""
    root = Path(__file__).parent
    digest = hashlib.sha256()
    for source in sorted(p.relative_to(root) for part in ("models", "data") for p in (root / part).rglob("*.py")):
        # Line endings are git's business, not the code's.
        text = (root / source).read_bytes().replace(b"\r\n", b"\n")
        digest.update(f"{source.as_posix()}\0{len(text)}\0".encode() + text)
    return digest.hexdigest()


def _read(path: Path) -> tuple[ModelCard, dict[str, Tensor]]:
    advice = "Fetch or train the model again."
    if not path.is_file():
        raise CheckpointError(f"There is no checkpoint {path}.", "Check the path, or train a model.")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} is damaged, or no checkpoint: {error}.", advice) from error
    if metadata.get("format") != str(FORMAT) or "card" not in metadata:
        raise CheckpointError(
            f"{path} has format {metadata.get('format')!r}; this version reads {FORMAT}.",
            "Take a checkpoint of `save_checkpoint`, or another version of agentic-spliceai.",
        )
    if metadata.get("sha256") != _digest(metadata["card"], tensors):
        raise CheckpointError(
            f"{path} is damaged: its content does not have the digest that it was written with.", advice
        )
    try:
        return ModelCard.model_validate_json(metadata["card"]), tensors
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "card"
        raise CheckpointError(f"{path}: {where}: {first['msg']}.", advice) from error


def _check(
    path: Path,
    card: ModelCard,
    schema: Sequence[str] | None,
    normaliser: Mapping[str, Any] | None,
    base: BaseProvenance | ModelInfo | None,
) -> None:
    if schema is not None and tuple(schema) != card.features:
        raise CheckpointError(
            f"{path} was trained on other features: {_difference(card.features, tuple(schema))}.",
            "Compute the features of the checkpoint's card, in its order.",
        )
    if normaliser is not None and _plain(normaliser) != card.normaliser:
        raise CheckpointError(
            f"{path} was trained on features that were normalised with other numbers.",
            "Normalise with the numbers of the checkpoint's card.",
        )
    if base is not None:
        wanted = base if isinstance(base, BaseProvenance) else BaseProvenance.of(base)
        if wanted != card.base:
            trained = "no base model" if card.base is None else _base_text(card.base)
            raise CheckpointError(
                f"{path} was trained on the scores of {trained}, not of {_base_text(wanted)}.",
                "Score with the base model of the checkpoint's card.",
            )


def _base_text(base: BaseProvenance) -> str:
    return f"{base.predictor} {base.version} ({', '.join(digest[:8] for digest in base.weights_sha256)})"


def _difference(expected: tuple[str, ...], given: tuple[str, ...]) -> str:
    missing, extra = sorted(set(expected) - set(given)), sorted(set(given) - set(expected))
    if missing:
        return f"{missing[0]} is missing ({len(missing)} in all)"
    if extra:
        return f"{extra[0]} is one too many ({len(extra)} in all)"
    return "their order is another"


def _name(model: MetaModule) -> str:
    try:
        return name_of(model)
    except SettingError:
        return f"{type(model).__module__}:{type(model).__qualname__}"


def _plain(value: Any) -> Any:
    """Return an option as JSON has it."""
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, Enum):
        return _plain(value.value)
    if isinstance(value, Path):
        return str(value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise CheckpointError(
        f"An option of the model is a {type(value).__name__}, which no checkpoint can hold.",
        "Build the model from numbers, texts, lists and mappings.",
    )


def _built(name: str, options: Mapping[str, Any], build: Build | None) -> MetaModule:
    options = _without_download(options)
    if build is not None:
        return build(name, options)
    if ":" in name:
        raise CheckpointError(
            f"{name} is not in the registry of models.", "Give `build`, a function of name and options."
        )
    return build_model(name, **options)


def _without_download(value: Any) -> Any:
    """Return options in which `pretrained` is false, also in options of models and encoders inside."""
    if isinstance(value, Mapping):
        return {key: False if key == "pretrained" else _without_download(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_without_download(one) for one in value]
    return value


def _digest(card: str, tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256(card.encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name}\0{tensor.dtype}\0{tuple(tensor.shape)}\0".encode())
        digest.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
