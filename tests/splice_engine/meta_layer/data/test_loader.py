"""Artifacts back in memory: the same values, and errors that name the column."""

from __future__ import annotations

import csv
import gzip
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from agentic_spliceai.splice_engine.base_layer.results import SpliceClass
from agentic_spliceai.splice_engine.errors import ResourceError, SchemaError, TrainingDataError
from agentic_spliceai.splice_engine.meta_layer import MetaLayerConfig
from agentic_spliceai.splice_engine.meta_layer.data import loader as module
from agentic_spliceai.splice_engine.meta_layer.data.artifacts import write_artifacts
from agentic_spliceai.splice_engine.meta_layer.data.gene_rows import ArtifactSettings
from agentic_spliceai.splice_engine.meta_layer.data.loader import ArtifactLoader
from agentic_spliceai.splice_engine.meta_layer.data.schema import FEATURE_NAMES

from .artifact_toys import ToyWorld


def test_it_returns_what_was_written(artifacts: Path) -> None:
    table = ArtifactLoader(artifacts).load_analysis_sequences()
    sequences, features, labels = table
    assert sequences.shape == (650, 501)
    assert features.shape == (650, len(FEATURE_NAMES))
    row = 0
    for contig in ("chr1", "chr2", "chr4", "chr13", "chr16"):  # chromosomes by number
        with (artifacts / f"analysis_sequences_{contig}_chunk_1_1.tsv").open(newline="") as handle:
            for line in csv.DictReader(handle, delimiter="\t"):
                assert table.bases(row) == line["sequence"]
                kind = {"donor": SpliceClass.DONOR, "acceptor": SpliceClass.ACCEPTOR, "": SpliceClass.NEITHER}
                assert labels[row] == kind[line["splice_type"]]
                assert table.weights[row] == pytest.approx(float(line["sampling_weight"]))
                assert table.frame["position"].iloc[row] == int(line["position"])
                assert (table.genes[row], table.chromosomes[row]) == (line["gene_id"], contig)
                np.testing.assert_allclose(features[row], [float(line[n]) for n in FEATURE_NAMES], rtol=1e-6)
                row += 1
    assert row == len(table)
    np.testing.assert_allclose(table.base_scores().sum(axis=1), 1, atol=1e-5)


