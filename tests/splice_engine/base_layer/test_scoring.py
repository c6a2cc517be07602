"""Scoring on a toy genome with a model whose answers can be computed by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentic_spliceai.splice_engine.base_layer.results import SpliceClass, SpliceDelta, VariantTracks
from agentic_spliceai.splice_engine.base_layer.scoring import Mask, score_variant, score_variants
from agentic_spliceai.splice_engine.base_layer.windows import encode, variant_window
from agentic_spliceai.splice_engine.errors import (
    BuildMismatchError,
    NoSequenceError,
    OutsideGenesError,
    ReferenceMismatchError,
    SettingError,
    UnknownContigError,
    UnknownGeneError,
)
from agentic_spliceai.splice_engine.genome.annotation import GeneAnnotation
from agentic_spliceai.splice_engine.genome.reference import ReferenceGenome
from agentic_spliceai.splice_engine.genome.sequence import reverse_complement
from agentic_spliceai.splice_engine.genome.types import GenomeBuild, Strand, Variant

from .toys import ACCEPTOR_MOTIF, DONOR_MOTIF, MotifModel, write_genome, write_gtf

# Exon 1: 101-200, intron 201-300, exon 2: 301-400. The donor stands at 200, the acceptor at 301.
_FILL = "ACTCATTCACTT"


def _toy_sequence() -> str:
    sequence = list((_FILL * 60)[:600])
    sequence[197:205] = DONOR_MOTIF  # its last exonic G at 0-based 199
    sequence[294:301] = ACCEPTOR_MOTIF  # its exonic G at 0-based 300
    return "".join(sequence)


PLUS = _toy_sequence()
MINUS = reverse_complement(PLUS)
LENGTH = len(PLUS)


class Toy:
    def __init__(self, folder: Path, sequence: str, strand: str) -> None:
        exons = [(101, 200), (301, 400)] if strand == "+" else [(201, 300), (401, 500)]
        self.genome = ReferenceGenome(write_genome(folder, sequence), cache_dir=folder)
        self.annotation = GeneAnnotation.load(write_gtf(folder, [("G", "chr1", strand, exons)]), cache_dir=folder)
        self.model = MotifModel()

    def score(self, variant: Variant, **options: object) -> SpliceDelta:
        [delta] = score_variant(variant, self.genome, self.annotation, self.model, **options)  # type: ignore[arg-type]
        return delta


@pytest.fixture(scope="module")
def plus(tmp_path_factory: pytest.TempPathFactory) -> Toy:
    return Toy(tmp_path_factory.mktemp("plus"), PLUS, "+")


@pytest.fixture(scope="module")
def minus(tmp_path_factory: pytest.TempPathFactory) -> Toy:
    return Toy(tmp_path_factory.mktemp("minus"), MINUS, "-")


def variant(position: int, ref: str, alt: str) -> Variant:
    return Variant(contig="chr1", position=position, ref=ref, alt=alt)


def site_probability(matches: int, motif: str) -> float:
    """Mean over the two members of exp(z) / (exp(z) + 1): neither's logit is 0, the other site's far below."""
    values = []
    for steepness in (4.0, 8.0):
        z = steepness * (matches - (len(motif) - 0.5))
        values.append(np.exp(z) / (np.exp(z) + 1.0))
    return float(np.mean(values))


def test_donor_loss_by_hand(plus: Toy) -> None:
    """G>A at the intron's first base leaves 7 of 8 motif bases."""
    delta = plus.score(variant(201, "G", "A"))
    loss = delta.raw.donor_loss
    assert (loss.position, loss.offset, loss.annotated) == (200, -1, True)
    # The acceptor's logit there is so low that leaving it out changes nothing in the fourth digit.
    assert loss.ref_score == pytest.approx(site_probability(8, DONOR_MOTIF), abs=1e-4)
    assert loss.alt_score == pytest.approx(site_probability(7, DONOR_MOTIF), abs=1e-4)
    assert loss.score == pytest.approx(loss.ref_score - loss.alt_score, abs=1e-6)
    assert delta.raw.donor_gain.score < 0.02
    assert delta.masked.donor_loss == loss
    assert (delta.window_start, delta.window_end) == (151, 251)


def test_members_are_averaged_as_probabilities(plus: Toy) -> None:
    delta = plus.score(variant(201, "G", "A"))
    assert delta.tracks is not None
    assert delta.tracks.ref.probabilities.shape == (2, 101, 3)
    at = 200 - delta.window_start
    members = delta.tracks.ref.probabilities[:, at, SpliceClass.DONOR]
    assert members[0] != pytest.approx(members[1], abs=1e-3)
    assert delta.raw.donor_loss.ref_score == pytest.approx(float(members.mean()), abs=1e-6)


