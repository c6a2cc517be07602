"""The same genes out of each kind of file."""

from __future__ import annotations

import gzip
import logging
from pathlib import Path

import pytest

from agentic_spliceai.splice_engine.errors import AnnotationFileError, BuildMismatchError
from agentic_spliceai.splice_engine.genome import Gene, GeneAnnotation, GenomeBuild, Strand

from .toys import gtf_row

# Gene G1 on the minus strand: exons 101-150 and 201-300, coding 141-150 and 201-250, the stop codon being 141-143.
GENCODE_GTF = (
    "##description: evidence-based annotation of the human genome (GRCh38), version 44 (Ensembl 110)\n"
    + gtf_row("gene", 91, 310, "-", 'gene_id "ENSG1.5"; gene_type "protein_coding"; gene_name "G1";')
    + gtf_row(
        "transcript", 101, 300, "-",
        'gene_id "ENSG1.5"; transcript_id "ENST1.2"; gene_type "protein_coding"; gene_name "G1"; '
        'transcript_type "protein_coding"; tag "basic"; tag "MANE_Select";',
    )
    + "".join(
        gtf_row(kind, start, end, "-", 'gene_id "ENSG1.5"; transcript_id "ENST1.2"; gene_name "G1";')
        for kind, start, end in [
            ("exon", 201, 300), ("CDS", 201, 250), ("exon", 101, 150), ("CDS", 144, 150), ("stop_codon", 141, 143),
            ("UTR", 251, 300), ("start_codon", 248, 250),
        ]
    )
)  # fmt: skip

GENCODE_GFF3 = """##gff-version 3
##description: evidence-based annotation of the human genome (GRCh38), version 44 (Ensembl 110)
chr1\tHAVANA\tgene\t91\t310\t.\t-\t.\tID=ENSG1.5;gene_id=ENSG1.5;gene_type=protein_coding;gene_name=G1
chr1\tHAVANA\ttranscript\t101\t300\t.\t-\t.\tID=ENST1.2;Parent=ENSG1.5;gene_id=ENSG1.5;transcript_id=ENST1.2;\
transcript_type=protein_coding;tag=basic,MANE_Select
chr1\tHAVANA\texon\t201\t300\t.\t-\t.\tID=exon:ENST1.2:1;Parent=ENST1.2
chr1\tHAVANA\tCDS\t201\t250\t.\t-\t0\tID=CDS:ENST1.2;Parent=ENST1.2
chr1\tHAVANA\texon\t101\t150\t.\t-\t.\tID=exon:ENST1.2:2;Parent=ENST1.2
chr1\tHAVANA\tCDS\t141\t150\t.\t-\t1\tID=CDS:ENST1.2;Parent=ENST1.2
chr1\tHAVANA\tstop_codon\t141\t143\t.\t-\t0\tID=stop_codon:ENST1.2;Parent=ENST1.2
"""


def loaded(tmp_path: Path, text: str, name: str = "genes") -> GeneAnnotation:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return GeneAnnotation.load(path)


def expect_g1(gene: Gene) -> None:
    assert (gene.id, gene.name, gene.contig, gene.strand) == ("ENSG1.5", "G1", "chr1", Strand.MINUS)
    assert (gene.start, gene.end, gene.biotype) == (90, 310, "protein_coding")
    (transcript,) = gene.transcripts
    assert transcript.id == gene.representative_id == "ENST1.2"
    assert transcript.exons == ((100, 150), (200, 300))
    assert transcript.cds == ((140, 150), (200, 250))
    assert transcript.tags == ("basic", "MANE_Select")
    assert transcript.biotype == "protein_coding"


@pytest.mark.parametrize("text", [GENCODE_GTF, GENCODE_GFF3], ids=["gtf", "gff3"])
@pytest.mark.parametrize("zipped", [False, True])
def test_gencode(tmp_path: Path, text: str, zipped: bool) -> None:
    path = tmp_path / "whatever.txt"
    path.write_bytes(gzip.compress(text.encode()) if zipped else text.encode())
    annotation = GeneAnnotation.load(path)
    assert annotation.build is GenomeBuild.GRCH38
    assert "version 44" in annotation.source
    (gene,) = annotation.genes
    expect_g1(gene)


