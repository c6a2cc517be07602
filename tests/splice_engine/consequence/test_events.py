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
from agentic_spliceai.splice_engine.genome.types import Gene, Strand, Variant
from tests.splice_engine.consequence.toys import EXONS, INTRONS, PROTEIN, THRESHOLDS, Toy, toy

ESCAPES, NOT_APPLICABLE, PREDICTED = NmdPrediction.ESCAPES, NmdPrediction.NOT_APPLICABLE, NmdPrediction.PREDICTED


@pytest.fixture(params=list(Strand), ids=["plus", "minus"])
def gene(request: pytest.FixtureRequest) -> Toy:
    return toy(request.param)


def _snv(gene: Toy, base: int) -> Variant:
    """A transition at a sense base of the reference."""
    return gene.variant(base, base + 1, {"A": "G", "G": "A", "C": "T", "T": "C"}[gene.sense[base]])


def test_nothing_changes(gene: Toy) -> None:
    found = gene.infer(_snv(gene, gene.exons[2][1]), gene.sites())
    assert [event.type for event in found.events] == [EventType.NONE]
    assert found.primary.score == 0
    assert found.primary.effect is None
    assert "no splicing change is predicted" in found.verdict
    assert "0.00" in found.verdict


def test_a_change_below_the_floor_is_named_but_no_event(gene: Toy) -> None:
    donor = gene.exons[2][1] - 1
    found = gene.infer(_snv(gene, donor + 1), gene.sites() | {("donor", donor): 0.80})
    assert found.primary.type is EventType.NONE
    assert found.primary.score == pytest.approx(0.15)
    assert "0.15 (donor loss" in found.verdict
    assert "below 0.20" in found.verdict


# -- lost sites --------------------------------------------------------------------------------------------------------


def test_a_lost_donor_of_an_internal_exon_skips_it_and_may_retain_the_intron(gene: Toy) -> None:
    start, end = gene.exons[2]
    found = gene.infer(_snv(gene, end), gene.sites() | {("donor", end - 1): 0.02})
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
    found = gene.infer(_snv(gene, end), alt)
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
    found = gene.infer(_snv(gene, middle), alt)
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
    found = gene.infer(_snv(gene, end2), alt)
    assert (found.primary.type, found.primary.exon_number) == (EventType.EXON_SKIPPING, 2)
    second = found.events[1]
    assert (second.type, second.intron_number, second.alternative) == (EventType.INTRON_RETENTION, 1, False)


@pytest.mark.parametrize(("exon", "site", "intron"), [(0, "donor", 1), (4, "acceptor", 4)])
def test_the_outer_exons_are_not_skipped(gene: Toy, exon: int, site: str, intron: int) -> None:
    start, end = gene.exons[exon]
    base = end - 1 if site == "donor" else start
    found = gene.infer(_snv(gene, base + 1 if site == "donor" else base - 1), gene.sites() | {(site, base): 0.0})
    (event,) = found.events
    assert (event.type, event.intron_number) == (EventType.INTRON_RETENTION, intron)


def test_a_short_intron_beside_a_long_exon_is_rather_retained(gene: Toy) -> None:
    long = replace(gene, exon_sequences=(EXONS[0], EXONS[1], "AAA" * 50 + "A", *EXONS[3:]), coding=None)
    end = long.exons[2][1]
    found = long.infer(_snv(long, end), long.sites() | {("donor", end - 1): 0.0})
    assert [(event.type, event.alternative) for event in found.events] == [
        (EventType.INTRON_RETENTION, False),
        (EventType.EXON_SKIPPING, True),
    ]


def test_a_partner_outside_the_window_is_a_limit(gene: Toy) -> None:
    end = gene.exons[2][1]
    found = gene.infer(_snv(gene, end), gene.sites() | {("donor", end - 1): 0.02}, distance=20)
    assert found.primary.type is EventType.EXON_SKIPPING
    assert "The acceptor of exon 3 lies outside the scored window." in found.limits


# -- shifts ------------------------------------------------------------------------------------------------------------


def test_an_acceptor_upstream_lengthens_the_exon(gene: Toy) -> None:
    start = gene.exons[2][0]
    alt = gene.sites() | {("acceptor", start): 0.01, ("acceptor", start - 11): 0.97}
    found = gene.infer(_snv(gene, start - 13), alt)
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
    (shift,) = gene.infer(_snv(gene, end), alt).events
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
        found = gene.infer(_snv(gene, end), gene.sites() | {("donor", end - 1): 0.05, ("donor", end + 5): gain})
        assert [event.type.value for event in found.events] == order
        assert [event.alternative for event in found.events] == [False, True, True]