@pytest.mark.parametrize(
    ("ref_at", "ref", "alt"),
    [(201, "G", "A"), (199, "A", "C"), (298, "C", "T"), (197, "TCAGG", "T"), (201, "GT", "CA")],
)
def test_the_minus_strand_mirrors_the_plus_strand(plus: Toy, minus: Toy, ref_at: int, ref: str, alt: str) -> None:
    """The same change, written on the reverse complement, gives the same four scores at mirrored places."""
    ref = PLUS[ref_at - 1 : ref_at - 1 + len(ref)]
    if alt[0] != ref[0] and len(alt) != len(ref):
        alt = ref[0] + alt[1:]
    if alt == ref:
        alt = ref[:-1] + ("A" if ref[-1] != "A" else "C")
    a = plus.score(variant(ref_at, ref, alt), distance=60)
    if len(ref) == len(alt):
        mirrored = variant(LENGTH - (ref_at + len(ref) - 1) + 1, reverse_complement(ref), reverse_complement(alt))
    else:  # the anchor moves to the other side
        after = PLUS[ref_at - 1 + len(ref)]
        mirrored = variant(
            LENGTH - (ref_at + len(ref)) + 1, reverse_complement(ref[1:] + after), reverse_complement(alt[1:] + after)
        )
    b = minus.score(mirrored, distance=60)
    assert b.strand is Strand.MINUS
    for x, y in zip(a.raw.changes(), b.raw.changes(), strict=True):
        assert y.score == pytest.approx(x.score, abs=1e-6)
        if x.score > 0.1 and len(ref) == len(alt):
            assert y.position == LENGTH + 1 - x.position


def test_insertion_places_its_sites_at_the_anchor(plus: Toy) -> None:
    """A whole donor motif inserted into the intron: the site lies inside the inserted bases."""
    anchor = PLUS[249]
    delta = plus.score(variant(250, anchor, anchor + DONOR_MOTIF + "T"))
    gain = delta.raw.donor_gain
    assert (gain.position, gain.offset, gain.insert_offset) == (250, 0, 3)
    assert gain.alt_score == pytest.approx(site_probability(8, DONOR_MOTIF), abs=1e-4)
    assert not gain.annotated


def test_deleted_site_is_a_full_loss(plus: Toy) -> None:
    ref = PLUS[195:201]
    delta = plus.score(variant(196, ref, ref[0]))
    loss = delta.raw.donor_loss
    assert loss.position == 200
    assert loss.alt_score == 0
    assert loss.score == pytest.approx(loss.ref_score)


def test_mnv_and_delins_are_scored(plus: Toy) -> None:
    mnv = plus.score(variant(201, "GT", "CA"))
    assert mnv.raw.donor_loss.position == 200
    assert mnv.raw.donor_loss.score > 0.9
    longer = plus.score(variant(201, "GT", "CAC"))
    shorter = plus.score(variant(199, PLUS[198:203], "TC"))
    assert longer.raw.donor_loss.score > 0.9
    assert shorter.raw.donor_loss.score > 0.9
    assert longer.variant.kind == shorter.variant.kind == "delins"


def test_delins_alignment_by_hand(plus: Toy) -> None:
    """REF of 4 at 250-253, ALT of 6: two bases count as inserted after 253; ALT of 2: 252 and 253 are deleted."""
    transcript = plus.annotation.gene("G").representative
    ref = PLUS[249:253]
    longer = variant_window(variant(250, ref, "GGGGGG"), transcript, plus.genome, distance=3, context=4)
    assert longer.alt_positions.tolist() == [247, 248, 249, 250, 251, 252, 253, 253, 253]
    assert longer.insert_offsets.tolist() == [0, 0, 0, 0, 0, 0, 0, 1, 2]
    assert longer.alt == PLUS[244:249] + "GGGGGG" + PLUS[253:255]
    shorter = variant_window(variant(250, ref, "GG"), transcript, plus.genome, distance=5, context=4)
    assert shorter.alt_positions.tolist() == [245, 246, 247, 248, 249, 250, 251, 254, 255]
    assert len(shorter.ref) == 11 + 4


