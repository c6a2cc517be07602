"""The models of the meta-layer, imported when they are first used.

`registry.build_model` makes any of them from its name and options.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agentic_spliceai.splice_engine.meta_layer.models.base import MetaModule, SequenceEncoder
    from agentic_spliceai.splice_engine.meta_layer.models.conditioned_delta import ConditionedDeltaPredictor
    from agentic_spliceai.splice_engine.meta_layer.models.delta_predictor import DeltaPredictor
    from agentic_spliceai.splice_engine.meta_layer.models.delta_predictor_calibrated import (
        CalibratedDeltaPredictor,
        create_calibrated_predictor,
    )
    from agentic_spliceai.splice_engine.meta_layer.models.delta_predictor_v2 import DeltaPredictorV2
    from agentic_spliceai.splice_engine.meta_layer.models.effect_type import EffectTypeClassifier
    from agentic_spliceai.splice_engine.meta_layer.models.encoders import (
        CNNEncoder,
        GatedCNNEncoder,
        NoSequenceEncoder,
    )
    from agentic_spliceai.splice_engine.meta_layer.models.ensemble import CNNHyenaDNAEnsemble, Ensemble
    from agentic_spliceai.splice_engine.meta_layer.models.factory import SequenceEncoderFactory
    from agentic_spliceai.splice_engine.meta_layer.models.fusion import (
        ConcatFusion,
        CrossAttentionFusion,
        GatedFusion,
        create_fusion,
    )
    from agentic_spliceai.splice_engine.meta_layer.models.huggingface_encoder import HuggingFaceEncoder
    from agentic_spliceai.splice_engine.meta_layer.models.hyenadna_delta_predictor import SimpleCNNDeltaPredictor
    from agentic_spliceai.splice_engine.meta_layer.models.hyenadna_encoder import HyenaDNAEncoder
    from agentic_spliceai.splice_engine.meta_layer.models.hyenadna_models import (
        HyenaDNABinaryClassifier,
        HyenaDNADeltaPredictor,
        SiameseHyenaDNA,
    )
    from agentic_spliceai.splice_engine.meta_layer.models.localizers import (
        AttentionPositionLocalizer,
        SegmentationPositionLocalizer,
    )
    from agentic_spliceai.splice_engine.meta_layer.models.meta_splice import MetaSpliceModel
    from agentic_spliceai.splice_engine.meta_layer.models.multi_step import MultiStepPredictor, MultiStepResult
    from agentic_spliceai.splice_engine.meta_layer.models.recalibrator import Recalibrator
    from agentic_spliceai.splice_engine.meta_layer.models.registry import MODELS, build_model, name_of
    from agentic_spliceai.splice_engine.meta_layer.models.score_encoder import ScoreEncoder
    from agentic_spliceai.splice_engine.meta_layer.models.splice_inducing import SpliceInducingClassifier
    from agentic_spliceai.splice_engine.meta_layer.models.validated_delta_predictor import ValidatedDeltaPredictor
    from agentic_spliceai.splice_engine.meta_layer.models.variant_aware import VariantAwareModel

_HOMES = {
    "MODELS": "registry",
    "AttentionPositionLocalizer": "localizers",
    "CNNEncoder": "encoders",
    "CNNHyenaDNAEnsemble": "ensemble",
    "CalibratedDeltaPredictor": "delta_predictor_calibrated",
    "ConcatFusion": "fusion",
    "ConditionedDeltaPredictor": "conditioned_delta",
    "CrossAttentionFusion": "fusion",
    "DeltaPredictor": "delta_predictor",
    "DeltaPredictorV2": "delta_predictor_v2",
    "EffectTypeClassifier": "effect_type",
    "Ensemble": "ensemble",
    "GatedCNNEncoder": "encoders",
    "GatedFusion": "fusion",
    "HuggingFaceEncoder": "huggingface_encoder",
    "HyenaDNABinaryClassifier": "hyenadna_models",
    "HyenaDNADeltaPredictor": "hyenadna_models",
    "HyenaDNAEncoder": "hyenadna_encoder",
    "MetaModule": "base",
    "MetaSpliceModel": "meta_splice",
    "MultiStepPredictor": "multi_step",
    "MultiStepResult": "multi_step",
    "NoSequenceEncoder": "encoders",
    "Recalibrator": "recalibrator",
    "ScoreEncoder": "score_encoder",
    "SegmentationPositionLocalizer": "localizers",
    "SequenceEncoder": "base",
    "SequenceEncoderFactory": "factory",
    "SiameseHyenaDNA": "hyenadna_models",
    "SimpleCNNDeltaPredictor": "hyenadna_delta_predictor",
    "SpliceInducingClassifier": "splice_inducing",
    "ValidatedDeltaPredictor": "validated_delta_predictor",
    "VariantAwareModel": "variant_aware",
    "build_model": "registry",
    "create_calibrated_predictor": "delta_predictor_calibrated",
    "create_fusion": "fusion",
    "name_of": "registry",
}

__all__ = [
    "MODELS",
    "AttentionPositionLocalizer",
    "CNNEncoder",
    "CNNHyenaDNAEnsemble",
    "CalibratedDeltaPredictor",
    "ConcatFusion",
    "ConditionedDeltaPredictor",
    "CrossAttentionFusion",
    "DeltaPredictor",
    "DeltaPredictorV2",
    "EffectTypeClassifier",
    "Ensemble",
    "GatedCNNEncoder",
    "GatedFusion",
    "HuggingFaceEncoder",
    "HyenaDNABinaryClassifier",
    "HyenaDNADeltaPredictor",
    "HyenaDNAEncoder",
    "MetaModule",
    "MetaSpliceModel",
    "MultiStepPredictor",
    "MultiStepResult",
    "NoSequenceEncoder",
    "Recalibrator",
    "ScoreEncoder",
    "SegmentationPositionLocalizer",
    "SequenceEncoder",
    "SequenceEncoderFactory",
    "SiameseHyenaDNA",
    "SimpleCNNDeltaPredictor",
    "SpliceInducingClassifier",
    "ValidatedDeltaPredictor",
    "VariantAwareModel",
    "build_model",
    "create_calibrated_predictor",
    "create_fusion",
    "name_of",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(_HOMES)