def test_a_lost_site_is_strong_evidence_even_if_its_replacement_gains_less(gene: Toy) -> None:
    end = gene.exons[1][1]
    found = gene.infer(_snv(gene, end), gene.sites() | {("donor", end - 1): 0.05, ("donor", end + 5): 0.49})
    assert found.primary.type is EventType.DONOR_SHIFT
    assert found.primary.score == pytest.approx(0.49)
    assert found.primary.strength is Strength.STRONG
    assert "strong prediction" in found.verdict


def test_an_intron_that_the_variant_deletes_is_not_retained(gene: Toy) -> None:
    """From inside exon 3 to inside exon 4: the two are one exon now, whatever the model says of their ends."""
    first, second = gene.exons[2], gene.exons[3]
    start, end = first[1] - 3, second[0] + 3
    found = gene.infer(gene.variant(start, end, ""), _cut(gene, start, end))
    assert all(event.type is not EventType.INTRON_RETENTION for event in found.events)


def test_a_gain_without_a_loss_competes_in_weaker_words(gene: Toy) -> None:
    start = gene.exons[2][0]
    found = gene.infer(_snv(gene, start - 13), gene.sites() | {("acceptor", start - 11): 0.9})
    (shift,) = found.events
    assert (shift.type, shift.length_change) == (EventType.ACCEPTOR_SHIFT, 11)
    assert shift.strength is Strength.MODERATE
    assert "may compete" in found.verdict
    assert "moderate prediction" in found.verdict


def test_a_site_that_the_exon_cannot_use_is_no_shift(gene: Toy) -> None:
    # An acceptor in exon 1 has no donor before it; a donor in the last exon has no acceptor after it.
    for kind, base in (("acceptor", gene.exons[0][0] + 5), ("donor", gene.exons[4][0] + 9)):
        found = gene.infer(_snv(gene, base + 1), gene.sites() | {(kind, base): 0.7})
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
    found = gene.infer(_snv(gene, start + 61), alt)
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
    assert gene.infer(_snv(gene, start + 61), alt).primary.type is EventType.NONE


@pytest.mark.parametrize("length", [20, 500])
def test_the_length_limits_are_inclusive(gene: Toy, length: int) -> None:
    start = _deep(gene)
    alt = gene.sites() | {("acceptor", start): 0.3, ("donor", start + length - 1): 0.3}
    found = gene.infer(_snv(gene, start + 61), alt)
    assert (found.primary.type, found.primary.length_change) == (EventType.PSEUDOEXON, length)


def test_halves_in_different_introns_are_no_pair(gene: Toy) -> None:
    alt = gene.sites() | {("acceptor", gene.exons[2][0] - 60): 0.16, ("donor", gene.exons[2][1] + 20): 0.16}
    assert gene.infer(_snv(gene, gene.exons[2][0] + 5), alt).primary.type is EventType.NONE


def test_a_gain_beside_an_existing_site_makes_a_pseudoexon(gene: Toy) -> None:
    start = _deep(gene)
    existing = {("donor", start + 59): 0.30}
    found = gene.infer(
        _snv(gene, start - 2), gene.sites() | existing | {("acceptor", start): 0.6}, ref=gene.sites() | existing
    )
    primary = found.primary
    assert (primary.type, primary.length_change) == (EventType.PSEUDOEXON, 60)
    assert primary.score == pytest.approx(0.30)
    assert "acceptor gain 0.60, existing donor 0.30" in found.verdict


def test_a_lone_deep_gain_is_said_to_lack_its_partner(gene: Toy) -> None:
    start = _deep(gene)
    found = gene.infer(_snv(gene, start - 2), gene.sites() | {("acceptor", start): 0.95}, distance=100)
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
    found = gene.infer(_snv(gene, end2), alt)
    assert [event.type for event in found.events] == [EventType.EXON_SKIPPING, EventType.PSEUDOEXON]
    assert found.events[1].strength is Strength.WEAK