def test_long_deletion_is_scored_past_its_end(plus: Toy) -> None:
    """The published tools refuse a REF longer than twice the distance."""
    ref = PLUS[189:289]
    delta = plus.score(variant(190, ref, ref[0]), distance=20)
    assert delta.raw.donor_loss.position == 200
    assert (delta.window_start, delta.window_end) == (170, 190 + 99 + 20)


def test_raw_and_masked(plus: Toy) -> None:
    """Making the annotated donor stronger is a gain, but no new site; losing an unannotated one is no loss."""
    weak = list(PLUS)
    weak[201] = "C"  # the annotated donor is weak in the reference ...
    weak[120:128] = DONOR_MOTIF  # ... and a strong donor stands in the exon
    folder = plus.genome.path.parent / "weak" if hasattr(plus.genome, "path") else None
    assert folder is not None
    folder.mkdir(exist_ok=True)
    toy = Toy(folder, "".join(weak), "+")
    stronger = toy.score(variant(202, "C", "T"))
    assert stronger.raw.donor_gain.score > 0.5
    assert stronger.masked.donor_gain.score < 0.02
    decoy = toy.score(variant(124, "G", "A"))
    assert decoy.raw.donor_loss.score > 0.5
    assert decoy.masked.donor_loss.score < 0.02
    peers = toy.score(variant(202, "C", "T"), mask=Mask.NEAREST_BOUNDARY)
    assert peers.masked.donor_gain.score == 0
    assert (stronger.provenance.mask, peers.provenance.mask) == (Mask.ANNOTATED, Mask.NEAREST_BOUNDARY)
    assert peers.masked.donor_gain.position == peers.raw.donor_gain.position


def test_a_new_site_is_not_hidden_by_a_masked_one(plus: Toy) -> None:
    """A variant that strengthens the annotated donor most and makes a new one too: the mask shows the new one."""
    weak = list(PLUS)
    weak[201] = "C"
    weak[208:216] = "CAGGTACG"
    folder = plus.genome.path.parent / "both"
    folder.mkdir(exist_ok=True)
    toy = Toy(folder, "".join(weak), "+")
    ref = "".join(weak[201:215])
    delta = toy.score(variant(202, ref, "T" + ref[1:12] + "AA"))
    assert delta.raw.donor_gain.score > 0.5
    assert delta.masked.donor_gain.score > 0.3
    assert not delta.masked.donor_gain.annotated


def test_context_is_accounted_for(plus: Toy) -> None:
    delta = plus.score(variant(110, PLUS[109], "G" if PLUS[109] != "G" else "A"), distance=50)
    report = delta.context
    assert report.total == 101 + 40
    assert report.total == report.real + report.outside_gene + report.no_sequence + report.past_contig_end
    # The window starts at 110 - 50 - 20 = 40; bases 40..100 lie before the gene.
    assert report.outside_gene == 61
    assert report.past_contig_end == 0


def test_unknown_bases_in_the_gene_are_reported(tmp_path: Path) -> None:
    toy = Toy(tmp_path, PLUS[:220] + "N" * 10 + PLUS[230:], "+")
    delta = toy.score(variant(201, "G", "A"))
    assert delta.context.no_sequence == 10
    assert delta.context.unknown_fraction == pytest.approx(10 / (271 - 131 + 1))
    with pytest.raises(NoSequenceError):
        toy.score(variant(225, "A", "C"))


def test_contig_end(tmp_path: Path) -> None:
    """A gene that starts at base 1: what lies before the contig is reported, not padded away."""
    genome = ReferenceGenome(write_genome(tmp_path, PLUS[100:420]), cache_dir=tmp_path)
    gtf = write_gtf(tmp_path, [("G", "chr1", "+", [(1, 100), (201, 300)])])
    annotation = GeneAnnotation.load(gtf, cache_dir=tmp_path)
    [delta] = score_variant(variant(5, PLUS[104], "G"), genome, annotation, MotifModel(), distance=30)
    assert delta.window_start == 1
    assert delta.context.past_contig_end == 20
    assert delta.context.outside_gene == 0


def test_both_strands_and_every_gene(tmp_path: Path) -> None:
    genome = ReferenceGenome(write_genome(tmp_path, PLUS), cache_dir=tmp_path)
    genes = [
        ("A", "chr1", "+", [(101, 200), (301, 400)]),
        ("B", "chr1", "-", [(50, 120), (180, 260)]),
        ("C", "chr1", "+", [(401, 500)]),
    ]
    annotation = GeneAnnotation.load(write_gtf(tmp_path, genes), cache_dir=tmp_path)
    model = MotifModel()
    deltas = score_variant(variant(201, "G", "A"), genome, annotation, model)
    assert [(d.gene_name, d.strand) for d in deltas] == [("A", Strand.PLUS), ("B", Strand.MINUS)]
    assert deltas[1].raw.max_score < 0.02


