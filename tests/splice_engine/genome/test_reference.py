"""Sequence out of FASTA files: what a slice of the text says is the oracle."""

from __future__ import annotations

import csv
import gzip
import os
import pickle
import random
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pysam
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentic_spliceai.splice_engine.errors import (
    BuildMismatchError,
    GenomeFileError,
    PositionOutOfRangeError,
    UnknownContigError,
)
from agentic_spliceai.splice_engine.genome import GenomeBuild, Interval, ReferenceGenome

from .toys import fasta_text, random_bases, write_bgzf, write_fasta

# Longer than three BGZF blocks; a short contig, one that ends with a full line, one in lower case.
CONTIGS = {"1": random_bases(200_000, 1), "chr2": random_bases(7, 2), "MT": random_bases(120, 3).lower()}


@pytest.fixture(scope="module", params=["plain", "bgzf"])
def genome(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ReferenceGenome:
    folder = tmp_path_factory.mktemp("genome")
    write = write_fasta if request.param == "plain" else write_bgzf
    return ReferenceGenome(write(folder / ("toy.fa" if request.param == "plain" else "toy.fa.gz"), CONTIGS))


@given(data=st.data())
def test_every_slice_is_the_texts(genome: ReferenceGenome, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(list(CONTIGS)))
    sequence = CONTIGS[name].upper()
    start = data.draw(st.integers(0, len(sequence)))
    end = data.draw(st.integers(start, min(len(sequence), start + data.draw(st.sampled_from([1, 100, 150_000])))))
    assert genome.fetch(Interval(contig=name, start=start, end=end)) == sequence[start:end]


@given(start=st.integers(-100, 200), length=st.integers(0, 400))
def test_positions_outside_the_contig_are_n(genome: ReferenceGenome, start: int, length: int) -> None:
    padded = "N" * 100 + CONTIGS["MT"].upper() + "N" * 600
    assert genome.fetch_padded("chrM", start, start + length) == padded[start + 100 : start + 100 + length]


def test_contigs_lengths_and_aliases(genome: ReferenceGenome) -> None:
    assert genome.contigs == ("chr1", "chr2", "chrM")
    assert [genome.contig_length(name) for name in ("chr1", "2", "M")] == [200_000, 7, 120]
    assert genome.has_contig("NC_000002.12")
    assert not genome.has_contig("chr3")
    with pytest.raises(UnknownContigError, match="chr9"):
        genome.fetch(Interval(contig="chr9", start=0, end=1))


def test_past_the_end_is_refused(genome: ReferenceGenome) -> None:
    with pytest.raises(PositionOutOfRangeError, match=r"chr2:7-8.*has 7 bases"):
        genome.fetch(Interval(contig="chr2", start=6, end=8))


def test_threads_share_one_reader(genome: ReferenceGenome) -> None:
    def check(seed: int) -> bool:
        source = random.Random(seed)
        places = [source.randrange(199_000) for _ in range(50)]
        return all(genome.fetch_padded("1", at, at + 900) == CONTIGS["1"][at : at + 900] for at in places)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(check, range(16)))


def test_a_pickled_reader_reads_on(genome: ReferenceGenome) -> None:
    with pickle.loads(pickle.dumps(genome)) as copy:
        assert copy.fetch_padded("chr1", 70_000, 70_050) == CONTIGS["1"][70_000:70_050]
        assert copy.identity == genome.identity


def test_identity_is_the_same_for_both_forms_of_index_and_differs_by_content(tmp_path: Path) -> None:
    first = write_fasta(tmp_path / "toy.fa", {"chr1": "ACGT" * 30})
    with ReferenceGenome(first) as built, ReferenceGenome(first) as read:
        assert built.identity == read.identity
        assert "toy.fa, " in built.identity
    other = tmp_path / "other"
    other.mkdir()
    with ReferenceGenome(write_fasta(other / "toy.fa", {"chr2": "ACGT" * 30})) as different:
        assert different.identity != read.identity


def test_case_ambiguity_and_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "odd.fa"
    path.write_bytes(fasta_text({"chr1": "acgtRYSWKMBDHVNn" * 5, "chr2": "AC"}, 16, "\r\n").encode())
    with ReferenceGenome(path) as genome:
        assert genome.fetch_padded("chr1", 0, 16) == "ACGT" + "N" * 12
        assert genome.fetch_padded("chr1", 62, 70) == "NNACGTNN"
        assert genome.has_sequence(Interval(contig="chr1", start=16, end=20))
        assert not genome.has_sequence(Interval(contig="chr1", start=16, end=21))
        assert genome.fetch_padded("chr2", 0, 2) == "AC"