def test_one_half_that_is_far_weaker_leaves_the_shift_first(gene: Toy) -> None:
    start = gene.exons[2][0]
    alt = gene.sites() | {("acceptor", start - 110): 0.9, ("donor", start - 40): 0.06}
    found = gene.infer(_snv(gene, start - 112), alt)
    assert [(event.type, event.alternative) for event in found.events] == [
        (EventType.ACCEPTOR_SHIFT, False),
        (EventType.PSEUDOEXON, True),
    ]


# -- other variants than substitutions ---------------------------------------------------------------------------------


def _cut(gene: Toy, start: int, end: int) -> dict[tuple[str, int], float]:
    """The sites that are left after a deletion, in the alternate's coordinates."""
    return {
        (kind, base - (end - start if base >= end else 0)): probability
        for (kind, base), probability in gene.sites().items()
        if not start <= base < end
    }


@pytest.mark.parametrize(("before", "after"), [(10, 10), (0, 0), (2, 0), (0, 2)])
def test_a_deleted_exon_is_skipped_whatever_the_scores(gene: Toy, before: int, after: int) -> None:
    first, last = gene.exons[2]
    start, end = first - before, last + after
    ref = gene.sites() | {("acceptor", first): 0.12, ("donor", last - 1): 0.10}
    found = gene.infer(gene.variant(start, end, ""), _cut(gene, start, end), ref=ref)
    (skip,) = found.events
    assert (skip.type, skip.exon_number, skip.length_change) == (EventType.EXON_SKIPPING, 3, -31)
    assert skip.interval == gene.interval(first, last)
    assert (skip.strength, skip.alternative) == (Strength.WEAK, False)
    assert skip.score == pytest.approx(0.12)
    assert {change.kind for change in skip.support} == {ChangeKind.ACCEPTOR_LOSS, ChangeKind.DONOR_LOSS}
    assert skip.description.startswith("The variant itself removes exon 3 (31 nt; loss of its ")
    assert skip.effect is not None
    assert skip.effect.hgvs_p == "p.(Lys13SerfsTer25)"
    assert found.verdict.startswith("TOY, from the sequence itself: the variant itself removes exon 3")


def test_a_deleted_exon_that_the_model_did_not_see(gene: Toy) -> None:
    first, last = gene.exons[1]
    ref = gene.sites() | {("acceptor", first): 0.0, ("donor", last - 1): 0.0}
    found = gene.infer(gene.variant(first - 5, last + 5, ""), _cut(gene, first - 5, last + 5), ref=ref)
    (skip,) = found.events
    assert (skip.type, skip.exon_number, skip.score, skip.support) == (EventType.EXON_SKIPPING, 2, 0, ())
    assert "the model saw no splice site there" in skip.description
    assert skip.effect is not None
    assert skip.effect.hgvs_p == "p.(Glu3_Glu12del)"


def test_two_deleted_exons_are_one_event(gene: Toy) -> None:
    start, end = gene.exons[1][0] - 5, gene.exons[2][1] + 5
    found = gene.infer(gene.variant(start, end, ""), _cut(gene, start, end))
    (skip,) = found.events
    assert (skip.type, skip.exon_number, skip.length_change) == (EventType.EXON_SKIPPING, 2, -61)
    assert skip.interval == gene.interval(gene.exons[1][0], gene.exons[2][1])
    assert skip.strength is Strength.STRONG
    assert "removes exons 2 to 3 (61 nt" in skip.description
    assert skip.effect is not None
    assert skip.effect.mrna_length_change == -61


def test_a_new_site_beside_a_deleted_exon_does_not_revive_it(gene: Toy) -> None:
    first, last = gene.exons[2]
    start, end = first - 10, last + 10
    alt = _cut(gene, start, end) | {("donor", start - 60): 0.9}
    found = gene.infer(gene.variant(start, end, ""), alt)
    assert found.primary.description.startswith("The variant itself removes exon 3")
    assert all(event.exon_number != 3 for event in found.events[1:])


def test_one_removed_site_without_a_score_is_a_limit(gene: Toy) -> None:
    first, last = gene.exons[2]
    ref = gene.sites() | {("donor", last - 1): 0.10}
    for variant, alt in (
        (gene.variant(last - 3, last + 5, ""), _cut(gene, last - 3, last + 5)),
        (_snv(gene, last), gene.sites() | {("donor", last - 1): 0.0}),
    ):
        found = gene.infer(variant, alt, ref=ref)
        assert found.primary.type is EventType.NONE
        (limit,) = [limit for limit in found.limits if "itself removes" in limit]
        assert limit.startswith("The variant itself removes the donor of exon 3, scored 0.10 on the reference")
    # A silent change beside the site, or a loss that the scores show, is none.
    for base, alt in ((first + 4, gene.sites()), (last, gene.sites() | {("donor", last - 1): 0.0})):
        assert not any("itself removes" in limit for limit in gene.infer(_snv(gene, base), alt).limits)