def test_ensembl_gff3_in_any_order_with_shared_exons(tmp_path: Path) -> None:
    annotation = loaded(
        tmp_path,
        """##gff-version 3
#!genome-build GRCh37.p13
1\tx\texon\t201\t300\t.\t+\t.\tParent=transcript:ENST1,transcript:ENST2
1\tx\texon\t101\t150\t.\t+\t.\tParent=transcript:ENST1
1\tx\tfive_prime_UTR\t101\t110\t.\t+\t.\tParent=transcript:ENST1
1\tx\tCDS\t111\t150\t.\t+\t0\tID=CDS:P1;Parent=transcript:ENST1
1\tx\tCDS\t201\t220\t.\t+\t0\tID=CDS:P1;Parent=transcript:ENST1
1\tx\tlnc_RNA\t201\t300\t.\t+\t.\tID=transcript:ENST2;Parent=gene:ENSG9;biotype=lncRNA;transcript_id=ENST2
1\tx\tmRNA\t101\t300\t.\t+\t.\tID=transcript:ENST1;Parent=gene:ENSG9;transcript_id=ENST1;tag=Ensembl_canonical
1\tx\tgene\t101\t300\t.\t+\t.\tID=gene:ENSG9;Name=A%3BB%2C C;biotype=protein_coding;gene_id=ENSG9
1\tx\tbiological_region\t1\t9\t.\t.\t.\tlogic_name=x
""",
    )
    assert annotation.build is GenomeBuild.GRCH37
    (gene,) = annotation.genes
    assert (gene.id, gene.name, gene.contig) == ("ENSG9", "A;B, C", "chr1")
    assert {t.id: (t.exons, t.cds) for t in gene.transcripts} == {
        "ENST1": (((100, 150), (200, 300)), ((110, 150), (200, 220))),
        "ENST2": (((200, 300),), ()),
    }
    assert gene.representative_id == "ENST1"


def test_refseq_gff3(tmp_path: Path) -> None:
    annotation = loaded(
        tmp_path,
        """##gff-version 3
#!genome-build GRCh38.p14
#!annotation-source NCBI RefSeq GCF_000001405.40-RS_2023_10
NC_000023.11\tRefSeq\tregion\t1\t156040895\t.\t+\t.\tID=NC_000023.11:1..156040895
NC_000023.11\tBestRefSeq\tgene\t101\t300\t.\t+\t.\tID=gene-G2;Dbxref=GeneID:1;Name=G2;gene=G2;gene_biotype=protein_coding
NC_000023.11\tBestRefSeq\tmRNA\t101\t300\t.\t+\t.\tID=rna-NM_1.2;Parent=gene-G2;Name=NM_1.2;tag=RefSeq Select;\
transcript_id=NM_1.2
NC_000023.11\tBestRefSeq\texon\t101\t300\t.\t+\t.\tID=exon-NM_1.2-1;Parent=rna-NM_1.2
NC_000023.11\tBestRefSeq\tCDS\t101\t200\t.\t+\t0\tID=cds-NP_1;Parent=rna-NM_1.2
NC_000023.11\tBestRefSeq\tmRNA\t101\t300\t.\t+\t.\tID=rna-NM_3.4;Parent=gene-G2;tag=MANE Select;transcript_id=NM_3.4
NC_000023.11\tBestRefSeq\texon\t101\t140\t.\t+\t.\tID=exon-NM_3.4-1;Parent=rna-NM_3.4
NC_000023.11\tBestRefSeq\tCDS\t101\t130\t.\t+\t0\tID=cds-NP_3;Parent=rna-NM_3.4
NC_000023.11\tBestRefSeq\tprimary_transcript\t501\t600\t.\t+\t.\tID=rna-NR_5.1;Parent=gene-MIR1;transcript_id=NR_5.1
NC_000023.11\tBestRefSeq\texon\t501\t600\t.\t+\t.\tID=exon-NR_5.1-1;Parent=rna-NR_5.1
NC_000023.11\tBestRefSeq\tmiRNA\t510\t530\t.\t+\t.\tID=rna-MIR1;Parent=rna-NR_5.1;product=hsa-miR-1-5p
NC_000023.11\tBestRefSeq\texon\t510\t530\t.\t+\t.\tID=exon-MIR1-1;Parent=rna-MIR1
NC_000023.11\tBestRefSeq\tgene\t501\t600\t.\t+\t.\tID=gene-MIR1;Name=MIR1
NC_000023.11\tCurated Genomic\tpseudogene\t701\t800\t.\t-\t.\tID=gene-PS;Name=PS;pseudo=true
NC_012920.1\tRefSeq\tgene\t1\t90\t.\t+\t.\tID=gene-ND1;Name=ND1
NC_012920.1\tRefSeq\tCDS\t1\t90\t.\t+\t0\tID=cds-YP;Parent=gene-ND1
""",
    )
    assert annotation.build is GenomeBuild.GRCH38
    assert annotation.source.startswith("NCBI RefSeq")
    assert annotation.contigs == ("chrX", "chrM")
    g2, mir, pseudo, nd1 = annotation.genes
    assert (g2.id, g2.contig, g2.representative_id) == ("G2", "chrX", "NM_3.4")
    assert [t.id for t in mir.transcripts] == ["NR_5.1", "MIR1"]
    assert pseudo.transcripts[0].exons == ((700, 800),)
    assert pseudo.transcripts[0].tags == ("gene_extent_only",)
    assert (nd1.transcripts[0].exons, nd1.transcripts[0].cds) == (((0, 90),), ((0, 90),))