@pytest.mark.parametrize("form", ["plain", "bgzf"])
def test_indices_equal_those_of_samtools(tmp_path: Path, form: str) -> None:
    path = (write_fasta if form == "plain" else write_bgzf)(tmp_path / "toy.fa", CONTIGS)
    names = [f"{path}.fai"] if form == "plain" else [f"{path}.fai", f"{path}.gzi"]
    with ReferenceGenome(path) as genome:
        ours = [Path(name).read_bytes() for name in names]
    for name in names:
        Path(name).unlink()
    pysam.faidx(str(path))
    assert ours == [Path(name).read_bytes() for name in names]
    with ReferenceGenome(path) as again:
        assert again.identity == genome.identity


def test_identity_does_not_tell_who_wrote_the_index(tmp_path: Path) -> None:
    path = tmp_path / "toy.fa"
    path.write_text(">chr1\nACGT\nAC\n>empty\n>chr2\nACG", encoding="ascii")  # no line end: the tools count differently
    with ReferenceGenome(path) as genome:
        assert genome.fetch_padded("chr2", 0, 3) == "ACG"
    ours = Path(f"{path}.fai").read_bytes()
    pysam.faidx(str(path))
    assert Path(f"{path}.fai").read_bytes() != ours
    with ReferenceGenome(path) as again:
        assert again.identity == genome.identity


def block_indices(path: Path) -> None:
    """Put folders in the indices' places: these cannot be replaced, not even by root."""
    for suffix in (".fai", ".gzi"):
        Path(f"{path}{suffix}").mkdir()
        (Path(f"{path}{suffix}") / "x").touch()


@pytest.mark.parametrize("form", ["plain", "bgzf"])
def test_indices_that_cannot_lie_beside_the_file_are_kept_in_the_cache(tmp_path: Path, form: str) -> None:
    path = (write_fasta if form == "plain" else write_bgzf)(tmp_path / "toy.fa", CONTIGS)
    block_indices(path)
    cache = tmp_path / "cache"
    states = []
    for _ in range(2):
        with ReferenceGenome(path, cache_dir=cache) as genome:
            assert genome.fetch_padded("chr1", 150_000, 150_010) == CONTIGS["1"][150_000:150_010]
        states.append({file.name: file.stat().st_mtime_ns for file in cache.iterdir()})
    assert states[0] == states[1]
    assert sorted(Path(name).suffix for name in states[0]) == ([".fai"] if form == "plain" else [".fai", ".gzi"])
    assert not list(tmp_path.glob(".toy*"))


@pytest.mark.parametrize("form", ["plain", "bgzf"])
def test_without_a_cache_the_indices_live_as_long_as_the_object(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    path = (write_fasta if form == "plain" else write_bgzf)(tmp_path / "toy.fa", CONTIGS)
    block_indices(path)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    with ReferenceGenome(path) as genome:
        assert genome.fetch_padded("chr1", 150_000, 150_010) == CONTIGS["1"][150_000:150_010]
        assert len(list(temporary.rglob("*.fai"))) == 1
    assert not list(temporary.iterdir())
    with pytest.raises(GenomeFileError, match="was closed"):
        genome.fetch_padded("chr1", 0, 1)
    dropped = ReferenceGenome(path)
    del dropped
    assert not list(temporary.iterdir())


@pytest.mark.parametrize("form", ["plain", "bgzf"])
def test_forked_processes_read_for_themselves(tmp_path: Path, form: str) -> None:
    path = (write_fasta if form == "plain" else write_bgzf)(tmp_path / "toy.fa", CONTIGS)
    script = f"""
import multiprocessing, random
from agentic_spliceai.splice_engine.genome import ReferenceGenome
genome = ReferenceGenome({str(path)!r})
sequence = genome.fetch_padded("chr1", 0, 200_000)
def check(seed):
    source = random.Random(seed)
    places = [source.randrange(199_000) for _ in range(300)]
    return all(genome.fetch_padded("chr1", at, at + 900) == sequence[at : at + 900] for at in places)
with multiprocessing.get_context("fork").Pool(4) as pool:
    print(pool.map(check, range(8)), check(9))
"""
    done = subprocess.run(
        [sys.executable, "-W", "error::ResourceWarning", "-W", "ignore::DeprecationWarning", "-c", script],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout == f"{[True] * 8} True\n", done.stderr
    assert done.stderr == ""


def test_processes_that_index_at_the_same_time_do_not_disturb_each_other(tmp_path: Path) -> None:
    path = write_bgzf(tmp_path / "toy.fa.gz", CONTIGS)
    script = (
        "from agentic_spliceai.splice_engine.genome import ReferenceGenome\n"
        f"print(ReferenceGenome({str(path)!r}).fetch_padded('chr1', 150_000, 150_010))"
    )
    running = [subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) for _ in range(4)]
    assert [process.communicate(timeout=60)[0].strip() for process in running] == [CONTIGS["1"][150_000:150_010]] * 4
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "toy.fa.gz",
        "toy.fa.gz.fai",
        "toy.fa.gz.gzi",
        "toy.fa.plain",
    ]


