"""Tracks along whole genes: the same as variant scoring sees, whatever the tiles, on either strand."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from agentic_spliceai.splice_engine.base_layer.gene_tracks import GeneTrack, score_gene
from agentic_spliceai.splice_engine.base_layer.model import EnsembleModel, ModelInfo
from agentic_spliceai.splice_engine.base_layer.network import NetworkSpec, SpliceNetwork
from agentic_spliceai.splice_engine.base_layer.results import SpliceClass
from agentic_spliceai.splice_engine.base_layer.scoring import score_variant
from agentic_spliceai.splice_engine.errors import SettingError
from agentic_spliceai.splice_engine.genome.annotation import GeneAnnotation
from agentic_spliceai.splice_engine.genome.reference import ReferenceGenome
from agentic_spliceai.splice_engine.genome.sequence import one_hot, reverse_complement
from agentic_spliceai.splice_engine.genome.types import Gene, Variant

from .toys import ACCEPTOR_MOTIF, DONOR_MOTIF, THRESHOLDS, MotifModel, write_genome, write_gtf

LENGTH = 600


def toy_sequence() -> str:
    """Exons at 101-200 and 301-400 (1-based) of a plus-strand gene."""
    rng = np.random.default_rng(3)
    bases = rng.choice(list("ACGT"), LENGTH)
    bases[197:205] = list(DONOR_MOTIF)
    bases[294:301] = list(ACCEPTOR_MOTIF)
    return "".join(bases)


@dataclass(frozen=True)
class Toy:
    genome: ReferenceGenome
    annotation: GeneAnnotation

    @property
    def gene(self) -> Gene:
        return self.annotation.gene("G")


def make(folder: Path, sequence: str, strand: str) -> Toy:
    folder.mkdir(exist_ok=True)
    exons = [(101, 200), (301, 400)] if strand == "+" else [(201, 300), (401, 500)]
    return Toy(
        ReferenceGenome(write_genome(folder, sequence), cache_dir=folder),
        GeneAnnotation.load(write_gtf(folder, [("G", "chr1", strand, exons)]), cache_dir=folder),
    )


@pytest.fixture
def plus(tmp_path: Path) -> Toy:
    return make(tmp_path / "plus", toy_sequence(), "+")


@pytest.fixture
def minus(tmp_path: Path) -> Toy:
    return make(tmp_path / "minus", reverse_complement(toy_sequence()), "-")


def network_model(context: int = 80, members: int = 2) -> EnsembleModel:
    torch.manual_seed(1)
    networks = [SpliceNetwork(NetworkSpec.for_context(context)) for _ in range(members)]
    info = ModelInfo("random", "1", ("0" * 64,), context, members, None, "toy", THRESHOLDS)
    return EnsembleModel(info, networks)


def test_sites_stand_on_the_exonic_bases(plus: Toy) -> None:
    track = score_gene(plus.gene, plus.genome, MotifModel())
    assert (track.start, track.end, len(track)) == (100, 400, 300)
    assert track.positions[track.mean[:, SpliceClass.DONOR] > 0.5].tolist() == [200]
    assert track.positions[track.mean[:, SpliceClass.ACCEPTOR] > 0.5].tolist() == [301]
    assert track.index_of(200) == 99
    with pytest.raises(IndexError, match="chr1:401"):
        track.index_of(401)


def test_a_minus_strand_gene_is_its_reverse_complement_on_the_plus_strand(plus: Toy, minus: Toy) -> None:
    model = network_model()
    one, other = score_gene(plus.gene, plus.genome, model), score_gene(minus.gene, minus.genome, model)
    assert one.bases == other.bases
    np.testing.assert_array_equal(one.logits, other.logits)
    np.testing.assert_array_equal(other.positions, LENGTH + 1 - one.positions)
    assert other.index_of(int(other.positions[7])) == 7


@pytest.mark.parametrize("tile", [1, 7, 100, 299])
def test_tiles_do_not_show(plus: Toy, tile: int) -> None:
    model = network_model()
    whole, tiled = score_gene(plus.gene, plus.genome, model), score_gene(plus.gene, plus.genome, model, tile=tile)
    np.testing.assert_allclose(tiled.logits, whole.logits, atol=1e-5)
    np.testing.assert_allclose(tiled.probabilities, whole.probabilities, atol=1e-6)


def test_a_part_is_scored_as_in_the_whole(minus: Toy) -> None:
    model = network_model()
    whole = score_gene(minus.gene, minus.genome, model)
    part = score_gene(minus.gene, minus.genome, model, start=250, end=333)
    at = [whole.index_of(int(position)) for position in part.positions]
    np.testing.assert_allclose(part.logits, whole.logits[:, at], atol=1e-5)
    assert part.bases == "".join(whole.bases[i] for i in at)


def test_only_the_gene_is_seen(tmp_path: Path, plus: Toy) -> None:
    sequence = toy_sequence()
    altered = reverse_complement(sequence[:100])[::-1] + sequence[100:400] + "A" * 200
    other = make(tmp_path / "other", altered, "+")
    model = network_model()
    np.testing.assert_array_equal(
        score_gene(plus.gene, plus.genome, model).logits, score_gene(other.gene, other.genome, model).logits
    )


@pytest.mark.parametrize("strand", ["+", "-"])
def test_it_is_what_variant_scoring_sees_of_the_reference(strand: str, plus: Toy, minus: Toy) -> None:
    toy = plus if strand == "+" else minus
    model = network_model()
    track = score_gene(toy.gene, toy.genome, model)
    position = 250
    ref = toy.genome.fetch_padded("chr1", position - 1, position)
    variant = Variant(contig="chr1", position=position, ref=ref, alt="A" if ref != "A" else "C")
    [delta] = score_variant(variant, toy.genome, toy.annotation, model, distance=40)
    assert delta.tracks is not None
    seen = delta.tracks.ref
    at = [track.index_of(int(place)) for place in seen.positions]
    np.testing.assert_allclose(track.probabilities[:, at], seen.probabilities, atol=1e-6)


def test_what_was_not_real_is_counted(tmp_path: Path) -> None:
    sequence = toy_sequence()
    toy = make(tmp_path / "n", sequence[:150] + "N" * 20 + sequence[170:410], "+")
    model = MotifModel(context=240)
    track = score_gene(toy.gene, toy.genome, model)
    # The window is 120 either side of 100-400: 20 before base 0, and 110 past base 410, the contig's last.
    assert track.context.total == 300 + 240
    assert track.context.real == 280
    assert track.context.no_sequence == 20
    assert track.context.past_contig_end == 20 + 110
    assert track.context.outside_gene == 100 + 10
    assert track.bases[50:70] == "N" * 20


def test_provenance_names_model_and_genome(plus: Toy) -> None:
    track: GeneTrack = score_gene(plus.gene.representative, plus.genome, MotifModel())
    assert (track.gene_id, track.gene_name) == ("G", "G")
    assert (track.provenance.predictor, track.provenance.context) == ("motif", 40)
    assert "toy.fa" in track.provenance.genome_id


def test_wrong_parts_are_refused(plus: Toy) -> None:
    for start, end in ((90, 200), (200, 200), (300, 401)):
        with pytest.raises(SettingError, match="no part of G"):
            score_gene(plus.gene, plus.genome, MotifModel(), start=start, end=end)
    with pytest.raises(SettingError, match="tile"):
        score_gene(plus.gene, plus.genome, MotifModel(), tile=0)


class _Shifted(SpliceNetwork):
    """A member with an output of its own."""

    def forward(self, one_hot: torch.Tensor) -> torch.Tensor:
        return super().forward(one_hot) + 1


def test_the_ensemble_computes_what_its_networks_compute() -> None:
    model = network_model(context=400)
    x = one_hot(toy_sequence())[None]
    with torch.inference_mode():
        wanted = [n(torch.from_numpy(x).transpose(1, 2)).transpose(1, 2).numpy()[0] for n in model.networks]
    output = model.predict(x)
    np.testing.assert_allclose(output.logits[0], wanted, atol=1e-5)
    np.testing.assert_allclose(output.probabilities.sum(axis=-1), 1, atol=1e-6)


def test_a_network_of_ones_own_keeps_its_own_forward() -> None:
    torch.manual_seed(1)
    network = _Shifted(NetworkSpec.for_context(80))
    model = EnsembleModel(network_model(members=1).info, [network])
    x = one_hot(toy_sequence())[None]
    with torch.inference_mode():
        wanted = network(torch.from_numpy(x).transpose(1, 2)).transpose(1, 2).numpy()
    np.testing.assert_allclose(model.predict(x).logits[0], wanted, atol=1e-6)