def test_batch_gives_one_row_an_input_in_order(plus: Toy) -> None:
    inputs: list[Variant | str] = [
        "chr1-201-G-A",
        "chr1:201 G>A",
        "chr1-201-T-A",
        "chrZ-201-G-A",
        "chr1-550-C-G",
        "chr1-201-G-<DEL>",
        "rubbish",
        "chr1-99999-G-A",
        variant(298, PLUS[297], "T"),
    ] * 3
    rows = list(score_variants(inputs, plus.genome, plus.annotation, plus.model))
    assert [row.index for row in rows] == list(range(27))
    codes = [row.not_scored.code if row.not_scored else "scored" for row in rows[:9]]
    assert codes == [
        "scored",
        "scored",
        "reference_mismatch",
        "unknown_contig",
        codes[4],
        "unsupported_allele",
        "invalid_variant",
        "position_out_of_range",
        "scored",
    ]
    assert codes[4] in {"outside_genes", "reference_mismatch"}
    assert all(row.not_scored is None or row.not_scored.advice for row in rows)
    single = plus.score(variant(201, "G", "A"))
    assert rows[0].deltas[0] == single.model_copy(update={"tracks": rows[0].deltas[0].tracks})


def test_reference_is_run_once_for_alleles_that_share_it(plus: Toy) -> None:
    model = MotifModel()
    list(score_variants(["chr1-201-G-A", "chr1-201-G-C", "chr1-201-G-T"], plus.genome, plus.annotation, model))
    assert model.sequences == 4


def test_errors(plus: Toy) -> None:
    with pytest.raises(ReferenceMismatchError, match="G"):
        plus.score(variant(201, "T", "A"))
    with pytest.raises(UnknownContigError):
        plus.score(Variant(contig="chr9", position=201, ref="G", alt="A"))
    with pytest.raises(OutsideGenesError):
        plus.score(variant(450, PLUS[449], "G"))
    for distance in (0, -5, 10_001):
        with pytest.raises(SettingError, match="distance"):
            plus.score(variant(201, "G", "A"), distance=distance)


def test_builds_that_disagree(tmp_path: Path) -> None:
    genome = ReferenceGenome(write_genome(tmp_path, PLUS), build=GenomeBuild.GRCH37, cache_dir=tmp_path)
    gtf = write_gtf(tmp_path, [("G", "chr1", "+", [(101, 200), (301, 400)])])
    annotation = GeneAnnotation.load(gtf, build=GenomeBuild.GRCH38, cache_dir=tmp_path)
    with pytest.raises(BuildMismatchError):
        score_variant(variant(201, "G", "A"), genome, annotation, MotifModel())