def test_an_index_older_than_its_file_is_used(tmp_path: Path) -> None:
    path = write_fasta(tmp_path / "toy.fa", CONTIGS)
    ReferenceGenome(path).close()
    os.utime(f"{path}.fai", (1, 1))
    with ReferenceGenome(path) as genome:
        assert genome.fetch_padded("chr2", 0, 7) == CONTIGS["chr2"]
    assert Path(f"{path}.fai").stat().st_mtime == 1


def test_without_pysam_a_blocked_file_is_refused_and_a_plain_one_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked, plain = write_bgzf(tmp_path / "toy.fa.gz", CONTIGS), write_fasta(tmp_path / "toy.fa", CONTIGS)
    ReferenceGenome(blocked).close()
    monkeypatch.setitem(sys.modules, "pysam", None)
    with pytest.raises(GenomeFileError, match=r"toy\.fa\.gz is block-gzipped.*Install pysam"):
        ReferenceGenome(blocked)
    with ReferenceGenome(plain) as genome:
        assert genome.fetch_padded("chr2", 0, 7) == CONTIGS["chr2"]


def test_a_plain_file_with_a_name_as_if_compressed_is_read(tmp_path: Path) -> None:
    with ReferenceGenome(write_fasta(tmp_path / "toy.fa.gz", CONTIGS)) as genome:
        assert genome.fetch_padded("chr1", 150_000, 150_010) == CONTIGS["1"][150_000:150_010]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\n\n", "no FASTA"),
        (b"hello\n", "does not start with '>'"),
        (b">chr1\n>chr2\n", "holds no base"),
        (b">chr1\nACGT\nAC\nACGT\n", "Inconsistent line found in >chr1 at line 3"),
        (b">chr1\nACGT\nACGTA\n", "lines of a record differ in length"),
        (b">chr1\nACGT\n>chr1\nACGT\n", 'Duplicate key "chr1"'),
        (b">\nACGT\n", "Bad sequence name >"),
        (b">chr1\nACGT\n\n\n>chr2\nACGT\n", "blank ones"),
        (b">chr1 \xff\nACGT\n", "no readable FASTA"),
        (gzip.compress(b">chr1\nACGT\n", mtime=0), "no random access.*bgzip"),
    ],
)
def test_files_that_are_no_fasta_are_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "bad.fa"
    path.write_bytes(content)
    with pytest.raises(GenomeFileError, match=message):
        ReferenceGenome(path).fetch_padded("chr1", 0, 1)


