"""Whole genes: the right positions on both strands, what overlaps, what is missing, and what is remembered."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from agentic_spliceai.splice_engine.base_layer.gene_tracks import score_gene
from agentic_spliceai.splice_engine.base_layer.results import Precision
from agentic_spliceai.splice_engine.errors import SettingError
from agentic_spliceai.splice_engine.genome.types import Interval
from agentic_spliceai.splice_engine.meta_layer.checkpoint import BaseProvenance, CheckpointContent, ModelCard
from agentic_spliceai.splice_engine.meta_layer.inference import MetaPredictor
from agentic_spliceai.splice_engine.meta_layer.models.registry import build_model
from agentic_spliceai.splice_engine.tracks import (
    GenePrediction,
    GenePredictor,
    PartStore,
    Refused,
    find_targets,
    genes,
    groups,
    merge,
    predict_genes,
)
from tests.splice_engine.base_layer.test_gene_tracks import network_model
from tests.splice_engine.base_layer.toys import MotifModel

from .toys import SITES, Toy, toy


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Toy:
    return toy(tmp_path_factory.mktemp("toy"))


def predicted(data: Toy, *targets: str | Interval, model: object = None, **options: object) -> list[GenePrediction]:
    wanted = find_targets(targets, data.genome, data.annotation)
    assert not wanted.refused
    found = list(predict_genes(wanted.genes, data.genome, data.annotation, model or MotifModel(), **options))  # type: ignore[arg-type]
    assert all(isinstance(item, GenePrediction) for item in found)
    return found  # type: ignore[return-value]


@pytest.mark.parametrize("name", ["FWD", "REV", "BIG"])
def test_sites_stand_on_the_exonic_bases(data: Toy, name: str) -> None:
    (gene,) = predicted(data, name)
    for column, kind in enumerate(("donor", "acceptor")):
        above = gene.positions[gene.values.base[:, column] > 0.5] + 1
        assert above.tolist() == [SITES[name, kind]]
        assert (gene.positions[gene.sites()[:, column]] + 1).tolist() == [SITES[name, kind]]


@pytest.mark.parametrize("name", ["FWD", "REV"])
def test_values_are_those_of_the_gene_as_the_base_model_scores_it(
    data: Toy, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(genes, "STRETCH", 70)
    model = network_model()
    (gene,) = predicted(data, name, model=model)
    track = score_gene(data.annotation.gene(name), data.genome, model)
    at = [track.index_of(int(position) + 1) for position in gene.positions]
    assert sorted(at) == list(range(len(track)))
    np.testing.assert_allclose(gene.values.base, track.mean[at, :2], atol=1e-6)


def test_a_region_stands_for_parts_of_the_genes_of_both_strands_in_it(data: Toy) -> None:
    model = network_model()
    whole = {item.spans.gene_name: item for item in predicted(data, "FWD", "REV", model=model)}
    parts = predicted(data, "chr1:190-260", Interval(contig="chr1", start=255, end=270), "chr1:300-300", model=model)
    assert {item.spans.gene_name: item.spans.spans for item in parts} == {
        "FWD": ((189, 270), (299, 300)),
        "REV": ((189, 270), (299, 300)),
    }
    for item in parts:
        full = whole[item.spans.gene_name]
        rows = np.isin(full.positions, item.positions)
        np.testing.assert_allclose(item.values.base, full.values.base[rows], atol=1e-6)


def test_what_cannot_be_predicted_has_its_reason_and_the_rest_is_done(data: Toy, tmp_path: Path) -> None:
    bed = tmp_path / "regions.bed"
    bed.write_text("chr1\t600\t620\nchr1\t990\t1000\nchr1\t9\t3\n")
    wanted = find_targets(
        ["FWD", "WRONG", "GAP", "FAR", "OUT", "chr1:1490-1600", "chrQ:1-5", "chr1:8-7"],
        data.genome, data.annotation, bed=bed,
    )  # fmt: skip
    assert [(item.target, item.reason.code) for item in wanted.refused] == [
        ("WRONG", "unknown_gene"),
        ("chr1:1490-1600", "position_out_of_range"),
        ("chrQ:1-5", "unknown_contig"),
        ("chr1:8-7", "invalid_region"),
        ("regions.bed, line 2", "outside_genes"),
        ("regions.bed, line 3", "invalid_region"),
        ("FAR", "unknown_contig"),
        ("OUT", "position_out_of_range"),
    ]
    found = list(predict_genes(wanted.genes, data.genome, data.annotation, MotifModel()))
    assert [item.spans.gene_name for item in found if isinstance(item, GenePrediction)] == ["FWD", "BIG"]
    assert [(item.target, item.reason.code) for item in found if isinstance(item, Refused)] == [("GAP", "no_sequence")]


def test_all_genes_of_a_contig(data: Toy) -> None:
    everything = find_targets([], data.genome, data.annotation, everything=True)
    assert [gene.gene_name for gene in everything.genes] == ["FWD", "REV", "BIG", "SUB", "GAP"]
    assert len(everything) == 300 * 4 + 200
    one = find_targets([], data.genome, data.annotation, everything=True, contigs=["1", "chrM"])
    assert one.genes == everything.genes
    assert [(item.target, item.reason.code) for item in one.refused] == [
        ("chrM", "unknown_contig"),
        ("OUT", "position_out_of_range"),
    ]


def test_there_is_no_value_where_the_genome_has_no_base(tmp_path: Path) -> None:
    bases = list("ACGT" * 375)
    bases[149:155] = "N" * 6
    holed = toy(tmp_path, "".join(bases))
    (gene,) = predicted(holed, "FWD", model=network_model())
    unknown = np.isnan(gene.values.base)
    assert (gene.positions[unknown[:, 0]]).tolist() == list(range(149, 155))
    np.testing.assert_array_equal(unknown[:, 0], unknown[:, 1])


def test_where_genes_of_a_strand_overlap_the_highest_stands(data: Toy) -> None:
    model = network_model()
    found = predicted(data, "SUB", "BIG", model=model)
    merged = merge(found)
    big, sub = (next(item for item in found if item.spans.gene_name == name) for name in ("BIG", "SUB"))
    inner = slice(50, 250)  # of BIG, what SUB covers
    assert not np.allclose(big.values.base[inner], sub.values.base)  # each sees N outside itself
    expected = big.values.base.copy()
    expected[inner] = np.maximum(expected[inner], sub.values.base)
    np.testing.assert_array_equal(merged.values["base"], expected)
    owner = np.array([gene.gene_name for gene in merged.genes])[merged.owners["base"]]
    assert set(owner[:50].ravel()) | set(owner[250:].ravel()) == {"BIG"}
    np.testing.assert_array_equal(owner[inner] == "SUB", sub.values.base > big.values.base[inner])
    again = merge(found[::-1])
    np.testing.assert_array_equal(again.values["base"], merged.values["base"])


def test_genes_are_grouped_by_strand_and_overlap(data: Toy) -> None:
    wanted = find_targets([], data.genome, data.annotation, everything=True).genes
    names = [[gene.gene_name for gene in group] for group in groups(wanted[::-1])]
    assert names == [["FWD"], ["BIG", "SUB"], ["GAP"], ["REV"]]


def test_a_finished_gene_is_not_scored_again(data: Toy, tmp_path: Path) -> None:
    model, store = MotifModel(), PartStore(tmp_path / "parts")
    (first,) = predicted(data, "REV", model=model, parts=store)
    calls = model.calls
    (again,) = predicted(data, "REV", model=model, parts=store)
    assert (first.from_part, again.from_part, model.calls) == (False, True, calls)
    np.testing.assert_array_equal(first.values.base, again.values.base)
    # A damaged part is made anew.
    (part,) = store.folder.iterdir()
    part.write_bytes(part.read_bytes()[:100])
    (mended,) = predicted(data, "REV", model=model, parts=store)
    assert not mended.from_part
    np.testing.assert_array_equal(first.values.base, mended.values.base)


def test_whatever_decides_the_values_makes_another_part(data: Toy, tmp_path: Path) -> None:
    store = PartStore(tmp_path / "parts")
    model = MotifModel()
    predicted(data, "FWD", model=model, parts=store)
    other_bases = toy(tmp_path / "other", data.genome.fetch_padded("chr1", 0, 1500).replace("AAC", "ACC"))
    for given, asked, by in (
        (other_bases, "FWD", model),
        (data, "chr1:101-140", model),
        (data, "chr1:101-141", model),
        (data, "FWD", MotifModel(context=60)),
    ):
        (found,) = predicted(given, asked, model=by, parts=store)
        assert not found.from_part
    (found,) = predicted(data, "FWD", model=model, parts=store)
    assert found.from_part


def test_progress_is_heard_within_a_gene(data: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(genes, "STRETCH", 120)
    heard: list[tuple[str, int]] = []
    predicted(data, "REV", "FWD", heard=lambda gene, done: heard.append((gene.gene_name, done)))
    assert heard == [(name, done) for name in ("FWD", "REV") for done in (120, 240, 300)]


@pytest.mark.parametrize("name", ["FWD", "REV"])
def test_recalibrated_values_stand_where_the_base_models_do(data: Toy, name: str, tmp_path: Path) -> None:
    model, gene = network_model(), data.annotation.gene(name)
    module = build_model("recalibrator")
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    card = ModelCard(base=BaseProvenance.of(model.info), task=module.task)
    meta = MetaPredictor([CheckpointContent(module, card)])
    region = "chr1:120-149" if name == "FWD" else "chr1:405-434"  # where it is alone
    store = PartStore(tmp_path)
    (found,) = predicted(data, region, model=model, meta=meta, parts=store)
    (plain,) = predicted(data, region, model=model, parts=store)
    assert not plain.from_part  # another part than the one with recalibrated values
    np.testing.assert_allclose(found.values.base, plain.values.base, atol=1e-6)
    track = meta.recalibrate(gene, data.genome, model)
    at = [track.positions.tolist().index(position + 1) for position in found.positions.tolist()]
    assert found.values.recalibrated is not None
    np.testing.assert_array_equal(found.values.recalibrated, track.probabilities[at, :2])
    assert not np.allclose(found.values.recalibrated, found.values.base, atol=1e-3)
    (again,) = predicted(data, region, model=model, meta=meta, parts=store)
    assert again.from_part
    np.testing.assert_array_equal(again.values.recalibrated, found.values.recalibrated)


def test_a_meta_model_reads_full_precision_only(data: Toy) -> None:
    with pytest.raises(SettingError, match="float32"):
        GenePredictor(data.genome, data.annotation, MotifModel(), meta=object(), precision=Precision.BFLOAT16)  # type: ignore[arg-type]