def test_gtf_without_gene_and_transcript_rows(tmp_path: Path) -> None:
    row = 'gene_id "G"; transcript_id "T"; exon_number 1;'
    annotation = loaded(
        tmp_path,
        gtf_row("exon", 11, 20, "+", row, "7")
        + gtf_row("exon", 31, 40, "+", row, "7")
        + gtf_row("CDS", 15, 20, "+", row, "7"),
    )
    (gene,) = annotation.genes
    assert (gene.name, gene.contig, gene.start, gene.end) == ("G", "chr7", 10, 40)
    assert gene.representative.exons == ((10, 20), (30, 40))
    assert gene.representative.cds == ((14, 20),)


def test_attributes_of_other_names_are_not_mistaken(tmp_path: Path) -> None:
    attributes = 'orig_transcript_id "rna|x"; old_gene_id "z"; gene_id "G"; transcript_id "NM_1.1"; gene "SYMBOL";'
    (gene,) = loaded(tmp_path, gtf_row("exon", 1, 9, "+", attributes)).genes
    assert (gene.id, gene.name, gene.representative_id) == ("G", "SYMBOL", "NM_1.1")


def test_exons_that_touch_have_no_intron_between_them(tmp_path: Path) -> None:
    row = 'gene_id "G"; transcript_id "T";'
    blocks = [(11, 20), (21, 30), (28, 35), (41, 50)]
    (gene,) = loaded(tmp_path, "".join(gtf_row("exon", start, end, "+", row) for start, end in blocks)).genes
    assert gene.representative.exons == ((10, 35), (40, 50))


def test_the_same_gene_id_on_x_and_y_stays_two_genes(tmp_path: Path) -> None:
    row = 'gene_id "ENSG1"; gene_name "ASMT"; transcript_id "ENST1";'
    annotation = loaded(
        tmp_path,
        "".join(gtf_row("exon", start, end, "+", row, contig) for contig, start, end in [("X", 1, 9), ("Y", 5, 20)]),
    )
    assert [(gene.contig, gene.start, gene.end) for gene in annotation.genes] == [("chrX", 0, 9), ("chrY", 4, 20)]
    assert annotation.gene("ASMT").contig == "chrX"
    assert [gene.contig for gene in annotation.genes_at("chrY", 0, 100)] == ["chrY"]


def test_rows_without_a_strand_are_left_out_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    row = 'gene_id "G"; transcript_id "T";'
    with caplog.at_level(logging.WARNING):
        annotation = loaded(tmp_path, gtf_row("exon", 1, 9, ".", row) + gtf_row("exon", 11, 19, "+", row))
    assert len(annotation) == 1
    assert "1 rows without a strand" in caplog.text


