"""HGVS: known variants, rules by hand, and there and back."""

from __future__ import annotations

import csv
import gzip
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentic_spliceai.splice_engine.errors import (
    InvalidVariantError,
    NoTranscriptNameError,
    OutsideGenesError,
    PositionOutOfRangeError,
    ReferenceMismatchError,
    UnknownGeneError,
)
from agentic_spliceai.splice_engine.genome import (
    GeneAnnotation,
    ReferenceGenome,
    Variant,
    hgvs_c,
    hgvs_c_of_gene,
    hgvs_g,
    normalize_variant,
    parse_hgvs_c,
    resolve_variant,
    reverse_complement,
)
from agentic_spliceai.splice_engine.genome.hgvs import version_note

from .toys import applied, genome_of, gtf_row, random_bases, write_transcripts

# Exons in capitals, introns in small letters. Plus transcript P: exons 6-20 and 51-65, coding 9-20 and 51-56.
# The intron is 21-50: its first half ends at 35, the g of "tga".
SEQUENCE = "ggggg" + "TCCATGAAACACGGG" + "gtaag" + "ccatctcatgactctcatcc" + "ttcag" + "GGTTAAACCTTTCAG" + "ccccc"
MIRRORED = reverse_complement(SEQUENCE)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[ReferenceGenome, GeneAnnotation]:
    """The same transcript on the plus strand of chr1 (P) and, mirrored, on the minus strand of chr2 (M)."""
    folder = tmp_path_factory.mktemp("hgvs")
    genome = genome_of(folder, chr1=SEQUENCE, chr2=MIRRORED)
    write_transcripts(folder / "plus.gtf", {"NM_1": ("P", "+", [(6, 20), (51, 65)], [(9, 20), (51, 56)])})
    text = (folder / "plus.gtf").read_text()
    for kind, start, end in [("exon", 51, 65), ("exon", 6, 20), ("CDS", 51, 62), ("CDS", 15, 20)]:
        text += gtf_row(kind, start, end, "-", 'gene_id "M"; transcript_id "NM_2";', "chr2")
    text += gtf_row("exon", 6, 20, "+", 'gene_id "N"; transcript_id "NR_3";')
    (folder / "toy.gtf").write_text(text, encoding="ascii")
    return genome, GeneAnnotation.load(folder / "toy.gtf")


BY_HAND = [
    ("1-9-A-G", "c.1A>G"),
    ("1-8-C-T", "c.-1C>T"),
    ("1-57-A-T", "c.*1A>T"),
    ("1-21-G-A", "c.12+1G>A"),
    ("1-25-G-A", "c.12+5G>A"),
    ("1-46-T-A", "c.13-5T>A"),
    ("1-50-G-A", "c.13-1G>A"),
    ("1-11-GA-G", "c.6del"),  # AAA: the last one goes
    ("1-11-GAA-G", "c.5_6del"),
    ("1-11-G-GA", "c.6dup"),
    ("1-11-G-GAA", "c.5_6dup"),
    ("1-14-A-AC", "c.7dup"),
    ("1-15-C-CTT", "c.7_8insTT"),
    ("1-15-CA-C", "c.8del"),
    ("1-12-AA-TT", "c.4_5delinsTT"),
    ("1-12-A-TTG", "c.4delinsTTG"),
    ("1-17-CGGG-C", "c.11_12+1del"),  # CGGGg: the shift crosses the end of the exon
    ("1-22-TAAG-T", "c.12+3_12+5del"),
    ("1-33-ATGA-A", "c.12+14_13-15del"),
    ("1-5-GTCC-G", "c.-3_-1del"),
]


