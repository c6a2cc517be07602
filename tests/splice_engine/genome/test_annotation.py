"""Look-up by place and name, the choice of a representative, and the cache."""

from __future__ import annotations

import hashlib
import os
import random
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentic_spliceai.splice_engine.errors import BuildMismatchError, UnknownGeneError
from agentic_spliceai.splice_engine.genome import Gene, GeneAnnotation, GenomeBuild, Variant, annotation
from agentic_spliceai.splice_engine.genome.annotation_table import (
    AnnotationTable,
    GeneDraft,
    ParsedAnnotation,
    TranscriptDraft,
)
from agentic_spliceai.splice_engine.genome.types import Strand

from .toys import gtf_row, write_transcripts

Placed = list[tuple[int, int, str, Strand]]


def annotation_of(placed: Placed) -> GeneAnnotation:
    genes = [
        GeneDraft(f"g{index}", f"g{index}", contig, strand, (start, start + length))
        for index, (start, length, contig, strand) in enumerate(placed)
    ]
    table = AnnotationTable.from_parsed(ParsedAnnotation(genes))
    return GeneAnnotation(table, digest="0" * 64, source="made up", build=None)


@given(
    placed=st.lists(
        st.tuples(
            st.integers(0, 300),
            st.sampled_from([1, 5, 200]),
            st.sampled_from(["chr1", "chr2"]),
            st.sampled_from(Strand),
        ),
        min_size=1,
        max_size=30,
    ),
    start=st.integers(0, 600),
    length=st.integers(0, 60),
)
def test_genes_at_equals_a_scan_of_all_genes(placed: Placed, start: int, length: int) -> None:
    end = start + length
    expected = [
        f"g{index}"
        for index, (low, size, contig, _) in enumerate(placed)
        if contig == "chr1" and low < end and start < low + size and length
    ]
    assert [gene.id for gene in annotation_of(placed).genes_at("1", start, end)] == expected


def test_a_contig_without_genes_has_none() -> None:
    assert annotation_of([(0, 5, "chr1", Strand.PLUS)]).genes_at("chr9", 0, 100) == ()


def test_genes_at_a_variant_cover_its_whole_ref_and_both_strands() -> None:
    annotation = annotation_of(
        [(100, 10, "chr1", Strand.PLUS), (104, 20, "chr1", Strand.MINUS), (130, 5, "chr1", Strand.PLUS)]
    )

    def at(position: int, ref: str, alt: str) -> list[str]:
        variant = Variant(contig="chr1", position=position, ref=ref, alt=alt)
        return [gene.id for gene in annotation.genes_at_variant(variant)]

    assert at(110, "A", "C") == ["g0", "g1"]
    assert at(111, "A", "C") == ["g1"]
    assert at(125, "A", "C") == []
    assert at(124, "A" * 8, "A") == ["g1", "g2"]
    assert at(125, "A" * 6, "A") == []


def test_builds_of_variant_and_annotation_must_agree(tmp_path: Path) -> None:
    path = write_transcripts(tmp_path / "a.gtf", {"T": ("G", "+", [(1, 9)], [])})
    genes = GeneAnnotation.load(path, build=GenomeBuild.GRCH38)
    variant = Variant(contig="chr1", position=5, ref="A", alt="C", build=GenomeBuild.GRCH37)
    with pytest.raises(BuildMismatchError, match="GRCh37"):
        genes.genes_at_variant(variant)


# -- representative ------------------------------------------------------------------------------------------------


def representative(*transcripts: TranscriptDraft) -> str:
    gene = GeneDraft("G", "G", "chr1", Strand.PLUS, transcripts=list(transcripts))
    return AnnotationTable.from_parsed(ParsedAnnotation([gene])).gene(0).representative_id


def draft(name: str, length: int, coding: int, *tags: str) -> TranscriptDraft:
    return TranscriptDraft(name, "", tags, [(0, length)], [(0, coding)] if coding else [])


def test_the_representative_is_chosen_by_tag_then_length_then_id() -> None:
    ranked = [
        draft("select", 10, 3, "basic", "MANE_Select"),
        draft("clinical", 10, 3, "MANE_Plus_Clinical"),
        draft("canonical", 10, 3, "Ensembl_canonical"),
        draft("tagged", 10, 3, "representative"),
        draft("longest_cds", 50, 40),
        draft("longest_mrna", 90, 30),
        draft("a", 80, 30),
        draft("b", 80, 30),
        draft("noncoding", 999, 0),
    ]
    for first in range(len(ranked)):
        rest = ranked[first:]
        random.Random(first).shuffle(rest)
        assert representative(*rest) == ranked[first].id


