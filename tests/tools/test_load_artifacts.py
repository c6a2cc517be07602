"""A base layer's artifacts, opened and checked."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from agentic_spliceai.splice_engine.errors import ResourceError
from agentic_spliceai.splice_engine.meta_layer.data.artifacts import write_artifacts
from agentic_spliceai.splice_engine.meta_layer.data.gene_rows import ArtifactSettings
from agentic_spliceai.splice_engine.meta_layer.data.schema import FEATURE_NAMES
from agentic_spliceai.tools.registry import default_registry
from tests.splice_engine.meta_layer.data.artifact_toys import toy_world
from tests.tools.toolbox import small_context


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    world = toy_world(tmp_path_factory.mktemp("world"))
    folder = tmp_path_factory.mktemp("artifacts")
    settings = ArtifactSettings(fraction=0.1, minimum=20, genes_per_chunk=1)
    write_artifacts(folder, world.genome, world.annotation, world.model, settings=settings)
    return folder


def load(folder: Path, tmp_path: Path, **values: Any) -> dict[str, Any]:
    tool = default_registry()["load_artifacts"]
    return tool.dump_result(tool.call(tool.parse_args({"folder": str(folder)} | values), small_context(tmp_path)))


def test_a_folder_says_what_it_holds(artifacts: Path, tmp_path: Path) -> None:
    found = load(artifacts, tmp_path)
    assert found["usable"] is True
    assert found["problems"] == []
    assert (found["rows"], found["genes"], found["files"]) == (650, 5, 5)
    assert sum(found["classes"].values()) == found["rows"]
    assert sum(found["chromosomes"].values()) == found["rows"]
    assert set(found["chromosomes"]) == {"chr1", "chr2", "chr4", "chr13", "chr16"}
    assert tuple(found["features"]) == FEATURE_NAMES
    assert (found["sequence_length"], found["checked_rows"]) == (501, 650)
    assert found["base_model"].startswith("motif")
    assert load(artifacts, tmp_path, chromosomes=["13"])["checked_rows"] == found["chromosomes"]["chr13"]


def test_what_is_wrong_is_a_problem_with_a_code(artifacts: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(artifacts, folder)
    path = folder / "analysis_sequences_chr1_chunk_1_1.tsv"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([lines[0].replace("donor_score", "donor_shore"), *lines[1:]]))
    found = load(folder, tmp_path)
    assert found["usable"] is False
    assert [problem["code"] for problem in found["problems"]] == ["resource", "schema"]
    assert "not as it was written" in found["problems"][0]["message"]
    assert "donor_score" in found["problems"][1]["message"]
    assert [problem["code"] for problem in load(folder, tmp_path, verify=False)["problems"]] == ["schema"]
    assert load(artifacts, tmp_path, genes=["none"])["problems"][0]["code"] == "training_data"


def test_a_table_that_is_no_table(artifacts: Path, tmp_path: Path) -> None:
    folder = tmp_path / "odd"
    folder.mkdir()
    (folder / "analysis_sequences_chr1_chunk_1_1.tsv").write_text("")
    found = load(folder, tmp_path)
    assert found["usable"] is False
    assert {problem["code"] for problem in found["problems"]} == {"schema"}
    assert found["base_model"] is None


def test_no_folder_and_an_empty_one(tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match="There is no folder"):
        load(tmp_path / "none", tmp_path)
    with pytest.raises(ResourceError, match="holds no analysis_sequences"):
        load(tmp_path, tmp_path)
