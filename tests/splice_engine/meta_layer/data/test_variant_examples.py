"""Examples from constructs and from the genome; each sequence scored once, kept, and read again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from agentic_spliceai.splice_engine.base_layer.model import FloatArray, Prediction
from agentic_spliceai.splice_engine.errors import SettingError, TrainingDataError
from agentic_spliceai.splice_engine.genome.sequence import one_hot
from agentic_spliceai.splice_engine.genome.types import Strand, Variant
from agentic_spliceai.splice_engine.meta_layer.data import base_scores
from agentic_spliceai.splice_engine.meta_layer.data.base_scores import score_sequences, site_log_odds
from agentic_spliceai.splice_engine.meta_layer.data.measured import MeasuredVariant
from agentic_spliceai.splice_engine.meta_layer.data.variant_arrays import (
    ABSENT_LOG_ODDS,
    aligned_codes,
    aligned_log_odds,
    aligned_probabilities,
    base_channels,
    gap_masks,
    hidden_channels,
    place_channels,
)
from agentic_spliceai.splice_engine.meta_layer.data.variant_examples import MISSING, VariantExamples, build_examples
from agentic_spliceai.splice_engine.meta_layer.data.variant_inputs import construct_inputs, genomic_inputs
from tests.splice_engine.base_layer.toys import MotifModel

from .variant_toys import (
    EXON_AT,
    EXON_LENGTH,
    bases,
    measured,
    mirrored,
    toy_construct,
    toy_examples,
    toy_gene,
    toy_sequence,
)

ALL = np.arange(10)
PAD = "N" * 20


def genomic(variant: Variant, gene: str | None = None, strand: Strand = Strand.PLUS) -> MeasuredVariant:
    return MeasuredVariant(
        id=str(variant), source="toy", chrom="chr1", strand=strand, group="g", variant=variant, positions={}, gene=gene
    )


def test_each_distinct_sequence_is_scored_once() -> None:
    model = MotifModel()
    records = [measured(str(at), at, toy_construct()[at], "G") for at in (8, 9, 10, 12)]
    examples = toy_examples(*records, records[0], model=model)
    assert len(examples) == 5
    assert model.sequences == 5  # one reference, four alternates
    assert len(set(examples.ref_row)) == 1
    assert examples.alt_row[0] == examples.alt_row[4]


def test_scores_are_the_models_own(tmp_path: Path) -> None:
    model = MotifModel()
    sequences = [PAD + "ACGTCAGGTAAGTTTCAGGA" + PAD, PAD + "ACGT" + PAD]
    scores = score_sequences(model, sequences, cache=tmp_path)
    for row, sequence in enumerate(sequences):
        logits = model.predict(one_hot(sequence)[None]).logits[0]  # [M, L, 3]
        for member in range(2):
            for position in range(logits.shape[1]):
                z = logits[member, position].astype(float)
                for site in (0, 1):
                    others = np.log(sum(np.exp(z[c]) for c in range(3) if c != site))
                    wanted = np.clip(z[site] - others, -30, 30)
                    assert scores.log_odds[row, position, member, site] == pytest.approx(wanted, abs=0.016)
    assert np.isnan(scores.log_odds[1, 4:]).all()
    assert scores.lengths.tolist() == [20, 4]


def test_float16_errs_by_less_than_a_thousandth_of_a_probability() -> None:
    logits = np.random.default_rng(0).normal(0, 8, (4000, 3)).astype(np.float32)
    kept = base_scores.site_probabilities(site_log_odds(logits).astype(np.float16))
    exact = np.exp(logits - logits.max(1, keepdims=True), dtype=np.float64)
    exact /= exact.sum(1, keepdims=True)
    assert np.abs(kept - exact[:, :2]).max() < 1e-3


def test_channels_are_means_spreads_and_probabilities_of_the_members() -> None:
    examples = toy_examples(measured("v", 55, "G", "C"), window=91)
    ref, alt = base_channels(examples, ALL[:1])
    assert ref.shape == alt.shape == (1, 6, 91)
    sequence = toy_construct()
    prediction = MotifModel().predict(one_hot(PAD + sequence + PAD)[None])
    probability = prediction.probabilities[0].astype(float)  # [M, 80, 3]
    logits = prediction.logits[0].astype(float)
    log_odds = np.stack([logits[..., s] - np.log(np.exp(np.delete(logits, s, -1)).sum(-1)) for s in (0, 1)], axis=-1)
    first = 91 // 2 - 40
    assert not ref[0, :, :first].any()
    assert not ref[0, :, first + 80 :].any()
    for site in (0, 1):
        for position in range(80):
            values = np.clip(log_odds[:, position, site], -30, 30)
            column = first + position
            assert ref[0, site, column] == pytest.approx(np.clip(values.mean() / 10, -2, 2), abs=2e-3)
            assert ref[0, 2 + site, column] == pytest.approx(min(values.std() / 3, 2), abs=5e-3)
            assert ref[0, 4 + site, column] == pytest.approx(probability[:, position, site].mean(), abs=1e-3)
    # The G of the donor's GT became C: the donor is gone.
    donor = first + EXON_AT + EXON_LENGTH - 1
    assert ref[0, 4, donor] > 0.7
    assert alt[0, 4, donor] < 0.3


def test_places_and_bases() -> None:
    examples = toy_examples(measured("v", 55, "G", "C"), window=91)
    first = 91 // 2 - 40
    place = dict(
        zip(
            ("variant", "acceptor", "donor", "exon", "sequence", "distance"),
            place_channels(examples, ALL[:1])[0],
            strict=True,
        )
    )
    assert np.flatnonzero(place["variant"]).tolist() == [first + 55]
    assert np.flatnonzero(place["acceptor"]).tolist() == [first + EXON_AT]
    assert np.flatnonzero(place["donor"]).tolist() == [first + EXON_AT + EXON_LENGTH - 1]
    assert np.flatnonzero(place["exon"]).tolist() == list(range(first + EXON_AT, first + EXON_AT + EXON_LENGTH))
    assert np.flatnonzero(place["sequence"]).tolist() == list(range(first, first + 80))
    assert place["distance"] == pytest.approx([(column - first - 55) / 100 for column in range(91)])
    ref, alt = aligned_codes(examples, ALL[:1])
    assert bases(ref[0]).strip(".") == toy_construct()
    assert bases(alt[0]).strip(".") == toy_construct()[:55] + "C" + toy_construct()[56:]


def test_indels_leave_gaps_that_are_no_site() -> None:
    construct = toy_construct()
    examples = toy_examples(
        measured("deleted", 53, construct[53:56], ""), measured("inserted", 40, "", "GGG"), window=91
    )
    gaps = gap_masks(examples, ALL[:2])
    deleted = slice(examples.start[0], examples.end[0])
    inserted = slice(examples.start[1], examples.end[1])
    assert gaps.sum(axis=2).tolist() == [[0, 3], [3, 0]]
    assert gaps[0, 1, deleted].all()
    assert gaps[1, 0, inserted].all()
    ref, alt = aligned_log_odds(examples, ALL[:2])
    assert (alt[0, deleted] == ABSENT_LOG_ODDS).all()
    assert (ref[1, inserted] == ABSENT_LOG_ODDS).all()
    before, after = aligned_probabilities(examples, ALL[:2])
    assert after[0, deleted].tolist() == [[0, 0, 1]] * 3
    known = ~np.isnan(before)
    assert before[known].reshape(-1, 3).sum(axis=1) == pytest.approx(1, abs=1e-6)
    # The donor lies in the deletion; columns after an insertion still show the same base of both alleles.
    assert examples.donor[0] in range(examples.start[0], examples.end[0])
    codes = aligned_codes(examples, ALL[1:2])
    assert (codes[0] == codes[1]).sum() == 91 - 3
    assert before[1, examples.donor[1], 0] > 0.7
    assert after[1, examples.donor[1], 0] > 0.7


def test_centre_on_the_variant() -> None:
    examples = toy_examples(measured("v", 55, "G", "C"), window=21, center="variant")
    assert (examples.start[0], examples.end[0]) == (10, 11)
    assert examples.donor[0] == 9
    assert examples.acceptor[0] == 10 - (55 - EXON_AT)
    ref, _ = aligned_codes(examples, ALL[:1])
    assert bases(ref[0]) == toy_construct()[45:66]


def test_strand_changes_nothing(tmp_path: Path) -> None:
    sequence = toy_sequence()
    variants = [
        Variant(contig="chr1", position=201, ref="G", alt="A"),
        Variant(contig="chr1", position=299, ref=sequence[298:302], alt=sequence[298]),
        Variant(contig="chr1", position=250, ref=sequence[249], alt=sequence[249] + "GTAAG"),
    ]
    made = []
    for strand, name in (("+", "plus"), ("-", "minus")):
        genome, annotation = toy_gene(tmp_path / name, strand)
        records = [genomic(variant if strand == "+" else mirrored(variant)) for variant in variants]
        inputs = genomic_inputs(records, genome, annotation, context=40, window=101)
        made.append(build_examples(inputs, MotifModel(), window=101, center="variant"))
    plus, minus = made
    assert plus.names["strand"].tolist() == ["+"] * 3
    assert minus.names["strand"].tolist() == ["-"] * 3
    rows = ALL[:3]
    for of_plus, of_minus in (
        *zip(base_channels(plus, rows), base_channels(minus, rows), strict=True),
        *zip(aligned_codes(plus, rows), aligned_codes(minus, rows), strict=True),
        (place_channels(plus, rows), place_channels(minus, rows)),
        (gap_masks(plus, rows), gap_masks(minus, rows)),
    ):
        np.testing.assert_array_equal(of_plus, of_minus)


def test_a_site_far_from_the_window_keeps_its_column(tmp_path: Path) -> None:
    genome, annotation = toy_gene(tmp_path)
    base = toy_sequence()[109]
    record = genomic(Variant(contig="chr1", position=110, ref=base, alt="G"))
    inputs = genomic_inputs([record], genome, annotation, context=40, window=41)
    examples = build_examples(inputs, MotifModel(), window=41, center="variant")
    assert examples.acceptor[0] == MISSING
    assert examples.donor[0] == 20 + 90
    place = place_channels(examples, ALL[:1])[0]
    assert not place[1].any()
    assert not place[2].any()
    # Nine exonic bases stand before the variant; before them the transcript has not begun, and all is N.
    assert place[4].sum() == 20 + 1 + 9
    # The base model read 20 nt of context on either side of what is scored: of 85 nt, 33 lie before the transcript.
    scored = examples.sequences.shape[1]
    assert examples.known[0] == pytest.approx(1 - (scored // 2 + 20 - 9) / (scored + 40))
    assert place[3].sum() == 30


def test_every_input_has_a_row_or_a_reason(tmp_path: Path) -> None:
    genome, annotation = toy_gene(tmp_path)
    base = toy_sequence()[109]
    records = [
        genomic(Variant(contig="chr1", position=650, ref=toy_sequence()[649], alt="G")),
        genomic(Variant(contig="chr1", position=110, ref=base, alt="G")),
        genomic(Variant(contig="chr1", position=110, ref="G", alt=base)),
        genomic(Variant(contig="chr9", position=110, ref="G", alt="A")),
    ]
    inputs = genomic_inputs(records, genome, annotation, context=40, window=41)
    examples = build_examples(inputs, MotifModel(), window=41, center="variant")
    assert examples.input_row.tolist() == [-1, 0, -1, -1]
    assert [(item.index, item.reason.code) for item in examples.rejected] == [
        (0, "outside_genes"),
        (2, "reference_mismatch"),
        (3, "unknown_contig"),
    ]
    (without,) = construct_inputs([records[1]], context=40)
    assert without.reason.code == "no_construct"  # type: ignore[union-attr]
    with pytest.raises(TrainingDataError, match="no sequences"):
        build_examples([without], MotifModel())


def test_a_variant_outside_the_window_is_no_example() -> None:
    c = toy_construct()
    records = [measured("far", 3, c[3], "G"), measured("near", 55, "G", "C")]
    without = genomic(Variant(contig="chr1", position=1, ref="A", alt="G"))
    inputs = [*construct_inputs(records, context=40), *construct_inputs([without], context=40)]
    examples = build_examples(inputs, MotifModel(), window=41)
    assert examples.input_row.tolist() == [-1, 0, -1]
    assert [(item.index, item.reason.code) for item in examples.rejected] == [
        (0, "outside_window"),
        (2, "no_construct"),
    ]
    assert len(build_examples(inputs, MotifModel(), window=41, center="variant")) == 2


def test_inputs_for_another_context_or_an_even_window_are_refused() -> None:
    inputs = construct_inputs([measured("v", 55, "G", "C")], context=80)
    with pytest.raises(SettingError, match="context is 40"):
        build_examples(inputs, MotifModel())
    with pytest.raises(SettingError, match="200 columns"):
        build_examples(inputs, MotifModel(), window=200)


def test_saved_examples_come_back_and_subsets_keep_their_rows(tmp_path: Path) -> None:
    records = [measured(str(at), at, toy_construct()[at], "G", psi=-at / 100, gene="X") for at in (8, 9, 10, 12)]
    examples = toy_examples(*records)
    examples.save(tmp_path / "x" / "examples.npz")
    again = VariantExamples.load(tmp_path / "x" / "examples.npz")
    assert again.digest == examples.digest
    assert again.base_model == examples.base_model
    part = examples.subset([3, 1])
    assert part.names["id"].tolist() == ["12", "9"]
    assert part.published["other"] == pytest.approx([0.12, 0.09])
    assert len(part.sequences) == 3
    for whole, chosen in zip(base_channels(examples, np.array([3, 1])), base_channels(part, ALL[:2]), strict=True):
        np.testing.assert_array_equal(whole, chosen)
    assert part.digest != examples.digest
    (tmp_path / "x" / "examples.npz").write_bytes(b"PK damaged")
    with pytest.raises(TrainingDataError, match="holds no variant examples"):
        VariantExamples.load(tmp_path / "x" / "examples.npz")


# -- the cache --------------------------------------------------------------------------------------------------------


def many(count: int) -> list[str]:
    generator = np.random.default_rng(1)
    return [PAD + "".join(generator.choice(list("ACGT"), 30)) + PAD for _ in range(count)]


def test_a_second_run_scores_nothing_and_a_damaged_chunk_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base_scores, "CHUNK", 8)
    sequences = many(20)
    heard: list[tuple[int, int]] = []
    whole = score_sequences(MotifModel(), sequences, cache=tmp_path, progress=lambda n, of: heard.append((n, of)))
    assert heard == [(8, 20), (16, 20), (20, 20)]
    files = sorted(tmp_path.iterdir())
    assert len(files) == 3

    idle = MotifModel()
    again = score_sequences(idle, sequences, cache=tmp_path)
    assert idle.calls == 0
    np.testing.assert_array_equal(whole.log_odds, again.log_odds)

    content = files[0].read_bytes()
    for damage in (content[: len(content) // 2], b"", content[:200] + bytes(64) + content[264:]):
        files[0].write_bytes(damage)
        model = MotifModel()
        mended = score_sequences(model, sequences, cache=tmp_path)
        assert model.calls == 1
        np.testing.assert_array_equal(whole.log_odds, mended.log_odds)
    assert sorted(tmp_path.iterdir()) == files


def test_another_model_does_not_read_the_same_chunks(tmp_path: Path) -> None:
    sequences = many(3)
    score_sequences(MotifModel(), sequences, cache=tmp_path)
    other = MotifModel()
    other.info = type(other.info)(**{**vars(other.info), "weights_sha256": ("1" * 64,)})
    score_sequences(other, sequences, cache=tmp_path)
    assert other.calls == 1


KILLED = """
import os, signal, sys
from pathlib import Path
from agentic_spliceai.splice_engine.meta_layer.data import base_scores
from tests.splice_engine.base_layer.toys import MotifModel
from tests.splice_engine.meta_layer.data.test_variant_examples import many
base_scores.CHUNK = 8
def progress(done, total):
    if done == 16:
        os.kill(os.getpid(), signal.SIGKILL)
