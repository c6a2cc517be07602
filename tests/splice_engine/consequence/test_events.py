"""From planted scores to events: one test for each thing that can happen, on both strands, proteins worked out by hand.

The toy gene (see `toys`): exons of 16, 30, 31, 62 and 41 nt, introns of 300, 800, 80 and 200 nt, protein M A E10 K11
W20 L2, last exon junction of the reference after base 139 of the messenger.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from agentic_spliceai.splice_engine.base_layer.results import ChangeKind
from agentic_spliceai.splice_engine.consequence.infer import infer_consequence
from agentic_spliceai.splice_engine.consequence.types import EventType, Frame, NmdPrediction, Strength
from agentic_spliceai.splice_engine.errors import SettingError, UnknownGeneError
from tests.splice_engine.consequence.toys import EXONS, INTRONS, PROTEIN, THRESHOLDS, Toy, sites_after_cut, snv

ESCAPES, NOT_APPLICABLE, PREDICTED = NmdPrediction.ESCAPES, NmdPrediction.NOT_APPLICABLE, NmdPrediction.PREDICTED


def test_nothing_changes(gene: Toy) -> None:
    found = gene.infer(snv(gene, gene.exons[2][1]), gene.sites())
    assert [event.type for event in found.events] == [EventType.NONE]
    assert found.primary.score == 0
    assert found.primary.effect is None
    assert "no splicing change is predicted" in found.verdict
    assert "0.00" in found.verdict


def test_a_change_below_the_floor_is_named_but_no_event(gene: Toy) -> None:
    donor = gene.exons[2][1] - 1
    found = gene.infer(snv(gene, donor + 1), gene.sites() | {("donor", donor): 0.80})
    assert found.primary.type is EventType.NONE
    assert found.primary.score == pytest.approx(0.15)
    assert "0.15 (donor loss" in found.verdict
    assert "below 0.20" in found.verdict


# -- lost sites --------------------------------------------------------------------------------------------------------


def test_a_lost_donor_of_an_internal_exon_skips_it_and_may_retain_the_intron(gene: Toy) -> None:
    start, end = gene.exons[2]
    found = gene.infer(snv(gene, end), gene.sites() | {("donor", end - 1): 0.02})
    skip, retention = found.events
    assert (skip.type, skip.exon_number, skip.alternative) == (EventType.EXON_SKIPPING, 3, False)
    assert (retention.type, retention.intron_number, retention.alternative) == (EventType.INTRON_RETENTION, 3, True)
    assert skip.interval == gene.interval(start, end)
    assert retention.interval == gene.interval(end, gene.exons[3][0])
    assert (skip.length_change, retention.length_change) == (-31, 80)
    assert skip.strength is Strength.STRONG
    assert skip.score == pytest.approx(0.93)
    assert [change.kind for change in skip.support] == [ChangeKind.DONOR_LOSS]
    assert skip.support[0].position == gene.position(end - 1)
    assert skip.support[0].annotated
    # M A E10, then AG + (TGG)20 read as AGT (GGT)19 GG+C TGC TGT AAC TGA: S G19 G C C N stop.
    effect = skip.effect
    assert effect is not None
    assert effect.frame is Frame.FRAMESHIFT
    assert effect.hgvs_p == "p.(Lys13SerfsTer25)"
    assert (effect.first_changed_residue, effect.stop_residue) == (13, 37)
    assert (effect.protein_length_ref, effect.protein_length_alt) == (45, 36)
    assert effect.mrna_length_change == -31
    assert effect.nmd is ESCAPES
    assert "last exon" in effect.nmd_reason
    assert found.region == "intron 3 of 4, 1 nt after exon 3"
    assert found.verdict == (
        "TOY, strong prediction: exon 3 (31 nt) is predicted to be skipped (loss of its donor 0.93): frameshift, "
        "premature stop at residue 37, NMD not predicted."
    )


def test_both_ends_of_an_exon_lost_skip_it_in_frame(gene: Toy) -> None:
    start, end = gene.exons[1]
    alt = gene.sites() | {("acceptor", start): 0.30, ("donor", end - 1): 0.02}
    found = gene.infer(snv(gene, end), alt)
    (skip,) = found.events
    assert (skip.type, skip.exon_number) == (EventType.EXON_SKIPPING, 2)
    assert {change.kind for change in skip.support} == {ChangeKind.ACCEPTOR_LOSS, ChangeKind.DONOR_LOSS}
    assert skip.score == pytest.approx(0.93)  # a second loss adds to the first
    assert skip.effect is not None
    assert skip.effect.hgvs_p == "p.(Glu3_Glu12del)"
    assert skip.effect.frame is Frame.IN_FRAME
    assert skip.effect.protein_length_alt == 35
    assert skip.effect.stop_residue is None
    assert skip.effect.nmd is NOT_APPLICABLE
    assert "in frame, protein 10 residues shorter" in found.verdict


def test_both_ends_of_one_intron_lost_retain_it_and_do_not_skip(gene: Toy) -> None:
    (_, donor_end), (acceptor, _) = gene.exons[:2]
    middle = donor_end + 20  # third base of a CCC codon: the variant itself is silent
    alt = gene.sites() | {("donor", donor_end - 1): 0.1, ("acceptor", acceptor): 0.1}
    found = gene.infer(snv(gene, middle), alt)
    primary = found.primary
    assert (primary.type, primary.intron_number, primary.exon_number) == (EventType.INTRON_RETENTION, 1, None)
    assert primary.interval == gene.interval(donor_end, acceptor)
    assert {change.kind for change in primary.support} == {ChangeKind.ACCEPTOR_LOSS, ChangeKind.DONOR_LOSS}
    assert all(event.alternative for event in found.events[1:])
    # GTA AGT (CCC)95 CTT TTT CAG between the codons of Ala2 and Glu3.
    assert primary.effect is not None
    assert primary.effect.frame is Frame.IN_FRAME
    assert primary.effect.hgvs_p == f"p.(Ala2_Glu3insValSer{'Pro' * 95}LeuPheGln)"
    assert primary.effect.protein_length_alt == 145


def test_an_exon_pair_that_lost_more_goes_before_an_intron_pair(gene: Toy) -> None:
    (_, end1), (start2, end2) = gene.exons[:2]
    alt = gene.sites() | {("donor", end1 - 1): 0.7, ("acceptor", start2): 0.1, ("donor", end2 - 1): 0.05}
    found = gene.infer(snv(gene, end2), alt)
    assert (found.primary.type, found.primary.exon_number) == (EventType.EXON_SKIPPING, 2)
    second = found.events[1]
    assert (second.type, second.intron_number, second.alternative) == (EventType.INTRON_RETENTION, 1, False)


@pytest.mark.parametrize(("exon", "site", "intron"), [(0, "donor", 1), (4, "acceptor", 4)])
def test_the_outer_exons_are_not_skipped(gene: Toy, exon: int, site: str, intron: int) -> None:
    start, end = gene.exons[exon]
    base = end - 1 if site == "donor" else start
    found = gene.infer(snv(gene, base + 1 if site == "donor" else base - 1), gene.sites() | {(site, base): 0.0})
    (event,) = found.events
    assert (event.type, event.intron_number) == (EventType.INTRON_RETENTION, intron)


def test_a_short_intron_beside_a_long_exon_is_rather_retained(gene: Toy) -> None:
    long = replace(gene, exon_sequences=(EXONS[0], EXONS[1], "AAA" * 50 + "A", *EXONS[3:]), coding=None)
    end = long.exons[2][1]
    found = long.infer(snv(long, end), long.sites() | {("donor", end - 1): 0.0})
    assert [(event.type, event.alternative) for event in found.events] == [
        (EventType.INTRON_RETENTION, False),
        (EventType.EXON_SKIPPING, True),
    ]


def test_a_partner_outside_the_window_is_a_limit(gene: Toy) -> None:
    end = gene.exons[2][1]
    found = gene.infer(snv(gene, end), gene.sites() | {("donor", end - 1): 0.02}, distance=20)
    assert found.primary.type is EventType.EXON_SKIPPING
    assert "The acceptor of exon 3 lies outside the scored window." in found.limits


# -- shifts ------------------------------------------------------------------------------------------------------------


def test_an_acceptor_upstream_lengthens_the_exon(gene: Toy) -> None:
    start = gene.exons[2][0]
    alt = gene.sites() | {("acceptor", start): 0.01, ("acceptor", start - 11): 0.97}
    found = gene.infer(snv(gene, start - 13), alt)
    (shift,) = found.events
    assert (shift.type, shift.exon_number, shift.length_change) == (EventType.ACCEPTOR_SHIFT, 3, 11)
    assert shift.cryptic_position == gene.position(start - 11)
    assert shift.interval == gene.interval(start - 11, start)
    assert shift.score == pytest.approx(0.97)
    assert {change.kind for change in shift.support} == {ChangeKind.ACCEPTOR_GAIN, ChangeKind.ACCEPTOR_LOSS}
    # M A E10, then TTT TTT TCC AGA K10 AGT (GGT)19 GGC TGC TGT AAC TGA: F F S R K10 S G19 G C C N stop.
    assert shift.effect is not None
    assert shift.effect.hgvs_p == "p.(Lys13PhefsTer39)"
    assert shift.effect.mrna_length_change == 11
    assert found.region == "intron 2 of 4, 13 nt before exon 3"
    assert found.verdict == (
        "TOY, strong prediction: a new acceptor 11 nt upstream of exon 3 is predicted (gain 0.97, loss of the "
        "annotated acceptor 0.94): exon 3 becomes 11 nt longer, frameshift, new stop at residue 51 (reference 46)."
    )


def test_a_donor_inside_shortens_the_exon(gene: Toy) -> None:
    end = gene.exons[1][1]
    alt = gene.sites() | {("donor", end - 1): 0.0, ("donor", end - 5): 0.9}
    (shift,) = gene.infer(snv(gene, end), alt).events
    assert (shift.type, shift.exon_number, shift.length_change) == (EventType.DONOR_SHIFT, 2, -4)
    assert shift.interval == gene.interval(end - 4, end)
    # M A E8, GA+A = E, K10, then as above S G19 G C C N stop: 45 residues, the reference's number by chance.
    assert shift.effect is not None
    assert shift.effect.frame is Frame.FRAMESHIFT
    assert shift.effect.hgvs_p == "p.(Glu12LysfsTer35)"
    assert shift.effect.protein_length_alt == 45
    assert shift.effect.stop_residue is None


def test_a_cryptic_site_must_gain_half_of_what_was_lost_to_come_first(gene: Toy) -> None:
    end = gene.exons[1][1]
    for gain, order in ((0.3, ["exon_skipping", "intron_retention", "donor_shift"]),
                        (0.6, ["donor_shift", "exon_skipping", "intron_retention"])):  # fmt: skip
        found = gene.infer(snv(gene, end), gene.sites() | {("donor", end - 1): 0.05, ("donor", end + 5): gain})
        assert [event.type.value for event in found.events] == order
        assert [event.alternative for event in found.events] == [False, True, True]


def test_a_lost_site_is_strong_evidence_even_if_its_replacement_gains_less(gene: Toy) -> None:
    end = gene.exons[1][1]
    found = gene.infer(snv(gene, end), gene.sites() | {("donor", end - 1): 0.05, ("donor", end + 5): 0.49})
    assert found.primary.type is EventType.DONOR_SHIFT
    assert found.primary.score == pytest.approx(0.49)
    assert found.primary.strength is Strength.STRONG
    assert "strong prediction" in found.verdict


def test_an_intron_that_the_variant_deletes_is_not_retained(gene: Toy) -> None:
    """From inside exon 3 to inside exon 4: the two are one exon now, whatever the model says of their ends."""
    first, second = gene.exons[2], gene.exons[3]
    start, end = first[1] - 3, second[0] + 3
    found = gene.infer(gene.variant(start, end, ""), sites_after_cut(gene, start, end))
    assert all(event.type is not EventType.INTRON_RETENTION for event in found.events)


def test_a_gain_without_a_loss_competes_in_weaker_words(gene: Toy) -> None:
    start = gene.exons[2][0]
    found = gene.infer(snv(gene, start - 13), gene.sites() | {("acceptor", start - 11): 0.9})
    (shift,) = found.events
    assert (shift.type, shift.length_change) == (EventType.ACCEPTOR_SHIFT, 11)
    assert shift.strength is Strength.MODERATE
    assert "may compete" in found.verdict
    assert "moderate prediction" in found.verdict


def test_a_site_that_the_exon_cannot_use_is_no_shift(gene: Toy) -> None:
    # An acceptor in exon 1 has no donor before it; a donor in the last exon has no acceptor after it.
    for kind, base in (("acceptor", gene.exons[0][0] + 5), ("donor", gene.exons[4][0] + 9)):
        found = gene.infer(snv(gene, base + 1), gene.sites() | {(kind, base): 0.7})
        assert found.primary.type is EventType.NONE
        assert any("fits no exon" in limit and "0.70" in limit for limit in found.limits)
        assert "0.70" in found.verdict


# -- pseudoexons -------------------------------------------------------------------------------------------------------


def _deep(gene: Toy) -> int:
    """First base of a CTC CAT CCT CCT CCA TCC TCC TCC ATC CTC period in intron 2."""
    return gene.exons[1][1] + 6 + 100


def test_a_weak_pair_is_a_weak_candidate_with_both_sites(gene: Toy) -> None:
    start = _deep(gene)
    alt = gene.sites() | {("acceptor", start): 0.10, ("donor", start + 59): 0.16}
    found = gene.infer(snv(gene, start + 61), alt)
    (event,) = found.events
    assert (event.type, event.intron_number, event.length_change) == (EventType.PSEUDOEXON, 2, 60)
    assert event.strength is Strength.WEAK
    assert event.score == pytest.approx(0.10)
    assert event.interval == gene.interval(start, start + 60)
    assert [(c.kind, c.position) for c in event.support] == [
        (ChangeKind.ACCEPTOR_GAIN, gene.position(start)),
        (ChangeKind.DONOR_GAIN, gene.position(start + 59)),
    ]
    assert event.effect is not None
    unit = "LeuHisProProProSerSerSerIleLeu"
    assert event.effect.hgvs_p == f"p.(Glu12_Lys13ins{unit}{unit})"
    assert event.effect.mrna_length_change == 60
    assert found.verdict.startswith(
        "TOY, weak candidate: a pseudoexon of 60 nt in intron 2 is possible (acceptor gain 0.10, donor gain 0.16)"
    )


def test_a_pseudoexon_with_a_stop_in_it_is_read_from_the_alternate_allele(gene: Toy) -> None:
    start = _deep(gene)
    alt = gene.sites() | {("acceptor", start): 0.6, ("donor", start + 59): 0.9}
    event, *others = gene.infer(gene.variant(start + 12, start + 15, "TGA"), alt).events
    assert event.type is EventType.PSEUDOEXON
    assert [(other.type, other.alternative) for other in others] == [(EventType.DONOR_SHIFT, True)]
    assert event.strength is Strength.MODERATE
    assert event.effect is not None
    assert event.effect.hgvs_p == "p.(Glu12_Lys13insLeuHisProProTer)"
    assert event.effect.frame is Frame.IN_FRAME
    assert event.effect.stop_residue == 17
    # The stop ends at messenger base 10 + 3 * 17 = 61; the last junction is at 139 + 60 = 199.
    assert event.effect.nmd is PREDICTED
    assert "138 nt upstream" in event.effect.nmd_reason
    assert "48 nt from the start codon" in event.effect.nmd_reason


@pytest.mark.parametrize(
    "sites",
    [
        pytest.param({("acceptor", 0): 0.04, ("donor", 59): 0.16}, id="one half below the floor"),
        pytest.param({("acceptor", 0): 0.16, ("donor", -60): 0.16}, id="donor before acceptor"),
        pytest.param({("acceptor", 0): 0.16, ("donor", 18): 0.16}, id="19 nt, too short"),
        pytest.param({("acceptor", 0): 0.16, ("donor", 500): 0.16}, id="501 nt, too long"),
    ],
)
def test_what_is_no_pair_is_no_pseudoexon(gene: Toy, sites: dict[tuple[str, int], float]) -> None:
    start = _deep(gene)
    alt = gene.sites() | {(kind, start + offset): score for (kind, offset), score in sites.items()}
    assert gene.infer(snv(gene, start + 61), alt).primary.type is EventType.NONE


@pytest.mark.parametrize("length", [20, 500])
def test_the_length_limits_are_inclusive(gene: Toy, length: int) -> None:
    start = _deep(gene)
    alt = gene.sites() | {("acceptor", start): 0.3, ("donor", start + length - 1): 0.3}
    found = gene.infer(snv(gene, start + 61), alt)
    assert (found.primary.type, found.primary.length_change) == (EventType.PSEUDOEXON, length)


def test_halves_in_different_introns_are_no_pair(gene: Toy) -> None:
    alt = gene.sites() | {("acceptor", gene.exons[2][0] - 60): 0.16, ("donor", gene.exons[2][1] + 20): 0.16}
    assert gene.infer(snv(gene, gene.exons[2][0] + 5), alt).primary.type is EventType.NONE


def test_a_gain_beside_an_existing_site_makes_a_pseudoexon(gene: Toy) -> None:
    start = _deep(gene)
    existing = {("donor", start + 59): 0.30}
    found = gene.infer(
        snv(gene, start - 2), gene.sites() | existing | {("acceptor", start): 0.6}, ref=gene.sites() | existing
    )
    primary = found.primary
    assert (primary.type, primary.length_change) == (EventType.PSEUDOEXON, 60)
    assert primary.score == pytest.approx(0.30)
    assert "acceptor gain 0.60, existing donor 0.30" in found.verdict


def test_a_lone_deep_gain_is_said_to_lack_its_partner(gene: Toy) -> None:
    start = _deep(gene)
    found = gene.infer(snv(gene, start - 2), gene.sites() | {("acceptor", start): 0.95}, distance=100)
    (event,) = found.events
    assert (event.type, event.interval, event.effect) == (EventType.PSEUDOEXON, None, None)
    assert event.cryptic_position == gene.position(start)
    assert event.strength is Strength.MODERATE
    assert "no partner" in found.verdict
    assert any("partner of the new site may lie outside" in limit for limit in found.limits)


def test_a_weak_pair_never_goes_before_a_strong_event(gene: Toy) -> None:
    (start2, end2), deep = gene.exons[1], _deep(gene)
    alt = gene.sites() | {("acceptor", start2): 0.0, ("donor", end2 - 1): 0.0}
    alt |= {("acceptor", deep): 0.19, ("donor", deep + 59): 0.19}
    found = gene.infer(snv(gene, end2), alt)
    assert [event.type for event in found.events] == [EventType.EXON_SKIPPING, EventType.PSEUDOEXON]
    assert found.events[1].strength is Strength.WEAK


def test_one_half_that_is_far_weaker_leaves_the_shift_first(gene: Toy) -> None:
    start = gene.exons[2][0]
    alt = gene.sites() | {("acceptor", start - 110): 0.9, ("donor", start - 40): 0.06}
    found = gene.infer(snv(gene, start - 112), alt)
    assert [(event.type, event.alternative) for event in found.events] == [
        (EventType.ACCEPTOR_SHIFT, False),
        (EventType.PSEUDOEXON, True),
    ]


# -- scope -------------------------------------------------------------------------------------------------------------


def test_limits_name_uncalibrated_thresholds_and_unexamined_transcripts(gene: Toy) -> None:
    end = gene.exons[2][1]
    doubtful = THRESHOLDS.model_copy(update={"calibrated": False})
    delta = gene.delta(snv(gene, end), gene.sites() | {("donor", end - 1): 0.0}, thresholds=doubtful)
    other = gene.gene.transcripts[0].model_copy(update={"id": "NM_OTHER"})
    two = gene.gene.model_copy(update={"transcripts": (*gene.gene.transcripts, other)})
    found = infer_consequence(delta, two, gene.genome)
    assert found.transcript_id == "NM_TOY"
    assert any("not calibrated for toy 1" in limit for limit in found.limits)
    assert any("TOY has 1 other transcript." in limit for limit in found.limits)
    assert infer_consequence(delta, two, gene.genome, transcript=other).transcript_id == "NM_OTHER"


def test_scores_without_tracks_or_of_another_gene_are_refused(gene: Toy) -> None:
    delta = gene.delta(snv(gene, gene.exons[2][1]), gene.sites())
    with pytest.raises(SettingError, match="no per-position tracks"):
        infer_consequence(delta.model_copy(update={"tracks": None}), gene.gene, gene.genome)
    with pytest.raises(UnknownGeneError, match="NM_ELSE"):
        infer_consequence(delta.model_copy(update={"transcript_id": "NM_ELSE"}), gene.gene, gene.genome)


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ((2, "end", -1), "exon 3 of 5, its last base"),
        ((2, "end", -4), "exon 3 of 5, 3 nt before its donor"),
        ((2, "start", 0), "exon 3 of 5, its first base"),
        ((2, "start", 2), "exon 3 of 5, 2 nt after its acceptor"),
        ((2, "end", 0), "intron 3 of 4, 1 nt after exon 3"),
        ((2, "start", -1), "intron 2 of 4, 1 nt before exon 3"),
        ((0, "start", 1), "exon 1 of 5, 14 nt before its donor (5' UTR)"),
        ((4, "end", -1), "exon 5 of 5, 40 nt after its acceptor (3' UTR)"),
        ((0, "start", -3), "3 nt upstream of the transcript"),
        ((4, "end", 1), "2 nt downstream of the transcript"),
    ],
)
def test_region(gene: Toy, where: tuple[int, str, int], expected: str) -> None:
    exon, edge, offset = where
    base = gene.exons[exon][edge == "end"] + offset
    assert gene.infer(snv(gene, base), gene.sites()).region == expected


def test_the_toy_protein_is_what_the_tests_say() -> None:
    assert len(PROTEIN) == 45
    assert [len(exon) for exon in EXONS] == [16, 30, 31, 62, 41]
    assert [len(intron) for intron in INTRONS] == [300, 800, 80, 200]