@pytest.mark.parametrize(("text", "expected"), BY_HAND)
def test_descriptions_by_hand_on_both_strands(
    world: tuple[ReferenceGenome, GeneAnnotation], text: str, expected: str
) -> None:
    genome, annotation = world
    variant = resolve_variant(text, genome)
    assert hgvs_c(variant, annotation.transcript("NM_1"), genome) == f"NM_1:{expected}"
    assert parse_hgvs_c(f"NM_1.5:{expected}", annotation, genome) == variant
    # The mirror image means the same to a transcript on the other strand.
    end = len(SEQUENCE) - variant.position + 1
    mirrored = Variant(
        contig="chr2",
        position=end - len(variant.ref) + 1,
        ref=reverse_complement(variant.ref),
        alt=reverse_complement(variant.alt),
    )
    assert hgvs_c(mirrored, annotation.transcript("NM_2"), genome) == f"NM_2:{expected}"
    assert parse_hgvs_c(f"M:{expected}", annotation, genome) == normalize_variant(mirrored, genome)


def test_non_coding_and_outside(world: tuple[ReferenceGenome, GeneAnnotation]) -> None:
    genome, annotation = world
    variant = resolve_variant("1-9-A-G", genome)
    assert hgvs_c(variant, annotation.transcript("NR_3"), genome) == "NR_3:n.4A>G"
    assert parse_hgvs_c("NR_3:n.4A>G", annotation, genome) == variant
    (gene,) = (gene for gene in annotation.genes if gene.id == "P")
    assert hgvs_c_of_gene(variant, gene, genome) == {"NM_1": "NM_1:c.1A>G"}
    for text in ("1-5-G-A", "1-66-C-A", "1-4-GGT-G", "2-9-A-C"):
        with pytest.raises(OutsideGenesError, match="NM_1"):
            hgvs_c(resolve_variant(text, genome), annotation.transcript("NM_1"), genome)
    outside = resolve_variant("1-66-C-A", genome)
    assert hgvs_c_of_gene(outside, gene, genome) == {}


def test_genomic_descriptions(world: tuple[ReferenceGenome, GeneAnnotation]) -> None:
    genome, _ = world

    def of(text: str) -> str:
        return hgvs_g(resolve_variant(text, genome), genome)

    assert of("1-9-A-G") == "chr1:g.9A>G"
    assert of("1-11-GA-G") == "chr1:g.14del"
    assert of("1-11-G-GAA") == "chr1:g.13_14dup"
    assert of("1-15-C-CTT") == "chr1:g.15_16insTT"
    assert of("1-12-AA-TT") == "chr1:g.12_13delinsTT"


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("NM_1:c.13+1G>A", InvalidVariantError, "13 is not the last base"),
        ("NM_1:c.12+1A>T", ReferenceMismatchError, "but the genome has G"),
        ("NM_1:c.500A>T", PositionOutOfRangeError, "past the stop codon"),
        ("NM_9:c.1A>T", UnknownGeneError, "'NM_9'"),
        ("MHL1:c.1A>T", UnknownGeneError, "'MHL1'"),
        ("NR_3:c.1A>T", InvalidVariantError, "non-coding"),
        ("NM_1:c.6_5del", InvalidVariantError, "ends before it starts"),
        ("NM_2:c.6_5del", InvalidVariantError, "ends before it starts"),
        ("NM_1:c.4_6insT", InvalidVariantError, "neighbours"),
        ("NM_1:c.12_13insT", InvalidVariantError, "neighbours"),
        ("NM_1:c.4_6delAA", InvalidVariantError, "covers 3 nt"),
        ("NM_1:c.(4_6)del", InvalidVariantError, "not read"),
        ("NM_1:c.1A>", InvalidVariantError, "not read"),
        ("NM_1:c.", InvalidVariantError, "not read"),
        ("NM_1:p.Met1Val", InvalidVariantError, "not read"),
        ("P:c.1A>R", InvalidVariantError, "other letters"),
    ],
)
def test_descriptions_that_do_not_fit(
    world: tuple[ReferenceGenome, GeneAnnotation], text: str, error: type[Exception], message: str
) -> None:
    genome, annotation = world
    with pytest.raises(error, match=message):
        resolve_variant(text, genome, annotation)


