"""Names of contigs."""

from __future__ import annotations

import pytest

from agentic_spliceai.splice_engine.errors import UnknownContigError
from agentic_spliceai.splice_engine.genome import (
    ContigAliases,
    GenomeBuild,
    canonical_contig,
    refseq_accession,
    refseq_build,
)


@pytest.mark.parametrize(
    ("name", "canonical"),
    [
        ("7", "chr7"), ("chr7", "chr7"), ("CHR7", "chr7"), ("Chr22", "chr22"), (" chr3 ", "chr3"), ("x", "chrX"),
        ("chrY", "chrY"), ("M", "chrM"), ("MT", "chrM"), ("chrMT", "chrM"), ("NC_012920.1", "chrM"),
        ("NC_000007.14", "chr7"), ("NC_000023.10", "chrX"), ("NC_000024.10", "chrY"), ("NC_060947.1", "chrX"),
    ],
)  # fmt: skip
def test_primary_contigs_have_one_name(name: str, canonical: str) -> None:
    assert canonical_contig(name) == canonical


@pytest.mark.parametrize(
    "name",
    ["chr23", "0", "07", "chr1_KI270706v1_random", "NT_187361.1", "GL000192.1", "chrUn", "demo", "NC_000067.7", "٧"],
)
def test_other_names_stay_as_they_are(name: str) -> None:
    assert canonical_contig(name) == name


@pytest.mark.parametrize(
    ("accession", "build"),
    [
        ("NC_000001.10", GenomeBuild.GRCH37), ("NC_000001.11", GenomeBuild.GRCH38),
        ("NC_000003.11", GenomeBuild.GRCH37), ("NC_000003.12", GenomeBuild.GRCH38),
        ("NC_000005.9", GenomeBuild.GRCH37), ("NC_000005.10", GenomeBuild.GRCH38),
        ("NC_000007.13", GenomeBuild.GRCH37), ("NC_000007.14", GenomeBuild.GRCH38),
        ("NC_000011.9", GenomeBuild.GRCH37), ("NC_000011.10", GenomeBuild.GRCH38),
        ("NC_000013.10", GenomeBuild.GRCH37), ("NC_000013.11", GenomeBuild.GRCH38),
        ("NC_000017.10", GenomeBuild.GRCH37), ("NC_000017.11", GenomeBuild.GRCH38),
        ("NC_000021.8", GenomeBuild.GRCH37), ("NC_000021.9", GenomeBuild.GRCH38),
        ("NC_000023.10", GenomeBuild.GRCH37), ("NC_000023.11", GenomeBuild.GRCH38),
        ("NC_000024.9", GenomeBuild.GRCH37), ("NC_000024.10", GenomeBuild.GRCH38),
        ("NC_060925.1", GenomeBuild.CHM13),
        ("NC_000003.9", None), ("NC_000003", None), ("NM_000249.4", None), ("NC_012920.1", None), ("chr3", None),
    ],
)  # fmt: skip
def test_an_accession_tells_its_build(accession: str, build: GenomeBuild | None) -> None:
    assert refseq_build(accession) is build


@pytest.mark.parametrize("build", [GenomeBuild.GRCH37, GenomeBuild.GRCH38, GenomeBuild.CHM13])
def test_accessions_lead_back_to_contig_and_build(build: GenomeBuild) -> None:
    for stem in [*map(str, range(1, 23)), "X", "Y"]:
        accession = refseq_accession(stem, build)
        assert accession is not None
        assert (canonical_contig(accession), refseq_build(accession)) == (f"chr{stem}", build)


def test_no_accession_without_a_build_or_for_other_contigs() -> None:
    assert refseq_accession("chr1", None) is None
    assert refseq_accession("chr1", GenomeBuild.DEMO) is None
    assert refseq_accession("chrUn", GenomeBuild.GRCH38) is None
    assert refseq_accession("MT", GenomeBuild.GRCH38) == "NC_012920.1"


def test_a_files_own_spelling_is_found() -> None:
    aliases = ContigAliases(["1", "X", "MT", "GL000192.1"])
    assert aliases.resolve("chr1") == "1"
    assert aliases.resolve("NC_000023.11") == "X"
    assert aliases.resolve("chrM") == "MT"
    assert aliases.resolve("GL000192.1") == "GL000192.1"
    assert aliases.canonical == ("chr1", "chrX", "chrM", "GL000192.1")


def test_an_exact_spelling_wins_over_an_alias() -> None:
    aliases = ContigAliases(["chrM", "MT"])
    assert aliases.resolve("MT") == "MT"
    assert aliases.resolve("M") == "chrM"


def test_an_unknown_contig_names_near_ones() -> None:
    with pytest.raises(UnknownContigError, match="'chr1_random'") as caught:
        ContigAliases(["chr1", "chr2", "chrX"]).resolve("chr1_random")
    assert "chr1" in caught.value.advice