def test_tracks_survive_the_disk(plus: Toy, tmp_path: Path) -> None:
    tracks = plus.score(variant(250, PLUS[249], PLUS[249] + "GGTT")).tracks
    assert tracks is not None
    tracks.save(tmp_path / "t.npz")
    again = VariantTracks.load(tmp_path / "t.npz")
    for a, b in zip(tracks.aligned(), again.aligned(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert again.alt.bases == tracks.alt.bases
    assert len(again.alt.bases) == len(again.alt.positions)


def test_encode_by_hand() -> None:
    assert encode("ACGTN", Strand.PLUS).tolist() == [
        [1, 0, 0, 0],
        [0, 1, 0, 0],
        [0, 0, 1, 0],
        [0, 0, 0, 1],
        [0, 0, 0, 0],
    ]
    np.testing.assert_array_equal(encode("AACGN", Strand.MINUS), encode("NCGTT", Strand.PLUS))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    position=st.integers(130, 370),
    n_ref=st.integers(1, 12),
    alt=st.text("ACGT", min_size=1, max_size=12),
    distance=st.integers(5, 60),
)
def test_scores_equal_a_slow_independent_scorer(plus: Toy, position: int, n_ref: int, alt: str, distance: int) -> None:
    """Oracle: predict whole reference and alternate gene sequences, and compare position by position by hand."""
    ref = PLUS[position - 1 : position - 1 + n_ref]
    if ref == alt:
        return
    delta = plus.score(variant(position, ref, alt), distance=distance)
    v = delta.variant
    masked = "N" * 100 + PLUS[100:400] + "N" * 200
    changed = masked[: v.position - 1] + v.alt + masked[v.position - 1 + len(v.ref) :]
    half = plus.model.info.context // 2

    def whole(sequence: str) -> np.ndarray:
        padded = "N" * half + sequence + "N" * half
        return plus.model.predict(encode(padded, Strand.PLUS)[None]).probabilities[0].mean(axis=0)

    before, after = whole(masked), whole(changed)
    for column, gain, loss in (
        (SpliceClass.DONOR, delta.raw.donor_gain, delta.raw.donor_loss),
        (SpliceClass.ACCEPTOR, delta.raw.acceptor_gain, delta.raw.acceptor_loss),
    ):
        differences = {}
        for p in range(delta.window_start, delta.window_end + 1):
            shift = p - v.position
            if shift < min(len(v.ref), len(v.alt)):
                rows = [p - 1]
                if shift == len(v.ref) - 1:
                    rows += [p - 1 + k for k in range(1, len(v.alt) - len(v.ref) + 1)]
            elif shift < len(v.ref):
                rows = []
            else:
                rows = [p - 1 + len(v.alt) - len(v.ref)]
            value = max((after[r, column] for r in rows), default=0.0)
            differences[p] = float(value - before[p - 1, column])
        assert gain.score == pytest.approx(max(0.0, max(differences.values())), abs=1e-5)
        assert loss.score == pytest.approx(max(0.0, -min(differences.values())), abs=1e-5)
        assert differences[gain.position] == pytest.approx(gain.score, abs=1e-5) or gain.score == 0


def test_a_chosen_transcript_bounds_the_sequence(tmp_path: Path) -> None:
    """The representative ends at 400; the other transcript goes on to 500 and has other sites."""
    genome = ReferenceGenome(write_genome(tmp_path, PLUS), cache_dir=tmp_path)
    gtf = write_gtf(tmp_path, [("G", "chr1", "+", [(101, 200), (301, 400)])])
    attributes = 'gene_id "G"; gene_name "G"; transcript_id "long.2";'
    rows = [("transcript", 101, 500), ("exon", 101, 200), ("exon", 351, 500)]
    gtf.write_text(
        gtf.read_text().replace("gene\t101\t400", "gene\t101\t500")
        + "".join(f"chr1\ttoy\t{kind}\t{start}\t{end}\t.\t+\t.\t{attributes}\n" for kind, start, end in rows)
    )
    annotation = GeneAnnotation.load(gtf, cache_dir=tmp_path)
    model = MotifModel()
    given = variant(390, PLUS[389], "G")
    [short] = score_variant(given, genome, annotation, model)
    [long] = score_variant(given, genome, annotation, model, transcripts=["long"])
    assert (short.transcript_id, long.transcript_id) == ("G.t", "long.2")
    assert short.context.outside_gene - long.context.outside_gene == 390 + 50 + 20 - 400
    # Outside the representative, the gene's other transcript is taken.
    [other] = score_variant(variant(450, PLUS[449], "G"), genome, annotation, model)
    assert other.transcript_id == "long.2"
    with pytest.raises(OutsideGenesError, match=r"G\.t"):
        score_variant(variant(450, PLUS[449], "G"), genome, annotation, model, transcripts=["G.t"])
    # In a batch the choice holds where it fits, and the row says which transcript it speaks of.
    [row] = score_variants([variant(450, PLUS[449], "G")], genome, annotation, model, transcripts=["G.t"])
    assert row.deltas[0].transcript_id == "long.2"
    with pytest.raises(SettingError, match="Two transcripts"):
        score_variant(given, genome, annotation, model, transcripts=["G.t", "long.2"])
    with pytest.raises(UnknownGeneError):
        score_variant(given, genome, annotation, model, transcripts=["NM_1"])


def test_a_chosen_transcript_of_another_gene_is_not_passed_over(tmp_path: Path) -> None:
    genome = ReferenceGenome(write_genome(tmp_path, PLUS), cache_dir=tmp_path)
    genes = [("A", "chr1", "+", [(101, 200), (301, 400)]), ("B", "chr1", "-", [(450, 500), (520, 560)])]
    annotation = GeneAnnotation.load(write_gtf(tmp_path, genes), cache_dir=tmp_path)
    with pytest.raises(OutsideGenesError, match=r"B\.t"):
        score_variant(variant(201, "G", "A"), genome, annotation, MotifModel(), transcripts=["B.t"])
