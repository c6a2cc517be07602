"""Real transcripts with planted scores: the messengers and proteins that the literature gives.

RNA-level descriptions: BRCA1 c.5467+1G>A r.5407_5467del and TP53 c.1100+1G>A r.994_1100del (MutSpliceDB), MYBPC3
c.1227-13G>A 11 intronic bases included, CFTR c.3718-2477C>T (3849+10kbC>T) an 84-nt exon with a stop codon.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from agentic_spliceai.splice_engine.consequence.infer import infer_consequence
from agentic_spliceai.splice_engine.consequence.types import Consequence, EventType, Frame, NmdPrediction, Strength
from agentic_spliceai.splice_engine.genome.annotation import GeneAnnotation
from agentic_spliceai.splice_engine.genome.reference import ReferenceGenome
from agentic_spliceai.splice_engine.genome.types import Variant
from tests.splice_engine.consequence.toys import planted


@pytest.fixture(scope="module")
def genome(mirror: Path) -> ReferenceGenome:
    return ReferenceGenome(mirror / "GRCh38" / "genome.fa.gz")


@pytest.fixture(scope="module")
def annotation(mirror: Path, tmp_path_factory: pytest.TempPathFactory) -> GeneAnnotation:
    return GeneAnnotation.load(mirror / "GRCh38" / "annotation.gtf.gz", cache_dir=tmp_path_factory.mktemp("cache"))


def _infer(
    genome: ReferenceGenome,
    annotation: GeneAnnotation,
    name: str,
    variant: str,
    alt: dict[tuple[str, int], float],
    transcript: str | None = None,
) -> Consequence:
    contig, position, ref, new = variant.split("-")
    gene = annotation.gene(name)
    chosen = gene.representative if transcript is None else annotation.transcript(transcript)
    change = Variant(contig=contig, position=int(position), ref=ref, alt=new)
    return infer_consequence(planted(change, chosen, alt), gene, genome, transcript=chosen)


def test_mybpc3_acceptor_11_nt_upstream(genome: ReferenceGenome, annotation: GeneAnnotation) -> None:
    scores = {("acceptor", 47343156): 0.97, ("acceptor", 47343145): 0.01}
    found = _infer(genome, annotation, "MYBPC3", "chr11-47343158-C-T", scores)
    assert found.hgvs_c == "NM_000256:c.1227-13G>A"
    assert found.region == "intron 14 of 34, 13 nt before exon 15"
    (shift,) = found.events
    assert (shift.type, shift.length_change, shift.cryptic_position) == (EventType.ACCEPTOR_SHIFT, 11, 47343156)
    assert shift.effect is not None
    assert shift.effect.frame is Frame.FRAMESHIFT
    assert shift.effect.first_changed_residue == 409  # c.1227 is the last base of codon 409
    assert shift.effect.protein_length_ref == 1274
    assert shift.effect.nmd is NmdPrediction.PREDICTED


def test_tp53_exon_10_is_skipped(genome: ReferenceGenome, annotation: GeneAnnotation) -> None:
    found = _infer(genome, annotation, "TP53", "chr17-7670608-C-T", {("donor", 7670609): 0.0}, "NM_000546")
    assert found.hgvs_c == "NM_000546:c.1100+1G>A"
    skip = found.primary
    assert (skip.type, skip.exon_number, skip.length_change) == (EventType.EXON_SKIPPING, 10, -107)
    assert skip.effect is not None
    assert skip.effect.hgvs_p is not None
    assert skip.effect.hgvs_p.startswith("p.(Ile332ProfsTer")  # c.994 opens codon 332
    assert skip.effect.frame is Frame.FRAMESHIFT
    assert skip.effect.nmd is NmdPrediction.ESCAPES
    assert skip.effect.protein_length_ref == 393


def test_brca1_exon_23_is_skipped(genome: ReferenceGenome, annotation: GeneAnnotation) -> None:
    found = _infer(genome, annotation, "BRCA1", "chr17-43047642-C-T", {("donor", 43047643): 0.02})
    skip = found.primary
    assert (skip.type, skip.length_change) == (EventType.EXON_SKIPPING, -61)
    assert skip.effect is not None
    assert skip.effect.frame is Frame.FRAMESHIFT
    # p.(Gly1803GlnfsTer11) on NM_007294; NM_007300, which has the longest coding sequence, has 21 more residues before.
    assert found.transcript_id == "NM_007300"
    assert skip.effect.hgvs_p == "p.(Gly1824GlnfsTer11)"


def test_cftr_weak_pseudoexon_of_84_nt(genome: ReferenceGenome, annotation: GeneAnnotation) -> None:
    scores = {("acceptor", 117639876): 0.10, ("donor", 117639959): 0.16}
    found = _infer(genome, annotation, "CFTR", "chr7-117639961-C-T", scores)
    assert found.hgvs_c == "NM_000492:c.3718-2477C>T"
    (event,) = found.events
    assert (event.type, event.strength, event.length_change) == (EventType.PSEUDOEXON, Strength.WEAK, 84)
    assert event.effect is not None
    assert event.effect.stop_residue is not None
    assert 1239 < event.effect.stop_residue <= 1239 + 28
    assert event.effect.nmd is NmdPrediction.PREDICTED


def test_cftr_exon_16_loses_both_ends(genome: ReferenceGenome, annotation: GeneAnnotation) -> None:
    scores = {("acceptor", 117602826): 0.02, ("donor", 117602863): 0.0}
    found = _infer(genome, annotation, "CFTR", "chr7-117602868-G-A", scores)
    (skip,) = found.events
    assert (skip.type, skip.length_change) == (EventType.EXON_SKIPPING, -38)
    assert skip.effect is not None
    assert skip.effect.frame is Frame.FRAMESHIFT


def test_any_skipped_exon_of_well_known_genes_shifts_the_frame_by_its_length_alone(
    genome: ReferenceGenome, annotation: GeneAnnotation
) -> None:
    skipped = 0
    for name in ("BRCA1", "CFTR", "MLH1", "TP53", "MYBPC3", "LDLR", "RB1", "VHL"):
        transcript = annotation.gene(name).representative
        plus = transcript.strand == "+"
        for number, (start, end) in enumerate(transcript.exons_in_order[1:-1], start=2):
            donor = end if plus else start + 1
            position = donor + 1 if plus else donor - 1
            ref = genome.fetch_padded(transcript.contig, position - 1, position)
            alt = "A" if ref != "A" else "C"
            found = _infer(
                genome, annotation, name, f"{transcript.contig}-{position}-{ref}-{alt}", {("donor", donor): 0}
            )
            skip = next(event for event in found.events if event.type is EventType.EXON_SKIPPING)
            assert (skip.exon_number, skip.length_change) == (number, start - end)
            assert skip.effect is not None
            assert not found.limits[0].startswith("The coding sequence")
            coding = all(any(s <= a and b <= e for s, e in transcript.cds) for a, b in [(start, end)])
            if coding and skip.effect.frame is not Frame.START_LOST:
                assert skip.effect.frame is (Frame.IN_FRAME if (end - start) % 3 == 0 else Frame.FRAMESHIFT)
                assert skip.effect.hgvs_p is not None
                skipped += 1
    assert skipped > 120


def test_pten_has_no_intron_of_one_base(genome: ReferenceGenome, annotation: GeneAnnotation) -> None:
    """NM_001304717 and the genome differ by the T at chr10:87864104, which its alignment leaves out as a gap."""
    found = _infer(genome, annotation, "PTEN", "chr10-87864104-T-A", {}, "NM_001304717")
    assert found.hgvs_c is None
    assert found.region.startswith("exon 1 of 9")
    assert found.primary.type is EventType.NONE
    assert any("touches bases of the genome that NM_001304717 lacks" in limit for limit in found.limits)
    # An event elsewhere on it: the frame is not claimed, and the exon is counted without the gap.
    found = _infer(genome, annotation, "PTEN", "chr10-87952116-A-G", {("acceptor", 87952118): 0.0}, "NM_001304717")
    assert (found.primary.exon_number, found.region) == (6, "intron 5 of 8, 2 nt before exon 6")
    assert found.primary.effect is not None
    assert found.primary.effect.frame is Frame.UNKNOWN
    assert any("1 nt inside the coding sequence" in limit for limit in found.limits)
    # On the transcript that now speaks for the gene the protein is known.
    found = _infer(genome, annotation, "PTEN", "chr10-87952116-A-G", {("acceptor", 87952118): 0.0})
    assert (found.hgvs_c, found.primary.exon_number) == ("NM_000314:c.493-2A>G", 6)
    assert found.primary.effect is not None
    assert found.primary.effect.hgvs_p is not None
    assert found.primary.effect.hgvs_p.startswith("p.(Gly165")


def test_fbn1_exons_beside_an_intron_of_111_nt_are_read_as_skipped_first(
    genome: ReferenceGenome, annotation: GeneAnnotation
) -> None:
    transcript = annotation.transcript("NM_000138")
    introns = transcript.introns[::-1]
    index = next(i for i, (start, end) in enumerate(introns) if end - start == 111)
    first = introns[index][1]  # minus strand: the donor's G is the intron's last base on the genome
    ref = genome.fetch_padded("chr15", first - 1, first)
    variant = f"chr15-{first}-{ref}-{'A' if ref != 'A' else 'C'}"
    found = _infer(genome, annotation, "FBN1", variant, {("donor", first + 1): 0.0}, "NM_000138")
    assert [event.type for event in found.events[:2]] == [EventType.EXON_SKIPPING, EventType.INTRON_RETENTION]
