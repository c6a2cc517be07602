from importlib.resources import files
from pathlib import Path

import pytest

from agentic_spliceai.splice_engine.errors import RegistryError, ResourceError, SettingError, SpliceEngineError
from agentic_spliceai.splice_engine.genome import bundle
from agentic_spliceai.splice_engine.genome.bundle import genome_entries, open_genome, preferred_transcripts
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
    opened = open_genome(name, ResourceResolver(tmp_path, mirror=mirror, allow_download=False), cache_dir=tmp_path)
    assert opened.build is GenomeBuild.GRCH38
    assert opened.genome.fetch_padded("chr17", 43047641, 43047642) == "C"  # BRCA1 c.5467+1G on the plus strand
    assert opened.annotation.gene("BRCA1").contig == "chr17"
    assert not opened.is_demo


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
    opened = open_genome(str(fasta), resolver, annotation=table, cache_dir=tmp_path)
    assert opened.annotation.gene("G").representative.introns == ((50, 99),)
    with pytest.raises(SettingError, match="annotation"):
        open_genome(str(fasta), resolver)
    with pytest.raises(SpliceEngineError, match=r"none\.gtf"):
        open_genome(str(fasta), resolver, annotation=tmp_path / "none.gtf")


# -- preferred transcripts ---------------------------------------------------------------------------------------------


def test_the_list_of_preferred_transcripts_is_read_for_human_builds_only() -> None:
    names = preferred_transcripts(GenomeBuild.GRCH38)
    assert names == preferred_transcripts(GenomeBuild.GRCH37)
    assert {"NM_007294", "NM_000314", "NM_000546"} <= set(names)
    assert len(names) == len(set(names)) == 26
    for build in (GenomeBuild.DEMO, GenomeBuild.GRCM39, None):
        assert preferred_transcripts(build) == ()


def test_a_malformed_list_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(bundle, "files", lambda package: tmp_path)
    (tmp_path / "preferred_transcripts.yaml").write_text("BRCA1: NM_007294.4\n")
    with pytest.raises(RegistryError, match=r"preferred_transcripts\.yaml, BRCA1"):
        preferred_transcripts(GenomeBuild.GRCH38)


def test_a_changed_list_is_seen_past_the_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fasta, gtf = tmp_path / "own.fa", tmp_path / "own.gtf"
    fasta.write_text(">chr1\n" + "ACGT" * 50 + "\n")
    gtf.write_text(
        "".join(
            f'chr1\ttoy\texon\t1\t{length}\t.\t+\t.\tgene_id "G"; transcript_id "{name}";\n'
            for name, length in (("NM_1", 90), ("NM_2", 50))
        )
    )
    own = files("agentic_spliceai.configs").joinpath("genomes.yaml").read_text(encoding="utf-8")
    (tmp_path / "genomes.yaml").write_text(own, encoding="utf-8")
    monkeypatch.setattr(bundle, "files", lambda package: tmp_path)

    def representative(listed: str, build: GenomeBuild | None) -> str:
        (tmp_path / "preferred_transcripts.yaml").write_text(listed)
        resolver = ResourceResolver(tmp_path, allow_download=False)
        opened = open_genome(str(fasta), resolver, annotation=gtf, build=build, cache_dir=tmp_path / "cache")
        return opened.annotation.gene("G").representative_id

    assert representative("G: NM_2\n", GenomeBuild.GRCH38) == "NM_2"
    assert representative("G: NM_1\n", GenomeBuild.GRCH38) == "NM_1"
    assert representative("G: NM_2\n", GenomeBuild.GRCH37) == "NM_2"
    assert representative("G: NM_2\n", None) == "NM_1"


def test_preferred_transcripts_in_the_real_annotation(mirror: Path, tmp_path: Path) -> None:
    for name in ("GRCh38", "GRCh37"):
        opened = open_genome(name, ResourceResolver(tmp_path, mirror=mirror, allow_download=False), cache_dir=tmp_path)
        chosen = {gene: opened.annotation.gene(gene).representative_id for gene in ("BRCA1", "PTEN", "TP53", "CFTR")}
        assert chosen == {"BRCA1": "NM_007294", "PTEN": "NM_000314", "TP53": "NM_000546", "CFTR": "NM_000492"}
