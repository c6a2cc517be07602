"""Artifacts: what is kept and with which weight, where sites stand, resuming, and what is refused."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from agentic_spliceai.splice_engine.base_layer.results import SpliceClass
from agentic_spliceai.splice_engine.errors import (
    BuildMismatchError,
    ResourceError,
    SettingError,
    TrainingDataError,
)
from agentic_spliceai.splice_engine.genome.sequence import reverse_complement
from agentic_spliceai.splice_engine.genome.types import GenomeBuild
from agentic_spliceai.splice_engine.meta_layer import MetaLayerConfig
from agentic_spliceai.splice_engine.meta_layer.data import artifacts as module
from agentic_spliceai.splice_engine.meta_layer.data.artifacts import gene_inputs, write_artifacts
from agentic_spliceai.splice_engine.meta_layer.data.batches import IGNORE_INDEX
from agentic_spliceai.splice_engine.meta_layer.data.gene_rows import ArtifactSettings, choose_positions
from agentic_spliceai.splice_engine.meta_layer.data.schema import COLUMNS
from agentic_spliceai.splice_engine.meta_layer.data.site_labels import label_track

from .artifact_toys import CONTIGS, DECOY, LENGTH, ToyWorld, changed, toy_world
from .conftest import SETTINGS

Row = dict[str, str]


def rows_of(path: Path) -> list[Row]:
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle, delimiter="\t", quoting=csv.QUOTE_NONE))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.name != ".lock"}


def genomic(position: int, contig: str) -> int:
    """A position of the plus-strand blueprint, on the contig."""
    return position if CONTIGS[contig] == "+" else LENGTH + 1 - position


@pytest.mark.parametrize("contig", list(CONTIGS))
def test_sites_stand_on_exonic_bases_with_their_outcome(artifacts: Path, contig: str) -> None:
    rows = {int(r["position"]): r for r in rows_of(artifacts / f"analysis_sequences_{contig}_chunk_1_1.tsv")}
    expected = {
        (300, "donor", "TP", "2"), (650, "donor", "FN", "2"), (900, "donor", "TP", "1"),
        (501, "acceptor", "TP", "2"), (801, "acceptor", "FN", "1"), (1201, "acceptor", "TP", "2"),
        (DECOY, "", "FP", "0"),
    }  # fmt: skip
    seen = {
        (int(p), r["splice_type"], r["pred_type"], r["transcript_count"])
        for p, r in rows.items()
        if r["pred_type"] != "TN"
    }
    assert seen == {(genomic(p, contig), *rest) for p, *rest in expected}
    # Bases around an intron, in transcript sense: exon ends in CAG, GT follows; AG precedes the acceptor's exon.
    donor = rows[genomic(300, contig)]["sequence"]
    assert donor[248:253] == "CAGGT"
    assert rows[genomic(501, contig)]["sequence"][248:251] == "AGG"


def test_columns_are_the_schemas_in_order(artifacts: Path) -> None:
    header = (artifacts / "analysis_sequences_chr1_chunk_1_1.tsv").read_text().splitlines()[0]
    assert tuple(header.split("\t")) == COLUMNS
    assert tuple(header.split("\t"))[:13] == (
        "gene_id", "transcript_id", "gene_name", "chrom", "strand", "position", "window_start", "window_end",
        "splice_type", "pred_type", "score", "transcript_count", "sequence",
    )  # fmt: skip


@pytest.mark.parametrize("contig", ["chr1", "chr13"])
def test_the_window_is_the_genomes_sequence_in_transcript_sense(artifacts: Path, world: ToyWorld, contig: str) -> None:
    for row in rows_of(artifacts / f"analysis_sequences_{contig}_chunk_1_1.tsv"):
        start, end = int(row["window_start"]), int(row["window_end"])
        assert (start + end) // 2 == int(row["position"])
        assert end - start + 1 == len(row["sequence"]) == 501
        plus = world.genome.fetch_padded(contig, start - 1, end)
        assert row["sequence"] == (plus if row["strand"] == "+" else reverse_complement(plus))
        # Real bases beyond the gene, N only past the contig's end.
        assert row["sequence"].count("N") == max(0, 1 - start) + max(0, end - LENGTH)


def test_scores_are_the_base_models(artifacts: Path, world: ToyWorld) -> None:
    track, _, _ = gene_inputs(world.gene("chr2"), world.genome, world.annotation, world.model, flank=250)
    for row in rows_of(artifacts / "analysis_sequences_chr2_chunk_1_1.tsv"):
        donor, acceptor, neither = track.probabilities.mean(axis=0)[track.index_of(int(row["position"]))]
        assert float(row["donor_score"]) == pytest.approx(donor, rel=1e-6)
        assert float(row["acceptor_score"]) == pytest.approx(acceptor, rel=1e-6)
        assert float(row["neither_score"]) == pytest.approx(neither, rel=1e-6)
        assert float(row["score"]) == pytest.approx(max(donor, acceptor), rel=1e-6)


def test_weights_add_up_to_the_number_of_positions(artifacts: Path) -> None:
    for contig in CONTIGS:
        rows = rows_of(artifacts / f"analysis_sequences_{contig}_chunk_1_1.tsv")
        assert sum(float(row["sampling_weight"]) for row in rows) == pytest.approx(1300, abs=1e-6)
        assert len(rows) == 130  # a tenth
        assert all(float(r["sampling_weight"]) == 1 for r in rows if r["pred_type"] != "TN")


def test_weighted_means_over_rows_estimate_means_over_positions(world: ToyWorld) -> None:
    """Over many seeds the weighted sum of any quantity comes out right on average."""
    track, sites, _ = gene_inputs(world.gene("chr1"), world.genome, world.annotation, world.model, flank=250)
    quantity = np.sin(np.arange(len(track)) / 37) + np.arange(len(track)) / 400
    estimates = []
    for seed in range(300):
        kept = choose_positions(track, sites, ArtifactSettings(seed=seed, minimum=20))
        estimates.append((kept.weights * quantity[kept.rows]).sum())
    error = np.std(estimates) / np.sqrt(len(estimates))
    assert abs(np.mean(estimates) - quantity.sum()) < 4 * error
    assert np.std(estimates) > 0


def test_every_hard_negative_is_kept(world: ToyWorld) -> None:
    track, sites, _ = gene_inputs(world.gene("chr4"), world.genome, world.annotation, world.model, flank=250)
    best = track.mean[:, :2].max(axis=1)
    bound = float(np.sort(best)[-40])
    kept = choose_positions(track, sites, ArtifactSettings(hard_negative=bound, minimum=1, fraction=0.01))
    certain = np.flatnonzero((best >= bound) | (sites.labels != SpliceClass.NEITHER))
    assert set(certain) <= set(kept.rows)
    assert (kept.weights[np.isin(kept.rows, certain)] == 1).all()
    assert kept.weights.sum() == pytest.approx(1300)
    assert len(kept.rows) == len(certain) + 1


def test_the_draw_does_not_depend_on_the_other_genes(artifacts: Path, world: ToyWorld, tmp_path: Path) -> None:
    write_artifacts(
        tmp_path, world.genome, world.annotation, world.model, chromosomes=["13"], settings=SETTINGS
    )  # fmt: skip
    name = "analysis_sequences_chr13_chunk_1_1.tsv"
    assert (tmp_path / name).read_bytes() == (artifacts / name).read_bytes()
    assert not list(tmp_path.glob("*chr1_*"))


def test_the_same_gene_on_either_strand_gives_the_same_rows(tmp_path: Path) -> None:
    world = toy_world(tmp_path / "world", {"chr1": "+", "chr2": "-"}, seed=5)
    settings = ArtifactSettings(fraction=1.0)
    write_artifacts(tmp_path / "out", world.genome, world.annotation, world.model, settings=settings)
    plus, minus = (rows_of(tmp_path / "out" / f"analysis_sequences_{c}_chunk_1_1.tsv") for c in ("chr1", "chr2"))
    placed = {"gene_id", "gene_name", "transcript_id", "chrom", "strand", "position", "window_start", "window_end"}
    assert len(plus) == len(minus) == 1300
    for one, other in zip(plus, minus, strict=True):
        assert {k: v for k, v in one.items() if k not in placed} == {k: v for k, v in other.items() if k not in placed}
        assert int(one["position"]) == LENGTH + 1 - int(other["position"])


def test_errors_and_manifests(artifacts: Path) -> None:
    errors = rows_of(artifacts / "splice_errors_chr13_chunk_1_1.tsv")
    assert {(int(r["position"]), r["splice_type"], r["error_type"]) for r in errors} == {
        (genomic(650, "chr13"), "donor", "FN"),
        (genomic(801, "chr13"), "acceptor", "FN"),
        (genomic(DECOY, "chr13"), "", "FP"),
    }
    genes = {row["gene_id"]: row for row in rows_of(artifacts / "gene_manifest.tsv")}
    assert set(genes) == {f"G{contig}" for contig in CONTIGS}
    row = genes["Gchr13"]
    assert [row[k] for k in ("positions", "rows", "donors", "acceptors", "TP", "FP", "FN", "TN")] == [
        "1300", "130", "3", "3", "4", "1", "2", "123",
    ]  # fmt: skip
    manifest = json.loads((artifacts / "manifest.json").read_text())
    assert manifest["outcomes"] == {"TP": 20, "FP": 5, "FN": 10, "TN": 615}
    assert manifest["base_model"]["name"] == "motif"
    assert manifest["settings"]["seed"] == 0
    assert len(manifest["schema_sha256"]) == 64
    assert len(manifest["annotation_sha256"]) == 64


class _StoppedError(Exception):
    pass


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("stop_after", [1, 3, 4])
def test_an_interrupted_run_goes_on_to_the_same_bytes(
    world: ToyWorld, tmp_path: Path, compress: bool, stop_after: int
) -> None:
    settings = ArtifactSettings(minimum=20, genes_per_chunk=2, compress=compress)

    def run(folder: Path, progress: module.Progress | None = None) -> module.ArtifactSummary:
        return write_artifacts(
            folder, world.genome, world.annotation, world.model, settings=settings, progress=progress
        )  # fmt: skip

    whole = run(tmp_path / "whole")
    heard: list[str] = []

    def stop(name: str, done: int, total: int) -> None:
        heard.append(name)
        if len(heard) == stop_after:
            raise _StoppedError

    with pytest.raises(_StoppedError):
        run(tmp_path / "cut", stop)
    # What has its final name is whole.
    finished = {name for name in contents(tmp_path / "cut") if not name.endswith(".part")}
    for name in finished - {"manifest.json", "gene_manifest.tsv"}:
        assert contents(tmp_path / "cut")[name] == contents(tmp_path / "whole")[name]
    again = run(tmp_path / "cut")
    assert contents(tmp_path / "cut") == contents(tmp_path / "whole")
    assert (again.written + again.skipped, again.skipped) == (whole.written, stop_after - 1)
    assert (again.genes, again.rows, again.positions) == (5, 650, 6500)


def test_a_finished_run_computes_nothing(world: ToyWorld, tmp_path: Path) -> None:
    run = lambda: write_artifacts(tmp_path, world.genome, world.annotation, world.model, settings=SETTINGS)  # noqa: E731
    run()
    calls = world.model.calls
    summary = run()
    assert (summary.written, summary.skipped, world.model.calls) == (0, 5, calls)


def test_a_damaged_chunk_is_made_again(world: ToyWorld, tmp_path: Path) -> None:
    run = lambda: write_artifacts(tmp_path, world.genome, world.annotation, world.model, settings=SETTINGS)  # noqa: E731
    run()
    before = contents(tmp_path)
    path = tmp_path / "analysis_sequences_chr4_chunk_1_1.tsv"
    path.write_bytes(path.read_bytes()[:-100])
    assert run().written == 1
    assert contents(tmp_path) == before


def test_chromosomes_may_come_one_after_another(artifacts: Path, world: ToyWorld, tmp_path: Path) -> None:
    for contigs in (["chr16", "chr1"], ["chr2"], ["chr13", "chr4"]):
        summary = write_artifacts(
            tmp_path, world.genome, world.annotation, world.model, chromosomes=contigs, settings=SETTINGS
        )
    assert summary.genes == 5
    assert contents(tmp_path) == contents(artifacts)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda: {"settings": ArtifactSettings(fraction=0.2)}, "settings"),
        (lambda: {"settings": ArtifactSettings(seed=1)}, "settings"),
    ],
)
def test_other_settings_are_refused_with_advice(
    world: ToyWorld, tmp_path: Path, change: Callable[[], dict[str, ArtifactSettings]], named: str
) -> None:
    write_artifacts(tmp_path, world.genome, world.annotation, world.model, chromosomes=["chr1"])
    before = contents(tmp_path)
    with pytest.raises(SettingError, match=f"another {named}.*another folder"):
        write_artifacts(tmp_path, world.genome, world.annotation, world.model, chromosomes=["chr1"], **change())
    assert contents(tmp_path) == before


def test_other_genes_in_the_same_chunks_are_refused(tmp_path: Path) -> None:
    world = toy_world(tmp_path / "world", {"chr1": "+", "chr2": "-"})
    out = tmp_path / "out"
    gene = world.gene("chr1")
    twin = changed(gene, id="twin")
    write_artifacts(out, world.genome, world.annotation, world.model, genes=[gene])
    with pytest.raises(SettingError, match="already holds other genes of chr1"):
        write_artifacts(out, world.genome, world.annotation, world.model, genes=[twin])
    with pytest.raises(SettingError, match="or the same in other chunks"):
        write_artifacts(out, world.genome, world.annotation, world.model, genes=[gene, twin])


def test_two_writers_do_not_mix(world: ToyWorld, tmp_path: Path) -> None:
    def meddle(name: str, done: int, total: int) -> None:
        write_artifacts(tmp_path, world.genome, world.annotation, world.model)

    with pytest.raises(SettingError, match="Another process"):
        write_artifacts(tmp_path, world.genome, world.annotation, world.model, progress=meddle)


def test_a_damaged_manifest_is_said(world: ToyWorld, tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(ResourceError, match=r"manifest\.json is damaged"):
        write_artifacts(tmp_path, world.genome, world.annotation, world.model)


def test_nothing_to_do_is_an_error(world: ToyWorld, tmp_path: Path) -> None:
    with pytest.raises(TrainingDataError, match="No gene"):
        write_artifacts(tmp_path, world.genome, world.annotation, world.model, chromosomes=["chr9"])


def test_the_configuration_has_to_fit(world: ToyWorld, tmp_path: Path) -> None:
    config = MetaLayerConfig(base_model="small", data_root=tmp_path)
    with pytest.raises(SettingError, match="names the base model small, the one given is motif"):
        write_artifacts(config, world.genome, world.annotation, world.model)


def test_builds_have_to_fit(world: ToyWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world.genome, "build", GenomeBuild.GRCH37)
    monkeypatch.setattr(world.annotation, "build", GenomeBuild.GRCH38)
    with pytest.raises(BuildMismatchError):
        write_artifacts(tmp_path, world.genome, world.annotation, world.model)


def test_progress_reaches_the_end(world: ToyWorld, tmp_path: Path) -> None:
    heard: list[tuple[str, int, int]] = []
    write_artifacts(
        tmp_path, world.genome, world.annotation, world.model,
        chromosomes=["chr1", "chr2"], progress=lambda *what: heard.append(what),
    )  # fmt: skip
    assert heard == [("Nchr1", 1300, 2600), ("Nchr2", 2600, 2600)]


def test_positions_that_cannot_be_labelled_are_left_out_and_counted(world: ToyWorld) -> None:
    gene = world.gene("chr1")
    track, _, _ = gene_inputs(gene, world.genome, world.annotation, world.model, flank=250)
    # A transcript in which base 300, a donor elsewhere, is the first base of an exon: donor and acceptor at once.
    first = gene.transcripts[0]
    both = changed(first, id="X", exons=((100, 200), (299, 1400)), cds=())
    gene = changed(gene, transcripts=(*gene.transcripts, both))
    # Another gene of the strand has sites of its own at 1100 and 1151; one of the other strand says nothing.
    elsewhere = changed(first, exons=((600, 1100), (1150, 1400)), cds=())
    other = changed(gene, id="other", transcripts=(elsewhere,))
    opposite = changed(world.gene("chr13"), contig="chr1")
    track = type(track)(**{**vars(track), "bases": track.bases[:10] + "NN" + track.bases[12:]})
    sites = label_track(track, gene, [gene, other, opposite])
    assert (sites.contradicting, sites.other_gene, sites.unknown) == (1, 2, 2)
    left_out = (track.positions[sites.labels == IGNORE_INDEX]).tolist()
    assert left_out == [111, 112, 300, 1100, 1151]
    assert sites.labels[track.index_of(200)] == SpliceClass.DONOR
    kept = choose_positions(track, sites, ArtifactSettings())
    assert kept.positions == 1295
    assert kept.weights.sum() == pytest.approx(1295)
    assert not set(left_out) & set(track.positions[kept.rows].tolist())


@pytest.mark.parametrize(
    "bad",
    [{"window": 500}, {"window": 401}, {"cutoff": 0}, {"hard_negative": 0.6}, {"fraction": 0}, {"minimum": 0}],
)
def test_settings_out_of_range_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(SettingError, match=next(iter(bad))):
        ArtifactSettings(**bad)  # type: ignore[arg-type]