def test_small_pieces_make_no_difference(artifacts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = ArtifactLoader(artifacts).load_analysis_sequences()
    monkeypatch.setattr(module, "_PIECE", 7)
    parts = ArtifactLoader(artifacts).load_analysis_sequences()
    np.testing.assert_array_equal(parts.features, whole.features)
    np.testing.assert_array_equal(parts.sequences, whole.sequences)
    pd.testing.assert_frame_equal(parts.frame, whole.frame)


def test_choices(artifacts: Path) -> None:
    loader = ArtifactLoader(artifacts)
    assert set(loader.load_analysis_sequences(chromosomes=["13", "chr1"]).chromosomes) == {"chr1", "chr13"}
    assert set(loader.load_analysis_sequences(genes=["Gchr2"]).genes) == {"Gchr2"}
    assert set(loader.load_analysis_sequences(genes=["Nchr2", "Nchr4"]).genes) == {"Gchr2", "Gchr4"}
    some = loader.load_analysis_sequences(columns=["acceptor_score", "gc_51"], limit=133)
    assert some.features.shape == (133, 2)
    whole = loader.load_analysis_sequences()
    np.testing.assert_array_equal(some.column("gc_51"), whole.column("gc_51")[:133])
    with pytest.raises(SchemaError, match="'donor_score' was not loaded"):
        some.base_scores()
    with pytest.raises(TrainingDataError, match="No row"):
        loader.load_analysis_sequences(chromosomes=["chr9"])


@pytest.mark.parametrize("column", ["splice_type", "pred_type", "transcript_count", "sampling_weight"])
def test_a_leaking_column_is_no_feature(artifacts: Path, column: str) -> None:
    with pytest.raises(SchemaError, match=f"'{column}' knows the label"):
        ArtifactLoader(artifacts).load_analysis_sequences(columns=["donor_score", column])


def test_compressed_tables_are_the_same(artifacts: Path, world: ToyWorld, tmp_path: Path) -> None:
    settings = ArtifactSettings(minimum=20, genes_per_chunk=1, compress=True)
    write_artifacts(tmp_path, world.genome, world.annotation, world.model, settings=settings)
    assert all(path.suffix == ".gz" for path in tmp_path.glob("*chunk*"))
    one, other = (ArtifactLoader(folder).load_analysis_sequences() for folder in (artifacts, tmp_path))
    np.testing.assert_array_equal(one.features, other.features)
    np.testing.assert_array_equal(one.weights, other.weights)


def test_statistics_and_manifest(artifacts: Path) -> None:
    loader = ArtifactLoader(artifacts)
    assert loader.statistics() == {
        "files": 5,
        "rows": 650,
        "genes": 5,
        "positions": 6500,
        "classes": {"donor": 15, "acceptor": 15, "neither": 620},
        "outcomes": {"FN": 10, "FP": 5, "TN": 615, "TP": 20},
        "chromosomes": dict.fromkeys(["chr1", "chr13", "chr16", "chr2", "chr4"], 130),
    }
    assert loader.manifest()["base_model"]["name"] == "motif"
    loader.verify()


def test_the_configuration_names_the_folder(artifacts: Path, tmp_path: Path) -> None:
    config = MetaLayerConfig(base_model="small", data_root=tmp_path)
    with pytest.raises(ResourceError, match="There is no folder"):
        ArtifactLoader(config)
    shutil.copytree(artifacts, config.artifacts_dir)
    assert len(ArtifactLoader(config).load_analysis_sequences()) == 650


@pytest.fixture
def foreign(artifacts: Path, tmp_path: Path) -> Path:
    """A folder of another tool: no manifest, one table."""
    name = "analysis_sequences_chr1_chunk_1_1.tsv"
    shutil.copy(artifacts / name, tmp_path / "analysis_sequences_1_chunk_1_500.tsv")
    return tmp_path


def edit(folder: Path, change: Callable[[pd.DataFrame], pd.DataFrame | None]) -> None:
    [path] = folder.glob("analysis_*")
    frame = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
    result = change(frame)
    (frame if result is None else result).to_csv(path, sep="\t", index=False)


def test_a_table_of_another_tool(foreign: Path, artifacts: Path) -> None:
    edit(foreign, lambda f: f.assign(chrom="1", junk="x", probability_entropy=f["probability_entropy"]))
    whole = ArtifactLoader(foreign).load_analysis_sequences()
    ours = ArtifactLoader(artifacts).load_analysis_sequences(chromosomes=["chr1"])
    np.testing.assert_array_equal(whole.features, ours.features)
    assert set(whole.chromosomes) == {"chr1"}
    assert whole.build is None


def test_missing_columns_are_computed_where_that_is_possible(foreign: Path, artifacts: Path) -> None:
    ours = ArtifactLoader(artifacts).load_analysis_sequences(chromosomes=["chr1"])
    edit(foreign, lambda f: f.drop(columns=["probability_entropy", "gc_201", "motif_gt", "donor_surge_ratio"]))
    wanted = ["probability_entropy", "gc_201", "donor_score", "motif_gt"]
    table = ArtifactLoader(foreign).load_analysis_sequences(columns=wanted)
    assert table.feature_names == tuple(wanted)
    for name in wanted:
        np.testing.assert_allclose(table.column(name), ours.column(name), rtol=1e-5, atol=1e-6)
    with pytest.raises(SchemaError, match="donor_surge_ratio"):
        ArtifactLoader(foreign).load_analysis_sequences()


def test_weights_are_never_made_up(foreign: Path) -> None:
    edit(foreign, lambda f: f.drop(columns=["sampling_weight"]))
    with pytest.raises(SchemaError, match=r"'sampling_weight'.*unweighted=True"):
        ArtifactLoader(foreign).load_analysis_sequences()
    assert (ArtifactLoader(foreign).load_analysis_sequences(unweighted=True).weights == 1).all()


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("donor_score", "1.7", r"column 'donor_score' is 1.7 in row"),
        ("sampling_weight", "0", r"column 'sampling_weight' is 0 in row"),
        ("strand", "x", r"column 'strand' is 'x' in row"),
        ("position", "12.5", r"position"),
        ("donor_score", "", "'donor_score' is nan in row 6"),
        ("gc_51", "inf", "'gc_51' is inf in row 6"),
        ("acceptor_logodds", "high", "'acceptor_logodds' holds object.*row 6: 'high'"),
        ("position", "NA", "'position' is nan in row 6"),
        ("splice_type", "exon", "'splice_type' is 'exon' in row 6"),
        ("sequence", "ACGT", "'sequence' has 4 nt in row 6"),
    ],
)
def test_a_bad_value_is_named_with_its_row(foreign: Path, column: str, value: str, message: str) -> None:
    def spoil(frame: pd.DataFrame) -> None:
        frame.loc[5, column] = value

    edit(foreign, spoil)
    with pytest.raises(SchemaError, match=message):
        ArtifactLoader(foreign).load_analysis_sequences()


