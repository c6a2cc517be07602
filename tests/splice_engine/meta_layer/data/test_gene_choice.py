"""The genes of a study: reproducible, wholly sequenced, on the chromosomes of their part."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from agentic_spliceai.splice_engine.base_layer.training.split import ChromosomeSplit
from agentic_spliceai.splice_engine.errors import TrainingDataError
from agentic_spliceai.splice_engine.genome.annotation import GeneAnnotation
from agentic_spliceai.splice_engine.genome.reference import ReferenceGenome
from agentic_spliceai.splice_engine.meta_layer.data.gene_choice import COUNTS, choose_genes

from .artifact_toys import ToyWorld, toy_world


def test_each_part_has_its_chromosomes(world: ToyWorld) -> None:
    chosen = choose_genes(world.annotation, world.genome)
    assert {part: [gene.contig for gene in genes] for part, genes in chosen.items()} == {
        "train": ["chr2", "chr4"],
        "validation": ["chr13", "chr16"],
        "test": ["chr1"],
    }


def test_more_genes_keep_those_chosen_before(tmp_path: Path) -> None:
    contigs = dict.fromkeys(("chr1", "chr13", "chr2", "chr4", "chr6", "chr8", "chr10"), "+")
    world = toy_world(tmp_path, contigs)
    counts = {"train": 1, "validation": 1, "test": 1}
    taken: list[set[str]] = []
    for n in range(1, 6):
        chosen = choose_genes(world.annotation, world.genome, counts={**counts, "train": n})
        taken.append({gene.id for gene in chosen["train"]})
        assert len(taken[-1]) == n
    assert all(small < large for small, large in pairwise(taken))
    firsts = {
        choose_genes(world.annotation, world.genome, counts=counts, seed=seed)["train"][0].id for seed in range(20)
    }
    assert len(firsts) > 1


def test_what_a_gene_has_to_be(world: ToyWorld) -> None:
    train = ChromosomeSplit(test=(), validation=())
    counts = {"train": 9}
    assert len(choose_genes(world.annotation, world.genome, counts=counts, split=train)["train"]) == 5
    for options in ({"min_introns": 4}, {"max_length": 1299}):
        with pytest.raises(TrainingDataError, match="left for train"):
            choose_genes(world.annotation, world.genome, counts=counts, split=train, **options)  # type: ignore[arg-type]
    region = ChromosomeSplit(test=(), validation=(), left_out=(("chr2", 1450, 1460), ("chr4", 1400, 1500)))
    left = choose_genes(world.annotation, world.genome, counts=counts, split=region)["train"]
    assert {gene.contig for gene in left} == {"chr1", "chr4", "chr13", "chr16"}


def test_a_gap_in_the_sequence_rules_a_gene_out(tmp_path: Path) -> None:
    world = toy_world(tmp_path, {"chr2": "+", "chr4": "+"})
    fasta = world.genome.path
    text = fasta.read_text(encoding="ascii").splitlines()
    text[10] = "N" * len(text[10])
    gapped = tmp_path / "gapped.fa"
    gapped.write_text("\n".join(text) + "\n", encoding="ascii")
    chosen = choose_genes(world.annotation, ReferenceGenome(gapped), counts={"train": 9})
    assert [gene.contig for gene in chosen["train"]] == ["chr4"]


def test_the_study_of_canonical_sites_on_real_data(mirror: Path, tmp_path: Path) -> None:
    genome = ReferenceGenome(mirror / "GRCh38" / "genome.fa.gz", cache_dir=tmp_path)
    annotation = GeneAnnotation.load(mirror / "GRCh38" / "annotation.gtf.gz")
    chosen = choose_genes(annotation, genome)
    assert {part: len(genes) for part, genes in chosen.items()} == {"train": 120, "validation": 29, "test": 70}
    assert len(chosen["train"]) <= COUNTS["train"]
    for part, genes in chosen.items():
        for gene in genes:
            assert gene.end - gene.start <= 60_000
            assert len(gene.representative.introns) >= 2
            assert gene.representative.is_coding
            assert (gene.contig in ("chr1", "chr3", "chr5", "chr7", "chr9")) is (part == "test")
            assert not (gene.contig == "chr21" and gene.start < 9_000_000 and gene.end > 5_000_000)