# -- transcripts that differ from the genome, coding sequences in part ------------------------------------------------


def _with(gene: Toy, **changes: object) -> Gene:
    transcript = gene.gene.representative.model_copy(update=changes)
    return gene.gene.model_copy(update={"transcripts": (transcript,)})


def _split(blocks: tuple[tuple[int, int], ...], at: int) -> tuple[tuple[int, int], ...]:
    """Leave out the genome's base `at` from the block that holds it."""
    return tuple(part for a, b in blocks for part in (((a, at), (at + 1, b)) if a < at < b - 1 else ((a, b),)))


def test_a_gap_of_one_base_in_the_coding_sequence_leaves_the_frame_unknown(gene: Toy) -> None:
    start = gene.exons[3][0]
    at = gene.position(start + 30) - 1
    transcript = gene.gene.representative
    gapped = _with(gene, exons=_split(transcript.exons, at), cds=_split(transcript.cds, at))
    last = gene.exons[2][1]
    delta = gene.delta(_snv(gene, last), gene.sites() | {("donor", last - 1): 0.0})
    found = infer_consequence(delta, gapped, gene.genome)
    assert found.region == "intron 3 of 4, 1 nt after exon 3"
    assert (found.primary.type, found.primary.exon_number) == (EventType.EXON_SKIPPING, 3)
    assert found.primary.effect is not None
    assert (found.primary.effect.frame, found.primary.effect.hgvs_p) == (Frame.UNKNOWN, None)
    assert any("1 nt inside the coding sequence of NM_TOY that the transcript lacks" in text for text in found.limits)
    inside = infer_consequence(gene.delta(_snv(gene, start + 30), gene.sites()), gapped, gene.genome)
    assert inside.primary.type is EventType.NONE
    assert inside.region.startswith("exon 4 of 5")


def test_a_gap_outside_the_coding_sequence_leaves_the_protein_known(gene: Toy) -> None:
    at = gene.position(gene.exons[4][0] + 30) - 1
    gapped = _with(gene, exons=_split(gene.gene.representative.exons, at))
    last = gene.exons[2][1]
    delta = gene.delta(_snv(gene, last), gene.sites() | {("donor", last - 1): 0.0})
    found = infer_consequence(delta, gapped, gene.genome)
    assert found.primary.effect is not None
    assert found.primary.effect.hgvs_p == "p.(Lys13SerfsTer25)"
    assert any("NM_TOY lacks 1 nt that the genome has at chrToy:" in text for text in found.limits)


@pytest.mark.parametrize(("tag", "missing"), [("cds_start_NF", "start"), ("cds_end_NF", "end")])
def test_half_a_coding_sequence_gives_no_protein(gene: Toy, tag: str, missing: str) -> None:
    last = gene.exons[2][1]
    delta = gene.delta(_snv(gene, last), gene.sites() | {("donor", last - 1): 0.0})
    found = infer_consequence(delta, _with(gene, tags=(tag,)), gene.genome)
    assert found.primary.effect is not None
    assert (found.primary.effect.frame, found.primary.effect.hgvs_p) == (Frame.UNKNOWN, None)
    assert f"NM_TOY holds its coding sequence without its {missing}: no protein was predicted." in found.limits


def test_a_deletion_over_the_boundary_skips_the_exon(gene: Toy) -> None:
    end = gene.exons[2][1]
    alt = {site: score for site, score in gene.sites().items() if site[1] < end - 1}
    alt |= {(kind, base - 4): score for (kind, base), score in gene.sites().items() if base > end}
    found = gene.infer(gene.variant(end - 2, end + 2, ""), alt)
    assert (found.primary.type, found.primary.exon_number) == (EventType.EXON_SKIPPING, 3)
    assert found.primary.effect is not None
    assert found.primary.effect.hgvs_p == "p.(Lys13SerfsTer25)"
    assert found.primary.effect.mrna_length_change == -31
    assert found.region == "exon 3 of 5 to intron 3 of 4"


