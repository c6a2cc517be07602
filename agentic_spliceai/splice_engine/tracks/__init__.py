"""Splice-site probabilities along whole genes: what is wanted, each gene's values, and one value a position."""

from agentic_spliceai.splice_engine.tracks.genes import CLASSES, GenePrediction, GenePredictor, predict_genes
from agentic_spliceai.splice_engine.tracks.merge import MergedStretch, groups, merge
from agentic_spliceai.splice_engine.tracks.parts import GeneValues, PartStore
from agentic_spliceai.splice_engine.tracks.targets import GeneSpans, Refused, Targets, find_targets

__all__ = [
    "CLASSES",
    "GenePrediction",
    "GenePredictor",
    "GeneSpans",
    "GeneValues",
    "MergedStretch",
    "PartStore",
    "Refused",
    "Targets",
    "find_targets",
    "groups",
    "merge",
    "predict_genes",
]
