"""Suggested codes: every rule and every boundary, worked out by hand."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from agentic_spliceai.splice_engine.base_layer.registry import base_models
from agentic_spliceai.splice_engine.base_layer.results import (
    ChangeKind,
    ContextReport,
    DeltaScores,
    Mask,
    Provenance,
    SiteChange,
    SpliceDelta,
    Thresholds,
)
from agentic_spliceai.splice_engine.consequence.codes import (
    CodeAssessment,
    CodeStrength,
    parse_rules,
    splicing_rules,
    suggest_codes,
)
from agentic_spliceai.splice_engine.consequence.place import AlteredSite, CodingChange, Region, SplicePlace, place_of
from agentic_spliceai.splice_engine.consequence.types import (
    Consequence,
    EventType,
    Frame,
    NmdPrediction,
    SpliceEvent,
    Strength,
    TranscriptEffect,
)
from agentic_spliceai.splice_engine.errors import RegistryError
from agentic_spliceai.splice_engine.genome.types import SiteType, Strand, Variant
from agentic_spliceai.splice_engine.meta_layer.results import MetaStatus, TriageResult
from tests.splice_engine.consequence.toys import EXONS, INTRONS, PROTEIN, Toy

VARIANT = Variant(contig="chr1", position=1000, ref="A", alt="G")
SPLICEAI = tuple(splicing_rules().predictors[0].weights_sha256)


def scores(
    raw: float,
    masked: float | None = None,
    *,
    predictor: str = "spliceai",
    version: str = "1.3.1",
    weights: tuple[str, ...] = SPLICEAI,
    calibrated: bool = True,
    distance: int = 500,
    no_sequence: int = 0,
) -> SpliceDelta:
    """Scores whose largest raw and masked change are as given."""

    def four(score: float) -> DeltaScores:
        changes = {
            kind.value: SiteChange(
                kind=kind,
                score=score if kind is ChangeKind.DONOR_LOSS else 0.0,
                position=1000,
                offset=0,
                ref_score=score,
                alt_score=0.0,
                annotated=True,
            )
            for kind in ChangeKind
        }
        return DeltaScores(**changes)

    return SpliceDelta(
        variant=VARIANT,
        gene_id="g",
        gene_name="GENE",
        transcript_id="NM_1",
        strand=Strand.PLUS,
        provenance=Provenance(
            predictor=predictor,
            version=version,
            weights_sha256=weights,
            build=None,
            genome_id="toy",
            annotation_source="toy",
            annotation_sha256="0" * 64,
            context=10000,
            distance=distance,
            mask=Mask.ANNOTATED,
            thresholds=Thresholds(weak=0.1, moderate=0.2, strong=0.5, source="toy", calibrated=calibrated),
        ),
        window_start=500,
        window_end=1500,
        context=ContextReport(
            total=1000, real=1000 - no_sequence, outside_gene=0, no_sequence=no_sequence, past_contig_end=0
        ),
        raw=four(raw),
        masked=four(raw if masked is None else masked),
    )


def consequence(effect: TranscriptEffect | None = None, event: EventType = EventType.EXON_SKIPPING) -> Consequence:
    return Consequence(
        variant=VARIANT,
        gene_name="GENE",
        transcript_id="NM_1",
        strand=Strand.PLUS,
        region="intron 2",
        events=(
            SpliceEvent(
                type=event, strength=Strength.STRONG, score=0.9, support=(), description="Something.", effect=effect
            ),
        ),
        verdict="Something.",
    )


def effect(
    frame: Frame,
    nmd: NmdPrediction,
    *,
    ref: int | None = 1000,
    alt: int | None = 900,
    first: int | None = 500,
    stop: int | None = None,
) -> TranscriptEffect:
    return TranscriptEffect(
        frame=frame,
        mrna_length_change=0,
        protein_length_ref=ref,
        protein_length_alt=alt,
        first_changed_residue=first,
        stop_residue=stop,
        nmd=nmd,
        nmd_reason="toy",
    )


def intronic(donor: int, acceptor: int) -> SplicePlace:
    return SplicePlace(
        region=Region.INTRON,
        intron_number=2,
        donor_distance=donor,
        acceptor_distance=acceptor,
        coding=CodingChange.NONE,
    )


DEEP = intronic(100, 500)
SILENT = SplicePlace(region=Region.EXON, coding=CodingChange.SYNONYMOUS)
MISSENSE = SplicePlace(region=Region.EXON, coding=CodingChange.ALTERED)
UTR = SplicePlace(region=Region.EXON, coding=CodingChange.NONE)


def at_site(kind: SiteType = SiteType.DONOR, before: str = "GT", after: str | None = "AT") -> SplicePlace:
    site = AlteredSite(type=kind, intron_number=2, reference=before, alternate=after)
    return intronic(1, 600).model_copy(update={"altered_sites": (site,)})


def codes(found: CodeAssessment) -> list[str]:
    return [item.label for item in found.suggestions]


def told(found: CodeAssessment) -> str:
    return " ".join(found.notes)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (0.0, ["BP4", "BP7"]),
        (0.0999, ["BP4", "BP7"]),
        (0.1, ["BP4", "BP7"]),
        (0.10000000149011612, ["BP4", "BP7"]),  # 0.1 as float32
        (0.100002, []),
        (0.15, []),
        (0.199998, []),
        (0.2, ["PP3"]),
        (0.20000000298023224, ["PP3"]),  # 0.2 as float32
        (1.0, ["PP3"]),
    ],
)
def test_spliceai_thresholds_at_and_beside_them(raw: float, expected: list[str]) -> None:
    assert codes(suggest_codes(scores(raw), consequence(), DEEP)) == expected


def test_between_the_thresholds_the_reason_is_told() -> None:
    assert "between 0.1 and 0.2" in told(suggest_codes(scores(0.15), consequence(), DEEP))
    near = suggest_codes(scores(0.196), consequence(), DEEP)
    assert codes(near) == []
    assert "The largest change, 0.196, lies" in told(near)
    (clear,) = suggest_codes(scores(0.982925), consequence(), DEEP).suggestions
    assert "is 0.98, at or above 0.2" in clear.why
    assert "two decimals, it is 0.20" in told(near)


@pytest.mark.parametrize(
    ("raw", "masked", "expected"),
    [(0.9, 0.9, ["PP3"]), (0.9, 0.2, ["PP3"]), (0.9, 0.19, []), (0.9, 0.0, []), (0.15, 0.0, []), (0.1, 0.0, ["BP4"])],
)
def test_raw_and_masked_must_agree_and_raw_decides_against(raw: float, masked: float, expected: list[str]) -> None:
    found = suggest_codes(scores(raw, masked), consequence(), UTR)
    assert codes(found) == expected
    assert ("masked do not" in told(found)) == (raw == 0.9 and masked < 0.2)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"predictor": "openspliceai"}, "openspliceai 1.3.1"),
        ({"version": "1.4"}, "spliceai 1.4"),
        ({"weights": ("0" * 64,)}, "these weights of spliceai"),
        ({"calibrated": False}, "none are known"),
    ],
)
@pytest.mark.parametrize("raw", [0.0, 0.5])
def test_thresholds_of_another_predictor_suggest_nothing(raw: float, change: dict[str, object], said: str) -> None:
    found = suggest_codes(scores(raw, **change), consequence(), DEEP)  # type: ignore[arg-type]
    assert codes(found) == []
    assert said in told(found)
    assert "PP3, BP4, BP7" in told(found)


def test_the_rules_speak_of_the_weights_that_the_registry_loads() -> None:
    entry = base_models()["spliceai"]
    assert tuple(file.sha256 for file in entry.files) == SPLICEAI
    assert entry.version in splicing_rules().predictors[0].versions
    assert entry.thresholds.calibrated


@pytest.mark.parametrize(
    ("donor", "acceptor", "expected"),
    [
        (7, 21, ["BP4", "BP7"]),
        (6, 21, ["BP4"]),
        (7, 20, ["BP4"]),
        (3, 600, ["BP4"]),
        (600, 3, ["BP4"]),
        (600, 21, ["BP4", "BP7"]),
        (7, 600, ["BP4", "BP7"]),
    ],
)
def test_bp7_in_an_intron_from_plus_7_and_minus_21_on(donor: int, acceptor: int, expected: list[str]) -> None:
    found = suggest_codes(scores(0.0), consequence(), intronic(donor, acceptor))
    assert codes(found) == expected
    assert ("no BP7" in told(found)) == ("BP7" not in expected)


def test_bp7_needs_bp4() -> None:
    for raw in (0.11, 0.19, 0.5):
        assert "BP7" not in codes(suggest_codes(scores(raw), consequence(), SILENT))
    assert codes(suggest_codes(scores(0.1), consequence(), SILENT)) == ["BP4", "BP7"]


def test_bp4_is_not_for_a_variant_that_changes_the_protein() -> None:
    found = suggest_codes(scores(0.0), consequence(), MISSENSE)
    assert codes(found) == []
    assert "protein is changed otherwise" in told(found)
    assert codes(suggest_codes(scores(0.9), consequence(), MISSENSE)) == ["PP3"]
    unknown = MISSENSE.model_copy(update={"coding": CodingChange.UNKNOWN})
    assert "not known" in told(suggest_codes(scores(0.0), consequence(), unknown))


def test_bp4_alone_in_untranslated_exons() -> None:
    assert codes(suggest_codes(scores(0.0), consequence(), UTR)) == ["BP4"]


@pytest.mark.parametrize(("distance", "expected"), [(49, []), (50, ["BP4", "BP7"])])
def test_bp4_needs_a_search_as_wide_as_was_calibrated(distance: int, expected: list[str]) -> None:
    found = suggest_codes(scores(0.0, distance=distance), consequence(), DEEP)
    assert codes(found) == expected
    assert ("within 49 nt" in told(found)) == (distance == 49)


def test_bp4_needs_the_sequence_that_the_model_looks_at() -> None:
    assert codes(suggest_codes(scores(0.0, no_sequence=1), consequence(), DEEP)) == []


def test_outside_of_the_transcript_nothing_is_suggested() -> None:
    outside = SplicePlace(region=Region.OUTSIDE, coding=CodingChange.NONE)
    for raw in (0.0, 0.9):
        found = suggest_codes(scores(raw), consequence(), outside)
        assert codes(found) == []
        assert "outside of the transcript" in told(found)


F, N = Frame, NmdPrediction


@pytest.mark.parametrize(
    ("found", "label", "rule", "said"),
    [
        (effect(F.FRAMESHIFT, N.PREDICTED, stop=510), "PVS1", "pvs1-nmd@1", "decay of the messenger is predicted"),
        (effect(F.IN_FRAME, N.PREDICTED, stop=510), "PVS1", "pvs1-nmd@1", "decay"),
        # residues 901 to 1000 are lost: exactly a tenth; 900 to 1000: more
        (effect(F.FRAMESHIFT, N.ESCAPES, first=901, stop=910), "PVS1_Moderate", "pvs1-small-loss@1", "10.0%"),
        (effect(F.FRAMESHIFT, N.ESCAPES, first=900, stop=910), "PVS1_Strong", "pvs1-large-loss@1", "10.1%"),
        (effect(F.IN_FRAME, N.NOT_APPLICABLE, alt=900), "PVS1_Moderate", "pvs1-small-loss@1", "10.0%"),
        (effect(F.IN_FRAME, N.NOT_APPLICABLE, alt=899), "PVS1_Strong", "pvs1-large-loss@1", "10.1%"),
        # an insertion in frame loses nothing, and the tree does not speak of it
        (effect(F.IN_FRAME, N.NOT_APPLICABLE, alt=1010), "PVS1", "pvs1-open@1", "does not lead"),
        (effect(F.START_LOST, N.UNKNOWN), "PVS1", "pvs1-open@1", "start lost"),
        (effect(F.UNKNOWN, N.UNKNOWN, ref=None), "PVS1", "pvs1-open@1", "unknown"),
        (effect(F.NO_CODING_CHANGE, N.NOT_APPLICABLE, alt=1000), "PVS1", "pvs1-open@1", "no coding change"),
        (None, "PVS1", "pvs1-open@1", "not worked out"),
    ],
)
def test_pvs1_at_a_site_follows_frame_decay_and_share(
    found: TranscriptEffect | None, label: str, rule: str, said: str
) -> None:
    (code,) = suggest_codes(scores(0.99), consequence(found), at_site()).suggestions
    assert (code.label, code.rule) == (label, rule)
    assert said in code.why
    assert "Consider the PVS1 decision tree" in code.why
    assert "10.1002/humu.23626" in code.citation
    assert any("loss of function" in question and "GENE" in question for question in code.open_questions)
    strengths = {"pvs1-nmd@1": "very_strong", "pvs1-open@1": "undetermined"}
    assert code.strength.value == strengths.get(rule, label.removeprefix("PVS1_").lower())


@pytest.mark.parametrize(
    "found",
    [effect(F.FRAMESHIFT, N.PREDICTED, stop=510), effect(F.IN_FRAME, N.NOT_APPLICABLE, alt=500), None],
)
@pytest.mark.parametrize(
    "change", [{"predictor": "small", "version": "1"}, {"weights": ("0" * 64,)}, {"calibrated": False}]
)
def test_pvs1_gets_no_strength_from_a_predictor_that_is_not_calibrated(
    found: TranscriptEffect | None, change: dict[str, Any]
) -> None:
    (code,) = suggest_codes(scores(0.99, **change), consequence(found), at_site()).suggestions
    assert (code.code, code.strength.value, code.rule) == ("PVS1", "undetermined", "pvs1-open@1")
    name = f"{change.get('predictor', 'spliceai')} {change.get('version', '1.3.1')}"
    assert any(name in question and "not calibrated" in question for question in code.open_questions)


def test_a_calibrated_predictor_is_no_open_question() -> None:
    (code,) = suggest_codes(scores(0.99), consequence(), at_site()).suggestions
    assert not any("calibrated" in question for question in code.open_questions)


@pytest.mark.parametrize("raw", [0.0, 0.15, 0.99])
@pytest.mark.parametrize("predictor", ["spliceai", "small"])
def test_nothing_is_stacked_on_pvs1(raw: float, predictor: str) -> None:
    found = suggest_codes(scores(raw, predictor=predictor), consequence(), at_site())
    assert codes(found) == ["PVS1"]
    assert "PP3, BP4 and BP7 are not suggested" in told(found)


def test_a_site_that_is_not_gt_ag_is_left_out() -> None:
    found = suggest_codes(scores(0.99), consequence(), at_site(before="GC", after="AC"))
    assert codes(found) == []
    assert "not GT-AG" in told(found)


def test_a_donor_that_becomes_gc_is_a_question() -> None:
    (plain,) = suggest_codes(scores(0.9), consequence(), at_site()).suggestions
    (weak,) = suggest_codes(scores(0.9), consequence(), at_site(after="GC")).suggestions
    assert any("GC" in question for question in weak.open_questions)
    assert not any("GC" in question for question in plain.open_questions)


def test_a_suggestion_says_that_it_is_one_and_by_whom() -> None:
    found = suggest_codes(scores(0.42), consequence(), DEEP)
    (code,) = found.suggestions
    assert code.suggestion is True
    assert code.strength is CodeStrength.SUPPORTING
    assert "10.1016/j.ajhg.2023.06.002" in code.citation
    assert "spliceai 1.3.1 is 0.42, at or above 0.2" in code.why
    assert found.rules_sha256 == splicing_rules().sha256
    assert CodeAssessment.model_validate_json(found.model_dump_json()) == found


def triage(probability: float, caveats: tuple[str, ...] = (), card: str = "ab" * 32) -> TriageResult:
    return TriageResult(
        status=MetaStatus.PREDICTED,
        message="x",
        probability=probability,
        threshold=0.5,
        caveats=caveats,
        model_card_sha256=card,
    )


def test_a_trained_model_counts_only_with_thresholds_for_its_card_and_inside_its_domain() -> None:
    unknown = suggest_codes(scores(0.0, predictor="small"), consequence(), DEEP, triage(0.99))
    assert codes(unknown) == []
    assert "its probability suggests none" in told(unknown)
    own = {"model_card_sha256": "ab" * 32, "supports_from": 0.7, "against_to": 0.05, "citation": "walker-2023"}
    rules = splicing_rules().model_copy(
        update={"meta_models": parse_rules(_with(meta_models=[own]), "toy").meta_models}
    )
    small = scores(0.0, predictor="small")
    assert codes(suggest_codes(small, consequence(), DEEP, triage(0.7), rules)) == ["PP3"]
    assert codes(suggest_codes(small, consequence(), DEEP, triage(0.69), rules)) == []
    assert codes(suggest_codes(small, consequence(), DEEP, triage(0.05), rules)) == ["BP4", "BP7"]
    outside = suggest_codes(small, consequence(), DEEP, triage(0.9, ("too far",)), rules)
    assert codes(outside) == []
    assert "outside of what" in told(outside)
    against_each_other = suggest_codes(scores(0.9), consequence(), DEEP, triage(0.01), rules)
    assert codes(against_each_other) == []
    assert "do not agree" in told(against_each_other)


def _with(**changes: object) -> str:
    from importlib.resources import files

    text = files("agentic_spliceai.configs").joinpath("splicing_codes.yaml").read_text(encoding="utf-8")
    return yaml.safe_dump({**yaml.safe_load(text), **changes}, sort_keys=False)


def a_rule(**changes: object) -> dict[str, object]:
    rule = {"id": "a", "code": "PP3", "strength": "supporting", "citation": "walker-2023", "when": {}, "why": "x"}
    return {"rules": [{**rule, **changes}]}


TURNED = {"model_card_sha256": "ab" * 32, "supports_from": 0.1, "against_to": 0.2, "citation": "walker-2023"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rules": []}, "rules"),
        ({"citations": {}}, "no citation"),
        ({"surprise": 1}, "surprise"),
        ({"meta_models": [TURNED]}, "against_to"),
        (a_rule(why="{x}"), "unknown placeholder x"),
        (a_rule(code="PS3"), "code"),
        (a_rule(when={"moon": "full"}), "moon"),
    ],
)
def test_malformed_rules_are_named(change: dict[str, object], said: str) -> None:
    with pytest.raises(RegistryError, match=re.escape(said)):
        parse_rules(_with(**change), "toy.yaml")


@pytest.mark.parametrize("text", ["- a\n", "a: [", ""])
def test_what_is_no_rules_at_all(text: str) -> None:
    with pytest.raises(RegistryError, match=r"toy\.yaml"):
        parse_rules(text, "toy.yaml")


# Where a variant lies.

STRANDS = pytest.mark.parametrize("strand", [Strand.PLUS, Strand.MINUS])
COMPLEMENT = str.maketrans("ACGT", "TGCA")


def toy(strand: Strand) -> Toy:
    return Toy(strand, tuple(EXONS), tuple(INTRONS), (10, 10 + 3 * (len(PROTEIN) + 1)))


def lies(gene: Toy, base: int, ref: str, alt: str) -> SplicePlace:
    """Where the replacement of `ref`, which starts at a sense base, lies on the toy's transcript."""
    assert gene.sense[base : base + len(ref)] == ref
    if gene.strand is Strand.PLUS:
        variant = Variant(contig=gene.contig, position=base + 1, ref=ref, alt=alt)
    else:
        start = len(gene.sense) - (base + len(ref)) + 1
        ref, alt = (text.translate(COMPLEMENT)[::-1] for text in (ref, alt))
        variant = Variant(contig=gene.contig, position=start, ref=ref, alt=alt)
    return place_of(variant, gene.gene.transcripts[0], gene.genome)