@pytest.mark.parametrize("column", ["gene_id", "splice_type", "sequence", "position"])
def test_a_missing_identity_column_is_named(foreign: Path, column: str) -> None:
    edit(foreign, lambda f: f.drop(columns=[column]))
    with pytest.raises(SchemaError, match=f"lacks the column '{column}'"):
        ArtifactLoader(foreign).load_analysis_sequences()


def test_genes_called_na_keep_their_name(foreign: Path) -> None:
    edit(foreign, lambda f: f.assign(gene_name="NA", gene_id="nan"))
    table = ArtifactLoader(foreign).load_analysis_sequences()
    assert set(table.genes) == {"nan"}
    assert set(table.frame["gene_name"]) == {"NA"}


def test_unfinished_and_missing_files(artifacts: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(artifacts, folder)
    name = "analysis_sequences_chr4_chunk_1_1.tsv"
    shutil.copy(folder / name, folder / "analysis_sequences_chr4_chunk_2_2.tsv")  # renamed, not yet in the manifest
    shutil.copy(folder / name, folder / (name + ".part"))
    assert len(ArtifactLoader(folder).load_analysis_sequences()) == 650
    (folder / name).write_bytes((folder / name).read_bytes()[:-1])
    with pytest.raises(ResourceError, match="not as it was written"):
        ArtifactLoader(folder).verify()
    (folder / name).unlink()
    with pytest.raises(ResourceError, match=f"lacks {name}"):
        ArtifactLoader(folder)


def test_empty_folders_are_said(tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match="There is no folder"):
        ArtifactLoader(tmp_path / "nowhere")
    with pytest.raises(ResourceError, match="holds no analysis_sequences"):
        ArtifactLoader(tmp_path)


def test_another_versions_columns_are_refused(artifacts: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(artifacts, folder)
    manifest = folder / "manifest.json"
    text = manifest.read_text()
    manifest.write_text(text.replace(ArtifactLoader(folder).manifest()["schema_sha256"], "0" * 64))
    with pytest.raises(SchemaError, match="another version"):
        ArtifactLoader(folder).load_analysis_sequences()


def test_gzip_from_another_tool_is_read(foreign: Path) -> None:
    [path] = foreign.glob("analysis_*")
    packed = path.with_name(path.name + ".gz")
    packed.write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()
    assert len(ArtifactLoader(foreign).load_analysis_sequences()) == 130