def test_the_peers_table(tmp_path: Path) -> None:
    annotation = loaded(
        tmp_path,
        "#NAME\tCHROM\tSTRAND\tTX_START\tTX_END\tEXON_START\tEXON_END\n"
        "A\t1\t+\t100\t300\t100,200,\t150,300,\nA\t2\t-\t5\t9\t5,\t9,\n",
    )
    first, second = annotation.genes
    assert (first.name, first.contig, first.start, first.end) == ("A", "chr1", 100, 300)
    assert first.representative.exons == ((100, 150), (200, 300))
    assert not first.representative.is_coding
    assert (second.contig, second.strand) == ("chr2", Strand.MINUS)


GOOD = gtf_row("exon", 1, 9, "+", 'gene_id "G"; transcript_id "T";')
TABLE = "#NAME\tCHROM\tSTRAND\tTX_START\tTX_END\tEXON_START\tEXON_END\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("# only a comment\n", "is empty"),
        ("a,b,c\n1,2,3\n", r"no gene annotation that can be read: line 1 is of none of the three formats"),
        ('{"genes": []}\n', "no gene annotation"),
        (GOOD + "chr1\ttoy\texon\t5\n", r"line 2 of genes: it has 4 tab-separated columns"),
        (GOOD + gtf_row("exon", 9, 5, "+", 'gene_id "G";'), "line 2 of genes: coordinates 9-5"),
        (GOOD + gtf_row("exon", 0, 5, "+", 'gene_id "G";'), "line 2 of genes: coordinates 0-5"),
        (GOOD.replace("\t1\t", "\tone\t"), "line 1 of genes: 'one', '9' are no coordinates"),
        (GOOD.replace("\t+\t", "\tplus\t"), "line 1 of genes: strand 'plus'"),
        (GOOD + gtf_row("exon", 1, 5, "+", 'note "x";'), "line 2 of genes: it has neither gene_id nor transcript_id"),
        ("##gff-version 3\nc\tx\texon\t1\t5\t.\t+\t.\tID=e\n", "line 2 of genes: this exon has no Parent"),
        (
            "##gff-version 3\nc\tx\texon\t1\t5\t.\t+\t.\tParent=t\n",
            "line 2 of genes: its parent 't' is not in the file",
        ),
        (
            "##gff-version 3\nc\tx\tmRNA\t1\t5\t.\t+\t.\tID=t;Parent=t\nc\tx\texon\t1\t5\t.\t+\t.\tParent=t\n",
            "line 2 of genes: 't' is its own ancestor",
        ),
        ("##gff-version 3\nc\tx\tregion\t1\t5\t.\t+\t.\tID=r\n", "holds no gene"),
        (TABLE, "holds no gene"),
        (TABLE + "A\t1\t+\t1\t9\t1,\n", "line 2 of genes: it has 6"),
        (TABLE + "A\t1\t*\t1\t9\t1,\t9,\n", "line 2 of genes: name 'A' or strand"),
        (TABLE + "A\t1\t+\t1\t9\t1,4,\t9,\n", "line 2 of genes: 2 exon starts and 1 exon ends"),
        (TABLE + "A\t1\t+\tx\t9\t1,\t9,\n", "line 2 of genes: a coordinate is no number"),
        (TABLE + "A\t1\t+\t1\t9\t9,\t1,\n", "line 2 of genes: an interval ends before it starts"),
    ],
)
def test_malformed_files_name_the_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(AnnotationFileError, match=message):
        loaded(tmp_path, text)


def test_missing_and_damaged_files(tmp_path: Path) -> None:
    with pytest.raises(AnnotationFileError, match="cannot be read"):
        GeneAnnotation.load(tmp_path / "absent.gtf")
    path = tmp_path / "cut.gtf.gz"
    path.write_bytes(gzip.compress((GOOD * 2000).encode())[:-30])
    with pytest.raises(AnnotationFileError, match="damaged"):
        GeneAnnotation.load(path)
    path.write_bytes(bytes(range(256)) * 10)
    with pytest.raises(AnnotationFileError, match="no gene annotation"):
        GeneAnnotation.load(path)


def test_a_build_that_the_file_contradicts_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "genes.gtf"
    path.write_text(GENCODE_GTF, encoding="utf-8")
    with pytest.raises(BuildMismatchError, match="says that it is on GRCh38, not on GRCh37"):
        GeneAnnotation.load(path, build=GenomeBuild.GRCH37)


