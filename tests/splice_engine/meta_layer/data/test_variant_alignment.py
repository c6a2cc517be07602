"""Alignment of alleles, by hand and against loops; the gene's strand changes nothing."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentic_spliceai.splice_engine.errors import OutsideGenesError
from agentic_spliceai.splice_engine.genome.annotation import GeneAnnotation
from agentic_spliceai.splice_engine.genome.normalization import normalize_variant
from agentic_spliceai.splice_engine.genome.reference import ReferenceGenome
from agentic_spliceai.splice_engine.genome.sequence import reverse_complement
from agentic_spliceai.splice_engine.genome.types import Variant
from agentic_spliceai.splice_engine.meta_layer.data.measured import Construct, load_mfass, load_mutsplicedb
from agentic_spliceai.splice_engine.meta_layer.data.splicevardb import hgvs_hint
from agentic_spliceai.splice_engine.meta_layer.data.variant_alignment import (
    GAP,
    OUTSIDE,
    AlignedColumns,
    AllelePair,
    align,
    construct_pair,
    genomic_pair,
)
from agentic_spliceai.splice_engine.meta_layer.data.variant_inputs import VariantInput, genomic_inputs
from tests.splice_engine.base_layer.toys import write_genome, write_gtf

from .variant_toys import FILL, mirrored, toy_gene, toy_sequence


def drawn(pair: AllelePair, axis: AlignedColumns, index_of: str) -> str:
    """The row of an allele as text: `-` for a gap, `.` for outside."""
    sequence = pair.ref if index_of == "ref" else pair.alt
    index = axis.ref_index if index_of == "ref" else axis.alt_index
    return "".join("-" if i == GAP else "." if i == OUTSIDE else sequence[i] for i in index)


def pair_of(ref: str, alt: str, ref_at: int, deleted: str, inserted: str, alt_at: int | None = None) -> AllelePair:
    at = ref_at if alt_at is None else alt_at
    return construct_pair(Construct(ref, alt, ref_at, at, deleted, inserted, 2, 4), context=4)


@pytest.mark.parametrize(
    ("pair", "ref_row", "alt_row", "changed"),
    [
        (pair_of("ACGTACGT", "ACGAACGT", 3, "T", "A"), "ACGTACGT", "ACGAACGT", "T/A"),
        (pair_of("ACGTACGT", "ACGTCGT", 4, "A", ""), "ACGTACGT", "ACGT-CGT", "A/-"),
        (pair_of("ACGTACGT", "ACGTGGACGT", 4, "", "GG"), "ACGT--ACGT", "ACGTGGACGT", "--/GG"),
        (pair_of("ACGTACGT", "ACTTTCGT", 2, "GTA", "TTT"), "ACGTACGT", "ACTTTCGT", "GTA/TTT"),
        (pair_of("ACGTACGT", "ACCCGT", 2, "GTA", "C"), "ACGTACGT", "ACC--CGT", "GTA/C--"),
        (pair_of("ACGTACGT", "ACTTTACGT", 2, "GT", "TTT"), "ACGT-ACGT", "ACTTTACGT", "GT-/TTT"),
        # A deletion in a run stands at its first base, wherever it was written.
        (pair_of("ACTTTTGT", "ACTTTGT", 5, "T", ""), "ACTTTTGT", "AC-TTTGT", "T/-"),
        (pair_of("GACACAT", "GACAT", 4, "CA", ""), "GACACAT", "G--ACAT", "AC/--"),
        (pair_of("ACTTGT", "ACTTTGT", 4, "", "T"), "AC-TTGT", "ACTTTGT", "-/T"),
        # Constructs that keep their length: filled up on the left, cut on the left, filled up on the right.
        (pair_of("ACGTACGT", "TACGTCGT", 4, "A", "", alt_at=5), ".ACGTACGT", "TACGT-CGT", "A/-"),
        (pair_of("ACGTACGT", "GTGGACGT", 4, "", "GG", alt_at=2), "ACGT--ACGT", "..GTGGACGT", "--/GG"),
        (pair_of("ACGTACGT", "ACGTCGTA", 4, "A", ""), "ACGTACGT.", "ACGT-CGTA", "A/-"),
    ],
)  # fmt: skip
def test_alignment_by_hand(pair: AllelePair, ref_row: str, alt_row: str, changed: str) -> None:
    axis = align(pair)
    assert (drawn(pair, axis, "ref"), drawn(pair, axis, "alt")) == (ref_row, alt_row)
    columns = slice(axis.start, axis.end)
    assert f"{ref_row[columns]}/{alt_row[columns]}" == changed
    # The exon (offsets 2 to 5) is found again, whether it stands before or after the change.
    for offset in range(-3, len(pair.ref) + 3):
        column = axis.column_of(offset, pair.ref_at + len(pair.ref_allele))
        if 0 <= offset < len(pair.ref):
            assert axis.ref_index[column] == offset


def test_the_window_is_outside_beyond_the_sequences() -> None:
    pair = pair_of("ACGTACGT", "ACGTCGT", 4, "A", "")
    ref, alt = align(pair).window(-2, 12)
    assert ref.tolist() == [OUTSIDE, OUTSIDE, 0, 1, 2, 3, 4, 5, 6, 7, OUTSIDE, OUTSIDE]
    assert alt.tolist() == [OUTSIDE, OUTSIDE, 0, 1, 2, 3, GAP, 4, 5, 6, OUTSIDE, OUTSIDE]


@given(
    st.text("ACGT", min_size=1, max_size=12),
    st.text("ACGT", max_size=4),
    st.text("ACGT", max_size=4),
    st.text("ACGT", min_size=1, max_size=12),
)
def test_both_sequences_are_read_off_their_rows_and_equal_outside_the_change(
    head: str, deleted: str, inserted: str, tail: str
) -> None:
    ref, alt = head + deleted + tail, head + inserted + tail
    pair = pair_of(ref, alt, len(head), deleted, inserted)
    axis = align(pair)
    ref_row, alt_row = drawn(pair, axis, "ref"), drawn(pair, axis, "alt")
    assert ref_row.replace("-", "") == ref
    assert alt_row.replace("-", "") == alt
    for column, (a, b) in enumerate(zip(ref_row, alt_row, strict=True)):
        if not axis.start <= column < axis.end:
            assert a == b


VARIANTS = [
    Variant(contig="chr1", position=200, ref="G", alt="A"),
    Variant(contig="chr1", position=201, ref="GTA", alt="G"),
    Variant(contig="chr1", position=298, ref="T", alt="TACAC"),
    Variant(contig="chr1", position=350, ref="TT", alt="GC"),
    Variant(contig="chr1", position=350, ref="TTAC", alt="GG"),
    Variant(contig="chr1", position=450, ref="T", alt="C"),
]


def as_written(variant: Variant, sequence: str) -> Variant:
    n = len(variant.ref)
    ref = sequence[variant.position - 1 : variant.position - 1 + n]
    if variant.kind in ("snv", "mnv", "delins"):
        alt = variant.alt if variant.alt != ref else variant.alt.translate(str.maketrans("ACGT", "CATG"))
    else:
        alt = ref[0] if n > 1 else ref + variant.alt[1:]
    return variant.model_copy(update={"ref": ref, "alt": alt})


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_a_gene_on_the_minus_strand_gives_the_same_pair(tmp_path: Path, variant: Variant) -> None:
    variant = as_written(variant, toy_sequence())
    pairs = []
    for strand in "+-":
        genome, annotation = toy_gene(tmp_path / ("plus" if strand == "+" else "minus"), strand)
        placed = normalize_variant(variant if strand == "+" else mirrored(variant), genome)
        transcript = annotation.gene("GENE").representative
        pairs.append(genomic_pair(placed, transcript, genome, reach=60, context=40))
    plus, minus = pairs
    for pair in pairs:
        assert pair.alt == pair.ref[: pair.ref_at] + pair.alt_allele + pair.ref[pair.ref_at + len(pair.ref_allele) :]
    # The scored stretches may differ by the anchor base; seen from the change they are the same.
    axes = [align(pair) for pair in pairs]
    windows = [axis.window(axis.start - 60, 121) for axis in axes]
    texts = [
        [
            "".join("-" if i == GAP else "." if i == OUTSIDE else sequence[i] for i in row)
            for sequence, row in ((pair.ref, window[0]), (pair.alt, window[1]))
        ]
        for pair, window in zip(pairs, windows, strict=True)
    ]
    assert texts[0] == texts[1]
    assert "." not in texts[0][0]

    def seen(pair: AllelePair) -> list[int | None]:
        places = (pair.acceptor, pair.donor, pair.exon_start, pair.exon_end)
        return [None if place is None else place - pair.ref_at for place in places]

    assert seen(plus) == seen(minus)
    assert plus.exon_sequence == minus.exon_sequence


@pytest.mark.parametrize("strand", "+-")
def test_an_indel_in_a_long_run_keeps_its_whole_window(tmp_path: Path, strand: str) -> None:
    """However far it can shift, as many bases as asked for stand on either side of where it stands at last."""
    sequence = list((FILL * 70)[:700])
    sequence[430:470] = "A" * 40
    text = "".join(sequence) if strand == "+" else reverse_complement("".join(sequence))
    genome = ReferenceGenome(write_genome(tmp_path, text))
    annotation = GeneAnnotation.load(write_gtf(tmp_path, [("GENE", "chr1", strand, [(101, 600)])]))
    run = 430 if strand == "+" else 230
    variant = normalize_variant(
        Variant(contig="chr1", position=run + 20, ref=text[run + 19 : run + 22], alt=text[run + 19]), genome
    )
    pair = genomic_pair(variant, annotation.gene("GENE").representative, genome, reach=15, context=10)
    assert pair.ref[pair.ref_at - 1] + pair.ref_allele == "CAA"  # the run's first bases, in transcript sense
    assert pair.ref_at >= 15
    assert len(pair.ref) - pair.ref_at - 2 >= 15
    ref, alt = align(pair).window(align(pair).start - 15, 31)
    assert (ref >= 0).all()
    assert OUTSIDE not in alt


def test_the_pair_is_the_genome_between_the_transcript_ends(tmp_path: Path) -> None:
    genome, annotation = toy_gene(tmp_path)
    transcript = annotation.gene("GENE").representative
    variant = Variant(contig="chr1", position=130, ref=toy_sequence()[129], alt="G")
    pair = genomic_pair(variant, transcript, genome, reach=50, context=40)
    ref, alt = pair.scored()
    first = 129 - (len(pair.flank[0]) + pair.ref_at)
    expected = "".join(toy_sequence()[i] if 100 <= i < 600 else "N" for i in range(first, first + len(ref)))
    assert ref == expected
    assert alt == expected[: 129 - first] + "G" + expected[130 - first :]
    # Exon 1 has no acceptor: the transcript begins there.
    assert (pair.acceptor, pair.donor) == (None, pair.ref_at + 70)
    assert pair.exon_sequence == toy_sequence()[100:200]


@pytest.mark.parametrize(("position", "exon"), [(199, 0), (250, 0), (251, 1), (301, 1), (449, 1), (452, 2), (600, 2)])
def test_the_nearest_exon(tmp_path: Path, position: int, exon: int) -> None:
    genome, annotation = toy_gene(tmp_path)
    base = toy_sequence()[position - 1]
    variant = Variant(contig="chr1", position=position, ref=base, alt="A" if base != "A" else "C")
    pair = genomic_pair(variant, annotation.gene("GENE").representative, genome, reach=20, context=40)
    start = (100, 300, 500)[exon]
    assert pair.exon_start - pair.ref_at == start - (position - 1)
    assert pair.exon_end - pair.exon_start == 100


def test_a_variant_outside_the_transcript_is_refused(tmp_path: Path) -> None:
    genome, annotation = toy_gene(tmp_path)
    variant = Variant(contig="chr1", position=100, ref=toy_sequence()[99], alt="G")
    with pytest.raises(OutsideGenesError, match="does not lie in transcript"):
        genomic_pair(variant, annotation.gene("GENE").representative, genome, reach=20, context=40)


@pytest.fixture(scope="module")
def gene(tmp_path_factory: pytest.TempPathFactory) -> tuple[ReferenceGenome, GeneAnnotation]:
    return toy_gene(tmp_path_factory.mktemp("gene"))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(position=st.integers(110, 580), n_ref=st.integers(1, 6), alt=st.text("ACGT", min_size=1, max_size=6))
def test_any_exchange_is_put_in(
    gene: tuple[ReferenceGenome, GeneAnnotation], position: int, n_ref: int, alt: str
) -> None:
    genome, annotation = gene
    ref = toy_sequence()[position - 1 : position - 1 + n_ref]
    if ref == alt:
        return
    variant = normalize_variant(Variant(contig="chr1", position=position, ref=ref, alt=alt), genome)
    pair = genomic_pair(variant, annotation.gene("GENE").representative, genome, reach=30, context=40)
    changed = toy_sequence()[: position - 1] + alt + toy_sequence()[position - 1 + n_ref :]
    assert pair.scored()[1].strip("N") in changed
    assert pair.ref[pair.ref_at : pair.ref_at + len(pair.ref_allele)] == pair.ref_allele
    assert pair.alt[pair.alt_at : pair.alt_at + len(pair.alt_allele)] == pair.alt_allele


@pytest.fixture(scope="module")
def human(mirror: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[ReferenceGenome, GeneAnnotation]:
    cache = tmp_path_factory.mktemp("annotation")
    return (
        ReferenceGenome(mirror / "GRCh38" / "genome.fa.gz"),
        GeneAnnotation.load(mirror / "GRCh38" / "annotation.gtf.gz", cache_dir=cache),
    )


def test_genomic_windows_are_the_assays_sequences(mirror: Path, human: tuple[ReferenceGenome, GeneAnnotation]) -> None:
    """An assay built its constructs from the genome: on both strands our windows must give them back."""
    records = [r for r in load_mfass(mirror / "variants" / "mfass.tsv.gz").records if r.genome_available]
    inputs = genomic_inputs(records, *human, context=400, window=401)
    assert len(inputs) == 2_202
    strands: Counter[str] = Counter()
    same_exon = 0
    for item in inputs:
        assert isinstance(item, VariantInput)
        construct, pair = item.record.construct, item.pair  # type: ignore[attr-defined]
        first = pair.ref_at - construct.ref_at + len(pair.flank[0])
        assert pair.scored()[0][first : first + 170] == construct.ref
        assert (pair.ref_allele, pair.alt_allele) == (construct.ref_allele, construct.alt_allele)
        exon = pair.exon_start - pair.ref_at, pair.exon_end - pair.exon_start
        same_exon += exon == (construct.exon_offset - construct.ref_at, construct.exon_length)
        strands[item.strand] += 1
    assert min(strands.values()) > 500
    assert same_exon == 2_186  # the rest has another exon in the representative transcript


def test_the_nearest_exon_is_the_one_that_hgvs_counts_from(
    mirror: Path, human: tuple[ReferenceGenome, GeneAnnotation]
) -> None:
    records = load_mutsplicedb(mirror / "variants" / "mutsplicedb.tsv.gz").records
    checked = 0
    for item in genomic_inputs(records, *human, context=80, window=101):
        if not isinstance(item, VariantInput):
            assert item.reason.code == "no_sequence"
            continue
        at, start, last = item.pair.ref_at, item.pair.exon_start, item.pair.exon_end - 1
        hint = hgvs_hint(item.record.id)
        assert hint is not None
        assert hint.offset == (at - start if at < start else max(at - last, 0))
        checked += 1
    assert checked == 103