def test_a_deletion_over_the_boundary_with_a_cryptic_donor(gene: Toy) -> None:
    end = gene.exons[2][1]
    alt = {site: score for site, score in gene.sites().items() if site[1] < end - 1} | {("donor", end - 8): 0.9}
    alt |= {(kind, base - 4): score for (kind, base), score in gene.sites().items() if base > end}
    found = gene.infer(gene.variant(end - 2, end + 2, ""), alt)
    shift = found.primary
    assert (shift.type, shift.length_change) == (EventType.DONOR_SHIFT, -7)
    assert shift.interval == gene.interval(end - 7, end)
    assert shift.effect is not None
    assert shift.effect.mrna_length_change == -7
    # (AAA)8, then AG TGG...: 24 A left of exon 3, K8, then AGT GGT... as in the skip: first change at residue 21.
    assert shift.effect.hgvs_p == "p.(Lys21SerfsTer25)"


def test_an_mnv_over_the_boundary(gene: Toy) -> None:
    start = gene.exons[1][0]
    found = gene.infer(gene.variant(start - 2, start + 1, "TTT"), gene.sites() | {("acceptor", start): 0.0})
    assert (found.primary.type, found.primary.exon_number) == (EventType.EXON_SKIPPING, 2)
    assert found.primary.effect is not None
    assert found.primary.effect.hgvs_p == "p.(Glu3_Glu12del)"


def test_a_donor_inside_inserted_bases(gene: Toy) -> None:
    end = gene.exons[2][1]
    inserted = "ACAGTA"
    alt = {site: score for site, score in gene.sites().items() if site[1] < end - 1}
    alt |= {(kind, base + 6): score for (kind, base), score in gene.sites().items() if base > end}
    alt |= {("donor", end - 1): 0.1, ("donor", end + 10 + 2): 0.85}  # the third inserted base, as transcribed
    found = gene.infer(gene.variant(end + 10, end + 10, inserted), alt)
    shift = found.primary
    assert (shift.type, shift.length_change) == (EventType.DONOR_SHIFT, 13)
    assert shift.effect is not None
    assert shift.effect.mrna_length_change == 13
    gain = next(change for change in shift.support if change.kind is ChangeKind.DONOR_GAIN)
    assert gain.insert_offset > 0
    assert shift.interval == gene.interval(end, end + 10)


def test_a_duplicated_boundary_is_read_where_the_donor_stays(gene: Toy) -> None:
    end = gene.exons[3][1]  # ...TGG TGG | GTAAGT: the unit GG GT cannot be placed elsewhere than around the boundary
    unit = gene.sense[end - 3 : end + 3]
    shifted = {(kind, base + 6): score for (kind, base), score in gene.sites().items() if base > end}
    kept = {site: score for site, score in gene.sites().items() if site[1] < end - 1} | shifted
    variant = gene.variant(end + 3, end + 3, unit)
    first = gene.infer(variant, kept | {("donor", end - 1): 0.9})
    assert first.primary.type is EventType.NONE
    second = gene.infer(variant, kept | {("donor", end + 5): 0.9})
    (shift,) = (event for event in second.events if not event.alternative)
    assert (shift.type, shift.length_change) == (EventType.DONOR_SHIFT, 6)
    assert shift.effect is not None
    assert shift.effect.mrna_length_change == 6
    assert "moves with the variant's bases" in second.verdict
    assert any("can as well be read as the insertion lying in exon 4" in limit for limit in second.limits)


def test_a_deleted_first_base_of_an_exon_is_no_lost_site(gene: Toy) -> None:
    start = gene.exons[1][0]  # CAG|GAAGAA: without its GA the exon starts with AGAA at the same boundary
    variant = gene.variant(start, start + 2, "")
    alt = {(kind, base if base <= start else base - 2): score for (kind, base), score in gene.sites().items()}
    delta = gene.delta(variant, alt)
    found = infer_consequence(delta, gene.gene, gene.genome)
    assert found.primary.type is EventType.NONE
    assert delta.raw.max_score == pytest.approx(0.95)  # the published protocol shows a full loss there
    if gene.strand is Strand.PLUS:
        assert any("the site itself is kept" in limit for limit in found.limits)


# -- coding sequence ---------------------------------------------------------------------------------------------------