def test_a_gap_too_short_for_an_intron_counts_against_a_transcript() -> None:
    """PTEN NM_001304717 has a gap of 1 nt, the longest CDS and the tag `representative`."""
    gapped = TranscriptDraft("gapped", "", ("representative",), [(0, 60), (61, 200)], [(0, 60), (61, 150)])
    plain = TranscriptDraft("plain", "", (), [(0, 60), (100, 200)], [(0, 60), (100, 120)])
    noncoding = TranscriptDraft("noncoding", "", (), [(0, 300)])
    chosen = TranscriptDraft("chosen", "", ("Ensembl_canonical",), [(0, 60), (61, 90)], [(0, 60)])
    assert representative(gapped, noncoding, plain) == "plain"
    assert representative(gapped, noncoding) == "gapped"  # a coding gene stays one
    assert representative(gapped, plain, chosen) == "chosen"


def test_a_transcript_with_half_a_coding_sequence_speaks_only_where_there_is_no_other() -> None:
    for tag in ("cds_start_NF", "cds_end_NF"):
        half, whole = draft("half", 90, 60, tag, "Ensembl_canonical"), draft("whole", 30, 9)
        assert representative(half, whole, draft("noncoding", 99, 0)) == "whole"
        assert representative(half, draft("noncoding", 99, 0)) == "half"


def test_preferred_transcripts_give_way_to_the_files_own_choice(tmp_path: Path) -> None:
    text = ""
    for gene, name, length, tag in [
        ("A", "NM_1.1", 90, "representative"), ("A", "NM_2.1", 50, "basic"),
        ("B", "NM_3.1", 90, "MANE_Select"), ("B", "NM_4.1", 50, "basic"),
        ("C", "NM_5.1", 50, "Ensembl_canonical"), ("C", "NM_6.1", 90, "basic"),
    ]:  # fmt: skip
        text += gtf_row("transcript", 1, length, "+", f'gene_id "{gene}"; transcript_id "{name}"; tag "{tag}";')
    path = tmp_path / "a.gtf"
    path.write_text(text, encoding="ascii")
    for cache in (None, tmp_path / "cache", tmp_path / "cache"):
        chosen = GeneAnnotation.load(path, cache_dir=cache, preferred=["NM_2.7", "NM_4", "NM_6", "NM_99"])
        assert [gene.representative_id for gene in chosen.genes] == ["NM_2.1", "NM_3.1", "NM_5.1"]
        plain = GeneAnnotation.load(path, cache_dir=cache)
        assert [gene.representative_id for gene in plain.genes] == ["NM_1.1", "NM_3.1", "NM_5.1"]


# -- names ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def named(tmp_path: Path) -> GeneAnnotation:
    text = "".join(
        gtf_row("exon", start, start + 50, "+", f'gene_id "{gene}"; gene_name "{name}"; transcript_id "{transcript}";')
        for start, gene, name, transcript in [
            (1, "ENSG1.4", "MLH1", "NM_000249.4"), (1, "ENSG1.4", "MLH1", "NM_000249.12"),
            (1, "ENSG1.4", "MLH1", "NM_7"), (200, "ENSG2.1", "Y_RNA", "ENST2.1"), (300, "ENSG3.1", "Y_RNA", "ENST3.1"),
            (400, "MSH2", "other", "ENST4.1"), (500, "ENSG5.1", "MSH2", "ENST5.1"),
        ]
    )  # fmt: skip
    path = tmp_path / "named.gtf"
    path.write_text(text, encoding="ascii")
    return GeneAnnotation.load(path)


@pytest.mark.parametrize("text", ["MLH1", "mlh1", "ENSG1.4", "ENSG1", " MLH1 "])
def test_genes_are_found_by_name_and_id(named: GeneAnnotation, text: str) -> None:
    assert named.gene(text).id == "ENSG1.4"


def test_an_id_wins_over_a_name(named: GeneAnnotation) -> None:
    assert named.gene("MSH2").name == "other"


def test_unknown_and_shared_names(named: GeneAnnotation) -> None:
    with pytest.raises(UnknownGeneError, match="'MHL1'") as caught:
        named.gene("MHL1")
    assert "MLH1" in caught.value.advice
    with pytest.raises(UnknownGeneError, match=r"names 2 genes: ENSG2\.1, ENSG3\.1"):
        named.gene("Y_RNA")


@pytest.mark.parametrize(
    ("asked", "found"),
    [("NM_000249.4", "NM_000249.4"), ("NM_000249", "NM_000249.12"), ("NM_7.3", "NM_7"), ("NM_7", "NM_7")],
)
def test_transcripts_are_found_with_or_without_version(named: GeneAnnotation, asked: str, found: str) -> None:
    transcript = named.transcript(asked)
    assert (transcript.id, transcript.gene_name) == (found, "MLH1")