@pytest.mark.parametrize(
    "text", ["NM_1:c.1A>G", "NM_1.4(P):c.1A>G", "P(NM_1):c.1A>G", "P:c.1A>G", " NM_1 : c.1 A>G ", "NM_1:c.1A>G (p.?)",
             "NM_1:c.1A>G p.(Met1?)", "NM_1 c.1A>G", "NC_000001.11(NM_1.4):c.1A>G", "p:c.1a>g"]
)  # fmt: skip
def test_spellings_of_one_description(world: tuple[ReferenceGenome, GeneAnnotation], text: str) -> None:
    genome, annotation = world
    assert str(resolve_variant(text, genome, annotation)) == "chr1-9-A-G"


# -- several transcripts -------------------------------------------------------------------------------------------


def gene_with(tmp_path: Path, *tags: str) -> tuple[ReferenceGenome, GeneAnnotation]:
    """Transcripts T0, T1, ... of one gene whose coding sequences start at 9, 10 (AT...) and so on."""
    text = ""
    for index, tag in enumerate(tags):
        attributes = f'gene_id "G"; transcript_id "T{index}"; tag "{tag}";'
        text += gtf_row("transcript", 6, 65, "+", attributes)
        for kind, start, end in [("exon", 6, 20), ("exon", 51, 65), ("CDS", 9 + index, 20), ("CDS", 51, 56)]:
            text += gtf_row(kind, start, end, "+", attributes)
    path = tmp_path / "several.gtf"
    path.write_text(text, encoding="ascii")
    return genome_of(tmp_path, chr1=SEQUENCE), GeneAnnotation.load(path)


def test_what_differs_between_transcripts_is_listed_not_guessed(tmp_path: Path) -> None:
    genome, annotation = gene_with(tmp_path, "representative", "basic", "basic")
    with pytest.raises(InvalidVariantError, match="different variants") as caught:
        resolve_variant("G:c.4A>C", genome, annotation)
    for part in ("T0: chr1-12-A-C", "T1: chr1-13-A-C", "T2: chr1-14-A-C"):
        assert part in caught.value.message
    assert str(resolve_variant("T1:c.4A>C", genome, annotation)) == "chr1-13-A-C"


def test_a_description_that_fits_one_transcript_only_is_read_there(tmp_path: Path) -> None:
    genome, annotation = gene_with(tmp_path, "basic", "basic")
    assert str(resolve_variant("G:c.11+1G>A", genome, annotation)) == "chr1-21-G-A"
    with pytest.raises(InvalidVariantError, match="not the last base"):
        resolve_variant("G:c.5+1G>A", genome, annotation)


def test_mane_select_is_meant_where_it_is_tagged(tmp_path: Path) -> None:
    genome, annotation = gene_with(tmp_path, "basic", "MANE_Select", "basic")
    assert str(resolve_variant("G:c.4A>C", genome, annotation)) == "chr1-13-A-C"
    with pytest.raises(InvalidVariantError, match="does not fit T1, the MANE Select transcript of G, but fits T0"):
        resolve_variant("G:c.12+1G>A", genome, annotation)


# -- versions, gaps, coding sequences in part ----------------------------------------------------------------------


def test_a_version_that_the_annotation_does_not_name_is_noted(
    world: tuple[ReferenceGenome, GeneAnnotation], tmp_path: Path
) -> None:
    _, annotation = world
    for text in ("NM_1.99:c.1A>G", "P(NM_1.99):c.1A>G", "NC_000001.11(NM_1.99):c.1A>G"):
        assert version_note(text, annotation) == (
            "NM_1.99 was asked for; the annotation names no versions, and positions may differ between versions."
        )
    for text in ("NM_1:c.1A>G", "P:c.1A>G", "1-9-A-G", "nonsense"):
        assert version_note(text, annotation) is None
    named = GeneAnnotation.load(write_transcripts(tmp_path / "v.gtf", {"NM_1.2": ("P", "+", [(6, 20)], [(9, 20)])}))
    assert version_note("NM_1.2:c.1A>G", named) is None