def test_a_non_coding_transcript(gene: Toy) -> None:
    quiet = toy(gene.strand, coding=False)
    end = quiet.exons[2][1]
    found = quiet.infer(_snv(quiet, end), quiet.sites() | {("donor", end - 1): 0.0})
    effect = found.primary.effect
    assert effect is not None
    assert (effect.frame, effect.nmd, effect.hgvs_p) == (Frame.NON_CODING, NOT_APPLICABLE, None)
    assert effect.mrna_length_change == -31
    assert "non-coding" in found.verdict


def _frame(exons: tuple[str, ...]) -> tuple[int, int]:
    """From the first ATG to the toy's stop codon."""
    whole = "".join(exons)
    return whole.find("ATG"), whole.find("CTGCTGTAA") + 9


def test_skipping_the_start_codon(gene: Toy) -> None:
    exons = ("CCCCCC", "CCCCATGGCTGAAGAA", *EXONS[2:])
    leader = replace(gene, exon_sequences=exons, coding=_frame(exons))
    end = leader.exons[1][1]
    found = leader.infer(_snv(leader, end), leader.sites() | {("donor", end - 1): 0.0})
    assert found.primary.type is EventType.EXON_SKIPPING
    effect = found.primary.effect
    assert effect is not None
    assert (effect.frame, effect.hgvs_p, effect.nmd) == (Frame.START_LOST, "p.(Met1?)", NmdPrediction.UNKNOWN)
    assert "start codon is lost" in found.verdict


def test_skipping_an_untranslated_exon_changes_no_protein(gene: Toy) -> None:
    exons = ("CCCCCC", "CTCTCTC", "CCATGGCTGAAA", *EXONS[3:])
    quiet = replace(gene, exon_sequences=exons, intron_sequences=tuple(INTRONS), coding=_frame(exons))
    end = quiet.exons[1][1]
    found = quiet.infer(_snv(quiet, end), quiet.sites() | {("donor", end - 1): 0.0})
    effect = found.primary.effect
    assert effect is not None
    assert (effect.frame, effect.hgvs_p, effect.nmd) == (Frame.NO_CODING_CHANGE, "p.(=)", NOT_APPLICABLE)
    assert effect.mrna_length_change == -7
    assert effect.protein_length_ref == effect.protein_length_alt
    assert found.region == "intron 2 of 4, 1 nt after exon 2 (5' UTR)"
    assert "the protein does not change" in found.verdict


@pytest.mark.parametrize(("triplets", "distance", "nmd"), [(16, 50, ESCAPES), (17, 53, PREDICTED)])
def test_the_50_nt_rule(gene: Toy, triplets: int, distance: int, nmd: NmdPrediction) -> None:
    # Without exon 2 (4 nt) exon 3 is read CCT CCT CCT CCT TGA; this ends 2 + 3 * triplets nt before the last junction.
    exons = ("ATGGCTGCTGCT", "GAAG", "CCT" * 4 + "TGA" + "CC" + "TCC" * triplets, "TAACCCC")
    rule = replace(gene, exon_sequences=exons, intron_sequences=tuple(INTRONS[:3]), coding=(0, 36 + 3 * triplets))
    end = rule.exons[1][1]
    found = rule.infer(_snv(rule, end), rule.sites() | {("donor", end - 1): 0.0})
    effect = found.primary.effect
    assert effect is not None
    assert effect.hgvs_p == "p.(Glu5ProfsTer5)"
    assert effect.stop_residue == 9
    assert effect.nmd is nmd
    assert f"{distance} nt upstream" in effect.nmd_reason


def test_an_altered_transcript_of_one_exon_has_no_nmd(gene: Toy) -> None:
    exons = ("ATGGCTGCTGCT", "TAACCCC")
    two = replace(gene, exon_sequences=exons, intron_sequences=("GTTGAC" + "C" * 60 + "CAG",), coding=(0, 15))
    (_, end), (start, _) = two.exons
    found = two.infer(_snv(two, end + 30), two.sites() | {("donor", end - 1): 0.0, ("acceptor", start): 0.0})
    assert found.primary.type is EventType.INTRON_RETENTION
    effect = found.primary.effect
    assert effect is not None
    # GTT GAC (CCC)20 CAG TAA: in frame to the reference's stop.
    assert effect.hgvs_p == "p.(Ter5ValextTer23)"
    retained_stop = replace(two, intron_sequences=("GTTTGA" + "C" * 60 + "CAG",))
    found = retained_stop.infer(
        _snv(retained_stop, end + 30),
        retained_stop.sites() | {("donor", end - 1): 0.0, ("acceptor", start): 0.0},
    )
    assert found.primary.effect is not None
    assert found.primary.effect.nmd is NOT_APPLICABLE
    assert "single exon" in found.primary.effect.nmd_reason


