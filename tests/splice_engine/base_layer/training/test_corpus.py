"""Labels of hand-made genes, and the split."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from agentic_spliceai.splice_engine.base_layer.results import SpliceClass
from agentic_spliceai.splice_engine.base_layer.training.corpus import (
    IGNORE,
    Corpus,
    build_corpus,
    encode,
    reverse_complement,
    unite,
)
from agentic_spliceai.splice_engine.base_layer.training.leakage import set_paralogs_aside
from agentic_spliceai.splice_engine.base_layer.training.split import PARALOG, TEST, TRAIN, ChromosomeSplit
from agentic_spliceai.splice_engine.errors import ResourceError
from agentic_spliceai.splice_engine.genome.annotation import GeneAnnotation
from agentic_spliceai.splice_engine.genome.reference import ReferenceGenome
from agentic_spliceai.splice_engine.genome.types import SiteType
from tests.splice_engine.base_layer.training.toys import fetch_from, gene, random_bases

#        0         1         2         3         4         5         6         7
#        01234567890123456789012345678901234567890123456789012345678901234567890123456789
PLUS = "TTTTTACCAGGTAAGTTTTTTTTTTTTTTTTTTTTTTTTTTTTTAGCATCCCCCTTTTTTTTTTTTTTTTTTTTTTTTTT"
# Exons [5, 10) ACCAG and [46, 50) CATC, intron GTAAGT...TTAG between them.
EXONS = ((5, 10), (46, 50))


def decode(corpus: Corpus) -> str:
    return "".join("ACGTN"[c] for c in corpus.codes)


def sites(corpus: Corpus) -> dict[int, SpliceClass]:
    return {int(i): SpliceClass(corpus.labels[i]) for i in np.flatnonzero(corpus.labels < SpliceClass.NEITHER)}


def test_plus_strand_donor_on_last_exonic_and_acceptor_on_first_exonic_base() -> None:
    corpus = build_corpus([gene("A", "chr2", "+", EXONS)], fetch_from({"chr2": PLUS}), ChromosomeSplit(), flank=3)
    assert decode(corpus) == PLUS[2:53]
    # Three flanking bases come first, then base 5 of the contig.
    assert sites(corpus) == {3 + 9 - 5: SpliceClass.DONOR, 3 + 46 - 5: SpliceClass.ACCEPTOR}
    assert (corpus.labels[:3] == IGNORE).all()
    assert (corpus.labels[-3:] == IGNORE).all()
    assert corpus.labels[3] == SpliceClass.NEITHER


def test_minus_strand_is_read_in_its_own_sense() -> None:
    complement = PLUS[::-1].translate(str.maketrans("ACGT", "TGCA"))
    exons = tuple((len(PLUS) - end, len(PLUS) - start) for start, end in reversed(EXONS))
    plus = build_corpus([gene("A", "chr2", "+", EXONS)], fetch_from({"chr2": PLUS}), ChromosomeSplit(), flank=3)
    minus = build_corpus([gene("A", "chr2", "-", exons)], fetch_from({"chr2": complement}), ChromosomeSplit(), flank=3)
    assert decode(minus) == decode(plus)
    np.testing.assert_array_equal(minus.labels, plus.labels)
    # The same place by hand: the donor's base is the first of the exon that lies further right on the genome.
    assert exons == ((30, 34), (70, 75))
    locus = minus.loci[0]
    assert locus.span_of(locus.genes[0]) == (3, 3 + 45)
    assert decode(minus)[3 + 75 - 1 - 70 + 1 :][:2] == "GT"


def test_all_transcripts_count_and_contradictions_are_ignored() -> None:
    # Two donors before one acceptor at base 46; the third transcript makes base 46 a donor too.
    third = ((46, 47), (75, 76))
    corpus = build_corpus(
        [gene("A", "chr2", "+", EXONS, ((5, 8), (46, 50)), third)],
        fetch_from({"chr2": PLUS}),
        ChromosomeSplit(),
        flank=0,
    )
    assert corpus.labels[41] == IGNORE  # base 46: acceptor of two transcripts, donor of the third
    assert sites(corpus) == {2: SpliceClass.DONOR, 4: SpliceClass.DONOR, 70: SpliceClass.ACCEPTOR}
    assert np.flatnonzero(corpus.representative).tolist() == [4]


def test_positions_without_sequence_are_ignored() -> None:
    holed = PLUS[:9] + "NN" + PLUS[11:]
    corpus = build_corpus([gene("A", "chr2", "+", EXONS)], fetch_from({"chr2": holed}), ChromosomeSplit(), flank=0)
    assert corpus.labels[4:6].tolist() == [IGNORE, IGNORE]
    assert sites(corpus) == {41: SpliceClass.ACCEPTOR}


def test_overlapping_genes_share_labels_on_one_strand_only() -> None:
    inner, other = gene("B", "chr2", "+", ((8, 12), (40, 60))), gene("C", "chr2", "-", ((6, 12), (42, 60)))
    groups = unite([other, gene("A", "chr2", "+", EXONS), inner])
    assert [[g.name for g in group] for group in groups] == [["A", "B"], ["C"]]
    corpus = build_corpus(
        [inner, gene("A", "chr2", "+", EXONS)], fetch_from({"chr2": PLUS}), ChromosomeSplit(), flank=0
    )
    (locus,) = corpus.loci
    assert (locus.start, locus.end) == (5, 60)
    assert sites(corpus) == {
        9 - 5: SpliceClass.DONOR, 46 - 5: SpliceClass.ACCEPTOR, 11 - 5: SpliceClass.DONOR, 40 - 5: SpliceClass.ACCEPTOR,
    }  # fmt: skip


def test_reverse_complement_twice_is_nothing() -> None:
    codes = encode("ACGTNNGATTACA")
    assert "".join("ACGTN"[c] for c in reverse_complement(codes)) == "TGTAATCNNACGT"
    np.testing.assert_array_equal(reverse_complement(reverse_complement(codes)), codes)


def test_split_leaves_out_the_false_duplication() -> None:
    split = ChromosomeSplit()
    assert split.part_of("chr1", 0, 10) == TEST
    assert split.part_of("chr2", 0, 10) == TRAIN
    assert split.part_of("chr21", 4_000_000, 5_000_000) == TRAIN
    assert split.part_of("chr21", 4_000_000, 5_000_001) is None
    assert split.part_of("chr21", 8_999_999, 9_500_000) is None
    assert split.part_of("chr21", 9_000_000, 9_500_000) == TRAIN


def test_a_copy_of_a_test_gene_does_not_train() -> None:
    copied, fresh = random_bases(400, 1), random_bases(400, 2)
    exons = ((20, 120), (260, 380))
    genes = [gene(name, contig, "+", exons) for name, contig in (("T", "chr1"), ("COPY", "chr2"), ("FRESH", "chr4"))]
    fetch = fetch_from({"chr1": copied, "chr2": copied, "chr4": fresh})
    corpus, leaks = set_paralogs_aside(build_corpus(genes, fetch, ChromosomeSplit(), flank=10))
    assert {x.genes[0].name: x.split for x in corpus.loci} == {"T": TEST, "COPY": PARALOG, "FRESH": TRAIN}
    assert [(leak.genes, leak.sites, leak.shared) for leak in leaks] == [(("COPY",), 2, 2)]


def test_save_and_load_keep_everything_and_damage_is_noticed(tmp_path: Path) -> None:
    corpus = build_corpus(
        [gene("A", "chr2", "+", EXONS)], fetch_from({"chr2": PLUS}), ChromosomeSplit(), flank=3, about={"build": "toy"}
    )
    corpus.save(tmp_path)
    again = Corpus.load(tmp_path)
    assert again.loci == corpus.loci
    assert again.digest() == corpus.digest()
    assert again.about == {"build": "toy"}
    labels = np.load(tmp_path / "labels.npy")
    labels[7] = SpliceClass.ACCEPTOR
    np.save(tmp_path / "labels.npy", labels)
    with pytest.raises(ResourceError, match="damaged"):
        Corpus.load(tmp_path)
    with pytest.raises(ResourceError, match="no training corpus"):
        Corpus.load(tmp_path / "nowhere")


def test_labels_of_real_genes_agree_with_the_annotation(mirror: Path) -> None:
    annotation = GeneAnnotation.load(mirror / "GRCh38" / "annotation.gtf.gz")
    wanted = {"BRCA1", "CFTR", "MLH1"}
    genes = [g for g in annotation.genes if g.name in wanted]
    with ReferenceGenome(mirror / "GRCh38" / "genome.fa.gz") as genome:
        corpus = build_corpus(genes, genome.fetch_padded, ChromosomeSplit(), flank=200)
    for locus in corpus.loci:
        (span,) = locus.genes
        (one,) = (g for g in genes if g.name == span.name)
        true = {(s.position, s.type) for t in one.transcripts for s in t.splice_sites}
        found = set()
        for i in np.flatnonzero(corpus.labels[locus.offset : locus.offset + locus.length] < SpliceClass.NEITHER):
            position = locus.start + int(i) + 1 if locus.strand == "+" else locus.end - int(i)
            kind = SiteType.DONOR if corpus.labels[locus.offset + i] == SpliceClass.DONOR else SiteType.ACCEPTOR
            found.add((position, kind))
        assert found == true
        donors = np.flatnonzero(corpus.labels[locus.offset : locus.offset + locus.length] == SpliceClass.DONOR)
        after = ["".join("ACGTN"[c] for c in corpus.codes[locus.offset + i + 1 :][:2]) for i in donors]
        assert after.count("GT") > 0.95 * len(after)
    assert {x.genes[0].name: x.split for x in corpus.loci} == {"BRCA1": TRAIN, "CFTR": TEST, "MLH1": TEST}