def test_a_foreign_build_leaves_the_callers_word(tmp_path: Path) -> None:
    path = tmp_path / "genes.gtf"
    path.write_text("#!genome-build ARS-UCD1.2\n" + GOOD, encoding="utf-8")
    assert GeneAnnotation.load(path).build is None
    assert GeneAnnotation.load(path, build=GenomeBuild.DEMO).build is GenomeBuild.DEMO


def test_real_table_and_gtf_agree_on_the_representative_transcripts(mirror: Path) -> None:
    genes = GeneAnnotation.load(mirror / "GRCh38" / "annotation.gtf.gz")
    table = GeneAnnotation.load(mirror / "golden" / "variants" / "annotation.tsv")
    assert (len(genes), len(table)) == (1395, 1080)
    differing = []
    for row in table.genes:
        gene = genes.gene(row.name)
        if gene.name == "PTEN":  # the table holds NM_001304717, whose first exon has a gap of 1 nt
            differing.append(gene.name)
            assert (gene.representative_id, gene.representative.gaps) == ("NM_000314", ())
            continue
        assert (gene.contig, gene.strand) == (row.contig, row.strand)
        assert gene.representative.exons == row.representative.exons
        assert (gene.representative.start, gene.representative.end) == (row.start, row.end)
    assert differing == ["PTEN"]


# -- coding sequences that a transcript holds in part ------------------------------------------------------------------


def _phased(kind: str, start: int, end: int, strand: str, phase: str, attributes: str) -> str:
    return f"chr1\ttoy\t{kind}\t{start}\t{end}\t.\t{strand}\t{phase}\t{attributes}\n"


@pytest.mark.parametrize(("strand", "first", "complete"), [("+", "2", False), ("+", "0", True), ("-", "0", False)])
def test_the_first_coding_parts_phase_says_whether_the_start_is_there(
    strand: str, first: str, complete: bool, tmp_path: Path
) -> None:
    """The last part in transcription may well start inside a codon; on the minus strand it is the lower one."""
    gtf = "".join(
        _phased(kind, start, end, strand, phase, 'gene_id "G"; transcript_id "T";')
        for kind, start, end, phase in [
            ("exon", 1, 20, "."), ("exon", 101, 120, "."), ("CDS", 1, 20, first), ("CDS", 101, 120, "1"),
        ]
    )  # fmt: skip
    transcript = loaded(tmp_path, gtf).transcript("T")
    assert transcript.cds_start_known is complete
    gff = "##gff-version 3\n" + _phased("gene", 1, 120, strand, ".", "ID=gene:G")
    gff += _phased("mRNA", 1, 120, strand, ".", "ID=transcript:T;Parent=gene:G")
    gff += "".join(
        _phased(kind, start, end, strand, phase, "Parent=transcript:T")
        for kind, start, end, phase in [("exon", 1, 20, "."), ("exon", 101, 120, "."), ("CDS", 1, 20, first),
                                        ("CDS", 101, 120, "1")]
    )  # fmt: skip
    assert loaded(tmp_path, gff).transcript("T").cds_start_known is complete


@pytest.mark.parametrize(
    ("strand", "range_", "tag"),
    [
        ("+", "start_range=.,1", "cds_start_NF"),
        ("-", "start_range=.,1", "cds_end_NF"),
        ("+", "end_range=120,.", "cds_end_NF"),
        ("-", "end_range=120,.", "cds_start_NF"),
    ],
)
def test_ncbis_open_ranges(strand: str, range_: str, tag: str, tmp_path: Path) -> None:
    text = "##gff-version 3\n" + _phased("gene", 1, 120, strand, ".", "ID=gene-G")
    text += _phased("mRNA", 1, 120, strand, ".", "ID=rna-T;Parent=gene-G")
    text += _phased("exon", 1, 120, strand, ".", "ID=e;Parent=rna-T")
    text += _phased("CDS", 1, 120, strand, "0", f"ID=c;Parent=rna-T;partial=true;{range_}")
    transcript = loaded(tmp_path, text).transcript("T")
    assert transcript.tags == (tag,)
    assert not transcript.cds_is_complete