base_scores.score_sequences(MotifModel(), many(20), cache=Path(sys.argv[1]), progress=progress)
"""


def test_a_killed_run_goes_on_after_its_last_chunk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    root = Path(__file__).resolve().parents[4]
    killed = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], cwd=root, env=environment, check=False)
    assert killed.returncode == -signal.SIGKILL
    monkeypatch.setattr(base_scores, "CHUNK", 8)
    model = MotifModel()
    scores = score_sequences(model, many(20), cache=tmp_path)
    assert model.sequences == 4
    np.testing.assert_array_equal(scores.log_odds, score_sequences(MotifModel(), many(20)).log_odds)


class HiddenMotifModel(MotifModel):
    """Two members of two channels: the one-hot A and C, and the same with the sign turned."""

    def predict_hidden(self, one_hot_batch: FloatArray) -> FloatArray:
        half = self.info.context // 2
        seen = one_hot_batch[:, half : one_hot_batch.shape[1] - half, :2].transpose(0, 2, 1)
        return np.stack([seen, -seen], axis=1)


class BrokenModel(MotifModel):
    def predict(self, one_hot_batch: FloatArray) -> Prediction:
        prediction = super().predict(one_hot_batch)
        return Prediction(prediction.probabilities * np.nan, prediction.logits * np.nan)


def test_hidden_channels_are_kept_when_asked_for(tmp_path: Path) -> None:
    inputs = construct_inputs([measured("v", 40, "", "GG")], context=40)
    model = HiddenMotifModel()
    examples = build_examples(inputs, model, window=91, hidden_members=2, cache=tmp_path)
    ref, alt = hidden_channels(examples, ALL[:1])
    codes, _ = aligned_codes(examples, ALL[:1])
    for channel, (base, sign) in enumerate(((0, 1), (1, 1), (0, -1), (1, -1))):
        assert ref[0, channel].tolist() == [sign * float(code == base) for code in codes[0]]
    assert alt.shape == ref.shape == (1, 4, 91)
    examples.save(tmp_path / "h.npz")
    assert VariantExamples.load(tmp_path / "h.npz").subset([0]).hidden is not None
    with pytest.raises(SettingError, match="no hidden channels"):
        build_examples(inputs, MotifModel(), hidden_members=1)
    with pytest.raises(TrainingDataError, match="hidden_members"):
        hidden_channels(toy_examples(measured("v", 40, "", "GG")), ALL[:1])


def test_scores_that_are_not_finite_are_refused() -> None:
    with pytest.raises(TrainingDataError, match="not finite"):
        score_sequences(BrokenModel(), many(1))


def test_mfass_figures_of_the_base_model(mirror: Path, tmp_path: Path) -> None:
    """One exon of the real table with real weights: a lost acceptor shows, and a silent change does not."""
    from agentic_spliceai.splice_engine.base_layer.registry import load_base_model
    from agentic_spliceai.splice_engine.meta_layer.data.measured import load_mfass
    from agentic_spliceai.splice_engine.resources import ResourceResolver

    records = [r for r in load_mfass(mirror / "variants" / "mfass.tsv.gz").records if r.group == "ENSE00000332835"]
    resolver = ResourceResolver(tmp_path, mirror=mirror, allow_download=False)
    model = load_base_model("small", resolver)
    examples = build_examples(construct_inputs(records, context=model.info.context), model)
    rows = np.arange(len(examples))
    ref, _ = aligned_probabilities(examples, rows)
    assert (ref[rows, examples.acceptor, 1] > 0.1).all()
    assert (ref[rows, examples.donor, 0] > 0.1).all()
    assert len(set(examples.ref_row)) == 1