def test_another_version_of_a_transcript_is_not_passed_off(named: GeneAnnotation) -> None:
    with pytest.raises(UnknownGeneError, match=r"as NM_000249\.4, NM_000249\.12 only"):
        named.transcript("NM_000249.3")
    with pytest.raises(UnknownGeneError, match="'NM_00249'") as caught:
        named.transcript("NM_00249")
    assert "NM_000249" in caught.value.advice


# -- cache ---------------------------------------------------------------------------------------------------------


def many(tmp_path: Path) -> Path:
    source = random.Random(3)
    transcripts = {}
    for number in range(200):
        start = source.randrange(1, 100_000)
        cds = [(start + 10, start + 20)] if number % 3 else []
        transcripts[f"T{number}"] = (
            f"G{number // 2}",
            "+-"[number // 2 % 2],
            [(start, start + 30), (start + 50, start + 90)],
            cds,
        )
    return write_transcripts(tmp_path / "many.gtf", transcripts)


def test_the_cached_form_is_the_same_and_the_file_is_not_parsed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, cache = many(tmp_path), tmp_path / "deep" / "cache"
    first = GeneAnnotation.load(path, cache_dir=cache)
    monkeypatch.setattr(annotation, "_parser_for", lambda _: pytest.fail("parsed again"))
    second = GeneAnnotation.load(path, cache_dir=cache)
    assert list(second.genes) == list(first.genes)
    assert first.digest == second.digest == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (first.source, first.build) == (second.source, second.build)
    copy = tmp_path / "copy.gtf"
    copy.write_bytes(path.read_bytes())
    assert len(GeneAnnotation.load(copy, cache_dir=cache)) == 100


def test_a_changed_file_is_read_anew(tmp_path: Path) -> None:
    path, cache = many(tmp_path), tmp_path / "cache"
    GeneAnnotation.load(path, cache_dir=cache)
    path.write_text(path.read_text().replace('"G1"', '"H1"'), encoding="ascii")
    os.utime(path, ns=(1, 1))
    assert GeneAnnotation.load(path, cache_dir=cache).gene("H1").id == "H1"


@pytest.mark.parametrize("seed", range(12))
def test_a_damaged_cache_is_rebuilt(tmp_path: Path, seed: int) -> None:
    path, cache = many(tmp_path), tmp_path / "cache"
    whole = list(GeneAnnotation.load(path, cache_dir=cache).genes)
    source = random.Random(seed)
    for file in cache.iterdir():
        content = bytearray(file.read_bytes())
        match seed % 4:
            case 0:
                content = content[: len(content) // 2]
            case 1:
                content = bytearray()
            case 2:
                content = bytearray(source.randbytes(500))
            case _:
                at = source.randrange(len(content) - 40)
                content[at : at + 40] = source.randbytes(40)
        file.write_bytes(content)
    assert list(GeneAnnotation.load(path, cache_dir=cache).genes) == whole
    assert list(GeneAnnotation.load(path, cache_dir=cache).genes) == whole


def test_a_cache_folder_that_cannot_be_made_is_done_without(tmp_path: Path) -> None:
    path = many(tmp_path)
    blocked = tmp_path / "a file"
    blocked.touch()
    assert len(GeneAnnotation.load(path, cache_dir=blocked / "cache")) == 100


# -- real data -----------------------------------------------------------------------------------------------------


def test_real_lookup_equals_a_scan(mirror: Path) -> None:
    annotation = GeneAnnotation.load(mirror / "GRCh38" / "annotation.gtf.gz")
    genes: list[Gene] = list(annotation.genes)
    source = random.Random(11)
    found = 0
    for _ in range(300):
        near = source.choice(genes)
        start = max(0, near.start + source.randrange(-20_000, near.end - near.start + 20_000))
        end = start + source.choice([1, 1000, 200_000])
        expected = [g.id for g in genes if g.contig == near.contig and g.start < end and start < g.end]
        assert [gene.id for gene in annotation.genes_at(near.contig, start, end)] == expected
        found += len(expected)
    assert found > 300


def test_the_second_start_is_fast(mirror: Path, tmp_path: Path) -> None:
    path = mirror / "GRCh38" / "annotation.gtf.gz"
    GeneAnnotation.load(path, cache_dir=tmp_path)
    times = []
    for _ in range(3):
        begun = time.perf_counter()
        assert len(GeneAnnotation.load(path, cache_dir=tmp_path)) == 1395
        times.append(time.perf_counter() - begun)
    assert min(times) < 0.15
