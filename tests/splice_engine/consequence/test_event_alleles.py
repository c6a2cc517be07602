"""Indels over boundaries, removed exons, transcripts that differ from the genome, and coding sequences.

The toy gene is that of `test_events`.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from agentic_spliceai.splice_engine.base_layer.results import ChangeKind
from agentic_spliceai.splice_engine.consequence.infer import infer_consequence
from agentic_spliceai.splice_engine.consequence.types import EventType, Frame, NmdPrediction, Strength
from agentic_spliceai.splice_engine.genome.types import Gene, Strand
from tests.splice_engine.consequence.toys import EXONS, INTRONS, Toy, sites_after_cut, snv, toy

ESCAPES, NOT_APPLICABLE, PREDICTED = NmdPrediction.ESCAPES, NmdPrediction.NOT_APPLICABLE, NmdPrediction.PREDICTED


# -- other variants than substitutions ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("before", "after"), [(10, 10), (0, 0), (2, 0), (0, 2)])
def test_a_deleted_exon_is_skipped_whatever_the_scores(gene: Toy, before: int, after: int) -> None:
    first, last = gene.exons[2]
    start, end = first - before, last + after
    ref = gene.sites() | {("acceptor", first): 0.12, ("donor", last - 1): 0.10}
    found = gene.infer(gene.variant(start, end, ""), sites_after_cut(gene, start, end), ref=ref)
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
    found = gene.infer(gene.variant(first - 5, last + 5, ""), sites_after_cut(gene, first - 5, last + 5), ref=ref)
    (skip,) = found.events
    assert (skip.type, skip.exon_number, skip.score, skip.support) == (EventType.EXON_SKIPPING, 2, 0, ())
    assert "the model saw no splice site there" in skip.description
    assert skip.effect is not None
    assert skip.effect.hgvs_p == "p.(Glu3_Glu12del)"


def test_two_deleted_exons_are_one_event(gene: Toy) -> None:
    start, end = gene.exons[1][0] - 5, gene.exons[2][1] + 5
    found = gene.infer(gene.variant(start, end, ""), sites_after_cut(gene, start, end))
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
    alt = sites_after_cut(gene, start, end) | {("donor", start - 60): 0.9}
    found = gene.infer(gene.variant(start, end, ""), alt)
    assert found.primary.description.startswith("The variant itself removes exon 3")
    assert all(event.exon_number != 3 for event in found.events[1:])


def test_one_removed_site_without_a_score_is_a_limit(gene: Toy) -> None:
    first, last = gene.exons[2]
    ref = gene.sites() | {("donor", last - 1): 0.10}
    for variant, alt in (
        (gene.variant(last - 3, last + 5, ""), sites_after_cut(gene, last - 3, last + 5)),
        (snv(gene, last), gene.sites() | {("donor", last - 1): 0.0}),
    ):
        found = gene.infer(variant, alt, ref=ref)
        assert found.primary.type is EventType.NONE
        (limit,) = [limit for limit in found.limits if "itself removes" in limit]
        assert limit.startswith("The variant itself removes the donor of exon 3, scored 0.10 on the reference")
    # A silent change beside the site, or a loss that the scores show, is none.
    for base, alt in ((first + 4, gene.sites()), (last, gene.sites() | {("donor", last - 1): 0.0})):
        assert not any("itself removes" in limit for limit in gene.infer(snv(gene, base), alt).limits)


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
    delta = gene.delta(snv(gene, last), gene.sites() | {("donor", last - 1): 0.0})
    found = infer_consequence(delta, gapped, gene.genome)
    assert found.region == "intron 3 of 4, 1 nt after exon 3"
    assert (found.primary.type, found.primary.exon_number) == (EventType.EXON_SKIPPING, 3)
    assert found.primary.effect is not None
    assert (found.primary.effect.frame, found.primary.effect.hgvs_p) == (Frame.UNKNOWN, None)
    assert any("1 nt inside the coding sequence of NM_TOY that the transcript lacks" in text for text in found.limits)
    inside = infer_consequence(gene.delta(snv(gene, start + 30), gene.sites()), gapped, gene.genome)
    assert inside.primary.type is EventType.NONE
    assert inside.region.startswith("exon 4 of 5")


def test_a_gap_outside_the_coding_sequence_leaves_the_protein_known(gene: Toy) -> None:
    at = gene.position(gene.exons[4][0] + 30) - 1
    gapped = _with(gene, exons=_split(gene.gene.representative.exons, at))
    last = gene.exons[2][1]
    delta = gene.delta(snv(gene, last), gene.sites() | {("donor", last - 1): 0.0})
    found = infer_consequence(delta, gapped, gene.genome)
    assert found.primary.effect is not None
    assert found.primary.effect.hgvs_p == "p.(Lys13SerfsTer25)"
    assert any("NM_TOY lacks 1 nt that the genome has at chrToy:" in text for text in found.limits)


@pytest.mark.parametrize(("tag", "missing"), [("cds_start_NF", "start"), ("cds_end_NF", "end")])
def test_half_a_coding_sequence_gives_no_protein(gene: Toy, tag: str, missing: str) -> None:
    last = gene.exons[2][1]
    delta = gene.delta(snv(gene, last), gene.sites() | {("donor", last - 1): 0.0})
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
    found = quiet.infer(snv(quiet, end), quiet.sites() | {("donor", end - 1): 0.0})
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
    found = leader.infer(snv(leader, end), leader.sites() | {("donor", end - 1): 0.0})
    assert found.primary.type is EventType.EXON_SKIPPING
    effect = found.primary.effect
    assert effect is not None
    assert (effect.frame, effect.hgvs_p, effect.nmd) == (Frame.START_LOST, "p.(Met1?)", NmdPrediction.UNKNOWN)
    assert "start codon is lost" in found.verdict


def test_skipping_an_untranslated_exon_changes_no_protein(gene: Toy) -> None:
    exons = ("CCCCCC", "CTCTCTC", "CCATGGCTGAAA", *EXONS[3:])
    quiet = replace(gene, exon_sequences=exons, intron_sequences=tuple(INTRONS), coding=_frame(exons))
    end = quiet.exons[1][1]
    found = quiet.infer(snv(quiet, end), quiet.sites() | {("donor", end - 1): 0.0})
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
    found = rule.infer(snv(rule, end), rule.sites() | {("donor", end - 1): 0.0})
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
    found = two.infer(snv(two, end + 30), two.sites() | {("donor", end - 1): 0.0, ("acceptor", start): 0.0})
    assert found.primary.type is EventType.INTRON_RETENTION
    effect = found.primary.effect
    assert effect is not None
    # GTT GAC (CCC)20 CAG TAA: in frame to the reference's stop.
    assert effect.hgvs_p == "p.(Ter5ValextTer23)"
    retained_stop = replace(two, intron_sequences=("GTTTGA" + "C" * 60 + "CAG",))
    found = retained_stop.infer(
        snv(retained_stop, end + 30),
        retained_stop.sites() | {("donor", end - 1): 0.0, ("acceptor", start): 0.0},
    )
    assert found.primary.effect is not None
    assert found.primary.effect.nmd is NOT_APPLICABLE
    assert "single exon" in found.primary.effect.nmd_reason


def test_a_lost_stop_without_another_is_nonstop(gene: Toy) -> None:
    exons = (EXONS[0], "GAAG", "CC" + "CCT" * 10 + "TAA" + "CC" * 10)
    last = replace(gene, exon_sequences=exons, intron_sequences=tuple(INTRONS[:2]), coding=(10, 55))
    end = last.exons[1][1]
    found = last.infer(snv(last, end), last.sites() | {("donor", end - 1): 0.0})
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
    found = odd.infer(snv(odd, end), odd.sites() | {("donor", end - 1): 0.0})
    assert found.primary.effect is not None
    assert found.primary.effect.frame is frame
    assert any(limit in text for text in found.limits)
    assert (found.primary.effect.hgvs_p is None) == ("GCT" not in limit)


def test_an_intron_without_sequence_is_a_limit(gene: Toy) -> None:
    hole = replace(gene, intron_sequences=(INTRONS[0], INTRONS[1], "GTGAGT" + "N" * 60 + "TTTTTTTTTTTCAG", INTRONS[3]))
    (_, end), (start, _) = hole.exons[2:4]
    found = hole.infer(snv(hole, end), hole.sites() | {("donor", end - 1): 0.0, ("acceptor", start): 0.0})
    effect = found.primary.effect
    assert found.primary.type is EventType.INTRON_RETENTION
    assert effect is not None
    assert (effect.frame, effect.hgvs_p, effect.nmd) == (Frame.FRAMESHIFT, None, NmdPrediction.UNKNOWN)
    assert any("not sequenced" in limit for limit in found.limits)
