"""The weights that ship: they load, are small, are described, and find the sites of genes that were held out."""

from __future__ import annotations

import hashlib
import json
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from agentic_spliceai.splice_engine.base_layer.loaders import load_safetensors
from agentic_spliceai.splice_engine.base_layer.training.card import render_card
from agentic_spliceai.splice_engine.base_layer.training.corpus import IGNORE, build_corpus
from agentic_spliceai.splice_engine.base_layer.training.export import read_metadata
from agentic_spliceai.splice_engine.base_layer.training.metrics import Ranking
from agentic_spliceai.splice_engine.base_layer.training.predict import score_span
from agentic_spliceai.splice_engine.base_layer.training.split import TEST, ChromosomeSplit
from agentic_spliceai.splice_engine.genome.annotation import GeneAnnotation
from agentic_spliceai.splice_engine.genome.reference import ReferenceGenome

TOP_K_FLOOR = 0.7
"""Well below what the card states for all test genes, so that a broken loader or file fails and noise does not."""


@pytest.fixture(scope="module")
def folder() -> Path:
    return Path(str(files("agentic_spliceai.splice_engine.base_layer"))) / "weights"


def test_the_file_is_small_and_its_networks_are_sound(folder: Path) -> None:
    path = folder / "small-400nt.safetensors"
    assert path.stat().st_size < 1_100_000
    networks = load_safetensors(path, 400)
    assert len(networks) == read_metadata(path)["members"]


def test_the_card_belongs_to_the_file(folder: Path) -> None:
    card = json.loads((folder / "small-400nt.json").read_text(encoding="utf-8"))
    digest = hashlib.sha256((folder / "small-400nt.safetensors").read_bytes()).hexdigest()
    assert card["evaluation"]["weights_sha256"] == digest
    assert (folder / "small-400nt.md").read_text(encoding="utf-8") == render_card(card)
    metadata = read_metadata(folder / "small-400nt.safetensors")
    assert card["training"] == metadata["training"]
    assert metadata["corpus"]["split"]["test"] == ["chr1", "chr3", "chr5", "chr7", "chr9"]


def test_held_out_genes_are_read(mirror: Path, folder: Path) -> None:
    annotation = GeneAnnotation.load(mirror / "GRCh38" / "annotation.gtf.gz")
    genes = [g for g in annotation.genes if g.name in {"MLH1", "APC"}]
    with ReferenceGenome(mirror / "GRCh38" / "genome.fa.gz") as genome:
        corpus = build_corpus(genes, genome.fetch_padded, ChromosomeSplit(), flank=200)
    assert {x.split for x in corpus.loci} == {TEST}
    networks = load_safetensors(folder / "small-400nt.safetensors", 400)
    for kind in (0, 1):
        scores, truth = [], []
        for locus in corpus.loci:
            begin, end = locus.offset, min(locus.offset + locus.length, locus.offset + 100_000)
            known = corpus.labels[begin:end] != IGNORE
            scores.append(score_span(networks, corpus, begin, end).mean(axis=0)[known, kind])
            truth.append(corpus.labels[begin:end][known] == kind)
        topk, _ = Ranking.of(scores, truth).measures()
        assert np.concatenate(truth).sum() > 20
        assert topk > TOP_K_FLOOR
