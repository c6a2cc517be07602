"""Models by name: built from a name and options, and named again, so that a checkpoint needs no pickled class."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Any

from agentic_spliceai.splice_engine.errors import SettingError
from agentic_spliceai.splice_engine.meta_layer.models.base import MetaModule
from agentic_spliceai.splice_engine.meta_layer.models.naming import construct, unknown

MODELS: Mapping[str, str] = MappingProxyType(
    {
        "meta_splice": "meta_splice:MetaSpliceModel",
        "recalibrator": "recalibrator:Recalibrator",
        "delta": "delta_predictor:DeltaPredictor",
        "delta_v2": "delta_predictor_v2:DeltaPredictorV2",
        "simple_cnn_delta": "hyenadna_delta_predictor:SimpleCNNDeltaPredictor",
        "validated_delta": "validated_delta_predictor:ValidatedDeltaPredictor",
        "hyenadna_delta": "hyenadna_models:HyenaDNADeltaPredictor",
        "hyenadna_binary": "hyenadna_models:HyenaDNABinaryClassifier",
        "siamese_hyenadna": "hyenadna_models:SiameseHyenaDNA",
        "splice_inducing": "splice_inducing:SpliceInducingClassifier",
        "effect_type": "effect_type:EffectTypeClassifier",
        "attention_localizer": "localizers:AttentionPositionLocalizer",
        "segmentation_localizer": "localizers:SegmentationPositionLocalizer",
        "conditioned_delta": "conditioned_delta:ConditionedDeltaPredictor",
        "multi_step": "multi_step:MultiStepPredictor",
        "ensemble": "ensemble:Ensemble",
        "cnn_hyenadna_ensemble": "ensemble:CNNHyenaDNAEnsemble",
        "calibrated": "delta_predictor_calibrated:CalibratedDeltaPredictor",
        "variant_aware": "variant_aware:VariantAwareModel",
    }
)
"""Names and their classes, as `module:class` of this package; a class is imported when it is first asked for."""

Spec = Mapping[str, Any]
"""A model inside another's configuration: `name`, and `options` where there are any."""


def model_class(name: str) -> type[MetaModule]:
    """Return the class called `name`.

    Raises
    ------
    SettingError
        If there is none; the advice lists near names.
    MissingExtraError
        If it needs a library that is not installed.
    """
    if name not in MODELS:
        raise unknown("model", name, MODELS)
    module, _, cls = MODELS[name].partition(":")
    found: type[MetaModule] = getattr(import_module(f"{__package__}.{module}"), cls)
    return found


def build_model(name: str, **options: Any) -> MetaModule:
    """Return a new model.

    Parameters
    ----------
    name
        One of `MODELS`.
    options
        Its constructor's arguments; `build_model(name_of(model), **model.config)` is a model of the same shape.

    Raises
    ------
    SettingError
        If the name or an option is unknown, or a necessary option is missing.
    """
    model: MetaModule = construct(model_class(name), options, what=f"the model {name}")
    return model


def name_of(model: MetaModule) -> str:
    """Return the name under which a model's class is registered.

    Raises
    ------
    SettingError
        If it is not.
    """
    home = f"{type(model).__module__.removeprefix(f'{__package__}.')}:{type(model).__qualname__}"
    for name, place in MODELS.items():
        if place == home:
            return name
    raise SettingError(f"{type(model).__name__} is not registered.", "Add it to MODELS in models/registry.py.")


def as_spec(model: MetaModule) -> dict[str, Any]:
    """Return the name and options that build a model of the same shape."""
    return {"name": name_of(model), "options": dict(model.config)}


def from_spec(spec: Spec | MetaModule) -> MetaModule:
    """Return a model as it is, or build the one that a `Spec` describes.

    Raises
    ------
    SettingError
        If the spec has no name, or a key besides `name` and `options`.
    """
    if isinstance(spec, MetaModule):
        return spec
    if "name" not in spec or set(spec) - {"name", "options"}:
        raise SettingError(f"{dict(spec)} describes no model.", "Give name, and options where there are any.")
    return build_model(spec["name"], **spec.get("options", {}))
