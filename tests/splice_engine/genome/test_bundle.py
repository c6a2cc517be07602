from pathlib import Path

import pytest

from agentic_spliceai.splice_engine.errors import RegistryError, ResourceError, SettingError, SpliceEngineError
from agentic_spliceai.splice_engine.genome.bundle import genome_entries, open_genome
from agentic_spliceai.splice_engine.genome.types import GenomeBuild
from agentic_spliceai.splice_engine.resources import ResourceResolver


def test_registry_names_where_a_download_comes_from() -> None:
    for name, entry in genome_entries().items():
        if not entry.is_demo:
            assert entry.fasta.url, name
            assert entry.fasta.checksums_url, name
            assert entry.annotation.checksums_url, name


@pytest.mark.parametrize("name", ["GRCh38", "hg38", "grch38"])
def test_a_real_genome_by_any_of_its_names(name: str, mirror: Path, tmp_path: Path) -> None:
    bundle = open_genome(name, ResourceResolver(tmp_path, mirror=mirror, allow_download=False), cache_dir=tmp_path)
    assert bundle.build is GenomeBuild.GRCH38
    assert bundle.genome.fetch_padded("chr17", 43047641, 43047642) == "C"  # BRCA1 c.5467+1G on the plus strand
    assert bundle.annotation.gene("BRCA1").contig == "chr17"
    assert not bundle.is_demo


def test_named_genome_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match="sequence of GRCh38"):
        open_genome("GRCh38", ResourceResolver(tmp_path, allow_download=False))


def test_unknown_name(tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match="GRCh38"):
        open_genome("GRCh83", ResourceResolver(tmp_path, allow_download=False))


def test_own_files(tmp_path: Path) -> None:
    fasta = tmp_path / "own.fa"
    fasta.write_text(">c1\n" + "ACGT" * 50 + "\n")
    table = tmp_path / "genes.txt"
    table.write_text("#NAME\tCHROM\tSTRAND\tTX_START\tTX_END\tEXON_START\tEXON_END\nG\tc1\t+\t9\t150\t9,99,\t50,150,\n")
    resolver = ResourceResolver(tmp_path, allow_download=False)
    bundle = open_genome(str(fasta), resolver, annotation=table, cache_dir=tmp_path)
    assert bundle.annotation.gene("G").representative.introns == ((50, 99),)
    with pytest.raises(SettingError, match="annotation"):
        open_genome(str(fasta), resolver)
    with pytest.raises(SpliceEngineError, match=r"none\.gtf"):
        open_genome(str(fasta), resolver, annotation=tmp_path / "none.gtf")