def other(base: str) -> str:
    return "A" if base != "A" else "C"


@STRANDS
@pytest.mark.parametrize("offset", [1, 2, 3, 6, 7])
def test_bases_after_an_exon(strand: Strand, offset: int) -> None:
    gene = toy(strand)
    base = gene.exons[1][1] + offset - 1
    place = lies(gene, base, gene.sense[base], other(gene.sense[base]))
    assert (place.region, place.intron_number, place.donor_distance) == (Region.INTRON, 2, offset)
    assert place.acceptor_distance == len(INTRONS[1]) - offset + 1
    assert [(site.type, site.intron_number, site.reference) for site in place.altered_sites] == (
        [(SiteType.DONOR, 2, "GT")] if offset <= 2 else []
    )


@STRANDS
@pytest.mark.parametrize("offset", [1, 2, 3, 20, 21])
def test_bases_before_an_exon(strand: Strand, offset: int) -> None:
    gene = toy(strand)
    base = gene.exons[2][0] - offset
    place = lies(gene, base, gene.sense[base], other(gene.sense[base]))
    assert (place.region, place.intron_number, place.acceptor_distance) == (Region.INTRON, 2, offset)
    assert [(site.type, site.intron_number) for site in place.altered_sites] == (
        [(SiteType.ACCEPTOR, 2)] if offset <= 2 else []
    )


