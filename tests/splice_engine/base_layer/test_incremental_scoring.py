"""`VariantScorer` gives the same scores incrementally as with both alleles run whole."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from agentic_spliceai.splice_engine.base_layer.model import EnsembleModel, ModelInfo
from agentic_spliceai.splice_engine.base_layer.network import NetworkSpec, SpliceNetwork
from agentic_spliceai.splice_engine.base_layer.results import Precision, SpliceDelta
from agentic_spliceai.splice_engine.base_layer.scoring import VariantScorer
from agentic_spliceai.splice_engine.errors import SettingError
from agentic_spliceai.splice_engine.genome.annotation import GeneAnnotation
from agentic_spliceai.splice_engine.genome.reference import ReferenceGenome
from agentic_spliceai.splice_engine.genome.types import Strand, Variant

from .test_incremental import random_network
from .toys import THRESHOLDS, MotifModel, write_genome, write_gtf

LENGTH = 1_000


def _sequence() -> str:
    bases = np.random.default_rng(5).choice(list("ACGT"), LENGTH)
    bases[500:512] = "N"
    return "".join(bases)


SEQUENCE = _sequence()
# Two genes overlap on opposite strands; one begins with the contig, one ends with it.
GENES = [
    ("A", "chr1", "+", [(1, 90), (300, 420)]),
    ("B", "chr1", "-", [(250, 330), (460, 640)]),
    ("C", "chr1", "+", [(600, 700), (800, LENGTH)]),
]


class Own(SpliceNetwork):
    """A network that nothing folds: its own forward, layer by layer as torch has them, is what is computed."""


def ensemble(context: int, *, own: bool = False) -> EnsembleModel:
    networks = [random_network(context, seed, channels=8) for seed in (1, 2)]
    if own:
        for network in networks:
            network.__class__ = Own
    return EnsembleModel(ModelInfo("random", "1", ("0" * 64,), context, 2, None, "toy", THRESHOLDS), networks)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> tuple[ReferenceGenome, GeneAnnotation]:
    folder = tmp_path_factory.mktemp("incremental")
    genome = ReferenceGenome(write_genome(folder, SEQUENCE), cache_dir=folder)
    return genome, GeneAnnotation.load(write_gtf(folder, GENES), cache_dir=folder)


def variants(seed: int, count: int) -> list[Variant]:
    """SNV, insertions, deletions, MNV and delins anywhere in the genes, at their ends, and beside the Ns."""
    rng = np.random.default_rng(seed)
    found: list[Variant] = []
    while len(found) < count:
        position = int(rng.choice([rng.integers(1, LENGTH), rng.integers(1, 4), rng.integers(85, 100), LENGTH - 2]))
        n_ref, n_alt = (int(n) for n in rng.choice([1, 1, 1, 2, 3, int(rng.integers(4, 60))], 2))
        ref = SEQUENCE[position - 1 : position - 1 + n_ref]
        alt = "".join(rng.choice(list("ACGT"), n_alt))
        if alt != ref and "N" not in ref:
            found.append(Variant(contig="chr1", position=position, ref=ref, alt=alt))
    return found


def compare(found: SpliceDelta, expected: SpliceDelta) -> None:
    assert found.model_dump(exclude={"raw", "masked"}) == expected.model_dump(exclude={"raw", "masked"})
    assert found.tracks is not None
    assert expected.tracks is not None
    for name in ("ref", "alt"):
        a, b = getattr(found.tracks, name), getattr(expected.tracks, name)
        assert (a.strand, a.bases) == (b.strand, b.bases)
        np.testing.assert_array_equal(a.positions, b.positions)
        np.testing.assert_array_equal(a.insert_offsets, b.insert_offsets)
        np.testing.assert_allclose(a.probabilities, b.probabilities, atol=1e-5, rtol=0)
    for x, y in zip(
        (*found.raw.changes(), *found.masked.changes()),
        (*expected.raw.changes(), *expected.masked.changes()),
        strict=True,
    ):
        assert x.score == pytest.approx(y.score, abs=1e-5)


@pytest.mark.parametrize("context", [80, 400])
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), distance=st.sampled_from([1, 10, 50, 300, 3000]))
def test_equal_to_the_plain_scorer(
    context: int, place: tuple[ReferenceGenome, GeneAnnotation], seed: int, distance: int
) -> None:
    model = ensemble(context)
    given_variants = variants(seed, 12)
    fast = VariantScorer(*place, model, distance)
    assert fast.incremental
    whole = VariantScorer(*place, ensemble(context, own=True), distance)
    assert not whole.incremental
    rows = list(fast.score_all(given_variants))
    strands = set()
    for row, expected in zip(rows, whole.score_all(given_variants), strict=True):
        assert (row.index, row.text, row.variant) == (expected.index, expected.text, expected.variant)
        assert row.not_scored == expected.not_scored
        assert len(row.deltas) == len(expected.deltas)
        for a, b in zip(row.deltas, expected.deltas, strict=True):
            compare(a, b)
            strands.add(a.strand)
    assert strands <= set(Strand)
    assert any(row.deltas for row in rows)


def test_one_variant_as_in_a_batch(place: tuple[ReferenceGenome, GeneAnnotation]) -> None:
    scorer = VariantScorer(*place, ensemble(80))
    given_variants = [
        Variant(contig="chr1", position=p, ref=SEQUENCE[p - 1], alt="ACGT"[i % 4])
        for i, p in enumerate(range(280, 330))
        if SEQUENCE[p - 1] != "ACGT"[i % 4]
    ]
    for row in scorer.score_all(given_variants * 2):
        assert row.variant is not None
        for a, b in zip(row.deltas, scorer.score(row.variant), strict=True):
            compare(a, b)


def test_other_models_are_run_whole(place: tuple[ReferenceGenome, GeneAnnotation]) -> None:
    assert not VariantScorer(*place, MotifModel()).incremental

    class Doubled(SpliceNetwork):
        def forward(self, one_hot: torch.Tensor) -> torch.Tensor:
            return 2 * super().forward(one_hot)

    torch.manual_seed(3)
    model = EnsembleModel(ensemble(80).info, [Doubled(NetworkSpec.for_context(80)).eval() for _ in range(2)])
    scorer = VariantScorer(*place, model)
    assert not scorer.incremental
    [row] = scorer.score_all([variants(1, 1)[0]])
    [expected] = VariantScorer(*place, model, plain=True).score_all([variants(1, 1)[0]])
    assert [d.raw for d in row.deltas] == [d.raw for d in expected.deltas]


def test_bfloat16_is_said_and_not_given_silently(place: tuple[ReferenceGenome, GeneAnnotation]) -> None:
    variant = Variant(contig="chr1", position=300, ref=SEQUENCE[299], alt="A" if SEQUENCE[299] != "A" else "C")
    exact = VariantScorer(*place, ensemble(80)).score(variant)
    rough = VariantScorer(*place, ensemble(80), precision=Precision.BFLOAT16).score(variant)
    assert {d.provenance.precision for d in exact} == {Precision.FLOAT32}
    assert {d.provenance.precision for d in rough} == {Precision.BFLOAT16}
    assert rough[0].raw.max_score == pytest.approx(exact[0].raw.max_score, abs=0.05)
    with pytest.raises(SettingError, match="float32 only"):
        VariantScorer(*place, MotifModel(), precision=Precision.BFLOAT16)


def test_chunks_grow_and_are_smaller_where_each_input_has_many_outputs(
    place: tuple[ReferenceGenome, GeneAnnotation],
) -> None:
    model = ensemble(80)
    sizes = {d: list(islice(VariantScorer(*place, model, d).chunk_sizes(), 9)) for d in (50, 5_000, 10_000)}
    assert sizes == {
        50: [4, 8, 16, 32, 64, 128, 256, 512, 512],
        5_000: [4, 8, *[13] * 7],
        10_000: [4, *[6] * 8],
    }
    assert list(islice(VariantScorer(*place, MotifModel()).chunk_sizes(), 3)) == [4, 8, 8]
