"""`agentic-spliceai predict`: genes by name to files, on the demo genome and on real genes of both strands."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentic_spliceai.cli import main
from agentic_spliceai.settings import reset_settings
from agentic_spliceai.splice_engine.meta_layer.checkpoint import (
    BaseProvenance,
    CheckpointContent,
    ModelCard,
    save_checkpoint,
)
from agentic_spliceai.splice_engine.meta_layer.models.registry import build_model
from tests.tools.toolbox import small_context

#: Last bases of exons 1 to 3 of the demo gene, and first bases of exons 2 to 4, 1-based; see `demo/minigene.gtf`.
DONORS, ACCEPTORS = [1380, 2138, 3184], [2021, 3039, 3945]


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("AGENTIC_SPLICEAI_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("AGENTIC_SPLICEAI_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("AGENTIC_SPLICEAI_DEVICE", "cpu")
    monkeypatch.chdir(tmp_path)
    reset_settings()
    yield
    reset_settings()


def sites(path: Path) -> list[tuple[int, str, str]]:
    rows = [line.split("\t") for line in path.read_text().splitlines() if not line.startswith("#")]
    return [(int(row[2]), row[3].split("|")[1], row[5]) for row in rows]


def test_a_gene_becomes_tracks_and_sites(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", "DEMO1", "OTHER", "--genome", "demo", "-o", "out/demo"]) == 0
    told = capsys.readouterr()
    assert told.out == ""
    assert "note: OTHER: gene 'OTHER' is not in the annotation" in told.err
    assert "1 gene, 3,080 nt" in told.err
    assert "base: 6 sites from 0.5 on; 6 of 6 annotated sites found, 100.0%" in told.err
    found = sites(tmp_path / "out" / "demo.base.sites.bed")
    assert [position for position, kind, _ in found if kind == "donor"] == DONORS
    assert [position for position, kind, _ in found if kind == "acceptor"] == ACCEPTORS
    assert (tmp_path / "out" / "demo.base.donor.plus.bedgraph.gz.tbi").exists()


def test_a_meta_model_adds_recalibrated_tracks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base = small_context(tmp_path).resources.base_model("small")
    card = ModelCard(base=BaseProvenance.of(base.info))
    save_checkpoint(tmp_path / "sites.safetensors", CheckpointContent(build_model("recalibrator"), card))
    (tmp_path / "out").mkdir()
    order = ["predict", "minigene:2000-2200", "--genome", "demo", "--meta", "sites.safetensors"]
    order += ["--formats", "bedgraph,bed,tsv", "-o", "out", "--json", "--quiet"]
    assert main(order) == 0
    told = capsys.readouterr()
    summary = json.loads(told.out)["summary"]
    assert told.err == ""
    assert summary["positions"] == 201
    assert set(summary["predictors"]) == {"base", "recalibrated"}
    assert summary["provenance"]["meta_card_sha256"] is not None
    out = tmp_path / "out"
    # Untrained, the model says what the base model says.
    assert sites(out / "tracks.recalibrated.sites.bed") == sites(out / "tracks.base.sites.bed")
    assert [position for position, *_ in sites(out / "tracks.base.sites.bed")] == [2021, 2138]
    assert (out / "tracks.recalibrated.acceptor.plus.bedgraph").exists()
    assert main([*order[:-2], "--precision", "bfloat16"]) == 2
    assert "float32" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--genome", "demo"], "give genes, regions or a BED file"),
        (["DEMO1", "--genome", "demo", "--formats", "wig"], "formats"),
        (["DEMO1", "--genome", "demo", "--floor", "2"], "floor"),
        (["DEMO1", "--genome", "demo", "--contig", "chr1"], "contigs: they go with all_genes"),
        (["--all-genes", "--contig", "chr7", "--genome", "demo"], "contig 'chr7' is not in the file"),
        (["NOPE", "minigene:1-10", "--genome", "demo"], "outside_genes"),
        (["DEMO1", "--genome", "demo", "--meta", "none.safetensors"], "no trained model"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_leaves_nothing(
    words: list[str], problem: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["predict", *words, "-o", "x"]) == 2
    error = capsys.readouterr().err
    if problem != "outside_genes":
        assert problem in error
    else:
        assert "'NOPE' is not in the annotation" in error
        assert "minigene:1-10: No gene" in error
    assert error.startswith("error: ")
    assert not list(tmp_path.glob("x*"))


@pytest.mark.parametrize(("gene", "strand"), [("KLHL17", "+"), ("SRM", "-")])
def test_openspliceai_sees_the_exon_ends_of_real_genes(
    gene: str, strand: str, mirror: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGENTIC_SPLICEAI_MIRROR", str(mirror))
    reset_settings()
    order = ["predict", gene, "--genome", "GRCh38", "--base-model", "openspliceai", "--formats", "bed", "--quiet"]
    assert main([*order, "-o", "real"]) == 0
    assert sites(tmp_path / "real.base.sites.bed") == sorted(exon_ends(mirror, gene, strand))


def exon_ends(mirror: Path, gene: str, strand: str) -> list[tuple[int, str, str]]:
    """Read the ends of inner exons straight off the GTF, whose exons are 1-based and inclusive."""
    import gzip

    with gzip.open(mirror / "GRCh38" / "annotation.gtf.gz", "rt") as handle:
        rows = [line.split("\t") for line in handle if f'gene_name "{gene}"' in line]
    exons = sorted({(int(row[3]), int(row[4])) for row in rows if row[2] == "exon"})
    left, right = ("acceptor", "donor") if strand == "+" else ("donor", "acceptor")
    return [(start, left, strand) for start, _ in exons[1:]] + [(end, right, strand) for _, end in exons[:-1]]
