"""Where tools find a trained meta-layer model, and the base model that it reads."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from agentic_spliceai.splice_engine.errors import CheckpointError
from agentic_spliceai.splice_engine.meta_layer.results import VariantPrediction
from agentic_spliceai.tools.context import ToolContext
from agentic_spliceai.tools.spec import ToolArgumentError

if TYPE_CHECKING:
    from agentic_spliceai.splice_engine.base_layer.model import BaseModel
    from agentic_spliceai.splice_engine.meta_layer.inference import MetaPredictor

MODEL = "Trained meta-layer model: a checkpoint, or a folder with an ensemble's; null takes the default one, if any."


def find_meta_model(name: str | None, context: ToolContext) -> MetaPredictor | None:
    """Return the trained model at the path `name`, or None where no name is given and there is no default model.

    Raises
    ------
    CheckpointError
        If there is no such file or folder, or it holds no usable model: another model is never taken instead.
    """
    if name is None:
        return None
    from agentic_spliceai.splice_engine.meta_layer.inference import MetaPredictor

    path = Path(name).expanduser()
    if not path.exists():
        raise CheckpointError(
            f"There is no trained model {name!r}.", "Give a checkpoint, or a folder with the members of an ensemble."
        )
    return context.resources.once(
        ("meta_model", path.resolve()), lambda: MetaPredictor.load(path, device=context.settings.device)
    )


def base_model_of(predictor: MetaPredictor, context: ToolContext) -> BaseModel:
    """Return the base model whose scores the trained model reads.

    Raises
    ------
    CheckpointError
        If the checkpoint names none.
    RegistryError, WeightsError, ResourceError
        If it cannot be loaded.
    """
    if predictor.base is None:
        raise CheckpointError(
            "The trained model does not say which base model it reads.", "Take one that was trained by this package."
        )
    return context.resources.base_model(predictor.base.predictor)


def no_trained_model() -> str:
    """Say that there is no model, and what the result rests on instead."""
    return (
        "No trained meta-layer model is available: the result rests on the base model's scores alone, and no "
        "calibrated probability is given."
    )


def not_judged(gene: str, row: VariantPrediction) -> ToolArgumentError:
    """Return the error for a variant that a trained model cannot judge on a gene."""
    why = row.not_scored
    return ToolArgumentError(
        f"The meta-layer cannot judge {row.text} on {gene}: {why.message if why else 'no reason given'}",
        why.advice if why else "Leave the trained model out.",
    )