@pytest.mark.parametrize("content", [b"hello\n", b">chr1\nACGT\nAC\nACGT\n", b">chr1\n>chr2\n"])
def test_blocks_that_hold_no_fasta_are_refused(
    tmp_path: Path, content: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad").write_bytes(content)
    pysam.tabix_compress(str(tmp_path / "bad"), str(tmp_path / "bad.fa.gz"))
    with pytest.raises(GenomeFileError, match="cannot be indexed"):
        ReferenceGenome(tmp_path / "bad.fa.gz")
    assert capfd.readouterr().err == ""


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(GenomeFileError, match=r"absent\.fa cannot be read"):
        ReferenceGenome(tmp_path / "absent.fa")
    with pytest.raises(GenomeFileError, match="cannot be read"):
        ReferenceGenome(tmp_path)


@pytest.mark.parametrize("form", ["plain", "bgzf"])
def test_a_truncated_file_is_refused(tmp_path: Path, form: str) -> None:
    path = (write_fasta if form == "plain" else write_bgzf)(tmp_path / "toy.fa", CONTIGS)
    ReferenceGenome(path).close()
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(GenomeFileError, match=r"cut short|shorter|damaged"):
        ReferenceGenome(path)
    Path(f"{path}.fai").unlink()
    if form == "bgzf":
        Path(f"{path}.gzi").unlink()
        with pytest.raises(GenomeFileError, match="damaged"):
            ReferenceGenome(path)


def test_a_damaged_block_is_an_error_and_no_sequence(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = write_bgzf(tmp_path / "toy.fa.gz", CONTIGS)
    ReferenceGenome(path).close()
    content = bytearray(path.read_bytes())
    content[30_000:30_050] = bytes(50)
    path.write_bytes(content)
    with ReferenceGenome(path) as genome, pytest.raises(GenomeFileError, match="damaged"):
        genome.fetch_padded("chr1", 0, 200_000)
    assert capfd.readouterr().err == ""
    verbosity = pysam.set_verbosity(3)
    pysam.set_verbosity(verbosity)
    assert verbosity == 3  # htslib's own; the reader has put it back


@pytest.mark.parametrize("suffix", [".fai", ".gzi"])
def test_a_damaged_index_is_refused(tmp_path: Path, suffix: str) -> None:
    path = write_bgzf(tmp_path / "toy.fa.gz", CONTIGS)
    ReferenceGenome(path).close()
    Path(f"{path}{suffix}").write_bytes(b"chr1\tx\t1\n")
    with pytest.raises(GenomeFileError, match=r"line 1 of the index|no BGZF index"):
        ReferenceGenome(path)


@pytest.mark.parametrize("form", ["plain", "bgzf"])
@pytest.mark.parametrize(
    "other",
    [
        {"chr1": "A" * 50, "chrX": "C" * 100},
        {"chr1": "A" * 100, "chrX": "C" * 100},
        {"chr1": "A" * 99},
        {"chr1": "A" * 101},
        {"chr7": "A" * 100},
        {"chr1": "A" * 70_000, "chrX": "C" * 70_000},
    ],
)
def test_another_files_index_is_refused(tmp_path: Path, form: str, other: dict[str, str]) -> None:
    write = write_fasta if form == "plain" else write_bgzf
    path = write(tmp_path / "toy.fa", {"chr1": "A" * 100})
    ReferenceGenome(path).close()
    path.unlink()
    write(path, other)
    with pytest.raises(GenomeFileError, match="does not fit its index"):
        ReferenceGenome(path)


def test_characters_that_are_no_bases_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "bad.fa"
    path.write_text(">chr1\nACGT*CGT\n", encoding="ascii")
    with ReferenceGenome(path) as genome, pytest.raises(GenomeFileError, match="chr1:5-5"):
        genome.fetch_padded("chr1", 4, 5)


@pytest.mark.parametrize(("build", "column"), [("GRCh37", "pos_grch37"), ("GRCh38", "pos_grch38")])
def test_real_genomes_have_the_exons_of_an_assay(mirror: Path, build: str, column: str) -> None:
    """The oracle: exon sequences as MFASS cloned them, which came to us by another way than the genomes."""
    complement = str.maketrans("ACGTN", "TGCAN")
    same = unknown = 0
    with (
        ReferenceGenome(mirror / build / "genome.fa.gz") as genome,
        gzip.open(mirror / "variants" / "mfass.tsv.gz", "rt", encoding="utf-8") as table,
    ):
        assert genome.build is GenomeBuild(build)
        for row in csv.DictReader(table, delimiter="\t"):
            if row["genome_available"] != "True":
                continue
            exon_start, length = int(row["exon_offset"]), int(row["exon_length"])
            exon = row["seq_ref"][exon_start : exon_start + length]
            before = int(row["variant_offset"]) - exon_start
            if row["strand"] == "+":
                start = int(row[column]) - 1 - before
                found = genome.fetch_padded(row["chrom"], start, start + length)
            else:
                end = int(row[column]) + before
                found = genome.fetch_padded(row["chrom"], end - length, end).translate(complement)[::-1]
            assert found == exon or "N" in found, row["id"]
            same, unknown = same + (found == exon), unknown + ("N" in found)
    assert (same, unknown) == ((2202, 0) if build == "GRCh38" else (2030, 172))


def test_a_build_that_the_lengths_contradict_is_refused(mirror: Path) -> None:
    with pytest.raises(BuildMismatchError, match="lengths of GRCh38, not of GRCh37"):
        ReferenceGenome(mirror / "GRCh38" / "genome.fa.gz", GenomeBuild.GRCH37)