def test_bases_that_the_transcript_lacks_have_no_c_name(tmp_path: Path) -> None:
    """A block ends at 15 and the next starts at 17, as if the C at 16 were an intron."""
    path = write_transcripts(
        tmp_path / "gap.gtf",
        {
            "NM_1": ("P", "+", [(6, 15), (17, 20), (51, 65)], [(9, 15), (17, 20), (51, 56)]),
            "NM_2": ("P", "+", [(6, 20), (51, 65)], [(9, 20), (51, 56)]),
        },
    )
    genome, annotation = genome_of(tmp_path, chr1=SEQUENCE), GeneAnnotation.load(path)
    gapped, gene = annotation.transcript("NM_1"), annotation.gene("P")
    assert gene.representative_id == "NM_2"
    assert hgvs_c(resolve_variant("1-17-C-T", genome), gapped, genome) == "NM_1:c.8C>T"
    assert hgvs_c(resolve_variant("1-21-G-A", genome), gapped, genome) == "NM_1:c.11+1G>A"
    for text in ("1-16-A-T", "1-15-C-CTT", "1-14-ACAC-A"):
        variant = resolve_variant(text, genome)
        with pytest.raises(NoTranscriptNameError, match="NM_1"):
            hgvs_c(variant, gapped, genome)
        assert list(hgvs_c_of_gene(variant, gene, genome)) == ["NM_2"]
    with pytest.raises(InvalidVariantError, match="difference between transcript and genome"):
        resolve_variant("NM_1:c.7+1C>T", genome, annotation)


def test_a_transcript_without_its_start_codon_has_no_c_names(tmp_path: Path) -> None:
    attributes = 'gene_id "P"; transcript_id "NM_1"; tag "cds_start_NF";'
    text = gtf_row("transcript", 9, 65, "+", attributes)
    for kind, start, end in [("exon", 9, 20), ("exon", 51, 65), ("CDS", 9, 20), ("CDS", 51, 56)]:
        text += gtf_row(kind, start, end, "+", attributes)
    (tmp_path / "cut.gtf").write_text(text, encoding="ascii")
    genome, annotation = genome_of(tmp_path, chr1=SEQUENCE), GeneAnnotation.load(tmp_path / "cut.gtf")
    variant = resolve_variant("1-9-A-G", genome)
    with pytest.raises(NoTranscriptNameError, match="starts before it"):
        hgvs_c(variant, annotation.transcript("NM_1"), genome)
    assert hgvs_c_of_gene(variant, annotation.gene("P"), genome) == {}
    with pytest.raises(InvalidVariantError, match="starts before it"):
        resolve_variant("NM_1:c.1A>G", genome, annotation)


# -- there and back ------------------------------------------------------------------------------------------------

BASES = random_bases(300, 17, "ACG") + random_bases(300, 18, "AC")


@pytest.fixture(scope="module")
def repetitive(tmp_path_factory: pytest.TempPathFactory) -> tuple[ReferenceGenome, GeneAnnotation]:
    folder = tmp_path_factory.mktemp("repetitive")
    exons = [(51, 120), (200, 230), (301, 380), (450, 550)]
    path = write_transcripts(
        folder / "toy.gtf",
        {
            "NM_1": ("A", "+", exons, [(61, 120), (200, 230), (301, 310)]),
            "NM_2": ("B", "-", exons, [(361, 380), (450, 460)]),
        },
    )
    return genome_of(folder, chr1=BASES), GeneAnnotation.load(path)


@given(
    start=st.integers(50, 540),
    length=st.integers(1, 9),
    alt=st.text("AC", min_size=1, max_size=9),
    name=st.sampled_from(["NM_1", "NM_2"]),
)
def test_descriptions_lead_back_to_the_variant(
    repetitive: tuple[ReferenceGenome, GeneAnnotation], start: int, length: int, alt: str, name: str
) -> None:
    genome, annotation = repetitive
    ref = BASES[start : start + length]
    if ref == alt:
        return
    variant = normalize_variant(Variant(contig="chr1", position=start + 1, ref=ref, alt=alt), genome)
    try:
        text = hgvs_c(variant, annotation.transcript(name), genome)
    except OutsideGenesError:
        assert variant.position <= 51 or variant.end >= 550
        return
    back = parse_hgvs_c(text, annotation, genome)
    assert back == variant
    assert applied(back, BASES) == BASES[:start] + alt + BASES[start + length :]
    assert resolve_variant(hgvs_g(variant, genome), genome) == variant