def test_a_lost_stop_without_another_is_nonstop(gene: Toy) -> None:
    exons = (EXONS[0], "GAAG", "CC" + "CCT" * 10 + "TAA" + "CC" * 10)
    last = replace(gene, exon_sequences=exons, intron_sequences=tuple(INTRONS[:2]), coding=(10, 55))
    end = last.exons[1][1]
    found = last.infer(_snv(last, end), last.sites() | {("donor", end - 1): 0.0})
    effect = found.primary.effect
    assert effect is not None
    assert effect.hgvs_p == "p.(Glu3ProfsTer?)"
    assert (effect.protein_length_alt, effect.stop_residue, effect.nmd) == (None, None, NOT_APPLICABLE)
    assert "nonstop" in effect.nmd_reason
    assert "no stop codon in frame" in found.verdict


@pytest.mark.parametrize(
    ("coding", "frame", "limit"),
    [
        ((10, 147), Frame.UNKNOWN, "not whole codons"),
        ((10, 145), Frame.FRAMESHIFT, "does not end in a stop codon"),
        ((13, 148), Frame.FRAMESHIFT, "starts with GCT, not ATG"),
        ((10, 154), Frame.FRAMESHIFT, "has a stop codon inside, at residue 46"),
    ],
)
def test_an_odd_coding_sequence_is_a_limit(gene: Toy, coding: tuple[int, int], frame: Frame, limit: str) -> None:
    odd = replace(gene, coding=coding)
    end = odd.exons[2][1]
    found = odd.infer(_snv(odd, end), odd.sites() | {("donor", end - 1): 0.0})
    assert found.primary.effect is not None
    assert found.primary.effect.frame is frame
    assert any(limit in text for text in found.limits)
    assert (found.primary.effect.hgvs_p is None) == ("GCT" not in limit)


def test_an_intron_without_sequence_is_a_limit(gene: Toy) -> None:
    hole = replace(gene, intron_sequences=(INTRONS[0], INTRONS[1], "GTGAGT" + "N" * 60 + "TTTTTTTTTTTCAG", INTRONS[3]))
    (_, end), (start, _) = hole.exons[2:4]
    found = hole.infer(_snv(hole, end), hole.sites() | {("donor", end - 1): 0.0, ("acceptor", start): 0.0})
    effect = found.primary.effect
    assert found.primary.type is EventType.INTRON_RETENTION
    assert effect is not None
    assert (effect.frame, effect.hgvs_p, effect.nmd) == (Frame.FRAMESHIFT, None, NmdPrediction.UNKNOWN)
    assert any("not sequenced" in limit for limit in found.limits)


# -- scope -------------------------------------------------------------------------------------------------------------


def test_limits_name_uncalibrated_thresholds_and_unexamined_transcripts(gene: Toy) -> None:
    end = gene.exons[2][1]
    doubtful = THRESHOLDS.model_copy(update={"calibrated": False})
    delta = gene.delta(_snv(gene, end), gene.sites() | {("donor", end - 1): 0.0}, thresholds=doubtful)
    other = gene.gene.transcripts[0].model_copy(update={"id": "NM_OTHER"})
    two = gene.gene.model_copy(update={"transcripts": (*gene.gene.transcripts, other)})
    found = infer_consequence(delta, two, gene.genome)
    assert found.transcript_id == "NM_TOY"
    assert any("not calibrated for toy 1" in limit for limit in found.limits)
    assert any("TOY has 1 other transcript." in limit for limit in found.limits)
    assert infer_consequence(delta, two, gene.genome, transcript=other).transcript_id == "NM_OTHER"


def test_scores_without_tracks_or_of_another_gene_are_refused(gene: Toy) -> None:
    delta = gene.delta(_snv(gene, gene.exons[2][1]), gene.sites())
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
    assert gene.infer(_snv(gene, base), gene.sites()).region == expected


def test_the_toy_protein_is_what_the_tests_say() -> None:
    assert len(PROTEIN) == 45
    assert [len(exon) for exon in EXONS] == [16, 30, 31, 62, 41]
    assert [len(intron) for intron in INTRONS] == [300, 800, 80, 200]
