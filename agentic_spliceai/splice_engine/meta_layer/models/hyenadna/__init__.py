"""HyenaDNA, the causal DNA language model of single-nucleotide resolution, written natively.

Importing this package teaches transformers' Auto classes the model type `hyenadna`, so that published `-hf` folders
load without remote code.

References
----------
Nguyen et al., "HyenaDNA: long-range genomic sequence modeling at single nucleotide resolution", NeurIPS 2023.
"""

from __future__ import annotations

from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, AutoModelForSequenceClassification

from agentic_spliceai.splice_engine.meta_layer.models.hyenadna.configuration import HyenaDNAConfig
from agentic_spliceai.splice_engine.meta_layer.models.hyenadna.loading import load_hyenadna, locate_hyenadna
from agentic_spliceai.splice_engine.meta_layer.models.hyenadna.network import (
    HyenaDNAForCausalLM,
    HyenaDNAForSequenceClassification,
    HyenaDNAModel,
)
from agentic_spliceai.splice_engine.meta_layer.models.hyenadna.releases import RELEASES, Release, find_release
from agentic_spliceai.splice_engine.meta_layer.models.hyenadna.tokenizer import CharacterTokenizer

__all__ = [
    "RELEASES",
    "CharacterTokenizer",
    "HyenaDNAConfig",
    "HyenaDNAForCausalLM",
    "HyenaDNAForSequenceClassification",
    "HyenaDNAModel",
    "Release",
    "find_release",
    "load_hyenadna",
    "locate_hyenadna",
]

AutoConfig.register("hyenadna", HyenaDNAConfig, exist_ok=True)
AutoModel.register(HyenaDNAConfig, HyenaDNAModel, exist_ok=True)
AutoModelForCausalLM.register(HyenaDNAConfig, HyenaDNAForCausalLM, exist_ok=True)
AutoModelForSequenceClassification.register(HyenaDNAConfig, HyenaDNAForSequenceClassification, exist_ok=True)
