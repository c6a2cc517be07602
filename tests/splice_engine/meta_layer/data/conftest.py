"""Toy artifacts, written once."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentic_spliceai.splice_engine.meta_layer.data.artifacts import write_artifacts
from agentic_spliceai.splice_engine.meta_layer.data.gene_rows import ArtifactSettings

from .artifact_toys import ToyWorld, toy_world

SETTINGS = ArtifactSettings(fraction=0.1, minimum=20, genes_per_chunk=1)


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> ToyWorld:
    return toy_world(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="session")
def artifacts(world: ToyWorld, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("artifacts")
    write_artifacts(folder, world.genome, world.annotation, world.model, settings=SETTINGS)
    return folder