KNOWN = [
    ("chr11-47343158-C-T", "NM_000256", "c.1227-13G>A"),
    ("chr17-7670608-C-T", "NM_000546", "c.1100+1G>A"),
    ("chr17-43047642-C-T", "NM_007294", "c.5467+1G>A"),
    ("chr7-117639961-C-T", "NM_000492", "c.3718-2477C>T"),
    ("chr7-117602868-G-A", "NM_000492", "c.2657+5G>A"),
    ("chr10-87952116-A-G", "NM_000314", "c.493-2A>G"),
    ("chr1-26772633-G-A", "NM_006015", "c.3539+1G>A"),
    ("chr19-1221947-A-T", "NM_000455", "c.863-2A>T"),
    ("chr13-48453113-T-A", "NM_000321", "c.1814+2T>A"),
]


@pytest.fixture(scope="module")
def human(mirror: Path) -> tuple[ReferenceGenome, GeneAnnotation]:
    folder = mirror / "GRCh38"
    return ReferenceGenome(folder / "genome.fa.gz"), GeneAnnotation.load(folder / "annotation.gtf.gz")


@pytest.mark.parametrize(("genomic", "transcript", "expected"), KNOWN)
def test_known_disease_variants(
    human: tuple[ReferenceGenome, GeneAnnotation], genomic: str, transcript: str, expected: str
) -> None:
    genome, annotation = human
    variant = resolve_variant(genomic, genome)
    assert hgvs_c(variant, annotation.transcript(transcript), genome) == f"{transcript}:{expected}"
    assert resolve_variant(f"{transcript}.9:{expected}", genome, annotation) == variant
    (gene,) = (gene for gene in annotation.genes_at_variant(variant) if transcript in {t.id for t in gene.transcripts})
    assert hgvs_c_of_gene(variant, gene, genome)[transcript] == f"{transcript}:{expected}"
    assert resolve_variant(f"{gene.name}:{expected}", genome, annotation) == variant


def test_descriptions_of_mutsplicedb(human: tuple[ReferenceGenome, GeneAnnotation], mirror: Path) -> None:
    genome, annotation = human
    agreed, absent = 0, []
    with gzip.open(mirror / "variants" / "mutsplicedb.tsv.gz", "rt") as handle:
        for row in csv.DictReader(handle, delimiter="\t"):
            if row["sequence_available"] != "True":
                continue
            variant = resolve_variant(f"{row['chrom']}-{row['pos_grch38']}-{row['ref']}-{row['alt']}", genome)
            name, description = row["hgvs"].split(":")
            try:
                transcript = annotation.transcript(name)
            except UnknownGeneError:
                absent.append(name)
                continue
            assert resolve_variant(row["hgvs"], genome, annotation) == variant
            assert hgvs_c(variant, transcript, genome) == f"{transcript.id}:{description}"
            agreed += 1
    assert (agreed, absent) == (101, ["NM_001370259.2", "NM_001372051.1"])


def test_random_real_variants_there_and_back(human: tuple[ReferenceGenome, GeneAnnotation]) -> None:
    genome, annotation = human
    source = random.Random(23)
    genes = [gene for gene in annotation.genes if gene.representative.is_coding]
    tried = 0
    while tried < 150:
        transcript = source.choice(source.choice(genes).transcripts)
        start = source.randrange(transcript.start + 5, transcript.end - 20)
        ref = genome.fetch_padded(transcript.contig, start, start + source.choice([1, 1, 2, 5]))
        alt = "".join(source.choices("ACGT", k=source.choice([1, 1, 2, 6])))
        if "N" in genome.fetch_padded(transcript.contig, start - 300, start + 300) or ref == alt:
            continue
        variant = normalize_variant(Variant(contig=transcript.contig, position=start + 1, ref=ref, alt=alt), genome)
        text = hgvs_c(variant, transcript, genome)
        assert resolve_variant(text, genome, annotation) == variant
        assert resolve_variant(hgvs_g(variant, genome), genome) == variant
        tried += 1