@STRANDS
def test_the_first_and_the_last_base_of_an_exon_are_no_site(strand: Strand) -> None:
    gene = toy(strand)
    for base in (gene.exons[1][0], gene.exons[1][1] - 1):
        place = lies(gene, base, gene.sense[base], other(gene.sense[base]))
        assert (place.region, place.altered_sites) == (Region.EXON, ())


@STRANDS
def test_what_a_substitution_does_to_the_codon(strand: Strand) -> None:
    gene = toy(strand)
    start = gene.exons[1][0]  # codon GAA, glutamate
    assert lies(gene, start + 2, "A", "G").coding is CodingChange.SYNONYMOUS
    assert lies(gene, start + 2, "A", "T").coding is CodingChange.ALTERED
    assert lies(gene, start, "G", "T").coding is CodingChange.ALTERED  # a stop
    assert lies(gene, start, "GAA", "GAG").coding is CodingChange.SYNONYMOUS
    utr = gene.exons[0][0] + 2
    assert lies(gene, utr, "G", "A").coding is CodingChange.NONE
    atg = gene.exons[0][0] + 10
    assert lies(gene, atg, "A", "G").coding is CodingChange.ALTERED


@STRANDS
def test_insertions_and_deletions(strand: Strand) -> None:
    gene = toy(strand)
    end = gene.exons[2][1]  # intron 3 starts GTGAGT; the exon ends in A
    between = lies(gene, end - 1, "A", "AC")  # between exon and intron
    assert (between.region, between.altered_sites) == (Region.BOUNDARY, ())
    (site,) = lies(gene, end, "GT", "GCT").altered_sites  # between +1 and +2
    assert (site.reference, site.alternate) == ("GT", "GC")
    assert lies(gene, end + 1, "TG", "TCG").altered_sites == ()  # between +2 and +3
    assert lies(gene, end - 1, "AGTGA", "A").altered_sites == ()  # +1 to +4: what follows is GT again
    (gone,) = lies(gene, end - 1, "AGT", "A").altered_sites  # +1 and +2: GA follows
    assert (gone.reference, gone.alternate) == ("GT", "GA")
    (cut,) = lies(gene, end - 3, gene.sense[end - 3 : end + 6], "C").altered_sites  # across the exon's end
    assert (cut.reference, cut.alternate) == ("GT", None)


@STRANDS
def test_a_deletion_in_a_repeat_is_judged_by_all_its_places(strand: Strand) -> None:
    gene = toy(strand)
    run = gene.exons[2][0]  # ... TTTTTTTTTTCCAG | AAAA
    place = lies(gene, run - 14, "TT", "T")
    assert place.acceptor_distance == 5  # the last T of the run, although the first was given
    assert place.altered_sites == ()


@STRANDS
def test_outside_of_the_transcript(strand: Strand) -> None:
    gene = toy(strand)
    place = lies(gene, 3, gene.sense[3], other(gene.sense[3]))
    assert (place.region, place.coding) == (Region.OUTSIDE, CodingChange.NONE)
