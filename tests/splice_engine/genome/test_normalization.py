"""One form for each variant."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentic_spliceai.splice_engine.errors import (
    BuildMismatchError,
    InvalidVariantError,
    NoSequenceError,
    PositionOutOfRangeError,
    ReferenceMismatchError,
    UnknownContigError,
)
from agentic_spliceai.splice_engine.genome import (
    GenomeBuild,
    ReferenceGenome,
    Variant,
    iter_vcf,
    normalize_variant,
    resolve_variant,
)
from agentic_spliceai.splice_engine.genome.normalization import shift_left, shift_right

from .toys import applied, genome_of, random_bases, write_fasta

#           1234567890123456789012345
SEQUENCE = "GGCACACACATTTTTAGCNNNACGT"


@pytest.fixture
def genome(tmp_path: Path) -> ReferenceGenome:
    return genome_of(tmp_path, chr1=SEQUENCE)


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("1-3-C-T", "chr1-3-C-T"),
        ("1-9-CAT-C", "chr1-9-CAT-C"),
        ("1-9-CA-C", "chr1-9-CA-C"),
        ("1-6-ACA-A", "chr1-2-GCA-G"),  # one CA of four, wherever it is written
        ("1-2-GCACA-GCA", "chr1-2-GCA-G"),
        ("1-10-A-ACA", "chr1-2-G-GCA"),
        ("1-15-T-TT", "chr1-10-A-AT"),
        ("1-11-TTTTT-TTTT", "chr1-10-AT-A"),
        ("1-1-GG-G", "chr1-1-GG-G"),  # nothing stands before base 1: the base after it is the anchor
        ("1-1-GGC-GC", "chr1-1-GG-G"),
        ("1-3-CA-TA", "chr1-3-C-T"),
        ("1-3-CACA-CGGA", "chr1-4-AC-GG"),
        ("1-3-CAC-GTGT", "chr1-3-CAC-GTGT"),
        ("chr1:g.9_10del", "chr1-2-GCA-G"),
        ("chr1:g.15dup", "chr1-10-A-AT"),
        ("chr1:g.10_11insCA", "chr1-2-G-GCA"),
        ("chr1:g.16_17delinsT", "chr1-16-AG-T"),
        ("1-9-ca-c", "chr1-9-CA-C"),
    ],
)
def test_normal_forms_by_hand(genome: ReferenceGenome, text: str, normal: str) -> None:
    assert str(resolve_variant(text, genome)) == normal


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("2-3-C-T", UnknownContigError, "'chr2'"),
        ("1-26-C-T", PositionOutOfRangeError, "has 25 bases"),
        ("1-25-TA-T", PositionOutOfRangeError, "has 25 bases"),
        ("1-19-A-T", NoSequenceError, "no sequence"),
        ("1-19-N-T", NoSequenceError, "no sequence"),
        ("1-18-CN-C", NoSequenceError, "no sequence"),
        ("1-22-A-AA", NoSequenceError, "beside"),
        ("1-3-N-T", ReferenceMismatchError, "is N on the plus strand, but the genome has C"),
        ("1-3-A-T", ReferenceMismatchError, "REF fits 4"),
        ("1-17-C-T", ReferenceMismatchError, "other strand"),
        ("1-17-T-C", ReferenceMismatchError, "Check position"),
        ("chr1:g.3_4delinsCA", InvalidVariantError, "leaves the reference as it is"),
    ],
)
def test_what_does_not_fit_the_genome(genome: ReferenceGenome, text: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        resolve_variant(text, genome)


def test_builds_must_agree_and_are_filled_in(tmp_path: Path) -> None:
    path = write_fasta(tmp_path / "toy.fa", {"chr3": "ACGT" * 10})
    genome = ReferenceGenome(path, GenomeBuild.GRCH38)
    assert resolve_variant("3-1-A-T", genome).build is GenomeBuild.GRCH38
    assert resolve_variant("NC_000003.12:0:A:T", genome).build is GenomeBuild.GRCH38
    with pytest.raises(BuildMismatchError, match="is on GRCh37, the genome file on GRCh38"):
        resolve_variant("NC_000003.11:0:A:T", genome)


def test_a_long_repeat_is_crossed(tmp_path: Path) -> None:
    genome = genome_of(tmp_path, chr1="G" + "CA" * 2000 + "T")
    assert str(resolve_variant("1-3999-ACA-A", genome)) == "chr1-1-GCA-G"
    assert shift_right("chr1", 1, "CA", "", genome, 4002) == (3999, "CA", "")
    assert shift_left("chr1", 3999, "", "CA", genome, 11) == (11, "", "CA")


# -- properties ----------------------------------------------------------------------------------------------------

# Few letters make repeats, where representations differ.
REPETITIVE = random_bases(400, 5, "AC") + random_bases(200, 6)


@pytest.fixture(scope="module")
def repetitive(tmp_path_factory: pytest.TempPathFactory) -> ReferenceGenome:
    return genome_of(tmp_path_factory.mktemp("repetitive"), chr1=REPETITIVE)


@st.composite
def changes(draw: st.DrawFn) -> Variant:
    start = draw(st.integers(0, len(REPETITIVE) - 10))
    ref = REPETITIVE[start : start + draw(st.integers(1, 8))]
    alt = draw(st.text("AC", min_size=1, max_size=8).filter(lambda bases: bases != ref))
    return Variant(contig="chr1", position=start + 1, ref=ref, alt=alt)


@given(variant=changes())
def test_normalisation_keeps_the_haplotype_and_settles(repetitive: ReferenceGenome, variant: Variant) -> None:
    normal = normalize_variant(variant, repetitive)
    assert applied(normal, REPETITIVE) == applied(variant, REPETITIVE)
    assert normalize_variant(normal, repetitive) == normal


@settings(suppress_health_check=[HealthCheck.filter_too_much])
@given(variant=changes(), data=st.data())
def test_all_representations_of_a_haplotype_have_one_form(
    repetitive: ReferenceGenome, variant: Variant, data: st.DataObject
) -> None:
    normal = normalize_variant(variant, repetitive)
    before = data.draw(st.integers(0, min(6, variant.position - 1)))
    after = data.draw(st.integers(0, min(6, len(REPETITIVE) - variant.end)))
    start = variant.position - 1
    left, right = REPETITIVE[start - before : start], REPETITIVE[variant.end : variant.end + after]
    longer = Variant(
        contig="chr1",
        position=variant.position - before,
        ref=left + variant.ref + right,
        alt=left + variant.alt + right,
    )
    assert normalize_variant(longer, repetitive) == normal
    # Every other place where the same insertion or deletion can be written, found by trying all of them.
    size = len(normal.alt) - len(normal.ref)
    if size == 0 or normal.kind == "delins":
        return
    haplotype = applied(normal, REPETITIVE)
    places = []
    for at in range(max(0, normal.position - 20), min(len(REPETITIVE) - 10, normal.position + 20)):
        anchor = REPETITIVE[at]
        other = (anchor, haplotype[at : at + size + 1]) if size > 0 else (REPETITIVE[at : at + 1 - size], anchor)
        if REPETITIVE[:at] + other[1] + REPETITIVE[at + len(other[0]) :] == haplotype:
            places.append(Variant(contig="chr1", position=at + 1, ref=other[0], alt=other[1]))
    assert places[0] == normal or normal.position == 1
    assert {normalize_variant(place, repetitive) for place in places} == {normal}


def test_golden_records(mirror: Path) -> None:
    refused: dict[str, str] = {}
    with ReferenceGenome(mirror / "GRCh38" / "genome.fa.gz") as genome:
        for item in iter_vcf(mirror / "golden" / "variants" / "variants.vcf"):
            if item.raw is None:
                continue
            try:
                normal = normalize_variant(item.raw, genome)
            except (ReferenceMismatchError, NoSequenceError) as error:
                refused[item.id] = error.code
                continue
            around = genome.fetch_padded(normal.contig, normal.position - 400, normal.position + 400)
            assert item.raw.ref is not None
            as_given = Variant(contig=normal.contig, position=400, ref=item.raw.ref, alt=item.raw.alt)
            shift = item.raw.position - normal.position
            moved = (as_given.model_copy(update={"position": 400 + shift}), normal.model_copy(update={"position": 400}))
            assert applied(moved[0], around) == applied(moved[1], around)
    assert refused.pop("edge_refmismatch_IFI35") == "reference_mismatch"
    assert all(name.startswith("edge_inN_") and code == "no_sequence" for name, code in refused.items())
    assert len(refused) == 2


def test_no_sequence_is_refused_on_real_data(mirror: Path) -> None:
    with (
        ReferenceGenome(mirror / "GRCh38" / "genome.fa.gz") as genome,
        pytest.raises(NoSequenceError, match="chr12:1000000"),
    ):
        resolve_variant("chr12-1000000-A-G", genome)
